"""The whole loop: 500 orders over two warehouses, 12 refused by the ERP, one edited and one retried by the operator on the way."""
from harness import IMPORTED, MANUAL, NEW, check, equal, main, wait

COUNT, EDITED = 500, 100042


def test(s):
    refused = list(range(100010, 100490, 40))
    retried = refused[3]
    equal(len(refused), 12, "refused orders")
    ids = s.generate(COUNT, refused=refused, pad=4700)
    s.erp.post("settings", {"latency": 0.005, "slow": {EDITED: 600}})       # until it is edited
    s.write_config(erp__http={"timeout": "900s"})
    s.start()
    wait("the slow order is in hand at the ERP", 60, lambda: s.all_alive() and s.in_hand(EDITED), 0.05)
    s.edit(EDITED)
    wait("the retried order was refused first", 90, lambda: s.all_alive() and s.statuses()[retried] == MANUAL)
    # The article becomes known for this order alone: the operator corrects the order and asks for a retry.
    s.xsale.post(f"orders/{retried}/edit", {"replace": [["ZAKAZANY-01", "POPRAWNY-01"]]})
    s.xsale.post(f"orders/{retried}/status", {"status": NEW})
    s.settled(120)
    wait("the edit reached both documents", 60, lambda: s.edits(EDITED) == [1, 1])
    refused.remove(retried)
    s.verify(ids, refused, {retried: [(MANUAL, "api"), (NEW, "operator"), (IMPORTED, "api")]})

    for p in s.programs.values():
        wait(f"{p.name} is ready at the end", 60, p.ready)
        equal(p.http("/livez")[0], 200, f"/livez of {p.name}")
        check("# TYPE" in p.http("/metrics")[1], f"/metrics of {p.name}")

    orders = s.records("orders")
    per = {}
    for r in orders:
        per.setdefault(r.key, []).append(r.value["publication"])
        equal(r.key, f"{r.value['organization']}/{r.value['orderId']}", "key")
    wanted = {f"acme/{i}": 1 + (i == EDITED) + (i == retried) for i in ids}
    equal({k: len(v) for k, v in per.items() if len(v) != wanted.get(k)}, {}, "publications per order")
    check(all(v == sorted(set(v)) for v in per.values()), "publications of an order rise strictly")

    def closed():
        last = {r.key: r.value for r in s.records("order-status")}
        return all(v["closed"] and v["complete"] for v in last.values())

    wait("every row of the ledger is closed and complete", 60, closed)
    ledger = {r.key: r.value for r in s.records("order-status")}
    equal(sorted(ledger), sorted(wanted), "rows of the ledger")
    equal(len(s.records("orders-dlq", decode=False)), 12, "records in the DLQ")
    s.stop()


if __name__ == "__main__":
    main(test, __doc__)
