#!/usr/bin/env python3
"""The sql sink against real servers: each one is started, gets the example schema of schemas/erp, and goes through the contract that every sink passes
(tests/unit/test_sink_sql.c). The schema itself is asked what it kept."""
import argparse
import os
import subprocess
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import databases        # noqa: E402
from services import ROOT       # noqa: E402

EMPTY = "DELETE FROM xsale_order_line; DELETE FROM xsale_order; DELETE FROM xsale_blocked_article; INSERT INTO xsale_blocked_article VALUES ('X');"


def emptier(db):
    """A command that makes the tables empty again."""
    if db.kind == "postgresql":
        return f"{db.bin}/psql -X -q -h 127.0.0.1 -p {db.port} -U bridge erp -c \"{EMPTY}\""
    return f"mariadb --no-defaults -h 127.0.0.1 -P {db.port} -u bridge erp -e \"{EMPTY}\""


def contract(db, build):
    r = subprocess.run([os.path.join(build, "tests", "test_sink_sql")], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=240,
                       env={**os.environ, "BRIDGE_SQL_CONNECTION": db.connection, "BRIDGE_SQL_STATEMENT": db.statement, "BRIDGE_SQL_SCRIPT": emptier(db)})
    print(f"--- {db.kind}", *[line for line in r.stdout.splitlines() if "RUN" not in line], sep="\n", flush=True)
    return r.returncode == 0


def main():
    p = argparse.ArgumentParser(description=__doc__)
    p.add_argument("--build", default=os.path.join(ROOT, "build", "release"))
    args = p.parse_args()
    good = []
    for kind in (databases.PostgreSQL, databases.MariaDB):
        db = kind().install()
        good.append(contract(db, args.build))
        db.close()
    sys.exit(0 if all(good) else 1)


if __name__ == "__main__":
    main()
