"""order-replay serve: the page shows the whole pipeline: all well, an ERP that is down, what waits, an order's life and whether it adds up. Whatever orders and the ERP say
stays text, no value of an order is shown, the token and the Host header guard it, and reloading makes no more passes. In a real browser it is clean: light, dark, on a
phone, with and without JavaScript, and when the server is gone it says so."""
import base64
import http.server
import os
import re
import shutil
import subprocess
import threading
import time
import urllib.parse

from devtools import Chromium
from harness import check, equal, main, services, wait
from simulator import call

REFUSED, EDITED, HOSTILE = 100003, 100002, 100001
NUMBER = "<script>alert(1)</script>&\\\"'"      # as it stands in JSON
WORDS = "<img src=x onerror=alert(1)> unknown article"
TOKEN = "a-token-for-the-page-0123456789"


class Serve:
    """The command as a process, from its start to its orderly end."""

    def __init__(self, s, *arguments):
        self.port = services.free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        others = ",".join(f"127.0.0.1:{c.port}" for c in s.consumers[1:])
        self.process = subprocess.Popen(
            [os.path.join(s.build, "consumer/order-replay"), "serve", "-c", s.config_file, "--listen", f"127.0.0.1:{self.port}", "--at", others, *arguments],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True, cwd=s.working, preexec_fn=services.die_with_parent, process_group=0)
        check(self.url in self.process.stdout.readline(), "it says where the page is")

    def get(self, path="/", headers=None, method="GET"):
        status, got, body = call(self.url, method, path, headers=headers)
        return status, got, body.decode("utf-8")

    def page(self, path="/"):
        """Its middle."""
        status, _, body = self.get(path)
        equal(status, 200, f"status of {path}")
        return body[body.index("<main>"):body.index("</main>")]

    def answer(self, path):
        return wait(f"an answer at {path}", 60, lambda: (lambda b: b if "As the topics stood" in b or "No answer" in b else None)(self.page(path)))

    def title(self):
        return re.search(r"<title>(.*)</title>", self.get()[2])[1]

    def stop(self):
        self.process.terminate()
        equal(self.process.wait(30), 0, "exit code of serve")
        self.process.stdout.close()


def order(asked):
    return "/order?" + urllib.parse.urlencode({"q": asked})


def nothing_of_theirs_is_markup(page, what):
    for bad in ("<script>alert", "<img", "onerror=alert(1)>"):
        check(bad not in page, f"{what} holds {bad}: {page}")


def orders(s):
    ids = s.generate(12, refused=[REFUSED])
    s.xsale.post(f"orders/{HOSTILE}/edit", {"replace": [[f"ZAM/2026/11/{HOSTILE}", NUMBER]]})
    s.erp.post("refuse", {"words": WORDS})
    s.start(s.producer)
    wait("everything is published", 60, lambda: s.producer.published() == len(ids))
    s.xsale.post(f"orders/{EDITED}/edit", {"replace": [["@example.pl", "@new.example.pl"]]})
    wait("the edit is published", 60, lambda: s.producer.published() == len(ids) + 1)
    s.start(s.updater, *s.consumers)
    s.settled()


def all_is_well(serve):
    wait("the page says that all is well", 90, lambda: serve.title() == "All is well", 0.5)
    page = wait("nothing waits", 60, lambda: (lambda b: b if "No order waits" in b and "Everything adds up" in b and "refused" in b else None)(serve.page()), 0.5)
    for words in ("MAG-1", "MAG-2", "xsale-producer", "status-updater", "erp-consumer", "refused"):
        check(words in page, f"the page names {words}: {page}")
    nothing_of_theirs_is_markup(page, "the page")
    status, headers, _ = serve.get()
    check("default-src 'none'" in headers["content-security-policy"] and headers["cache-control"] == "no-store", f"headers: {headers}")


def lives(s, serve):
    page = serve.answer(order(REFUSED))
    check("MAG-1: REJECTED" in page and "&lt;img src=x onerror" in page, f"the refusal, its words as text: {page}")
    nothing_of_theirs_is_markup(page, "the life of the refused order")
    page = serve.answer(order(EDITED))
    check("/buyer/email" in page, f"the field that was edited: {page}")
    for value in ("example.pl", "klient", "+48 600"):
        check(value not in page, f"the page shows {value} of the buyer: {page}")
    page = serve.answer(order("<script>alert(1)</script>&\"'"))
    check(f"acme/{HOSTILE}" in page, f"the order with the hostile number: {page}")
    nothing_of_theirs_is_markup(page, "the life of the hostile order")
    page = serve.answer(order("no-such-<script>alert(2)</script>"))
    check("No record of this order" in page, f"an unknown order: {page}")
    nothing_of_theirs_is_markup(page, "the page of an unknown order")
    for path, status in (("/order", 400), ("/order?q=%20", 400), ("/order?q=" + "x" * 300, 400), ("/reconcile", 400), ("/nowhere", 404)):
        equal(serve.get(path)[0], status, f"status of {path[:40]}")
    page = serve.answer("/reconcile?from=2h&to=")
    check("Everything adds up." in page and "12 orders" in page, f"reconcile: {page}")
    check("is no moment" in serve.answer("/reconcile?from=%3Cb%3E"), "a span that is none")


def guards(s, serve):
    equal(serve.get(headers={"Host": "evil.example"})[0], 403, "status for a foreign Host")
    equal([serve.get(method=m)[0] for m in ("POST", "PUT", "DELETE")], [405] * 3, "status of other methods")
    program = [os.path.join(s.build, "consumer/order-replay"), "serve", "-c", s.config_file]
    for more, words in ((["--listen", "0.0.0.0:0"], "token"), (["--listen", "here"], "--listen"), (["--since", "x"], "--since"), (["--every", "1ms"], "--every"),
                        (["--at", "x"], "HOST:PORT"), (["--listen", "127.0.0.1:0", "-X", "http.page_token=short"], "16")):
        r = subprocess.run(program + more, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, cwd=s.working, timeout=60)
        check(r.returncode == 2 and words in r.stdout, f"{more}: {r.returncode}, {r.stdout}")
    path = os.path.join(s.directory, "token")
    with open(path, "w", encoding="ascii") as f:
        f.write(TOKEN + "\n")
    guarded = Serve(s, "-X", f"http.page_token_file={path}", "--every", "1h")
    basic = lambda t: {"Authorization": "Basic " + base64.b64encode(f"any:{t}".encode()).decode()}
    tries = (None, basic("wrong"), basic(""), {"Authorization": f"Bearer {TOKEN}x"}, {"Authorization": "Bearer "}, basic(TOKEN), {"Authorization": f"Bearer {TOKEN}"})
    equal([guarded.get(headers=h)[0] for h in tries], [401] * 5 + [200] * 2, "statuses with a token")
    check("Basic" in guarded.get()[1]["www-authenticate"], "a browser is asked for the token")
    equal(guarded.get(headers={**basic(TOKEN), "Host": "page.example"})[0], 200, "status behind a proxy")
    # Many who reload share one pass: its figures only grow older.
    wait("the first pass", 60, lambda: "No order waits" in guarded.get(headers=basic(TOKEN))[2], 0.2)
    begin = time.monotonic()
    ages = [age(guarded.get(headers=basic(TOKEN))[2]) for _ in range(60)]
    time.sleep(2)
    least = int(time.monotonic() - begin)
    ages.append(age(guarded.get(headers=basic(TOKEN))[2]))
    equal(ages, sorted(ages), "the figures' ages over many reloads")
    check(ages[-1] >= least, f"the last age: {ages[-1]}, at least {least}")
    guarded.stop()


def age(body):
    return int(re.search(r"Figures (\d+) s old", body)[1])


def erp_down(s, serve):
    s.erp.down()
    s.generate(30, first=200001)
    words = ("the ERP is down", "wait (one of", "order-replay rewind", "paused", "cannot be reached")
    page = wait("the page names the ERP, the state of the warehouses and why", 60, lambda: (lambda b: b if all(w in b for w in words) else None)(serve.page()), 0.3)
    check("Repair the ERP" in page, f"what to do: {page}")
    wait("an order that waits, and what its program does", 60, lambda: "Waits for" in (life := serve.answer(order(200001))) and "in erp-consumer MAG-1" in life, 0.5)
    check("the ERP is down" in serve.title(), "the title names it")
    return page


# --- in a browser

class Relay(http.server.BaseHTTPRequestHandler):
    """Between browser and page: counts, and after `limit` pages does as if the server were gone."""

    def do_GET(self):
        relay = self.server
        pages = self.path == "/"
        relay.pages += pages
        if pages and relay.limit is not None and relay.pages > relay.limit:
            self.close_connection = True
            return
        status, headers, body = call(relay.to, "GET", self.path)
        self.send_response(status)
        for name in ("content-type", "content-security-policy", "cache-control", "x-content-type-options"):
            self.send_header(name, headers[name])
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


def command(profile, *arguments):
    return ["chromium", "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking", "--disable-component-update",
            "--disable-sync", "--disable-dev-shm-usage", "--hide-scrollbars", "--enable-logging=stderr", f"--user-data-dir={profile}", *arguments]


def browse(s, url, *arguments):
    """-> (standard output, what the page complained about)"""
    profile = os.path.join(s.directory, "browser")
    r = subprocess.run(command(profile, *arguments, url), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, encoding="utf-8", timeout=90)
    shutil.rmtree(profile, ignore_errors=True)
    equal(r.returncode, 0, f"exit code of the browser, which says {r.stderr[-2000:]}")
    return r.stdout, [line for line in r.stderr.splitlines() if "CONSOLE" in line]


def picture(s, url, name, width, height, *arguments):
    path = os.path.join(s.directory, name)
    _, complaints = browse(s, url, f"--window-size={width},{height}", f"--screenshot={path}", *arguments)
    equal(complaints, [], f"complaints of {name}")
    with open(path, "rb") as f:
        image = f.read()
    check(image.startswith(b"\x89PNG") and len(image) > 20000, f"{name}: {len(image)} bytes")
    return image


def browser(s, serve):
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Relay)
    server.to, server.pages, server.limit = serve.url, 0, None
    threading.Thread(target=server.serve_forever, daemon=True).start()
    url = f"http://127.0.0.1:{server.server_address[1]}/"
    light = picture(s, url, "light.png", 1280, 1600)
    dark = picture(s, url, "dark.png", 1280, 1600, "--blink-settings=preferredColorScheme=0")
    phone = picture(s, url, "phone.png", 500, 3000)
    check(len({light, dark, phone}) == 3, "three different pictures")
    dom, complaints = browse(s, url, "--dump-dom", "--window-size=500,900", "--virtual-time-budget=1000")
    equal(complaints, [], "complaints of the page")
    check("<h1>" in dom and 'class="flow"' in dom and 'id="waiting"' in dom, f"the page's parts: {dom}")
    server.pages = 0
    dom, complaints = browse(s, url, "--dump-dom", "--virtual-time-budget=12000")
    equal((complaints, server.pages >= 3, 'class="shown' in dom), ([], True, False), f"with JavaScript it is fetched anew: {server.pages} times")
    server.pages, server.limit = 0, 1
    dom, _ = browse(s, url, "--dump-dom", "--virtual-time-budget=12000")
    check("order-replay serve does not answer" in dom, f"it says that the server is gone: {dom[-3000:]}")
    server.pages, server.limit = 0, None
    server.pages = 0
    profile = os.path.join(s.directory, "plain")
    p = subprocess.Popen(command(profile, "--remote-debugging-port=0", "--blink-settings=scriptEnabled=false", url), stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                         stderr=subprocess.DEVNULL, preexec_fn=services.die_with_parent)
    try:
        wait("without JavaScript it is loaded anew", 60, lambda: server.pages >= 2)
    finally:
        p.terminate()
        p.wait(30)
        shutil.rmtree(profile, ignore_errors=True)
    serve.answer(order(REFUSED))        # kept a while: the browser's own time does not wait for it
    dom, complaints = browse(s, serve.url + order(REFUSED), "--dump-dom", "--virtual-time-budget=5000")
    check("REJECTED" in dom and complaints == [], f"an order's life: {complaints} {dom[-2000:]}")
    narrow(s, serve)
    server.shutdown()
    server.server_close()


def narrow(s, serve):
    """As wide as a phone: nothing reaches over the edge, but for tables that are scrolled in a place of their own."""
    profile = os.path.join(s.directory, "phone")
    chromium = Chromium(command(profile))
    try:
        for width in (390, 320):
            chromium.open(width, 844)
            for name, path, words in (("home", "/", "the ERP is down"), ("order", order(200001), "Waits for"), ("refused", order(REFUSED), "REJECTED"),
                                      ("hostile", order("<script>alert(1)</script>&\"'"), f"acme/{HOSTILE}"), ("sum", "/reconcile?from=2h&to=", "Everything adds up.")):
                chromium.go(serve.url + path, words)
                found = chromium.overflows()
                chromium.picture(os.path.join(s.directory, f"{name}-{width}.png"))
                equal((found["width"], found["document"], found["wide"]), (width, width, []), f"widths of {name} at {width}, and what reaches over the edge")
                waits = [t for t in found["scrolled"] if t.startswith(("Where", "Order"))]
                check(width < 390 or waits == [], f"what waits has to be scrolled: {waits}")
    finally:
        chromium.close()
        shutil.rmtree(profile, ignore_errors=True)


def test(s):
    s.write_config(http={"producer_port": s.producer.port, "updater_port": s.updater.port, "consumer_port": s.consumers[0].port})
    orders(s)
    serve = Serve(s, "--every", "1s")
    all_is_well(serve)
    lives(s, serve)
    guards(s, serve)
    erp_down(s, serve)
    if s.cluster == "mock":     # what a browser makes of it does not depend on the broker
        browser(s, serve)
    s.erp.up()
    s.settled()
    wait("all is well again", 90, lambda: serve.title() == "All is well", 0.5)
    s.stop(s.updater)
    wait("the page misses the updater", 60, lambda: "status-updater does not answer" in serve.title(), 0.5)
    serve.stop()
    s.stop()


if __name__ == "__main__":
    main(test, __doc__)
