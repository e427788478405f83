"""erp-consumer --check-erp: every sink of ours keeps the whole promise, an ERP that does not is found out, and one that cannot be tried is told from both. Neither
Kafka nor a registry is there."""
import json
import os

from harness import check, equal, main
import databases        # found through harness
from simulator import Simulator
import orders

STEPS = 16


def offer(s, *more, **sections):
    """-> (code, {first word of a line: how often}, output)"""
    s.settings = {"kafka": {"bootstrap.servers": "127.0.0.1:1"}, "registry": {"url": "http://127.0.0.1:1"}}
    s.write_config(**sections)
    code, text = s.consumers[0].run("--check-erp", *more)
    counts = {}
    for line in text.splitlines():
        counts[line.split(" ")[0]] = counts.get(line.split(" ")[0], 0) + 1
    return code, counts, text


def kept(s, **sections):
    code, counts, text = offer(s, **sections)
    check(code == 0 and counts.get("ok") == STEPS and "left" not in counts, lambda: f"{code}:\n{text}")


def http(erp, withdraw=True):
    more = {"withdraw_url": erp.url + "/orders/{order_id}"} if withdraw else {}
    return {"erp__http": {"url": erp.url + "/orders", **more}}


def polish(s):
    """A database that is not UTF-8, and a program in no locale: the ERP gets the letters that the order has."""
    db = s.part(databases.PostgreSQL(encoding="LATIN2").install())
    path = os.path.join(s.directory, "polish.json")
    with open(path, "w", encoding="utf-8") as f:
        text = orders.order(7, warehouses=["MAG-1"]).replace("@STATUS_ID@", "1").replace("@STATUS_NAME@", json.dumps("Nowe"))
        text = json.dumps({**json.loads(text), "Payer": {"Name": "Zażółć gęślą jaźń"}}, ensure_ascii=False)
        f.write("".join(c for c in text if ord(c) < 0x10000))       # no emoji
    s.consumers[0].environment = {**os.environ, "LC_ALL": "C", "PGCLIENTENCODING": "SQL_ASCII"}
    code, counts, text = offer(s, "--check-order", path, consumer={"warehouse": "MAG-1"}, erp={"sink": "sql"},
                               erp__sql={"connection": db.connection, "statement": db.statement, "withdraw_statement": db.withdraw})
    check(code == 0 and counts.get("ok") == STEPS, lambda: f"{code}:\n{text}")
    equal(db.query("SELECT DISTINCT order_json -> 'payer' ->> 'name', length(order_json -> 'payer' ->> 'name') FROM xsale_order WHERE order_json IS NOT NULL"),
          [["Zażółć gęślą jaźń", "17"]], "the payer's name in the ERP")
    s.consumers[0].environment = None


def test(s):
    check(s.kafka is None, "Kafka is there")
    s.consumers = [s.program("erp-consumer", "consumer")]
    kept(s, **http(s.erp))
    equal(s.erp.get("summary")["documents"], 0, "documents that are left")
    db = s.part(databases.SQLite().install())
    statements = {"statement": db.statement, "withdraw_statement": db.withdraw}
    kept(s, erp={"sink": "sql"}, erp__sql={"connection": db.connection, **statements})
    equal(db.query("SELECT count(*) FROM xsale_order WHERE NOT withdrawn"), [["0"]], "documents that are left")
    polish(s)
    directory = os.path.join(s.directory, "files")
    os.mkdir(directory)
    kept(s, erp={"sink": "file"}, erp__file={"directory": directory})
    equal([f for f in os.listdir(directory) if "withdrawn" not in f], [], "files that are left")

    for careless, broken in (("doubles", 6), ("late", 2)):
        code, counts, text = offer(s, **http(s.part(Simulator("erp", "--careless", careless))))
        check(code == 3 and counts.get("BROKEN", 0) >= broken, lambda: f"{careless}, {code}:\n{text}")
    code, counts, text = offer(s, **http(s.erp, withdraw=False))
    check(code == 0 and counts.get("skipped") == 7 and counts.get("ok") == STEPS - 7 and "are left in the ERP" in text, lambda: f"{code}:\n{text}")

    picky = s.part(Simulator("erp", "--refuse-article", "TEST"))
    code, _, text = offer(s, **http(picky))
    check(code == 1 and "Nieznany towar TEST" in text and "--check-order" in text, lambda: f"{code}:\n{text}")
    path = os.path.join(s.directory, "order.json")
    with open(path, "w", encoding="utf-8") as f:
        f.write(orders.order(7, warehouses=["MAG-1"]).replace("@STATUS_ID@", "1").replace("@STATUS_NAME@", json.dumps("Nowe")))
    code, counts, text = offer(s, "--check-order", path, consumer={"warehouse": "MAG-1"}, **http(picky))
    check(code == 0 and counts.get("ok") == STEPS, lambda: f"{code}:\n{text}")
    code, _, text = offer(s, erp__http={"url": "http://127.0.0.1:1/orders"})
    check(code == 1 and "cannot be reached" in text, lambda: f"{code}:\n{text}")
    code, text = s.consumers[0].run("--check-order", path)
    check(code == 2 and "--check-erp" in text, lambda: f"{code}:\n{text}")


if __name__ == "__main__":
    main(test, __doc__, clusters=("mock",), start=False)
