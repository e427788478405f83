"""The ERP goes down for 20 seconds in the middle, is slow to answer, throttles, fails once and cuts replies: nothing is rejected, nothing is doubled."""
import time

from harness import check, equal, main, wait


def test(s):
    ids = s.generate(201, pad=2000)
    s.erp.post("settings", {"latency": 0.02})
    s.start()
    wait("the first documents", 60, lambda: s.all_alive() and s.erp.get("summary")["documents"] > 40, 0.05)
    s.erp.down()
    ids += s.generate(198, first=100202, pad=2000)       # however many of the others are loaded, these wait
    consumers = s.consumers
    wait("readiness of the consumers names the ERP", 60, lambda: all(p.dependencies().get("erp") == "down" for p in consumers))
    asked = s.erp.get("summary")["keys"]
    time.sleep(18)
    for p in consumers:
        equal(p.http("/livez")[0], 200, f"/livez of {p.name} while the ERP is down")
        check("erp" in p.http("/readyz")[1], "the ERP is named")
    s.erp.up()
    s.erp.fault("status", "POST /orders", status=503, retry_after=1, count=20)
    wait("loads go on", 120, lambda: s.all_alive() and s.erp.get("summary")["keys"] > asked + 50)
    s.erp.fault("close", "POST /orders", count=15, process=True)
    s.erp.fault("status", "POST /orders", status=500, count=15)
    s.erp.fault("status", "POST /orders", status=429, retry_after=1, count=10)
    s.erp.fault("status", "POST /orders", status=401, count=5)
    s.erp.fault("cut", "POST /orders", count=5)
    s.erp.fault("html", "POST /orders", count=2, status=502)
    s.settled(200)
    s.verify(ids, overlaps=True)
    equal(s.records("orders-dlq", decode=False), [], "records in the DLQ")
    equal({r.value["result"] for r in s.records("order-outcomes")}, {"IMPORTED"}, "outcomes")
    wait("the consumers are ready again", 60, lambda: all(p.ready() for p in consumers))
    s.stop()


if __name__ == "__main__":
    main(test, __doc__)
