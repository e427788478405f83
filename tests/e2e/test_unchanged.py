"""Status changes that come to nothing: topics that do not fit are refused, a change that xSale accepts without making it stops all changes until a restart, and one order that xSale
always fails at waits longer and longer, visible, while the others get their statuses. What fails for all is told as that, and all go on as soon as one succeeds."""
import json

from harness import IMPORTED, NEW, check, equal, main, wait

CHANGE = r"^PUT .*change-status"


def routes(s, name):
    return s.xsale.get("requests")["routes"].get(name, {}).get("requests", 0)


def dependency(p, name):
    body = p.http("/readyz")[1]
    return json.loads(body)["dependencies"].get(name, {}) if body else {}


def uneven(s):
    for topic, n in (("order-outcomes", 3), ("order-status", 6), ("orders-dlq", 1)):
        s.kafka.command(f"topic odd.{topic}:{n}")
    code, text = s.updater.run("-X", "topics.prefix=odd")
    equal(code, 1, "exit code with topics that are not partitioned alike")
    for words in ("odd.order-outcomes has 3 partitions", "odd.order-status has 6", "same partition", "kafka-topics.sh"):
        check(words in text, f"{words!r} is not said: {text[-600:]}")


def not_made(s):
    s.xsale.fault("status", CHANGE, status=200, body={})
    ids = s.generate(5)
    s.start()
    stands = wait("the wrong setting to be named", 60, lambda: s.all_alive() and (d := dependency(s.updater, "status-setting")).get("state") == "down" and d, 0.2)
    check("still shows" in stands["error"] and "xsale.change_status" in stands["error"], f"what /readyz says: {stands}")
    check(not s.updater.ready(), "ready although no status can be changed")
    tried = sum(f["taken"] for f in s.xsale.get("faults"))
    equal(tried, 2, "changes until it was believed")
    s.xsale.clear_faults()
    later = s.generate(3, first=100010)
    wait("the other orders' outcomes", 60, lambda: s.updater.metrics().get("xsale_bridge_statuses_waiting", 0) == 8, 0.2)
    equal({s.statuses()[i] for i in ids + later}, {NEW}, "statuses while changes stand still")
    s.stop(s.updater)
    s.updater.start()
    s.settled(60)
    equal({s.statuses()[i] for i in ids + later}, {IMPORTED}, "statuses after the restart")


def always_fails(s):
    metric = "xsale_bridge_statuses_failing"
    bad = 200003
    s.xsale.fault("status", rf"^PUT .*/{bad}/change-status", status=500)
    ids = s.generate(9, first=199999)
    check(bad in ids, "the order is among them")
    wait("one order to be known as failing", 90, lambda: s.updater.metrics().get(metric) == 1, 0.3)
    wait("the others' statuses", 60, lambda: {i for i in ids if s.statuses()[i] == NEW} == {bad}, 0.3)
    told = dependency(s.updater, "status-change")
    equal(told.get("state"), "up", "state of status-change")
    check(f"acme/{bad}" in told.get("error", "") and "500" in told["error"], f"what /readyz says: {told}")
    s.xsale.clear_faults()
    wait("its status", 120, lambda: s.statuses()[bad] == IMPORTED, 0.3)
    wait("nothing is failing", 60, lambda: s.updater.metrics().get(metric) == 0 and "error" not in dependency(s.updater, "status-change"), 0.3)


def fails_for_all(s):
    s.xsale.fault("status", CHANGE, status=500)
    ids = s.generate(12, first=300001)
    told = wait("the outage to be told", 60, lambda: (d := dependency(s.updater, "status-change")).get("state") == "down" and d, 0.2)
    check("whichever order is tried" in told["error"] and "500" in told["error"], f"what /readyz says: {told}")
    wait("18 changes to fail, so that most orders wait up to a minute", 120, lambda: s.all_alive() and sum(f["taken"] for f in s.xsale.get("faults")) >= 18, 0.2)
    equal(s.updater.metrics()["xsale_bridge_statuses_failing"], 0, "orders that are blamed for it")
    s.xsale.clear_faults()
    s.generate(1, first=300101)     # one that has not waited yet
    wait("the first status", 90, lambda: any(s.statuses()[i] == IMPORTED for i in ids + [300101]))
    wait("all the others", 30, lambda: {s.statuses()[i] for i in ids} == {IMPORTED}, 0.2)
    wait("the outage to be over", 60, s.updater.ready, 0.2)


def test(s):
    uneven(s)
    not_made(s)
    always_fails(s)
    fails_for_all(s)
    s.stop()


if __name__ == "__main__":
    main(test, __doc__, clusters=("mock",))
