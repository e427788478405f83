"""Pages shift while they are read: orders come and go, stand on two pages or are skipped, and xSale fails in between. Whatever one poll misses a later one
finds, and nothing is published twice."""
import collections
import random
import threading

from harness import CANCELLED, NEW, Stack, check, equal, main, wait


class Shop(threading.Thread):
    """Orders come, and others leave the new status for good."""

    def __init__(self, stack, ids):
        super().__init__(daemon=True)
        self.stack, self.ids, self.random, self.failed = stack, list(ids), random.Random(7), None
        self.left, self.end = set(), threading.Event()

    def run(self):
        try:
            for i in range(60):
                if self.end.wait(0.04):
                    return
                leaves = self.random.choice(self.ids)
                if leaves not in self.left:
                    self.left.add(leaves)
                    self.stack.xsale.post(f"orders/{leaves}/status", {"status": CANCELLED})
                self.ids += self.stack.xsale.post("generate", {"count": 1, "first": 100000 - i if i % 2 else 200000 + i})["ids"]
        except Exception as e:      # judged by the test's own thread
            self.failed = e


def shifting(s, name):
    ids = s.generate(300)
    s.xsale.fault("status", "GET /acme/orders$", skip=8, count=6, status=503)
    s.xsale.fault("cut", "GET /acme/orders$", probability=0.05)
    s.xsale.fault("latency", "GET /acme/orders$", seconds=0.01)
    p = s.producer.start()
    wait("the first orders are published", 60, lambda: p.alive() and p.published() > 0, 0.02)
    shop = Shop(s, ids)
    shop.start()
    shop.join()
    check(shop.failed is None, lambda: f"{name}: orders could not be moved: {shop.failed}")
    offers = lambda: collections.Counter(int(r.key.split("/")[1]) for r in s.records("orders") if not r.value["withdrawn"])
    new = {o["id"] for o in s.xsale.get("orders") if o["statusName"] == NEW}
    wait(f"{name}: every order in the new status is published", 60, lambda: p.alive() and not new - set(offers()))
    equal({k: n for k, n in offers().items() if n != 1}, {}, f"{name}: orders published more than once")
    check(s.xsale.get("requests")["maxInFlight"] > 1, f"{name}: pages were never asked for at the same time")
    s.stop()


def test(first):
    for name, options in (("oldest first", ()), ("newest first", ("--order", "desc"))):
        s = Stack(first.cluster, first.build, xsale=["--page-cap", 20, *options], warehouses=())
        try:
            s.write_config(producer={"poll_interval": "100ms"}, xsale={"page_size": 20, "parallel_pages": 3})
            shifting(s, name)
        except Exception:
            s.tails()
            raise
        finally:
            s.close()


if __name__ == "__main__":
    main(test, __doc__, clusters=("mock",), start=False, warehouses=())
