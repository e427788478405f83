"""erp-consumer loading from a real Kafka into an ERP that does nothing but take its time: seconds, CPU and memory, beside the ideal and beside what was measured for
other ways of doing the same. Usage: tests/bench/load [--orders N] [--waiting N] [--only a|b|d] [--build DIR]"""
import argparse
import collections
import json
import os
import random
import statistics
import subprocess
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "e2e"))
from harness import Failed, Stack, services, wait      # noqa: E402

PEERS = {1: "1,915 / 1,682 / 973", 5: "709 / 759 / 954", 50: "109 / 61 / 274"}
PAD = 0
ABOUT_PEERS = "Redpanda Connect (199-447 us) / Connect's HTTP sink (770-2,500 us) / Python, 16 threads (no order)"


class Erp:
    def __init__(self, build, low_us, high_us):
        self.process = subprocess.Popen([os.path.join(build, "tests/bench/bench-erp"), str(low_us), str(high_us)], stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE, text=True, preexec_fn=services.die_with_parent)
        self.url = f"http://127.0.0.1:{int(self.process.stdout.readline())}/orders"

    def seen(self):
        self.process.stdin.write("\n")
        self.process.stdin.flush()
        loads, ms, work, most, violations = self.process.stdout.readline().split()
        return {"loads": int(loads), "seconds": float(ms) / 1000, "work": float(work) / 1000, "most": int(most), "violations": int(violations)}

    def close(self):
        self.process.kill()
        self.process.wait()
        self.process.stdin.close()
        self.process.stdout.close()


def varint(n):
    n, out = n << 1, bytearray()
    while n > 0x7f:
        out.append(n & 0x7f | 0x80)
        n >>= 7
    out.append(n)
    return bytes(out)


class Orders:
    """Records like one that the producer made, under other ids: organization and order id stand first in the value."""

    def __init__(self, s):
        ids = s.xsale.post("generate", {"count": 1, "first": 100001, "warehouses": [["MAG-1"]], "pad": PAD})["ids"]
        code, text = s.producer.run("--once", "-X", "producer.raw=false")
        if code != 0:
            raise Failed(text)
        self.stack, self.record = s, s.records("orders")[0]
        organization = self.record.value["organization"].encode()
        self.head = self.record.bytes[:5] + varint(len(organization)) + organization
        self.tail = self.record.bytes[len(self.head) + len(varint(ids[0])):]
        assert self.record.bytes == self.head + varint(ids[0]) + self.tail

    def fill(self, numbers):
        """One record for each number; its publication is the same for all: nothing supersedes."""
        import confluent_kafka
        p = confluent_kafka.Producer({"bootstrap.servers": self.stack.kafka.bootstrap, "partitioner": "murmur2_random", "linger.ms": 50, "log_level": 0,
                                      "queue.buffering.max.messages": 200000, "batch.size": 900000, "compression.codec": "none"})
        headers = list(self.record.headers.items())
        for n in numbers:
            while True:
                try:
                    p.produce("xsale.orders", self.head + varint(n) + self.tail, f"acme/{n}", headers=headers)
                    break
                except BufferError:
                    p.poll(0.1)
            p.poll(0)
        if p.flush(120) != 0:
            raise Failed("records could not be produced")


def consume(s, erp, wanted, name, *settings, timeout=300):
    """A consumer with a group of its own from start to the last outcome: -> (what the ERP saw, CPU us an order, RSS and most RSS in MiB)."""
    c = s.program("erp-consumer", name, "-X", "consumer.group=" + name, "-X", "consumer.warehouse=MAG-1", "-X", "erp.http.url=" + erp.url, *settings)
    c.start()
    done = lambda: sum(v for k, v in c.metrics().items() if k.startswith("xsale_bridge_outcomes_total")) >= wanted
    wait(f"{wanted} outcomes", timeout, lambda: c.alive() and done(), 0.2)
    cpu, rss, most = c.usage()
    c.stop()
    seen = erp.seen()
    if seen["violations"] or seen["loads"] < wanted:
        raise Failed(f"{name}: the ERP saw {seen}")
    return seen, cpu / wanted * 1e6, rss / 2 ** 20, most / 2 ** 20


def few_keys(s, orders, build):
    """(a): 10,000 records of 20 keys, 0 to 5 ms each."""
    numbers = [200000 + i % 20 for i in range(10000)]
    random.Random(1).shuffle(numbers)
    orders.fill(numbers)
    rows = []
    for concurrency in (1, 20, 256):
        wanted = 10001 if concurrency > 1 else 1000
        erp = Erp(build, 0, 5000)
        c = s.program("erp-consumer", f"a-{concurrency}", "-X", f"consumer.group=a-{concurrency}", "-X", f"consumer.concurrency={concurrency}",
                      "-X", "consumer.warehouse=MAG-1", "-X", "erp.http.url=" + erp.url).start()
        wait("the loads", 300, lambda: c.alive() and erp.seen()["loads"] >= wanted, 0.1)
        seen = erp.seen()
        c.stop()
        erp.close()
        per = collections.Counter(numbers).most_common(1)[0][1]
        ideal = seen["work"] / seen["loads"] * 10001 / min(concurrency, 20)
        seconds = seen["seconds"] * 10001 / seen["loads"]
        rows.append((concurrency, seconds, ideal))
        print(f"(a) 10,000 records, 20 keys (at most {per} of one), 0-5 ms, {concurrency} in flight: {seconds:.2f} s"
              f"{' (from the first 1,000)' if wanted == 1000 else ''}, work / parallelism {ideal:.2f} s", flush=True)
    return rows


def latencies(s, n, cases, build):
    print(f"\n(b) {n} records of as many orders in order per key, outcome events written. CPU of the consumer alone")
    print(f"| ERP ms | in flight | orders/s | ideal | of it | CPU us/order | CPU busy | RSS MiB | most | peers: {ABOUT_PEERS} |")
    print("|---|---|---|---|---|---|---|---|---|---|")
    for case in cases.split(","):
        ms, concurrency = map(int, case.split(":"))
        erp = Erp(build, ms * 1000, ms * 1000)
        seen, cpu, rss, most = consume(s, erp, n, f"b-{ms}-{concurrency}", "-X", f"consumer.concurrency={concurrency}")
        erp.close()
        rate, ideal = seen["loads"] / seen["seconds"], concurrency / (ms / 1000)
        print(f"| {ms} | {concurrency} | {rate:,.0f} | {ideal:,.0f} | {rate / ideal:.0%} | {cpu:.0f} | {cpu * rate / 1e6:.0%} | {rss:.1f} | {most:.1f} | {PEERS.get(ms, '')} | {seen['most']}", flush=True)


def waiting(s, orders, n, build):
    """(d): the ERP is down while n records wait."""
    begin = time.monotonic()
    orders.fill(range(10_000_000, 10_000_000 + n))
    print(f"\n(d) {n} records more written in {time.monotonic() - begin:.0f} s; the ERP is down", flush=True)
    c = s.program("erp-consumer", "d", "-X", "consumer.group=d", "-X", "consumer.warehouse=MAG-1", "-X", "erp.http.url=http://127.0.0.1:1/orders").start()
    wait("the look-ahead", 120, lambda: c.alive() and "looked ahead to the end" in open(c.log, encoding="utf-8").read())
    wait("the ERP is down", 60, lambda: c.dependencies().get("erp") == "down")
    time.sleep(5)
    cpu, rss, most = c.usage()
    line = next(x for x in open(c.log, encoding="utf-8") if "looked ahead to the end" in x)
    found = dict(x.split("=") for x in line.split() if "=" in x)
    print(f"(d) memory while they wait: {rss / 2 ** 20:.1f} MiB, most {most / 2 ** 20:.1f} MiB (goal: < 64 MB = 61.0 MiB); look-ahead: {found['records']} records in "
          f"{int(found['ms']) / 1000:.1f} s, {int(found['records']) / int(found['ms']) * 1000:,.0f} records/s (goal: 200,000), "
          f"{cpu / int(found['records']) * 1e6:.1f} us of CPU a record, everything else of the process included", flush=True)
    c.stop()


def main():
    p = argparse.ArgumentParser(description=__doc__)
    p.add_argument("--orders", type=int, default=30000)
    p.add_argument("--waiting", type=int, default=1000000)
    p.add_argument("--only", default="abd")
    p.add_argument("--cases", default="1:32,1:256,5:32,5:256,50:32,50:256", help="of (b): ERP milliseconds : in flight, ...")
    p.add_argument("--build")
    args = p.parse_args()
    for part in args.only:      # each on a broker of its own: a group starts with everything that is there
        s = Stack("real", args.build, warehouses=())
        try:
            s.settings["warehouses"]["known"] = "MAG-1"
            s.write_config()
            orders = Orders(s)
            print(f"\nA record: {len(orders.record.bytes)} bytes of Avro")
            if part == "a":
                few_keys(s, orders, s.build)
            elif part == "b":
                orders.fill(range(300000, 300000 + args.orders))
                latencies(s, args.orders + 1, args.cases, s.build)
            else:
                waiting(s, orders, args.waiting, s.build)
        finally:
            s.close()


if __name__ == "__main__":
    main()
