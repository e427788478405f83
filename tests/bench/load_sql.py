"""Part (c) of the load benchmark: orders a second that erp-consumer loads into a database, from Kafka to the acknowledged outcome. For PostgreSQL beside pgbench, which runs
the same statement for as many orders with as many clients, prepared, all parameters sent each time, with the same order ids in turn and documents of the orders that the
bridge had, on the same server. All of them share the machine's cores, the broker too, so the CPU that each takes for an order stands beside the figures. The second share
leaves the broker out, and whatever else was awake: what the cores could load if they had only the consumer and its database, beside pgbench and its own. Usage:
build/venv/bin/python3 tests/bench/load_sql.py [--orders N] [--sessions N[,N..]] [--database NAME] [--fsync on|off] [--cluster real|mock] [--build DIR]"""
import argparse
import os
import re
import resource
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "e2e"))
from harness import Stack, wait      # noqa: E402
import databases        # noqa: E402  found through harness

EMPTY = {"postgresql": "TRUNCATE xsale_order, xsale_order_line; CHECKPOINT;", "mariadb": "TRUNCATE xsale_order_line; DELETE FROM xsale_order;"}
TICK = os.sysconf("SC_CLK_TCK")
DOCUMENTS = 20     # that pgbench has


def server(db, fsync):
    if db == "mariadb":
        return databases.MariaDB(**{"innodb-flush-log-at-trx-commit": 1 if fsync == "on" else 0, "innodb-buffer-pool-size": "512M", "innodb-log-file-size": "512M"})
    return databases.PostgreSQL(fsync=fsync, shared_buffers="256MB", max_wal_size="4GB", autovacuum="off")     # it would plan for tables that were just emptied


def cpu_of(pid):
    """Seconds, those of its children that have ended included. Linux gives it in ticks of 10 ms."""
    try:
        with open(f"/proc/{pid}/stat", encoding="ascii") as f:
            fields = f.read().rpartition(")")[2].split()
        with open(f"/proc/{pid}/task/{pid}/children", encoding="ascii") as f:
            return sum(int(x) for x in fields[11:15]) / TICK + sum(cpu_of(child) for child in f.read().split())
    except OSError:
        return 0


def machine_cpu():
    with open("/proc/stat", encoding="ascii") as f:
        user, nice, system, _, _, irq, softirq = (int(x) for x in f.readline().split()[1:8])
    return (user + nice + system + irq + softirq) / TICK


class Costs:
    """CPU of each of these processes for an order, and of everything else that ran meanwhile, in us."""

    def __init__(self, *pids):
        self.pids = pids
        self.before = self.now()

    def now(self):
        each = [cpu_of(pid) for pid in self.pids]
        return [*each, machine_cpu() - sum(each)]

    def an_order(self, orders):
        return [max(0, after - before) / orders * 1e6 for before, after in zip(self.before, self.now())]


def documents(db):
    """Some of those that are loaded, short and long ones as they come."""
    n, numbered = DOCUMENTS, "SELECT order_json, row_number() OVER (ORDER BY length(order_json::text)) - 1 AS i, count(*) OVER () AS n FROM xsale_order"
    return db.client(f"SELECT order_json FROM ({numbered}) x WHERE i % (n / {n}) = n / {n} / 2;").strip("\n").split("\n")


def pgbench(db, sessions, count, texts):
    """(orders a second, [the server's CPU, pgbench's]) for as many orders as the bridge had."""
    fixed = {"organization": "acme", "warehouse": "MAG-1", "revision": "0123456789abcdef", "publication": "1700000000000", "withdrawn": "0", "n": "0", "sessions": str(sessions)}
    scripts = []
    for i, text in enumerate(texts):
        scripts.append(os.path.join(db.directory, f"statement-{i}.sql"))
        with open(scripts[-1], "w", encoding="utf-8") as f:
            f.write("\\set n :n + 1\n\\set order_id 100000 + :n * :sessions + :client_id\n" + db.statement.replace(":order_json", f":order_json_{i}") + ";\n")
        fixed[f"order_json_{i}"] = text
    costs, own = Costs(db.process.pid), resource.getrusage(resource.RUSAGE_CHILDREN)
    said = db.command([db.bin + "/pgbench", "-n", "-M", "prepared", "-c", str(sessions), "-j", "1", "-t", str(count // sessions), "-h", "127.0.0.1", "-p", str(db.port),
                       "-U", "bridge", *[x for path in scripts for x in ("-f", path)], *[f"-D{name}={value}" for name, value in fixed.items()], "erp"])
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    time.sleep(0.1)     # its sessions end
    return float(re.search(r"tps = ([\d.]+)", said)[1]), [costs.an_order(count)[0], (after.ru_utime + after.ru_stime - own.ru_utime - own.ru_stime) / count * 1e6]


def bridge(s, db, count):
    """(orders a second, [the consumer's CPU, the server's, the broker's, the rest], RSS), from the first loaded order on."""
    consumer = s.consumers[0]
    consumer.start()
    done = lambda: consumer.metrics().get('xsale_bridge_outcomes_total{result="IMPORTED"}', 0)
    wait("the first order is loaded", 60, lambda: consumer.alive() and consumer.ready() and done() > 0, 0.005)
    first, costs, begin = done(), Costs(consumer.process.pid, db.process.pid, s.kafka.process.pid), time.monotonic()
    wait("every order is loaded", 600, lambda: consumer.alive() and done() >= count, 0.05)
    seconds, n = time.monotonic() - begin, count - first
    used, rss = costs.an_order(n), consumer.usage()[1]
    consumer.stop()
    return n / seconds, used, rss


def main():
    p = argparse.ArgumentParser(description=__doc__)
    p.add_argument("--orders", type=int, default=12000)
    p.add_argument("--sessions", default="8")
    p.add_argument("--database", default="postgresql", choices=sorted(EMPTY))
    p.add_argument("--fsync", default="on", choices=("on", "off"))
    p.add_argument("--rounds", type=int, default=2)
    p.add_argument("--cluster", default="real", choices=("mock", "real"))
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
        print(f"{args.orders} orders, {args.database}, fsync {args.fsync}, {args.cluster} Kafka, {os.cpu_count()} cores; CPU in us an order", flush=True)
        print("| sessions | round | erp-consumer orders/s | its CPU | database | broker | rest | RSS MB | pgbench, same statement | its CPU | database | share | without broker and rest |\n|"
              + "---|" * 13)
        run = 0
        for sessions in [int(x) for x in args.sessions.split(",")]:
            for i in range(args.rounds):
                peer = None
                for build in args.build or [s.build]:
                    db.client(EMPTY[args.database])
                    run += 1
                    s.write_config(consumer={"group": f"bench-{run}"}, erp__sql={"sessions": sessions})
                    s.consumers[0].path = os.path.join(build, "consumer", "erp-consumer")
                    mine, cpu, rss = bridge(s, db, args.orders)
                    if args.database == "postgresql" and peer is None:
                        texts = documents(db)
                        db.client(EMPTY[args.database])
                        peer = pgbench(db, sessions, args.orders, texts)
                    beside = "- | - | - | - | -"
                    if peer:
                        rate, (theirs, own) = peer
                        beside = f"{rate:.0f} | {own:.0f} | {theirs:.0f} | {mine / rate:.0%} | {(own + theirs) / (cpu[0] + cpu[1]):.0%}"
                    print(f"| {sessions} | {i + 1}{'' if len(args.build or []) < 2 else ' ' + build} | {mine:.0f} | {' | '.join(f'{x:.0f}' for x in cpu)} | {rss / 2 ** 20:.1f} "
                          f"| {beside} |", flush=True)
    finally:
        s.close()


if __name__ == "__main__":
    main()
