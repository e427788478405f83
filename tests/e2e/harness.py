"""What the end-to-end tests share: a broker (mock or real), a registry, the simulators, the programs as processes, topics read by a second
implementation (confluent-kafka and fastavro), and waits that end. Everything lives in one temporary directory and ends with this process."""
import argparse
import atexit
import collections
import contextlib
import http.client
import io
import json
import os
import random
import re
import shutil
import signal
import struct
import subprocess
import sys
import tempfile
import time
import traceback

HERE = os.path.dirname(os.path.abspath(__file__))
TESTS = os.path.dirname(HERE)
ROOT = os.path.dirname(TESTS)
sys.path[:0] = [os.path.join(TESTS, "sim"), os.path.join(TESTS, "services")]
import services     # noqa: E402
from simulator import Simulator, call       # noqa: E402

KEEP = bool(os.environ.pop("BRIDGE_KEEP", ""))      # the programs would take it for a setting
ORDERLY = bool(os.environ.get("ORDERLY"))     # programs are asked to end where a test's end would kill them: what they leaked and which lines they ran is told then
NEW, IMPORTED, MANUAL, CANCELLED = "Nowe", "Zaimportowano do ERP", "Do obsługi ręcznej", "Anulowane"
MIXES = [["MAG-1"], ["MAG-2"], ["MAG-1", "MAG-2"]]
BAD_ARTICLE = "ZAKAZANY-01"
TOPICS = {"orders": 6, "order-state": 1, "order-outcomes": 6, "order-status": 6, "orders-dlq": 1}
PATHS = {"xsale-producer": "producer/xsale-producer", "status-updater": "producer/status-updater", "erp-consumer": "consumer/erp-consumer"}
# How a group shares its partitions: librdkafka's settings, and the file's that they replace. The last two need a newer librdkafka than Debian's.
GROUPS = {"classic": {"session.timeout.ms": 6000}, "cooperative": {"session.timeout.ms": 6000, "partition.assignment.strategy": "cooperative-sticky"},
          "consumer": {"group.protocol": "consumer"}}
PORTS = {"xsale-producer": "http.producer_port", "status-updater": "http.updater_port", "erp-consumer": "http.consumer_port"}


class Failed(Exception):
    pass


def check(condition, words):
    if not condition:
        raise Failed(words() if callable(words) else words)


def equal(found, wanted, what):
    check(found == wanted, lambda: f"{what}: found {short(found)}, wanted {short(wanted)}")


def short(value, limit=1500):
    t = repr(value)
    return t if len(t) <= limit else t[:limit] + "..."


def wait(what, seconds, predicate, pause=0.1):
    """Until predicate() is true; its last value goes into the words of the failure."""
    end = time.monotonic() + seconds
    while True:
        value = predicate()
        if value:
            return value
        if time.monotonic() > end:
            raise Failed(f"waited {seconds} s in vain: {what} (last: {short(value, 300)})")
        time.sleep(pause)


class MockKafka:
    """librdkafka's mock cluster in a process of its own; forgets everything when it ends."""

    def __init__(self, build):
        program = os.path.join(build, "tests/mock/mock-kafka")
        check(os.access(program, os.X_OK), f"{program} is not built")
        self.process = subprocess.Popen([program, "--stdin", "--topics", ",".join(f"xsale.{t}:{n}" for t, n in TOPICS.items())],
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, preexec_fn=services.die_with_parent, process_group=0)
        line = self.process.stdout.readline()
        match = re.search(r"(127\.0\.0\.1:\d+)", line)
        check(match, f"mock-kafka said {line!r}")
        self.bootstrap = match[1]

    def command(self, words):
        """down, up, rtt MS, error APIKEY CODE COUNT, topic NAME:PARTITIONS"""
        self.process.stdin.write(words + "\n")
        self.process.stdin.flush()
        equal(self.process.stdout.readline().strip(), "ok", f"mock-kafka's answer to {words}")

    def close(self):
        self.process.kill()
        self.process.wait()
        self.process.stdin.close()
        self.process.stdout.close()


class Program:
    """One of the three programs. Its log is appended to over restarts."""

    def __init__(self, stack, program, name, arguments=(), environment=None):
        self.stack, self.program, self.name = stack, program, name
        self.port = services.free_port()
        self.path = os.path.join(stack.build, PATHS[program])
        self.arguments = list(arguments)
        self.environment = environment
        self.log = os.path.join(stack.directory, name + ".log")
        self.process = None
        self.prepare = services.die_with_parent     # done in the child before it becomes the program

    def command(self, *more):
        return [self.path, "-c", self.stack.config_file, "-X", f"{PORTS[self.program]}={self.port}", *self.arguments, *more]

    def start(self, *more):
        check(os.access(self.path, os.X_OK), f"{self.path} is not built")
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen(self.command(*more), stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd=self.stack.working,
                                            env=self.environment, preexec_fn=self.prepare,
                                            process_group=0)     # Ctrl-C is for whoever started this, who ends it in order
        return self

    def run(self, *more, timeout=60):
        """To its end, for --until-end, --once, --check-config ...: -> (code, output)."""
        r = subprocess.run(self.command(*more), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                           encoding="utf-8", errors="replace", cwd=self.stack.working, env=self.environment, timeout=timeout)
        with open(self.log, "a", encoding="utf-8") as log:
            log.write(r.stdout)
        return r.returncode, r.stdout

    def alive(self):
        return self.process is not None and self.process.poll() is None

    def kill(self):
        if self.alive():
            self.process.kill()
            self.process.wait()

    def stop(self, seconds=40):
        """SIGTERM; the exit code."""
        if self.alive():
            self.process.terminate()
            try:
                self.process.wait(seconds)
            except subprocess.TimeoutExpired:
                self.process.send_signal(signal.SIGABRT)
                self.process.wait()
                raise Failed(f"{self.name} did not end within {seconds} s of SIGTERM") from None
        return self.process.returncode

    def http(self, path):
        """-> (status, text); (0, "") while nothing answers."""
        try:
            status, _, body = call(f"http://127.0.0.1:{self.port}", "GET", path, timeout=5)
            return status, body.decode("utf-8", "replace")
        except OSError:
            return 0, ""
        except http.client.HTTPException:
            time.sleep(1)
            if self.alive():
                raise
            return 0, ""        # it ended in the middle of its answer

    def ready(self):
        return self.http("/readyz")[0] == 200

    def dependencies(self):
        body = self.http("/readyz")[1]
        return {n: d["state"] for n, d in json.loads(body)["dependencies"].items()} if body else {}

    def metrics(self):
        """{name with labels: value}"""
        found = {}
        for line in self.http("/metrics")[1].splitlines():
            if line and not line.startswith("#"):
                name, _, value = line.rpartition(" ")
                found[name] = float(value)
        return found

    def published(self):
        """Orders that a producer published since its start, whatever kind."""
        return int(sum(v for k, v in self.metrics().items() if k.startswith("xsale_bridge_producer_published_total")))

    def usage(self):
        """(CPU seconds, resident bytes, most resident bytes ever) from /proc."""
        with open(f"/proc/{self.process.pid}/stat", encoding="ascii") as f:
            fields = f.read().rpartition(")")[2].split()
        with open(f"/proc/{self.process.pid}/status", encoding="ascii") as f:
            status = dict(line.split(":", 1) for line in f)
        kib = lambda k: int(status[k].split()[0]) * 1024
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK"), kib("VmRSS"), kib("VmHWM")


Record = collections.namedtuple("Record", "key value headers partition offset timestamp bytes")


class Stack:
    def __init__(self, cluster="mock", build=None, xsale=(), erp=(), warehouses=("MAG-1", "MAG-2"), start=True, simulators=True, groups="classic"):
        self.groups = groups
        self.cluster, self.build = cluster, os.path.abspath(build or os.path.join(ROOT, "build", "release"))
        self.directory = tempfile.mkdtemp(prefix="bridge-e2e-")
        self.working = self.directory       # where the programs stand
        self.kept = KEEP        # the directory stays, with the logs
        self.parts, self.programs, self.schemas = [], {}, {}
        atexit.register(self.close)
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))     # ctest and timeout end a test by it: what was started must end too
        self.kafka = self.registry = self.writer = None
        if start:
            self.start_kafka()
            self.start_registry()
        self.xsale = self.part(Simulator("xsale", *xsale)) if simulators else None
        self.erp = self.part(Simulator("erp", *erp)) if simulators else None
        self.config_file = os.path.join(self.directory, "bridge.ini")
        self.settings = self.defaults() if simulators else {}
        self.write_config()
        self.producer = self.program("xsale-producer", "producer")
        self.updater = self.program("status-updater", "updater")
        self.consumers = [self.program("erp-consumer", f"consumer-{w}", "-X", f"consumer.warehouse={w}") for w in warehouses]

    def part(self, p):
        self.parts.append(p)
        return p

    def start_kafka(self, port=None):
        self.kafka = self.part(services.Kafka(port) if self.cluster == "real" else MockKafka(self.build))

    def start_registry(self, port=None):
        self.registry = self.part(services.Registry(port) if self.cluster == "real" else Simulator("registry", "--port", port or 0))

    def program(self, program, name, *arguments):
        p = self.programs[name] = Program(self, program, name, arguments)
        return p

    def defaults(self):
        return {
            "xsale": {"organization": "acme", "api_url": self.xsale.url, "auth_url": self.xsale.url + "/oauth/token", "client_id": "abc",
                      "client_secret": "simulated-client-secret", "username": "erp@example.pl", "password": "simulated-password",
                      "insecure": "true", "retry_min": "200ms", "retry_max": "2s", "timeout": "5s"},
            "producer": {"poll_interval": "500ms", "requests_per_minute": 60000},
            "warehouses": {"known": "MAG-1,MAG-2"},
            "updater": {"requests_per_minute": 60000},
            "kafka": {"bootstrap.servers": self.kafka.bootstrap if self.kafka else "127.0.0.1:1"},
            "kafka.consumer": dict(GROUPS[self.groups]),
            "registry": {"url": self.registry.url if self.registry else "http://127.0.0.1:1", "timeout": "2s"},
            "erp": {"probe_min": "300ms", "probe_max": "2s", "park_min": "300ms", "park_max": "2s"},
            "erp.http": {"url": self.erp.url + "/orders", "timeout": "10s"},
            "log": {"level": "info"},
        }

    def write_config(self, **sections):
        for name, rows in sections.items():
            self.settings.setdefault(name.replace("__", "."), {}).update(rows)
        with open(self.config_file, "w", encoding="utf-8") as f:
            for section, rows in self.settings.items():
                f.write(f"[{section}]\n" + "".join(f"{k} = {v}\n" for k, v in rows.items()) + "\n")

    def start(self, *programs):
        for p in programs or self.programs.values():
            p.start()

    def stop(self, *programs):
        """Orderly; every exit code must be 0."""
        for p in programs or self.programs.values():
            if p.process is not None:
                equal(p.stop(), 0, f"exit code of {p.name}")

    def all_alive(self):
        for p in self.programs.values():
            check(p.process is None or p.alive(), f"{p.name} ended with {p.process.returncode if p.process else None}")
        return True

    def close(self):
        asked = [p for p in self.programs.values() if ORDERLY and p.alive()]
        for p in asked:
            p.process.terminate()
        end = time.monotonic() + 15
        for p in asked:
            with contextlib.suppress(subprocess.TimeoutExpired):
                p.process.wait(max(0, end - time.monotonic()))
        for p in self.programs.values():
            p.kill()
        for p in self.parts:
            p.close()
        self.parts = []
        memory = self.memory_faults()
        if not self.kept:
            shutil.rmtree(self.directory, ignore_errors=True)
        if memory:
            print(*memory[:60], "FAILED: a sanitizer found this in a program", sep="\n", flush=True)
            os._exit(1)     # whatever the test itself said, and also while Python ends

    def memory_faults(self):
        """The sanitizers' reports in the programs' logs, from their first line on."""
        for name in sorted(os.listdir(self.directory)) if os.path.isdir(self.directory) else ():
            if name.endswith(".log"):
                with open(os.path.join(self.directory, name), encoding="utf-8", errors="replace") as f:
                    rows = f.read().splitlines()
                for n, row in enumerate(rows):
                    if "Sanitizer: " in row or ": runtime error: " in row:
                        return [f"--- {name}", *rows[n:]]
        return []

    def tails(self, lines=25):
        for name in sorted(os.listdir(self.directory)):
            if name.endswith(".log"):
                with open(os.path.join(self.directory, name), encoding="utf-8", errors="replace") as f:
                    rows = f.read().splitlines()
                print(f"--- {name}: last {min(lines, len(rows))} of {len(rows)} lines", *rows[-lines:], sep="\n")

    # --- topics, read by other libraries than the bridge's

    def client(self):
        import confluent_kafka
        return confluent_kafka.Consumer({"bootstrap.servers": self.kafka.bootstrap, "group.id": "harness", "enable.auto.commit": False,
                                         "auto.offset.reset": "earliest", "fetch.wait.max.ms": 50})

    def records(self, topic, decode=True):
        """Every record that is on a topic now, in order of partition and offset; values decoded with the schema that the registry names."""
        import confluent_kafka
        topic, found = "xsale." + topic, []
        consumer = self.client()
        try:
            meta = consumer.list_topics(topic, 60).topics[topic]
            check(meta.error is None, lambda: f"{topic}: {meta.error}")
            left = {}
            for p in meta.partitions:
                low, high = consumer.get_watermark_offsets(confluent_kafka.TopicPartition(topic, p), 60)
                if high > low:
                    left[p] = high
            consumer.assign([confluent_kafka.TopicPartition(topic, p, 0 if self.cluster == "mock" else confluent_kafka.OFFSET_BEGINNING) for p in left])
            end = time.monotonic() + 60
            while left:
                check(time.monotonic() < end, f"{topic} could not be read to its end: {left}")
                for m in consumer.consume(1000, 0.2):
                    check(m.error() is None, lambda: f"{topic}: {m.error()}")
                    found.append(Record((m.key() or b"").decode("utf-8", "replace"), self.decode(m.value()) if decode else None,
                                        dict(m.headers() or []), m.partition(), m.offset(), m.timestamp()[1], m.value()))
                for t in consumer.position([confluent_kafka.TopicPartition(topic, p) for p in left]):
                    if t.offset >= left[t.partition]:
                        del left[t.partition]
        finally:
            consumer.close()
        return sorted(found, key=lambda r: (r.partition, r.offset))

    def height(self, topic):
        """How many records were ever written to a topic of a broker that has seen no transactions."""
        import confluent_kafka
        consumer = self.client()
        try:
            for last in [False] * 30 + [True]:      # a topic that was made just now has no leader for a moment
                try:
                    found = consumer.list_topics("xsale." + topic, 15).topics["xsale." + topic]
                    return sum(consumer.get_watermark_offsets(confluent_kafka.TopicPartition("xsale." + topic, p), 15)[1] for p in found.partitions)
                except confluent_kafka.KafkaException:
                    if last:
                        raise
                    time.sleep(1)
        finally:
            consumer.close()

    def produce(self, topic, key, value, headers=None, partition=None):
        import confluent_kafka
        if self.writer is None:
            self.writer = confluent_kafka.Producer({"bootstrap.servers": self.kafka.bootstrap, "partitioner": "murmur2_random", "log_level": 0})
        p, failed = self.writer, []
        more = {} if partition is None else {"partition": partition}
        p.produce("xsale." + topic, value, key, headers=headers or [], on_delivery=lambda e, m: failed.append(e) if e else None, **more)
        check(p.flush(60) == 0 and not failed, lambda: f"produce: {failed}")

    def schema(self, number):
        import fastavro
        if number not in self.schemas:
            host, _, path = self.registry.url.removeprefix("http://").partition("/")
            status, _, body = call("http://" + host, "GET", (f"/{path}" if path else "") + f"/schemas/ids/{number}")
            equal(status, 200, f"schema {number} in the registry")
            self.schemas[number] = fastavro.parse_schema(json.loads(json.loads(body)["schema"]))
        return self.schemas[number]

    def decode(self, value):
        import fastavro
        if value is None:
            return None
        magic, number = struct.unpack(">bI", value[:5])
        equal(magic, 0, "magic byte")
        stream = io.BytesIO(value[5:])
        record = fastavro.schemaless_reader(stream, self.schema(number))
        equal(stream.read(), b"", "bytes behind the record")
        return record

    # --- the business

    def generate(self, count, first=100001, refused=(), **more):
        """count orders in NEW over MIXES in turn; the ERP knows nothing of the first article of those in `refused`."""
        self.erp.post("refuse", {"articles": [BAD_ARTICLE]})
        codes = {str(i): BAD_ARTICLE for i in refused}
        return self.xsale.post("generate", {"count": count, "first": first, "codes": codes, "warehouses": MIXES, **more})["ids"]

    @staticmethod
    def mix(number, first=100001):
        return MIXES[(number - first) % len(MIXES)]

    def statuses(self):
        return {o["id"]: o["statusName"] for o in self.xsale.get("orders")}

    def settled(self, seconds=120):
        """Until no order stands in the new status."""
        wait("every order left the new status", seconds, lambda: self.all_alive() and self.xsale.get("counts")[NEW] == 0, 0.2)

    def documents(self):
        """{(order, warehouse): documentId}, live ones; each name once by construction, so ids must be distinct."""
        rows = {(d["orderId"], d["warehouse"]): d["documentId"] for d in self.erp.get("documents") if d["documentId"] and not d["withdrawn"]}
        equal(len(set(rows.values())), len(rows), "distinct document ids")
        return rows

    def in_hand(self, order):
        """Has every warehouse of its mix begun to load it, and is one still at it?"""
        hands = {d["warehouse"] for d in self.erp.get("in_hand") if d["orderId"] == order}
        return bool(hands) and hands | {w for i, w in self.documents() if i == order} == set(self.mix(order))

    def edit(self, order):
        """An edit of an order that is being loaded. Its loads are held until the edit is published: one made between the last poll and the status counts
        as made after the import. What comes after it is fast."""
        published = lambda: self.producer.metrics().get('xsale_bridge_producer_published_total{cause="edit"}', 0)
        equal(self.statuses()[order], NEW, "status of the order before its edit")
        before = published()
        self.xsale.post(f"orders/{order}/edit", {"warehouses": self.mix(order)})
        wait("the edit is published", 30, lambda: published() > before, 0.05)
        self.erp.post("settings", {"slow": {}})

    def edits(self, order):
        return [d["edits"] for d in self.erp.get("documents") if d["orderId"] == order]

    def changes(self):
        """{order: [(status, by), ...]}"""
        found = collections.defaultdict(list)
        for c in self.xsale.get("changes"):
            found[c["id"]].append((c["toName"], c["by"]))
        return found

    def verify(self, ids, refused=(), changes=None, overlaps=False):
        """The end of a whole run: one document per order and warehouse, every status right, no status set twice. refused: ids whose first article (in
        the first warehouse of their mix) the ERP refuses. changes: {id: expected list} for those that a person touched."""
        refused, changes = set(refused), changes or {}
        wanted = {(i, w) for i in ids for n, w in enumerate(self.mix(i)) if not (i in refused and n == 0)}
        found = self.documents()
        check(set(found) == wanted, lambda: f"documents: missing {sorted(wanted - set(found))[:10]}, too many {sorted(set(found) - wanted)[:10]}")
        summary = self.erp.get("summary")
        equal(summary["created"], len(wanted), "documents ever created")
        bad = [v for v in summary["violations"] if not (overlaps and v["what"] == "two at a time")]
        equal(bad, [], "violations at the ERP")
        statuses = self.statuses()
        wrong = {i: statuses.get(i) for i in ids if statuses.get(i) != (MANUAL if i in refused else IMPORTED)}
        equal(wrong, {}, "orders with a wrong status")
        log = self.changes()
        wrong = {i: log[i] for i in ids if log[i] != changes.get(i, [(MANUAL if i in refused else IMPORTED, "api")])}
        equal(wrong, {}, "orders whose status went another way than expected")


def main(test, description, clusters=("mock", "real"), seeded=False, **more):
    """Runs test(stack), or test(stack, seed): a new seed, which is printed, unless it is given. Prints the tails of the logs when it fails."""
    p = argparse.ArgumentParser(description=description)
    p.add_argument("--build", default=os.path.join(ROOT, "build", "release"))
    p.add_argument("--cluster", default=clusters[0], choices=clusters)
    p.add_argument("--groups", default="classic", choices=GROUPS)
    if seeded:
        p.add_argument("--seed", type=int, default=random.SystemRandom().randrange(10 ** 9))
    args = p.parse_args()
    if seeded:
        print(f"--seed {args.seed}", flush=True)
    begin = time.monotonic()
    stack = Stack(args.cluster, args.build, groups=args.groups, **more)
    try:
        test(stack, args.seed) if seeded else test(stack)
    except Exception as e:
        stack.tails()
        if not isinstance(e, Failed):
            traceback.print_exc()
        print(f"FAILED after {time.monotonic() - begin:.1f} s: {e}", flush=True)
        stack.close()
        sys.exit(1)
    stack.close()
    print(f"ok in {time.monotonic() - begin:.1f} s", flush=True)
