"""Whatever xSale answers to a poll, the producer says which request it was and what it does, asks again at a decent pace, and goes on as soon as it can:
nothing lost, nothing twice. And ids and statuses that no order should have."""
import json
import os
import signal

from harness import NEW, check, equal, main, wait

GOOD = ('{"Id": %s, "StatusId": @STATUS_ID@, "StatusName": @STATUS_NAME@, "PurchaseDate": "2026-11-20", "WarehouseCode": "MAG-1", '
        '"TotalGross": 1.00, "Items": [{"Id": 1, "Quantity": 1, "OrderItemArticles": [{"Code": "A", "Quantity": 1}]}]}')
LIST = "GET /acme/orders$"
# name -> (fault, words that /readyz must say)
ANSWERS = {
    "a web page": ({"kind": "html"}, "a web page instead of JSON"),
    "a login page that says it is JSON": ({"kind": "status", "status": 200, "body": " <!DOCTYPE html><form>"}, "a web page instead of JSON"),
    "a redirect": ({"kind": "redirect"}, "is not followed with credentials"),
    "an empty body": ({"kind": "status", "status": 200, "body": ""}, "GET /acme/orders?"),
    "a body that never ends": ({"kind": "endless"}, "larger than"),
    "a body that is shorter than announced": ({"kind": "length"}, "GET /acme/orders?"),
    "a body that is longer than announced": ({"kind": "length", "by": -100}, "GET /acme/orders?"),
    "a body that is cut": ({"kind": "cut"}, "GET /acme/orders?"),
    "a connection that is closed": ({"kind": "close"}, "GET /acme/orders?"),
    "garbage": ({"kind": "garbage"}, "GET /acme/orders?"),
    "an error document with 200": ({"kind": "status", "status": 200, "body": {"error": "temporarily unavailable"}}, "GET /acme/orders?"),
    "a list of something else": ({"kind": "status", "status": 200, "body": "[1, null, \"x\"]"}, None),
    "a refusal": ({"kind": "status", "status": 400}, "HTTP 400"),
    "a missing right": ({"kind": "status", "status": 403}, "HTTP 403"),
    "an error": ({"kind": "status", "status": 500}, "HTTP 500"),
}


def asked(s):
    return s.xsale.get("requests")["routes"].get("GET /orders", {"requests": 0})["requests"] + sum(f["taken"] for f in s.xsale.get("faults"))


def published(s, number):
    return sum(r.key == f"acme/{number}" for r in s.records("orders", decode=False))


def nameless(s):
    return [r for r in s.records("orders-dlq", decode=False) if r.key.startswith("acme/?")]


def answers(s):
    p = s.producer
    for i, (name, (fault, words)) in enumerate(ANSWERS.items()):
        number = 501 + i
        location = {"location": s.erp.url + "/elsewhere"} if fault["kind"] == "redirect" else {}
        s.xsale.post("faults", {"route": LIST, **fault, **location})
        s.xsale.post(f"orders/{number}/raw", (GOOD % number).encode())
        wait(f"{name} was given three times", 60, lambda: p.alive() and s.xsale.get("faults")[0]["taken"] >= 3)
        if words is not None:
            wait(f"/readyz tells of {name}: {words}", 60, lambda: words in p.http("/readyz")[1] and "/acme/orders" in p.http("/readyz")[1])
            equal(p.http("/readyz")[0], 503, f"readiness after {name}")
            check('"doing":"' in p.http("/readyz")[1], f"/readyz does not tell what is done about {name}")
        s.xsale.clear_faults()
        wait(f"order {number} is published after {name}", 60, lambda: p.alive() and published(s, number))
        wait(f"ready after {name}", 60, p.ready)
    equal({n: published(s, n) for n in range(501, 501 + len(ANSWERS))}, {n: 1 for n in range(501, 501 + len(ANSWERS))}, "how often each was published")
    equal(s.erp.get("requests")["routes"], {}, "what came to the place that a redirect named")


def ids(s):
    p, big = s.producer, 2 ** 63 - 1
    before, there = p.metrics()["xsale_bridge_producer_nameless_total"], len(nameless(s))
    for n, text in {601: "0", 602: "-5", 603: str(2 ** 63), 604: "1.5", 605: "null"}.items():
        s.xsale.post(f"orders/{n}/raw", (GOOD % text).encode())
    for n, text in {606: str(2 ** 53 + 1), 607: str(2 ** 53), 608: str(big)}.items():
        s.xsale.post(f"orders/{n}/raw", (GOOD % text).encode())
    wait("large ids are published as they are", 60, lambda: p.alive() and all(published(s, k) == 1 for k in (2 ** 53 + 1, 2 ** 53, big)))
    wait("orders without a usable id are counted", 60, lambda: p.metrics().get("xsale_bridge_producer_nameless_total") == before + 5)
    wait("their dead letters", 60, lambda: len(nameless(s)) >= there + 5)
    equal(len(nameless(s)), there + 5, "dead letters of orders without a usable id")
    for n in range(601, 609):
        s.xsale.post(f"orders/{n}/delete")


def statuses(s):
    p = s.producer
    s.xsale.post("orders/701/raw", (GOOD % 701).replace("@STATUS_ID@", "999", 1).encode())      # a status that nobody knew at the start
    s.xsale.post("orders/702/raw", (GOOD % 702).encode())
    wait("the other order is published", 60, lambda: p.alive() and published(s, 702) == 1)
    equal(published(s, 701), 0, "an order in an unknown status")
    s.xsale.post("orders/701/delete")
    s.xsale.post("rename", {"from": NEW, "to": "Nowiutkie"})
    os.kill(p.process.pid, signal.SIGHUP)       # else it would be noticed within ten minutes
    wait("/readyz tells the new name", 60, lambda: f"'{NEW}' (id 11) is now called 'Nowiutkie'" in p.http("/readyz")[1])
    s.xsale.post("orders/703/raw?status=Nowiutkie", (GOOD % 703).encode())
    wait("orders are published all the same", 60, lambda: p.alive() and published(s, 703) == 1)
    s.xsale.post("rename", {"from": "Nowiutkie", "to": NEW})
    os.kill(p.process.pid, signal.SIGHUP)
    wait("ready again", 60, p.ready)


def test(s):
    s.write_config(xsale={"max_body": "256k", "timeout": "3s", "retry_min": "100ms", "retry_max": "400ms", "filter_by": "name"})
    p = s.producer.start()
    wait("ready", 60, lambda: p.alive() and p.ready())
    answers(s)
    ids(s)
    statuses(s)

    # A page that repeats itself for ever: the poll ends, at the pace of polls.
    page = json.dumps([json.loads((GOOD % n).replace("@STATUS_ID@", "11").replace("@STATUS_NAME@", json.dumps(NEW))) for n in (801, 802)], ensure_ascii=False)
    s.xsale.post("faults", {"route": LIST, "kind": "status", "status": 200, "body": page})
    wait("its orders are published", 60, lambda: p.alive() and published(s, 801) == 1 and published(s, 802) == 1)
    polls, requests = p.metrics()["xsale_bridge_producer_polls_total"], asked(s)
    wait("polls go on", 60, lambda: p.metrics().get("xsale_bridge_producer_polls_total", 0) >= polls + 4)
    requests = asked(s) - requests      # before the polls: so they are no more than those took
    polls = p.metrics()["xsale_bridge_producer_polls_total"] - polls
    check(requests <= 3 * (polls + 1), f"{requests} pages in {polls} polls")
    equal((published(s, 801), published(s, 802)), (1, 1), "published once")
    s.stop()


if __name__ == "__main__":
    main(test, __doc__, clusters=("mock",), warehouses=())
