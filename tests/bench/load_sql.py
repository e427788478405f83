"""Part (c) of the load benchmark: orders a second that erp-consumer loads into a database, from Kafka to the acknowledged outcome. For PostgreSQL beside pgbench, which runs
the same statement for as many orders with as many clients, prepared, all parameters sent each time, on the same server. The server's CPU stands beside: what is left of two
cores is all that the program in front of it can have. Usage: build/venv/bin/python3 tests/bench/load_sql.py [--orders N] [--sessions N[,N..]] [--database NAME] [--build DIR]"""
import argparse
import os
import re
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "e2e"))
from harness import Stack, wait      # noqa: E402
import databases        # noqa: E402  found through harness

EMPTY = {"postgresql": "TRUNCATE xsale_order, xsale_order_line; CHECKPOINT;", "mariadb": "TRUNCATE xsale_order_line; DELETE FROM xsale_order;"}
TICK = os.sysconf("SC_CLK_TCK")


def server(db, fsync):
    if db == "mariadb":
        return databases.MariaDB(**{"innodb-flush-log-at-trx-commit": 1 if fsync == "on" else 0, "innodb-buffer-pool-size": "512M", "innodb-log-file-size": "512M"})
    return databases.PostgreSQL(fsync=fsync, shared_buffers="256MB", max_wal_size="4GB", autovacuum="off")     # it would plan for tables that were just emptied


def server_cpu(db):
    """Seconds, those of its children that have ended included. Linux gives it in ticks of 10 ms."""
    def of(pid):
        try:
            with open(f"/proc/{pid}/stat", encoding="ascii") as f:
                fields = f.read().rpartition(")")[2].split()
            with open(f"/proc/{pid}/task/{pid}/children", encoding="ascii") as f:
                return sum(int(x) for x in fields[11:15]) + sum(of(child) for child in f.read().split())
        except OSError:
            return 0
    return of(db.process.pid) / TICK


def pgbench(db, sessions, count, document):
    """(orders a second, the server's CPU seconds an order) for as many orders as the bridge had, with the document of one of them."""
    path = os.path.join(db.directory, "statement.sql")
    with open(path, "w", encoding="utf-8") as f:
        f.write("\\set order_id random(1, 2000000000)\n" + db.statement + ";\n")
    fixed = {"organization": "acme", "warehouse": "MAG-1", "revision": "0123456789abcdef", "publication": "1700000000000", "withdrawn": "0", "order_json": document}
    before = server_cpu(db)
    text = db.command([db.bin + "/pgbench", "-n", "-M", "prepared", "-f", path, "-c", str(sessions), "-j", "1", "-t", str(count // sessions), "-h", "127.0.0.1",
                       "-p", str(db.port), "-U", "bridge", *[f"-D{name}={value}" for name, value in fixed.items()], "erp"])
    time.sleep(0.1)     # its sessions end
    return float(re.search(r"tps = ([\d.]+)", text)[1]), (server_cpu(db) - before) / count


def bridge(s, db, count):
    """(orders a second, CPU seconds an order, the server's, RSS), from the first loaded order on."""
    consumer = s.consumers[0]
    consumer.start()
    done = lambda: consumer.metrics().get('xsale_bridge_outcomes_total{result="IMPORTED"}', 0)
    wait("the first order is loaded", 60, lambda: consumer.alive() and consumer.ready() and done() > 0, 0.005)
    first, cpu, theirs, begin = done(), consumer.usage()[0], server_cpu(db), time.monotonic()
    wait("every order is loaded", 600, lambda: consumer.alive() and done() >= count, 0.05)
    seconds, n = time.monotonic() - begin, count - first
    used, rss, _ = consumer.usage()
    theirs = server_cpu(db) - theirs
    consumer.stop()
    return n / seconds, (used - cpu) / n, theirs / n, rss


def main():
    p = argparse.ArgumentParser(description=__doc__)
    p.add_argument("--orders", type=int, default=12000)
    p.add_argument("--sessions", default="8")
    p.add_argument("--database", default="postgresql", choices=sorted(EMPTY))
    p.add_argument("--fsync", default="on", choices=("on", "off"))
    p.add_argument("--rounds", type=int, default=2)
    p.add_argument("--cluster", default="mock", choices=("mock", "real"))
    p.add_argument("--build", action="append", help="its erp-consumer; more than once: each of them in every round")
    args = p.parse_args()
    s = Stack(args.cluster, None, warehouses=("MAG-1",))
    try:
        db = s.part(server(args.database, args.fsync).install())
        s.write_config(erp={"sink": "sql"}, erp__sql={"connection": db.connection, "statement": db.statement}, log={"level": "warn"}, warehouses={"known": "MAG-1"},
                       producer={"poll_interval": "200ms"})
        for first in range(0, args.orders, 1800):
            s.xsale.post("generate", {"count": min(1800, args.orders - first), "first": 100001 + first, "warehouses": [["MAG-1"]], "pad": 4700})
        s.producer.start()
        wait("every order is published", 300, lambda: s.producer.alive() and s.producer.published() >= args.orders, 0.1)
        s.producer.stop()
        print(f"{args.orders} orders, {args.database}, fsync {args.fsync}; CPU in us an order", flush=True)
        print("| sessions | round | erp-consumer orders/s | its CPU | the server's | RSS MB | pgbench, same statement | the server's CPU | share |\n|" + "---|" * 9)
        run = 0
        for sessions in [int(x) for x in args.sessions.split(",")]:
            for i in range(args.rounds):
                peer = None
                for build in args.build or [s.build]:
                    db.client(EMPTY[args.database])
                    run += 1
                    s.write_config(consumer={"group": f"bench-{run}"}, erp__sql={"sessions": sessions})
                    s.consumers[0].path = os.path.join(build, "consumer", "erp-consumer")
                    mine, cpu, server_us, rss = bridge(s, db, args.orders)
                    if args.database == "postgresql" and peer is None:
                        document = db.query("SELECT order_json FROM xsale_order ORDER BY length(order_json::text) OFFSET (SELECT count(*) / 2 FROM xsale_order) LIMIT 1")[0][0]
                        db.client(EMPTY[args.database])
                        peer = pgbench(db, sessions, args.orders, document)
                    beside = f"{peer[0]:.0f} | {peer[1] * 1e6:.0f} | {mine / peer[0]:.0%}" if peer else "- | - | -"
                    print(f"| {sessions} | {i + 1}{'' if len(args.build or []) < 2 else ' ' + build} | {mine:.0f} | {cpu * 1e6:.0f} | {server_us * 1e6:.0f} | {rss / 2 ** 20:.1f} "
                          f"| {beside} |", flush=True)
    finally:
        s.close()


if __name__ == "__main__":
    main()
