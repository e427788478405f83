"""SIGHUP: what can change while a program runs is taken over, the rest is named, and a configuration that would not start changes nothing."""
import os
import signal

from harness import equal, main, wait


def text(p):
    with open(p.log, encoding="utf-8") as f:
        return f.read()


def hang_up(p):
    before = text(p).count("program: reloaded")
    os.kill(p.process.pid, signal.SIGHUP)
    wait(f"{p.name} reloaded", 60, lambda: p.alive() and text(p).count("program: reloaded") > before)


def test(s):
    s.write_config(producer={"poll_interval": "1h", "requests_per_minute": 60000})
    s.start()
    p, polls = s.producer, lambda: s.producer.metrics().get("xsale_bridge_producer_polls_total", 0)
    wait("the first poll", 60, lambda: s.all_alive() and polls() == 1)
    ids = s.generate(30)
    s.write_config(producer={"poll_interval": "a while"})
    hang_up(p)
    wait("the mistake is named", 60, lambda: 'producer.poll_interval: \\"a while\\"' in text(p) or 'producer.poll_interval: "a while"' in text(p))
    equal(polls(), 1, "polls after a wrong configuration")
    s.write_config(producer={"poll_interval": "300ms", "reoffer_after": "9d"}, log={"level": "debug"})
    hang_up(p)
    wait("polls follow", 60, lambda: p.alive() and polls() > 3)
    wait("the key that needs a restart is named", 60, lambda: "needs a restart key=producer.reoffer_after" in text(p))
    s.settled(90)
    s.verify(ids)
    for other in (s.updater, *s.consumers):
        hang_up(other)
        wait(f"{other.name} takes over the level", 60, lambda: "setting taken over key=log.level" in text(other))
    s.write_config(producer={"requests_per_minute": 6})
    hang_up(p)
    told = wait("requests wait for the quota", 60, lambda: p.alive() and "requests wait because requests_per_minute are used up" in (t := p.http("/readyz"))[1] and t)
    equal(told[0], 200, "readiness while requests wait for the quota")
    wait("the gauge of waiting requests", 60, lambda: p.metrics().get("xsale_bridge_xsale_quota_waiting_requests", 0) > 0)      # now and then none waits
    s.stop()


if __name__ == "__main__":
    main(test, __doc__, clusters=("mock",))
