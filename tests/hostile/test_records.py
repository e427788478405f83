"""Other writers put garbage on every topic: values, keys, headers and times that no program of ours would write, and real records with a byte changed. The programs go on and
load the good orders among it, also after a restart, which reads all of it once more; so do order-replay's commands and its page."""
import json
import os
import random
import re
import struct
import subprocess
import sys
import time
import urllib.parse

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE, os.path.join(os.path.dirname(HERE), "e2e")]
from avro_bytes import varint     # noqa: E402
from harness import TOPICS, check, equal, main, services, wait     # noqa: E402
from liar import spoilt_bytes     # noqa: E402
from simulator import call     # noqa: E402
from test_servers import REPORT, Watch, environment, imported     # noqa: E402

ORDERS, EACH = 12, 60
KEYS = [None, b"", b"acme", b"acme/", b"/5", b"acme/0", b"acme/-1", b"acme/9223372036854775807", b"acme/9223372036854775808", b"acme/99999999999999999999999", b"acme/1/2", b"acme/5 ",
        b"other/5", b"acme/?x", b"\xff\xfe/5", b"acme/\0", b"a" * 70000 + b"/5", b"acme/" + b"5" * 70000, b"%s%n/5", b"acme/\x1b[2J", b"\xc2\x9b2J/\x7f\r", b"acme/0000000000000000005", b"\0" * 8]
TEXTS = [None, b"", b"0", b"-1", b"abc", b"1e9", b"99999999999999999999", b" 5", b"\xff\xff", b"\0", b"5" * 5000, b"MAG-1", b"MAG-1,MAG-1", b"," * 5000, b"MAG-1," * 2000, b"../..", b"a\nb", b"\x1b]0;x\x07", b"\xc2\x9b31m",
         b"00-" + b"0" * 32 + b"-" + b"0" * 16 + b"-00", b"0" * 16]
NAMES = ["organization", "revision", "publication", "round", "warehouses", "schema", "traceparent", "reason", "kind", "replayed", "withdrawn", "outcome", "x", "", "ż", "n" * 3000]
CONTROL = re.compile(".{0,40}[\0-\x09\x0b-\x1f\x7f-\x9f].{0,40}")
TIMES = [1, 1000, 2 ** 41, 2 ** 53, 2 ** 62]


def lying(r, avro):
    """A length, a count, a branch or a number somewhere in it is another one."""
    at = r.randrange(len(avro) + 1)
    by = r.choice([varint(n) for n in (-1, 2 ** 31, 2 ** 62, 2 ** 63 - 1, -2 ** 63, 77, 10 ** 6)] + [b"\xff" * 11])
    return avro[:at] + by + avro[at + r.choice([0, 1, len(by)]):]


def value(r, real, ids, state):
    """real: the records of every topic, or of one. state: of a topic that a program reads back at its start. It waits, and says so, for a schema that the registry does not know, or
    that cannot be the record's (of other topics' ids there are none in `real` and `ids` then): it would forget orders otherwise. So that is not for here."""
    own = r.choice(r.choice(real))
    frame, avro = own.bytes[:5], own.bytes[5:]
    return r.choice([
        lambda: None, lambda: b"", lambda: b"\0", lambda: r.randbytes(r.choice([1, 5, 6, 300])), lambda: b"\0" * 5000, lambda: b"\xff" * 5000, lambda: frame,
        lambda: frame + r.randbytes(200), lambda: b"\1" + own.bytes[1:], lambda: struct.pack(">bI", 0, r.choice([0, 2 ** 31, 2 ** 32 - 1, *([] if state else [99])])) + avro,
        lambda: struct.pack(">bI", 0, r.choice(ids)) + avro, lambda: frame + spoilt_bytes(r, avro), lambda: frame + spoilt_bytes(r, avro), lambda: frame + lying(r, avro), lambda: frame + lying(r, avro),
        lambda: frame + avro[:r.randrange(len(avro))], lambda: frame + avro + avro, lambda: own.bytes])()


def headers(r, real):
    own = list(r.choice(r.choice(real)).headers.items())
    kind = r.randrange(6)
    if kind == 0:
        return []
    if kind == 1:
        return own
    if kind == 2:
        return [(r.choice(NAMES), r.choice(TEXTS)) for _ in range(r.choice([1, 10, 300]))]
    if kind == 3:
        return own * r.choice([2, 100])
    if kind == 4:
        return [*own, ("big", b"x" * 100000)]
    return [(n, r.choice(TEXTS) if r.random() < 0.3 else v) for n, v in own]


def garbage(s, r, real):
    """EACH on every topic, over all its partitions, and some that are as large as a broker takes."""
    import confluent_kafka
    ids = lambda of: sorted({struct.unpack(">I", x.bytes[1:5])[0] for rows in of for x in rows})
    names = [topic for topic in TOPICS if topic != "orders-dlq"]
    failed = []
    p = confluent_kafka.Producer({"bootstrap.servers": s.kafka.bootstrap, "log_level": 0})
    for topic, partitions in TOPICS.items():
        of = [real[names.index(topic)]] if topic in ("order-state", "order-status") else real
        for n in range(EACH):
            key = r.choice([*KEYS, *(x.key.encode() for x in r.choice(real))])
            large = n < 2
            p.produce("xsale." + topic, r.randbytes(700000) if large else value(r, of, ids(of), topic in ("orders", "order-state", "order-status")), r.choice([b"k" * 200000, None]) if large else key,
                      headers=headers(r, real) if not large else [], partition=r.randrange(partitions), timestamp=r.choice([0, *TIMES]),
                      on_delivery=lambda e, m: failed.append(e) if e else None)
            p.poll(0)
    check(p.flush(30) == 0 and not failed, lambda: f"garbage that was not taken: {failed[:3]}")


def command(s, *words):
    begin = time.monotonic()
    r = subprocess.run([os.path.join(s.build, "consumer/order-replay"), words[0], "-c", s.config_file, *words[1:]], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                       stderr=subprocess.STDOUT, cwd=s.working, env=environment(), timeout=90)
    out = r.stdout.decode("utf-8", "replace")
    check(r.returncode in (0, 1, 3) and not REPORT.search(out), f"order-replay {words}: {r.returncode}, {out[-3000:]}")
    check("--json" in words or not CONTROL.search(out), lambda: f"order-replay {words} shows what a terminal obeys: {CONTROL.search(out)[0]!r}")
    print(f"{time.monotonic() - begin:.1f} s: {' '.join(words)}", flush=True)
    return out


def replay(s, asked):
    for words in (["waiting"], ["waiting", "--json"], ["reconcile", "--from", "24h"], ["reconcile", "--from", "24h", "--json"], *(["explain", q] for q in asked), ["explain", "--json", asked[0]]):
        command(s, *words)
    for topic in TOPICS:
        command(s, "tail", "--topic", topic)
        for line in command(s, "tail", "--topic", topic, "--json").split("\n"):
            if line.startswith("{"):
                json.loads(line)


def serve(s, asked):
    port = services.free_port()
    p = subprocess.Popen([os.path.join(s.build, "consumer/order-replay"), "serve", "-c", s.config_file, "--listen", f"127.0.0.1:{port}", "--every", "1s"], stdin=subprocess.DEVNULL,
                         stdout=subprocess.PIPE, stderr=subprocess.STDOUT, cwd=s.working, env=environment(), preexec_fn=services.die_with_parent, process_group=0)
    get = lambda path: call(f"http://127.0.0.1:{port}", "GET", path)

    def answered(path, words):
        status, _, body = get(path)
        equal(status, 200, f"status of {path}")
        body.decode("utf-8")
        return any(w in body for w in words)

    for line in iter(p.stdout.readline, b""):
        if f"http://127.0.0.1:{port}" in line.decode():
            break
    wait("the page has its figures", 60, lambda: p.poll() is None and answered("/", [b"Figures"]), 0.3)
    for q in asked:
        path = "/order?" + urllib.parse.urlencode({"q": q})
        wait(f"an answer at {path}", 60, lambda path=path: answered(path, [b"As the topics stood", b"No answer"]), 0.3)
    wait("a sum", 60, lambda: answered("/reconcile?from=2h&to=", [b"As the topics stood", b"No answer"]), 0.3)
    p.terminate()
    equal(p.wait(30), 0, "exit code of serve")
    out = p.stdout.read().decode("utf-8", "replace")
    check(not REPORT.search(out), f"serve says {out[-3000:]}")
    p.stdout.close()


def test(s, seed):
    r = random.Random(f"records {seed}")
    s.write_config(producer={"drain_timeout": "3s"}, updater={"drain_timeout": "3s"}, consumer={"drain_timeout": "3s"})
    for p in s.programs.values():
        p.environment = environment()
    watch = Watch(s)
    first = s.generate(ORDERS, refused=[100003])
    s.erp.post("refuse", {"words": "\x1b[31mNieznany\r\ntowar\x9b31m\x07\x7f"})
    s.start()
    watch.serving()
    watch.until("the first orders left the new status", 60, lambda: s.xsale.get("counts")["Nowe"] == 0)
    real = [[x for x in s.records(topic, decode=False) if x.bytes] for topic in TOPICS if topic != "orders-dlq"]
    garbage(s, r, real)
    second = s.generate(ORDERS, first=200002)
    watch.until("orders among the garbage are imported", 90, lambda: imported(s, second))
    asked = ["100001", "100003", "200002", "5", "9223372036854775807", "ZAM/2026/11/100001"]
    replay(s, asked)
    serve(s, asked)
    s.stop()
    garbage(s, r, real)
    s.start()
    watch.serving()
    third = s.generate(ORDERS, first=300003)
    watch.until("orders after a restart are imported", 90, lambda: imported(s, third))
    watch.until("the first are loaded as well", 60, lambda: {i for i, _ in s.documents()} >= {*first, *second, *third} - {100003})
    s.stop()
    watch.reports()
    print(f"seed {seed}: most MB resident {dict((n, m >> 20) for n, m in watch.most.items())}")


if __name__ == "__main__":
    main(test, __doc__, clusters=("mock",), seeded=True)
