"""200,000 orders wait for one program after the other, each under the memory cap of its unit, which the kernel keeps (cage.py): 200,000 new orders for the producer, as many
records for each consumer and outcomes for the updater. First each meets its backlog with hardly more memory than it has when it begins: it works, or the kernel ends it and it is
started again. In the end every order, document and status is right."""
import os
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE, os.path.join(os.path.dirname(HERE), "soak")]
from cage import Cage, memory_max     # noqa: E402
from harness import check, equal, main, wait     # noqa: E402
from soak import World, reconcile, verdict     # noqa: E402

ORDERS = 200000
TIGHT, TIGHT_S = 2 << 20, 15        # besides what a program has when it begins; for how long
MIB = 2 ** 20


def records(*thirds):
    """How many orders become records (soak_world.c: 1 % are malformed), of those thirds."""
    return sum(1 for i in range(ORDERS) if i % 100 != 13 and i % 3 in thirds)


class Caged:
    """A program in its cage, started again when the kernel ends it."""

    def __init__(self, s, p):
        self.p, self.deaths = p, 0
        self.cage = s.part(Cage(p.name, memory_max()))

    def start(self, *more):
        self.p.start(*more)
        self.cage.put(self.p)

    def look(self):
        if self.p.alive():
            return True
        check(self.p.process.returncode == -9 and self.cage.killed() > self.deaths, lambda: f"{self.p.name} ended with {self.p.process.returncode}, not for want of memory")
        self.deaths = self.cage.killed()
        self.start()
        return True

    def meets(self, done, *more):
        """Its backlog, with hardly any memory, and then with what its unit has, until done()."""
        begin = time.monotonic()
        self.start(*more)
        wait(f"{self.p.name} begins", 60, lambda: self.look() and self.p.http("/livez")[0] == 200, 0.02)
        tight = self.cage.usage() + TIGHT
        self.cage.limit(tight)
        end = time.monotonic() + TIGHT_S
        while time.monotonic() < end and not done():
            self.look()
            time.sleep(0.1)
        self.cage.limit(memory_max())
        wait(f"{self.p.name} lives on", 60, lambda: self.look() and self.cage.killed() == self.deaths and self.p.http("/livez")[0] == 200)   # whoever was being ended is gone
        refused, deaths = self.cage.refused(), self.deaths
        wait(f"{self.p.name} works its backlog off", 1200, lambda: self.look() and done(), 1)
        equal(self.deaths, deaths, f"times that {self.p.name} was ended under its unit's cap")
        check(self.cage.peak() < memory_max(), f"{self.p.name} met its cap")
        print(f"{self.p.name}: {time.monotonic() - begin:.0f} s; under {tight / MIB:.1f} MiB refused {refused} times, ended {deaths} times; at most {self.cage.peak() / MIB:.1f} MiB "
              f"of {memory_max() / MIB:.0f}, {self.p.usage()[2] / MIB:.1f} MiB resident", flush=True)


def configure(s, world):
    s.xsale, s.erp = world.xsale, world.erp
    s.settings = s.defaults()
    s.write_config(xsale={"page_size": 1000, "timeout": "30s"}, producer={"poll_interval": "10m"}, consumer={"concurrency": 128}, kafka__producer={"compression.type": "lz4"})


def test(s):
    world = s.part(World(s.build, ORDERS, ORDERS))
    configure(s, world)
    Caged(s, s.producer).meets(lambda: s.height("orders") >= records(0, 1, 2))
    s.stop(s.producer)
    outcomes = s.height("order-outcomes")
    for n, c in enumerate(s.consumers):
        outcomes += records(n, 2)
        Caged(s, c).meets(lambda: s.height("order-outcomes") >= outcomes)
        s.stop(c)
    equal(world.ask()["fed"], ORDERS, "orders offered")
    s.write_config(producer={"poll_interval": "30s"})
    Caged(s, s.updater).meets(lambda: world.ask()["open"] < ORDERS // 100)
    s.start(s.producer, *s.consumers)
    wait("every order is settled", 300, lambda: s.all_alive() and (w := world.ask())["open"] == 0 and w["operator"] == 0 and w["finished"] == ORDERS, 1)
    s.stop()
    equal(verdict(world.ask()) + reconcile(s), [], "what is wrong")


if __name__ == "__main__":
    main(test, __doc__, clusters=("real",), simulators=False)
