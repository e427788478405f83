"""Kafka's disk is full: the broker stops itself. The programs stay, say that Kafka is away, and go on by themselves when there is room and the broker runs again: every order is loaded once
and every status set once."""
import json
import os
import subprocess

from harness import check, main, services, wait
from test_full_disk import SmallDisk, fill


def kafka_troubles(p):
    """{name: error} of what /readyz says of Kafka."""
    body = p.http("/readyz")[1]
    found = json.loads(body)["dependencies"] if body else {}
    return {n: d.get("error", "") for n, d in found.items() if n.startswith("kafka-") and d["state"] == "down"}


def broker_on(s, directory):
    s.part(SmallDisk(directory, 64 * 1024))
    s.kafka = s.part(services.Kafka(more={"log.dirs": os.path.join(directory, "data")}))
    s.start_registry()
    s.write_config(kafka={"bootstrap.servers": s.kafka.bootstrap}, registry={"url": s.registry.url})


def ended(s):
    s.all_alive()
    return s.kafka.process.poll() is not None


def test(s):
    directory = os.path.join(s.directory, "broker")
    broker_on(s, directory)
    ids = s.generate(30)
    s.start()
    s.settled(120)
    s.erp.post("settings", {"latency": 0.05})
    fill(directory)
    ids += s.generate(60, first=100031)
    wait("the broker to stop itself", 120, lambda: ended(s), 0.3)
    with open(s.kafka.log, encoding="utf-8", errors="replace") as f:
        check("No space left on device" in f.read(), "the broker ended for another reason")
    for p in s.programs.values():
        told = wait(f"{p.name} to say that Kafka is away", 90, lambda: s.all_alive() and kafka_troubles(p), 0.3)
        check(all(told.values()), f"{p.name} does not say why: {told}")
    os.unlink(os.path.join(directory, "ballast"))
    s.kafka.restart()
    s.settled(180)
    for p in s.programs.values():
        wait(f"{p.name} to be ready", 90, p.ready, 0.3)
    s.verify(ids, overlaps=True)        # who lost its partition loads once more what it does not know to be finished
    keys = [r.headers["publication"] for r in s.records("orders", decode=False)]
    check(len({r.key for r in s.records("orders", decode=False)}) == len(ids) and len(keys) >= len(ids), "orders that are on the topic")
    s.stop()


if __name__ == "__main__":
    main(test, __doc__, clusters=("real",), start=False)
