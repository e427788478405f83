"""What the broker will never take of an order: it is rejected in the broker's words and stands in the manual status, and a retry brings it; a withdrawal that it will
not take goes again without the order's content, so that nobody loads what is no longer wanted."""
from harness import CANCELLED, IMPORTED, MANUAL, NEW, check, equal, main, wait

PRODUCE, TOO_LARGE = 0, 10


def refuse_next(s):
    """Twice: a verdict is believed when the record went alone."""
    s.kafka.command(f"error {PRODUCE} {TOO_LARGE} 2")


def notes(s):
    """What order-state says last of each order; None: forgotten."""
    return {r.key: r.value for r in s.records("order-state")}


def nothing_left(s, orders):
    """Every order is forgotten: no program has anything more to publish, and the next record is what a test makes it."""
    def forgotten():
        last = notes(s)
        return s.all_alive() and all(f"acme/{i}" in last and last[f"acme/{i}"] is None for i in orders)
    wait("everything is forgotten", 60, forgotten, 0.3)


def publications(s, order):
    return [r for r in s.records("orders") if r.key == f"acme/{order}"]


def an_order(s, order):
    refuse_next(s)
    s.generate(1, first=order, warehouses=[["MAG-1", "MAG-2"]])
    wait("the order stands in the manual status", 60, lambda: s.all_alive() and s.statuses()[order] == MANUAL)
    equal(publications(s, order), [], "records of an order that the broker refuses")
    outcome, = [r.value for r in s.records("order-outcomes") if r.key == f"acme/{order}"]
    equal((outcome["result"], outcome["warehouse"]), ("REJECTED", ""), "its outcome")
    check("Kafka refuses the record" in outcome["reason"], f"the reason is Kafka's: {outcome['reason']}")
    letter, = [r for r in s.records("orders-dlq", decode=False) if r.key == f"acme/{order}"]
    check(not letter.bytes, "its bytes, which the broker would not take either, are left out")
    s.xsale.post(f"orders/{order}/status", {"status": NEW})
    wait("the retry is imported", 60, lambda: s.all_alive() and s.statuses()[order] == IMPORTED)
    equal(len(publications(s, order)), 1, "records after the retry")


def a_withdrawal(s, order):
    s.erp.down()
    s.generate(1, first=order, warehouses=[["MAG-1"]])
    wait("it is published and noted", 60, lambda: notes(s).get(f"acme/{order}"))
    wait("the ERP is known to be down", 60, lambda: s.consumers[0].dependencies().get("erp") == "down")
    refuse_next(s)
    s.xsale.post(f"orders/{order}/status", {"status": CANCELLED})
    rows = wait("it is withdrawn", 60, lambda: s.all_alive() and len(rows := publications(s, order)) == 2 and [r.value for r in rows])
    check(rows[1]["withdrawn"] and rows[0]["items"] and not rows[1]["items"], f"a withdrawal without content: {rows[1]}")
    equal([rows[1][k] for k in ("revision", "warehouses")], [rows[0][k] for k in ("revision", "warehouses")], "what it withdraws")
    s.erp.up()
    wait("the ledger closes it", 60, lambda: any(r.value["closed"] and r.value["complete"] for r in s.records("order-status") if r.key == f"acme/{order}"))
    check(not any(i == order for i, _ in s.documents()), "no document of it stands, also when a probe brought it just before its withdrawal came")
    equal(s.statuses()[order], CANCELLED, "its status")


def test(s):
    s.write_config(erp__http={"withdraw_url": s.erp.url + "/orders/{organization}/{order_id}/{warehouse}"})
    ids = s.generate(6)
    s.start()
    s.settled()
    nothing_left(s, ids)
    an_order(s, 200001)
    nothing_left(s, [200001])
    a_withdrawal(s, 200002)
    s.stop()
    equal(len(s.documents()), sum(len(s.mix(i)) for i in ids) + 2, "documents")


if __name__ == "__main__":
    main(test, __doc__, clusters=("mock",))
