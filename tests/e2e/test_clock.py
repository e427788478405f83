"""The producer's clock is wrong: a day ahead and then right again over a restart, and put back by hours while it runs. Publications rise all the same, nothing is published
twice, logins and polls go on, and the orders reach the ERP once each."""
import os
import struct
import time

from harness import check, equal, main, wait

DAY_MS = 86400 * 1000


class Clock:
    """Of these programs alone; changes while they run. The monotonic clock stays right, as a machine's does."""

    def __init__(self, s, *programs):
        self.path = os.path.join(s.directory, "clock")
        self.off_by(0)
        library = os.path.join(s.build, "tests/mock/wrong-clock.so")
        check(os.path.exists(library), f"{library} is not built")
        for p in programs:
            p.environment = dict(os.environ, LD_PRELOAD=library, WRONG_CLOCK=self.path,
                                 ASAN_OPTIONS=os.environ.get("ASAN_OPTIONS", "") + ":verify_asan_link_order=0")

    def off_by(self, seconds):
        with open(self.path, "r+b" if os.path.exists(self.path) else "wb") as f:     # in place: it is mapped
            f.write(struct.pack("=q", seconds))


def publications(s):
    found = {}
    for r in s.records("orders"):
        found.setdefault(r.value["orderId"], []).append(int(r.value["publication"].timestamp() * 1000))
    for order, list in found.items():
        check(list == sorted(set(list)), lambda: f"publications of {order} do not rise: {list}")
    return found


def polls(s, count):
    done = lambda: s.producer.metrics().get("xsale_bridge_producer_polls_total", 0)
    before = done()
    wait(f"{count} complete polls", 60, lambda: s.producer.alive() and done() >= before + count)


def counts(s, wanted, what):
    equal({i: len(p) for i, p in publications(s).items()}, wanted, what)


def edited(s, order, wanted):
    """An edit is published, alone, above everything before it."""
    before = publications(s)
    s.xsale.post(f"orders/{order}/edit", {"warehouses": s.mix(order)})
    after = wait("the edit to be published", 60, lambda: len((p := publications(s))[order]) > len(before[order]) and p, 0.3)
    check(after[order][-1] > max(max(p) for p in before.values()), lambda: f"publications {before}, then {after}")
    polls(s, 2)
    wanted[order] += 1
    counts(s, wanted, "publications after an edit")


def few_logins(s, most):
    logins = s.producer.metrics()["xsale_bridge_xsale_logins_total"]
    check(logins <= most, lambda: f"{logins} logins")


def a_day_ahead(s, clock):
    clock.off_by(86400)
    ids = s.generate(4)
    wanted = {i: 1 for i in ids}
    s.start(s.producer)
    wait("the orders to be published", 60, lambda: s.producer.published() == len(ids))
    polls(s, 3)
    found = publications(s)
    check(min(min(p) for p in found.values()) > time.time() * 1000 + DAY_MS / 2, lambda: f"the clock is not ahead: {found}")
    edited(s, ids[0], wanted)
    few_logins(s, 2)
    s.stop(s.producer)
    return ids, wanted


def right_again(s, clock, ids, wanted):
    clock.off_by(0)
    s.start(s.producer)
    polls(s, 3)
    counts(s, wanted, "publications after a restart with the right clock")
    edited(s, ids[1], wanted)
    wanted.update({i: 1 for i in s.generate(2, first=200001)})
    wait("the new orders to be published", 60, lambda: s.producer.published() == 3)


def put_back(s, clock, ids, wanted):
    """An hour ahead, then two hours back, while it runs."""
    clock.off_by(3600)
    polls(s, 2)
    edited(s, ids[2], wanted)
    clock.off_by(-7200)
    polls(s, 4)
    counts(s, wanted, "publications after the clock was put back")
    edited(s, ids[2], wanted)
    few_logins(s, 4)
    s.producer.kill()
    s.start(s.producer)
    polls(s, 3)
    counts(s, wanted, "publications after a kill with a clock that is behind")
    edited(s, ids[3], wanted)


def test(s):
    clock = Clock(s, s.producer)
    ids, wanted = a_day_ahead(s, clock)
    right_again(s, clock, ids, wanted)
    put_back(s, clock, ids, wanted)
    s.start(s.updater, *s.consumers)
    s.settled(90)
    polls(s, 3)
    counts(s, wanted, "publications at the end")
    equal(s.erp.get("summary")["created"], sum(len(s.mix(i, 200001 if i > 200000 else 100001)) for i in wanted), "documents ever created")
    equal(s.erp.get("summary")["violations"], [], "violations at the ERP")
    s.stop()


if __name__ == "__main__":
    main(test, __doc__, clusters=("mock",))
