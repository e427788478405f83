"""Memory runs out. Within a cap that leaves little more than a start takes a backlog is worked off. Without any more memory in the middle of the work a program goes on or ends with a
line that says what to do; started again it finishes, nothing is lost and nothing doubled."""
import resource
import signal
import time

from harness import check, equal, main, wait

ROOM = 48 << 20     # besides what a program maps when it is ready: threads' stacks are most of that
MORE = 900
WITHOUT_S = 6
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
    for p in programs(s):
        wait(f"{p.name} to be ready", 60, p.ready)
        cap(p, ROOM)
    ids = s.generate(MORE)
    s.settled(120)
    s.verify(ids)
    for p in programs(s):
        cap(p, None)
    return ids


def said(p):
    with open(p.log, encoding="utf-8", errors="replace") as f:
        return f.read()[-3000:]


def starved(s, p, first, ended):
    """p gets no more memory while it works; whatever becomes of it, it is there again afterwards."""
    ids = s.generate(90, first=first)
    if p.alive():
        cap(p, 0)
    end = time.monotonic() + WITHOUT_S
    while p.alive() and time.monotonic() < end:
        time.sleep(0.1)
    if p.alive():
        cap(p, None)
        return ids
    code = p.process.returncode
    check(code in ENDINGS, f"{p.name} ended with {code} without memory: {said(p)}")
    check(ENDINGS[code] in said(p), f"{p.name} ended with {code} and does not say why: {said(p)}")
    ended.append(p.name)
    p.start()
    return ids


def test(s):
    s.erp.post("settings", {"latency": 0.005})
    s.start()
    ids, ended = within_a_cap(s), []
    for number, p in enumerate(programs(s), 1):
        ids += starved(s, p, 100001 + MORE + 90 * (number - 1), ended)
    for p in (s.updater, s.producer, s.updater, s.producer):      # and before they own a partition: what librdkafka needs for that it cannot do without
        p.kill()
        p.start()
        wait(f"{p.name} to begin", 30, lambda: p.http("/livez")[0] == 200, 0.02)
        ids += starved(s, p, ids[-1] + 1, ended)
        if ended:
            break
    check(ended, "no program ever ran out of memory: nothing was tried")
    s.settled(120)
    s.verify(ids, overlaps=True)     # a load that its consumer did not live to see the end of is sent again
    s.stop()


if __name__ == "__main__":
    main(test, __doc__, clusters=("mock",))
