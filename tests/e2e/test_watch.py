"""Watched as in use: what the programs serve is clean by promtool and by OpenMetrics; a real Prometheus with the installed rules sees the ERP go down (an alert
fires, /readyz says why) and come back (it resolves); every panel of the dashboard finds a series; one trace goes from the publication to the ERP and the outcome."""
import json
import os
import re
import shutil
import subprocess
import urllib.parse

from harness import ROOT, call, check, equal, main, services, wait

PLACE = os.path.join(ROOT, "common", "monitoring")


class Prometheus(services.Service):
    """Scrapes every second; the rules with their waits cut to a second."""

    def __init__(self, targets):
        super().__init__("prometheus")
        self.port = services.free_port()
        self.patience = 60
        with open(os.path.join(PLACE, "alerts.yml"), encoding="utf-8") as f:
            rules = re.sub(r"^( +for:) .*$", r"\1 1s", f.read(), flags=re.M)
        with open(os.path.join(self.directory, "alerts.yml"), "w", encoding="utf-8") as f:
            f.write(rules)
        with open(os.path.join(PLACE, "prometheus.yml"), encoding="utf-8") as f:
            settings = f.read().replace("15s", "1s").replace("/usr/share/xsale-bridge/monitoring/", "")
        with open(os.path.join(self.directory, "prometheus.yml"), "w", encoding="utf-8") as f:
            f.write(re.sub(r"targets: \[.*?\]", f"targets: {json.dumps(targets)}", settings))
        self.launch(["prometheus", "--config.file=prometheus.yml", "--storage.tsdb.path=data", f"--web.listen-address=127.0.0.1:{self.port}", "--log.level=warn"])

    def ask(self, path):
        status, _, body = call(f"http://127.0.0.1:{self.port}", "GET", path, timeout=60)
        return json.loads(body)["data"] if status == 200 else {}

    def answers(self):
        try:
            return call(f"http://127.0.0.1:{self.port}", "GET", "/-/ready", timeout=5)[0] == 200
        except OSError:
            return False

    def query(self, expression):
        return self.ask("/api/v1/query?query=" + urllib.parse.quote(expression)).get("result", [])

    def firing(self, alert):
        return [a for a in self.ask("/api/v1/alerts").get("alerts", []) if a["labels"]["alertname"] == alert and a["state"] == "firing"]


def clean(p):
    """What promtool says of a program's metrics, and the marks of OpenMetrics."""
    text = p.http("/metrics")[1]
    r = subprocess.run(["promtool", "check", "metrics"], input=text, capture_output=True, text=True, timeout=60)
    equal((r.returncode, r.stdout + r.stderr), (0, ""), f"promtool's words about {p.name}")
    status, headers, body = call(f"http://127.0.0.1:{p.port}", "GET", "/metrics", headers={"Accept": "application/openmetrics-text; version=1.0.0"}, timeout=5)
    check(body.endswith(b"\n# EOF\n"), f"{p.name}: OpenMetrics ends with # EOF")


def traces(s):
    """A publication's trace is that of the ERP's request, of the outcome and of the PUT, each order has one of its own, and every program logs it."""
    orders = {(r.key, r.headers["publication"].decode()): r.headers["traceparent"].decode() for r in s.records("orders")}
    equal(len({t.split("-")[1] for t in orders.values()}), len(orders), "traces")
    for r in s.records("order-outcomes"):
        equal(r.headers["traceparent"].decode(), orders[r.key, r.headers["publication"].decode()], f"trace of the outcome of {r.key}")
    for key, trace in s.erp.get("traces").items():
        organization, order, _, publication = key.split("/")
        equal(trace, orders[f"{organization}/{order}", publication], f"trace of the load {key}")
    puts = s.xsale.get("traces")
    equal(len(puts), len(orders), "orders whose status was set")
    for (key, _), trace in orders.items():
        equal(puts[key.split("/")[1]], trace, f"trace of the PUT of {key}")
    for p in s.programs.values():
        with open(p.log, encoding="utf-8") as f:
            lines = [line for line in f if " trace=" in line]
        check(lines, f"{p.name} logs traces")
        for line in lines:
            key, trace = re.search(r" (acme/\d+): ", line)[1], re.search(r" trace=(\w+)", line)[1]
            check(any(k[0] == key and t.split("-")[1] == trace for k, t in orders.items()), f"a line of {p.name} has its order's trace: {line}")


def test(s):
    check(shutil.which("prometheus") and shutil.which("promtool"), "the package prometheus is installed")
    s.write_config(log={"level": "debug"})
    s.generate(40, refused=[100005])
    s.start()
    programs = list(s.programs.values())
    watcher = s.part(Prometheus([f"127.0.0.1:{p.port}" for p in programs]))
    s.settled(60)
    traces(s)
    for p in programs:
        clean(p)
    wait("Prometheus sees every program", 60, lambda: len(watcher.query('up{job="xsale-bridge"} == 1')) == len(programs))
    wait("the refused order's dead letter is seen", 60, lambda: watcher.query("xsale_bridge_dead_letters_total == 1"))

    s.erp.down()
    s.generate(12, first=100042)
    consumers = s.consumers
    wait("the alert fires for each consumer", 60, lambda: len(watcher.firing("XsaleBridgeErpPaused")) == len(consumers), 0.5)
    for p in consumers:
        erp = json.loads(p.http("/readyz")[1])["dependencies"]["erp"]
        check(erp["state"] == "down" and erp["error"] and erp["doing"] and erp["since"], f"/readyz of {p.name} says what is wrong: {erp}")
        clean(p)
    wait("orders wait", 60, lambda: all(watcher.query(f'xsale_bridge_orders_waiting{{warehouse="{w}"}} > 0 and xsale_bridge_lag_seconds > 0') for w in ("MAG-1", "MAG-2")))
    s.erp.up()
    wait("the alert is over", 60, lambda: not watcher.firing("XsaleBridgeErpPaused"), 0.5)
    s.settled(60)
    wait("every program is ready", 60, lambda: all(p.ready() for p in programs))

    with open(os.path.join(PLACE, "dashboard.json"), encoding="utf-8") as f:
        panels = json.load(f)["panels"]
    queries = [(p["title"], t["expr"]) for p in panels for t in p["targets"]]
    check(len(queries) > 30, "queries of the dashboard")
    for title, expression in queries:
        wait(f"the query of the panel {title} finds a series: {expression}", 60, lambda: watcher.query(expression), 1)
    s.stop()


if __name__ == "__main__":
    main(test, __doc__)
