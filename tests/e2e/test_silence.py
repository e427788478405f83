"""A broker whose process is frozen keeps its connections and says nothing: each program names it in /readyz within a minute, and is ready again soon after it thaws."""
import json
import signal

from harness import check, main, wait


def down(p):
    """What /readyz says of the broker's connections that are down."""
    found = json.loads(p.http("/readyz")[1] or '{"dependencies":{}}')["dependencies"]
    return [d.get("error", "") for name, d in found.items() if name.startswith("kafka") and d["state"] == "down"]


def test(s):
    ids = s.generate(21)
    s.start()
    s.settled(60)
    programs = list(s.programs.values())
    wait("every program is ready", 60, lambda: all(p.ready() for p in programs))
    s.kafka.process.send_signal(signal.SIGSTOP)
    try:
        wait("every program says that the broker does not answer", 60, lambda: all(any("has not answered for" in words for words in down(p)) for p in programs), 0.5)
        for p in programs:
            check(p.http("/livez")[0] == 200 and p.http("/readyz")[0] == 503, f"{p.name} lives and is not ready")
    finally:
        s.kafka.process.send_signal(signal.SIGCONT)
    wait("every program is ready again", 60, lambda: s.all_alive() and all(p.ready() for p in programs), 0.5)
    more = s.generate(21, first=100022)
    s.settled(60)
    s.verify(ids + more)
    s.stop()


if __name__ == "__main__":
    main(test, __doc__, clusters=("real",))
