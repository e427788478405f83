"""While orders keep coming, every program is killed with SIGKILL in the middle of its work, one after another and all at once, and started again:
nothing is lost, one document per order and warehouse, every status right and set once."""
import threading

from harness import BAD_ARTICLE, MIXES, check, equal, main, wait

FIRST, STEP = 100001, 10


class Feed(threading.Thread):
    """New orders as time goes by, the last of each step one that the ERP refuses."""

    def __init__(self, stack):
        super().__init__(daemon=True)
        self.stack, self.ids, self.refused, self.end, self.failed = stack, [], [], threading.Event(), None

    def run(self):
        try:
            while not self.end.wait(0.4):
                first = FIRST + len(self.ids)
                mixes = [MIXES[(first + i - FIRST) % len(MIXES)] for i in range(STEP)]
                last = first + STEP - 1
                self.stack.xsale.post("generate", {"count": STEP, "first": first, "warehouses": mixes, "codes": {str(last): BAD_ARTICLE}})
                self.ids += range(first, first + STEP)
                self.refused.append(last)
        except Exception as e:      # judged by the test's own thread
            self.failed = e


def test(s):
    s.generate(1, refused=[])
    s.xsale.post(f"orders/{FIRST}/delete")
    s.erp.post("settings", {"latency": 0.2})
    feed = Feed(s)
    feed.start()
    s.start()
    programs = list(s.programs.values())

    def work(what):
        """Until the whole loop moved on: documents and statuses both."""
        seen = lambda: (s.erp.get("summary")["documents"], sum(1 for c in s.xsale.get("changes") if c["by"] == "api"))
        documents, changes = seen()
        wait(f"work goes on after {what}", 60, lambda: all(a >= b for a, b in zip(seen(), (documents + 15, changes + 15))), 0.05)

    work("the start")
    for p in programs:
        p.kill()
        p.start()
        work(f"{p.name} was killed")
    for p in programs:
        p.kill()
    s.start()
    work("all were killed at once")
    for p in reversed(programs):     # again, each while the one before it is still coming up
        p.kill()
        p.start()
    work("each was killed again")
    feed.end.set()
    feed.join()
    check(feed.failed is None, lambda: f"orders could not be made: {feed.failed}")
    s.settled(120)
    s.verify(feed.ids, feed.refused, overlaps=True)

    per = {}
    for r in s.records("orders"):
        per.setdefault(r.key, []).append(r.value["publication"])
    equal({k: v for k, v in per.items() if len(v) != 1}, {}, "orders published more than once")
    equal(len(per), len(feed.ids), "orders published")
    equal(len(s.records("orders-dlq", decode=False)) >= len(feed.refused), True, "every refusal is in the DLQ at least once")
    print(len(feed.ids), "orders; loads repeated after the kills:", s.erp.get("summary")["repeated"])
    s.stop()


if __name__ == "__main__":
    main(test, __doc__)
