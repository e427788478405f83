"""The contract against a second implementation: what our C code writes fastavro must read, and the other way round, also
across versions of a schema. Usage: test_contract.py CONTRACT_DUMP SCHEMAS"""
import copy
import io
import json
import subprocess
import sys
import tempfile
import unittest
from datetime import datetime, timezone
from decimal import Decimal
from pathlib import Path

import fastavro
from fastavro.schema import fingerprint, to_parsing_canonical_form

DUMP, SCHEMAS = sys.argv[1], Path(sys.argv[2])


def moment(ms):
    return datetime.fromtimestamp(ms // 1000, timezone.utc).replace(microsecond=ms % 1000 * 1000)


def schema_of(name):
    return json.loads((SCHEMAS / f"{name}.avsc").read_text())


def decode(schema, data):
    stream = io.BytesIO(data)
    record = fastavro.schemaless_reader(stream, fastavro.parse_schema(copy.deepcopy(schema)), None)
    assert stream.read() == b"", "bytes are left over"
    return record


def encode(schema, record):
    stream = io.BytesIO()
    fastavro.schemaless_writer(stream, fastavro.parse_schema(copy.deepcopy(schema)), record)
    return stream.getvalue()


class Contract(unittest.TestCase):
    maxDiff = None

    def dump(self, *arguments, stdin=b"", code=0):
        done = subprocess.run([DUMP, *arguments], input=stdin, capture_output=True, timeout=60)
        self.assertEqual(done.returncode, code, done.stderr.decode())
        return (done.stdout if code == 0 else done.stderr).decode()

    def written(self, name):
        return [decode(schema_of(name), bytes.fromhex(line)) for line in self.dump("write", name).split()]

    def with_file(self, schema, *arguments, **more):
        with tempfile.NamedTemporaryFile("w", suffix=".avsc") as file:
            json.dump(schema, file)
            file.flush()
            return self.dump(*[file.name if a is None else a for a in arguments], **more)

    def read(self, name, schema, record, code=0):
        lines = self.with_file(schema, "read", name, None, encode(schema, record).hex(), code=code)
        return lines if code else [tuple(line.split("=", 1)) for line in lines.splitlines()]

    def test_outcomes_written_here_are_read_there(self):
        full, empty = self.written("OrderOutcome")
        self.assertEqual(full, {
            "organization": "acme", "orderId": 9007199254740993, "revision": "0123456789abcdef", "publication": moment(1763650991123),
            "round": moment(1763650990000), "withdrawn": True, "warehouse": "MAG-1", "warehouses": ["MAG-1", "MAG-2"],
            "result": "WITHDRAWN", "documentId": "ZK/1", "reason": "Zażółć 😀", "attempts": 3, "at": moment(1763650992000),
            "group": "xsale-erp-MAG-1", "partition": 5, "offset": 4294967296})
        self.assertEqual(empty, {
            "organization": "acme", "orderId": 1, "revision": "fedcba9876543210", "publication": moment(1), "round": None,
            "withdrawn": False, "warehouse": "", "warehouses": [], "result": "REJECTED", "documentId": None, "reason": None,
            "attempts": 0, "at": moment(0), "group": None, "partition": None, "offset": None})

    def test_ledger_rows_written_here_are_read_there(self):
        full, empty = self.written("OrderStatus")
        self.assertEqual(full, {
            "organization": "acme", "orderId": 100123, "revision": "0123456789abcdef", "publication": moment(1763650991123),
            "round": moment(1763650990000), "withdrawn": False, "warehouses": ["MAG-1", "MAG-2"],
            "results": [
                {"warehouse": "MAG-1", "result": "IMPORTED", "documentId": "ZK/1", "reason": None, "attempts": 1, "at": moment(1763650992000)},
                {"warehouse": "MAG-2", "result": "REJECTED", "documentId": None, "reason": "brak towaru", "attempts": 10,
                 "at": moment(1763650993000)}],
            "wanted": "MANUAL", "statusFound": "Nowe", "statusSet": "IMPORTED", "settledAt": moment(1763650994000), "note": "by hand",
            "closed": True, "complete": True})
        self.assertEqual(empty["results"], [])
        self.assertEqual((empty["wanted"], empty["statusSet"], empty["settledAt"], empty["note"]), ("NONE", "NONE", None, None))

    def test_states_written_here_are_read_there(self):
        closed, opened = self.written("OrderState")
        self.assertEqual(closed, {
            "organization": "acme", "orderId": 100123, "revision": "0123456789abcdef", "publication": moment(1763650991123),
            "round": moment(1763650990000), "withdrawn": True, "schemaId": 7, "warehouses": ["MAG-1", "MAG-2"], "state": "CLOSED",
            "at": moment(1763650992000)})
        self.assertEqual((opened["state"], opened["withdrawn"], opened["warehouses"]), ("OPEN", False, []))

    def test_records_written_there_are_read_here(self):
        record = {"organization": "żółw", "orderId": -(2**63), "revision": "r", "publication": moment(5), "round": None, "withdrawn": True,
                  "warehouse": "A", "warehouses": ["A", "B"], "result": "SUPERSEDED", "documentId": None, "reason": "x", "attempts": -1,
                  "at": moment(7), "group": None, "partition": 0, "offset": 2**62}
        self.assertEqual(self.read("OrderOutcome", schema_of("OrderOutcome"), record), [
            ("organization", "żółw"), ("orderId", str(-(2**63))), ("revision", "r"), ("publication", "5"), ("round", "0"),
            ("withdrawn", "1"), ("warehouse", "A"), ("warehouses", "A,B"), ("result", "SUPERSEDED"), ("documentId", "<none>"),
            ("reason", "x"), ("attempts", "-1"), ("at", "7"), ("group", "<none>"), ("partition", "0"), ("offset", str(2**62))])

    def test_blocks_that_tell_their_size_are_read_like_others(self):
        record = {"organization": "acme", "orderId": 1, "revision": "r", "publication": moment(5), "round": moment(4), "withdrawn": False,
                  "schemaId": 3, "warehouses": ["A", "B"], "state": "OPEN", "at": moment(6)}
        data = encode(schema_of("OrderState"), record)
        plain, sized = b"\x04\x02A\x02B\x00", b"\x03\x08\x02A\x02B\x00"
        self.assertEqual(data.count(plain), 1)
        path = str(SCHEMAS / "OrderState.avsc")
        self.assertEqual(self.dump("read", "OrderState", path, data.replace(plain, sized).hex()),
                         self.dump("read", "OrderState", path, data.hex()))
        split = b"\x02\x02A\x01\x04\x02B\x00"
        self.assertIn("warehouses=A,B", self.dump("read", "OrderState", path, data.replace(plain, split).hex()))
        order = encode(schema_of("Order"), self.order()).hex()
        names = b"\x04\x0aMAG-1\x0aMAG-2\x00".hex()
        self.assertEqual(order.count(names), 1)
        path = str(SCHEMAS / "Order.avsc")
        self.assertEqual(self.dump("view", path, order.replace(names, b"\x03\x18\x0aMAG-1\x0aMAG-2\x00".hex())), self.dump("view", path, order))

    def older(self, name, *removed):
        schema = schema_of(name)
        schema["fields"] = [f for f in schema["fields"] if f["name"] not in removed]
        return schema

    def test_an_older_writers_outcome_takes_our_defaults(self):
        schema = self.older("OrderOutcome", "round", "withdrawn", "attempts", "group", "partition", "offset")
        record = {"organization": "acme", "orderId": 1, "revision": "r", "publication": moment(5), "warehouse": "A", "warehouses": [],
                  "result": "IMPORTED", "documentId": "D", "reason": None, "at": moment(7)}
        got = dict(self.read("OrderOutcome", schema, record))
        self.assertEqual((got["round"], got["withdrawn"], got["attempts"], got["group"], got["partition"], got["offset"]),
                         ("0", "0", "0", "<none>", "-1", "-1"))
        self.assertEqual((got["documentId"], got["at"]), ("D", "7"))

    def test_a_field_without_default_must_be_there(self):
        schema = self.older("OrderOutcome", "warehouse")
        record = {"organization": "acme", "orderId": 1, "revision": "r", "publication": moment(5), "warehouses": [], "result": "IMPORTED",
                  "at": moment(7)}
        self.assertIn("warehouse: the writer has no such field", self.read("OrderOutcome", schema, record, code=1))

    def test_a_newer_writers_row_is_resolved(self):
        schema = schema_of("OrderStatus")
        extra = {"name": "extra", "type": {"type": "map", "values": ["null", {"type": "record", "name": "Extra", "fields": [
            {"name": "x", "type": "double"}, {"name": "next", "type": ["null", "Extra"]}]}]}}
        schema["fields"] = [extra] + list(reversed([f for f in schema["fields"] if f["name"] not in ("wanted", "statusSet")]))
        wanted = {"type": "enum", "name": "Wanted", "symbols": ["LATER", "MANUAL", "IMPORTED", "NONE"]}
        schema["fields"] += [{"name": "statusSet", "type": ["null", wanted]}, {"name": "wanted", "type": "Wanted"}]
        results = next(f for f in schema["fields"] if f["name"] == "results")
        results["type"]["items"]["fields"].insert(0, {"name": "took", "type": "float", "default": 0})
        record = {"organization": "acme", "orderId": 8, "revision": "r", "publication": moment(5), "round": moment(4), "withdrawn": False,
                  "warehouses": ["A"], "results": [{"took": 1.5, "warehouse": "A", "result": "REJECTED", "documentId": None,
                                                    "reason": "no", "attempts": 2, "at": moment(3)}],
                  "extra": {"k": {"x": 1.0, "next": {"x": 2.0, "next": None}}, "n": None}, "wanted": "MANUAL", "statusFound": "Nowe",
                  "statusSet": "IMPORTED", "settledAt": moment(9), "note": None, "closed": False, "complete": True}
        self.assertEqual(self.read("OrderStatus", schema, record), [
            ("organization", "acme"), ("orderId", "8"), ("publication", "5"), ("warehouses", "A"), ("results.warehouse", "A"),
            ("results.result", "REJECTED"), ("results.documentId", "<none>"), ("results.reason", "no"), ("results.attempts", "2"),
            ("wanted", "2"), ("statusFound", "Nowe"), ("statusSet", "1"), ("settledAt", "9"), ("closed", "0")])
        record["wanted"] = "LATER"
        self.assertIn("wanted: a symbol that the reader does not know", self.read("OrderStatus", schema, record, code=1))

    def test_a_newer_writers_state_is_resolved(self):
        schema = schema_of("OrderState")
        state = next(f for f in schema["fields"] if f["name"] == "state")
        state["type"]["symbols"] = ["CLOSED", "OPEN"]
        schema["fields"].insert(3, {"name": "why", "type": "bytes"})
        record = {"organization": "acme", "orderId": 8, "revision": "r", "publication": moment(5), "round": moment(4), "withdrawn": False,
                  "schemaId": 3, "warehouses": ["A", "B"], "state": "OPEN", "at": moment(6), "why": b"\0\xff"}
        self.assertEqual(dict(self.read("OrderState", schema, record))["closed"], "0")
        record["state"] = "CLOSED"
        self.assertEqual(dict(self.read("OrderState", schema, record))["closed"], "1")

    def test_smaller_numbers_and_bytes_are_promoted(self):
        schema = schema_of("OrderOutcome")
        types = {"orderId": "int", "publication": "int", "round": ["int", "null"], "offset": "int", "organization": "bytes", "warehouse": "bytes",
                 "reason": ["bytes", "null"], "warehouses": {"type": "array", "items": "bytes"}, "documentId": ["string", "null"]}
        for field in schema["fields"]:
            field["type"] = types.get(field["name"], field["type"])
            field.pop("default", None)
        schema["fields"].sort(key=lambda f: f["name"])
        record = {"organization": "żółw".encode(), "orderId": -7, "revision": "r", "publication": 5, "round": None, "withdrawn": True,
                  "warehouse": b"A", "warehouses": [b"A", b"B"], "result": "IMPORTED", "documentId": "D", "reason": "brak".encode(),
                  "attempts": 2, "at": moment(7), "group": "g", "partition": 3, "offset": 9}
        self.assertEqual(self.read("OrderOutcome", schema, record), [
            ("organization", "żółw"), ("orderId", "-7"), ("revision", "r"), ("publication", "5"), ("round", "0"), ("withdrawn", "1"),
            ("warehouse", "A"), ("warehouses", "A,B"), ("result", "IMPORTED"), ("documentId", "D"), ("reason", "brak"), ("attempts", "2"),
            ("at", "7"), ("group", "g"), ("partition", "3"), ("offset", "9")])
        record["organization"] = b"\xff"
        self.assertIn("UTF-8", self.read("OrderOutcome", schema, record, code=1))
        narrower = copy.deepcopy(schema)
        next(f for f in narrower["fields"] if f["name"] == "attempts")["type"] = "long"
        record["organization"] = b"acme"
        self.assertIn("attempts: long cannot be read as int", self.read("OrderOutcome", narrower, record, code=1))

    def test_a_later_version_of_ours_reads_by_alias_and_default_symbol(self):
        """What was renamed, and a verdict that the reader does not know: as fastavro reads it, for each small record."""
        verdict = {"organization": "acme", "orderId": 1, "revision": "r", "publication": moment(5), "round": moment(4), "withdrawn": False,
                   "warehouses": ["A"], "at": moment(7)}
        records = {
            "OrderOutcome": [dict(verdict, warehouse="A", result=r, documentId="D", reason=None, attempts=3, group=None, partition=1, offset=2)
                             for r in ("IMPORTED", "HELD")],
            "OrderState": [dict(verdict, schemaId=3, state=s) for s in ("OPEN", "HELD")],
            "OrderStatus": [dict(verdict, results=[{"warehouse": "A", "result": "HELD", "documentId": None, "reason": "x", "attempts": 1, "at": moment(3)}],
                                 wanted="MANUAL", statusFound=None, statusSet=s, settledAt=None, note="n", closed=False, complete=True)
                            for s in ("IMPORTED", "HELD")],
        }
        for name, written in records.items():
            writer, reader = schema_of(name), schema_of(name)
            for enum in self.enums(writer):
                enum["symbols"].insert(0, "HELD")
            for enum in self.enums(reader):
                enum["default"] = enum["symbols"][-1]
            reader["name"], reader["aliases"] = name + "V2", [f"xsale.{name}"]
            for field in reader["fields"]:
                field["aliases"] = ["gone", field["name"]]
                field["name"] = "new" + field["name"].capitalize()
            reader["fields"] = reader["fields"][5:] + reader["fields"][:5]
            data = [encode(writer, r) for r in written]
            with tempfile.NamedTemporaryFile("w", suffix=".avsc") as file:
                json.dump(reader, file)
                file.flush()
                lines = self.with_file(writer, "resolve", None, file.name, *[d.hex() for d in data]).split()
            wanted = [fastavro.schemaless_reader(io.BytesIO(d), fastavro.parse_schema(copy.deepcopy(writer)),
                                                 fastavro.parse_schema(copy.deepcopy(reader))) for d in data]
            self.assertEqual([decode(reader, bytes.fromhex(line)) for line in lines], wanted)
            self.assertNotIn("HELD", str(wanted))

    def enums(self, schema):
        if isinstance(schema, list):
            return [e for part in schema for e in self.enums(part)]
        if not isinstance(schema, dict):
            return []
        inner = [schema] if schema.get("type") == "enum" else []
        return inner + [e for key in ("type", "fields", "items") for e in self.enums(schema.get(key))]

    def test_fingerprints_are_the_same(self):
        for path in sorted(SCHEMAS.glob("*.avsc")):
            canonical = to_parsing_canonical_form(json.loads(path.read_text()))
            theirs = bytes.fromhex(fingerprint(canonical, "CRC-64-AVRO"))[::-1].hex()
            self.assertEqual(self.dump("fingerprint", str(path)).strip(), theirs, path.name)

    def order(self, **more):
        record = {"organization": "acme", "orderId": 5, "revision": "0123456789abcdef", "publication": moment(1763650991123),
                  "round": moment(1763650990000), "withdrawn": False, "purchasedAt": moment(1763643791123), "warehouse": "MAG-1",
                  "totalGross": Decimal("99999999999999.9999"), "totalNet": Decimal("-0.0001"), "warehouses": ["MAG-1", "MAG-2"],
                  "fetchedAt": moment(1763650991000), "remarks": "\"\\\u0001\u001f\u007f\u2028😀",
                  "items": [{"itemId": 1, "quantity": Decimal("0.000001"), "articles": [
                      {"code": "A", "quantity": Decimal("123456789012.123456"), "warehouse": "MAG-2"},
                      {"code": "B", "quantity": Decimal("1"), "warehouse": "MAG-1"}]},
                      {"itemId": 2, "quantity": Decimal("2.50"), "articles": []}]}
        record.update(more)
        return record

    def test_the_erp_sees_what_another_writer_wrote(self):
        schema = schema_of("Order")
        data = encode(schema, self.order()).hex()
        text = self.dump("view", str(SCHEMAS / "Order.avsc"), data)
        self.assertIn('"totalGross":99999999999999.9999,', text)
        seen = json.loads(text, parse_float=Decimal)
        self.assertEqual(list(seen), [f["name"] for f in schema["fields"] if f["name"] != "raw"])
        self.assertEqual(seen["totalNet"], Decimal("-0.0001"))
        self.assertEqual(seen["remarks"], "\"\\\u0001\u001f\u007f\u2028😀")
        self.assertEqual((seen["publication"], seen["purchasedAt"]), (1763650991123, "2025-11-20T13:03:11.123Z"))
        self.assertEqual([(i["quantity"], [a["quantity"] for a in i["articles"]]) for i in seen["items"]],
                         [(Decimal("0.000001"), [Decimal("123456789012.123456"), 1]), (Decimal("2.5"), [])])
        part = json.loads(self.dump("view", str(SCHEMAS / "Order.avsc"), data, "MAG-2"), parse_float=Decimal)
        self.assertEqual([[a["code"] for a in i["articles"]] for i in part["items"]], [["A"]])

    def test_the_erp_sees_a_newer_writers_fields_too(self):
        schema = schema_of("Order")
        schema["fields"].insert(4, {"name": "channel", "type": {"type": "record", "name": "Channel", "fields": [
            {"name": "ratio", "type": "double"}, {"name": "since", "type": {"type": "int", "logicalType": "date"}}]}})
        record = self.order(channel={"ratio": 0.1, "since": datetime(2026, 11, 20).date()})
        seen = json.loads(self.with_file(schema, "view", None, encode(schema, record).hex()))
        self.assertEqual(seen["channel"], {"ratio": 0.1, "since": "2026-11-20"})

    def test_an_order_encoded_here_is_the_source_to_the_last_digit(self):
        source = """{"Id": 100123, "Number": "ZAM/1", "ForeignNumber": "", "StatusId": 1, "StatusName": "Nowe", "IntegrationId": 7,
          "PurchaseDate": "2026-11-20T14:03:11", "Currency": "PLN", "TotalNet": 99999999999999.9999, "TotalGross": 100.10, "PaymentFormId": 3,
          "DeliveryPriceGross": 0.07, "Remarks": "Zażółć \\ud83d\\ude00", "WarehouseCode": "MAG-1", "Unknown": {"x": [12345678901234567890]},
          "Buyer": {"Id": 501, "Name": "Gżegżółka", "NIP": "5252248481"}, "Recipient": null,
          "Items": [{"Id": 1, "Name": "Zestaw", "Quantity": 1e1, "PriceNet": -0.0001, "VatRate": 23, "OrderItemArticles": [
            {"ArticleId": 4001, "Code": "M-1", "Quantity": 2.500000, "WarehouseCode": "MAG-2"}, {"Code": "M-2", "Quantity": "0.000001"}]},
            {"Id": 2, "Quantity": 3, "OrderItemArticles": null}]}""".encode()
        got = decode(schema_of("Order"), bytes.fromhex(self.dump("order", str(SCHEMAS / "Order.avsc"), stdin=source)))
        self.assertEqual((got["organization"], got["orderId"], got["number"], got["foreignNumber"]), ("acme", 100123, "ZAM/1", None))
        self.assertEqual((got["publication"], got["round"], got["fetchedAt"]),
                         (moment(1763650991123), moment(1763650990000), moment(1763650991000)))
        self.assertRegex(got["revision"], "^[0-9a-f]{16}$")
        self.assertEqual(got["purchasedAt"], datetime(2026, 11, 20, 13, 3, 11, tzinfo=timezone.utc))
        self.assertEqual((got["totalNet"], got["totalGross"], got["delivery"]["priceGross"]),
                         (Decimal("99999999999999.9999"), Decimal("100.10"), Decimal("0.07")))
        self.assertEqual((got["remarks"], got["buyer"]["name"], got["buyer"]["taxId"], got["recipient"]),
                         ("Zażółć 😀", "Gżegżółka", "5252248481", None))
        first, second = got["items"]
        self.assertEqual((first["quantity"], first["priceNet"], first["vatRate"]), (Decimal(10), Decimal("-0.0001"), "23"))
        self.assertEqual([(a["code"], a["quantity"], a["warehouse"]) for a in first["articles"]],
                         [("M-1", Decimal("2.5"), "MAG-2"), ("M-2", Decimal("0.000001"), "MAG-1")])
        self.assertEqual((second["itemId"], second["quantity"], second["articles"]), (2, Decimal(3), []))
        self.assertEqual(got["warehouses"], ["MAG-1", "MAG-2"])
        self.assertEqual(got["raw"], source)


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1])
