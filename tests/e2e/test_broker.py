"""The broker goes away in the middle of a poll, or the idempotent producer becomes unusable: the poll waits instead of buffering, and afterwards nothing is missing."""
import collections

from harness import check, equal, main, wait

ORDERS, QUEUE, PAGE = 3000, 200, 50


def pages(s):
    return s.xsale.get("requests")["routes"].get("GET /orders", {"requests": 0})["requests"]


def steady(value, times=20):
    """Until it is the same `times` looks in a row."""
    seen = []

    def same():
        seen.append(value())
        return len(seen) > times and len(set(seen[-times:])) == 1
    return same


def counts(s):
    return collections.Counter(r.key for r in s.records("orders", decode=False))


def away(s):
    p = s.producer
    s.generate(ORDERS, pad=4700)
    s.kafka.command("down")
    s.xsale.clear_faults()      # the pages come
    wait("the queue is full and the poll waits", 60, steady(lambda: pages(s) if p.alive() and p.dependencies().get("kafka-publish") == "down" else object()))
    asked, most = pages(s), QUEUE // PAGE + 6
    check(asked <= most, f"{asked} pages were asked for while {QUEUE} records waited for the broker: more than {most}")
    resident = p.usage()[1]
    check(resident < 60 * 2 ** 20, f"{resident} bytes resident")
    s.kafka.command("up")
    wait("everything is published", 90, lambda: p.alive() and len(counts(s)) == ORDERS, 0.5)
    wait("a poll is complete", 60, lambda: p.metrics().get("xsale_bridge_producer_polls_total", 0) >= 1)
    equal({k: n for k, n in counts(s).items() if n != 1}, {}, "orders published more than once")


def unusable(s):
    p = s.producer
    s.kafka.command("error 0 45 3")     # Produce: out of order sequence number
    s.generate(500, first=300001)
    wait("a new producer sends", 60, lambda: p.alive() and "records are sent again by a new producer" in open(p.log, encoding="utf-8").read())
    wait("everything is published", 90, lambda: p.alive() and len(counts(s)) == ORDERS + 500, 0.5)
    found = collections.defaultdict(set)
    for r in s.records("orders"):
        found[r.key].add(r.value["publication"])
    equal({k for k, v in found.items() if len(v) != 1}, set(), "orders with more than one publication")
    wait("ready", 60, p.ready)


def test(s):
    s.write_config(publisher={"queue_records": QUEUE}, xsale={"page_size": PAGE, "retry_max": "500ms"}, kafka={"reconnect.backoff.max.ms": 500})
    s.xsale.fault("status", "GET /acme/orders$")        # until the broker is gone
    s.producer.start()
    wait("the first page is asked for", 60, lambda: s.producer.alive() and s.xsale.get("faults")[0]["taken"] >= 1)
    away(s)
    unusable(s)
    s.stop()


if __name__ == "__main__":
    main(test, __doc__, clusters=("mock",), warehouses=())
