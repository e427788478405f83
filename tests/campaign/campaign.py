"""Everything at once, driven by one seed: orders come, are edited, cancelled and retried by people, while every program is killed (also at its named places), stopped for seconds and
ended in order, the broker dies, the registry is away, xSale, the ERP and the database fail in every way that they know, and the network is late, cut, half-open or slow. Then
calm: everything comes to rest, and what stands on the topics (read by Java's client and fastavro), in both ERPs and in xSale's log of changes must keep the promise.
  --seed N        of all choices; a new one each time, and printed
  --seconds S     of trouble (60)
  --points a,b    kill at these named places only, and nowhere else (they are listed in tests/e2e/points.py)
  --without a,b   no such troubles (their names: class Trouble)"""
import argparse
import base64
import collections
import datetime
import glob
import os
import random
import re
import signal
import subprocess
import sys
import time
import traceback

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE, os.path.join(os.path.dirname(HERE), "e2e")]
from harness import BAD_ARTICLE, CANCELLED, IMPORTED, MANUAL, NEW, Failed, Stack, check, wait      # noqa: E402
import databases        # noqa: E402
import points           # noqa: E402
import services         # noqa: E402
from checker import CHECKS, History, judge      # noqa: E402
from proxy import KINDS, Proxy      # noqa: E402

MIXES = [["MAG-1"], ["MAG-2"], ["MAG-1", "MAG-2"], ["MAG-2", "MAG-1"]]
TOPICS = ("orders", "order-outcomes", "order-status", "orders-dlq")
# In the words of every right refusal: the simulator's, the database's, and of an order that did not get through for long.
CAUSES = ("Nieznany towar", "blocked article", "given up after")
# Statuses that say that nothing was tried, and are believed. A load that the ERP kept behind one may be called superseded.
DENIALS = (408, 429, 503)
# What each program writes, one topic alone or all at once (None).
WRITES = {"xsale-producer": ["orders"] * 4 + ["order-state", "order-outcomes", None], "erp-consumer": ["order-outcomes", "order-outcomes", "orders-dlq", None],
          "status-updater": ["order-status", None]}
BAD = b'{"Id": %d, "StatusId": @STATUS_ID@, "StatusName": @STATUS_NAME@, "PurchaseDate": "2026-11-20", "Items": []}'


class World(Stack):
    """The stack with a proxy in every line."""

    def __init__(self, build, r):
        self.links, self.random, self.denied = {}, r, []     # denied: spans (ms) in which the ERP kept loads behind DENIALS
        super().__init__("real", build)
        self.links["xsale"], self.links["erp"] = self.link(self.xsale.url), self.link(self.erp.url)
        self.database = self.part(databases.PostgreSQL(fsync="on").install())
        self.database.script(f"INSERT INTO xsale_blocked_article VALUES ('{BAD_ARTICLE}')")
        self.links["database"] = self.link(f"http://127.0.0.1:{self.database.port}")
        self.erp.post("refuse", {"articles": [BAD_ARTICLE]})
        self.erp.post("settings", {"latency": 0.02})
        static = r.random() < 0.6
        self.settled = 2 if static else 7       # seconds from a start until it has its partitions again
        url = lambda name: f"http://127.0.0.1:{self.links[name].port}"
        self.settings["kafka"]["bootstrap.servers"] = f"127.0.0.1:{self.links['kafka'].port}"
        self.settings["kafka.consumer"].update({"session.timeout.ms": 45000 if static else 6000, "fetch.wait.max.ms": 50})
        self.write_config(
            xsale={"api_url": url("xsale"), "auth_url": url("xsale") + "/oauth/token", "timeout": "3s", "page_size": 20}, producer={"poll_interval": "300ms"},
            registry={"url": self.registry.url.replace(str(self.registry.port), str(self.links["registry"].port))},
            erp__http={"url": url("erp") + "/orders", "withdraw_url": url("erp") + "/orders/{organization}/{order_id}/{warehouse}", "timeout": "3s"},
            erp__sql={"connection": self.database.connection.replace(str(self.database.port), str(self.links["database"].port)), "statement": self.database.statement,
                      "withdraw_statement": self.database.withdraw, "sessions": 4, "timeout": "2s"},
            erp={"connect_timeout": "2s"}, consumer={"concurrency": 8, "drain_timeout": "5s"}, updater={"drain_timeout": "5s"})
        self.consumers[1].arguments += ["-X", "erp.sink=sql"]
        if r.random() < 0.5:
            self.consumers.append(self.program("erp-consumer", "consumer-MAG-1-b", "-X", "consumer.warehouse=MAG-1"))
        if r.random() < 0.3:
            self.other_updater = self.program("status-updater", "updater-b")
        for name, p in self.programs.items():
            p.arguments += ["-X", f"kafka.client.id={name}", *(["-X", f"kafka.consumer.group.instance.id={name}"] if static else [])]
        print(f"{'static' if static else 'dynamic'} members: {', '.join(self.programs)}", flush=True)

    def link(self, url):
        return self.part(Proxy(("127.0.0.1", int(url.split(":")[2].split("/")[0]))))

    def start_kafka(self, port=None):
        proxy = self.links["kafka"] = self.part(Proxy(None, kafka=True))
        self.kafka = self.part(services.Kafka(port, advertised_listeners=f"PLAINTEXT://127.0.0.1:{proxy.port}"))
        proxy.target = ("127.0.0.1", self.kafka.port)

    def start_registry(self, port=None):
        super().start_registry(port)
        self.links["registry"] = self.link(self.registry.url)

    def topics(self):
        """{topic: [(key, value)]} in the order of each partition, read by another client than the programs use."""
        command = ["java", "-Xmx256m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-Dorg.slf4j.simpleLogger.defaultLogLevel=error", "-cp", services.kafka_home() + "/*",
                   os.path.join(HERE, "Topics.java"), self.kafka.bootstrap, *("xsale." + t for t in TOPICS)]
        r = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, timeout=300)
        check(r.returncode == 0, lambda: f"the topics cannot be read: {r.stderr[-2000:]}")
        found, rows = {t: [] for t in TOPICS}, [line.split("\t") for line in r.stdout.splitlines()]
        text = lambda field: None if field == "-" else base64.b64decode(field[1:])
        for topic, _, _, _, key, value, _ in sorted(rows, key=lambda f: (f[0], int(f[1]), int(f[2]))):
            topic = topic.removeprefix("xsale.")
            found[topic].append((text(key).decode(), self.decode(text(value)) if topic != "orders-dlq" else None))
        return found

    def history(self):
        t = self.topics()
        values = lambda name: [{**v, "publication": round(v["publication"].timestamp() * 1000)} for _, v in t[name]]
        documents = {(d["orderId"], d["warehouse"]): {"revision": d["revision"], "publication": d["publication"], "live": bool(d["documentId"]) and not d["withdrawn"]}
                     for d in self.erp.get("documents")}
        for order, revision, publication, withdrawn, number in self.database.query("SELECT order_id, revision, publication, withdrawn, document_id FROM xsale_order"):
            documents[int(order), "MAG-2"] = {"revision": revision, "publication": int(publication), "live": number != "" and withdrawn not in ("t", "1", "true")}
        outcomes = [{**v, "at": round(v["at"].timestamp() * 1000)} for v in values("order-outcomes")]
        loads = collections.defaultdict(list)
        for at, method, key, status in self.erp.get("log"):
            if method == "POST" and 200 <= status < 300 and not any(begin <= at <= end for begin, end in self.denied):
                _, order, warehouse, publication = key.split("/")
                loads[int(order), warehouse, int(publication)].append(at)
        return History(orders=values("orders"), outcomes=outcomes, rows=values("order-status"), letters={k for k, _ in t["orders-dlq"]},
                       changes=self.xsale.get("changes"), statuses=self.statuses(), documents=documents,
                       ever={(v["orderId"], v["warehouse"], v["documentId"]) for v in outcomes if v["result"] == "IMPORTED"}, causes=CAUSES, loads=loads,
                       requests=[v for v in self.erp.get("summary")["violations"] if v["what"] == "key used again with another body"],
                       breaks={"MAG-1": [at for p in self.programs.values() if p.name.startswith("consumer-MAG-1") for at in self.breaks(p)]})

    @staticmethod
    def breaks(p):
        """When it was started, and its partitions changed (ms)."""
        with open(p.log, encoding="utf-8", errors="replace") as f:
            return [round(datetime.datetime.fromisoformat(line[:23] + "+00:00").timestamp() * 1000) for line in f if re.search(r" program: started | group: partitions are ", line)]


class People:
    """Who works with xSale. Orders keep the warehouses that they came with."""

    def __init__(self, s, r):
        self.s, self.random, self.mix, self.again, self.done = s, r, {}, set(), collections.Counter()

    def choose(self, status):
        ids = [o["id"] for o in self.s.xsale.get("orders") if o["statusName"] == status]
        return self.random.choice(ids) if ids else None

    def come(self):
        for _ in range(self.random.randrange(1, 4)):
            order = 100001 + len(self.mix)
            mix = self.mix[order] = self.random.choice(MIXES)
            kind = self.random.random()
            if kind < 0.06:
                self.s.xsale.post(f"orders/{order}/raw", BAD % order)
            else:
                self.s.xsale.post("generate", {"count": 1, "first": order, "warehouses": [mix], "codes": {order: BAD_ARTICLE} if kind < 0.16 else {}})

    def just_offered(self):
        """One that an ERP was offered a moment ago, whatever it answered, and that is not settled."""
        offered = [int(key.split("/")[1]) for _, _, key, _ in self.s.erp.get("log?last=6")]
        new = {o["id"] for o in self.s.xsale.get("orders") if o["statusName"] == NEW}
        return next((order for order in reversed(offered) if order in new), None)

    def edit(self, order=None, code=None):
        order = order or (self.just_offered() if self.random.random() < 0.5 else None) or self.choose(NEW)
        if order:
            self.s.xsale.post(f"orders/{order}/edit", {"warehouses": self.mix[order], "code": code})

    def set(self, before, after):
        order = self.choose(before)
        if (before, after) == (IMPORTED, NEW):      # once each: who asks for the same again and again is made to wait, up to an hour
            order = None if order in self.again else order
            self.again.add(order)
        if order:
            self.s.xsale.post(f"orders/{order}/status", {"status": after})

    def retry(self):
        order = self.choose(MANUAL)
        if order:
            self.edit(order, BAD_ARTICLE if self.random.random() < 0.3 else None)
            self.s.xsale.post(f"orders/{order}/status", {"status": NEW})

    def work(self):
        names = ["come"] * 8 + ["edit"] * 4 + ["retry"] * 3 + ["cancel"] * 2 + ["return", "advance", "annul", "again", "delete"]
        name = self.random.choice(names)
        self.done[name] += 1
        if name in ("come", "edit", "retry"):
            getattr(self, name)()
        elif name == "delete":
            order = self.choose(NEW) if self.random.random() < 0.3 else None
            if order:
                self.s.xsale.post(f"orders/{order}/delete")
        else:
            self.set(*{"cancel": (NEW, CANCELLED), "return": (CANCELLED, NEW), "advance": (IMPORTED, "W trakcie realizacji"), "annul": (IMPORTED, CANCELLED),
                       "again": (IMPORTED, NEW)}[name])


class Trouble:
    """What goes wrong, each for a time. Names: kill, point, unwritten, freeze, end, broker, freeze-broker, xsale, erp, tokens, database, freeze-database, network."""

    def __init__(self, s, r, chosen, without):
        self.s, self.random, self.chosen, self.log = s, r, chosen, collections.Counter()
        self.good = []      # (when, what makes it good)
        self.starts = {}    # program -> when it is started again
        self.since = {}     # program -> when it was
        self.armed, self.ended = {}, collections.Counter()      # ended: SIGTERMs since its start
        self.turns, self.losing = collections.Counter(), None       # of `unwritten`: of each program; (program, when it dies at the latest, how much it stores before)
        self.failures = []
        weights = {"kill": 6, "point": 12, "freeze": 3, "end": 2, "broker": 1, "freeze-broker": 1, "xsale": 5, "erp": 5, "tokens": 1, "database": 1, "freeze-database": 1, "network": 6}
        if chosen:      # they are what is tried
            weights.update(kill=0, point=24)
        self.names = [n for n, w in weights.items() if n not in without for _ in range(w)]
        self.next_unwritten = 0 if "unwritten" not in without and not chosen else float("inf")      # beside all others, one after the other

    def later(self, seconds, action):
        self.good.append((time.monotonic() + seconds, action))

    def one(self):
        name = self.random.choice(self.names)
        self.log[name] += 1
        getattr(self, name.replace("-", "_"))()

    def program(self):
        return self.random.choice([p for p in self.s.programs.values()])

    def kill(self):
        self.program().kill()

    def places(self, p):
        """Where it may be made to die: of what is chosen everything, otherwise what orders or a start bring about."""
        return [n for n, kind in points.POINTS[p.program].items() if n in self.chosen or not self.chosen and kind in ("orders", "start")]

    def point(self):
        candidates = [p for p in self.s.programs.values() if p.alive() and p not in self.armed and self.places(p)]
        if not candidates:
            return
        p = self.random.choice(candidates)
        self.arm(p, self.random.choice(self.places(p)))

    def arm(self, p, name):
        if not p.alive() or p in self.armed:
            return
        try:
            points.arm(p.process.pid, p.path, name)
            self.armed[p] = name
        except (OSError, RuntimeError):
            if not self.ended[p]:       # who was told to end may be gone meanwhile
                raise

    def unwritten(self):
        """What one program writes to a topic, or to any, does not arrive, and everything else does; when it has stored something else since, a commit or a note above all, it dies. What
        did not wait for what it stands for has lost it now."""
        now, kafka = time.monotonic(), self.s.links["kafka"]
        if self.losing is None:
            if now >= self.next_unwritten:
                self.lose(now, kafka)
            return
        p, end, times = self.losing
        if kafka.followed >= times:
            self.losing = (p, min(end, now + self.random.uniform(0, 0.5)), float("inf"))
        if now >= end or not p.alive():
            self.log["unwritten"] += kafka.lost > 0
            p.kill()
            kafka.lose()
            self.losing, self.next_unwritten = None, now + self.random.uniform(0.2, 0.8)

    def lose(self, now, kafka):
        fewest = min(self.turns[name] for name in WRITES)
        candidates = [p for p in self.s.programs.values() if p.alive() and now - self.since.get(p, 0) > self.s.settled      # others have no partitions yet, and write nothing
                      and self.turns[p.program] <= fewest + 1]
        if candidates:
            p = self.random.choice(candidates)
            topic = self.random.choice(WRITES[p.program])
            self.turns[p.program] += 1
            kafka.lose(p.name, topic and ["xsale." + topic])
            self.losing = (p, now + 6, self.random.choice([1, 1, 2]))
            self.log[f"unwritten {p.program} {topic or 'all'}"] += 1

    def freeze(self):
        p = self.program()
        if p.alive():
            pid = p.process
            pid.send_signal(signal.SIGSTOP)
            self.later(self.random.uniform(0.3, 8), lambda: pid.send_signal(signal.SIGCONT))

    def end(self):
        p = self.program()
        if p.alive():
            p.process.terminate()
            self.ended[p] += 1

    def broker(self):
        if self.s.kafka.process.poll() is None:
            self.s.kafka.kill()
            self.later(self.random.uniform(0.2, 3), self.s.kafka.restart)

    def freeze_broker(self):
        if self.s.kafka.process.poll() is None:
            p = self.s.kafka.process
            p.send_signal(signal.SIGSTOP)
            self.later(self.random.uniform(0.5, 4), lambda: p.send_signal(signal.SIGCONT))

    def fault(self, simulator, routes):
        kind = self.random.choice(["status", "status", "hang", "cut", "drip", "html", "garbage", "close", "length", "latency"])
        f = {"route": self.random.choice(routes), "kind": kind, "probability": self.random.choice([0.2, 0.5, 1])}
        if kind == "status":
            f.update(status=self.random.choice([429, 500, 503, 502, 408]), process=self.random.random() < 0.3)
            if f["status"] in (429, 503) and self.random.random() < 0.5:
                f["retry_after"] = 1
        elif kind in ("hang", "close", "html", "garbage"):
            f.update(seconds=self.random.choice([1, 10]), status=503, process=self.random.random() < 0.5)
        else:
            f.update(seconds=self.random.choice([0.3, 2]))
        now = lambda: round(time.time() * 1000)
        span = [now(), float("inf")]
        if simulator is self.s.erp and f.get("process") and f["status"] in DENIALS:
            self.s.denied.append(span)
        simulator.post("faults", f)

        def over():
            simulator.clear_faults()
            span[1] = now() + 1000 * (1 + f.get("seconds", 0))
        self.later(self.random.uniform(0.5, 4), over)

    def xsale(self):
        self.fault(self.s.xsale, ["", "change-status", r"^GET /acme/orders/\d+$", r"^GET /acme/orders$", "oauth"])

    def erp(self):
        if self.random.random() < 0.25:
            self.s.erp.down()
            self.later(self.random.uniform(0.5, 4), self.s.erp.up)
        else:
            self.fault(self.s.erp, ["", "^POST", "^DELETE"])

    def tokens(self):
        self.s.xsale.post("settings", {"expire": True})

    def database(self):
        db = self.s.database
        if db.process.poll() is None:
            pids = self.family(db.process.pid)
            self.signal(pids, signal.SIGCONT)       # who is frozen does not end
            if self.random.random() < 0.5:
                db.stop()
            else:
                self.signal(pids, signal.SIGKILL)
                db.process.wait()
            self.later(self.random.uniform(0.3, 3), db.start)

    def freeze_database(self):
        pids = self.family(self.s.database.process.pid)
        self.signal(pids, signal.SIGSTOP)
        self.later(self.random.uniform(0.5, 4), lambda: self.signal(pids, signal.SIGCONT))

    def network(self):
        name, kind = self.random.choice(list(self.s.links)), self.random.choice(KINDS)
        link = self.s.links[name]
        link.behave(kind, self.random.choice([0.05, 0.3]))
        self.log[f"{name} {kind}"] += 1
        self.later(self.random.uniform(0.3, 5), link.behave)

    @staticmethod
    def family(pid):
        found = [pid]
        for path in glob.glob(f"/proc/{pid}/task/*/children"):
            try:
                with open(path, encoding="ascii") as f:
                    found += [p for child in f.read().split() for p in Trouble.family(int(child))]
            except OSError:
                pass
        return found

    @staticmethod
    def signal(pids, number):
        for pid in pids:
            try:
                os.kill(pid, number)
            except ProcessLookupError:
                pass

    def mend(self, all_of_it=False):
        now = time.monotonic()
        due = [x for x in self.good if all_of_it or x[0] <= now]
        self.good = [x for x in self.good if x not in due]
        for _, action in due:
            try:
                action()
            except ProcessLookupError:
                pass

    def revive(self):
        """Who died is started again after a moment; who died of itself is a failure."""
        for p in self.s.programs.values():
            if p.alive():
                continue
            if p not in self.starts:
                code, name = p.process.returncode, self.armed.pop(p, None)
                if code == points.DEAD and name:
                    self.log["at " + name] += 1
                elif code not in (-signal.SIGKILL, points.DEAD) and not self.in_order(p, code):
                    self.failures.append(f"{p.name} ended with {code}: {self.last_words(p)}")
                self.ended.pop(p, None)
                self.starts[p] = time.monotonic() + self.random.choice([0, 0, 0.3, 1])
            if time.monotonic() >= self.starts[p]:
                del self.starts[p]
                p.start()
                self.since[p] = time.monotonic()

    def in_order(self, p, code):
        """One SIGTERM: 0, or ended by it before the program took signals. A second one while it drains: 1, and it says why."""
        return self.ended[p] >= 1 and code in (0, -signal.SIGTERM) or self.ended[p] >= 2 and code == 1 and 'drain abandoned why="second signal"' in self.last_words(p)

    @staticmethod
    def last_words(p):
        """Its warnings and errors of the run that just ended."""
        with open(p.log, encoding="utf-8", errors="replace") as f:
            words = f.read().rpartition(" program: started ")[2].splitlines()
        return " | ".join([w for w in words if " warn " in w or " error " in w or not re.match(r"\d{4}-", w)][-8:])

    def calm(self):
        self.mend(all_of_it=True)
        for link in self.s.links.values():
            link.behave()
            link.lose()
        self.s.xsale.clear_faults()
        self.s.erp.clear_faults()
        self.s.erp.up()
        for p in list(self.armed):
            p.kill()
        if self.s.kafka.process.poll() is not None:
            self.s.kafka.restart()
        if self.s.database.process.poll() is not None:
            self.s.database.start()


def run(s, r, args):
    people, trouble = People(s, r), Trouble(s, r, args.points, args.without)
    s.start()
    wait("the programs to be ready", 240, lambda: s.all_alive() and all(p.ready() for p in s.programs.values()), 0.2)
    end, next_trouble = time.monotonic() + args.seconds, 0
    while time.monotonic() < end:
        people.work()
        if trouble.names and time.monotonic() >= next_trouble:
            trouble.one()
            next_trouble = time.monotonic() + r.uniform(0.2, 1.5)
        trouble.unwritten()
        trouble.mend()
        trouble.revive()
        time.sleep(r.uniform(0.05, 0.25))
    trouble.calm()
    print(f"{len(people.mix)} orders; people: {dict(people.done)}; trouble: {dict(sorted(trouble.log.items()))}", flush=True)
    findings, h, begin = [("", "")], None, time.monotonic()
    while findings and time.monotonic() - begin < args.patience:
        trouble.revive()
        if s.xsale.get("counts")[NEW]:
            time.sleep(0.5)
            continue
        h = s.history()
        findings = judge(h)
        time.sleep(0.5 if findings else 0)
    h = s.history()
    findings = judge(h)
    print(f"at rest after {time.monotonic() - begin:.0f} s: {len(h.orders)} publications, {len(h.outcomes)} outcomes, {len(h.rows)} rows, {len(h.changes)} changes, "
          f"{len(h.documents)} documents, {s.erp.get('summary')['repeated']} loads sent again", flush=True)
    findings += [("ended", f) for f in trouble.failures]
    for kind in (*CHECKS, "ended"):
        found = [w for k, w in findings if k == kind]
        print(f"{kind}: {len(found)}", *found[:10], sep="\n  ")
    check(not findings, f"{len(findings)} findings")
    for p in s.programs.values():
        if p.alive():
            code = p.stop()
            check(code in (0, -signal.SIGTERM), lambda: f"at rest, {p.name} ended with {code}: {trouble.last_words(p)}")


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    names = lambda text: [x for x in text.split(",") if x]
    p.add_argument("--build", default=None)
    p.add_argument("--seed", type=int, default=None)
    p.add_argument("--seconds", type=float, default=60)
    p.add_argument("--patience", type=float, default=300, help="seconds that everything may take to come to rest")
    p.add_argument("--points", type=names, default=[])
    p.add_argument("--without", type=names, default=[])
    args = p.parse_args()
    unknown = set(args.points) - {n for places in points.POINTS.values() for n in places}
    if unknown:
        p.error(f"--points: there is no {', '.join(sorted(unknown))}; tests/e2e/points.py lists them")
    seed = args.seed if args.seed is not None else int.from_bytes(os.urandom(4), "big")
    print(f"seed {seed}", flush=True)
    r = random.Random(seed)
    s = World(args.build, r)
    code, words = 0, "ok"
    try:
        run(s, r, args)
    except Exception as e:
        if not isinstance(e, Failed):
            traceback.print_exc()
        s.tails(12)
        code, words, s.kept = 1, f"FAILED: {e}", True
    print(f"{words} (seed {seed}, {args.seconds:.0f} s of trouble{'; ' + s.directory if code else ''})", flush=True)
    s.close()
    sys.exit(code)


if __name__ == "__main__":
    main()
