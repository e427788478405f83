"""order-replay explain: an order's life by its id and by the shop's number: published, refused, corrected, retried, loaded; what it waits for while an ERP is
away; what changed between two publications, named field by field."""
import json
import os
import subprocess

from harness import IMPORTED, MANUAL, NEW, check, equal, main, wait

REFUSED = 100003        # of MAG-1 and MAG-2


def explain(s, *arguments):
    r = subprocess.run([os.path.join(s.build, "consumer/order-replay"), "explain", "-c", s.config_file, *arguments], stdin=subprocess.DEVNULL,
                       stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, encoding="utf-8", cwd=s.working, timeout=90)
    return r.returncode, r.stdout, r.stderr


def life(s, *arguments):
    code, out, err = explain(s, *arguments, "--json")
    equal(code, 0, f"code of explain {arguments}, which says {err}")
    return json.loads(out)


def in_hand(s):
    """The second warehouse's ERP refuses to work: parked order by order, then down; the programs tell why, and how long it will take."""
    at = ",".join(f"127.0.0.1:{p.port}" for p in (s.producer, s.updater))
    s.erp.post("faults", {"route": "POST /orders", "kind": "status", "status": 500, "count": 1000})
    s.start(s.consumers[1])
    at += f",127.0.0.1:{s.consumers[1].port}"
    now = lambda: {h["program"]: h for h in life(s, str(REFUSED), "--at", at)["inHand"]}
    wait("the order is parked", 60, lambda: now().get("erp-consumer", {}).get("state") == "parked", 0.3)
    code, out, err = explain(s, str(REFUSED), "--at", at)
    check(code == 0 and "in erp-consumer MAG-2 since 20" in out and "(HTTP 500)" in out, f"the order that is parked: {out} {err}")
    check("open in xsale-producer" in out or "closed in xsale-producer" in out, f"what the producer knows: {out}")
    status, body = s.consumers[1].http(f"/orders/acme/{REFUSED}")
    found = json.loads(body)["orders"]
    equal((status, [(o["orderId"], o["warehouse"]) for o in found]), (200, [(REFUSED, "MAG-2")]), "the consumer's own words")
    check({"organization", "orderId", "publication", "warehouse", "state", "since", "tries", "words"} <= set(found[0]) | {"nextIn"}, f"members: {found[0]}")
    equal([s.consumers[1].http(path)[0] for path in ("/orders/acme/1", "/orders/x", "/orders/other/100003", "/ordersx")], [404] * 4, "what is not in hand")
    s.erp.only_fault("status", "POST /orders", status=503, count=1000)
    wait("the consumer is paused", 60, lambda: "paused" in now().get("erp-consumer", {}), 0.3)
    listed = json.loads(s.consumers[1].http("/orders")[1])
    check("503" in listed["paused"] and any(o["orderId"] == REFUSED for o in listed["orders"]), f"the list: {listed}")
    r = subprocess.run([os.path.join(s.build, "consumer/order-replay"), "waiting", "-c", s.config_file, "--at", at, "--json"], stdin=subprocess.DEVNULL,
                       stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, encoding="utf-8", cwd=s.working, timeout=90)
    equal(r.returncode, 0, f"code of waiting, which says {r.stderr}")
    reasons = {x["reason"] for x in json.loads(r.stdout)["sums"] if x["warehouse"] == "MAG-2"}
    check(reasons <= {"paused", "parked", "flying"} and reasons, f"reasons: {reasons}")
    s.erp.clear_faults()


def test(s):
    s.write_config(http={"producer_port": 0, "updater_port": 0, "consumer_port": 0})       # nobody else's programs are asked
    s.generate(6, refused=[REFUSED])
    s.start(s.producer, s.updater, s.consumers[0])
    wait("the refused order is in manual handling", 60, lambda: s.statuses()[REFUSED] == MANUAL)
    code, out, err = explain(s, str(REFUSED))
    equal(code, 0, f"code, and it says {err}")
    check("outcome      MAG-1: REJECTED" in out and "Nieznany towar" in out, f"the refusal: {out}")
    check("now: waiting for MAG-2 since " in out, f"what it waits for: {out}")
    equal(life(s, str(REFUSED))["waitingFor"], ["MAG-2"], "what it waits for")

    in_hand(s)
    s.settled()
    # MAG-1's refusal settles the status; MAG-2 may have parked the order meanwhile
    first = wait("the end of the first round", 60, lambda: (found := life(s, str(REFUSED)))["waitingFor"] == [] and found["settled"] and found, 0.5)
    s.erp.post("refuse", {"allow_articles": ["ZAKAZANY-01"]})
    s.xsale.post(f"orders/{REFUSED}/edit", {"warehouses": s.mix(REFUSED)})
    s.xsale.post(f"orders/{REFUSED}/status", {"status": NEW})
    wait("the retry is imported", 60, lambda: s.statuses()[REFUSED] == IMPORTED)
    second = life(s, str(REFUSED))
    check(second["publication"] > first["publication"], "a newer publication")
    published = [v for v in second["events"] if v["kind"] == "published"]
    equal(len(published), 2, "publications")
    equal(published[0]["changes"], [], "changes of the first")
    check(any(c.startswith("/items/") for c in published[1]["changes"]), f"changes of the second: {published[1]['changes']}")
    times = [v["time"] for v in second["events"]]
    equal(times, sorted(times), "the order of events")
    kinds = {v["kind"] for v in second["events"]}
    check({"published", "outcome", "status", "dead letter", "state"} <= kinds, f"kinds: {kinds}")

    with_number = next(json.loads(v) for v in tail_orders(s) if v)["value"]
    equal(life(s, with_number["number"])["order"], f"acme/{with_number['orderId']}", "the order with that number")
    code, out, err = explain(s, "NO-SUCH-NUMBER")
    equal(code, 3, "code for an unknown number")
    check("no record of order NO-SUCH-NUMBER" in err, f"it says {err}")
    s.xsale.post("generate", {"count": 1, "first": 800001, "warehouses": [["NOBODY"]]})
    wait("an order that becomes no record is in the manual status", 60, lambda: s.all_alive() and s.statuses()[800001] == MANUAL, 0.3)
    wait("its life says so", 60, lambda: "now: no publication is on the topics; the status is settled (MANUAL)" in explain(s, "800001")[1], 0.3)
    equal([explain(s, *a)[0] for a in ([], ["1", "2"], ["1", "--from", "x"])], [2, 2, 2], "codes of wrong usage")
    s.stop()
    value = s.records("orders", decode=False)[0].bytes
    for order in range(900001, 900005):     # one partition cannot be the right one for all of them
        s.produce("orders", f"acme/{order}", value, partition=0)
    equal([explain(s, str(order))[0] for order in range(900001, 900005)], [0] * 4, "orders that stand in another partition than their keys say")


def tail_orders(s):
    r = subprocess.run([os.path.join(s.build, "consumer/order-replay"), "tail", "-c", s.config_file, "--topic", "orders", "--json", "--limit", "1"],
                       stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True, encoding="utf-8", cwd=s.working, timeout=90)
    return r.stdout.split("\n")


if __name__ == "__main__":
    main(test, __doc__)
