"""--until-end over a lost and a shared assignment: a consumer that the group has given up for dead, and one that has to share its partitions, end only when everything
is worked off."""
import signal
import time

from harness import check, equal, main, wait


def worked_off(s, orders, what):
    equal(len({r.value["orderId"] for r in s.records("order-outcomes")}), orders, f"orders with an outcome when {what}")


def test(s):
    s.erp.post("settings", {"latency": 1})      # time enough to stop one in the middle
    s.write_config(consumer={"concurrency": 4})
    s.generate(120)
    code, text = s.producer.run("--once")
    equal(code, 0, f"xsale-producer --once, which says {text}")
    a = s.program("erp-consumer", "a", "-X", "consumer.warehouse=MAG-1")
    a.start("--until-end")
    wait("some are loaded", 60, lambda: s.erp.get("summary")["documents"] >= 5)
    a.process.send_signal(signal.SIGSTOP)
    time.sleep(9)       # longer than its session
    check(s.erp.get("summary")["documents"] < 60, "it was stopped in the middle")
    s.erp.post("settings", {"latency": 0.2})
    a.process.send_signal(signal.SIGCONT)
    equal(a.process.wait(90), 0, "exit code of the one that was given up for dead")
    worked_off(s, 80, "it ended")

    s.generate(240, first=200002)       # a multiple of the mixes further on
    code, text = s.producer.run("--once")
    equal(code, 0, f"xsale-producer --once, which says {text}")
    b = s.program("erp-consumer", "b", "-X", "consumer.warehouse=MAG-1")
    a.start("--until-end")
    wait("some more are loaded", 60, lambda: s.erp.get("summary")["documents"] >= 85)
    b.start("--until-end")
    for p in (a, b):
        equal(p.process.wait(90), 0, f"exit code of {p.name}")
    worked_off(s, 240, "both ended")


if __name__ == "__main__":
    main(test, __doc__)
