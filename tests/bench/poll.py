"""What polls cost on a real Kafka and registry: everything new beside a Python script and librdkafka alone, nothing new, growth, an outage of xSale in the middle, and the first
start with a long ledger. CPU is that of the program alone. Usage: tests/bench/poll [--orders N] [--ledger N] [--build DIR] [new|unchanged|outage|ledger ...]"""
import argparse
import io
import json
import os
import subprocess
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "e2e"))
from harness import ROOT, Stack, wait      # noqa: E402

LIST = "GET /acme/orders$"


def say(what, value, goal=""):
    print(f"{what:66} {value:>26}   {goal}".rstrip(), flush=True)


def stack(args, count):
    s = Stack("real", args.build, warehouses=())
    s.write_config(log={"level": "warn"}, producer={"poll_interval": "200ms"}, xsale={"retry_max": "1s"})
    for first in range(0, count, 1800):
        s.generate(min(1800, count - first), first=100001 + first, pad=4700)
    return s


def polls(p):
    return p.metrics().get("xsale_bridge_producer_polls_total", 0)


def first_poll(s):
    """Starts, and gives the orders only then: -> (CPU seconds, seconds, most resident bytes, resident bytes before) of the first poll."""
    s.xsale.fault("status", LIST)
    p = s.producer.start()
    wait("it asks", 60, lambda: p.alive() and s.xsale.get("faults")[0]["taken"] > 0)
    before, begin = p.usage(), time.monotonic()
    s.xsale.clear_faults()
    wait("a complete poll", 900, lambda: p.alive() and polls(p) >= 1, 0.1)
    after = p.usage()
    return after[0] - before[0], time.monotonic() - begin, after[2], before[1]


def new(args):
    s = stack(args, args.orders)
    try:
        cpu, seconds, most, base = first_poll(s)
        n = args.orders
        s.producer.stop()
        sizes = [len(r.bytes) for r in s.records("orders", decode=False)]
        say(f"everything new, {n} orders: CPU an order", f"{cpu / n * 1e6:.1f} us", "goal 20 us")
        say("  a second (the simulator sets the limit) / a core", f"{n / seconds:,.0f} / {n / cpu:,.0f}")
        say("  most resident (before)", f"{most / 1e6:.1f} MB ({base / 1e6:.1f})", "goal 30 MB")
        peer = [sys.executable, os.path.join(ROOT, "tests", "bench", "peer_poll.py"), s.xsale.url, s.kafka.bootstrap, os.path.join(ROOT, "schemas", "Order.avsc"),
                "xsale.orders"]
        found = json.loads(subprocess.run(peer, stdout=subprocess.PIPE, text=True, check=True).stdout)
        say(f"  Python script, {found['orders']} orders: CPU an order, most resident", f"{found['cpu'] / found['orders'] * 1e6:.1f} us, {found['most'] / 1e6:.1f} MB")
        alone = [os.path.join(s.build, "tests/bench/bench-publish"), s.kafka.bootstrap, "xsale.orders", "xsale.order-state", str(n)]
        cpu, most = subprocess.run(alone, stdout=subprocess.PIPE, text=True, check=True).stdout.split()
        say(f"  librdkafka alone, the same records ({sum(sizes) // len(sizes)} bytes) and notes: CPU an order", f"{float(cpu) / n * 1e6:.1f} us")
    finally:
        s.close()


def unchanged(args):
    for count in sorted({1000, 10000, args.orders}):
        s = stack(args, count)
        try:
            first_poll(s)
            p = s.producer
            wait("a quiet poll", 300, lambda: polls(p) >= 2, 0.1)
            cpu, done = p.usage()[0], polls(p)
            wait("quiet polls", 600, lambda: polls(p) >= done + 3, 0.1)
            each = (p.usage()[0] - cpu) / (polls(p) - done)
            held = p.metrics()["xsale_bridge_producer_book_bytes"]
            say(f"nothing new, {count} open orders: CPU of a poll", f"{each:.3f} s", "goal 1 s for 10,000")
            say("  memory of an open order; resident", f"{held / count:.0f} bytes; {p.usage()[1] / 1e6:.1f} MB", "goal 160 bytes")
            s.producer.stop()
        finally:
            s.close()


def outage(args):
    s = stack(args, args.orders)
    try:
        p = s.producer.start()
        wait("it publishes", 60, lambda: p.alive() and p.published() > args.orders // 10, 0.02)
        s.xsale.fault("status", LIST, status=503)
        time.sleep(20)
        s.xsale.clear_faults()
        wait("a complete poll", 900, lambda: p.alive() and polls(p) >= 1, 0.2)
        keys = [r.key for r in s.records("orders", decode=False)]
        say(f"503 for 20 s in the middle of {args.orders} orders: missing / doubled", f"{args.orders - len(set(keys))} / {len(keys) - len(set(keys))}", "goal 0 / 0")
        s.producer.stop()
    finally:
        s.close()


def ledger(args):
    import fastavro
    for count in sorted({args.ledger // 10, args.ledger}):
        s = stack(args, 1)
        try:
            first_poll(s)       # topics and schemas
            s.producer.stop()
            with open(os.path.join(ROOT, "schemas", "OrderStatus.avsc"), encoding="utf-8") as f:
                text = f.read()
            from confluent_kafka.schema_registry import Schema, SchemaRegistryClient
            number = SchemaRegistryClient({"url": s.registry.url}).register_schema("xsale.order-status-value", Schema(text, "AVRO"))
            schema, now = fastavro.parse_schema(json.loads(text)), int(time.time() * 1000)
            import confluent_kafka
            w = confluent_kafka.Producer({"bootstrap.servers": s.kafka.bootstrap, "partitioner": "murmur2_random", "linger.ms": 20})
            for i in range(count):
                out = io.BytesIO()
                out.write(b"\0" + number.to_bytes(4, "big"))
                fastavro.schemaless_writer(out, schema, {"organization": "acme", "orderId": 1000000 + i, "revision": "0" * 16, "publication": now, "round": now,
                                                         "warehouses": ["MAG-1"], "results": [], "wanted": "IMPORTED", "statusSet": "IMPORTED", "closed": True, "complete": True})
                while True:
                    try:
                        w.produce("xsale.order-status", out.getvalue(), f"acme/{1000000 + i}")
                        break
                    except BufferError:
                        w.poll(0.1)
            w.flush()
            for what, goal in ((f"first start with {count} ledger rows: to the first complete poll", "goal 5 s, no growth"), ("  and the next start", "")):
                begin = time.monotonic()
                p = s.producer.start()
                wait("a complete poll", 300, lambda: p.alive() and polls(p) >= 1, 0.05)
                cpu, now, most = p.usage()
                say(what, f"{time.monotonic() - begin:.1f} s, {cpu:.1f} s of CPU", goal)
                say("  resident, at most", f"{now / 1e6:.1f} MB, {most / 1e6:.1f} MB")
                p.stop()
        finally:
            s.close()


def main():
    parts = {"new": new, "unchanged": unchanged, "outage": outage, "ledger": ledger}
    p = argparse.ArgumentParser(description=__doc__)
    p.add_argument("--orders", type=int, default=50000)
    p.add_argument("--ledger", type=int, default=1000000)
    p.add_argument("--build")
    p.add_argument("parts", nargs="*", default=list(parts), metavar="PART", help=", ".join(parts))
    args = p.parse_args()
    for name in args.parts:
        parts[name](args)


if __name__ == "__main__":
    main()
