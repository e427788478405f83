"""A new Order.avsc does not make open orders look edited, and an edit under it is one. Where an order goes that names no warehouse: by its article line, its order, its
channel; none of them is manual handling, with that reason."""
import json
import os

from harness import IMPORTED, MANUAL, ROOT, equal, main, wait

# The article's warehouse, the order's, the channel.
PLACES = {401: ("MAG-2", "MAG-1", 7), 402: (None, "MAG-2", 7), 403: (None, None, 7), 404: (None, None, 8)}


def publications(s, ids):
    found = {i: [] for i in ids}
    for r in s.records("orders"):
        if r.value["orderId"] in found:
            found[r.value["orderId"]].append(r.value)
    return found


def polls(s, count):
    done = lambda: s.producer.metrics().get("xsale_bridge_producer_polls_total", 0)
    before = done()
    wait(f"{count} complete polls", 60, lambda: s.producer.alive() and done() >= before + count)


def later_schema(s):
    with open(os.path.join(ROOT, "schemas", "Order.avsc"), encoding="utf-8") as f:
        made = json.load(f)
    made["fields"].append({"name": "payerId", "type": ["null", "long"], "default": None, "xsale": ["/PayerId"]})     # xSale has sent it all the time
    path = os.path.join(s.directory, "later.avsc")
    with open(path, "w", encoding="utf-8") as f:
        json.dump(made, f)
    return path


def schema_change(s):
    ids = s.generate(5)
    s.start(s.producer)
    wait("five orders to be published", 60, lambda: s.producer.published() == 5)
    s.stop(s.producer)
    s.write_config(producer={"schema": later_schema(s)})
    s.start(s.producer)
    polls(s, 3)
    equal({i: len(p) for i, p in publications(s, ids).items()}, {i: 1 for i in ids}, "publications after another schema came")
    s.xsale.post(f"orders/{ids[0]}/edit", {"warehouses": s.mix(ids[0])})
    wait("the edit to be published", 60, lambda: len(publications(s, ids)[ids[0]]) == 2, 0.3)
    equal("payerId" in publications(s, ids)[ids[0]][1], True, "the new field in the new record")
    polls(s, 2)
    equal({i: len(p) for i, p in publications(s, ids).items()}, {i: 2 if i == ids[0] else 1 for i in ids}, "publications after the edit")
    s.start(s.updater, *s.consumers)
    s.settled(90)
    equal({s.statuses()[i] for i in ids}, {IMPORTED}, "statuses")


def warehouses(s):
    for number, (article, order, channel) in PLACES.items():
        body = {"Id": number, "StatusId": "@", "PurchaseDate": "2026-11-20", "IntegrationId": channel, "WarehouseCode": order,
                "Items": [{"Id": 1, "Quantity": 1, "OrderItemArticles": [{"Id": 11, "Code": "MLOTEK-01", "Quantity": 1, "WarehouseCode": article}]}]}
        s.xsale.post(f"orders/{number}/raw", json.dumps(body).replace('"@"', "@STATUS_ID@").encode())
    wait("all of them to leave the new status", 90, lambda: all(s.statuses()[n] in (IMPORTED, MANUAL) for n in PLACES), 0.3)
    equal({n: [w for o, w in s.documents() if o == n] for n in PLACES}, {401: ["MAG-2"], 402: ["MAG-2"], 403: ["MAG-1"], 404: []}, "documents")
    equal(s.statuses()[404], MANUAL, "status of the order that goes nowhere")
    said = [r.value["reason"] for r in s.records("order-outcomes") if r.value["orderId"] == 404]
    equal([("no warehouse found" in t) for t in said], [True], f"outcomes of the order that goes nowhere, which say {said}")


def test(s):
    s.write_config(warehouses={"7": "MAG-1"}, producer={"poll_interval": "300ms"})
    schema_change(s)
    warehouses(s)
    s.stop()


if __name__ == "__main__":
    main(test, __doc__)
