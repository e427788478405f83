"""kill -9 in the middle of loading, with a static member's name and Kafka's usual session time-out of 45 s: the next process goes on at once, little is sent to the ERP
again, nothing is doubled."""
import time

from harness import check, equal, main, wait

IN_FLIGHT = 16


def test(s):
    s.settings["kafka.consumer"]["session.timeout.ms"] = 45000
    s.write_config(consumer={"concurrency": IN_FLIGHT})
    s.erp.post("settings", {"latency": 0.02})
    ids = s.xsale.post("generate", {"count": 1500, "first": 100001, "warehouses": [["MAG-1"]]})["ids"]
    c = s.program("erp-consumer", "static", "-X", "consumer.warehouse=MAG-1", "-X", "kafka.consumer.group.instance.id=mag-1-a")
    s.start(s.producer, c)
    kills = 3
    for n in range(kills):
        wait("loads are under way", 60, lambda: s.all_alive() and s.erp.get("summary")["documents"] >= 250 * (n + 1), 0.02)
        c.kill()
        time.sleep(0.3)     # what was on its way to the ERP ends
        before, begin = s.erp.get("summary")["documents"], time.monotonic()
        c.start()
        wait("loading goes on", 20, lambda: s.erp.get("summary")["documents"] > before, 0.02)
        print(f"kill {n + 1}: the first new load {time.monotonic() - begin:.2f} s after the start")
    wait("everything is loaded", 60, lambda: s.all_alive() and s.erp.get("summary")["documents"] == len(ids), 0.2)
    summary = s.erp.get("summary")
    print(f"sent again after {kills} kills: {summary['repeated']}, with {IN_FLIGHT} in flight")
    equal(summary["created"], len(ids), "documents ever made")
    check(summary["repeated"] <= kills * 4 * IN_FLIGHT, lambda: f"{summary['repeated']} loads were sent again")
    s.stop(s.producer, c)


if __name__ == "__main__":
    main(test, __doc__, clusters=("real",), warehouses=())
