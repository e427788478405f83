"""A team's own program in the place of erp-consumer: Python with Confluent's own serializers, its own schema, its own registry id and its client's own partitioner. Its
outcomes are taken like ours and joined with those of the other warehouse; what is malformed or foreign goes to the DLQ with a reason, and stops nobody. On a real Kafka
the team then writes its outcomes in Java, with Kafka's own client and Apache Avro."""
import json
import os
import struct
import subprocess
import time

import confluent_kafka
from confluent_kafka.schema_registry import SchemaRegistryClient
from confluent_kafka.schema_registry.avro import AvroDeserializer, AvroSerializer
from confluent_kafka.serialization import MessageField, SerializationContext

from harness import IMPORTED, MANUAL, NEW, ROOT, check, equal, main, services, wait

GROUP = "erp-mag-1"
# What the team cares about, in another order than ours, with a field of its own; the rest takes our defaults.
OUTCOME = {"type": "record", "name": "OrderOutcome", "namespace": "xsale", "fields": [
    {"name": "warehouse", "type": "string"},
    {"name": "orderId", "type": "long"},
    {"name": "organization", "type": "string"},
    {"name": "revision", "type": "string"},
    {"name": "publication", "type": {"type": "long", "logicalType": "timestamp-millis"}},
    {"name": "round", "type": ["null", {"type": "long", "logicalType": "timestamp-millis"}], "default": None},
    {"name": "warehouses", "type": {"type": "array", "items": "string"}},
    {"name": "result", "type": {"type": "enum", "name": "Result", "symbols": ["IMPORTED", "REJECTED", "SUPERSEDED", "WITHDRAWN"]}},
    {"name": "documentId", "type": ["null", "string"], "default": None},
    {"name": "reason", "type": ["null", "string"], "default": None},
    {"name": "at", "type": {"type": "long", "logicalType": "timestamp-millis"}},
    {"name": "clerk", "type": "string", "default": ""}]}
# The same in Java's manner: strings that say how Java holds them, a field of another name, and nothing of the clerk.
JAVA_STRING = {"type": "string", "avro.java.string": "String"}
OUTCOME_OF_JAVA = {**OUTCOME, "fields": [{**f, "type": JAVA_STRING} if f["type"] == "string" else f for f in reversed(OUTCOME["fields"]) if f["name"] != "clerk"] +
                   [{"name": "attempts", "type": "int", "default": 0}, {"name": "host", "type": ["null", JAVA_STRING], "default": None}]}


class Team:
    """Loads every order of MAG-1; one in five is refused, in several lines of Polish."""

    def __init__(self, s):
        registry = SchemaRegistryClient({"url": s.registry.url})
        self.decode = AvroDeserializer(registry)
        self.encode = AvroSerializer(registry, json.dumps(OUTCOME))
        self.consumer = confluent_kafka.Consumer({"bootstrap.servers": s.kafka.bootstrap, "group.id": GROUP, "auto.offset.reset": "earliest",
                                                  "enable.auto.commit": False, "log_level": 0})
        self.producer = confluent_kafka.Producer({"bootstrap.servers": s.kafka.bootstrap, "log_level": 0})      # its default partitioner is not Java's
        self.consumer.subscribe(["xsale.orders"])
        self.refused, self.loaded = set(), set()

    def outcome(self, order):
        refuse = order["orderId"] % 5 == 0
        (self.refused if refuse else self.loaded).add(order["orderId"])
        return {"organization": order["organization"], "orderId": order["orderId"], "revision": order["revision"],
                "publication": order["publication"], "round": order["round"], "warehouse": "MAG-1", "warehouses": order["warehouses"],
                "result": "REJECTED" if refuse else "IMPORTED", "documentId": None if refuse else f"FV/{order['orderId']}",
                "reason": "Błędny NIP:\r\n\tproszę poprawić\n" if refuse else None, "at": int(time.time() * 1000), "clerk": "Żaneta"}

    def tell(self, key, outcome):
        self.write(key, self.encode(outcome, SerializationContext("xsale.order-outcomes", MessageField.VALUE)))

    def write(self, key, value):
        self.producer.produce("xsale.order-outcomes", value, key)
        equal(self.producer.flush(15), 0, "outcomes not delivered")

    def work(self, orders):
        end = time.monotonic() + 60
        while len(self.refused | self.loaded) < orders:
            check(time.monotonic() < end, f"the team has seen {len(self.refused | self.loaded)} of {orders} orders")
            m = self.consumer.poll(0.2)
            if m is None or m.error():
                continue
            order = self.decode(m.value(), SerializationContext(m.topic(), MessageField.VALUE))
            if "MAG-1" in order["warehouses"]:
                self.tell(m.key(), self.outcome(order))
            self.consumer.commit(m, asynchronous=False)


class Java:
    """Writes outcomes; says where each came to stand."""

    def __init__(self, s):
        path = f"{services.kafka_home()}/*:{ROOT}/build/peers/java/*"
        command = ["java", "-Xmx256m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-Dfile.encoding=UTF-8", "-Dorg.slf4j.simpleLogger.defaultLogLevel=error", "-cp", path,
                   os.path.join(ROOT, "tests", "e2e", "OutcomeWriter.java")]
        self.process = subprocess.Popen([*command, s.kafka.bootstrap, s.registry.url, "xsale.order-outcomes", json.dumps(OUTCOME_OF_JAVA)],
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, encoding="utf-8", preexec_fn=services.die_with_parent)
        self.placed = {}

    def tell(self, key, outcome):
        outcome = {**{k: v for k, v in outcome.items() if k != "clerk"}, **{k: round(outcome[k].timestamp() * 1000) for k in ("publication", "round")}, "attempts": 2,
                   "host": "łódź-1"}
        self.process.stdin.write(json.dumps({"key": key.decode(), "outcome": outcome}) + "\n")
        self.process.stdin.flush()
        line = self.process.stdout.readline()
        check(line, "the Java program has ended: its words stand above")
        self.placed[outcome["orderId"]] = tuple(map(int, line.split()))

    def end(self):
        self.process.stdin.close()
        equal(self.process.wait(30), 0, "exit code of the Java program")


def in_java(s, team, before):
    java = Java(s)
    team.tell = java.tell
    ids = s.generate(12, first=500002)
    mine = {i for i in ids if "MAG-1" in s.mix(i, ids[0])}
    team.work(before + len(mine))
    java.end()
    s.settled(60)
    equal(set(java.placed), mine, "orders whose outcomes Java wrote")
    check(mine & team.refused and mine & team.loaded, "Java refuses and loads")
    equal({i: v for i, v in s.statuses().items() if i in mine and v != (MANUAL if i in team.refused else IMPORTED)}, {}, "orders of the Java team with a wrong status")
    rows = {r.value["orderId"]: r for r in s.records("order-status")}
    results = {i: next(r for r in rows[i].value["results"] if r["warehouse"] == "MAG-1") for i in mine}
    equal({(r["documentId"], r["reason"], r["attempts"]) for r in results.values()},
          {(None, "Błędny NIP: proszę poprawić", 2) if i in team.refused else (f"FV/{i}", None, 2) for i in mine}, "what Java said, in the ledger")
    equal({i: java.placed[i][0] for i in mine}, {i: rows[i].partition for i in mine}, "partitions by Java's partitioner and by ours")


def malformed(team, ours):
    """[(key, bytes, word of the reason)]; ours: an outcome's bytes, framed."""
    good = {"organization": "acme", "orderId": 900001, "revision": "0123456789abcdef", "publication": int(time.time() * 1000), "warehouse": "MAG-1",
            "warehouses": ["MAG-1"], "result": "IMPORTED", "at": 1}
    encode = lambda **more: team.encode({**good, **more}, SerializationContext("xsale.order-outcomes", MessageField.VALUE))
    return [("acme/900001", b"IMPORTED", "frame"),
            ("acme/900001", None, ""),
            ("acme/900001", ours[:5] + b"\xff" * 40, ""),
            ("acme/900001", encode()[:-3], ""),
            ("acme/900002", encode(), "different orders"),
            ("900001", encode(), "key"),
            ("acme/900001", encode(publication=int(time.time() * 1000000)), "beyond the year 9999"),
            ("acme/900001", encode(warehouse="A,B"), "warehouse"),
            ("acme/900001", encode(documentId="D" * 5000), "documentId"),
            ("acme/900001", struct.pack(">bI", 0, 987654) + b"whatever", "987654")]


def test(s):
    s.write_config(updater={"unknown_schema_after": "3s"}, warehouses={"known": "MAG-1,MAG-2"})
    s.programs.pop(s.consumers[0].name)
    ids = s.generate(30)
    s.start()
    team = Team(s)
    of_team = [i for i in ids if "MAG-1" in s.mix(i)]
    team.work(len(of_team))
    s.settled(60)
    equal({i: v for i, v in s.statuses().items() if v != (MANUAL if i in team.refused else IMPORTED)}, {}, "orders with a wrong status")
    equal({i: c for i, c in s.changes().items() if len(c) != 1}, {}, "orders whose status was set more than once")
    rows = {r.value["orderId"]: r.value for r in s.records("order-status")}
    refused = next(i for i in ids if i in team.refused)
    equal(next(r["reason"] for r in rows[refused]["results"] if r["warehouse"] == "MAG-1"), "Błędny NIP: proszę poprawić", "reason in the ledger")
    homes = {r.key: r.partition for r in s.records("order-status")}
    equal({r.key for r in s.records("order-outcomes") if r.value["warehouse"] == "MAG-1"
           and r.key not in {o.key for o in s.records("order-outcomes") if o.partition == homes[r.key]}}, set(), "outcomes that never came to their rows")

    bad = malformed(team, s.records("order-outcomes")[0].bytes)
    before = len(s.records("orders-dlq", decode=False))
    for key, value, _ in bad:
        team.write(key, value)
    later = s.generate(6, first=400002)
    seen = len(of_team) + sum("MAG-1" in s.mix(i, later[0]) for i in later)
    team.work(seen)
    s.settled(60)
    wait("every malformed outcome is in the DLQ", 60, lambda: len(s.records("orders-dlq", decode=False)) - before >= len(bad), 0.5)
    letters = [r for r in s.records("orders-dlq", decode=False) if r.headers["kind"] == b"outcome"]
    for key, value, word in bad:
        found = [r.headers["reason"].decode() for r in letters if r.key == key and r.bytes == (value if value is not None else r.bytes)]
        check(any(word in reason for reason in found), f"the DLQ does not say {word!r} of {key} {value!r}: {found}")
    equal(len(letters), len(bad), "outcomes in the DLQ")
    check(s.all_alive() and s.xsale.get("counts")[NEW] == 0, "everybody goes on")
    if s.cluster == "real":
        in_java(s, team, seen)
    wait("the updater is ready", 60, s.updater.ready)
    team.consumer.close()
    s.stop()


if __name__ == "__main__":
    main(test, __doc__)
