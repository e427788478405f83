"""A broker freezes (SIGSTOP: it takes requests and answers none), and then it is killed. Every program that is stopped while it is frozen or gone ends within its
drain_timeout and some seconds, also one that had just begun; what was on its way is done after the broker's return, once."""
import os
import signal
import subprocess
import time

from harness import Failed, equal, main, wait

DRAIN, MORE = 3, 25      # MORE: 10 s for leaving the group, 5 for a question under way; the machine may be busy


def stop(programs, words):
    begin = time.monotonic()
    for p in programs:
        p.process.send_signal(signal.SIGTERM)
    for p in programs:
        try:
            p.process.wait(max(DRAIN + MORE - (time.monotonic() - begin), 0.1))
        except subprocess.TimeoutExpired:
            raise Failed(f"{p.name} still runs {time.monotonic() - begin:.0f} s after SIGTERM, the broker being {words}") from None
        equal(p.process.returncode, 0, f"exit code of {p.name}, the broker being {words}")


def assignments(p):
    with open(p.log, encoding="utf-8", errors="replace") as f:
        return f.read().count("partitions are assigned")


def test(s):
    s.write_config(**{k: {"drain_timeout": f"{DRAIN}s"} for k in ("consumer", "updater", "producer")})
    s.start()
    ids = s.generate(30)
    s.settled(60)
    more = s.generate(60, first=130001)
    wait("half way", 60, lambda: s.producer.published() > len(ids), 0.02)
    before = assignments(s.updater)
    s.stop(s.updater)
    s.updater.start()
    wait("the new updater begins", 60, lambda: s.updater.alive() and assignments(s.updater) > before, 0.01)
    os.kill(s.kafka.process.pid, signal.SIGSTOP)        # in the middle of its questions
    time.sleep(3)
    stop([s.producer, s.consumers[0]], "frozen")
    s.kafka.process.kill()
    s.kafka.process.wait()
    stop([s.updater, s.consumers[1]], "killed")

    s.kafka.restart()
    s.start()
    s.settled(90)
    s.verify(ids + more, overlaps=True)
    s.stop()


if __name__ == "__main__":
    main(test, __doc__, clusters=("real",))
