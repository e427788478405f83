#!/usr/bin/env python3
"""Simulator of an ERP with an HTTP interface.

POST /orders loads an order, DELETE /orders[/...] takes a withdrawal; both demand `Idempotency-Key:
organization/orderId/warehouse/publication`. A document is named by organization + order + warehouse. What a careful ERP keeps is kept
here: one document per name, the same answer to a repeated load, edits in the same document, nothing changed by a lower publication, and
a withdrawal remembered even of an order that never arrived.
"""
import asyncio
import hashlib
import json
import os
import re
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from httpd import Refused, Reply, Server, options, run     # noqa: E402

KEY = re.compile(r"([^/]{1,255})/([1-9]\d{0,18})/([^/]{1,255})/([1-9]\d{0,18})")


class Document:
    __slots__ = ("id", "name", "publication", "revision", "body", "withdrawn", "loads", "edits", "answers", "at")

    def __init__(self, name):
        self.id, self.name = None, name
        self.publication, self.revision, self.body, self.withdrawn = 0, None, None, False
        self.loads = self.edits = 0
        self.at = 0

    def show(self, body=False):
        organization, order, warehouse = self.name
        row = {"documentId": self.id, "organization": organization, "orderId": order, "warehouse": warehouse, "withdrawn": self.withdrawn,
               "publication": self.publication, "revision": self.revision, "loads": self.loads, "edits": self.edits, "at": self.at}
        if body:
            row["body"] = self.body.decode() if self.body is not None else None
        return row


class Erp:
    def __init__(self, args):
        self.args = args
        self.documents = {}             # name -> Document
        self.next_id = args.first_document
        self.created = 0                # documents ever made; more than one a name only after a withdrawal
        self.keys = {}                  # idempotency key -> digest of method + body
        self.traces = {}                # idempotency key -> traceparent
        self.attempts = {}              # idempotency key -> times asked
        self.refuse = {"orders": set(args.refuse_order), "articles": set(args.refuse_article), "words": args.refuse_words}
        self.in_hand = {}               # name -> requests running
        self.violations = []
        self.log = []
        self.latency, self.slow = args.latency, {}      # seconds; slow: of single orders

    async def handle(self, q):
        if self.args.authorization and q.header("authorization") != self.args.authorization:
            raise Refused(401, "Authorization is missing or wrong")
        if q.path != "/orders" and not q.path.startswith("/orders/"):
            raise Refused(404, "no such path")
        q.route = f"{q.method} /orders"
        if q.method == "GET":
            return self.look_up(q)
        if q.method not in ("POST", "PUT", "DELETE"):
            raise Refused(405, "POST, PUT or DELETE")
        name, publication, key = self.key(q)
        self.attempts[key] = self.attempts.get(key, 0) + 1
        self.traces[key] = q.header("traceparent")
        if self.in_hand.get(name):
            self.violations.append({"what": "two at a time", "key": key})
        self.in_hand[name] = self.in_hand.get(name, 0) + 1
        try:
            await self.take_time(name[1])
            self.same_body(q, key)
            reply = self.withdraw(name, publication) if q.method == "DELETE" else self.load(q, name, publication)
            self.note(q, key, reply.status)
            return reply
        except Refused as e:
            self.note(q, key, e.status)
            raise
        finally:
            self.in_hand[name] -= 1

    async def take_time(self, order):
        """As long as the settings say; a slow order is released as soon as they no longer name it."""
        begin = time.monotonic()
        while order in self.slow and time.monotonic() - begin < self.slow[order]:
            await asyncio.sleep(0.05)
        if order not in self.slow and time.monotonic() - begin < self.latency:
            await asyncio.sleep(self.latency)

    def note(self, q, key, status):
        if len(self.log) < 500000:
            self.log.append((int(time.time() * 1000), q.method, key, status))

    def key(self, q):
        key = q.header("idempotency-key")
        match = KEY.fullmatch(key or "")
        if not match:
            raise Refused(400, "Idempotency-Key is missing or not organization/orderId/warehouse/publication")
        organization, order, warehouse, publication = match.groups()
        return (organization, int(order), warehouse), int(publication), key

    def same_body(self, q, key):
        digest = hashlib.sha256(q.method.encode() + b" " + q.body).digest()
        if self.keys.setdefault(key, digest) != digest:
            self.violations.append({"what": "key used again with another body", "key": key})
            raise Refused(422, "Idempotency-Key was used with another body")

    def load(self, q, name, publication):
        order = q.json()
        if not isinstance(order, dict) or order.get("orderId") != name[1] or order.get("organization") != name[0]:
            raise Refused(422, "the body is about another order than the key")
        revision = order.get("revision")
        if not isinstance(revision, str) or order.get("publication") != publication:
            raise Refused(422, "revision or publication is missing or not the key's")
        if not order.get("items"):
            raise Refused(422, "an order without lines")
        d = self.documents.setdefault(name, Document(name))
        if publication < d.publication:
            self.violations.append({"what": "older after newer", "key": "/".join(map(str, name)), "publication": publication})
            if not self.args.careless:
                return self.answer(200, d, "older: nothing changed")
        self.judge(order, name)
        if self.careless(d, publication):
            d.id, self.next_id = f"ZK/2026/{self.next_id}", self.next_id + 1
            self.created += 1
            status, words = 201, "loaded"
        elif d.withdrawn:
            return self.answer(200, d, "withdrawn: nothing changed")
        elif revision == d.revision:
            d.publication = publication
            return self.answer(200, d, "known")
        else:
            d.edits += 1
            status, words = 200, "edited"
        d.publication, d.revision, d.body, d.withdrawn = publication, revision, q.body, False
        d.loads += 1
        d.at = int(time.time() * 1000)
        return self.answer(status, d, words)

    def careless(self, d, publication):
        """Is it to be a new document? --careless: what an ERP that does not keep its part would do."""
        return (d.id is None and not (d.withdrawn and publication < d.publication) or (d.withdrawn and publication > d.publication)
                or self.args.careless == "doubles" or (self.args.careless == "late" and d.withdrawn))

    def judge(self, order, name):
        articles = [a.get("code") for i in order["items"] for a in i.get("articles") or []]
        bad = [a for a in articles if a in self.refuse["articles"]]
        if bad:
            raise Refused(422, f"{self.refuse['words']} {bad[0]}")
        if name[1] in self.refuse["orders"]:
            raise Refused(422, f"{self.refuse['words']} (zamówienie {name[1]})")

    def withdraw(self, name, publication):
        d = self.documents.setdefault(name, Document(name))
        if publication < d.publication:
            return self.answer(200, d, "older: nothing changed")
        d.publication, d.withdrawn = publication, True
        return self.answer(200, d, "withdrawn")

    def look_up(self, q):
        parts = q.path.split("/")[2:]
        if len(parts) != 3 or not parts[1].isdigit():
            raise Refused(400, "GET /orders/{organization}/{order_id}/{warehouse}")
        d = self.documents.get((parts[0], int(parts[1]), parts[2]))
        if d is None or d.id is None:
            raise Refused(404, "no such document")
        return self.answer(200, d, "known")

    @staticmethod
    def answer(status, d, words):
        return Reply(status, {"DocumentId": d.id, "Info": words})

    def summary(self):
        live = [d for d in self.documents.values() if d.id is not None and not d.withdrawn]
        per = {}
        for d in live:
            per[d.name[2]] = per.get(d.name[2], 0) + 1
        return {"documents": len(live), "perWarehouse": per, "created": self.created, "violations": self.violations[:100],
                "violationCount": len(self.violations), "loads": sum(d.loads for d in self.documents.values()),
                "edits": sum(d.edits for d in self.documents.values()), "keys": len(self.attempts),
                "repeated": sum(n - 1 for n in self.attempts.values()), "withdrawn": sum(d.withdrawn for d in self.documents.values())}

    async def control(self, q):
        body = json.loads(q.body) if q.body else {}
        if q.path == "/_sim/summary":
            return Reply(200, self.summary())
        if q.path == "/_sim/documents":
            with_body = ("body", "1") in q.query
            return Reply(200, [d.show(with_body) for d in self.documents.values() if d.id is not None or d.withdrawn])
        if q.path == "/_sim/in_hand":       # orders that are being loaded at this moment
            return Reply(200, [{"orderId": n[1], "warehouse": n[2]} for n, count in self.in_hand.items() if count])
        if q.path == "/_sim/traces":
            return Reply(200, self.traces)
        if q.path == "/_sim/log":
            last = int(dict(q.query).get("last", 0))
            return Reply(200, self.log[-last:])
        if q.path == "/_sim/refuse" and q.method == "POST":
            for what in ("orders", "articles"):
                self.refuse[what] |= set(body.get(what, []))
                self.refuse[what] -= set(body.get("allow_" + what, []))
            self.refuse["words"] = body.get("words", self.refuse["words"])
            return Reply(200, {})
        if q.path == "/_sim/restore" and q.method == "POST":     # a backup from before `since` (ms): what was loaded since is forgotten
            lost = [n for n, d in self.documents.items() if d.at >= body["since"]]
            for name in lost:
                del self.documents[name]
            self.keys.clear()
            return Reply(200, {"lost": len(lost)})
        if q.path == "/_sim/settings" and q.method == "POST":
            self.latency = body.get("latency", self.latency)
            self.slow = {int(k): v for k, v in body["slow"].items()} if "slow" in body else self.slow
            return Reply(200, {})
        raise Refused(404, "no such control")


CONTROL = """  GET    /_sim/documents               all; ?body=1: with what was loaded
  GET    /_sim/summary                 counts, and what no careful ERP would have seen (violations)
  GET    /_sim/in_hand                 what is being loaded at this moment; /_sim/log: every load with its answer, or the ?last=N of them; /_sim/traces: the traceparent of each key
  POST   /_sim/refuse                  {"orders": [100001], "articles": ["CODE"], "words": "...", "allow_orders": [], "allow_articles": []}
  POST   /_sim/settings                {"latency": 0.5, "slow": {"100042": 8}}: seconds of every load, and of single orders
  POST   /_sim/restore                 {"since": ms}: a backup from before that moment
"""


def main():
    p = options(__doc__, CONTROL)
    p.add_argument("--latency", type=float, default=0, help="seconds that every load takes")
    p.add_argument("--careless", choices=("", "doubles", "late"), default="", help="break the promise: a document for every load; a load after its withdrawal")
    p.add_argument("--first-document", type=int, default=1, help="number of the first document")
    p.add_argument("--authorization", default="", help="value of the header Authorization that is demanded")
    p.add_argument("--refuse-order", type=int, action="append", default=[], metavar="ID", help="refused with 422; may be given several times")
    p.add_argument("--refuse-article", action="append", default=[], metavar="CODE", help="every order with it is refused with 422; may be given several times")
    p.add_argument("--refuse-words", default="Nieznany towar", help="of the refusal")
    args = p.parse_args()
    erp = Erp(args)
    run(Server(erp.handle, erp.control, args.seed), args)


if __name__ == "__main__":
    main()
