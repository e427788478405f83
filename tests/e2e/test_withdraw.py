"""Orders that leave the new status by a person's hand before everything was loaded: withdrawn where they were loaded, not loaded where they were not, and offered
anew when they come back. Orders that only leave pages are not. A wrong xsale.order_path ends in a standstill with a clear message."""
from harness import CANCELLED, IMPORTED, MANUAL, NEW, check, equal, main, wait


def records(s, order):
    return [r.value for r in s.records("orders") if r.key == f"acme/{order}"]


def row(s, order):
    rows = [r.value for r in s.records("order-status") if r.key == f"acme/{order}"]
    return rows[-1] if rows else None


def results(row):
    return {r["warehouse"]: r["result"] for r in row["results"]}


def withdrawn(s, order, seconds=60):
    """Until the newest publication of the order is a withdrawal; all of them."""
    def found():
        rows = records(s, order)
        return rows if rows and rows[-1]["withdrawn"] else None
    rows = wait(f"the withdrawal of {order}", seconds, found, 0.3)
    check(rows[-1]["publication"] > rows[-2]["publication"] and rows[-1]["round"] == rows[-2]["round"], lambda: f"publications of {order}: {rows}")
    equal(rows[-1]["warehouses"], rows[-2]["warehouses"], f"warehouses of the withdrawal of {order}")
    return rows


def closed(s, order):
    return wait(f"the ledger closes {order}", 60, lambda: (r := row(s, order)) and r["closed"] and r["complete"] and r, 0.3)


def wrong_path(s):
    ids = s.generate(3)
    s.producer.arguments += ["-X", "xsale.order_path=/{organization}/order/{id}"]
    s.producer.start()
    wait("the wrong order_path to be told", 60, lambda: "xsale.order_path does not give an order that is listed" in s.producer.http("/readyz")[1])
    polls = lambda: s.producer.metrics().get("xsale_bridge_producer_pages_total", 0) + s.producer.metrics().get("xsale_bridge_xsale_requests_total", 0)
    before = polls()
    wait("it keeps asking", 60, lambda: polls() >= before + 4)
    equal(s.records("orders"), [], "records published although no order can be looked at")
    s.stop(s.producer)
    del s.producer.arguments[-2:]
    code, text = s.producer.run("--once", "-X", "xsale.order_path=/{organization}/order/{id}")
    equal(code, 1, "exit code of --once with a wrong order_path")
    check("xsale.order_path does not give" in text, lambda: text[-1000:])
    return ids


def a_gateway_says_404(s):
    """Pages that show nothing, and a web page with 404 for each order: of a gateway, not of xSale."""
    s.xsale.post("faults", {"route": "GET /acme/orders$", "kind": "status", "status": 200, "body": "[]"})
    s.xsale.post("faults", {"route": r"GET /acme/orders/\d", "kind": "html", "status": 404})
    wait("the web page to be told", 60, lambda: "perhaps not xSale's own" in s.producer.http("/readyz")[1])
    s.xsale.clear_faults()
    wait("ready, with every order on the pages again", 60, s.producer.ready)
    equal(len(s.records("orders")), 3, "records after a gateway's 404")


def before_anything_is_loaded(s, ids):
    cancelled, deleted, kept = ids
    s.start(s.producer)
    wait("three orders to be published", 60, lambda: len(s.records("orders")) == 3, 0.3)
    a_gateway_says_404(s)
    s.xsale.post(f"orders/{cancelled}/status", {"status": CANCELLED})
    s.xsale.post(f"orders/{deleted}/delete")
    rows = withdrawn(s, cancelled)
    equal((len(rows), rows[-1]["statusName"], rows[-1]["items"] == rows[0]["items"]), (2, CANCELLED, True), "the withdrawal of a cancelled order")
    equal(rows[-1]["revision"], rows[0]["revision"], "revision of the withdrawal")
    rows = withdrawn(s, deleted)
    equal((len(rows), rows[-1]["items"], rows[-1]["purchasedAt"]), (2, [], None), "the withdrawal of a deleted order")
    s.start(s.updater, *s.consumers)
    wait("the one that is wanted to be imported", 90, lambda: s.statuses().get(kept) == IMPORTED, 0.3)
    for order in (cancelled, deleted):
        r = closed(s, order)
        equal((set(results(r).values()), r["wanted"], r["withdrawn"]), ({"WITHDRAWN"}, "NONE", True), f"ledger of {order}")
    equal({o for o, _ in s.documents()}, {kept}, "orders at the ERP")
    equal(s.erp.get("summary")["created"], len(s.mix(kept)), "documents ever created")
    equal((s.statuses()[cancelled], s.changes()[cancelled]), (CANCELLED, [(CANCELLED, "operator")]), "what a person set")
    equal([len(records(s, i)) for i in ids], [2, 2, 1], "publications")


def back_again(s, order):
    s.xsale.post(f"orders/{order}/status", {"status": NEW})
    wait("the order that was wanted again", 60, lambda: s.statuses()[order] == IMPORTED, 0.3)
    equal(len(records(s, order)), 3, "publications")
    equal({w for o, w in s.documents() if o == order}, set(s.mix(order)), "documents")


def loaded_by_one(s, order):
    """Cancelled while one warehouse has it and the other's consumer is down."""
    first, second = s.consumers
    s.stop(second)
    s.xsale.post("generate", {"count": 1, "first": order, "warehouses": [["MAG-1", "MAG-2"]]})
    wait("the first warehouse to have it", 60, lambda: (order, "MAG-1") in s.documents(), 0.3)
    s.xsale.post(f"orders/{order}/status", {"status": CANCELLED})
    withdrawn(s, order)
    wait("the first warehouse to lose it", 60, lambda: (order, "MAG-1") not in s.documents(), 0.3)
    s.start(second)
    equal(set(results(closed(s, order)).values()), {"WITHDRAWN"}, "results")
    equal([w for o, w in s.documents() if o == order], [], "documents")
    equal(s.changes()[order], [(CANCELLED, "operator")], "changes of the status")


def edited_into_nothing(s, order):
    """An edit without any line: what was published is withdrawn, then the order goes to manual handling."""
    first, second = s.consumers
    s.stop(second)
    s.xsale.post("generate", {"count": 1, "first": order, "warehouses": [["MAG-1", "MAG-2"]]})
    wait("the first warehouse to have it", 60, lambda: (order, "MAG-1") in s.documents(), 0.3)
    s.xsale.post(f"orders/{order}/raw", b'{"Id": %d, "StatusId": @STATUS_ID@, "StatusName": @STATUS_NAME@, "PurchaseDate": "2026-11-20", "Items": []}' % order)
    withdrawn(s, order)
    wait("the manual status", 60, lambda: s.statuses()[order] == MANUAL, 0.3)
    wait("the first warehouse to lose it", 60, lambda: (order, "MAG-1") not in s.documents(), 0.3)
    s.start(second)
    s.xsale.post(f"orders/{order}/edit", {"warehouses": ["MAG-1", "MAG-2"]})
    s.xsale.post(f"orders/{order}/status", {"status": NEW})
    wait("the mended order", 60, lambda: s.statuses()[order] == IMPORTED, 0.3)
    equal({w for o, w in s.documents() if o == order}, {"MAG-1", "MAG-2"}, "documents")
    equal(s.changes()[order], [(MANUAL, "api"), (NEW, "operator"), (IMPORTED, "api")], "changes of the status")


def shifting_pages(s):
    """Every status that is set shifts the pages behind it: many polls miss orders, and none of them is withdrawn."""
    ids = s.generate(150, first=700001)
    s.settled(120)
    found = {}
    for r in s.records("orders"):
        if r.value["orderId"] in ids:
            found.setdefault(r.value["orderId"], []).append(r.value["withdrawn"])
    equal({i: v for i, v in found.items() if v != [False]}, {}, "orders published more than once, or withdrawn")
    equal(len(found), len(ids), "orders published")


def test(s):
    s.write_config(erp__http={"withdraw_url": s.erp.url + "/orders/{organization}/{order_id}/{warehouse}"}, xsale={"page_size": 7},
                   producer={"poll_interval": "300ms"})
    ids = wrong_path(s)
    before_anything_is_loaded(s, ids)
    back_again(s, ids[0])
    loaded_by_one(s, 500001)
    edited_into_nothing(s, 600001)
    shifting_pages(s)
    equal([v for v in s.erp.get("summary")["violations"]], [], "violations at the ERP")
    s.stop()


if __name__ == "__main__":
    main(test, __doc__)
