"""Orders that cannot become a record, pages that are cut, garbage on the topics: the rest goes on, and every reason can be found."""
import base64

from avro_bytes import varint
from harness import IMPORTED, MANUAL, NEW, check, equal, main, wait

GOOD = ('{"Id": %d, "StatusId": @STATUS_ID@, "StatusName": @STATUS_NAME@, "PurchaseDate": "2026-11-20", "WarehouseCode": "MAG-1", '
        '"TotalGross": 1.00, "Items": [{"Id": 1, "Quantity": 1, "OrderItemArticles": [{"Code": "A", "Quantity": 1}]}]}')
# order id -> (what is replaced, by what, pointer or word that the reason must name)
BAD = {
    1: ('"PurchaseDate": "2026-11-20"', '"Else": 1', "/PurchaseDate"),
    2: ('"TotalGross": 1.00', '"TotalGross": 1.00001', "/TotalGross"),
    3: ('"TotalGross": 1.00', '"TotalGross": "one"', "/TotalGross"),
    4: ('"Quantity": 1,', '"Quantity": [],', "/Quantity"),
    5: ('[{"Id": 1, "Quantity": 1, "OrderItemArticles": [{"Code": "A", "Quantity": 1}]}]', '[]', "/Items"),
    6: ('"MAG-1"', '"MAG-9"', "MAG-9"),
    7: ('"WarehouseCode": "MAG-1"', '"WarehouseCode": null', "warehouse"),
    8: ('"TotalGross": 1.00', '"TotalGross": 1.00, "TotalGross": 2.00', "/TotalGross"),
    9: ('"PurchaseDate": "2026-11-20"', '"PurchaseDate": "yesterday"', "/PurchaseDate"),
    10: ('"Code": "A"', '"Code": {}', "/Code"),
    11: ('"TotalGross": 1.00', '"TotalGross": 1.00, "Remarks": "\\ud800"', "/Remarks"),
    12: ('"TotalGross": 1.00', '"TotalGross": 1.00, "Buyer": 5', "/Buyer"),
}


def malformed(s):
    """key -> (bytes on the topic, headers, word of the reason): an order for MAG-1 alone that somebody's program wrote wrongly."""
    real = next(r for r in s.records("orders", decode=False) if r.headers["warehouses"] == b"MAG-1")
    frame, avro, headers = real.bytes[:5], real.bytes[5:], list(real.headers.items())
    names, organization = b"\x02\x0aMAG-1\x00", b"\x08acme"
    at = avro.rfind(names)          # behind the lines, whose articles name it too
    check(avro.startswith(organization) and at > 0, "the record is laid out as expected")
    rest = avro[len(organization):]
    list_of = lambda block: avro[:at] + block + avro[at + len(names):]
    cases = {"length": (varint(2 ** 62) + rest, "organization"), "longest": (varint(2 ** 63 - 1) + rest, "organization"),
             "negative": (varint(-1) + rest, "organization"), "endless": (b"\xff" * 11 + rest, "organization"),
             "utf8": (b"\x08ac\xffe" + rest, "organization"), "count": (list_of(varint(2 ** 62)), "warehouses"),
             "least": (list_of(varint(-2 ** 63) + varint(8)), "warehouses"), "size": (list_of(varint(-1) + varint(2 ** 62) + b"\x0aMAG-1\x00"), "warehouses"),
             "cut": (avro[:-9], ""), "more": (avro + b"\0", "left over"), "empty": (b"", "organization")}
    made = {f"acme/{900 + n}": (frame + value, headers, word) for n, (value, word) in enumerate(cases.values())}
    made["acme/950"] = (b"\1" + real.bytes[1:], headers, "first byte")
    made["acme/951"] = (real.bytes[:4], headers, "")
    return made


def test(s):
    ids = s.generate(150)
    texts = {}
    for number, (what, by, _) in BAD.items():
        good = GOOD % number
        check(what in good, f"case {number} replaces something")
        texts[number] = good.replace(what, by, 1).encode()
        s.xsale.post(f"orders/{number}/raw", texts[number])
    s.xsale.post("orders/14/raw", (GOOD % 14).replace('"Id": 14', '"Id": "x"', 1).encode())     # no usable id: nobody to tell
    s.xsale.fault("cut", "GET /acme/orders$", skip=1, count=2)
    s.xsale.fault("length", "GET /acme/orders$", skip=4, count=1)
    s.xsale.fault("html", "GET /acme/orders$", skip=5, count=1)
    s.start()
    wait("everything but the order without id left the new status", 90, lambda: s.all_alive() and s.xsale.get("counts")[NEW] == 1, 0.2)
    statuses = s.statuses()
    equal({i: statuses[i] for i in BAD if statuses[i] != MANUAL}, {}, "bad orders that are not in the manual status")
    s.verify(ids, changes={})

    rejected = {r.value["orderId"]: r.value for r in s.records("order-outcomes") if r.value["result"] == "REJECTED"}
    equal(sorted(rejected), sorted(BAD), "REJECTED outcomes")
    for number, (_, _, word) in BAD.items():
        reason = rejected[number]["reason"] or ""
        check(word in reason, f"the reason of order {number} does not name {word}: {reason!r}")
        equal(rejected[number]["warehouse"], "", "whose verdict")
    new = next(int(k) for k, v in s.xsale.get("statuses").items() if v == NEW)
    sources = {int(k): base64.b64decode(v) for k, v in s.xsale.get(f"sources?status={new}").items()}
    dlq = {r.key: r for r in s.records("orders-dlq", decode=False)}
    for number in BAD:
        equal(dlq[f"acme/{number}"].bytes, sources[number], f"bytes of order {number} in the DLQ")
    nobody = [r for k, r in dlq.items() if k.startswith("acme/?")]
    equal([r.bytes for r in nobody], [sources[14]], "DLQ record of the order without id")
    equal(len(s.records("orders-dlq", decode=False)), len(BAD) + 1, "records in the DLQ, each once")

    # A good order that comes again as a bad one: no warehouse is waited for, so the producer forgets it in the end.
    s.xsale.post("orders/15/raw", (GOOD % 15).encode())
    wait("the good order is imported", 60, lambda: s.statuses()[15] == IMPORTED)
    s.xsale.post("orders/15/raw", (GOOD % 15).replace('"TotalGross": 1.00', '"TotalGross": "one"', 1).encode())
    wait("the bad one is in the manual status", 60, lambda: s.statuses()[15] == MANUAL)
    wait("the producer forgot it", 60, lambda: not [r for r in s.records("order-state", decode=False) if r.key == "acme/15"][-1].bytes)
    row = [r.value for r in s.records("order-status") if r.key == "acme/15"][-1]
    check(row["closed"] and row["complete"], f"the ledger's row is not complete: {row}")

    # Garbage on the topics: to the DLQ, the partition goes on.
    before = len(s.records("orders-dlq", decode=False))
    real = s.records("orders", decode=False)[0]
    garbage = [(b"acme/1", b"garbage"), (None, b""), (b"no key of ours", b"\0" * 40), (b"acme/77", real.bytes[:5] + b"\xff" * 60),
               (b"acme/78", real.bytes[:len(real.bytes) // 2]), (b"acme/79", None)]
    for partition in (0, 1):
        for key, value in garbage:
            s.produce("orders", key, value, list(real.headers.items()), partition=partition)
    evil = malformed(s)
    for key, (value, headers, _) in evil.items():
        s.produce("orders", key, value, headers, partition=0)
    s.produce("order-outcomes", b"acme/100001", b"\0\0\0\0\1garbage", partition=0)
    s.produce("order-outcomes", b"acme/100001", b"", partition=0)
    more = s.generate(60, first=200002)
    wait("the orders behind the garbage left the new status", 60, lambda: s.all_alive() and s.xsale.get("counts")[NEW] == 1, 0.2)
    equal({i for i in more if s.statuses()[i] != IMPORTED}, set(), "orders behind the garbage")
    check(len(s.records("orders-dlq", decode=False)) > before, "garbage reached the DLQ")
    wait("a verdict about each order that somebody wrote wrongly", 60, lambda: set(evil) <= {r.key for r in s.records("order-outcomes", decode=False)}, 0.5)
    said, letters = {}, {r.key: r.bytes for r in s.records("orders-dlq", decode=False)}
    for r in s.records("order-outcomes", decode=False):
        if r.key in evil:
            said.setdefault(r.key, []).append(s.decode(r.bytes))
    for key, (value, _, word) in evil.items():
        found = said.get(key, [])
        equal([(o["warehouse"], o["result"]) for o in found], [("MAG-1", "REJECTED")], f"outcomes of {key}")
        check(word in found[0]["reason"], f"the reason of {key} does not name {word!r}: {found[0]['reason']!r}")
        equal(letters.get(key), value, f"bytes of {key} in the DLQ")
    s.stop()


if __name__ == "__main__":
    main(test, __doc__)
