"""Records on `orders`, decoded by fastavro, equal the simulator's source text to the last digit; so does the JSON that the ERP was sent."""
import base64
import datetime
import json
import zoneinfo
from decimal import Decimal

from harness import check, equal, main

WARSAW = zoneinfo.ZoneInfo("Europe/Warsaw")
TRICKY = ('{"Id": 900001, "StatusId": @STATUS_ID@, "StatusName": @STATUS_NAME@, "PurchaseDate": "2026-10-25T02:30:00", "Currency":"PLN",'
          '"TotalNet":0.07,"TotalGross":99999999999999.9999,"IntegrationId":null,"Number":"\\u017b\\u00f3\\u0142\\u0107 \\ud83d\\ude00","ForeignNumber":123456789012345678901234567890,'
          '"Remarks":"","Buyer":null,"Huge":123456789012345678901234567890.5e3, "WarehouseCode":"MAG-2",'
          '"Items":[{"Id":9223372036854775807,"Quantity":"2.500000","PriceNet":1e2,"PriceGross":-0.0100,"VatRate":"zw","OrderItemArticles":null},'
          '{"Id":2,"Quantity":0.000001,"PriceNet":19.99,"PriceGross":100.10,"VatRate":23.0,"OrderItemArticles":[{"Code":"A","Quantity":1.10,"WarehouseCode":"MAG-1"}]}]}')


def moment(value):
    if value is None:
        return None
    t = datetime.datetime.fromisoformat(value.replace("Z", "+00:00"))
    return t if t.tzinfo else t.replace(tzinfo=WARSAW)


def number(value):
    """A number of the source as the exact decimal that its text says; numbers in texts count as numbers, empty texts as none."""
    return None if value is None or value == "" else Decimal(str(value))


def text(value):
    return None if value is None or value == "" else str(value)


CONTRACTOR = {"contractorId": "Id", "name": "Name", "taxId": "NIP", "email": "Email", "phone": "Phone", "street": "Street",
              "streetNumber": "StreetNumber", "zipCode": "ZipCode", "city": "City", "country": "Country"}
TEXTS = {"number": "Number", "foreignNumber": "ForeignNumber", "statusName": "StatusName", "currency": "Currency", "remarks": "Remarks"}


def compare(record, source, raw):
    """One decoded record against the parsed source (numbers as Decimal or exact text)."""
    i = source["Id"]
    same = lambda found, wanted, what: equal(found, wanted, f"order {i}: {what}")
    same(record["raw"], raw, "raw bytes")
    same(record["orderId"], int(i), "orderId")
    same(record["statusId"], int(source["StatusId"]), "statusId")
    for field, name in TEXTS.items():
        same(record[field], text(source.get(name)), field)
    for field, name in (("totalNet", "TotalNet"), ("totalGross", "TotalGross")):
        same(record[field], number(source.get(name)), field)
    same(record["purchasedAt"], moment(source["PurchaseDate"]).astimezone(datetime.timezone.utc), "purchasedAt")
    same((record["delivery"] or {}).get("priceGross"), number(source.get("DeliveryPriceGross")), "delivery price")
    same((record["payment"] or {}).get("status"), text(source.get("PaymentStatus")), "payment status")
    for field, name in (("buyer", "Buyer"), ("recipient", "Recipient"), ("payer", "Payer")):
        wanted = source.get(name)
        found = record[field]
        same(found is None, wanted is None, field)
        for f, n in CONTRACTOR.items() if wanted else ():
            same(text(found[f]), text(wanted.get(n)), f"{field}.{f}")
    same(len(record["items"]), len(source["Items"]), "number of items")
    for item, line in zip(record["items"], source["Items"]):
        same(item["itemId"], int(line["Id"]), "item id")
        same(item["quantity"], number(line["Quantity"]), "item quantity")
        same(item["priceNet"], number(line["PriceNet"]), "price net")
        same(item["priceGross"], number(line["PriceGross"]), "price gross")
        same(item["vatRate"], text(line["VatRate"]), "VAT rate")
        same(item.get("name"), text(line.get("Name")), "item name")
        articles = line.get("OrderItemArticles") or []
        same(len(item["articles"]), len(articles), "number of articles")
        for a, b in zip(item["articles"], articles):
            same((a["code"], a["name"], a["ean"]), (b["Code"], text(b.get("Name")), text(b.get("EAN"))), "article")
            same(a["quantity"], number(b["Quantity"]), "article quantity")
            same(a["warehouse"], b.get("WarehouseCode") or source.get("WarehouseCode"), "article warehouse")


class Verbatim(str):
    """A JSON number kept as its text."""


def parse(raw):
    return json.loads(raw, parse_float=Verbatim, parse_int=Verbatim)


def test(s):
    ids = s.generate(300, pad=4700)
    s.xsale.post("orders/900001/raw", TRICKY.encode())
    s.start(s.producer, *s.consumers)
    s.start(s.updater)
    s.settled(120)
    new = next(int(k) for k, v in s.xsale.get("statuses").items() if v == "Nowe")
    sources = {int(k): base64.b64decode(v) for k, v in s.xsale.get(f"sources?status={new}").items()}
    records = s.records("orders")
    equal(sorted(r.value["orderId"] for r in records), sorted(ids + [900001]), "orders published")
    revisions, ids_of_schemas = set(), set()
    for r in records:
        v = r.value
        compare(v, parse(sources[v["orderId"]]), sources[v["orderId"]])
        equal(r.headers["revision"].decode(), v["revision"], "header revision")
        equal(int(r.headers["publication"]), int(v["publication"].timestamp() * 1000 + 0.5), "header publication")
        equal(r.headers["organization"], b"acme", "header organization")
        equal(r.headers["warehouses"].decode().split(","), v["warehouses"], "header warehouses")
        check("traceparent" in r.headers and "schema" in r.headers, "headers traceparent and schema")
        equal(v["warehouses"], sorted(v["warehouses"]), "warehouses are sorted")
        equal(v["publication"], v["round"], "round of a first publication")
        revisions.add(v["revision"])
        ids_of_schemas.add(r.bytes[:5])
    equal(len(revisions), len(records), "distinct revisions")
    equal(len(ids_of_schemas), 1, "schema ids")

    tricky = next(r.value for r in records if r.value["orderId"] == 900001)
    equal(tricky["number"], "Żółć 😀", "escaped text")
    equal(str(tricky["totalGross"]), "99999999999999.9999", "eighteen digits")
    equal(tricky["items"][0]["priceGross"], Decimal("-0.01"), "negative amount")
    equal(tricky["items"][1]["quantity"], Decimal("0.000001"), "smallest quantity")
    equal(tricky["warehouses"], ["MAG-1", "MAG-2"], "warehouses of lines without articles")

    for d in s.erp.get("documents?body=1"):
        body = json.loads(d["body"], parse_float=Verbatim, parse_int=Verbatim)
        source = parse(sources[d["orderId"]])
        equal(number(body["totalGross"]), number(source["TotalGross"]), f"order {d['orderId']}: total at the ERP")
        check("raw" not in body, "raw bytes are not sent to the ERP")
        lines = {i["Id"]: i for i in source["Items"]}
        for item in body["items"]:
            line = lines[item["itemId"]]
            equal(number(item["priceGross"]), number(line["PriceGross"]), f"order {d['orderId']}: price at the ERP")
            own = [a for a in line.get("OrderItemArticles") or [] if a["WarehouseCode"] == d["warehouse"]]
            equal([(a["code"], number(a["quantity"])) for a in item["articles"]], [(a["Code"], number(a["Quantity"])) for a in own],
                  f"order {d['orderId']}: articles at the ERP of {d['warehouse']}")
    s.stop()


if __name__ == "__main__":
    main(test, __doc__)
