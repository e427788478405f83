"""An ERP restored from a backup: order-replay rewind sets the group of one warehouse back, its orders are loaded again and no other's; no document is doubled, no
status changes. While the group has members it refuses, also when one comes between the question and the answer; without anybody to ask it changes nothing. Killed
while it commits, it leaves the old offsets or the new ones, and the same command again does the rest."""
import json
import os
import pty
import subprocess
import time

from harness import check, equal, main, wait


def replay(s, *arguments):
    r = subprocess.run([os.path.join(s.build, "consumer/order-replay"), "rewind", "-c", s.config_file, *arguments], stdin=subprocess.DEVNULL,
                       stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, encoding="utf-8", cwd=s.working, timeout=90)
    return r.returncode, r.stdout, r.stderr


def committed(s, group):
    import confluent_kafka
    c = confluent_kafka.Consumer({"bootstrap.servers": s.kafka.bootstrap, "group.id": group})
    found = c.committed([confluent_kafka.TopicPartition("xsale.orders", p) for p in range(6)], 20)
    c.close()
    return {t.partition: t.offset for t in found}


def answered(s, answer, *arguments):
    """As somebody at a terminal would: the question appears, the answer is typed."""
    master, slave = pty.openpty()
    p = subprocess.Popen([os.path.join(s.build, "consumer/order-replay"), "rewind", "-c", s.config_file, *arguments], stdin=slave, stdout=subprocess.PIPE,
                         stderr=slave, text=True, encoding="utf-8", cwd=s.working)
    os.close(slave)
    seen = b""
    while b"[y/N]" not in seen:
        seen += os.read(master, 1000)
    os.write(master, answer.encode() + b"\n")
    out = p.communicate(timeout=60)[0]
    os.close(master)
    return p.returncode, out


def asked(s, *arguments):
    """A rewind that waits for the answer: -> (process, its terminal)."""
    master, slave = pty.openpty()
    p = subprocess.Popen([os.path.join(s.build, "consumer/order-replay"), "rewind", "-c", s.config_file, *arguments], stdin=slave, stdout=subprocess.PIPE,
                         stderr=slave, text=True, encoding="utf-8", cwd=s.working)
    os.close(slave)
    seen = b""
    while b"[y/N]" not in seen:
        seen += os.read(master, 1000)
    return p, master


def joined_meanwhile(s, consumer, group):
    """A consumer starts between the look and the answer."""
    at = committed(s, group)
    p, terminal = asked(s, "--warehouse", "MAG-1", "--to", "beginning")
    consumer.start()
    wait("the consumer is in its group", 60, lambda: consumer.dependencies().get("kafka-group") == "up" and consumer.ready())
    equal(replay(s, "--warehouse", "MAG-1", "--to", "beginning", "--yes")[0], 1, "code while it is there")
    os.write(terminal, b"y\n")
    words = b""
    try:
        while True:
            words += os.read(terminal, 1000)
    except OSError:     # its end
        pass
    p.communicate(timeout=60)
    os.close(terminal)
    equal(p.returncode, 1, "code with a member that came meanwhile")
    check(b"has members again, so nothing was changed" in words, f"it says {words}")
    s.stop(consumer)
    equal(committed(s, group), at, "offsets when a member came meanwhile")


def killed_while_it_commits(s, group):
    """Kills before, in and after the commit: all offsets are the old ones or all are the new ones."""
    wait("the group is empty", 60, lambda: replay(s, "--warehouse", "MAG-1", "--to", "end", "--yes")[0] == 0)
    old = committed(s, group)
    new = {p["partition"]: p["new"] for p in json.loads(replay(s, "--warehouse", "MAG-1", "--to", "beginning", "--dry-run", "--json")[1])["partitions"]}
    check(old != new, "a rewind that changes something")
    for pause in (0, 0.002, 0.005, 0.01, 0.03, 0.1):
        p, terminal = asked(s, "--warehouse", "MAG-1", "--to", "beginning")
        os.write(terminal, b"y\n")
        time.sleep(pause)
        p.kill()
        p.communicate()
        os.close(terminal)
        found = committed(s, group)
        check(found in (old, new), lambda: f"offsets after a kill: {found}, neither {old} nor {new}")
        if found == new:
            equal(replay(s, "--warehouse", "MAG-1", "--to", "end", "--yes")[0], 0, "code of going back to the end")
    equal(replay(s, "--warehouse", "MAG-1", "--to", "beginning", "--yes")[0], 0, "code of the command after the kills")
    equal(committed(s, group), new, "offsets after it")


def test(s):
    before = s.generate(30)
    s.start()
    s.settled()
    time.sleep(1.1)     # a moment between the two halves that a broker's clock tells apart
    since = int(time.time() * 1000)
    moment = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(since // 1000))
    after = s.generate(30, first=100031)
    s.settled()
    ids = before + after
    s.verify(ids)
    one, two = s.consumers
    group = "xsale-erp-MAG-1"

    code, out, err = replay(s, "--warehouse", "MAG-1", "--to", moment, "--yes")
    equal(code, 1, "code while the group has members")
    check("1 members" in err and "Stop its erp-consumers" in err, f"it says {err}")
    s.stop(one)
    wait("the group is empty", 60, lambda: replay(s, "--warehouse", "MAG-1", "--to", "beginning", "--dry-run")[0] == 0)

    at = committed(s, group)
    ours = [i for i in after if "MAG-1" in s.mix(i, 100031)]
    code, out, err = replay(s, "--warehouse", "MAG-1", "--to", moment, "--dry-run", "--json")
    equal(code, 0, f"code of --dry-run, which says {err}")
    plan = json.loads(out)
    equal((plan["done"], plan["again"]["records"], plan["again"]["orders"], plan["skipped"]["records"]), (False, len(ours), len(ours), 0), "the plan")
    equal({p["partition"]: p["committed"] for p in plan["partitions"]}, at, "what the plan calls committed")
    equal({w["warehouse"]: w["records"] for w in plan["again"]["warehouses"]}, {w: sum(w in s.mix(i, 100031) for i in ours) for w in ("MAG-1", "MAG-2")}, "records a warehouse")
    check(int(plan["again"]["first"]["order"].partition("/")[2]) in ours and plan["skipped"]["first"] is None, f"first and last: {plan['again']}, {plan['skipped']}")
    code, out, err = replay(s, "--warehouse", "MAG-1", "--to", moment)
    equal(code, 2, "code without anybody to ask")
    check("--yes" in err, f"it says {err}")
    code, out = answered(s, "n", "--warehouse", "MAG-1", "--to", moment)
    equal(code, 1, "code after no")
    equal(committed(s, group), at, "offsets, still")

    lost = s.erp.post("restore", {"since": since})["lost"]
    check(lost >= len(ours), f"the backup lacks {lost} documents")
    code, out = answered(s, "y", "--warehouse", "MAG-1", "--to", moment)
    equal(code, 0, f"code after yes; it says {out}")
    check(f"to be loaded again: {len(ours)} records of {len(ours)} orders" in out and "done: group xsale-erp-MAG-1" in out, f"it says {out}")
    equal(committed(s, group), {p["partition"]: p["new"] for p in plan["partitions"]}, "offsets")
    wanted = {(i, "MAG-1") for i in ours}
    one.start()
    wait("the lost documents are there again", 60, lambda: wanted <= set(s.documents()))
    changes = s.changes()
    s.stop(two)
    equal(replay(s, "--warehouse", "MAG-2", "--to", "beginning", "--yes", "--wait")[0], 0, "code for the other warehouse")
    two.start()
    everything = {(i, w) for i in ids for w in s.mix(i, 100001 if i in before else 100031)}
    wait("the other warehouse's too", 60, lambda: everything == set(s.documents()))
    equal(s.erp.get("summary")["violations"], [], "violations at the ERP")
    equal(s.changes(), changes, "status changes")

    s.stop(one)
    joined_meanwhile(s, one, group)
    killed_while_it_commits(s, group)
    one.start()
    wait("everything was loaded once more", 60, lambda: committed(s, group) == {p: o for p, o in at.items()} and everything == set(s.documents()))
    equal((s.erp.get("summary")["violations"], s.changes()), ([], changes), "violations and status changes after that")
    s.stop(one)
    code, out, err = replay(s, "--warehouse", "MAG-1", "--to", "offset:0", "--partition", "3", "--dry-run", "--json", "--wait")
    moved = [p["partition"] for p in json.loads(out)["partitions"] if p["new"] != p["committed"]]
    check(moved in ([3], []), f"partitions moved by --partition 3: {moved}")
    code, out, err = replay(s, "--warehouse", "MAG-9", "--to", "beginning", "--dry-run")
    check(code == 1 and "there is no group xsale-erp-MAG-9" in err, f"an unknown warehouse: {code}, {err}")
    for wrong in (["--to", "3h"], ["--warehouse", "MAG-1"], ["--warehouse", "MAG-1", "--to", "soon"], ["--warehouse", "MAG-1", "--to", "offset:5"],
                  ["--warehouse", "MAG-1", "--to", "3h", "--partition", "x"], ["--group", "", "--to", "3h"], ["--warehouse", "MAG-1", "--to", "3h", "--partition", "99", "--wait"]):
        equal(replay(s, *wrong)[0], 2, f"code of {wrong}")
    s.stop()


if __name__ == "__main__":
    main(test, __doc__, clusters=("real",))
