"""The broker's answers are spoilt on their way (wire.py) so that it can be told: record batches with a changed bit, frames that are none, lines that are cut. No order is
lost or loaded twice, and what was damaged is fetched again."""
import os
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE, os.path.join(os.path.dirname(HERE), "e2e")]
from harness import check, equal, main     # noqa: E402
from test_servers import Watch, environment, imported     # noqa: E402
from wire import Wire     # noqa: E402

ORDERS = 60


class Brokered(Watch):
    def look(self):
        check(self.s.kafka.process.poll() is None, lambda: f"the broker behind the proxy is gone: {self.s.kafka.process.returncode}")
        return super().look()


def damaged(s):
    """Batches that the programs said came damaged."""
    n = 0
    for p in s.programs.values():
        with open(p.log, encoding="utf-8", errors="replace") as f:
            n += sum("a record batch came damaged and is fetched again" in line for line in f)
    return n


def believable(s, wire, watch):
    """Nothing that could be believed is told: not one order is lost, doubled or changed."""
    ids = s.generate(ORDERS)
    wire.payloads, wire.rate = 0.3, 0.05
    s.start()
    watch.serving()
    watch.for_seconds(8)
    more = s.generate(ORDERS, first=200002)
    watch.for_seconds(4)
    wire.calm()
    watch.until("every order is imported", 90, lambda: imported(s, ids + more))
    wanted = {(i, w) for i in ids for w in s.mix(i)} | {(i, w) for i in more for w in s.mix(i, 200002)}
    equal(set(s.documents()), wanted, "documents")
    summary = s.erp.get("summary")
    equal((summary["created"], [v for v in summary["violations"]]), (len(wanted), []), "documents ever created, and what no ERP should have seen")
    equal({i: c for i, c in s.changes().items() if len(c) != 1}, {}, "orders whose status was set more than once")
    letters = s.records("orders-dlq", decode=False)
    equal(letters, [], "dead letters: what came damaged is no bad order")
    spoilt = wire.told["payload"] + wire.told["beyond"]
    check(spoilt == 0 or damaged(s) > 0, f"{spoilt} batches were damaged and nobody said so")


def behind(s, seed):
    wire = s.part(Wire(s.kafka.bootstrap, seed))
    s.write_config(kafka={"bootstrap.servers": wire.bootstrap, "reconnect.backoff.max.ms": 500, "socket.timeout.ms": 3000},
                   producer={"drain_timeout": "3s"}, updater={"drain_timeout": "3s"}, consumer={"drain_timeout": "3s"})
    for p in s.programs.values():
        p.environment = environment()
    return wire, Brokered(s)


def told(s, wire, watch, seed):
    s.stop()
    watch.reports()
    print(f"seed {seed}: {damaged(s)} batches came damaged; answers spoilt {dict(wire.told)}; most MB resident {dict((n, m >> 20) for n, m in watch.most.items())}")


def test(s, seed):
    wire, watch = behind(s, seed)
    believable(s, wire, watch)
    told(s, wire, watch, seed)


if __name__ == "__main__":
    main(test, __doc__, clusters=("real", "mock"), seeded=True)
