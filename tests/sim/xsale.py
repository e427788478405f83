#!/usr/bin/env python3
"""Simulator of xSale's REST API, as far as the bridge uses it. It refuses what the real thing would refuse, and where the real thing would
silently ignore something (an unknown parameter, another array style) it refuses as well, so that a mistake cannot hide."""
import base64
import bisect
import json
import os
import re
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from httpd import Refused, Reply, Server, options, run     # noqa: E402
import orders as generator      # noqa: E402

STATUSES = ["Nowe", "Płatność zweryfikowana", "Zaimportowano do ERP", "Do obsługi ręcznej", "W trakcie realizacji", "Przygotowywane do wysyłki",
            "Wysłane", "Zrealizowane", "Anulowane"]


def b64(data):
    return base64.urlsafe_b64encode(data if isinstance(data, bytes) else json.dumps(data).encode()).rstrip(b"=").decode()


class Order:
    __slots__ = ("id", "text", "status", "edits", "looks")

    def __init__(self, number, text, status):
        self.id, self.text, self.status, self.edits = number, text, status, 0
        self.looks = {}     # access token -> when it was last shown to who holds it


class Xsale:
    def __init__(self, args):
        self.args = args
        self.statuses = {args.status_base + i: name for i, name in enumerate(STATUSES)}
        self.orders, self.by_status, self.changes = {}, {i: [] for i in self.statuses}, []
        self.traces = {}        # order -> traceparent of the last change of its status
        self.tokens, self.logins, self.serial = {}, 0, 0
        self.allowed = {"change_status": True}
        self.life = [args.access_life, args.id_life]

    # --- orders

    def put(self, number, text, status):
        if number in self.orders:
            self.remove(number)
        self.orders[number] = Order(number, text, status)
        bisect.insort(self.by_status[status], number)

    def remove(self, number):
        o = self.orders.pop(number)
        self.by_status[o.status].remove(number)

    def set_status(self, o, status, by, looked=None):
        """looked: when whoever changes it was last shown it."""
        self.changes.append({"at": int(time.time() * 1000), "id": o.id, "from": o.status, "to": status, "by": by, "lookedAt": looked, "shown": bool(o.looks),
                             "fromName": self.statuses[o.status], "toName": self.statuses[status]})
        if status != o.status:
            self.by_status[o.status].remove(o.id)
            o.status = status
            bisect.insort(self.by_status[status], o.id)

    def source(self, o, status=None):
        """The exact bytes of an order as they are sent, in its own or another status."""
        status = o.status if status is None else status
        return (o.text.replace(b"@STATUS_ID@", str(status).encode())
                .replace(b"@STATUS_NAME@", json.dumps(self.statuses[status], ensure_ascii=False).encode()))

    def status_id(self, value):
        if isinstance(value, int) and value in self.statuses:
            return value
        for i, name in self.statuses.items():
            if name == value:
                return i
        raise Refused(400, f"unknown status {value}")

    # --- service

    async def handle(self, q):
        if q.path == "/oauth/token":
            return self.token(q)
        self.authorize(q)
        if q.path == "/me":
            q.route = "GET /me"
            if q.method != "GET":
                raise Refused(405, "GET")
            return Reply(200, {"Id": 1, "Name": "Integracja", "Nickname": "erp", "Email": self.args.username, "EmailVerified": True,
                               "Organizations": [{"Id": i + 1, "ShortName": n, "Name": n} for i, n in enumerate(self.args.organization.split(","))]})
        parts = q.path.split("/")[1:]
        if parts[0] not in self.args.organization.split(","):
            raise Refused(403, "no access to this organization")
        rest = parts[1:]
        if rest == ["statuses"] and q.method == "GET":
            q.route = "GET /statuses"
            self.parameters(q, ())
            return Reply(200, [{"Id": i, "Name": n} for i, n in self.statuses.items()])
        if rest == ["orders"] and q.method == "GET":
            q.route = "GET /orders"
            return self.list(q)
        if rest[:1] == ["orders"] and len(rest) in (2, 3) and re.fullmatch(r"[1-9]\d{0,18}", rest[1]):
            return self.one(q, int(rest[1]), rest[2:])
        raise Refused(404, "no such path")

    def token(self, q):
        q.route = "POST /oauth/token"
        if q.method != "POST":
            raise Refused(405, "POST")
        self.logins += 1
        body, a = q.json(), self.args
        wanted = {"client_id": a.client_id, "client_secret": a.client_secret, "audience": a.audience, "username": a.username,
                  "password": a.password, "grant_type": "password", "scope": a.scope}
        if not isinstance(body, dict) or set(body) != set(wanted):
            raise Refused(400, "", {"error": "invalid_request", "error_description": "Missing or unknown parameter."})
        if (body["client_id"], body["client_secret"]) != (a.client_id, a.client_secret):
            raise Refused(401, "", {"error": "access_denied", "error_description": "Unauthorized"})
        if body["grant_type"] != "password":
            raise Refused(403, "", {"error": "unauthorized_client", "error_description": "Grant type not allowed for the client."})
        if body["audience"] != a.audience or body["scope"] != a.scope:
            raise Refused(403, "", {"error": "access_denied", "error_description": "Service not enabled within domain."})
        if body != wanted:
            raise Refused(403, "", {"error": "invalid_grant", "error_description": "Wrong email or password."})
        access, identity = self.issue("access", self.life[0]), self.issue("id", self.life[1])
        return Reply(200, {"access_token": access, "id_token": identity, "scope": a.scope, "expires_in": int(self.life[0]), "token_type": "Bearer"})

    def issue(self, kind, life):
        self.serial += 1
        now = time.time()
        payload = {"iss": "https://login.simulator/", "sub": "auth0|1", "kind": kind, "jti": self.serial, "iat": int(now), "exp": int(now + life)}
        t = f"{b64({'alg': 'RS256', 'typ': 'JWT'})}.{b64(payload)}.{b64(os.urandom(32))}"
        self.tokens[t] = (kind, now + life)
        return t

    def authorize(self, q):
        bearer, identity = q.header("authorization") or "", q.header("x-id-token") or ""
        if not bearer.startswith("Bearer ") or not identity:
            raise Refused(401, "Authorization or x-id-token is missing")
        for token, kind in ((bearer[7:], "access"), (identity, "id")):
            known = self.tokens.get(token)
            if known is None or known[0] != kind:
                raise Refused(401, f"{kind} token is not valid")
            if known[1] <= time.time():
                raise Refused(401, f"{kind} token expired")

    def parameters(self, q, known):
        """The query as a dictionary of lists; anything that is not known here or allowed by --allow-query is refused."""
        found = {}
        extra = [tuple(x.split("=", 1)) for x in self.args.allow_query]
        for name, value in q.query:
            if (name, value) in extra:
                continue
            base = re.sub(r"\[\d*\]$", "", name)
            if base not in known:
                raise Refused(400, f"unknown parameter {name}")
            found.setdefault(base, []).append((name, value))
        return found

    def array(self, given, base, number):
        style, values = self.args.array_style, []
        for i, (name, value) in enumerate(given):
            wanted = {"repeat": base, "comma": base, "brackets": base + "[]", "indexed": f"{base}[{i}]"}[style]
            if name != wanted or (style == "comma" and i > 0):
                raise Refused(400, f"{name} is not understood: arrays are written in style {style}")
            values += value.split(",") if style == "comma" else [value]
        if number:
            if not all(re.fullmatch(r"\d{1,18}", v) for v in values):
                raise Refused(400, f"{base}: the value is not a number")
            return [int(v) for v in values]
        names = {n: i for i, n in self.statuses.items()}
        return [names[v] for v in values if v in names]

    def list(self, q):
        a = self.args
        p = self.parameters(q, ("statusidin", "statusnamein", a.page_parameter, a.page_size_parameter))
        def single(name, default, least):
            rows = p.get(name, [])
            if len(rows) > 1 or any(n != name or not re.fullmatch(r"\d{1,12}", v) or int(v) < least for n, v in rows):
                raise Refused(400, f"bad {name}")
            return int(rows[0][1]) if rows else default
        first = a.page_first if a.paging == "page" else 0
        at = single(a.page_parameter, first, first)
        size = min(single(a.page_size_parameter, a.page_cap, 1), a.page_cap)
        wanted = None
        for base, number in (("statusidin", True), ("statusnamein", False)):
            if base in p:
                ids = set(self.array(p[base], base, number))
                wanted = ids if wanted is None else wanted & ids
        if a.ignore_filter:
            wanted = None
        lists = [self.by_status[s] for s in (self.statuses if wanted is None else wanted) if s in self.by_status]
        found = lists[0] if len(lists) == 1 else sorted(i for rows in lists for i in rows)
        if a.order == "desc":
            found = found[::-1]
        start = (at - first) * size if a.paging == "page" else at
        if a.repeat_last_page and a.paging == "page" and found:
            start = min(start, (len(found) - 1) // size * size)
        page = b"[" + b",".join(self.source(self.orders[i]) for i in found[start:start + size]) + b"]"
        if a.envelope:
            page = b'{"Total": %d, %s: %s, "Items": 7}' % (len(found), json.dumps(a.envelope).encode(), page)
        return Reply(200, page, "application/json; charset=utf-8")

    def one(self, q, number, rest):
        q.route = f"{q.method} /orders/{{id}}" + "".join("/" + r for r in rest)
        o = self.orders.get(number)
        if not rest and q.method == "GET":
            self.parameters(q, ())
            if o is None:
                raise Refused(404, "no such order")
            o.looks[q.header("authorization")] = int(time.time() * 1000)
            return Reply(200, self.source(o), "application/json; charset=utf-8")
        if rest != ["change-status"]:
            raise Refused(404, "no such path")
        if q.method != "PUT":
            raise Refused(405, "PUT")
        if not self.allowed["change_status"]:
            raise Refused(403, "permission orders:change-status is missing")
        status = self.new_status(q)
        if o is None:
            raise Refused(404, "no such order")
        self.set_status(o, status, "api", o.looks.get(q.header("authorization")))
        self.traces[number] = q.header("traceparent")
        return Reply(200, {"Id": number, "StatusId": status})

    def new_status(self, q):
        field = self.args.change_status_field
        if self.args.change_status == "query":
            p = self.parameters(q, (field,))
            rows = p.get(field, [])
            if q.body or len(rows) != 1 or not rows[0][1].isdigit():
                raise Refused(400, f"{field} is missing in the query")
            status = int(rows[0][1])
        else:
            self.parameters(q, ())
            body = q.json()
            if not isinstance(body, dict) or set(body) != {field} or type(body[field]) is not int:
                raise Refused(400, f"the body must be an object with the number {field}")
            status = body[field]
        if status not in self.statuses:
            raise Refused(400, f"unknown status {status}")
        return status

    # --- control

    async def control(self, q):
        body = json.loads(q.body) if q.body and not q.path.endswith("/raw") else {}
        match = re.fullmatch(r"/_sim/orders/(\d+)(?:/(\w+))?", q.path)
        if match:
            return self.control_order(q, int(match[1]), match[2], body)
        return getattr(self, "control_" + q.path.removeprefix("/_sim/"), self.control_unknown)(q, body)

    def control_unknown(self, q, body):
        raise Refused(404, "no such control")

    def control_generate(self, q, body):
        """{"count", "first", "seed", "status", "pad", "warehouses": [["MAG-1"], ["MAG-1", "MAG-2"], ...] taken in turn, "codes": {id: first article}}"""
        mixes, first = body.get("warehouses", [["MAG-1"], ["MAG-2"], ["MAG-1", "MAG-2"]]), body.get("first", 100001)
        status, codes = self.status_id(body.get("status", STATUSES[0])), body.get("codes", {})
        for i in range(body.get("count", 1)):
            text = generator.order(first + i, body.get("seed", self.args.seed), mixes[i % len(mixes)], codes.get(str(first + i)),
                                   body.get("lines"), body.get("pad", 0))
            self.put(first + i, text.encode(), status)
        return Reply(200, {"ids": [first + i for i in range(body.get("count", 1))]})

    def control_orders(self, q, body):
        return Reply(200, [{"id": o.id, "status": o.status, "statusName": self.statuses[o.status], "edits": o.edits} for o in self.orders.values()])

    def control_sources(self, q, body):
        """Exact source bytes (base64) of every order; ?status=ID: as they were in that status."""
        status = dict(q.query).get("status")
        status = int(status) if status else None
        return Reply(200, {o.id: base64.b64encode(self.source(o, status)).decode() for o in self.orders.values()})

    def control_order(self, q, number, what, body):
        if what == "raw" and q.method == "POST":      # any bytes at all, ?status=NAME
            self.put(number, q.body, self.status_id(dict(q.query).get("status", STATUSES[0])))
            return Reply(200, {})
        o = self.orders.get(number)
        if o is None:
            raise Refused(404, "no such order")
        if what == "source":
            status = dict(q.query).get("status")
            return Reply(200, self.source(o, int(status) if status else None))
        if what == "edit":      # {"replace": [[from, to], ...]} or {"seed", "warehouses", "code"}: generated anew
            if "replace" in body:
                for a, b in body["replace"]:
                    if a.encode() not in o.text:
                        raise Refused(400, "nothing to replace")
                    o.text = o.text.replace(a.encode(), b.encode())
            else:
                o.text = generator.order(number, body.get("seed", f"edit{o.edits}"), body.get("warehouses", ["MAG-1"]), body.get("code")).encode()
            o.edits += 1
        elif what == "status":      # what a person does in xSale
            self.set_status(o, self.status_id(body["status"]), body.get("by", "operator"))
        elif what == "delete":
            self.remove(number)
        elif what is not None:
            raise Refused(404, "no such control")
        return Reply(200, {"id": number, "status": self.orders[number].status if number in self.orders else None})

    def control_changes(self, q, body):
        return Reply(200, self.changes)

    def control_traces(self, q, body):
        return Reply(200, self.traces)

    def control_counts(self, q, body):
        return Reply(200, {name: len(self.by_status[i]) for i, name in self.statuses.items()})

    def control_statuses(self, q, body):
        return Reply(200, self.statuses)

    def control_rename(self, q, body):
        """{"from": name, "to": name}: what an administrator does in xSale."""
        status = self.status_id(body["from"])
        self.statuses[status] = body["to"]
        return Reply(200, {"id": status})

    def control_settings(self, q, body):
        """{"life": [access, id], "change_status": bool, "expire": true, "password": "..."}"""
        self.life = body.get("life", self.life)
        self.allowed["change_status"] = body.get("change_status", self.allowed["change_status"])
        self.args.password = body.get("password", self.args.password)
        if body.get("expire"):
            self.tokens = {}
        return Reply(200, {"logins": self.logins})

    def control_tokens(self, q, body):
        """Every token ever given that is still known: for the test that looks for secrets in logs."""
        return Reply(200, {"tokens": list(self.tokens), "logins": self.logins})


CONTROL = """  POST   /_sim/generate                {"count": 500, "first": 100001, "status": "Nowe", "warehouses": [["MAG-1"], ["MAG-1", "MAG-2"]], "pad": 0}
  GET    /_sim/orders                  ids and statuses of all; /_sim/counts: how many in each status; /_sim/changes: every change of a status
  POST   /_sim/orders/ID/status        {"status": "Nowe"}: what a person does
  POST   /_sim/orders/ID/edit          {"replace": [["from", "to"]]}
  POST   /_sim/orders/ID/raw           any bytes as an order; ?status=NAME
  POST   /_sim/orders/ID/delete
  GET    /_sim/orders/ID/source        the exact bytes; /_sim/sources: of all, in base64
  GET    /_sim/statuses, /_sim/tokens
  GET    /_sim/traces                  the traceparent of the last change of each order
  POST   /_sim/rename                  {"from": "Nowe", "to": "Nowiutkie"}: a status, as an administrator does it
  POST   /_sim/settings                {"life": [access, id], "change_status": false, "expire": true, "password": "..."}
"""


def main():
    p = options(__doc__, CONTROL)
    p.add_argument("--organization", default="acme", help="one or more, comma separated")
    p.add_argument("--client-id", default="abc", help="demanded of a login, as the five below")
    p.add_argument("--client-secret", default="simulated-client-secret", help="see --client-id")
    p.add_argument("--username", default="erp@example.pl", help="see --client-id")
    p.add_argument("--password", default="simulated-password", help="see --client-id")
    p.add_argument("--audience", default="https://api.xsale.ai", help="see --client-id")
    p.add_argument("--scope", default="openid profile email xsale production", help="see --client-id")
    p.add_argument("--access-life", type=float, default=86400, help="seconds that an access token lives")
    p.add_argument("--id-life", type=float, default=36000, help="seconds that an id token lives")
    p.add_argument("--status-base", type=int, default=11, help="id of the first status; ids differ per account")
    p.add_argument("--array-style", default="repeat", choices=["repeat", "comma", "brackets", "indexed"], help="how arrays are understood in a query")
    p.add_argument("--paging", default="page", choices=["page", "offset"], help="how pages are asked for")
    p.add_argument("--page-parameter", default="", help="empty: page, in offset paging offset")
    p.add_argument("--page-size-parameter", default="", help="empty: pageSize, in offset paging limit")
    p.add_argument("--page-first", type=int, default=1, help="number of the first page")
    p.add_argument("--page-cap", type=int, default=100, help="orders that a page holds at most")
    p.add_argument("--ignore-filter", action="store_true", help="the filters by status are read and have no effect: every order is listed")
    p.add_argument("--repeat-last-page", action="store_true", help="a page past the end brings the last one again")
    p.add_argument("--order", default="asc", choices=["asc", "desc"], help="of the list, by id")
    p.add_argument("--envelope", default="", help="key of the array in an object; empty: the body is the array")
    p.add_argument("--change-status", default="body", choices=["body", "query"], help="where the new status is looked for")
    p.add_argument("--change-status-field", default="StatusId", help="its name there")
    p.add_argument("--allow-query", action="append", default=[], metavar="NAME=VALUE", help="a parameter of the list that is accepted and ignored; may be given several times")
    p.add_argument("--gzip", action="store_true", help="compress for those who accept it")
    p.add_argument("--generate", type=int, default=0, metavar="N", help="orders that stand in Nowe at the start, for MAG-1 and MAG-2")
    args = p.parse_args()
    args.page_parameter = args.page_parameter or ("page" if args.paging == "page" else "offset")
    args.page_size_parameter = args.page_size_parameter or ("pageSize" if args.paging == "page" else "limit")
    xsale = Xsale(args)
    if args.generate:
        xsale.control_generate(None, {"count": args.generate, "warehouses": [["MAG-1"], ["MAG-2"], ["MAG-1", "MAG-2"]]})
    run(Server(xsale.handle, xsale.control, args.seed, args.gzip), args)


if __name__ == "__main__":
    main()
