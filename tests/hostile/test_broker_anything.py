"""The broker's answers are spoilt on their way in any way (wire.py): no program of ours crashes, grows or stops turning, SIGTERM ends each in order, and when it is over orders
flow. Not in every run: what is known to end librdkafka itself is not told (wire.py), but more of that kind may be there."""
import os
import random
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE, os.path.join(os.path.dirname(HERE), "e2e")]
from harness import equal, main     # noqa: E402
from test_broker import ORDERS, behind, told     # noqa: E402
from test_servers import imported     # noqa: E402
from wire import KINDS     # noqa: E402


def anything(s, wire, watch, r):
    s.start()
    watch.serving()
    wire.kinds, wire.rate = KINDS, 0.3
    s.generate(ORDERS, first=300003)
    watch.for_seconds(10)
    for p in r.sample(list(s.programs.values()), 2):
        equal(p.stop(60), 0, f"exit code of {p.name}, ended while the broker lies")
        p.start()
        watch.serving(p)
    wire.calm()
    s.stop()        # what was believed may stand in the way of the running ones
    s.start()
    watch.serving()
    ids = s.generate(ORDERS, first=400004)
    watch.until("orders that come afterwards are imported", 120, lambda: imported(s, ids))


def test(s, seed):
    wire, watch = behind(s, seed)
    anything(s, wire, watch, random.Random(f"broker {seed}"))
    told(s, wire, watch, seed)


if __name__ == "__main__":
    main(test, __doc__, clusters=("real", "mock"), seeded=True)
