"""The disk of the file sink is full: the consumer pauses and names the directory, rejects nothing, leaves no half-written document, and goes on by itself when there is room."""
import json
import os
import subprocess

from harness import IMPORTED, check, equal, main, wait


def dependency(p, name):
    body = p.http("/readyz")[1]
    return json.loads(body)["dependencies"].get(name, {}) if body else {}


class SmallDisk:
    """A memory file system of its own."""

    def __init__(self, directory, kib):
        self.directory = directory
        os.mkdir(directory)
        subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={kib}k,nr_inodes=2000", "bridge-test", directory], check=True)

    def close(self):
        subprocess.run(["umount", "-l", self.directory], check=True)


def documents(directory):
    """{name: content}, each of them whole; and nothing that is only a part, which is hidden while it is written."""
    found = {}
    for name in sorted(os.listdir(directory)):
        if name.endswith(".json"):
            with open(os.path.join(directory, name), encoding="utf-8") as f:
                found[name] = json.load(f)      # a half one is no JSON
    return found


def fill(directory):
    """Leaves no room at all."""
    with open(os.path.join(directory, "ballast"), "ab", buffering=0) as f:
        try:
            while f.write(bytes(4096)):
                pass
        except OSError:
            pass


def outcomes(s):
    return [r.value["result"] for r in s.records("order-outcomes")]


def full(s, consumer, directory):
    fill(directory)
    before = documents(directory)
    ids = s.generate(6, first=200001, warehouses=[["MAG-1"]])
    told = wait("the full disk to be told", 60, lambda: s.all_alive() and (d := dependency(consumer, "erp")).get("state") == "down" and d, 0.2)
    check(f"{directory}: no space left (No space left on device)" in told["error"], f"what /readyz says: {told}")
    wait("an order to be tried again and again", 60, lambda: consumer.alive() and tries(consumer) >= 3, 0.2)
    equal(documents(directory), before, "documents on a full disk")
    equal([n for n in os.listdir(directory) if n.endswith(".part")], [], "half-written files")
    equal(set(outcomes(s)), {"IMPORTED"}, "verdicts")
    return ids


def tries(consumer):
    return consumer.metrics().get('xsale_bridge_erp_tries_total{fate="pause"}', 0)


def test(s):
    directory = os.path.join(s.directory, "erp")
    s.part(SmallDisk(directory, 512))
    s.write_config(erp={"sink": "file"}, erp__file={"directory": directory})
    consumer = s.consumers[0]
    ids = s.generate(4, warehouses=[["MAG-1"]])
    s.start(s.producer, s.updater, consumer)
    s.settled(60)
    equal(len(documents(directory)), 4, "documents before the disk is full")
    ids += full(s, consumer, directory)
    os.unlink(os.path.join(directory, "ballast"))
    s.settled(60)
    wait("the consumer to be ready", 60, consumer.ready, 0.2)
    equal(sorted(d["orderId"] for d in documents(directory).values()), sorted(ids), "orders that have a document")
    equal({s.statuses()[i] for i in ids}, {IMPORTED}, "statuses")
    equal(sorted(outcomes(s)), ["IMPORTED"] * len(ids), "verdicts at the end")
    s.stop(s.producer, s.updater, consumer)


if __name__ == "__main__":
    main(test, __doc__, clusters=("mock",), warehouses=("MAG-1",))
