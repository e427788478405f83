"""Files and connections run out. Too few at the start: a refusal that names the number needed. While the programs work: /readyz names it, no probe makes a program spin, nothing is lost
or doubled, and all go on by themselves when there are some again."""
import json
import os
import re
import resource
import time

from harness import check, equal, main, wait

HALF_SECOND = 0.5


def lowest_free(p):
    """The number that the next file would get. A limit below it leaves none, also when one was closed meanwhile and left a gap."""
    used = {int(n) for n in os.listdir(f"/proc/{p.process.pid}/fd")}
    return min(n for n in range(len(used) + 1) if n not in used)


def allow(p, soft, hard=4096):
    resource.prlimit(p.process.pid, resource.RLIMIT_NOFILE, (soft, hard))


def dependency(p, name):
    body = p.http("/readyz")[1]
    return json.loads(body)["dependencies"].get(name, {}) if body else {}


def run_with(p, files):
    """-> (code, output) of a start with so few files."""
    command = p.command
    p.command = lambda *more: ["prlimit", f"--nofile={files}", *command(*more)]
    try:
        return p.run()
    finally:
        p.command = command


def too_few_at_the_start(s):
    wanted = {}
    for p in (s.producer, s.updater, s.consumers[0]):
        code, text = run_with(p, 64)
        equal(code, 1, f"exit code of {p.name} with 64 files")
        found = re.search(r'cannot start why="with this configuration up to (\d+) files and connections are open at once, but this process may have only 64: .*LimitNOFILE=', text)
        check(found, lambda: f"{p.name} does not say how many it needs: {text[-600:]}")
        wanted[p.name] = int(found[1])
    p = s.consumers[0]
    p.arguments += ["-X", "consumer.concurrency=1032"]
    code, text = run_with(p, 64)
    check(f"up to {wanted[p.name] + 1000} files" in text, f"1,000 loads more at once need as many files more than {wanted[p.name]}: {text[-300:]}")
    del p.arguments[-2:]
    return wanted


def a_low_soft_limit_is_raised(s, wanted):
    for p in (s.producer, s.updater, *s.consumers):
        command = p.command
        p.command = lambda *more, command=command: ["prlimit", "--nofile=64:4096", *command(*more)]
        p.start()
        p.command = command
    for p in (s.producer, s.updater, s.consumers[0]):
        wait(f"{p.name} to raise its limit", 60, lambda: p.alive() and p.metrics().get("process_max_fds") == wanted[p.name], 0.2)


def says_none_is_free(p):
    """What /readyz says of it. What the listener keeps back for this moment may be taken by another thread of the program between two probes: then it gets one more."""
    status, body = p.http("/readyz")
    told = json.loads(body)["dependencies"].get("open-files", {}) if status else {}
    if told.get("state") == "down":
        return told
    allow(p, lowest_free(p) + (0 if status else 1))
    return None


def cpu(p):
    return p.usage()[0]


def none_left(s):
    """Every connection to xSale and the ERP has to be made anew while there is nothing to make it of."""
    programs = (s.producer, s.updater, *s.consumers)
    for simulator in (s.xsale, s.erp):
        simulator.fault("close", "^(GET|PUT|POST) /(acme|orders)", count=20)       # the connections that are kept end
    for p in programs:
        allow(p, lowest_free(p))
    ids = s.generate(9)
    for p in programs:
        told = wait(f"{p.name} to say that no file is free", 60, lambda: p.alive() and says_none_is_free(p), 0.3)
        check("may have open are in use" in told["error"] and "LimitNOFILE=" in told["doing"], f"what /readyz of {p.name} says: {told}")
    used = {p.name: cpu(p) for p in programs}
    for _ in range(4):
        for p in programs:
            p.http("/livez")
        time.sleep(HALF_SECOND)
    spun = {p.name: round(cpu(p) - used[p.name], 2) for p in programs if cpu(p) - used[p.name] > 1}
    equal(spun, {}, "CPU seconds of programs that only wait")
    s.all_alive()
    return ids


def some_again(s, ids):
    s.xsale.clear_faults()
    s.erp.clear_faults()
    for p in (s.producer, s.updater, *s.consumers):
        allow(p, 1024)
    s.settled(120)
    for p in (s.producer, s.updater, *s.consumers):
        wait(f"{p.name} to be ready", 60, p.ready, 0.3)
        equal(dependency(p, "open-files").get("state"), "up", f"open-files of {p.name}")
    s.verify(ids)


def test(s):
    wanted = too_few_at_the_start(s)
    a_low_soft_limit_is_raised(s, wanted)
    for p in (s.producer, s.updater, *s.consumers):
        wait(f"{p.name} to be ready", 60, p.ready, 0.3)
    some_again(s, none_left(s))
    s.stop()


if __name__ == "__main__":
    main(test, __doc__, clusters=("mock",))
