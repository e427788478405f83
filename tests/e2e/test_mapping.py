"""An account whose xSale has other names, as README says it: Order.avsc copied, pointers changed, a field of one's own added, and a view of one's own for the
ERP. Nothing is compiled."""
import json
import os
from decimal import Decimal

from harness import IMPORTED, ROOT, check, equal, main

ORDER = """{"OrderNo": %d, "StatusId": @STATUS_ID@, "StatusName": @STATUS_NAME@, "Symbol": "ZS 7/2026", "Date": "2026-10-25 02:30", "Sums": {"Gross": "100.10", "Net": 81.3821},
 "Ship": {"By": "2026-11-30", "Priority": "Pilne"}, "PurchaseDate": "2020-01-01", "Rows": [{"Id": 1, "Qty": 1.5, "Goods": [{"Sku": "ŚRUBA \\u2116 8", "Qty": "0.000001", "Stock": "MAG-1"}]}]}"""


def fields(record, name):
    """The field, its type without null, and the record of the type (of the elements, when it is an array)."""
    field = next(f for f in record["fields"] if f["name"] == name)
    kind = field["type"][1] if isinstance(field["type"], list) else field["type"]
    return field, kind["items"] if isinstance(kind, dict) and kind["type"] == "array" else kind


def mapping():
    with open(os.path.join(ROOT, "schemas", "Order.avsc"), encoding="utf-8") as f:
        s = json.load(f)
    for name, pointer in (("orderId", "/OrderNo"), ("number", "/Symbol"), ("purchasedAt", "/Date"), ("totalGross", "/Sums/Gross"), ("totalNet", "/Sums/Net"), ("items", "/Rows")):
        fields(s, name)[0]["xsale"] = [pointer]
    item = fields(s, "items")[1]
    fields(item, "quantity")[0]["xsale"] = ["/Qty"]
    fields(item, "articles")[0]["xsale"] = ["/Goods"]
    article = fields(item, "articles")[1]
    for name, pointer in (("code", "/Sku"), ("quantity", "/Qty"), ("warehouse", "/Stock")):
        fields(article, name)[0]["xsale"] = [pointer]
    s["fields"] += [
        {"name": "shipBy", "type": ["null", {"type": "int", "logicalType": "date"}], "default": None, "xsale": ["/Ship/By"]},
        {"name": "priority", "type": {"type": "enum", "name": "Priority", "symbols": ["NORMAL", "HIGH"]}, "default": "NORMAL", "xsale": ["/Ship/Priority"],
         "symbols": {"Pilne": "HIGH"}}]
    return s


def view(s):
    """Picks and renames: what this ERP wants to see (the simulated one insists on some names), and a field that only a later version of the records will have."""
    item = fields(s, "items")[1]
    article = fields(item, "articles")[1]
    article["fields"] = [dict(f, erp="ilość") if f["name"] == "quantity" else f for f in article["fields"] if f["name"] in ("code", "quantity")]
    item["fields"] = [f for f in item["fields"] if f["name"] == "articles"]
    names = {"organization": True, "orderId": True, "publication": True, "revision": True, "totalGross": "brutto", "purchasedAt": "data", "items": True,
             "shipBy": "wysylka do", "priority": True}
    s["fields"] = [dict(f, erp=names[f["name"]]) if names[f["name"]] is not True else f for f in s["fields"] if f["name"] in names]
    s["fields"].append({"name": "channel", "type": "string", "default": "xSale"})
    return s


def write(s, name, schema):
    path = os.path.join(s.directory, name)
    with open(path, "w", encoding="utf-8") as f:
        json.dump(schema, f)
    return path


def bodies(s):
    return {d["orderId"]: json.loads(d["body"], parse_float=Decimal) for d in json.loads(s.erp.raw("documents?body=1")) if d["documentId"]}


def load(s, number):
    s.xsale.post(f"orders/{number}/raw", (ORDER % number).encode())
    for program, option in ((s.producer, "--once"), (s.consumers[0], "--until-end"), (s.updater, "--until-end")):
        code, text = program.run(option, timeout=90)
        equal(code, 0, f"exit code of {program.name} {option}, which says {text[-2000:]}")
    equal(s.statuses()[number], IMPORTED, f"status of order {number}")
    return bodies(s)[number]


def test(s):
    s.write_config(producer={"schema": write(s, "Order.avsc", mapping())})
    seen = load(s, 501)
    equal((seen["number"], seen["totalGross"], seen["totalNet"], seen["purchasedAt"]), ("ZS 7/2026", Decimal("100.10"), Decimal("81.3821"), "2026-10-25T00:30:00.000Z"),
          "the order's own names")
    equal((seen["shipBy"], seen["priority"]), ("2026-11-30", "HIGH"), "fields of one's own")
    equal([(a["code"], a["quantity"], a["warehouse"]) for a in seen["items"][0]["articles"]], [("ŚRUBA № 8", Decimal("0.000001"), "MAG-1")], "articles")

    s.write_config(erp={"view": write(s, "view.avsc", view(mapping()))})
    seen = load(s, 502)
    check(set(seen) == {"organization", "orderId", "publication", "revision", "brutto", "data", "items", "wysylka do", "priority", "channel"}, lambda: f"members {sorted(seen)}")
    equal((seen["brutto"], seen["data"], seen["wysylka do"], seen["channel"]), (Decimal("100.10"), "2026-10-25T00:30:00.000Z", "2026-11-30", "xSale"), "renamed fields")
    equal(seen["items"], [{"articles": [{"code": "ŚRUBA № 8", "ilość": Decimal("0.000001")}]}], "picked and renamed of the lines")


if __name__ == "__main__":
    main(test, __doc__)
