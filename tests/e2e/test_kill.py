"""Every program is killed with SIGKILL once in the middle, one after another and all at once, and started again: nothing is lost, one document per
order and warehouse, every status right and set once."""
from harness import main, equal, wait

COUNT = 600


def test(s):
    refused = list(range(100020, 100600, 100))
    ids = s.generate(COUNT // 2, refused=[i for i in refused if i <= 100300], pad=4700)
    s.erp.post("settings", {"latency": 0.15})
    s.start()
    done = lambda: s.erp.get("summary")["documents"]

    def grow(by):
        """Waits for progress; while one of the programs is dead the others go on."""
        target = done() + by
        wait(f"{target} documents", 90, lambda: done() >= target, 0.05)

    grow(20)
    for p in s.programs.values():
        p.kill()
        p.start()
        grow(15)
    for p in s.programs.values():
        p.kill()
    ids += s.generate(COUNT // 2, first=ids[-1] + 1, refused=[i for i in refused if i > 100300], pad=4700)
    s.erp.post("settings", {"latency": 0.1})
    s.start()
    grow(60)
    for p in s.programs.values():
        p.kill()
    s.start()
    grow(20)
    for p in reversed(s.programs.values()):
        p.kill()
        p.start()
    s.settled(180)
    s.verify(ids, refused, overlaps=True)

    per = {}
    for r in s.records("orders"):
        per.setdefault(r.key, []).append(r.value["publication"])
    equal({k: v for k, v in per.items() if len(v) != 1}, {}, "orders published more than once")
    equal(len(per), len(ids), "orders published")
    print("loads repeated after the kills:", s.erp.get("summary")["repeated"])
    s.stop()


if __name__ == "__main__":
    main(test, __doc__)
