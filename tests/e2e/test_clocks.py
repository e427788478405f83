"""The clocks of erp-consumer and status-updater jump while they work: days ahead, past the time that finished orders are remembered, and hours back, in the middle of an outage of the ERP
and of status changes. Waits keep their length, nobody logs in again and again or spins, each order is loaded once and every status is set once."""
import time

from harness import IMPORTED, MANUAL, NEW, check, equal, main, wait
from test_clock import Clock

JUMPS = {"ten days ahead": 10 * 86400, "six hours behind": -6 * 3600, "forty days ahead": 40 * 86400, "three days behind": -3 * 86400}
CHANGE = "^PUT .*change-status"


def programs(s):
    return s.updater, *s.consumers


def tried(s):
    """Loads and changes that a fault took."""
    return sum(f["taken"] for f in s.erp.get("faults")), sum(f["taken"] for f in s.xsale.get("faults"))


def jump(s, clock, name, number):
    """Both sides are down, the clock jumps, both sides come back."""
    s.erp.fault("status", "^POST /orders", status=503)
    s.xsale.fault("status", CHANGE, status=503)
    ids = s.generate(3, first=100001 + 3 * number)
    wait(f"loads to fail before the clock is {name}", 60, lambda: s.all_alive() and tried(s)[0] >= 3)
    used = [p.usage()[0] for p in programs(s)]
    before = tried(s)[0]
    clock.off_by(JUMPS[name])
    time.sleep(2)       # what would spin does so now
    spun = [p.usage()[0] - u for p, u in zip(programs(s), used)]
    check(max(spun) < 1, f"CPU seconds in two seconds after the clock is {name}: {spun}")
    check(tried(s)[0] - before < 40, f"{tried(s)[0] - before} loads in two seconds of a pause after the clock is {name}")
    s.erp.clear_faults()
    wait(f"changes to fail while the clock is {name}", 60, lambda: s.all_alive() and tried(s)[1] >= 1)
    s.xsale.clear_faults()
    s.settled(90)
    return ids


def retried(s, order):
    """A refused order that an operator corrects and sets back: the newer publication counts, whatever the clocks say."""
    wait("the refused order's status", 60, lambda: s.statuses()[order] == MANUAL)
    s.xsale.post(f"orders/{order}/edit", {"warehouses": s.mix(order)})
    s.erp.post("refuse", {"articles": []})
    s.xsale.post(f"orders/{order}/status", {"status": NEW})
    wait("the retried order's status", 60, lambda: s.statuses()[order] == IMPORTED)


def few_logins(s):
    logins = s.updater.metrics()["xsale_bridge_xsale_logins_total"]
    check(logins <= 1 + len(JUMPS), lambda: f"{logins} logins of the updater")


def test(s):
    clock = Clock(s, *programs(s))
    ids = s.generate(3)
    s.start()
    s.settled(90)
    for number, name in enumerate(JUMPS, 1):
        ids += jump(s, clock, name, number)
    few_logins(s)
    refused = s.generate(1, first=100016, refused=[100016])[0]
    clock.off_by(-7 * 86400)
    retried(s, refused)
    s.verify(ids + [refused], changes={refused: [(MANUAL, "api"), (NEW, "operator"), (IMPORTED, "api")]})
    again = [r for r in s.records("order-outcomes") if r.value["orderId"] in ids]
    noted = lambda: sum(v for k, v in s.updater.metrics().items() if k.startswith("xsale_bridge_outcomes_total"))
    before = noted()
    for r in again:      # what is forgotten is not set once more
        s.produce("order-outcomes", r.key, r.bytes, list(r.headers.items()), r.partition)
    wait("the repeated outcomes to be noted", 60, lambda: noted() >= before + len(again), 0.2)
    time.sleep(1)
    s.verify(ids + [refused], changes={refused: [(MANUAL, "api"), (NEW, "operator"), (IMPORTED, "api")]})
    s.stop()


if __name__ == "__main__":
    main(test, __doc__, clusters=("mock",))
