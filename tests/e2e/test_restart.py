"""kill -9 in the middle of loading, with a static member's name and Kafka's usual session time-out of 45 s: the next process goes on at once, no more is sent to the ERP
again than consumer.uncommitted says (unless told: four times what may be in flight), nothing is doubled. Of two such members one is restarted in order: the other's partitions stay
where they are. A second process under a name that is taken replaces the first, which says so and does nothing more."""
import json
import time

from harness import check, equal, main, wait

IN_FLIGHT, ORDERS, KILLS, MORE = 16, 800, 2, 20
ALL = ORDERS + KILLS * MORE


def load_and_kill(s, c, first, most):
    """Orders from that number on are loaded to the last while the program is killed now and then."""
    summary = lambda: s.erp.get("summary")
    before = summary()
    s.xsale.post("generate", {"count": ORDERS, "first": first, "warehouses": [["MAG-1"]]})
    c.start()
    for n in range(KILLS):
        wait("loads are under way", 60, lambda: c.alive() and s.producer.alive() and summary()["documents"] >= before["documents"] + 250 * (n + 1), 0.02)
        c.kill()
        s.xsale.post("generate", {"count": MORE, "first": first + ORDERS + n * MORE, "warehouses": [["MAG-1"]]})   # should the kill have come too late for the others
        time.sleep(0.3)     # what was on its way to the ERP ends
        documents, begin = summary()["documents"], time.monotonic()
        c.start()
        wait("loading goes on", 20, lambda: summary()["documents"] > documents, 0.02)
        print(f"kill {n + 1}: the first new load {time.monotonic() - begin:.2f} s after the start")
    wait("everything is loaded", 60, lambda: c.alive() and summary()["documents"] == before["documents"] + ALL, 0.2)
    s.stop(c)
    equal(c.run("--until-end")[0], 0, "exit code of what is left, if anything is")
    again = summary()["repeated"] - before["repeated"]
    print(f"sent again after {KILLS} kills: {again}, with {IN_FLIGHT} in flight, at most {KILLS * most}")
    check(again <= KILLS * most, lambda: f"{again} loads were sent again")


def assignments(p):
    with open(p.log, encoding="utf-8", errors="replace") as f:
        return sum("partitions are assigned" in line or "partitions are revoked" in line for line in f)


def offer(s, first):
    """Orders that are loaded to the last."""
    documents = s.erp.get("summary")["documents"]
    s.xsale.post("generate", {"count": 90, "first": first, "warehouses": [["MAG-2"]]})
    wait("they are loaded", 60, lambda: s.erp.get("summary")["documents"] == documents + 90, 0.2)


def two_members(s, first):
    member = lambda name, instance: s.program("erp-consumer", name, "-X", "consumer.warehouse=MAG-2", "-X", "kafka.consumer.group.instance.id=" + instance)
    one, two = member("one", "mag-2-one"), member("two", "mag-2-two")
    s.start(one, two)
    wait("both have partitions", 90, lambda: one.ready() and two.ready() and min(assignments(one), assignments(two)) > 0)
    offer(s, first)
    before = assignments(two)
    s.stop(one)
    s.start(one)
    offer(s, first + 100)
    equal(assignments(two), before, "times that the partitions of the other changed")
    again = member("again", "mag-2-one")
    s.start(again)
    wait("the first says that it was replaced", 60, lambda: "Static consumer fenced" in one.http("/readyz")[1])
    trouble = json.loads(one.http("/readyz")[1])["dependencies"]["kafka-group"]
    check("group.instance.id of its own" in trouble["doing"], lambda: f"what is done about it: {trouble}")
    offer(s, first + 200)
    s.stop(one, two, again)


def test(s):
    s.settings["kafka.consumer"]["session.timeout.ms"] = 45000
    s.write_config(consumer={"concurrency": IN_FLIGHT})
    s.erp.post("settings", {"latency": 0.02})
    static = ("-X", "consumer.warehouse=MAG-1", "-X", "kafka.consumer.group.instance.id=mag-1-a")
    s.start(s.producer)
    load_and_kill(s, s.program("erp-consumer", "usual", *static), 100001, 4 * IN_FLIGHT)
    load_and_kill(s, s.program("erp-consumer", "strict", *static, "-X", f"consumer.uncommitted={IN_FLIGHT}"), 100001 + ALL, IN_FLIGHT)
    two_members(s, 300001)
    equal(s.erp.get("summary")["created"], 2 * ALL + 270, "documents ever made")
    s.stop(s.producer)


if __name__ == "__main__":
    main(test, __doc__, clusters=("real",), warehouses=())
