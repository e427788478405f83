"""A warehouse's group rewound over many orders and loaded again, from a real Kafka: into a sink that discards (bench-null-consumer, a program of the benchmarks alone) or into an
ERP without latency (bench-erp); beside the rate at which the broker gives the same topic to a consumer that does nothing. And order-replay explain and reconcile on that many
records. Usage: tests/bench/replay [--orders N] [--sink null|http] [--build DIR]"""
import argparse
import os
import resource
import subprocess
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "e2e"))
import harness      # noqa: E402
from harness import Failed, Stack, wait      # noqa: E402
from load import Erp, Orders      # noqa: E402

GROUP = "xsale-erp-MAG-1"
FIRST = 1_000_000


def replay(s, *arguments, codes=(0,)):
    """-> (seconds, CPU seconds, output)"""
    before, begin = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic()
    r = subprocess.run([os.path.join(s.build, "consumer/order-replay"), arguments[0], "-c", s.config_file, *arguments[1:]], stdin=subprocess.DEVNULL,
                       stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, encoding="utf-8")
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    if r.returncode not in codes:
        raise Failed(f"{arguments}: {r.returncode} {r.stderr[-1000:]}")
    return time.monotonic() - begin, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime, r.stdout


def at_the_end(s):
    """As if the group had loaded everything."""
    import confluent_kafka
    c = confluent_kafka.Consumer({"bootstrap.servers": s.kafka.bootstrap, "group.id": GROUP, "enable.auto.commit": False})
    parts = [confluent_kafka.TopicPartition("xsale.orders", p) for p in range(6)]
    c.commit(offsets=[confluent_kafka.TopicPartition(t.topic, t.partition, c.get_watermark_offsets(t, 15)[1]) for t in parts], asynchronous=False)
    c.close()


def main():
    p = argparse.ArgumentParser(description=__doc__)
    p.add_argument("--orders", type=int, default=1000000)
    p.add_argument("--sink", choices=("null", "http"), default="null")
    p.add_argument("--build")
    args = p.parse_args()
    s = Stack("real", args.build, warehouses=())
    erp = None
    try:
        s.settings["warehouses"]["known"] = "MAG-1"
        s.write_config(http={"producer_port": 0, "updater_port": 0, "consumer_port": 0}, log={"level": "warn"})
        orders, begin = Orders(s), time.monotonic()
        n = args.orders + 1
        orders.fill(range(FIRST, FIRST + args.orders))
        print(f"{n} records of {len(orders.record.bytes)} bytes written in {time.monotonic() - begin:.0f} s", flush=True)
        out = subprocess.run([os.path.join(s.build, "tests/bench/bench-consume"), s.kafka.bootstrap, "xsale.orders", str(n)], stdout=subprocess.PIPE, text=True, timeout=120)
        if out.returncode != 0:
            raise Failed(f"bench-consume: {out.returncode} {out.stdout}")
        _, seconds, cpu = map(float, out.stdout.split())
        rate, per = n / seconds, cpu / n * 1e6
        print(f"the broker's own rate: {rate:,.0f} records/s, {per:.2f} us of the reader's CPU a record: {1e6 / per:,.0f}/s a core of the reader", flush=True)
        for what in (str(FIRST + args.orders // 2), orders.record.value["number"] or "?"):
            took, used, text = replay(s, "explain", what, codes=(0, 3))
            print(f"order-replay explain {what}: {took:.2f} s, {used:.2f} s of CPU; {len(text.splitlines())} lines", flush=True)
        at_the_end(s)
        took, used, _ = replay(s, "rewind", "--group", GROUP, "--warehouse", "MAG-1", "--to", "beginning", "--yes", "--wait")
        print(f"order-replay rewind of everything: {took:.1f} s, {used:.2f} s of CPU", flush=True)
        harness.PATHS["bench-null"], harness.PORTS["bench-null"] = "tests/bench/bench-null-consumer", "http.consumer_port"
        settings = ["-X", "consumer.warehouse=MAG-1", "-X", "consumer.concurrency=256"]
        if args.sink == "http":
            erp = Erp(s.build, 0, 0)
            c = s.program("erp-consumer", "http", *settings, "-X", "erp.http.url=" + erp.url)
        else:
            c = s.program("bench-null", "null", *settings)
        outcomes = lambda: sum(v for k, v in c.metrics().items() if k.startswith("xsale_bridge_outcomes_total"))
        c.start()
        wait("the first outcome", 60, lambda: c.alive() and outcomes() > 0, 0.02)
        first, used, begin = outcomes(), c.usage()[0], time.monotonic()
        wait(f"{n} outcomes", 200, lambda: c.alive() and outcomes() >= n, 0.1)
        seconds = time.monotonic() - begin
        cpu, _, most = c.usage()
        done = n - first
        mine, own = done / seconds, (cpu - used) / done * 1e6
        print(f"reload into {args.sink}: {mine:,.0f} orders/s ({mine / rate:.0%} of the broker's own rate), {own:.1f} us of CPU an order: {1e6 / own:,.0f} orders/s a core "
              f"({1e6 / own / rate:.0%} of the broker's own rate), most {most / 2 ** 20:.1f} MiB", flush=True)
        c.stop()
        took, used, text = replay(s, "reconcile", "--from", "beginning", "--grace", "1h")
        print(f"order-replay reconcile of {n} orders with their outcomes: {took:.1f} s, {used:.2f} s of CPU; {text.splitlines()[-1]}", flush=True)
    finally:
        if erp is not None:
            erp.close()
        s.close()


if __name__ == "__main__":
    main()
