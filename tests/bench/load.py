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
from avro_bytes import varint      # noqa: E402
from harness import Failed, Stack, services, wait      # noqa: E402

PEERS = {1: "1,915 / 1,682 / 973", 5: "709 / 759 / 954", 50: "109 / 61 / 274"}
PAD = 0
WARM_UP = 3
ABOUT_PEERS = "Redpanda Connect (199-447 us) / Connect's HTTP sink (770-2,500 us) / Python, 16 threads (no order)"


def cpu_of(pid, thread=None):
    """CPU seconds of a process, or of one of its threads."""
    with open(f"/proc/{pid}/stat" if thread is None else f"/proc/{pid}/task/{thread}/stat", encoding="ascii") as f:
        fields = f.read().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


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


class Costs:
    """CPU microseconds an order: of the consumer, of its loop's thread, and of everything that the way of an order needs on this machine."""

    def __init__(self, s, erp, consumer):
        self.others, self.consumer = (s.kafka.process.pid, erp.process.pid), consumer.process.pid
        self.before = sum(map(cpu_of, self.others))

    def take(self, wanted):
        us = lambda seconds: seconds / wanted * 1e6
        self.own, self.loop = us(cpu_of(self.consumer)), us(cpu_of(self.consumer, self.consumer))
        self.all = self.own + us(sum(map(cpu_of, self.others)) - self.before)

    def limit(self):
        """Orders a second that the CPU allows: the loop has one core at the most, and all share the machine's."""
        return min(1e6 / self.loop, len(os.sched_getaffinity(0)) * 1e6 / self.all)


def consume(s, erp, wanted, name, *settings, timeout=300):
    """A consumer with a group of its own from start to the last outcome: -> (what the ERP saw, Costs, RSS and most RSS in MiB)."""
    c = s.program("erp-consumer", name, "-X", "consumer.group=" + name, "-X", "consumer.warehouse=MAG-1", "-X", "erp.http.url=" + erp.url, *settings)
    c.start()
    costs = Costs(s, erp, c)
    done = lambda: sum(v for k, v in c.metrics().items() if k.startswith("xsale_bridge_outcomes_total")) >= wanted
    wait(f"{wanted} outcomes", timeout, lambda: c.alive() and done(), 0.2)
    costs.take(wanted)
    _, rss, most = c.usage()
    c.stop()
    seen = erp.seen()
    if seen["violations"] or seen["loads"] < wanted:
        raise Failed(f"{name}: the ERP saw {seen}")
    return seen, costs, rss / 2 ** 20, most / 2 ** 20


def by_keys(s, orders, build, keys, concurrencies):
    """(a): 10,000 records of so many keys, 0 to 5 ms each. The broker has served uncounted passes before: a few seconds old it still compiles itself, and it is its CPU that would be measured."""
    numbers = [200000 + i % keys for i in range(10000)]
    random.Random(1).shuffle(numbers)
    orders.fill(numbers)
    for i, concurrency in enumerate(WARM_UP * [256] + list(concurrencies)):
        wanted = 10001 if concurrency > 1 else 1000
        erp = Erp(build, 0, 5000)
        name = f"a-{i}"
        c = s.program("erp-consumer", name, "-X", "consumer.group=" + name, "-X", f"consumer.concurrency={concurrency}",
                      "-X", "consumer.warehouse=MAG-1", "-X", "erp.http.url=" + erp.url).start()
        costs = Costs(s, erp, c)
        wait("the loads", 300, lambda: c.alive() and erp.seen()["loads"] >= wanted, 0.1)
        seen = erp.seen()
        costs.take(seen["loads"])
        c.stop()
        erp.close()
        per = collections.Counter(numbers).most_common(1)[0][1]
        ideal = seen["work"] / seen["loads"] * 10001 / min(concurrency, keys)
        seconds = seen["seconds"] * 10001 / seen["loads"]
        if i >= WARM_UP:
            print(f"(a) 10,000 records, {keys:,} keys (at most {per} of one), 0-5 ms, {concurrency} in flight: {seconds:.2f} s"
                  f"{' (from the first 1,000)' if wanted == 1000 else ''}, work / parallelism {ideal:.2f} s, {ideal / seconds:.0%} of that speed; "
                  f"the CPU's limit, start included: {10001 / costs.limit():.2f} s", flush=True)


def latencies(s, n, cases, build):
    for i in range(WARM_UP):
        erp = Erp(build, 1000, 1000)
        consume(s, erp, n, f"b-warm-{i}", "-X", "consumer.concurrency=256")
        erp.close()
    print(f"\n(b) {n} records of as many orders in order per key, outcome events written. CPU of the consumer alone")
    print("The CPU's limit: one core for the loop's thread, and this machine's cores for consumer, ERP and broker together, by what an order took of each")
    print(f"| ERP ms | in flight | orders/s | ideal | CPU's limit | of the lower | CPU us/order | of a core | all three | RSS MiB | most | peers: {ABOUT_PEERS} | most at once |")
    print("|---|---|---|---|---|---|---|---|---|---|---|---|---|")
    for case in cases.split(","):
        ms, concurrency = map(int, case.split(":"))
        erp = Erp(build, ms * 1000, ms * 1000)
        seen, costs, rss, most = consume(s, erp, n, f"b-{ms}-{concurrency}", "-X", f"consumer.concurrency={concurrency}")
        erp.close()
        rate, ideal, limit = seen["loads"] / seen["seconds"], concurrency / (ms / 1000), costs.limit()
        print(f"| {ms} | {concurrency} | {rate:,.0f} | {ideal:,.0f} | {limit:,.0f} | {rate / min(ideal, limit):.0%} | {costs.own:.0f} | {costs.own * rate / 1e6:.0%} | "
              f"{costs.all:.0f} | {rss:.1f} | {most:.1f} | {PEERS.get(ms, '')} | {seen['most']} |", flush=True)


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
    for part in args.only.replace("a", "af"):      # each on a broker of its own: a group starts with everything that is there
        s = Stack("real", args.build, warehouses=())
        try:
            s.settings["warehouses"]["known"] = "MAG-1"
            s.write_config()
            orders = Orders(s)
            print(f"\nA record: {len(orders.record.bytes)} bytes of Avro")
            if part == "a":
                by_keys(s, orders, s.build, 20, (1, 20, 256))
            elif part == "f":
                by_keys(s, orders, s.build, 10000, (20, 32))
            elif part == "b":
                orders.fill(range(300000, 300000 + args.orders))
                latencies(s, args.orders + 1, args.cases, s.build)
            else:
                waiting(s, orders, args.waiting, s.build)
        finally:
            s.close()


if __name__ == "__main__":
    main()
