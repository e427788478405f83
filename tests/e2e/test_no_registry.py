"""No schema registry at all (registry.url empty): the programs say once that this is for trials, agree on the fixed ids, and work as ever, over a
restart too."""
import json

from harness import check, equal, main

WORDS = "registry.url is empty: fixed local schema ids, for trials only"
IDS = {"orders": 1, "order-state": 2, "order-outcomes": 3, "order-status": 4}


def said(p):
    with open(p.log, encoding="utf-8") as f:
        return sum(" WARN " in line.upper() and WORDS in line for line in f)


def test(s):
    registry = s.registry
    s.write_config(registry={"url": ""})
    for p in s.programs.values():
        code, text = p.run("--check-config")
        equal(code, 0, f"{p.name} --check-config, which says {text}")
    refused = [100004]
    ids = s.generate(21, refused=refused)
    s.start()
    s.settled()
    for p in s.programs.values():
        equal(said(p), 1, f"warnings of {p.name}")
        found = json.loads(p.http("/readyz")[1])["dependencies"]["registry"]
        equal((found["state"], found.get("doing"), found.get("error")), ("up", WORDS, None), f"registry in /readyz of {p.name}")
    s.verify(ids, refused)
    s.stop()
    ids += s.generate(9, first=100022)      # a multiple of the mixes further on
    s.start()
    s.settled()
    s.verify(ids, refused)
    for topic, number in IDS.items():
        rows = [r.bytes for r in s.records(topic, decode=False) if r.bytes is not None]
        check(rows, f"nothing on {topic}")
        equal({b[:5] for b in rows}, {bytes([0, 0, 0, 0, number])}, f"frames on {topic}")
    equal(registry.get("state")["subjects"], {}, "subjects of the registry that nobody names")
    s.stop()


if __name__ == "__main__":
    main(test, __doc__, clusters=("mock",))
