"""kill -9 in the middle of loading, with a static member's name and Kafka's usual session time-out of 45 s: the next process goes on at once, no more is sent to the ERP
again than consumer.uncommitted says (unless told: four times what may be in flight), nothing is doubled."""
import time

from harness import check, equal, main, wait

IN_FLIGHT, ORDERS, KILLS = 16, 800, 2


def load_and_kill(s, c, first, most):
    """Orders from that number on are loaded to the last while the program is killed now and then."""
    summary = lambda: s.erp.get("summary")
    before = summary()
    s.xsale.post("generate", {"count": ORDERS, "first": first, "warehouses": [["MAG-1"]]})
    c.start()
    for n in range(KILLS):
        wait("loads are under way", 60, lambda: c.alive() and s.producer.alive() and summary()["documents"] >= before["documents"] + 250 * (n + 1), 0.02)
        c.kill()
        time.sleep(0.3)     # what was on its way to the ERP ends
        documents, begin = summary()["documents"], time.monotonic()
        c.start()
        wait("loading goes on", 20, lambda: summary()["documents"] > documents, 0.02)
        print(f"kill {n + 1}: the first new load {time.monotonic() - begin:.2f} s after the start")
    wait("everything is loaded", 60, lambda: c.alive() and summary()["documents"] == before["documents"] + ORDERS, 0.2)
    s.stop(c)
    equal(c.run("--until-end")[0], 0, "exit code of what is left, if anything is")
    again = summary()["repeated"] - before["repeated"]
    print(f"sent again after {KILLS} kills: {again}, with {IN_FLIGHT} in flight, at most {KILLS * most}")
    check(again <= KILLS * most, lambda: f"{again} loads were sent again")


def test(s):
    s.settings["kafka.consumer"]["session.timeout.ms"] = 45000
    s.write_config(consumer={"concurrency": IN_FLIGHT})
    s.erp.post("settings", {"latency": 0.02})
    static = ("-X", "consumer.warehouse=MAG-1", "-X", "kafka.consumer.group.instance.id=mag-1-a")
    s.start(s.producer)
    load_and_kill(s, s.program("erp-consumer", "usual", *static), 100001, 4 * IN_FLIGHT)
    load_and_kill(s, s.program("erp-consumer", "strict", *static, "-X", f"consumer.uncommitted={IN_FLIGHT}"), 100001 + ORDERS, IN_FLIGHT)
    equal(s.erp.get("summary")["created"], 2 * ORDERS, "documents ever made")
    s.stop(s.producer)


if __name__ == "__main__":
    main(test, __doc__, clusters=("real",), warehouses=())
