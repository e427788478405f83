#!/usr/bin/env python3
"""The simulators are strict: what the real thing would refuse, they refuse; and they fail the way they are told to."""
import base64
import http.client
import json
import os
import re
import socket
import subprocess
import sys
import threading
import time
import unittest
from decimal import Decimal

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from simulator import Simulator, call       # noqa: E402

LOGIN = {"client_id": "abc", "client_secret": "simulated-client-secret", "audience": "https://api.xsale.ai", "username": "erp@example.pl",
         "password": "simulated-password", "grant_type": "password", "scope": "openid profile email xsale production"}
JSON = {"Content-Type": "application/json"}


class XsaleCase(unittest.TestCase):
    options = ()

    def setUp(self):
        self.sim = Simulator("xsale", *self.options)
        self.addCleanup(self.sim.close)
        self.tokens = self.login()[1]

    def login(self, **changes):
        status, _, body = call(self.sim.url, "POST", "/oauth/token", json.dumps({**LOGIN, **changes}), JSON)
        return status, json.loads(body)

    def ask(self, path, method="GET", body=None, headers=None, tokens=None):
        t = tokens or self.tokens
        h = {"Authorization": "Bearer " + t["access_token"], "x-id-token": t["id_token"], **(headers or {})}
        status, _, reply = call(self.sim.url, method, path, body, h)
        return status, reply

    def ids(self, path):
        status, body = self.ask(path)
        self.assertEqual(status, 200, body)
        rows = json.loads(body)
        return [o["Id"] for o in (rows["Orders"] if isinstance(rows, dict) else rows)]


class Logins(XsaleCase):
    def test_a_login_must_be_exact(self):
        self.assertEqual(self.login(password="x")[0], 403)
        self.assertEqual(self.login(password="x")[1]["error"], "invalid_grant")
        self.assertEqual(self.login(client_secret="x")[0], 401)
        self.assertEqual(self.login(scope="openid")[0], 403)
        self.assertEqual(self.login(audience="x")[0], 403)
        self.assertEqual(self.login(grant_type="client_credentials")[0], 403)
        self.assertEqual(self.login(more="x")[0], 400)
        form = {"Content-Type": "application/x-www-form-urlencoded"}
        self.assertEqual(call(self.sim.url, "POST", "/oauth/token", json.dumps(LOGIN), form)[0], 415)

    def test_both_tokens_are_demanded_and_told_apart(self):
        a, i = self.tokens["access_token"], self.tokens["id_token"]
        self.assertNotEqual(a, i)
        self.assertEqual(len(a.split(".")), 3)
        self.assertIn("exp", json.loads(base64.urlsafe_b64decode(a.split(".")[1] + "==")))
        self.assertEqual(self.ask("/me")[0], 200)
        for access, identity in ((i, i), (a, a), ("x", i), (a, "x")):
            self.assertEqual(self.ask("/me", tokens={"access_token": access, "id_token": identity})[0], 401)
        self.assertEqual(call(self.sim.url, "GET", "/me", headers={"Authorization": "Bearer " + a})[0], 401)

    def test_tokens_expire_and_can_be_expired(self):
        self.sim.post("settings", {"life": [86400, 0.3]})
        begin, self.tokens = time.monotonic(), self.login()[1]
        self.assertTrue(self.ask("/me")[0] == 200 or time.monotonic() - begin >= 0.3)
        time.sleep(0.35)
        self.assertEqual(self.ask("/me")[0], 401)
        self.sim.post("settings", {"life": [86400, 86400]})
        self.tokens = self.login()[1]
        self.sim.post("settings", {"expire": True})
        self.assertEqual(self.ask("/me")[0], 401)

    def test_another_organization_is_refused(self):
        self.assertEqual(self.ask("/other/orders")[0], 403)


class Orders(XsaleCase):
    def setUp(self):
        super().setUp()
        self.sim.post("generate", {"count": 250})

    def test_pages_bring_every_order_once(self):
        found = []
        for page in range(1, 5):
            found += self.ids(f"/acme/orders?statusidin=11&page={page}&pageSize=100")
        self.assertEqual(found, list(range(100001, 100251)))
        self.assertEqual(self.ids("/acme/orders?statusidin=13"), [])
        self.assertEqual(len(self.ids("/acme/orders?statusnamein=Nowe&pageSize=5")), 5)
        self.assertEqual(len(self.ids("/acme/orders?pageSize=5000")), 100)

    def test_unknown_parameters_and_other_styles_are_refused(self):
        for q in ("foo=1", "statusidin[]=11", "statusidin[0]=11", "statusidin=11,12", "page=0", "page=x", "pageSize=0", "page=1&page=2", "offset=5"):
            self.assertEqual(self.ask("/acme/orders?" + q)[0], 400, q)

    def test_amounts_are_exact_text_and_add_up(self):
        _, body = self.ask("/acme/orders/100007")
        self.assertEqual(body, self.sim.raw("orders/100007/source"))
        o = json.loads(body, parse_float=Decimal)
        self.assertEqual(sum(Decimal(i["PriceGross"]) for i in o["Items"]), Decimal(o["TotalGross"]))
        self.assertEqual(o["StatusName"], "Nowe")
        self.assertEqual(base64.b64decode(self.sim.get("sources?status=13")["100007"]).decode().count('"StatusId": 13'), 1)

    def test_a_status_is_changed_and_logged(self):
        path = "/acme/orders/100001/change-status"
        put = lambda body, h=JSON, p=path: self.ask(p, "PUT", json.dumps(body), h)[0]
        self.assertEqual(put({"StatusId": 999}), 400)
        self.assertEqual(put({"StatusId": "13"}), 400)
        self.assertEqual(put({"Status": 13}), 400)
        self.assertEqual(put({"StatusId": 13}, {"Content-Type": "text/plain"}), 415)
        self.assertEqual(put({"StatusId": 13}, JSON, "/acme/orders/5/change-status"), 404)
        self.assertEqual(put({"StatusId": 13}, JSON, path + "?StatusId=13"), 400)
        self.assertEqual(self.sim.get("changes"), [])
        self.assertEqual(put({"StatusId": 13}), 200)
        self.sim.post("orders/100001/status", {"status": "Nowe"})
        self.assertEqual([(c["fromName"], c["toName"], c["by"]) for c in self.sim.get("changes")],
                         [("Nowe", "Zaimportowano do ERP", "api"), ("Zaimportowano do ERP", "Nowe", "operator")])
        self.sim.post("settings", {"change_status": False})
        self.assertEqual(put({"StatusId": 13}), 403)

    def test_an_order_is_edited_deleted_and_raw(self):
        before = self.sim.raw("orders/100002/source")
        self.sim.post("orders/100002/edit", {"seed": "x"})
        self.assertNotEqual(before, self.sim.raw("orders/100002/source"))
        self.sim.post("orders/100002/edit", {"replace": [['"Currency": "PLN"', '"Currency": "EUR"']]})
        self.assertIn(b'"EUR"', self.ask("/acme/orders/100002")[1])
        self.sim.post("orders/100002/delete")
        self.assertEqual(self.ask("/acme/orders/100002")[0], 404)
        self.sim.post("orders/7/raw", b'{"Id": 7, "StatusId": @STATUS_ID@, \xff')
        self.assertEqual(self.ask("/acme/orders/7")[1], b'{"Id": 7, "StatusId": 11, \xff')


class Styles(unittest.TestCase):
    def test_each_array_style_understands_itself_only(self):
        queries = {"repeat": "statusidin=11&statusidin=12", "comma": "statusidin=11,12", "brackets": "statusidin[]=11&statusidin[]=12",
                   "indexed": "statusidin[0]=11&statusidin[1]=12"}
        for style in queries:
            class Case(XsaleCase):
                options = ("--array-style", style)
            case = Case("setUp")
            case.setUp()
            try:
                case.sim.post("generate", {"count": 3})
                for other, query in queries.items():
                    self.assertEqual(case.ask("/acme/orders?" + query)[0], 200 if other == style else 400, f"{style} {other}")
            finally:
                case.doCleanups()


class OffsetEnvelope(XsaleCase):
    options = ("--paging", "offset", "--envelope", "Orders", "--page-cap", "10", "--change-status", "query", "--allow-query", "channel=7")

    def test_offset_paging_envelope_query_and_fixed_parameters(self):
        self.sim.post("generate", {"count": 25})
        found = []
        for offset in (0, 10, 20):
            found += self.ids(f"/acme/orders?statusidin=11&offset={offset}&limit=100&channel=7")
        self.assertEqual(found, list(range(100001, 100026)))
        self.assertEqual(self.ask("/acme/orders?channel=8")[0], 400)
        self.assertEqual(self.ask("/acme/orders/100001/change-status?StatusId=13", "PUT")[0], 200)
        self.assertEqual(self.ask("/acme/orders/100001/change-status", "PUT", '{"StatusId": 13}', JSON)[0], 400)


class RepeatedLastPage(XsaleCase):
    options = ("--repeat-last-page",)

    def test_a_page_past_the_end_is_the_last_one(self):
        self.sim.post("generate", {"count": 150})
        self.assertEqual(self.ids("/acme/orders?page=3"), self.ids("/acme/orders?page=2"))


class Faults(XsaleCase):
    def test_faults_are_taken_as_often_as_asked(self):
        self.sim.fault("status", "GET /me", status=429, retry_after=7, count=1)
        c = call(self.sim.url, "GET", "/me")
        self.assertEqual((c[0], c[1]["retry-after"]), (429, "7"))
        self.assertEqual(self.ask("/me")[0], 200)
        self.sim.fault("status", "", status=503, retry_after="date:30")
        self.assertIn("GMT", call(self.sim.url, "GET", "/me")[1]["retry-after"])
        self.sim.clear_faults()
        self.assertEqual(self.ask("/me")[0], 200)
        self.assertGreater(self.sim.get("requests")["routes"]["GET /me"]["requests"], 1)

    def test_faults_are_replaced_in_one_step(self):
        self.sim.fault("status", "GET /me", status=500)
        self.sim.only_fault("status", "GET /me", status=503)
        self.assertEqual(self.ask("/me")[0], 503)
        with self.assertRaises(RuntimeError):
            self.sim.only_fault("no such kind")
        self.assertEqual(self.ask("/me")[0], 503)

    def test_replies_can_be_cut_lengthened_garbled_or_left_out(self):
        self.sim.post("generate", {"count": 20})
        for kind in ("cut", "length"):
            self.sim.fault(kind, "/orders", count=1)
            self.assertRaises(http.client.IncompleteRead, self.ask, "/acme/orders")
        self.sim.fault("garbage", count=1)
        self.assertRaises(http.client.HTTPException, self.ask, "/me")
        self.sim.fault("close", count=1)
        self.assertRaises((http.client.HTTPException, OSError), self.ask, "/me")
        self.sim.fault("html", count=1)
        self.assertIn(b"<html>", self.ask("/me")[1])
        self.sim.fault("drip", count=1, seconds=0.4)
        start = time.monotonic()
        self.assertEqual(self.ask("/acme/orders")[0], 200)
        self.assertGreater(time.monotonic() - start, 0.3)
        self.sim.fault("hang", count=1)
        with self.assertRaises(OSError):
            call(self.sim.url, "GET", "/me", timeout=0.3)

    def test_a_cut_after_the_effect_is_ambiguous(self):
        self.sim.post("generate", {"count": 1})
        self.sim.fault("close", "change-status", count=1, process=True)
        with self.assertRaises((http.client.HTTPException, OSError)):
            self.ask("/acme/orders/100001/change-status", "PUT", '{"StatusId": 13}', JSON)
        self.assertEqual(len(self.sim.get("changes")), 1)

    def test_bad_http_is_refused(self):
        port = int(self.sim.url.rsplit(":", 1)[1])
        for data in (b"GET /me\r\n\r\n", b"GET /me HTTP/1.1\r\n\r\n", b"GET /me HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n",
                     b"GET /me HTTP/1.1\r\nHost: x\r\nA: " + b"x" * 70000 + b"\r\n\r\n"):
            with socket.create_connection(("127.0.0.1", port), 60) as s:
                try:
                    s.sendall(data)
                    self.assertTrue(s.recv(100).startswith(b"HTTP/1.1 400"), data[:60])
                except ConnectionResetError:
                    pass

    def test_chunked_bodies_are_read(self):
        status, _, _ = call(self.sim.url, "POST", "/oauth/token", iter([json.dumps(LOGIN).encode()]), JSON)
        self.assertEqual(status, 200)


class Erp(unittest.TestCase):
    def setUp(self):
        self.sim = Simulator("erp")
        self.addCleanup(self.sim.close)

    def load(self, order=1, publication=1000, revision="aa", warehouse="MAG-1", key=None, method="POST", **more):
        body = {"organization": "acme", "orderId": order, "publication": publication, "revision": revision,
                "items": [{"articles": [{"code": "X"}]}], **more}
        headers = {**JSON, "Idempotency-Key": key or f"acme/{order}/{warehouse}/{publication}"}
        status, _, reply = call(self.sim.url, method, "/orders", json.dumps(body) if method != "DELETE" else None, headers)
        return status, json.loads(reply).get("DocumentId")

    def test_one_document_per_order_and_warehouse(self):
        status, document = self.load()
        self.assertEqual(status, 201)
        self.assertEqual(self.load(), (200, document))                                      # repeated
        self.assertEqual(self.load(publication=2000), (200, document))                      # same revision
        self.assertEqual(self.load(publication=3000, revision="bb"), (200, document))       # edit
        self.assertEqual(self.load(publication=2500, revision="cc"), (200, document))       # older
        self.assertEqual(self.load(warehouse="MAG-2")[0], 201)
        s = self.sim.get("summary")
        self.assertEqual((s["documents"], s["edits"], s["repeated"], s["perWarehouse"]), (2, 1, 1, {"MAG-1": 1, "MAG-2": 1}))
        self.assertEqual([v["what"] for v in s["violations"]], ["older after newer"])
        self.assertEqual(json.loads(self.sim.get("documents?body=1")[0]["body"])["revision"], "bb")

    def test_a_withdrawal_is_remembered_even_of_an_order_never_seen(self):
        self.assertEqual(self.load(publication=2000, method="DELETE"), (200, None))
        self.assertEqual(self.load(publication=1000), (200, None))
        self.assertEqual(self.load(publication=3000)[0], 201)
        self.assertEqual(self.load(publication=4000, method="DELETE")[0], 200)
        self.assertEqual(self.sim.get("summary")["documents"], 0)

    def test_what_is_not_exact_is_refused(self):
        self.assertEqual(self.load(key="nonsense")[0], 400)
        self.assertEqual(self.load(key="acme/2/MAG-1/1000")[0], 422)
        self.assertEqual(self.load(key="acme/1/MAG-1/1001")[0], 422)
        self.assertEqual(self.load(items=[])[0], 422)
        self.load(order=5)
        self.assertEqual(self.load(order=5, revision="other")[0], 422)

    def test_refused_articles_and_orders_can_be_allowed_again(self):
        self.sim.post("refuse", {"articles": ["X"], "words": "Brak towaru"})
        self.assertEqual(self.load()[0], 422)
        self.sim.post("refuse", {"allow_articles": ["X"], "orders": [2]})
        self.assertEqual(self.load()[0], 201)
        self.assertEqual(self.load(order=2)[0], 422)

    def test_down_and_up_keep_the_port_and_the_documents(self):
        self.load()
        self.sim.down()
        self.assertRaises(ConnectionRefusedError, self.load)
        with socket.socket() as other:
            self.assertRaises(OSError, other.bind, ("127.0.0.1", int(self.sim.url.rsplit(":", 1)[1])))      # nobody takes it meanwhile
        self.sim.up()
        self.assertEqual(self.load()[0], 200)

    def test_a_reply_cut_after_the_load_leaves_one_document(self):
        self.sim.fault("close", "POST /orders", count=1, process=True)
        with self.assertRaises((http.client.HTTPException, OSError)):
            self.load()
        self.assertEqual(self.load()[0], 200)
        self.assertEqual(self.sim.get("summary")["documents"], 1)

    def test_two_loads_of_one_order_at_a_time_are_a_violation(self):
        self.sim.post("settings", {"slow": {"1": 600}})
        threads = [threading.Thread(target=self.load, kwargs={"publication": p}) for p in (1000, 2000)]
        [t.start() for t in threads]
        end = time.monotonic() + 30
        while not self.sim.get("summary")["violations"] and time.monotonic() < end:
            time.sleep(0.02)
        self.sim.post("settings", {"slow": {}})
        [t.join() for t in threads]
        self.assertEqual(self.sim.get("summary")["violations"][0]["what"], "two at a time")


def record(*fields, name="R"):
    return json.dumps({"type": "record", "name": name, "namespace": "n", "fields": list(fields)})


A = {"name": "a", "type": "long"}


class Registry(unittest.TestCase):
    def setUp(self):
        self.sim = Simulator("registry")
        self.addCleanup(self.sim.close)

    def ask(self, method, path, body=None, kind="application/vnd.schemaregistry.v1+json"):
        status, headers, reply = call(self.sim.url, method, path, json.dumps(body) if body is not None else None, {"Content-Type": kind})
        self.assertEqual(headers["content-type"] if status == 200 else "", "application/vnd.schemaregistry.v1+json" if status == 200 else "")
        return status, json.loads(reply)

    def register(self, text, subject="t-value"):
        status, reply = self.ask("POST", f"/subjects/{subject}/versions", {"schema": text})
        return status, reply.get("id", reply.get("error_code"))

    def test_a_schema_is_registered_once_and_found_by_id_and_text(self):
        self.assertEqual(self.ask("POST", "/subjects/t-value", {"schema": record(A)})[1]["error_code"], 40401)
        self.assertEqual(self.register(record(A)), (200, 1))
        self.assertEqual(self.register(record(A)), (200, 1))
        self.assertEqual(self.register(record(A), "u-value"), (200, 1))
        self.assertEqual(self.ask("GET", "/schemas/ids/1"), (200, {"schema": record(A)}))
        self.assertEqual(self.ask("GET", "/schemas/ids/9")[1]["error_code"], 40403)
        self.assertEqual(self.ask("POST", "/subjects/t-value", {"schema": record(A)})[1]["version"], 1)
        self.assertEqual(self.ask("POST", "/subjects/t-value", {"schema": record()})[1]["error_code"], 40403)
        self.assertEqual(self.ask("GET", "/subjects/t-value/versions/latest")[1]["id"], 1)

    def test_incompatible_schemas_are_refused_over_all_versions(self):
        self.register(record(A))
        more = {"name": "b", "type": ["null", "string"], "default": None}
        self.assertEqual(self.register(record(A, {"name": "b", "type": "string"}))[0], 409)
        self.assertEqual(self.register(record({"name": "a", "type": "string"}))[0], 409)
        self.assertEqual(self.register(record(A, name="Other"))[0], 409)
        self.assertEqual(self.ask("POST", "/compatibility/subjects/t-value/versions", {"schema": record(A, more)})[1], {"is_compatible": True})
        self.assertEqual(self.register(record(A, more)), (200, 2))
        self.assertEqual(self.register(record(more)), (200, 3))                              # a removed
        self.assertEqual(self.register(record(more, {"name": "a", "type": "int", "default": 0}))[0], 409)   # versions 1 and 2 say long

    def test_what_is_not_a_schema_or_not_json_is_refused(self):
        twice = {"type": "enum", "name": "E", "symbols": ["X"]}
        self.assertEqual(self.register(record({"name": "a", "type": twice}, {"name": "b", "type": twice})), (422, 42201))
        self.assertEqual(self.register("{")[1], 42201)
        self.assertEqual(self.register(record({"name": "a", "type": "nothing"}))[1], 42201)
        self.assertEqual(self.ask("POST", "/subjects/t-value/versions", {"schema": "\"int\""}, "text/plain")[0], 415)

    def test_the_schemas_of_the_house_are_accepted(self):
        folder = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../schemas")
        for name in sorted(os.listdir(folder)):
            if name.endswith(".avsc"):
                with open(os.path.join(folder, name), encoding="utf-8") as f:
                    self.assertEqual(self.register(f.read(), name)[0], 200, name)

    def test_the_level_of_compatibility_can_be_read_and_changed(self):
        self.assertEqual(self.ask("GET", "/config")[1], {"compatibilityLevel": "BACKWARD_TRANSITIVE"})
        self.assertEqual(self.ask("GET", "/config/t-value")[1]["error_code"], 40408)
        self.register(record(A))
        self.assertEqual(self.ask("PUT", "/config/t-value", {"compatibility": "NONE"})[0], 200)
        self.assertEqual(self.register(record({"name": "a", "type": "string"}))[0], 200)


class Life(unittest.TestCase):
    def test_a_simulator_ends_with_its_parent_and_on_sigterm(self):
        for end in (lambda s: s.process.stdin.close(), lambda s: s.process.terminate()):
            s = Simulator("registry")
            s.fault("hang")
            end(s)
            self.assertEqual(s.process.wait(60), 0)
            s.close()

    def test_help_names_every_default_and_every_control(self):
        here = os.path.dirname(os.path.abspath(__file__))
        for name in ("xsale", "erp", "registry"):
            with open(os.path.join(here, name + ".py"), encoding="utf-8") as f:
                source = f.read()
            paths = set(re.findall(r'"(/_sim/\w+)"', source)) | {"/_sim/" + n for n in re.findall(r"def control_(\w+)", source) if n not in ("unknown", "order")}
            text = subprocess.run([sys.executable, os.path.join(here, name + ".py"), "--help"], stdout=subprocess.PIPE, text=True, timeout=60).stdout
            self.assertEqual([p for p in sorted(paths) if p not in text], [], f"controls that --help of {name}.py does not name")
            self.assertIn("(default: 0)", text)


if __name__ == "__main__":
    unittest.main(verbosity=1)
