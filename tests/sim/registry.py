#!/usr/bin/env python3
"""Simulator of a Confluent-compatible schema registry: the part of its API that the bridge uses, and strict about it."""
import asyncio
import base64
import json
import os
import re
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from httpd import Refused, Reply, Server, options, run     # noqa: E402

CONTENT = "application/vnd.schemaregistry.v1+json"
ACCEPTED = (CONTENT, "application/vnd.schemaregistry+json", "application/json")
PRIMITIVES = {"null", "boolean", "int", "long", "float", "double", "bytes", "string"}
PROMOTIONS = {"int": {"long", "float", "double"}, "long": {"float", "double"}, "float": {"double"}, "string": {"bytes"}, "bytes": {"string"}}
LEVELS = {"NONE", "BACKWARD", "BACKWARD_TRANSITIVE", "FORWARD", "FORWARD_TRANSITIVE", "FULL", "FULL_TRANSITIVE"}


class Invalid(Exception):
    pass


def error(status, code, words):
    return Refused(status, words, {"error_code": code, "message": words})


class Schema:
    """A parsed Avro schema: every named type is known by its full name."""

    def __init__(self, text):
        try:
            self.root = json.loads(text)
        except ValueError:
            raise Invalid("not JSON") from None
        self.names = {}
        self._check(self.root, "")

    def _full(self, name, space):
        return name if "." in name or not space else f"{space}.{name}"

    def _check(self, s, space):
        if isinstance(s, str):
            if s not in PRIMITIVES and self._full(s, space) not in self.names:
                raise Invalid(f"unknown type {s}")
        elif isinstance(s, list):
            for branch in s:
                if isinstance(branch, list):
                    raise Invalid("union in a union")
                self._check(branch, space)
        elif isinstance(s, dict):
            self._check_object(s, space)
        else:
            raise Invalid("not a schema")

    def _check_object(self, s, space):
        kind = s.get("type")
        if kind in ("record", "enum", "fixed"):
            name = s.get("name")
            if not isinstance(name, str) or not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_.]*", name):
                raise Invalid("a named type needs a name")
            space = name.rpartition(".")[0] or s.get("namespace", space)
            s["_full"], s["_space"] = self._full(name, space), space
            if s["_full"] in self.names:
                # The same enum may be written out twice only by readers that are lax; the registry is not one of them.
                raise Invalid(f"{s['_full']} is defined twice")
            self.names[s["_full"]] = s
        if kind == "record":
            seen = set()
            for f in s.get("fields", None) or []:
                if f.get("name") in seen or not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", f.get("name", "")):
                    raise Invalid("bad or repeated field")
                seen.add(f["name"])
                self._check(f.get("type"), space)
                f["_space"] = space
        elif kind == "enum":
            if not s.get("symbols") or len(set(s["symbols"])) != len(s["symbols"]):
                raise Invalid("bad symbols")
        elif kind == "array":
            self._check(s.get("items"), space)
        elif kind == "map":
            self._check(s.get("values"), space)
        elif kind == "fixed":
            if not isinstance(s.get("size"), int):
                raise Invalid("fixed without size")
        else:
            self._check(kind, space)

    def resolve(self, s, space=""):
        while True:
            if isinstance(s, str) and s not in PRIMITIVES:
                s = self.names[self._full(s, space) if self._full(s, space) in self.names else s]
            if isinstance(s, dict) and (s["type"] in PRIMITIVES or isinstance(s["type"], (dict, list))):
                if s.get("logicalType") == "decimal":
                    return s
                s = s["type"]
                continue
            return s


def kind_of(s):
    return s if isinstance(s, str) else "union" if isinstance(s, list) else s["type"]


def readable(reader, writer, r, w, rspace="", wspace="", depth=0, path=""):
    """Problems of reading what `writer` wrote with `reader`, by Avro's rules of resolution; empty: none."""
    r, w = reader.resolve(r, rspace), writer.resolve(w, wspace)
    if depth > 64:
        return []
    args = (rspace, wspace, depth + 1, path)
    if isinstance(w, list):
        return [p for b in w for p in readable(reader, writer, r, b, *args)]
    if isinstance(r, list):
        return [] if any(not readable(reader, writer, b, w, *args) for b in r) else [f"{path}: no branch reads {kind_of(w)}"]
    rk, wk = kind_of(r), kind_of(w)
    if isinstance(r, dict) and isinstance(w, dict) and "decimal" in (r.get("logicalType"), w.get("logicalType")):
        same = all(r.get(k) == w.get(k) for k in ("logicalType", "precision", "scale"))
        return [] if same else [f"{path}: decimal changed"]
    if rk != wk:
        return [] if rk in PROMOTIONS.get(wk, ()) else [f"{path}: {wk} read as {rk}"]
    if rk == "array":
        return readable(reader, writer, r["items"], w["items"], *args)
    if rk == "map":
        return readable(reader, writer, r["values"], w["values"], *args)
    if rk == "enum":
        lost = set(w["symbols"]) - set(r["symbols"])
        return [f"{path}: symbols {sorted(lost)} missing"] if lost and "default" not in r else []
    if rk == "fixed":
        return [] if r["size"] == w["size"] else [f"{path}: size changed"]
    if rk != "record":
        return []
    if r["_full"].rpartition(".")[2] != w["_full"].rpartition(".")[2]:
        return [f"{path}: record name changed"]
    written, problems = {f["name"]: f for f in w.get("fields", [])}, []
    for f in r.get("fields", []):
        old = next((written[n] for n in [f["name"], *f.get("aliases", [])] if n in written), None)
        where = f"{path}/{f['name']}"
        if old is None:
            if "default" not in f:
                problems.append(f"{where}: new field without default")
        else:
            problems += readable(reader, writer, f["type"], old["type"], f["_space"], old["_space"], depth + 1, where)
    return problems


class Registry:
    def __init__(self, args):
        self.level, self.levels = args.compatibility, {}
        self.by_id, self.by_text, self.subjects = {}, {}, {}     # subjects: name -> [(version, id)]
        self.next_id, self.read_only = args.first_id, False
        self.wanted = f"Bearer {args.token}" if args.token else "Basic " + base64.b64encode(args.user.encode()).decode() if args.user else ""
        self.fetched = {}

    def parse(self, body):
        if not isinstance(body, dict) or not isinstance(body.get("schema"), str) or body.get("schemaType", "AVRO") != "AVRO":
            raise error(422, 42201, "Invalid schema: no text of an Avro schema")
        try:
            return Schema(body["schema"]), json.dumps(json.loads(body["schema"]), sort_keys=True)
        except (Invalid, AttributeError, TypeError, RecursionError) as e:
            raise error(422, 42201, f"Invalid schema: {e}") from None

    def problems(self, subject, schema, level, versions=None):
        rows = [Schema(self.by_id[i]) for _, i in versions or self.subjects.get(subject, [])]
        if level == "NONE" or not rows:
            return []
        found = []
        for old in rows if level.endswith("TRANSITIVE") or versions else rows[-1:]:
            if level.startswith(("BACKWARD", "FULL")):
                found += readable(schema, old, schema.root, old.root)
            if level.startswith(("FORWARD", "FULL")):
                found += readable(old, schema, old.root, schema.root)
        return found

    def register(self, subject, body):
        schema, text = self.parse(body)
        rows = self.subjects.get(subject, [])
        known = self.by_text.get(text)
        if known is not None and any(i == known for _, i in rows):
            return known
        found = self.problems(subject, schema, self.levels.get(subject, self.level))
        if found:
            raise error(409, 409, "Schema being registered is incompatible with an earlier schema: " + "; ".join(found[:5]))
        if self.read_only:
            raise error(422, 42205, f"Subject {subject} is in read-only mode")
        if known is None:
            known, self.next_id = self.next_id, self.next_id + 1
            self.by_text[text], self.by_id[known] = known, body["schema"]
        self.subjects.setdefault(subject, rows).append((len(rows) + 1, known))
        return known

    def row(self, subject, version):
        if subject not in self.subjects:
            raise error(404, 40401, f"Subject '{subject}' not found.")
        if version == "latest":
            return self.subjects[subject][-1]
        if not version.isdigit() or int(version) < 1:
            raise error(422, 42202, "The specified version is not a valid version id.")
        for row in self.subjects[subject]:
            if row[0] == int(version):
                return row
        raise error(404, 40402, f"Version {version} not found.")

    async def handle(self, q):
        if self.wanted and q.header("authorization") != self.wanted:
            raise error(401, 40101, "Unauthorized")
        reply = Reply(200, self.answer(q, [p for p in q.path.split("/") if p]))
        reply.headers["Content-Type"] = CONTENT
        return reply

    def answer(self, q, p):
        m = q.method
        q.route = f"{m} /" + "/".join(p[:1])
        if m == "GET" and p[:2] == ["schemas", "ids"] and len(p) == 3:
            q.route = "GET /schemas/ids/{id}"
            self.fetched[p[2]] = self.fetched.get(p[2], 0) + 1
            if not p[2].isdigit() or int(p[2]) not in self.by_id:
                raise error(404, 40403, f"Schema {p[2]} not found")
            return {"schema": self.by_id[int(p[2])]}
        if p == ["subjects"] and m == "GET":
            return sorted(self.subjects)
        if p[:1] == ["subjects"] and len(p) == 2 and m == "POST":
            q.route = "POST /subjects/{subject}"
            _, text = self.parse(q.json(ACCEPTED))
            if p[1] not in self.subjects:
                raise error(404, 40401, f"Subject '{p[1]}' not found.")
            for version, i in self.subjects[p[1]]:
                if self.by_text.get(text) == i:
                    return {"subject": p[1], "version": version, "id": i, "schema": self.by_id[i]}
            raise error(404, 40403, "Schema not found")
        if p[:1] == ["subjects"] and len(p) >= 3 and p[2] == "versions":
            q.route = f"{m} /subjects/{{subject}}/versions"
            if len(p) == 3 and m == "POST":
                return {"id": self.register(p[1], q.json(ACCEPTED))}
            if len(p) == 3 and m == "GET":
                self.row(p[1], "latest")
                return [v for v, _ in self.subjects[p[1]]]
            if len(p) == 4 and m == "GET":
                version, i = self.row(p[1], p[3])
                return {"subject": p[1], "version": version, "id": i, "schema": self.by_id[i]}
        if p[:2] == ["compatibility", "subjects"] and len(p) in (4, 5) and p[3] == "versions" and m == "POST":
            q.route = "POST /compatibility/subjects/{subject}/versions"
            schema, _ = self.parse(q.json(ACCEPTED))
            versions = [self.row(p[2], p[4])] if len(p) == 5 else None
            found = self.problems(p[2], schema, self.levels.get(p[2], self.level), versions)
            return {"is_compatible": not found, **({"messages": found} if found and ("verbose", "true") in q.query else {})}
        if p[:1] == ["config"] and len(p) <= 2:
            return self.config(q, p)
        raise error(404, 404, "HTTP 404 Not Found")

    def config(self, q, p):
        subject = p[1] if len(p) == 2 else None
        if q.method == "PUT":
            level = q.json(ACCEPTED).get("compatibility")
            if level not in LEVELS:
                raise error(422, 42203, "Invalid compatibility level.")
            if subject:
                self.levels[subject] = level
            else:
                self.level = level
            return {"compatibility": level}
        if q.method != "GET":
            raise error(405, 405, "HTTP 405 Method Not Allowed")
        if subject and subject not in self.levels and ("defaultToGlobal", "true") not in q.query:
            raise error(404, 40408, f"Subject '{subject}' does not have subject-level compatibility configured")
        return {"compatibilityLevel": self.levels.get(subject, self.level)}

    async def control(self, q):
        if q.path == "/_sim/state" and q.method == "GET":
            return Reply(200, {"subjects": self.subjects, "schemas": self.by_id, "fetched": self.fetched})
        if q.path == "/_sim/state" and q.method == "POST":       # what a rebuilt registry does: ids begin elsewhere
            body = json.loads(q.body)
            if body.get("forget"):
                self.by_id, self.by_text, self.subjects = {}, {}, {}
            for number in body.get("lose", []):
                self.by_id.pop(number, None)
                self.by_text = {text: i for text, i in self.by_text.items() if i != number}
                self.subjects = {name: rows for name, rows in ((n, [r for r in rows if r[1] != number]) for n, rows in self.subjects.items()) if rows}
            self.by_id.update({int(number): text for number, text in body.get("give", {}).items()})
            self.next_id = body.get("firstId", self.next_id)
            self.read_only = body.get("readOnly", self.read_only)
            return Reply(200, {})
        raise Refused(404, "no such control")


CONTROL = """  GET    /_sim/state                   subjects, schemas, and how often each was fetched
  POST   /_sim/state                   {"forget": true, "firstId": 100, "readOnly": true}: what a rebuilt registry does
                                       {"lose": [7]}, {"give": {"7": "..."}}: one schema, its versions too; the text under that id
"""


def main():
    p = options(__doc__, CONTROL)
    p.add_argument("--compatibility", default="BACKWARD_TRANSITIVE", choices=sorted(LEVELS), help="of subjects without a level of their own")
    p.add_argument("--first-id", type=int, default=1, help="of the first schema")
    p.add_argument("--user", default="", help="NAME:PASSWORD that every request must carry")
    p.add_argument("--token", default="", help="bearer token that every request must carry")
    args = p.parse_args()
    registry = Registry(args)
    run(Server(registry.handle, registry.control, args.seed), args)


if __name__ == "__main__":
    main()
