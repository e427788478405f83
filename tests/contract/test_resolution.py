"""Schema resolution against a second implementation: random schemas, a random later version of each, random records; fastavro reading with both schemas is
the oracle. Usage: test_resolution.py RESOLVE_DUMP

Where fastavro departs from the Avro specification (1.11) the generator stays away, and the tests at the end say what we do instead:
- it hands a default out as it stands in the schema: bytes as text, members left out of a record's default not filled in (see conform());
- it keeps a promoted integer exact where the reader's type is float (see conform());
- it decides by the data: a record that can never be read passes while no such record occurs (so an array here is never empty);
- a decimal of another scale is read as if it were of the writer's, and whether bytes are a decimal is the writer's
  to say (Elsewhere);
- named types match by name whatever their kind;
- in a reader's union the first branch that matches wins, even by promotion, over one of the very same type behind it (so no string and bytes in one union);
- of two writer's fields, one with the reader's name and one with its alias, it takes the one that comes first."""
import copy
import io
import json
import random
import struct
import subprocess
import sys
import unittest
from decimal import Decimal

import fastavro

DUMP = sys.argv[1]
PAIRS, RECORDS, SEED = 3000, 2, 20261124
PRIMITIVES = ["null", "boolean", "int", "long", "float", "double", "bytes", "string"]
PROMOTIONS = {"int": ["long", "float", "double"], "long": ["float", "double"], "float": ["double"], "string": ["bytes"], "bytes": ["string"]}


def kind(schema):
    return "union" if isinstance(schema, list) else schema["type"] if isinstance(schema, dict) else schema


class Maker:
    """Schemas without names used twice, so that a part may be changed alone."""

    def __init__(self, rng):
        self.rng, self.names = rng, 0

    def name(self, letter):
        self.names += 1
        return f"{letter}{self.names}"

    def type(self, depth, union=True):
        choice = self.rng.random()
        if depth > 3 or choice < 0.45:
            return self.rng.choice(PRIMITIVES[1:])
        if choice < 0.52:
            return {"type": "enum", "name": self.name("E"), "symbols": self.rng.sample("ABCDEF", self.rng.randint(1, 4))}
        if choice < 0.57:
            return {"type": "fixed", "name": self.name("F"), "size": self.rng.randint(0, 4)}
        if choice < 0.62:
            return {"type": "bytes", "logicalType": "decimal", "precision": self.rng.randint(4, 18), "scale": 3}
        if choice < 0.70:
            return {"type": "array", "items": self.type(depth + 1)}
        if choice < 0.76:
            return {"type": "map", "values": self.type(depth + 1)}
        if choice < 0.90 or not union:
            return self.record(depth)
        branches = {}
        for branch in [self.rng.choice(["null", "null", "string"])] + [self.type(depth + 1, union=False) for _ in range(self.rng.randint(1, 3))]:
            branches.setdefault(branch["name"] if isinstance(branch, dict) and "name" in branch else kind(branch).replace("bytes", "string"), branch)
        return list(branches.values())

    def record(self, depth=0):
        fields = [{"name": self.name("f"), "type": self.type(depth + 1)} for _ in range(self.rng.randint(0 if depth else 1, 5))]
        return {"type": "record", "name": self.name("R"), "fields": fields}

    def default(self, schema):
        """As JSON."""
        k = kind(schema)
        if k == "union":
            return self.default(schema[0])
        if k == "record":
            return {f["name"]: self.default(f["type"]) for f in schema["fields"] if "default" not in f or self.rng.random() < 0.5}
        if k == "fixed":
            return "x" * schema["size"]
        if k == "enum":
            return self.rng.choice(schema["symbols"])
        if k == "array":
            return [self.default(schema["items"]) for _ in range(self.rng.randint(0, 2))]
        if k == "map":
            return {"k": self.default(schema["values"])} if self.rng.random() < 0.5 else {}
        if isinstance(schema, dict):
            return "\u0001"
        return {"null": None, "boolean": True, "int": -7, "long": 2**40, "float": 0.5, "double": -0.1, "bytes": "ab", "string": "dał"}[k]

    def value(self, schema):
        k = kind(schema)
        if k == "union":
            branch = self.rng.choice(schema)
            value = self.value(branch)
            return (branch["name"], value) if isinstance(branch, dict) and "name" in branch else value
        if k == "record":
            return {f["name"]: self.value(f["type"]) for f in schema["fields"]}
        if k == "fixed":
            return self.rng.randbytes(schema["size"])
        if k == "enum":
            return self.rng.choice(schema["symbols"])
        if k == "array":
            return [self.value(schema["items"]) for _ in range(self.rng.randint(1, 3))]
        if k == "map":
            return {self.rng.choice("klmno"): self.value(schema["values"]) for _ in range(self.rng.randint(1, 2))}
        if isinstance(schema, dict):
            return Decimal(self.rng.randint(-9999, 9999)).scaleb(-3)
        return {"null": lambda: None, "boolean": lambda: self.rng.random() < 0.5, "int": lambda: self.rng.randint(-2**31, 2**31 - 1),
                "long": lambda: self.rng.randint(-2**63, 2**63 - 1), "float": lambda: self.rng.randint(-999, 999) / 8,
                "double": lambda: self.rng.random(), "bytes": lambda: self.rng.choice([b"", b"ab", b"\xff", "ż".encode()]),
                "string": lambda: self.rng.choice(["", "a", "żółw 😀"])}[k]()

    def later(self, schema):
        """A version of the schema by somebody else: mostly one that can read it."""
        k = kind(schema)
        if self.rng.random() < 0.01:
            return self.type(3)
        if k == "union":
            branches = [self.later_branch(b) for b in schema]
            self.rng.shuffle(branches)
            if self.rng.random() < 0.15:
                return self.rng.choice(branches)
            if self.rng.random() < 0.1:
                del branches[0]
            names = [b["name"] if isinstance(b, dict) and "name" in b else kind(b).replace("bytes", "string") for b in branches]
            return branches if branches and len(set(names)) == len(names) else copy.deepcopy(schema)
        changed = self.later_branch(schema)
        if kind(changed) != "null" and self.rng.random() < 0.08:
            return self.rng.choice([["null", changed], [changed, "null"], ["boolean", "null", changed] if kind(changed) != "boolean" else [changed]])
        return changed

    def later_branch(self, schema):
        k = kind(schema)
        if isinstance(schema, str):
            return self.rng.choice(PROMOTIONS[k]) if k in PROMOTIONS and self.rng.random() < 0.2 else schema
        new = dict(schema)
        if "name" in new and self.rng.random() < 0.1:
            new["aliases"], new["name"] = ["Unused", new["name"]], self.name("N")
        if k == "enum":
            self.later_enum(new)
        elif k == "array":
            new["items"] = self.later(new["items"])
        elif k == "map":
            new["values"] = self.later(new["values"])
        elif k == "record":
            self.later_record(new)
        elif k == "bytes" and self.rng.random() < 0.3:
            new["precision"] += self.rng.randint(1, 5)
        elif k == "fixed" and self.rng.random() < 0.03:
            new["size"] += 1
        return new

    def later_enum(self, new):
        symbols = list(new["symbols"])
        self.rng.shuffle(symbols)
        if self.rng.random() < 0.3 and len(symbols) > 1:
            symbols.pop()
        if self.rng.random() < 0.5:
            symbols.insert(0, "NEW")
        new["symbols"] = symbols
        if self.rng.random() < 0.4:
            new["default"] = self.rng.choice(symbols)

    def later_record(self, new):
        fields = []
        for field in new["fields"]:
            if self.rng.random() < 0.12:
                continue
            field = {"name": field["name"], "type": self.later(field["type"])}
            if self.rng.random() < 0.1:
                field["aliases"], field["name"] = ["unused", field["name"]], self.name("n")
            fields.append(field)
        for _ in range(self.rng.choice([0, 0, 1, 2])):
            field = {"name": self.name("a"), "type": self.type(2)}
            if self.rng.random() < 0.97:
                field["default"] = self.default(field["type"])
            fields.append(field)
        if self.rng.random() < 0.5:
            self.rng.shuffle(fields)
        new["fields"] = fields


def parse(schema):
    return fastavro.parse_schema(copy.deepcopy(schema))


def encode(schema, record):
    stream = io.BytesIO()
    fastavro.schemaless_writer(stream, parse(schema), record)
    return stream.getvalue()


def decode(writer, data, reader=None):
    stream = io.BytesIO(data)
    value = fastavro.schemaless_reader(stream, parse(writer), None if reader is None else parse(reader))
    assert stream.read() == b"", "bytes are left over"
    return value


def fits(schema, value):
    """Whether a value that fastavro read may be of this branch."""
    k = kind(schema)
    return {"null": value is None, "boolean": isinstance(value, bool), "bytes": isinstance(value, (bytes, Decimal)), "fixed": isinstance(value, bytes),
            "string": isinstance(value, (str, Decimal)), "enum": isinstance(value, str) and value in (schema["symbols"] if k == "enum" else []),
            "array": isinstance(value, list), "map": isinstance(value, dict) and all(key in "klmno" for key in value),
            "record": isinstance(value, dict) and set(value) == {f["name"] for f in schema["fields"]} if k == "record" else False}.get(
                k, isinstance(value, (int, float)) and not isinstance(value, bool))


class Elsewhere(Exception):
    """fastavro read what the specification does not say."""


def conform(schema, value, default=False):
    """The value as the reader's types have it: what fastavro leaves as it was."""
    k = kind(schema)
    if k == "union":
        if default:
            return conform(schema[0], value, True)
        found = [b for b in schema if fits(b, value)]
        if len(found) == 1:
            return conform(found[0], value)
        return conform("float", value) if isinstance(value, (int, float)) and not isinstance(value, bool) else value
    if k == "record" and isinstance(value, dict):
        return {f["name"]: conform(f["type"], value[f["name"]] if f["name"] in value else f["default"], default or f["name"] not in value)
                for f in schema["fields"]}
    if k == "array":
        return [conform(schema["items"], v, default) for v in value]
    if k == "map":
        return {key: conform(schema["values"], v, default) for key, v in value.items()}
    if k == "float":
        return struct.unpack("<f", struct.pack("<f", value))[0]
    if k == "double":
        return float(value)
    if k in ("bytes", "string") and not default and isinstance(value, Decimal) != isinstance(schema, dict):
        raise Elsewhere
    if k in ("bytes", "fixed") and isinstance(value, str):
        value = value.encode("latin-1" if default else "utf-8")
        return Decimal(int.from_bytes(value, "big", signed=True)).scaleb(-3) if isinstance(schema, dict) and "precision" in schema else value
    return value


class Resolution(unittest.TestCase):
    maxDiff = None

    def ask(self, questions):
        lines = "".join(f"{json.dumps(w)}\t{json.dumps(r)}\t{data.hex()}\n" for w, r, data in questions)
        done = subprocess.run([DUMP], input=lines.encode(), capture_output=True, timeout=300)
        self.assertEqual(done.returncode, 0, done.stderr.decode())
        answers = done.stdout.decode().splitlines()
        self.assertEqual(len(answers), len(questions))
        return answers

    def one(self, writer, reader, record):
        return self.ask([(writer, reader, encode(writer, record))])[0]

    def test_random_versions_are_read_as_the_other_implementation_reads_them(self):
        maker = Maker(random.Random(SEED))
        questions, expected = [], []
        for _ in range(PAIRS):
            writer = maker.record()
            reader = maker.later_branch(writer)
            for _ in range(RECORDS):
                data = encode(writer, maker.value(writer))
                try:
                    wanted = ("value", decode(writer, data, reader))
                except (fastavro.read.SchemaResolutionError, UnicodeDecodeError) as fault:
                    wanted = ("fault", fault)
                questions.append((writer, reader, data))
                expected.append(wanted)
        read = 0
        for (writer, reader, data), (what, wanted), answer in zip(questions, expected, self.ask(questions)):
            told = f"\nwriter {json.dumps(writer)}\nreader {json.dumps(reader)}\nbytes {data.hex()}\nours {answer}\ntheirs {wanted}"
            refused = answer.startswith(("never", "refused"))
            try:
                wanted = conform(reader, wanted) if what == "value" else None
            except Elsewhere:
                continue
            self.assertEqual(refused, what == "fault", told)
            if not refused:
                self.assertEqual(conform(reader, decode(reader, bytes.fromhex(answer))), wanted, told)
                read += 1
        self.assertGreater(read, PAIRS * RECORDS // 2)
        self.assertGreater(PAIRS * RECORDS - read, PAIRS * RECORDS // 50)

    @staticmethod
    def record(*fields):
        return {"type": "record", "name": "R", "fields": list(fields)}

    def test_a_decimal_of_another_scale_is_never_read(self):
        old, new = ({"type": "bytes", "logicalType": "decimal", "precision": 9, "scale": s} for s in (2, 3))
        self.assertTrue(self.one(self.record({"name": "d", "type": old}), self.record({"name": "d", "type": new}), {"d": Decimal("1.25")})
                        .startswith("never d: a decimal of scale 2"))

    def test_what_can_never_be_read_is_told_before_the_first_record(self):
        inner = [{"type": "record", "name": "I", "fields": [{"name": n, "type": "int"}]} for n in "ab"]
        writer, reader = (self.record({"name": "l", "type": {"type": "array", "items": i}}) for i in inner)
        self.assertEqual(self.one(writer, reader, {"l": []}), "never l[].b: the writer has no such field, and it has no default")
        self.assertEqual(decode(writer, encode(writer, {"l": []}), reader), {"l": []})

    def test_a_name_goes_before_an_alias(self):
        writer = self.record({"name": "a", "type": "int"}, {"name": "b", "type": "int"})
        reader = self.record({"name": "b", "type": "int", "aliases": ["a"]})
        self.assertEqual(self.one(writer, reader, {"a": 1, "b": 2}), "04")

    def test_members_left_out_of_a_default_take_their_own(self):
        inner = {"type": "record", "name": "I", "fields": [{"name": "x", "type": "int", "default": 5}, {"name": "y", "type": "bytes"}]}
        reader = self.record({"name": "i", "type": inner, "default": {"y": "\u00ff"}})
        self.assertEqual(self.one(self.record(), reader, {}), "0a02ff")


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1])
