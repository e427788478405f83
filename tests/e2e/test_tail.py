"""order-replay tail: what it prints is what is on the topics, filtered as asked, and nothing personal without --json."""
import json
import os
import subprocess

from harness import check, equal, main, services, wait

PERSONAL = ("@example.pl", "+48 600")


def tail(s, *arguments):
    r = subprocess.run([os.path.join(s.build, "consumer/order-replay"), "tail", "-c", s.config_file, *arguments], stdin=subprocess.DEVNULL,
                       stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, encoding="utf-8", cwd=s.working, timeout=90)
    return r.returncode, r.stdout, r.stderr


def lines(s, *arguments):
    code, out, err = tail(s, *arguments)
    err = [x for x in err.splitlines() if "allow.auto.create" not in x]    # librdkafka's word about its own mock cluster
    equal((code, err), (0, []), f"order-replay tail {arguments}: code and errors")
    return out.split("\n")[:-1]        # a text may hold U+2028


def test(s):
    ids = s.generate(24, refused=[100003])
    s.start()
    s.settled()
    s.stop()
    for topic in ("orders", "order-state", "order-outcomes", "order-status", "orders-dlq"):
        wanted = s.records(topic) if topic != "orders-dlq" else s.records(topic, decode=False)
        found = [json.loads(x) for x in lines(s, "--topic", topic, "--from", "beginning", "--json")]
        equal(sorted((r["partition"], r["offset"], r["key"]) for r in found), sorted((r.partition, r.offset, r.key) for r in wanted), f"records of {topic}")
        check(all("fault" not in r for r in found), lambda: f"faults: {[r['fault'] for r in found if 'fault' in r]}")
        if topic == "order-outcomes":
            key = lambda v: (v["orderId"], v["warehouse"], v["result"], v["documentId"])
            equal(sorted(map(key, (r["value"] for r in found)), key=str), sorted(map(key, (r.value for r in wanted)), key=str), "outcomes")
    equal(len(lines(s, "--topic", "order-outcomes", "--result", "REJECTED")), 1, "rejected outcomes")
    one = lines(s, "--order", "100003")
    check(one and all(" acme/100003" in x for x in one), f"lines of one order: {one}")
    check(any("result=REJECTED" in x for x in one) and any(".orders-dlq[" in x for x in one), f"its rejection: {one}")
    equal(len(lines(s, "--topic", "orders", "--warehouse", "MAG-2")), sum("MAG-2" in s.mix(i) for i in ids), "orders of a warehouse")
    equal(len(lines(s, "--limit", "5")), 5, "lines with a limit")
    equal(lines(s, "--from", "end"), [], "lines from the end")
    everything = "\n".join(lines(s))
    check(not any(p in everything for p in PERSONAL), "personal data without --json")
    equal([tail(s, *a)[0] for a in (["--topic", "order"], ["--result", "NO"], ["--order", "x"], ["--from", "yesterday"], ["word"])], [2] * 5, "codes of wrong usage")

    path = os.path.join(s.directory, "follow.log")
    with open(path, "wb") as log:
        p = subprocess.Popen([os.path.join(s.build, "consumer/order-replay"), "tail", "-c", s.config_file, "--follow", "--from", "end", "--topic", "orders"],
                             stdin=subprocess.DEVNULL, stdout=log, cwd=s.working, preexec_fn=services.die_with_parent)

    def shown(*words):
        with open(path, encoding="utf-8") as f:
            text = f.read()
        return [text.count(w) for w in words]

    def follows():
        """What is written before it stands at the end is not new to it."""
        s.produce("orders", "acme/4", None)
        return shown("acme/4 null")[0] > 0
    wait("it follows", 60, follows, 0.5)
    for _ in range(3):
        s.produce("orders", "acme/5", b"garbage")
        s.produce("orders", "acme/6", None)
    wait("the new records are shown", 60, lambda: shown("acme/5 fault=", "acme/6 null") == [3, 3])
    p.terminate()
    equal(p.wait(20), 0, "code after SIGTERM")


if __name__ == "__main__":
    main(test, __doc__)
