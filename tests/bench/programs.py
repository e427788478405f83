"""Memory of each program idle and under load, and CPU per order of each, on a real Kafka and registry; beside the reference figures that were measured
for other ways of doing the same step. Usage: build/venv/bin/python3 tests/bench/programs.py [--orders N] [--build DIR]"""
import argparse
import os
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "e2e"))
from harness import NEW, Stack, wait      # noqa: E402

REFERENCES = [("C: plan-driven pass, parse to bytes (no program around it)", "12", "15"),
              ("Node: kafkajs + avsc, parse + encode + produce", "172", "179"),
              ("C: jansson + avro-c + librdkafka", "169", "17"),
              ("Redpanda Connect, whole step HTTP -> Avro on Kafka", "121-145", "500"),
              ("Kafka Connect, HTTP source", "500", "1500"),
              ("Python script", "175", "49")]


def row(*cells):
    print("| " + " | ".join(str(c) for c in cells) + " |")


def mib(n):
    return f"{n / 2 ** 20:.1f}"


def say(results):
    name, n, seconds, cpu, _ = results[-1]
    print(f"{name}: {n} orders in {seconds:.1f} s, {cpu:.2f} s of CPU", flush=True)


def main():
    p = argparse.ArgumentParser(description=__doc__)
    p.add_argument("--orders", type=int, default=20000)
    p.add_argument("--build")
    p.add_argument("--cluster", default="real", choices=["real", "mock"])
    args = p.parse_args()
    s = Stack(args.cluster, args.build)
    try:
        s.write_config(producer={"poll_interval": "200ms"}, log={"level": "warn"})
        programs = list(s.programs.values())
        s.start()
        wait("readiness", 60, lambda: s.all_alive() and all(x.ready() for x in (s.producer, s.updater)))
        time.sleep(3)
        idle = {x.name: x.usage() for x in programs}
        time.sleep(10)
        quiet = {x.name: x.usage()[0] - idle[x.name][0] for x in programs}

        # The producer alone first, then the consumers, then the updater: each has the machine (and the simulators) for itself.
        for x in programs:
            x.stop()
        print(f"making {args.orders} orders of about 4.7 KB", flush=True)
        for first in range(0, args.orders, 1800):
            s.generate(min(1800, args.orders - first), first=100001 + first, pad=4700)
        s.producer.start()
        wait("the first order is published", 60, lambda: s.producer.published() > 0, 0.01)
        before, first, begin = s.producer.usage()[0], s.producer.published(), time.monotonic()
        wait("every order is published", 300, lambda: s.producer.alive() and s.producer.published() >= args.orders, 0.02)
        usage, n = s.producer.usage(), args.orders - first
        results = [("xsale-producer", n, time.monotonic() - begin, usage[0] - before, usage)]
        say(results)
        s.producer.stop()

        consumer = s.consumers[0].start()
        wanted, begin = sum(s.mix(100001 + i).count("MAG-1") for i in range(args.orders)), time.monotonic()
        wait("every order is loaded", 600, lambda: consumer.alive() and s.erp.get("summary")["documents"] >= wanted, 0.3)
        cpu, rss, peak = consumer.usage()
        results.append(("erp-consumer MAG-1", wanted, time.monotonic() - begin, cpu, (cpu, rss, peak)))
        say(results)
        s.consumers[1].start()
        both = sum(len(s.mix(100001 + i)) for i in range(args.orders))
        wait("every order is loaded", 600, lambda: s.erp.get("summary")["documents"] >= both, 0.3)

        updater, begin = s.updater.start(), time.monotonic()
        wait("every status is set", 900, lambda: updater.alive() and s.xsale.get("counts")[NEW] == 0, 0.3)
        cpu, rss, peak = updater.usage()
        results.append(("status-updater", args.orders, time.monotonic() - begin, cpu, (cpu, rss, peak)))
        say(results)

        print(f"\n{args.orders} orders, {'real Kafka and registry' if args.cluster == 'real' else 'mock cluster'}, HTTP simulators on the same machine\n")
        row("program", "orders/s (the simulators set the limit)", "CPU us/order", "RSS MiB idle", "RSS MiB after load", "most RSS MiB", "idle CPU ms/s")
        row(*["---"] * 7)
        names = {"xsale-producer": "producer", "erp-consumer MAG-1": "consumer-MAG-1", "status-updater": "updater"}
        for name, n, seconds, cpu, usage in results:
            row(name, f"{n / seconds:.0f}", f"{cpu / n * 1e6:.0f}", mib(idle[names[name]][1]), mib(usage[1]), mib(usage[2]),
                f"{quiet[names[name]] * 100:.2f}")
        print()
        row("reference (ingest)", "CPU us/order", "RSS MB")
        row(*["---"] * 3)
        for r in REFERENCES:
            row(*r)
    finally:
        s.close()


if __name__ == "__main__":
    main()
