"""A producer that cannot go on leaves its group before it ends: the next one takes over at once, not when the session times out."""
import time

from harness import check, equal, main, wait

SESSION_S = 60


def test(s):
    # A note with more warehouses than a record may be large: the producer cannot go on, nor can its successor.
    s.write_config(warehouses={"known": ""}, kafka__producer={"message.max.bytes": 1000}, kafka__consumer={} if s.groups == "consumer" else {"session.timeout.ms": SESSION_S * 1000})
    first = s.producer
    second = s.program("xsale-producer", "producer-2")
    s.start(first)
    wait("the first producer owns the organization", 60, lambda: first.alive() and "\nxsale_bridge_producer_owner 1" in first.http("/metrics")[1])
    s.start(second)
    wait("the second one stands by", 60, lambda: second.alive() and first.alive() and second.ready() and first.ready())
    s.xsale.post("generate", {"count": 1, "first": 100001, "warehouses": [[f"WAREHOUSE-WITH-A-VERY-LONG-NAME-INDEED-{i:02}" for i in range(40)]]})
    ended = lambda: sum(not p.alive() for p in (first, second))
    wait("one producer cannot go on", 60, lambda: ended() >= 1)
    began = time.monotonic()
    wait("the other one took over, and cannot go on either", 60, lambda: ended() == 2)
    check(time.monotonic() - began < SESSION_S * 2 / 3, "the second one waited for the session to time out")
    equal([p.process.returncode for p in (first, second)], [1, 1], "exit codes")


if __name__ == "__main__":
    main(test, __doc__, clusters=("real",))     # the mock makes every joining member wait
