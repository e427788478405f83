"""What an order must become, computed a second time: the mapping that a schema's attributes describe, in Python's exact numbers. Shares nothing with the
C code but the schema. Values are `plain`, the form in which all implementations are compared: integers, moments and days as texts of digits, decimals as the digits
of their unscaled value, bytes in base64, everything else as JSON has it; a record is a dictionary."""
import base64
import datetime
import decimal
import functools
import json
import re
import zoneinfo
from decimal import Decimal

import xxhash

EPOCH = datetime.datetime(1970, 1, 1, tzinfo=datetime.timezone.utc)
MILLISECOND = datetime.timedelta(milliseconds=1)
WARSAW = zoneinfo.ZoneInfo("Europe/Warsaw")
MOMENT = re.compile(r"(\d{4}-\d\d-\d\d)(?:[Tt ](\d\d:\d\d)(?::(\d\d)(?:[.,](\d+))?)?(Z|z|[+-]\d\d(?::?\d\d)?)?)?")
SHORTEST = "shortest-decimal"
CHANNELS, DEFAULT = {7: "KANAŁ-7", 8: "MAG 8"}, "MAG-0"
INNER = {}
decimal.getcontext().prec = 100


class Number(str):
    """A JSON number as it is written."""


class Names:
    """A schema whose named types may be referred to by name."""

    def __init__(self, schema):
        self.types = {}
        self.root = self.collect(schema)

    def collect(self, s):
        if isinstance(s, list):
            return [self.collect(b) for b in s]
        if isinstance(s, str):
            return self.types.get(s.rpartition(".")[2], s)
        if s["type"] in ("record", "enum", "fixed"):
            s = self.types[s["name"]] = dict(s)
        if s["type"] == "record":
            s["fields"] = [dict(f, type=self.collect(f["type"])) for f in s["fields"]]
        elif s["type"] in ("array", "map"):
            key = "items" if s["type"] == "array" else "values"
            s = dict(s, **{key: self.collect(s[key])})
        return s


def kind(s):
    return s if isinstance(s, str) else s.get("logicalType", s["type"])


def branches(s):
    return s if isinstance(s, list) else [s]


def inner(s):
    """The type without null, and whether null is allowed."""
    known = INNER.get(id(s))
    if known is None:
        rest = [b for b in branches(s) if kind(b) != "null"]
        known = INNER[id(s)] = (s, (rest[0], len(rest) < len(branches(s))))      # s stays alive, so its id stays its own
    return known[1]


def load(text):
    return json.loads(text, parse_int=Number, parse_float=Number)


def says(v):
    return v is not None and v != ""


def point(value, pointer):
    for token in pointer.split("/")[1:]:
        token = token.replace("~1", "/").replace("~0", "~")
        if isinstance(value, list):
            value = value[int(token)] if token.isdigit() and int(token) < len(value) else None
        else:
            value = value.get(token) if isinstance(value, dict) else None
    return value


def unscaled(text, scale):
    v = Decimal(str(text)).scaleb(scale)
    assert v == v.to_integral_value(), text
    return str(int(v))


def moment(text):
    day, minute, second, fraction, offset = MOMENT.fullmatch(text).groups()
    t = datetime.datetime.fromisoformat(f"{day}T{minute or '00:00'}:{second or '00'}")
    if offset is None:
        t = t.replace(tzinfo=WARSAW, fold=0)
    elif offset in "Zz":
        t = t.replace(tzinfo=datetime.timezone.utc)
    else:
        digits = offset[1:].replace(":", "").ljust(4, "0")
        delta = datetime.timedelta(hours=int(digits[:2]), minutes=int(digits[2:]))
        t = t.replace(tzinfo=datetime.timezone(-delta if offset[0] == "-" else delta))
    return str((t - EPOCH) // MILLISECOND + int((fraction or "0").ljust(3, "0")[:3]))


def scalar(field, s, v):
    k = kind(s)
    if k == "decimal":
        return unscaled(v, s["scale"])
    if k in ("int", "long"):
        return str(int(Decimal(str(v))))
    if k == "timestamp-millis":
        return moment(v)
    if k == "date":
        return str((datetime.date.fromisoformat(v[:10]) - EPOCH.date()).days)
    if k == "enum":
        return field.get("symbols", {}).get(str(v), str(v))
    return v if k == "boolean" else str(v)


def initial(s, v):
    """A default of the schema as a plain value; of a union it is of the first branch."""
    s = branches(s)[0]
    k = kind(s)
    if v is None or k in ("boolean", "string", "enum", "float", "double"):
        return v
    if k == "decimal":
        return str(int.from_bytes(v.encode("latin-1"), "big", signed=True))
    if k in ("bytes", "fixed"):
        return base64.b64encode(v.encode("latin-1")).decode()
    if k == "array":
        return [initial(s["items"], x) for x in v]
    if k == "map":
        return {n: initial(s["values"], x) for n, x in v.items()}
    if k == "record":
        return {f["name"]: initial(f["type"], v[f["name"]] if f["name"] in v else f["default"]) for f in s["fields"]}
    return str(v)


class Oracle:
    def __init__(self, schema):
        self.names = Names(schema)
        self.fields = self.names.root["fields"]

    def order(self, text, stamp):
        """The plain record of an order's text (bytes)."""
        self.source = load(text)
        self.warehouses = set()
        channel = self.source.get("IntegrationId")
        own = self.field_value("warehouse", self.source)
        self.own = str(own) if own else CHANNELS.get(int(Decimal(str(channel))) if says(channel) else None, DEFAULT)
        record = self.record(self.names.root, self.source)
        record.update({f["name"]: stamp[f["bridge"]] for f in self.fields if f.get("bridge") in stamp})
        for f in self.fields:
            if f.get("bridge") == "warehouses":
                record[f["name"]] = sorted(self.warehouses, key=str.encode)
            if f.get("bridge") == "raw":
                record[f["name"]] = base64.b64encode(text).decode() if stamp["keep"] else None
        return record

    def field_value(self, name, at):
        return self.pick(next((f for f in self.fields if f["name"] == name), {}), at)

    def pick(self, field, at):
        for p in field.get("xsale", []):
            v = point(at, p) if isinstance(p, str) else self.joined(p, at)
            if says(v) and v != []:
                return v
        return None

    def joined(self, join, at):
        beside, to = point(self.source, join["array"]), point(at, join["to"])
        return [x for x in beside or [] if says(to) and str(point(x, join["reference"])) == str(to)]

    def record(self, s, at):
        return {f["name"]: self.field(f, at) for f in s["fields"] if "bridge" not in f}

    def field(self, f, at):
        s, nullable = inner(f["type"])
        if f.get("resolve") == "warehouse":
            if s is None or at is self.source:
                return self.own
            name = str(self.pick(f, at) or self.own)
            self.warehouses.add(name)
            return name
        v = self.pick(f, at)
        if f.get("xsale") == [""]:
            v = at if any(self.has(g, at) for g in s["fields"]) else None
        if v is None:
            return None if nullable else initial(f["type"], f["default"]) if "default" in f else []
        return self.value(f, s, v)

    def has(self, f, at):
        return any(self.has(g, at) for g in inner(f["type"])[0]["fields"]) if f.get("xsale") == [""] else self.pick(f, at) is not None

    def value(self, f, s, v):
        if kind(s) == "record":
            return self.record(s, v)
        if kind(s) != "array":
            return scalar(f, s, v)
        items, nullable = inner(s["items"])
        found = [None if nullable and not says(x) else self.value(f, items, x) for x in v]
        if f["name"] == "items":
            for x in found:
                if not x.get("articles"):
                    self.warehouses.add(self.own)
        return found


def revision(lasting, record):
    """xxHash of the encoding without what changes by itself. lasting: another implementation with a schema of the other fields alone."""
    return xxhash.xxh64_hexdigest(lasting.encode(record))


def shortest(schema):
    """The same schema for fastavro with its decimals as bytes: of its own it writes -128 in two bytes, which all others and Avro's examples write in one."""
    if isinstance(schema, list):
        return [shortest(s) for s in schema]
    if not isinstance(schema, dict):
        return schema
    return {k: SHORTEST if (k, v) == ("logicalType", "decimal") else shortest(v) for k, v in schema.items()}


def plain(s, v):
    """A decoded value of fastavro as a plain one."""
    if isinstance(s, list):
        return None if v is None else plain(inner(s)[0], v)
    k = kind(s)
    if k == "record":
        return {f["name"]: plain(f["type"], v[f["name"]]) for f in s["fields"]} if set(v) == {f["name"] for f in s["fields"]} else ("wrong fields", list(v))
    if k == "array":
        return [plain(s["items"], x) for x in v]
    if k == "map":
        return {n: plain(s["values"], x) for n, x in v.items()}
    if k == "decimal":
        return initial(s, v) if isinstance(v, str) else unscaled(v, s["scale"])      # fastavro gives a decimal's default as the schema writes it
    if k == "timestamp-millis":
        return str((v - EPOCH) // MILLISECOND)
    if k == "date":
        return str((v - EPOCH.date()).days)
    if k in ("bytes", "fixed"):
        return base64.b64encode(v).decode()
    return str(v) if k in ("int", "long") else v


def typed(s, v):
    """The other way: a plain value as fastavro takes it."""
    if isinstance(s, list):
        return None if v is None else typed(inner(s)[0], v)
    k = kind(s)
    if k == "record":
        return {f["name"]: typed(f["type"], v[f["name"]]) for f in s["fields"]}
    if k == "array":
        return [typed(s["items"], x) for x in v]
    if k == "map":
        return {n: typed(s["values"], x) for n, x in v.items()}
    if k == "decimal":
        return Decimal(v).scaleb(-s["scale"])
    if k == SHORTEST:
        n = int(v)
        return n.to_bytes((n if n >= 0 else ~n).bit_length() // 8 + 1, "big", signed=True)
    if k == "timestamp-millis":
        return EPOCH + int(v) * MILLISECOND
    if k == "date":
        return EPOCH.date() + datetime.timedelta(days=int(v))
    if k in ("bytes", "fixed"):
        return base64.b64decode(v)
    return int(v) if k in ("int", "long") else v


def resolved(reader, writer, v):
    """A plain record of the writer's schema as the reader's schema shows it: fields by name, defaults for those that are missing."""
    if isinstance(reader, list):
        return None if v is None else resolved(inner(reader)[0], inner(writer)[0], v)
    writer = inner(writer)[0]
    if kind(reader) == "array":
        return [resolved(reader["items"], writer["items"], x) for x in v]
    if kind(reader) != "record":
        return v
    written = {f["name"]: f["type"] for f in writer["fields"]}
    return {f["name"]: resolved(f["type"], written[f["name"]], v[f["name"]]) if f["name"] in written else initial(f["type"], f["default"])
            for f in reader["fields"]}


@functools.lru_cache(maxsize=4096)
def instant(ms):
    t = EPOCH + ms * MILLISECOND
    return f"{t:%Y-%m-%dT%H:%M:%S}.{ms % 1000:03d}Z".rjust(24, "0")


def view(s, v, field=None, raw=False):
    """A plain value as the ERP sees it, its numbers exact. raw: the order's bytes too, which only a view of the user's own shows."""
    if isinstance(s, list):
        return None if v is None else view(inner(s)[0], v, field)
    k = kind(s)
    if k == "record":
        return {f.get("erp", f["name"]): view(f["type"], v[f["name"]], f) for f in s["fields"] if raw or f.get("bridge") != "raw"}
    if k == "array":
        return [view(s["items"], x) for x in v]
    if k == "map":
        return {n: view(s["values"], x) for n, x in v.items()}
    if k == "decimal":
        return Decimal(v).scaleb(-s["scale"])
    if k == "timestamp-millis":
        return int(v) if field and field.get("json") == "millis" else instant(int(v))
    if k == "date":
        return (EPOCH.date() + datetime.timedelta(days=int(v))).isoformat()
    return int(v) if k in ("int", "long") else v
