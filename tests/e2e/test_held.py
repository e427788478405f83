"""Records that cannot be read, or not yet: an id that the registry gives to another schema holds its order and no other, garbage of unknown ids does not stop the intake,
and a key larger than any dead letter pins nothing."""
import struct

import confluent_kafka

from harness import IMPORTED, check, equal, main, wait


def gauge(p, name):
    return sum(v for k, v in p.metrics().items() if name in k)


def test(s):
    s.write_config(consumer={"queue_records": 400})
    ids = s.generate(6)
    s.start()
    s.settled()
    one = s.consumers[0]
    order = next(r for r in s.records("orders") if "MAG-1" in r.headers["warehouses"].decode())
    outcome = next(r for r in s.records("order-outcomes") if r.value["warehouse"] == "MAG-1")
    framed = struct.pack(">bI", 0, struct.unpack(">I", outcome.bytes[1:5])[0]) + order.bytes[5:]
    headers = {**order.headers, "publication": str(int(order.headers["publication"]) + 5).encode(), "warehouses": b"MAG-1"}
    s.produce("orders", order.key, framed, list(headers.items()), partition=0)
    wait("the order is held", 60, lambda: one.dependencies().get("schema") == "down")
    wait("one order waits for its schema", 60, lambda: gauge(one, "waiting_for_schema") == 1)

    plain = [("publication", b"1700000000000"), ("revision", b"0123456789abcdef"), ("warehouses", b"MAG-1")]
    for i in range(500):
        s.produce("orders", f"acme/{500000 + i}", struct.pack(">bI", 0, 1000000 + i * 7919) + b"junkjunk", plain, partition=i % 6)
    s.writer = confluent_kafka.Producer({"bootstrap.servers": s.kafka.bootstrap, "message.max.bytes": 1040000})
    s.produce("orders", "k" * 999900, b"x", [], partition=1)
    more = s.generate(12, first=200002)
    wait("the orders behind all that are imported", 120, lambda: s.all_alive() and {s.statuses()[i] for i in more} == {IMPORTED}, 0.3)
    letters = wait("the huge key is in the DLQ", 60, lambda: (rows := s.records("orders-dlq", decode=False)) and rows
                   if any(r.key.startswith("?") and r.headers.get("omitted-key") == b"999900" for r in s.records("orders-dlq", decode=False)) else None, 0.3)
    check(not any(r.headers.get("source-offset") == b"" for r in letters), "each letter says where it is from")
    rejected = [r.value for r in s.records("order-outcomes") if r.value["result"] == "REJECTED" and r.value["orderId"] in ids]
    equal(rejected, [], "orders rejected for the registry's trouble")
    wait("no more garbage is held than may be", 60, lambda: gauge(one, "waiting_for_schema") <= 101)
    s.stop()


if __name__ == "__main__":
    main(test, __doc__, clusters=("mock",))
