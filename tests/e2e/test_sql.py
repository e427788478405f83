"""Two warehouses, each with a real database: PostgreSQL, and SQLite (on the real cluster MariaDB). While orders keep coming the consumers are killed with SIGKILL
in the middle, the server is stopped and started again, and frozen. One document per order and warehouse, no refusal but the ERP's own, every
status right and set once."""
import contextlib
import glob
import os
import signal

from harness import BAD_ARTICLE, IMPORTED, MANUAL, check, equal, main, wait
import databases        # found through harness
from test_kill import FIRST, Feed

# Every statement takes a while, so that a kill meets some of them.
SLOW = {"postgresql": databases.PostgreSQL.statement + " FROM pg_sleep(0.03)", "mariadb": databases.MariaDB.statement}


def family(pid):
    """A process and all below it."""
    found = [pid]
    for path in glob.glob(f"/proc/{pid}/task/*/children"):
        with contextlib.suppress(OSError), open(path, encoding="ascii") as f:
            found += [p for child in f.read().split() for p in family(int(child))]
    return found


def send(db, number):
    """To the server and everything that it started."""
    for pid in family(db.process.pid):
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, number)


def use(program, db):
    statement = SLOW.get(db.kind, db.statement)
    program.arguments += ["-X", f"erp.sql.connection={db.connection}", "-X", f"erp.sql.statement={statement}", "-X", f"erp.sql.withdraw_statement={statement}"]
    db.script(f"INSERT INTO xsale_blocked_article VALUES ('{BAD_ARTICLE}')")


def rows(db):
    """{order: document}"""
    found = {int(order): document for order, document in db.query("SELECT order_id, document_id FROM xsale_order WHERE document_id IS NOT NULL")}
    equal(len(set(found.values())), len(found), f"distinct documents in {db.kind}")
    return found


def outages(s, consumer, db, work):
    wait_down = lambda why: wait(f"{consumer.name} says that the database is {why}", 60, lambda: s.all_alive() and consumer.dependencies().get("erp") == "down")
    db.stop()
    wait_down("stopped")
    db.start()
    work(f"{db.kind} was stopped")
    send(db, signal.SIGSTOP)
    wait_down("frozen")
    equal(consumer.stop(), 0, f"exit code of {consumer.name}, whose database is frozen")
    consumer.start()
    wait_down("still frozen")
    send(db, signal.SIGCONT)
    work(f"{db.kind} was frozen")


def test(s):
    dbs = [s.part(databases.PostgreSQL().install()), s.part((databases.MariaDB if s.cluster == "real" else databases.SQLite)().install())]
    s.write_config(erp={"sink": "sql", "connect_timeout": "1s"}, erp__sql={"sessions": 4, "timeout": "1s"})
    for consumer, db in zip(s.consumers, dbs):
        use(consumer, db)
    s.generate(1, refused=[])
    s.xsale.post(f"orders/{FIRST}/delete")
    feed = Feed(s)
    feed.start()
    s.start()

    def work(what):
        before = [len(rows(db)) for db in dbs]
        wait(f"work goes on after {what}", 60, lambda: s.all_alive() and all(len(rows(db)) >= n + 8 for db, n in zip(dbs, before)))

    work("the start")
    for consumer in s.consumers:
        consumer.kill()
        consumer.start()
        work(f"{consumer.name} was killed")
    for consumer, db in zip(s.consumers, dbs):
        if db.kind == ("mariadb" if s.cluster == "real" else "postgresql"):
            outages(s, consumer, db, work)
    feed.end.set()
    feed.join()
    check(feed.failed is None, lambda: f"orders could not be made: {feed.failed}")
    s.settled(120)

    refused = set(feed.refused)
    statuses, changes = s.statuses(), s.changes()
    wrong = {i: statuses.get(i) for i in feed.ids if statuses.get(i) != (MANUAL if i in refused else IMPORTED)}
    equal(wrong, {}, "orders with a wrong status")
    equal({i: changes[i] for i in feed.ids if len(changes[i]) != 1}, {}, "orders whose status was set more than once")
    outcomes = s.records("order-outcomes")
    for warehouse, db in zip(("MAG-1", "MAG-2"), dbs):
        wanted = {i for i in feed.ids if warehouse in s.mix(i) and not (i in refused and s.mix(i)[0] == warehouse)}
        found = rows(db)
        check(set(found) == wanted, lambda: f"{db.kind}: missing {sorted(wanted - set(found))[:10]}, too many {sorted(set(found) - wanted)[:10]}")
        told = {r.value["orderId"]: r.value["documentId"] for r in outcomes if r.value["warehouse"] == warehouse and r.value["result"] == "IMPORTED"}
        equal(told, found, f"documents that the outcomes name, of {db.kind}")
        lines = {int(r[0]) for r in db.query("SELECT DISTINCT order_id FROM xsale_order_line")}
        equal(lines, wanted, f"orders with lines in {db.kind}")
    equal({r.value["orderId"] for r in outcomes if r.value["result"] == "REJECTED"}, refused, "orders rejected")
    check(all("blocked" in r.value["reason"] for r in outcomes if r.value["result"] == "REJECTED"), "a reason is not the ERP's own")
    equal({int(r.key.split("/")[1]) for r in s.records("orders-dlq", decode=False)}, refused, "orders in the DLQ")
    print(len(feed.ids), "orders in", " and ".join(db.kind for db in dbs))
    s.stop()


if __name__ == "__main__":
    main(test, __doc__)
