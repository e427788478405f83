"""Part (c) of the load benchmark: orders a second that erp-consumer loads into PostgreSQL, from Kafka to the acknowledged outcome, beside pgbench running the same
statement for the same orders with as many clients, prepared, on the same server. Usage: build/venv/bin/python3 tests/bench/load_sql.py [--orders N] [--sessions N] [--build DIR]"""
import argparse
import os
import re
import subprocess
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "e2e"))
from harness import Stack, wait      # noqa: E402
import databases        # noqa: E402  found through harness

EMPTY = "TRUNCATE xsale_order, xsale_order_line; CHECKPOINT;"


def pgbench(db, sessions, count, document):
    """As many orders as the bridge had, with the document of one of them."""
    path = os.path.join(db.directory, "statement.sql")
    literal = document.replace("'", "''")
    with open(path, "w", encoding="utf-8") as f:
        f.write(f"\\set id random(1, 2000000000)\nSELECT import_order('acme', :id, 'MAG-1', '0123456789abcdef', 1700000000000, 0, '{literal}');\n")
    text = db.command([db.bin + "/pgbench", "-n", "-M", "prepared", "-f", path, "-c", str(sessions), "-j", "1", "-t", str(count // sessions), "-h", "127.0.0.1",
                       "-p", str(db.port), "-U", "bridge", "erp"])
    return float(re.search(r"tps = ([\d.]+)", text)[1])


def bridge(s, db, count):
    consumer = s.consumers[0]
    consumer.start()
    wait("the first order is loaded", 60, lambda: consumer.alive() and int(db.query("SELECT count(*) FROM xsale_order")[0][0]) > 0, 0.02)
    first, cpu, begin = consumer.metrics().get('xsale_bridge_outcomes_total{result="IMPORTED"}', 0), consumer.usage()[0], time.monotonic()
    done = lambda: consumer.metrics().get('xsale_bridge_outcomes_total{result="IMPORTED"}', 0)
    wait("every order is loaded", 600, lambda: consumer.alive() and done() >= count, 0.05)
    seconds = time.monotonic() - begin
    used, rss, _ = consumer.usage()
    consumer.stop()
    return (count - first) / seconds, (used - cpu) / (count - first), rss


def main():
    p = argparse.ArgumentParser(description=__doc__)
    p.add_argument("--orders", type=int, default=12000)
    p.add_argument("--sessions", type=int, default=8)
    p.add_argument("--fsync", default="on", choices=("on", "off"))
    p.add_argument("--rounds", type=int, default=2)
    p.add_argument("--cluster", default="mock", choices=("mock", "real"))
    p.add_argument("--build")
    args = p.parse_args()
    s = Stack(args.cluster, args.build, warehouses=("MAG-1",))
    try:
        db = s.part(databases.PostgreSQL(fsync=args.fsync, shared_buffers="256MB", max_wal_size="4GB").install())
        s.write_config(erp={"sink": "sql"}, erp__sql={"connection": db.connection, "statement": db.statement, "sessions": args.sessions}, log={"level": "warn"},
                       warehouses={"known": "MAG-1"}, producer={"poll_interval": "200ms"})
        for first in range(0, args.orders, 1800):
            s.xsale.post("generate", {"count": min(1800, args.orders - first), "first": 100001 + first, "warehouses": [["MAG-1"]], "pad": 4700})
        s.producer.start()
        wait("every order is published", 300, lambda: s.producer.alive() and s.producer.published() >= args.orders, 0.1)
        s.producer.stop()
        print(f"{args.orders} orders, {args.sessions} sessions, fsync {args.fsync}", flush=True)
        print("| round | erp-consumer orders/s | CPU us/order | RSS MB | pgbench, same statement | share |\n|---|---|---|---|---|---|")
        for i in range(args.rounds):
            db.client(EMPTY)
            s.write_config(consumer={"group": f"bench-{i}"})
            mine, cpu, rss = bridge(s, db, args.orders)
            document = db.query("SELECT order_json FROM xsale_order ORDER BY length(order_json::text) OFFSET (SELECT count(*) / 2 FROM xsale_order) LIMIT 1")[0][0]
            db.client(EMPTY)
            theirs = pgbench(db, args.sessions, args.orders, document)
            print(f"| {i + 1} | {mine:.0f} | {cpu * 1e6:.0f} | {rss / 2 ** 20:.1f} | {theirs:.0f} | {mine / theirs:.0%} |", flush=True)
    finally:
        s.close()


if __name__ == "__main__":
    main()
