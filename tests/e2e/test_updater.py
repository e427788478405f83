"""The status-updater against an xSale that answers 429, 500, nothing, 403 and cuts the line after the change was made; killed before, between and after its effects; two of
them sharing the partitions. Every order gets its status by one change, an operator's retry is never undone by an older verdict, and a backlog takes two requests an order."""
import time

from harness import BAD_ARTICLE, IMPORTED, MANUAL, NEW, check, equal, main, wait

LOOK, CHANGE = r"^GET /acme/orders/\d+$", "change-status"


def by_bridge(s):
    """{order: [statuses]} of the bridge's changes that changed something."""
    found = {}
    for c in s.xsale.get("changes"):
        if c["by"] == "api" and c["from"] != c["to"]:
            found.setdefault(c["id"], []).append(c["toName"])
    return found


def one_change_each(s, ids, refused=(), what=""):
    s.settled(120)
    changes = by_bridge(s)
    wanted = {i: [MANUAL if i in refused else IMPORTED] for i in ids}
    equal({i: changes.get(i) for i in ids if changes.get(i) != wanted[i]}, {}, f"orders that were not changed exactly once, rightly, {what}")


def taken(s, route):
    return sum(f["taken"] for f in s.xsale.get("faults") if f["route"] == route)


def faults(s):
    for spec in ({"kind": "status", "status": 429, "retry_after": 1, "count": 3, "skip": 2}, {"kind": "status", "status": 500, "count": 3, "skip": 4},
                 {"kind": "status", "status": 500, "count": 3, "skip": 6, "process": True}, {"kind": "hang", "count": 1, "skip": 8},
                 {"kind": "hang", "count": 1, "skip": 10, "process": True}, {"kind": "cut", "count": 3, "skip": 12, "at": 5}):
        s.xsale.post("faults", {"route": CHANGE, **spec})
    for spec in ({"kind": "status", "status": 500, "count": 2, "skip": 3}, {"kind": "status", "status": 429, "retry_after": 1, "count": 1, "skip": 9}):
        s.xsale.post("faults", {"route": LOOK, **spec})
    ids = s.generate(24, refused=[100005])
    s.start()
    one_change_each(s, ids, [100005], "while xSale fails in every way")
    check(taken(s, CHANGE) >= 12, lambda: f"the faults were met: {s.xsale.get('faults')}")
    s.xsale.clear_faults()


def no_right(s):
    s.xsale.post("settings", {"change_status": False})
    ids = s.generate(4, first=110003)
    wait("the missing right to be named", 60, lambda: "change-status" in s.updater.http("/readyz")[1] and "403" in s.updater.http("/readyz")[1])
    equal({s.statuses()[i] for i in ids}, {NEW}, "statuses while the right is missing")
    s.xsale.post("settings", {"change_status": True})
    s.updater.stop()
    s.updater.start()
    one_change_each(s, ids, what="after the right was granted")
    wait("readiness", 60, s.updater.ready)


def a_gateway_says_404(s):
    """A web page for every order, of something before xSale: nothing is gone."""
    s.xsale.post("faults", {"route": LOOK, "kind": "html", "status": 404})
    ids = s.generate(3, first=115003)
    wait("the web page to be told", 60, lambda: "perhaps not xSale's own" in s.updater.http("/readyz")[1])
    equal([r.value["orderId"] for r in s.records("order-status") if r.value["orderId"] in ids and r.value["closed"]], [], "orders closed by a gateway's 404")
    s.xsale.clear_faults()
    s.updater.stop()
    s.updater.start()
    one_change_each(s, ids, what="after a gateway's 404")
    equal(sorted(r.value["orderId"] for r in s.records("orders") if r.value["orderId"] in ids), ids, "orders published")
    wait("readiness", 60, s.updater.ready)


def killed(s):
    """(what is awaited, route, fault): the process dies while the request is in this state."""
    points = (("a look", LOOK, {"kind": "hang"}), ("a change that is not made", CHANGE, {"kind": "hang"}),
              ("a change that is made and not answered", CHANGE, {"kind": "hang", "process": True}))
    first = 120002
    for what, route, fault in points:
        s.xsale.post("faults", {"route": route, "count": 1, **fault})
        ids = s.generate(6, first=first)
        first += 9
        wait(f"the updater to stand in {what}", 60, lambda: taken(s, route) == 1, 0.02)
        s.updater.kill()
        s.xsale.clear_faults()
        s.updater.start()
        one_change_each(s, ids, what=f"after a kill in {what}")
    for what, seen in (("an outcome's row", lambda ids: {r.value["orderId"] for r in s.records("order-status")} & set(ids)),
                       ("a change", lambda ids: set(by_bridge(s)) & set(ids))):
        ids = s.generate(6, first=first)
        first += 9
        wait(f"{what} to be there", 60, lambda: seen(ids), 0.02)
        s.updater.kill()
        s.updater.start()
        one_change_each(s, ids, what=f"after a kill behind {what}")


def no_flap(s):
    """One of two warehouses rejects, the operator corrects and retries while the other's answer is repeated: nothing old shows between."""
    order = 130006      # of both warehouses
    equal(s.mix(order), ["MAG-1", "MAG-2"], "the order's warehouses")
    s.generate(1, first=order, refused=[order], warehouses=[["MAG-1", "MAG-2"]])
    wait("the rejection", 60, lambda: s.statuses()[order] == MANUAL)
    wait("its row", 60, lambda: any(r.value["orderId"] == order and r.value["closed"] for r in s.records("order-status")))
    s.xsale.fault("hang", CHANGE, count=1, process=True)
    s.xsale.post(f"orders/{order}/edit", {"warehouses": ["MAG-1", "MAG-2"]})
    s.xsale.post(f"orders/{order}/status", {"status": NEW})
    wait("the updater to stand in the change", 60, lambda: taken(s, CHANGE) == 1, 0.02)
    s.updater.kill()
    s.xsale.clear_faults()
    s.updater.start()
    wait("the row of the retry to be closed", 90, lambda: [r.value for r in s.records("order-status") if r.value["orderId"] == order][-1]["statusSet"] == "IMPORTED", 0.3)
    equal(s.changes()[order], [(MANUAL, "api"), (NEW, "operator"), (IMPORTED, "api")], "what an observer saw of the order")


def shared(s):
    s.xsale.fault("latency", CHANGE, seconds=0.3)
    ids = s.generate(36, first=140003)
    wait("the first change", 60, lambda: set(by_bridge(s)) & set(ids), 0.02)
    other = s.program("status-updater", "other").start()
    wait("the other one has partitions", 60, lambda: "ledger read back" in open(other.log, encoding="utf-8").read())
    s.stop(s.updater)
    s.updater.process = None
    one_change_each(s, ids, what="while two updaters took turns")
    s.xsale.clear_faults()
    s.stop(other)
    other.process = None


def backlog(s, count=60, rate=1200):
    """No request is wasted: a look and a change an order, and one look to verify the first change; and they are not made faster than is allowed."""
    ids = s.generate(count, first=150005)
    wait("every outcome", 60, lambda: len({r.value["orderId"] for r in s.records("order-outcomes")} & set(ids)) == count, 0.3)
    wait("both warehouses' answers", 60, lambda: sum(r.value["orderId"] in ids for r in s.records("order-outcomes")) == sum(len(s.mix(i)) for i in ids), 0.3)
    for p in [s.producer, *s.consumers]:
        s.stop(p)
        p.process = None
    before, begin = s.xsale.get("requests"), time.monotonic()
    s.write_config(updater={"requests_per_minute": rate}, xsale={"timeout": "60s"})     # nothing is asked again for a slow machine's sake
    s.updater.start()
    one_change_each(s, ids, what="of a backlog")
    seconds, after = time.monotonic() - begin, s.xsale.get("requests")
    more = {k: sum(v.values()) - sum(before["routes"].get(k, {}).values()) for k, v in after["routes"].items()}
    equal((more["GET /orders/{id}"], more["PUT /orders/{id}/change-status"]), (count + 1, count), "looks and changes")
    check(seconds >= (2 * count - rate / 10) * 60 / rate * 0.9, lambda: f"the backlog took {seconds:.1f} s, which is faster than {rate} a minute")


def test(s):
    s.write_config(xsale={"timeout": "2s"}, updater={"drain_timeout": "5s"})
    if s.groups != "consumer":
        s.updater.arguments += ["-X", "kafka.consumer.group.instance.id=updater-1"]      # takes its partitions over at once after a kill
    faults(s)
    no_right(s)
    a_gateway_says_404(s)
    killed(s)
    no_flap(s)
    shared(s)
    backlog(s)
    s.stop()


if __name__ == "__main__":
    main(test, __doc__, clusters=("real", "mock"))
