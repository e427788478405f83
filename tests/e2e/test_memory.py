"""Memory runs out. Within a cap that leaves little more than a start takes a backlog is worked off. Without any more memory in the middle of the work a program goes on or ends with a
line that says what to do; started again it finishes, nothing is lost and nothing doubled. So does one that gets no thread in its start, whichever that is."""
import os
import resource
import signal
import time

from harness import NEW, check, main, wait

ROOM = 48 << 20     # besides what a program maps when it has worked: threads' stacks are most of that
FIRST = 100001
MORE = 900
WITHOUT_S = 6
PATIENCE_S = 3      # for a start that lacks a thread; one that needs longer is looked at again at the end
WITHOUT = "no thread this time"
THREADS = 40        # more than librdkafka makes in a start
ENDINGS = {1: " error program: cannot ", -signal.SIGABRT: "it got no memory or no thread. Nothing is lost"}        # exit code -> what must be said
LIMITS = (resource.RLIMIT_AS, resource.RLIMIT_DATA)


def mapped(p):
    """(address space, data) in bytes."""
    with open(f"/proc/{p.process.pid}/status", encoding="ascii") as f:
        status = dict(line.split(":", 1) for line in f)
    return [int(status[k].split()[0]) * 1024 for k in ("VmSize", "VmData")]


def cap(p, room):
    """room: None: no cap any more."""
    for limit, size in zip(LIMITS, mapped(p)):
        resource.prlimit(p.process.pid, limit, (resource.RLIM_INFINITY if room is None else size + room, resource.RLIM_INFINITY))


def programs(s):
    return s.producer, s.updater, *s.consumers


def within_a_cap(s):
    ids = s.generate(9, first=FIRST - 9)
    s.settled(60)       # until then threads come and go: for reading back what a new owner has to know
    for p in programs(s):
        cap(p, ROOM)
    ids += s.generate(MORE, first=FIRST)
    s.settled(120)
    s.verify(ids)
    for p in programs(s):
        cap(p, None)
    return ids


def said(p):
    with open(p.log, encoding="utf-8", errors="replace") as f:
        return f.read()[-3000:]


def starved(s, p, first):
    """p gets no more memory while it works; whatever becomes of it, it is there again afterwards."""
    ids = s.generate(90, first=first)
    if p.alive():
        cap(p, 0)
    end = time.monotonic() + WITHOUT_S
    while p.alive() and time.monotonic() < end:
        time.sleep(0.1)
    try:
        cap(p, None)
        return ids
    except (OSError, KeyError):     # it has ended, perhaps just now
        p.process.wait(60)
    told(p)
    p.start()
    return ids


def told(p):
    """It has ended and said why."""
    code = p.process.returncode
    check(code in ENDINGS, f"{p.name} ended with {code}: {said(p)}")
    check(ENDINGS[code] in said(p), f"{p.name} ended with {code} and does not say why: {said(p)}")


def settled(s):
    """As s.settled, with whoever starts a program again that ends; it may say only now that it had no memory."""
    def done():
        for p in programs(s):
            if not p.alive():
                told(p)
                p.start()
        return s.xsale.get("counts")[NEW] == 0
    wait("every order left the new status", 120, done, 0.2)


def begun(p):
    """It works, or it has ended and said why. The one that works is of no more use."""
    if p.alive() and not p.ready():
        return False
    if not p.alive():
        told(p)
    p.kill()
    return True


def without_a_thread(s):
    """librdkafka gets each thread but one. It aborts, goes on without a broker for ever or waits for ever: the program has to end then, so that it is started anew."""
    library = os.path.join(s.build, "tests/mock/no-thread.so")
    check(os.path.exists(library), f"{library} is not built")
    late = []
    for number in range(1, THREADS):
        p = s.program("xsale-producer", f"threads-{number}")
        p.environment = dict(os.environ, LD_PRELOAD=library, NO_THREAD=str(number))
        p.start()
        begin = time.monotonic()
        while not (done := begun(p)) and (time.monotonic() < begin + PATIENCE_S or (WITHOUT not in said(p) and time.monotonic() < begin + 90)):
            time.sleep(0.05)
        if not done:
            late.append(p)
        elif WITHOUT not in said(p):
            break
    check(4 < number < THREADS - 1, f"a start with {number - 1} threads")
    for p in late:
        wait(f"{p.name} to work or to end", 90, lambda: begun(p))
    for name in [n for n in s.programs if n.startswith("threads-")]:
        del s.programs[name]


def test(s):
    s.erp.post("settings", {"latency": 0.005})
    s.start()
    ids = within_a_cap(s)
    for number, p in enumerate(programs(s), 1):
        ids += starved(s, p, FIRST + MORE + 90 * (number - 1))
    s.updater.kill()        # and before it owns a partition: what librdkafka needs for that it cannot do without
    s.updater.start()
    wait(f"{s.updater.name} to begin", 60, lambda: s.updater.http("/livez")[0] == 200, 0.02)
    ids += starved(s, s.updater, ids[-1] + 1)
    settled(s)
    s.producer.kill()
    without_a_thread(s)
    s.producer.start()
    ids += s.generate(90, first=ids[-1] + 1)
    s.settled(120)
    s.verify(ids, overlaps=True)     # a load that its consumer did not live to see the end of is sent again
    s.stop()


if __name__ == "__main__":
    main(test, __doc__, clusters=("mock",))
