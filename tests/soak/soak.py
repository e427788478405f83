"""Soak: orders without end through the whole loop, on a real Kafka and registry: 1 % malformed, 1 % edited while they are loaded, 1 % refused by the ERP at first,
operators who correct and retry. xSale and the ERP are one C program (soak_world.c) that judges every order at the end. While it runs, each program's memory, open
files and CPU are noted; they must not grow, and the rate must not fall. Ends after --orders or --minutes, whichever comes first.
Usage: build/venv/bin/python3 tests/soak/soak.py [--orders N] [--minutes N] [--csv FILE] [--report FILE] [--build DIR]"""
import argparse
import json
import os
import subprocess
import sys
import time
import types

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "e2e"))
from harness import Failed, Stack, services, wait      # noqa: E402

EVERY = 5               # seconds between two notes
WARM = 1 / 3            # of the orders, before memory is judged: buffers and tables have their size then
GROWTH = 12 * 2 ** 20   # bytes that a program may grow by in the rest, by the slope over it
FILES = 8               # descriptors that may be more open in the last third than in the first
COST = 1.25             # CPU an order in the last third, against the first
UPDATERS = 3            # one makes at most 60,000 requests a minute: a look and a change for each order
RATE = 0.5              # orders a second likewise; low, because the machine may have other work


class World:
    """soak-world: both ends of the loop."""

    def __init__(self, build, orders, window):
        program = os.path.join(build, "tests/soak/soak-world")
        self.process = subprocess.Popen([program, str(orders), str(window)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
                                        preexec_fn=services.die_with_parent, process_group=0)
        shop, firm = self.process.stdout.readline().split()
        self.xsale, self.erp = (types.SimpleNamespace(url=f"http://127.0.0.1:{p}", close=lambda: None) for p in (shop, firm))

    def ask(self, words=""):
        self.process.stdin.write(words + "\n")
        self.process.stdin.flush()
        return json.loads(self.process.stdout.readline())

    def close(self):
        self.process.kill()
        self.process.wait()
        self.process.stdin.close()
        self.process.stdout.close()


class Note:
    """One look at everything."""

    def __init__(self, s, world, begin):
        self.seconds, self.world = time.monotonic() - begin, world.ask()
        self.of = {p.name: (*p.usage()[:2], len(os.listdir(f"/proc/{p.process.pid}/fd"))) for p in s.programs.values()}
        self.done = self.world["finished"]


class Report:
    """What is printed stands in a file too."""

    def __init__(self, path):
        self.outputs = [sys.stdout] + ([open(path, "w", encoding="utf-8")] if path else [])

    def write(self, text):
        for f in self.outputs:
            f.write(text)

    def flush(self):
        for f in self.outputs:
            f.flush()


def slope(points):
    """Least squares: y a unit of x."""
    n, mx, my = len(points), sum(x for x, _ in points) / len(points), sum(y for _, y in points) / len(points)
    across = sum((x - mx) ** 2 for x, _ in points)
    return sum((x - mx) * (y - my) for x, y in points) / across if n > 1 and across > 0 else 0.0


def rate(notes):
    return (notes[-1].done - notes[0].done) / max(notes[-1].seconds - notes[0].seconds, 1e-9)


def cost(notes, name):
    return (notes[-1].of[name][0] - notes[0].of[name][0]) / max(notes[-1].done - notes[0].done, 1) * 1e6


def judge(notes, names):
    """-> what is wrong; prints the figures."""
    last, wrong = notes[-1].done, []
    thirds = [[n for n in notes if last * i / 3 <= n.done <= last * (i + 1) / 3] for i in range(3)]
    if any(len(t) < 3 for t in thirds):
        return [f"too short to judge: {len(notes)} notes"]
    warm = [n for n in notes if n.done >= last * WARM]
    rates = [rate(t) for t in thirds]
    print(f"orders/s in each third: {', '.join(f'{r:,.0f}' for r in rates)}")
    if rates[2] < rates[0] * RATE:
        wrong.append(f"the rate fell from {rates[0]:.0f} to {rates[2]:.0f} orders/s")
    print("| program | RSS MiB at 1/3, 2/3, end | slope, bytes an order | MiB by slope in the last 2/3 | open files, first and last third | CPU us/order in each third |")
    print("|---|---|---|---|---|---|")
    for name in names:
        rss = [t[-1].of[name][1] / 2 ** 20 for t in thirds]
        grows = slope([(n.done, n.of[name][1]) for n in warm])
        growth = grows * (warm[-1].done - warm[0].done)
        files = [max(n.of[name][2] for n in t) for t in (thirds[0], thirds[2])]
        costs = [cost(t, name) for t in thirds]
        print(f"| {name} | {', '.join(f'{r:.1f}' for r in rss)} | {grows:+.2f} | {growth / 2 ** 20:+.1f} | {files[0]}, {files[1]} | {', '.join(f'{c:.0f}' for c in costs)} |")
        if growth > GROWTH:
            wrong.append(f"{name} grows by {grows:.1f} bytes an order")
        if files[1] > files[0] + FILES:
            wrong.append(f"{name}: open files went from {files[0]} to {files[1]}")
        if costs[2] > costs[0] * COST:
            wrong.append(f"{name}: CPU an order went from {costs[0]:.0f} to {costs[2]:.0f} us")
    return wrong


def verdict(world):
    """The whole check: every order's status, its documents and their version."""
    print("world at the end: " + json.dumps(world, ensure_ascii=False))
    wrong = [f"{world[k]} {words}" for k, words in (("wrong_status", "orders in a wrong status"), ("missing", "documents missing"), ("stale", "documents without the edit"),
                                                    ("open", "orders still new"), ("repeats", "loads repeated without need")) if world[k]]
    return wrong + [f"{n} times: {words}" for words, n in world["faults"].items() if n]


def reconcile(s):
    """The bridge's own sum over the topics."""
    begin = time.monotonic()
    r = subprocess.run([os.path.join(s.build, "consumer/order-replay"), "reconcile", "-c", s.config_file, "--from", "24h"], stdin=subprocess.DEVNULL,
                       stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=1200)
    print(f"order-replay reconcile, {time.monotonic() - begin:.0f} s:\n{r.stdout.rstrip()}")
    return [f"order-replay reconcile ends with {r.returncode}"] if r.returncode else []


def push(s, world, args):
    """Until everything that was offered is settled: -> the notes."""
    notes, begin, stopped, seen = [], time.monotonic(), False, (0, 0.0)
    while True:
        time.sleep(EVERY)
        s.all_alive()
        n = Note(s, world, begin)
        notes.append(n)
        if len(notes) % 12 == 0:
            print(f"{n.seconds:6.0f} s  {n.done:9,} finished, {n.world['open']} open, " +
                  ", ".join(f"{k} {v[1] / 2 ** 20:.0f} MiB {v[2]} files" for k, v in n.of.items()), flush=True)
        if n.done > seen[0]:
            seen = (n.done, n.seconds)
        if n.seconds - seen[1] > 180:
            raise Failed(f"nothing was finished for 180 s: {n.world}")
        if n.seconds > args.minutes * 60 and not stopped:
            stopped = True
            world.ask("stop")
            print(f"the time is over: {n.world['fed']} orders were offered", flush=True)
        if (stopped or n.world["fed"] == args.orders) and n.world["open"] == 0 and n.world["operator"] == 0 and n.done == n.world["fed"]:
            return notes


def save(notes, path):
    with open(path, "w", encoding="utf-8") as f:
        f.write("seconds,finished," + ",".join(f"{n} cpu,{n} rss,{n} files" for n in notes[0].of) + "\n")
        f.writelines(f"{n.seconds:.1f},{n.done}," + ",".join(f"{c:.2f},{r},{d}" for c, r, d in n.of.values()) + "\n" for n in notes)


def configure(s, world):
    s.xsale, s.erp = world.xsale, world.erp
    for i in range(1, UPDATERS):
        s.program("status-updater", f"updater-{i + 1}")
    s.settings = s.defaults()
    s.write_config(xsale={"page_size": 1000, "timeout": "30s"}, producer={"poll_interval": "500ms", "requests_per_minute": 60000},
                   updater={"requests_per_minute": 60000, "remember": "1m"}, consumer={"concurrency": 128}, kafka__producer={"compression.type": "lz4"}, log={"level": "warn"})


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--orders", type=int, default=2000000)
    p.add_argument("--minutes", type=float, default=90)
    p.add_argument("--window", type=int, default=3000, help="orders in the new status at a time")
    p.add_argument("--csv", help="where the notes go")
    p.add_argument("--report", help="where what is printed goes too")
    p.add_argument("--build")
    args = p.parse_args()
    sys.stdout = Report(args.report)
    s = Stack("real", args.build, simulators=False)
    try:
        world = s.part(World(s.build, args.orders, args.window))
        configure(s, world)
        s.start()
        wait("the first order", 120, lambda: s.all_alive() and world.ask()["finished"] > 0)
        notes = push(s, world, args)
        if args.csv:
            save(notes, args.csv)
        seconds = notes[-1].seconds
        print(f"{notes[-1].done:,} orders in {seconds / 60:.1f} minutes, {notes[-1].done / seconds:,.0f} orders/s")
        wrong = judge(notes, list(s.programs)) + verdict(notes[-1].world)
        s.stop()
        wrong += reconcile(s)
        for w in wrong:
            print(f"WRONG: {w}")
        if wrong:
            raise Failed(f"{len(wrong)} things are wrong")
    except Failed as e:
        print(f"failed: {e}")
        s.tails()
        raise SystemExit(1) from None
    finally:
        s.close()
    print("ok")


if __name__ == "__main__":
    main()
