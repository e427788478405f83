"""xSale, the registry and the ERP answer garbage of every kind (liar.py): no program crashes, grows or stops turning; SIGTERM ends each in order while it lasts; and once they
answer as they should, every order is loaded once and has its right status."""
import contextlib
import os
import random
import re
import signal
import subprocess
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "e2e"))
from harness import IMPORTED, MANUAL, NEW, Failed, check, equal, main, wait     # noqa: E402
from liar import KINDS, Liar, redirect     # noqa: E402

MOST = 600 << 20       # resident bytes that a program may ever have had; some 60 MB are usual in this build
REPORT = re.compile(r"ERROR: \w+Sanitizer|runtime error:|Assertion|SUMMARY: ")
ORDERS = 20


def environment():
    """Of the programs: what they have freed is not kept for long, or there would be no bound to their memory."""
    return dict(os.environ, ASAN_OPTIONS="quarantine_size_mb=32:allocator_release_to_os_interval_ms=500:abort_on_error=0:detect_leaks=1", UBSAN_OPTIONS="print_stacktrace=1")


class Watch:
    """Of every program: it lives, its loop turns, its memory is bounded, no sanitizer has said anything."""

    def __init__(self, s):
        self.s, self.most, self.beginning = s, {}, False

    def gave_up(self, p):
        """Was it told something at its beginning that leaves it nothing to do? Then it says so and is started again, as a service manager does it."""
        with open(p.log, encoding="utf-8", errors="replace") as f:
            last = f.read().rpartition("program: started")[2]       # of its life now; counts of what was said again may stand behind the words
        return self.beginning and p.process.returncode == 1 and 'cannot go on why="' in last

    def look(self):
        for p in self.s.programs.values():
            if p.process is None:
                continue
            if not p.alive():
                check(self.gave_up(p), f"{p.name} ended with {p.process.returncode}")
                p.start()
                self.serving(p)
            status, text = p.http("/livez")
            check(status == 200 or not p.alive(), f"{p.name}: /livez answers {status} {text[:200]}")
            with contextlib.suppress(OSError, KeyError):        # it has ended just now: the next look judges that
                self.most[p.name] = max(self.most.get(p.name, 0), p.usage()[2])
            check(self.most.get(p.name, 0) < MOST, lambda p=p: f"{p.name} had {self.most[p.name] >> 20} MB resident")
        return True

    def serving(self, *programs):
        wait("they serve", 60, lambda: all(p.http("/livez")[0] == 200 or (not p.alive() and self.look()) for p in programs or self.s.programs.values()))

    def reports(self):
        for p in self.s.programs.values():
            if os.path.exists(p.log):
                with open(p.log, encoding="utf-8", errors="replace") as f:
                    found = [line for line in f if REPORT.search(line)]
                check(not found, f"{p.name}: {found[:3]}")

    def for_seconds(self, seconds):
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            self.look()
            time.sleep(0.3)

    def until(self, what, seconds, predicate):
        wait(what, seconds, lambda: self.look() and predicate(), 0.3)


def settings(s, xsale, registry, erp):
    s.write_config(xsale={"api_url": xsale.url, "auth_url": xsale.url + "/oauth/token", "timeout": "2s", "retry_min": "50ms", "retry_max": "300ms", "max_body": "4m", "page_size": 10},
                   producer={"poll_interval": "200ms", "drain_timeout": "3s"}, updater={"drain_timeout": "3s"}, consumer={"drain_timeout": "3s"},
                   registry={"url": registry.url, "timeout": "2s"},
                   erp={"park_min": "50ms", "park_max": "300ms", "probe_min": "50ms", "probe_max": "300ms"},
                   erp__http={"url": erp.url + "/orders", "timeout": "2s", "withdraw_url": erp.url + "/orders"})


def replay(s):
    """The operator's commands while the registry lies: each comes to an end of its own."""
    for words in (["explain", "100001"], ["waiting"], ["reconcile", "--from", "1h"], ["tail", "--topic", "orders"]):
        r = subprocess.run([os.path.join(s.build, "consumer/order-replay"), words[0], "-c", s.config_file, *words[1:]], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                           stderr=subprocess.STDOUT, text=True, encoding="utf-8", errors="replace", cwd=s.working, env=environment(), timeout=60)
        check(r.returncode in (0, 1, 3) and not REPORT.search(r.stdout), f"order-replay {words[0]}: {r.returncode}, {r.stdout[-3000:]}")


def correct(s, ids, wrong=(MANUAL,)):
    """What a person does with orders that were refused: a lie about each was believed. (And with those that are held back since they came again and again.)"""
    statuses = s.statuses()
    for i in ids:
        if statuses[i] in wrong:
            s.xsale.post(f"orders/{i}/edit", {"warehouses": s.mix(i)})
            if statuses[i] != NEW:
                s.xsale.post(f"orders/{i}/status", {"status": NEW})
    return True


def lacking(s, wanted):
    """Documents that are not there, with what the ERP was asked about them."""
    missing = wanted - set(s.documents())
    return {d: [row[1:] for row in s.erp.get("log") if f"/{d[0]}/{d[1]}/" in row[2]] for d in missing}


def imported(s, ids):
    statuses = s.statuses()
    return all(statuses[i] == IMPORTED for i in ids)


def believed(liars, ids):
    """What may have been believed: lies about schemas, and about orders that are not as they should be."""
    names = [str(i) for i in ids]
    for name, rows in (("registry", liars["registry"].about("/schemas/", each=6000)), ("registry", liars["registry"].about("/subjects/")),
                       ("xsale", liars["xsale"].about(*names)), ("erp", liars["erp"].about(*names))):
        for row in rows:
            print(f"{name}: {row}", flush=True)


def test(s, seed):
    r = random.Random(f"servers {seed}")
    liars = {"xsale": s.part(Liar(s.xsale.url, f"xsale {seed}", never=(400, 401, 403))), "registry": s.part(Liar(s.registry.url, f"registry {seed}", never=[n for n in range(300, 500) if n not in (404, 408, 429)])),
             "erp": s.part(Liar(s.erp.url, f"erp {seed}"))}
    # What these say is a verdict, at which a program that begins ends and says so: a credential, a redirect, a schema that does not fit.
    liars["registry"].kinds = [k for k in KINDS if k is not redirect]
    try:
        orders(s, r, liars)
    except Exception:
        statuses = s.statuses()
        believed(liars, [i for i in statuses if statuses[i] != IMPORTED][:5])
        raise
    told = {name: sum(liar.told.values()) for name, liar in liars.items()}
    print(f"seed {seed}: lies {told}")
    return liars


def orders(s, r, liars):
    settings(s, *liars.values())
    for p in s.programs.values():
        p.environment = environment()
    watch = Watch(s)
    old = s.generate(ORDERS)
    for liar in liars.values():
        liar.rate = 0.9
    watch.beginning = True
    s.start()
    watch.serving()
    watch.for_seconds(3)
    for p in s.programs.values():
        check(p.stop() == 0 or watch.gave_up(p), f"{p.name}, ended at its beginning, with {p.process.returncode}")
    watch.beginning = False
    for liar in liars.values():
        liar.rate = 0.0
    s.start()
    wait("all are ready", 60, lambda: s.all_alive() and all(p.ready() for p in s.programs.values()))
    for liar in liars.values():
        liar.rate = 0.4
    for i in r.sample(old, 5):
        s.xsale.post(f"orders/{i}/edit", {"warehouses": s.mix(i)})
    watch.for_seconds(8)
    replay(s)
    for liar in liars.values():
        liar.rate = 1.0
    # The updater waits ten minutes after a refusal, unless it is started anew. The others must come to rest without it.
    again = [s.updater, r.choice([s.producer, *s.consumers])]
    for p in again:
        equal(p.stop(), 0, f"exit code of {p.name}, ended while they lie")
    for liar in liars.values():
        liar.rate = 0.0
    s.start(*again)
    watch.serving()
    for p in s.programs.values():       # what was asked too often is asked anew, as an operator does who has repaired something
        os.kill(p.process.pid, signal.SIGHUP)
    new = s.generate(ORDERS, first=200002)
    watch.until("orders that come afterwards are imported", 90, lambda: imported(s, new))
    correct(s, old, (NEW, MANUAL))
    watch.until("every order is imported", 90, lambda: correct(s, old) and imported(s, old))
    correct(s, old, (IMPORTED,))        # a lie about what an order holds may have been believed as well
    watch.until("every order is imported as it is", 90, lambda: correct(s, old) and imported(s, old))
    wanted = {(i, w) for i in old for w in s.mix(i)} | {(i, w) for i in new for w in s.mix(i, 200002)}
    try:
        wait("a document for each", 60, lambda: not lacking(s, wanted))
    except Failed as e:
        raise Failed(f"{e}; missing, with what the ERP was asked: {lacking(s, wanted)}") from e
    found = {d for d in s.documents() if d[0] in {*old, *new}}
    equal(found, wanted, "documents")
    bad = [v for v in s.erp.get("summary")["violations"] if v["what"] != "two at a time"]      # one was given up, the next began
    equal(bad, [], "what no ERP should have seen")
    s.stop()
    watch.reports()
    print(f"most MB resident {dict((n, m >> 20) for n, m in watch.most.items())}")


if __name__ == "__main__":
    main(test, __doc__, clusters=("mock",), seeded=True)
