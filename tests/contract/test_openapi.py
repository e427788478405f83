"""schemas/erp/openapi.yaml is valid OpenAPI 3.1, and it is true: every request that erp-consumer makes fits it, every answer that it lists has the fate that it says,
and the simulator of an ERP answers as it says. Usage: test_openapi.py ERP-CONSUMER"""
import http.server
import json
import os
import subprocess
import sys
import threading

import jsonschema
import openapi_spec_validator
import yaml

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(ROOT, "tests", "sim"))
from simulator import Simulator, call       # noqa: E402

with open(os.path.join(ROOT, "schemas", "erp", "openapi.yaml"), encoding="utf-8") as f:
    DOCUMENT = yaml.safe_load(f)
POST = DOCUMENT["paths"]["/orders"]["post"]
DELETE = DOCUMENT["paths"]["/orders/{organization}/{order_id}/{warehouse}"]["delete"]
# What --check-erp makes of the first load's fate: (exit code, words)
ENDS = {"loaded": (0, "ok       a new order is loaded"), "reject": (1, "refuses the test order"), "pause": (1, "cannot go on"),
        "park": (1, "cannot go on"), "again": (1, "cannot go on")}


class Erp(http.server.ThreadingHTTPServer):
    """Passes every request on to the simulator, writes it down, and answers the loads with `status` when that is set."""
    daemon_threads = True

    def __init__(self, simulator):
        super().__init__(("127.0.0.1", 0), Handler)
        self.simulator, self.status, self.seen, self.answers = simulator, None, [], []
        threading.Thread(target=self.serve_forever, daemon=True).start()
        self.url = f"http://127.0.0.1:{self.server_port}"


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def handle_any(self):
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        self.server.seen.append((self.command, self.path, dict(self.headers), body))
        if self.server.status:
            status, answer = self.server.status, b'{"error": "words"}' if self.server.status >= 400 else b'{"DocumentId": "D"}'
        else:
            status, _, answer = call(self.server.simulator.url, self.command, self.path, body, dict(self.headers))
            self.server.answers.append((self.command, status, answer))
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    do_POST = do_DELETE = do_GET = handle_any

    def log_message(self, *_):
        pass


def offer(program, erp):
    settings = ["kafka.bootstrap.servers=127.0.0.1:1", "registry.url=http://127.0.0.1:1", f"erp.http.url={erp.url}/orders", "consumer.warehouse=MAG-1",
                f"erp.http.withdraw_url={erp.url}/orders/{{organization}}/{{order_id}}/{{warehouse}}"]
    r = subprocess.run([program, "--check-erp", *[w for s in settings for w in ("-X", s)]], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                       stderr=subprocess.STDOUT, text=True, timeout=60)
    return r.returncode, r.stdout


def validator(name):
    return jsonschema.Draft202012Validator({"$ref": f"#/components/schemas/{name}", "components": DOCUMENT["components"]}, format_checker=jsonschema.FormatChecker())


def fits(operation, headers):
    known = {p["name"].lower(): p for p in operation["parameters"] if p["in"] == "header"}
    sent = {k.lower() for k in headers}
    missing = [n for n, p in known.items() if p["required"] and n not in sent]
    assert not missing, f"headers that were not sent: {missing}"
    more = sent - set(known) - {"host", "user-agent", "accept", "accept-encoding", "content-type", "content-length"}
    assert not more, f"headers that the document does not know: {more}"


def requests(program, erp):
    code, text = offer(program, erp)
    assert code == 0, text
    order, seen = validator("Order"), set()
    for method, path, headers, body in erp.seen:
        seen.add(method)
        fits(POST if method == "POST" else DELETE, headers)
        if method == "POST":
            assert path == "/orders", path
            order.validate(json.loads(body))
            properties = set(DOCUMENT["components"]["schemas"]["Order"]["properties"])
            assert set(json.loads(body)) == properties, set(json.loads(body)) ^ properties
        else:
            assert path.count("/") == 4 and not body, path
    assert seen == {"POST", "DELETE"}, seen
    for _, status, answer in erp.answers:
        assert status in (200, 201), (status, answer)
        validator("Loaded").validate(json.loads(answer))


def fates(program, erp):
    for name, answer in POST["responses"].items():
        erp.status = int(name.replace("XX", "99"))      # nobody names those
        code, text = offer(program, erp)
        wanted, words = ENDS[answer["x-fate"]]
        if answer["x-fate"] in ("park", "pause", "again"):
            words = answer["description"].split(". ")[0][1:]        # of the row that has this fate
        if answer["x-fate"] == "loaded":        # always the same document: every order's but the first's
            wanted = 3
        assert code == wanted and words in text, f"{name} is not {answer['x-fate']}: {code}\n{text}"
    erp.status = None


def main():
    openapi_spec_validator.validate(DOCUMENT)
    simulator = Simulator("erp", "--refuse-article", "BAD")
    erp = Erp(simulator)
    try:
        requests(sys.argv[1], erp)
        status, _, answer = call(simulator.url, "POST", "/orders", json.dumps(
            {"organization": "a", "orderId": 1, "publication": 1, "revision": "r", "items": [{"articles": [{"code": "BAD"}]}]}), {"Idempotency-Key": "a/1/w/1", "Content-Type": "application/json"})
        assert status == 422, status
        validator("Refused").validate(json.loads(answer))
        fates(sys.argv[1], erp)
    finally:
        simulator.close()
    print("ok:", len(erp.seen), "requests")


if __name__ == "__main__":
    main()
