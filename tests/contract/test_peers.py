"""Our encoder and view against everyone else's Avro, over 10,000 orders. What each order must become is computed by oracle.py; then
 - our bytes are those that avro-c, fastavro, avsc (npm), Apache Avro for Java and confluent-kafka-python write,
 - our bytes mean the same to all of them, also to readers with an older or a newer schema,
 - what they write means the same to us, by an older, a newer and a foreign schema.
Usage: test_peers.py TRANSCODER SCHEMAS [--registry real] [--orders N]. Needs build/venv and build/peers, which tests/run makes; without them it fails."""
import argparse
import base64
import copy
import io
import json
import os
import struct
import subprocess
import sys
import tempfile
import unittest
from decimal import Decimal
from pathlib import Path

import fastavro

import hostile
import oracle

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
PEERS = ROOT / "build" / "peers"
FEWER, SEED = 500, 20261120
options = argparse.ArgumentParser()
options.add_argument("transcoder")
options.add_argument("schemas", type=Path)
options.add_argument("--registry", choices=["sim", "real"], default="sim")
options.add_argument("--orders", type=int, default=10000)
OPTIONS = options.parse_args()
sys.path[:0] = [str(HERE.parent / "sim"), str(HERE.parent / "services")]

NODE = ["node", "--max-old-space-size=1500", str(HERE / "peer.mjs")]
JAVA = ["java", "-Xmx512m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-Dfile.encoding=UTF-8", "-cp"]       # and the class path


def current():
    return json.loads((OPTIONS.schemas / "Order.avsc").read_text())


def record_of(schema, name):
    """A named record inside a schema."""
    if isinstance(schema, dict):
        if schema.get("name") == name and "fields" in schema:
            return schema
        return next((r for v in schema.values() if (r := record_of(v, name))), None)
    return next((r for v in schema if (r := record_of(v, name))), None) if isinstance(schema, list) else None


def older():
    """As an earlier version may have been: without some fields, all of them with defaults today."""
    s = current()
    for record, gone in ((s, {"payment", "delivery", "remarks", "foreignNumber", "raw"}), (record_of(s, "Item"), {"variantId", "vatRate"}),
                         (record_of(s, "Article"), {"ean"}), (record_of(s, "Contractor"), {"taxId"})):
        record["fields"] = [f for f in record["fields"] if f["name"] not in gone]
    return s


def decimal_type(precision, scale):
    return {"type": "bytes", "logicalType": "decimal", "precision": precision, "scale": scale}


def newer():
    """As a user extends it: fields of an account's own in several places, of every type that can be mapped."""
    s = current()
    shop = {"type": "record", "name": "Shop", "fields": [
        {"name": "url", "type": ["string", "null"], "default": "none", "xsale": ["/Url"]},
        {"name": "since", "type": ["null", {"type": "long", "logicalType": "timestamp-millis"}], "default": None, "xsale": ["/Since"]}]}
    priority = {"type": "enum", "name": "Priority", "symbols": ["NORMAL", "LOW", "HIGH"], "default": "NORMAL"}
    s["fields"][2:2] = [
        {"name": "deliveryDate", "type": ["null", {"type": "int", "logicalType": "date"}], "default": None, "xsale": ["/DeliveryDate"]},
        {"name": "priority", "type": priority, "default": "NORMAL", "xsale": ["/Priority"], "symbols": {"Pilne": "HIGH", "zwykłe ✓": "NORMAL"}},
        {"name": "packages", "type": "int", "default": 1, "xsale": ["/Packages"]}]
    s["fields"] += [
        {"name": "tags", "type": {"type": "array", "items": ["null", "string"]}, "default": [], "xsale": ["/Labels", "/Tags"]},
        {"name": "deposits", "type": {"type": "array", "items": ["null", decimal_type(9, 2)]}, "default": [], "xsale": ["/Deposits"]},
        {"name": "shop", "type": ["null", shop], "default": None, "xsale": ["/Shop"]},
        {"name": "note", "type": "string", "default": "żółć"}]
    record_of(s, "Item")["fields"].insert(0, {"name": "gift", "type": "boolean", "default": False, "xsale": ["/Gift"]})
    record_of(s, "Article")["fields"].append({"name": "margin", "type": decimal_type(38, 10), "default": "\u0000", "xsale": ["/Margin"]})
    return s


def foreign():
    """As another program may write orders: other order of fields, other branches first, types that no order of ours has."""
    s = newer()
    for f in s["fields"]:
        if isinstance(f["type"], list) and f["type"][0] == "null" and f["name"] not in ("buyer",):
            f["type"].reverse()
            f.pop("default", None)
    s["fields"] = [f for f in s["fields"] if f["name"] not in ("recipient", "payer")] + [
        {"name": "weights", "type": {"type": "map", "values": ["null", "double"]}},
        {"name": "ratio", "type": "float"}, {"name": "checksum", "type": {"type": "fixed", "name": "Checksum", "size": 4}},
        {"name": "signature", "type": "bytes"}]
    s["fields"].reverse()
    return s


def foreign_values(record, n):
    if n % 2:      # an enum, whatever the order says
        record["priority"] = "LOW"
    return dict(record, weights={"brutto": n / 8, "ż": None} if n % 3 else {}, ratio=n / 4, checksum=base64.b64encode(struct.pack(">I", n)).decode(),
                signature=base64.b64encode(bytes(range(n % 256))).decode())


def stamp(n):
    """The same as stamp_of in transcoder.c."""
    publication = 1763650991123 + n * 7919
    return {"organization": "acme" if n % 3 else "żółw", "publication": str(publication), "round": str(publication - n % 2 * 86400000),
            "fetchedAt": str(publication - 1), "withdrawn": n % 7 == 0, "keep": n % 2 == 0}


def frames(items):
    return b"".join(struct.pack(">I", len(b)) + b for b in items)


def unframe(data):
    out, at = [], 0
    while at < len(data):
        n, = struct.unpack_from(">I", data, at)
        out.append(data[at + 4:at + 4 + n])
        at += 4 + n
    return out


def lines(values):
    return b"".join(json.dumps(v, ensure_ascii=False).encode() + b"\n" for v in values)


def difference(a, b):
    """Where two values differ first, and how."""
    if isinstance(a, dict) and isinstance(b, dict):
        if list(a) != list(b):
            return f": members {sorted(set(a) ^ set(b)) or list(a)}"
        return next(f"/{k}{difference(a[k], b[k])}" for k in a if a[k] != b[k])
    if isinstance(a, list) and isinstance(b, list) and len(a) == len(b):
        return next(f"/{i}{difference(x, y)}" for i, (x, y) in enumerate(zip(a, b)) if x != y)
    return f": {a!r:.500} is not {b!r:.500}"


class Avro:
    """fastavro with one schema."""

    def __init__(self, schema):
        self.raw, self.names = schema, oracle.Names(schema).root
        self.parsed = fastavro.parse_schema(copy.deepcopy(schema))

    def encode(self, value):
        out = io.BytesIO()
        fastavro.schemaless_writer(out, self.parsed, oracle.typed(self.names, value))
        return out.getvalue()

    def decode(self, data, reader=None):
        stream = io.BytesIO(data)
        value = fastavro.schemaless_reader(stream, self.parsed, reader.parsed if reader else None)
        assert stream.read() == b"", "bytes are left over"
        return oracle.plain((reader or self).names, value)


class Corpus:
    """Orders, what they must become by a schema, and what our encoder makes of them."""

    def __init__(self, name, schema, texts):
        self.avro, self.path = Avro(schema), f"{DIRECTORY}/{name}.avsc"
        Path(self.path).write_text(json.dumps(schema))
        self.texts, self.ours = texts, unframe(run([OPTIONS.transcoder, "encode", self.path], frames(texts)))
        self.exact = Avro(oracle.shortest(schema))
        mapping, lasting = oracle.Oracle(schema), Avro(oracle.shortest(dict(schema, fields=[f for f in schema["fields"] if not f.get("volatile")])))
        self.wanted = []
        for n, text in enumerate(texts):
            record = mapping.order(text.strip(), dict(stamp(n), revision=""))
            record["revision"] = oracle.revision(lasting, record)
            self.wanted.append({f["name"]: record[f["name"]] for f in self.avro.names["fields"]})


def run(command, data=b""):
    done = subprocess.run(command, input=data, capture_output=True, timeout=100, env=dict(os.environ, PEERS=str(PEERS)))
    if done.returncode != 0:
        raise AssertionError(f"{Path(command[0]).name} {command[-3:]}: {done.stderr.decode()[-2000:]}")
    return done.stdout


class Peers(unittest.TestCase):
    maxDiff = 4000

    def same(self, found, wanted):
        """Lists of records; the words name the first that differs."""
        self.assertEqual(len(found), len(wanted))
        for n, (a, b) in enumerate(zip(found, wanted)):
            if a != b:
                self.fail(f"order {n}{difference(a, b)}")

    def each(self, data, command, wanted):
        self.same([json.loads(line) for line in run(command, data).splitlines()], wanted)

    def theirs(self, path, avro, values):
        """The same records by three writers."""
        text = lines(values)
        return {"fastavro": [avro.encode(v) for v in values], "avsc": unframe(run([*NODE, "write", path], text)),
                "Java, blocks": unframe(run([*JAVA, "blocks", path], text))}

    def seen(self, writer, avro, records, wanted, view=None):
        """What the ERP sees of records."""
        documents = unframe(run([OPTIONS.transcoder, "view", writer, *([view] if view else [])], frames(records)))
        self.same([json.loads(d, parse_float=Decimal) for d in documents], wanted)


class TenThousand(Peers):
    @classmethod
    def setUpClass(cls):
        cls.corpus = Corpus("Order", current(), hostile.orders(OPTIONS.orders, SEED))

    def test_avro_c_writes_the_same_and_fastavro_reads_and_writes_the_same(self):
        # avro-c: transcoder compares, record by record.
        c = self.corpus
        self.same([c.avro.decode(b) for b in c.ours], c.wanted)
        self.same([c.exact.encode(v) for v in c.wanted], c.ours)

    def test_avsc_reads_and_writes_the_same(self):
        c = self.corpus
        self.each(frames(c.ours), [*NODE, "read", c.path], c.wanted)
        self.same(unframe(run([*NODE, "write", c.path], lines(c.wanted))), c.ours)

    def test_java_reads_and_writes_the_same(self):
        c = self.corpus
        self.each(frames(c.ours), [*JAVA, "read", c.path], c.wanted)
        self.same(unframe(run([*JAVA, "write", c.path], lines(c.wanted))), c.ours)

    def test_confluent_kafka_reads_and_writes_the_same_through_the_registry(self):
        from confluent_kafka.schema_registry import SchemaRegistryClient
        from confluent_kafka.schema_registry.avro import AvroDeserializer, AvroSerializer
        from confluent_kafka.serialization import MessageField, SerializationContext
        c, where = self.corpus, SerializationContext("xsale.orders", MessageField.VALUE)
        client = SchemaRegistryClient({"url": registry()})
        write, read = AvroSerializer(client, json.dumps(c.avro.raw)), AvroDeserializer(client)
        theirs = [write(oracle.typed(c.avro.names, v), where) for v in c.wanted]
        self.same([oracle.plain(c.avro.names, read(t[:5] + b, where)) for t, b in zip(theirs, c.ours)], c.wanted)
        self.seen(c.path, c.avro, [t[5:] for t in theirs], [oracle.view(c.avro.names, v) for v in c.wanted])

    def test_the_erp_sees_each_value_exactly(self):
        c = self.corpus
        self.seen(c.path, c.avro, c.ours, [oracle.view(c.avro.names, v) for v in c.wanted])


class Versions(Peers):
    @classmethod
    def setUpClass(cls):
        texts = hostile.orders(FEWER, SEED + 1)
        cls.corpora = {name: Corpus(name, make(), texts) for name, make in (("current", current), ("older", older), ("newer", newer))}

    def test_every_version_of_ours_is_read_by_every_other_version_of_theirs(self):
        for writer, reader in (("older", "current"), ("older", "newer"), ("current", "newer"), ("current", "older"), ("newer", "current"),
                               ("newer", "older"), ("newer", "newer")):
            w, r = self.corpora[writer], self.corpora[reader]
            wanted = [oracle.resolved(r.avro.names, w.avro.names, v) for v in w.wanted]
            with self.subTest(writer=writer, reader=reader):
                self.same([w.avro.decode(b, r.avro) for b in w.ours], wanted)
                self.each(frames(w.ours), [*NODE, "read", w.path, r.path], wanted)
                self.each(frames(w.ours), [*JAVA, "read", w.path, r.path], wanted)

    def test_what_they_write_by_any_version_is_seen_through_any_other_by_us(self):
        for writer in self.corpora:
            w = self.corpora[writer]
            for peer, records in self.theirs(w.path, w.avro, w.wanted).items():
                if peer == "avsc":
                    self.same(records, w.ours)
                for reader in self.corpora:
                    r = self.corpora[reader]
                    wanted = [oracle.view(r.avro.names, oracle.resolved(r.avro.names, w.avro.names, v), raw=True) for v in w.wanted]
                    with self.subTest(writer=writer, reader=reader, peer=peer):
                        self.seen(w.path, w.avro, records, wanted, r.path)

    def test_what_they_write_by_a_foreign_schema_is_seen_by_us(self):
        path, avro, newest = f"{DIRECTORY}/foreign.avsc", Avro(foreign()), self.corpora["newer"]
        Path(path).write_text(json.dumps(avro.raw))
        values = [foreign_values(v, n) for n, v in enumerate(copy.deepcopy(newest.wanted))]
        values = [{f["name"]: v[f["name"]] for f in avro.names["fields"]} for v in values]
        through = self.corpora["current"].avro.names
        for peer, records in self.theirs(path, avro, values).items():
            with self.subTest(peer=peer):
                self.seen(path, avro, records, [oracle.view(avro.names, v) for v in values])
                self.seen(path, avro, records, [oracle.view(through, oracle.resolved(through, avro.names, v), raw=True) for v in values],
                          self.corpora["current"].path)


def registry():
    if OPTIONS.registry == "real":
        import services
        service = services.Registry()
    else:
        from simulator import Simulator
        service = Simulator("registry")
    unittest.addModuleCleanup(service.close)
    return service.url


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as DIRECTORY:
        run(["javac", "-encoding", "UTF-8", "-cp", f"{PEERS}/java/*", "-d", DIRECTORY, str(HERE / "Peer.java")])
        JAVA += [f"{DIRECTORY}:{PEERS}/java/*", "Peer"]
        unittest.main(argv=sys.argv[:1])
