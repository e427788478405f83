"""From one consumer to one per warehouse and back, as common/docs/cut-over.md says, with orders coming all the while: none is lost, none is doubled, no status is
set twice. A group that was never there is given its place before its consumer starts; one that nobody gave a place begins at the beginning and doubles nothing."""
import os
import subprocess
import time

from harness import check, equal, main, wait


def replay(s, command, *arguments, code=0):
    r = subprocess.run([os.path.join(s.build, "consumer/order-replay"), command, "-c", s.config_file, *arguments], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                       stderr=subprocess.PIPE, text=True, encoding="utf-8", cwd=s.working, timeout=120)
    equal(r.returncode, code, f"code of order-replay {command} {arguments}, which says {r.stderr}{r.stdout[-800:]}")
    return r.stdout + r.stderr


def moment():
    time.sleep(1.1)     # told apart from the records before
    text = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    time.sleep(1.1)
    return text


def repeated(s):
    """Loads under a key that the ERP had seen."""
    return s.erp.get("summary")["repeated"]


def end(s, *programs):
    s.stop(*programs)
    for p in programs:
        p.process = None        # nobody wonders that it is gone


def test(s):
    one, two = s.consumers
    every = s.program("erp-consumer", "consumer-all", "-X", "consumer.warehouse=")
    ids = s.generate(12)
    s.start(s.producer, s.updater, every)
    s.settled()
    since = moment()
    ids += s.generate(6, first=100013)
    s.settled()
    wait("nothing waits", 60, lambda: "nothing" in replay(s, "waiting").lower(), 0.5)       # the ledger knows of a status after xSale does
    end(s, every)
    ids += s.generate(6, first=100019)      # while nobody loads
    wait("they are published", 60, lambda: s.producer.published() >= 24)
    before = repeated(s)
    for warehouse in ("MAG-1", "MAG-2"):
        check("there is no group" in replay(s, "rewind", "--warehouse", warehouse, "--to", since, "--yes", code=1), "a name that may be wrong is refused")
        replay(s, "rewind", "--new", "--warehouse", warehouse, "--to", since, "--yes")
    s.start(one, two)
    s.settled()
    s.verify(ids)
    wait("what came since that moment is offered once more", 60, lambda: repeated(s) - before >= 8)
    equal(repeated(s) - before, 8, "loads offered once more: what came since that moment, and nothing older")

    # and back, without giving the group a place: it stands where it stopped
    end(s, one, two)
    ids += s.generate(6, first=100025)
    s.start(every)
    s.settled()
    s.verify(ids)
    end(s, every)

    # a group that never was, from the beginning: everything once more under the same keys
    replay(s, "rewind", "--warehouse", "MAG-1", "--to", "beginning", "--yes", "--wait")
    one.start()
    wait("all of it is loaded again", 60, lambda: one.metrics().get('xsale_bridge_outcomes_total{result="IMPORTED"}', 0) >= 20)
    s.verify(ids)
    s.stop()


if __name__ == "__main__":
    main(test, __doc__, clusters=("real",))
