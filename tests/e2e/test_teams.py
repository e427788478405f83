"""A team's own program in the place of erp-consumer: Python with Confluent's own serializers, its own schema, its own registry id and its client's own partitioner. Its
outcomes are taken like ours and joined with those of the other warehouse; what is malformed or foreign goes to the DLQ with a reason, and stops nobody."""
import json
import struct
import time

import confluent_kafka
from confluent_kafka.schema_registry import SchemaRegistryClient
from confluent_kafka.schema_registry.avro import AvroDeserializer, AvroSerializer
from confluent_kafka.serialization import MessageField, SerializationContext

from harness import IMPORTED, MANUAL, NEW, check, equal, main, wait

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
                value = self.encode(self.outcome(order), SerializationContext("xsale.order-outcomes", MessageField.VALUE))
                self.write(m.key(), value)
            self.consumer.commit(m, asynchronous=False)


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
            ("acme/900001", encode(publication=int(time.time() * 1000000)), "milliseconds"),
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
    team.work(len(of_team) + sum("MAG-1" in s.mix(i) for i in later))
    s.settled(60)
    wait("every malformed outcome is in the DLQ", 60, lambda: len(s.records("orders-dlq", decode=False)) - before >= len(bad), 0.5)
    letters = [r for r in s.records("orders-dlq", decode=False) if r.headers["kind"] == b"outcome"]
    for key, value, word in bad:
        found = [r.headers["reason"].decode() for r in letters if r.key == key and r.bytes == (value if value is not None else r.bytes)]
        check(any(word in reason for reason in found), f"the DLQ does not say {word!r} of {key} {value!r}: {found}")
    equal(len(letters), len(bad), "outcomes in the DLQ")
    check(s.all_alive() and s.xsale.get("counts")[NEW] == 0, "everybody goes on")
    wait("the updater is ready", 20, s.updater.ready)
    team.consumer.close()
    s.stop()


if __name__ == "__main__":
    main(test, __doc__)
