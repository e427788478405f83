"""Every named place of a program, one after another: while orders come, are refused, edited, withdrawn and retried, the program dies there at once, and again later, and is
started anew. Nothing is lost; each content is published once; each warehouse (one with an ERP over HTTP, one with files, one with a database) has one document of the newest
content, and none of what was withdrawn; each status is right and was set once, however the effect and its acknowledgement were torn apart."""
import json
import os
import sys
import time

import points
from harness import BAD_ARTICLE, CANCELLED, IMPORTED, MANUAL, NEW, TOPICS, check, equal, main, wait
import databases        # found through harness

WAREHOUSES = ["MAG-1", "MAG-2", "MAG-3"]
WHERE = {"file": 1, "directory": 1, "statement": 2}     # which consumer meets a place of its sink; the others: the first one


class Topic:
    """A topic as it grows: every record up to now."""

    def __init__(self, s, name):
        import confluent_kafka
        self.s, self.found, self.client = s, [], s.client()
        self.client.assign([confluent_kafka.TopicPartition("xsale." + name, p, 0) for p in range(TOPICS[name])])

    def values(self):
        while rows := self.client.consume(1000, 0.02):
            for m in rows:
                check(m.error() is None, lambda: f"{m.error()}")
                self.found.append(self.s.decode(m.value()))
        return self.found


class Round:
    """The orders of one place: plain ones, one that a warehouse refuses, one that no record can be made of, one that will be edited and one that will be cancelled."""

    def __init__(self, s, number, before):
        self.s, self.before = s, before
        first = 100001 + 10 * number
        self.one, self.all, self.refused, self.bad, self.edited, self.cancelled = range(first, first + 6)
        self.new = [self.one, self.all, self.refused, self.edited, self.cancelled]

    def generate(self):
        x = self.s.xsale
        self.s.erp.post("settings", {"slow": {self.edited: 600, self.cancelled: 600}})
        x.post(f"orders/{self.bad}/raw", b'{"Id": %d, "StatusId": @STATUS_ID@, "StatusName": @STATUS_NAME@, "PurchaseDate": "2026-11-20", "Items": []}' % self.bad)
        for order, mix in ((self.one, WAREHOUSES[:1]), (self.refused, WAREHOUSES[:1]), (self.all, WAREHOUSES), (self.edited, WAREHOUSES), (self.cancelled, WAREHOUSES)):
            x.post("generate", {"count": 1, "first": order, "warehouses": [mix], "codes": {order: BAD_ARTICLE} if order == self.refused else {}})

    def under_way(self):
        """The files and the database have all of it; the slow ones are in the ERP's hands."""
        hands = {d["orderId"] for d in self.s.erp.get("in_hand")}
        return {self.edited, self.cancelled} <= hands and all({self.all, self.edited, self.cancelled} <= set(d) for d in elsewhere(self.s))

    def change(self):
        x = self.s.xsale
        x.post(f"orders/{self.edited}/edit", {"warehouses": WAREHOUSES})
        x.post(f"orders/{self.cancelled}/status", {"status": CANCELLED})
        for order in (self.before.refused, self.before.bad) if self.before else ():
            x.post(f"orders/{order}/edit", {"warehouses": WAREHOUSES[:1]})
            x.post(f"orders/{order}/status", {"status": NEW})

    def changed(self):
        rows = [(v["orderId"], v["withdrawn"]) for v in self.s.orders.values()]
        return (self.cancelled, True) in rows and rows.count((self.edited, False)) > 1

    def ends(self):
        """{order: status}"""
        return {self.one: IMPORTED, self.all: IMPORTED, self.edited: IMPORTED, self.refused: MANUAL, self.bad: MANUAL, self.cancelled: CANCELLED,
                **({self.before.refused: IMPORTED, self.before.bad: IMPORTED} if self.before else {})}

    def settled(self):
        """Every status as it must be, and the ledger at rest."""
        statuses, ends = self.s.statuses(), self.ends()
        if any(statuses.get(i) != v for i, v in ends.items()):
            return False
        rows = {v["orderId"]: v for v in self.s.ledger.values()}
        return all(i in rows and rows[i]["closed"] and rows[i]["complete"] for i in ends)


def elsewhere(s):
    """[{order: document} of the files, {order: document} of the database]"""
    files = {}
    for name in os.listdir(s.files):
        if name.endswith(".json") and not name.startswith("."):
            with open(os.path.join(s.files, name), encoding="utf-8") as f:
                document = json.load(f)
            if not document["withdrawn"]:
                files[document["orderId"]] = document
    rows = s.database.query("SELECT order_id, revision, order_json FROM xsale_order WHERE withdrawn = 0 AND number IS NOT NULL")
    return [files, {int(order): json.loads(text) for order, revision, text in rows}]


class Victim:
    """The program that dies, and everybody's wait meanwhile."""

    def __init__(self, s, program, point):
        self.s, self.program, self.point, self.deaths = s, program, point, 0

    def arm(self):
        points.arm(self.program.process.pid, self.program.path, self.point)

    def start_armed(self):
        """Anew; the place cannot be passed before it is armed."""
        self.program.kill()
        usual, self.program.prepare = self.program.prepare, points.stopped
        self.program.start()
        self.program.prepare = usual
        points.stands(self.program.process.pid)
        self.arm()
        points.let_go(self.program.process.pid)

    def revive(self):
        code = self.program.process.poll()
        if code is None:
            return
        equal(code, points.DEAD, f"how {self.program.name} ended")
        self.deaths += 1
        self.program.start()

    def wait(self, what, predicate):
        def look():
            self.revive()
            return predicate()
        return wait(f"{what} ({self.program.program} dies at {self.point}, has died {self.deaths} times)", 60, look, 0.05)

    def died(self, times=1):
        self.wait("it to come there", lambda: self.deaths >= times)

    def spare(self):
        if self.program.alive():
            try:
                points.disarm(self.program.process.pid, self.program.path, self.point)
            except OSError:     # died meanwhile
                pass


def foreign(s, order):
    """Outcomes of another team's program: one that nobody can read, and one that stands in a wrong partition."""
    outcome = wait("an outcome", 60, lambda: [r for r in s.records("order-outcomes", decode=False) if r.key == f"acme/{order}" and r.bytes[:1] == b"\0"])[0]
    s.produce("order-outcomes", f"acme/{order}", b"no Avro at all")
    s.produce("order-outcomes", outcome.key, outcome.bytes, partition=(outcome.partition + 1) % 6)


def bring_about(r, v, kind):
    """The place is come to at least once; afterwards, if it is come to by orders, once more in the second half of them."""
    if kind == "start":
        v.start_armed()
        v.died()
        r.generate()
    elif kind == "stop":
        r.generate()
        v.arm()
        v.program.process.terminate()
        v.died()
    elif kind == "foreign":
        v.arm()
        r.generate()
        foreign(r.s, r.before.one)
        v.died()
    else:
        v.arm()
        r.generate()


def play(s, number, program, point, kind, before):
    r, v = Round(s, number, before), Victim(s, program, point)
    bring_about(r, v, kind)
    v.wait("the first half of the orders to be under way", r.under_way)
    second = v.deaths > 0 and kind == "orders" and program.alive()
    if second:
        v.arm()
    r.change()
    v.wait("the changes to be published", r.changed)
    s.erp.post("settings", {"slow": {}})
    v.wait("everything to come to rest", r.settled)
    if v.deaths == 0:
        v.died()
    v.spare()
    v.revive()
    return r, v.deaths


def judge(s, rounds):
    """All rounds; the orders that were to be retried in a round that does not come any more stay as they are."""
    last, log, statuses = rounds[-1], s.changes(), s.statuses()
    newest, published = {}, {}
    for r in s.records("orders"):
        published.setdefault(r.value["orderId"], []).append(r.value)
        newest[r.value["orderId"]] = r.value
    refusals = {r.key for r in s.records("orders-dlq", decode=False)}
    wanted = [{}, {}, {}]       # of each warehouse: {order: revision}
    for r in rounds:
        retried = r is not last
        count = {r.one: 1, r.all: 1, r.edited: 2, r.cancelled: 2, r.refused: 1 + retried, r.bad: int(retried)}
        equal({i: len(published.get(i, [])) for i in count}, count, "publications")
        for i in (r.one, r.all, r.edited) + ((r.refused, r.bad) if retried else ()):
            equal((statuses[i], newest[i]["withdrawn"]), (IMPORTED, False), f"status of {i}")
            for w, warehouse in enumerate(WAREHOUSES):
                if warehouse in newest[i]["warehouses"]:
                    wanted[w][i] = newest[i]["revision"]
        again = [(NEW, "operator"), (IMPORTED, "api")] if retried else []
        changes = {r.one: [(IMPORTED, "api")], r.all: [(IMPORTED, "api")], r.edited: [(IMPORTED, "api")], r.cancelled: [(CANCELLED, "operator")],
                   r.refused: [(MANUAL, "api")] + again, r.bad: [(MANUAL, "api")] + again}
        equal({i: log[i] for i in changes}, changes, "changes of the status")
        check({f"acme/{r.refused}", f"acme/{r.bad}"} <= refusals, lambda: f"{r.refused} and {r.bad} are not both in the dead-letter topic")
    erp = {d["orderId"]: d["revision"] for d in s.erp.get("documents") if d["documentId"] and not d["withdrawn"]}
    found = [erp] + [{i: d["revision"] for i, d in there.items()} for there in elsewhere(s)]
    for warehouse, there, right in zip(WAREHOUSES, found, wanted):
        equal(set(there.items()) ^ set(right.items()), set(), f"documents of {warehouse} that are not right")
    # Of each once; a request of a process that died may be read late by the ERP, which knows it by its key.
    equal(s.erp.get("summary")["created"], len([d for d in s.erp.get("documents") if d["documentId"]]), "documents that the ERP ever made")
    equal([v for v in s.erp.get("summary")["violations"] if v["what"] not in ("two at a time", "older after newer")], [], "violations at the ERP")
    for order, rows in published.items():
        row = [p["publication"] for p in rows]
        equal(row, sorted(set(row)), f"publications of {order} in their order")


def set_up(s):
    s.files = os.path.join(s.directory, "documents")
    os.mkdir(s.files)
    s.database = s.part(databases.SQLite().install())
    s.settings["kafka.consumer"]["session.timeout.ms"] = 45000     # a static member's name takes over at once
    s.settings["kafka.consumer"]["fetch.wait.max.ms"] = 50      # an answer about a partition waits for a fetch on the same connection
    s.write_config(warehouses={"known": ",".join(WAREHOUSES)}, producer={"poll_interval": "200ms"},
                   erp__http={"withdraw_url": s.erp.url + "/orders/{organization}/{order_id}/{warehouse}", "timeout": "900s"},
                   erp__file={"directory": s.files},
                   erp__sql={"connection": s.database.connection, "statement": s.database.statement, "withdraw_statement": s.database.statement, "sessions": 2})
    for p, sink in zip(s.consumers, ("http", "file", "sql")):
        p.arguments += ["-X", f"erp.sink={sink}"]
    for name, p in s.programs.items():
        p.arguments += ["-X", f"kafka.consumer.group.instance.id={name}"]
    s.erp.post("refuse", {"articles": [BAD_ARTICLE]})


def victim(s, program, point):
    if program != "erp-consumer":
        return {"xsale-producer": s.producer, "status-updater": s.updater}[program]
    return s.consumers[WHERE.get(point.split("_")[0], 0)]


def test(s):
    for program, path in (("xsale-producer", s.producer.path), ("status-updater", s.updater.path), ("erp-consumer", s.consumers[0].path)):
        equal(set(points.places(path)) ^ set(points.POINTS[program]), set(), f"named places of {program} that only the table or only the program has")
    set_up(s)
    chosen = [(program, point, kind) for program in s.chosen for point, kind in points.POINTS[program].items()]
    s.start()
    wait("the programs to be ready", 60, lambda: s.all_alive() and all(p.ready() for p in s.programs.values()))
    s.orders, s.ledger = Topic(s, "orders"), Topic(s, "order-status")
    rounds = [Round(s, 0, None)]
    rounds[0].generate()
    wait("the first orders to be under way", 60, rounds[0].under_way)
    rounds[0].change()
    wait("the first changes", 60, rounds[0].changed)
    s.erp.post("settings", {"slow": {}})
    wait("the first orders to come to rest", 60, rounds[0].settled)
    for program, point, kind in chosen:
        begin = time.monotonic()
        r, deaths = play(s, len(rounds), victim(s, program, point), point, kind, rounds[-1])
        rounds.append(r)
        print(f"{program} {point}: died {deaths} times, {time.monotonic() - begin:.1f} s", flush=True)
    judge(s, rounds)
    s.stop()


if __name__ == "__main__":
    chosen = list(points.POINTS)
    if "--programs" in sys.argv:
        at = sys.argv.index("--programs")
        chosen = sys.argv[at + 1].split(",")
        del sys.argv[at:at + 2]
    def with_chosen(s):
        s.chosen = chosen
        test(s)
    main(with_chosen, __doc__, clusters=("real", "mock"), warehouses=tuple(WAREHOUSES))
