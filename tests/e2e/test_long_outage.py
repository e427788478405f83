"""Ten minutes of outage in six kinds side by side: one ERP refuses connections, one hangs, one says 503, one 429 with Retry-After, one 401, and one is a database that was
stopped. 10,000 orders wait for each. Nothing is rejected, lost or doubled, no partition changes hands, and what waited is loaded at full speed afterwards, one ERP
after the other. Then 10,000 orders of which the ERP refuses 2,000: 8,000 are loaded, 2,000 rejected with the ERP's reason."""
import argparse
import collections
import os
import time
import traceback

from harness import BAD_ARTICLE, ROOT, Failed, Simulator, Stack, check, equal, wait
import databases        # found through harness

FIRST, POISON_FIRST = 100001, 900001


class Http:
    """A warehouse whose ERP speaks HTTP."""

    def __init__(self, s, kind, begin, end):
        self.stack, self.kind, self.warehouse = s, kind, "W-" + kind
        self.erp, self.begin_with, self.end_with = s.part(Simulator("erp")), begin, end
        self.consumer = s.program("erp-consumer", "consumer-" + kind, "-X", "consumer.warehouse=" + self.warehouse, "-X", f"erp.http.url={self.erp.url}/orders")

    def begin(self):
        self.begin_with(self.erp)

    def end(self):
        self.end_with(self.erp)

    def documents(self):
        return self.erp.get("summary")["documents"]

    def promise(self, count):
        summary = self.erp.get("summary")
        equal(summary["created"], count, f"documents ever made ({self.kind})")
        equal([v for v in summary["violations"] if v["what"] != "two at a time"], [], f"violations at the ERP ({self.kind})")


class Sql:
    """A warehouse whose ERP is a database, which is stopped."""

    def __init__(self, s, kind):
        self.stack, self.kind, self.warehouse = s, kind, "W-" + kind
        self.db = s.part(databases.PostgreSQL().install())
        statement = self.db.statement
        self.consumer = s.program("erp-consumer", "consumer-" + kind, "-X", "consumer.warehouse=" + self.warehouse, "-X", "erp.sink=sql", "-X", "erp.connect_timeout=2s",
                                  "-X", f"erp.sql.connection={self.db.connection}", "-X", f"erp.sql.statement={statement}", "-X", f"erp.sql.withdraw_statement={statement}")
        self.known = None       # documents while it is stopped

    def begin(self):
        self.known = self.documents()
        self.db.stop()

    def end(self):
        self.known = None
        self.db.start()

    def documents(self):
        if self.known is not None:
            return self.known
        return int(self.db.query("SELECT count(*) FROM xsale_order WHERE document_id IS NOT NULL")[0][0])

    def promise(self, count):
        ids = [r[0] for r in self.db.query("SELECT document_id FROM xsale_order")]
        equal((len(ids), len(set(ids))), (count, count), "rows and distinct documents in the database")


def fault(kind, **more):
    return lambda erp: erp.fault(kind, "POST /orders", count=10 ** 7, **more)


CLEAR = lambda erp: erp.clear_faults()
KINDS = {
    "refused": lambda s, k: Http(s, k, lambda erp: erp.down(), lambda erp: erp.up()),
    "hang": lambda s, k: Http(s, k, fault("hang"), CLEAR),
    "503": lambda s, k: Http(s, k, fault("status", status=503), CLEAR),
    "429": lambda s, k: Http(s, k, fault("status", status=429, retry_after=1), CLEAR),
    "401": lambda s, k: Http(s, k, fault("status", status=401), CLEAR),
    "database": Sql,
}


def publish(s, count, first, warehouses, refused=()):
    for at in range(first, first + count, 1000):
        n = min(1000, first + count - at)
        s.xsale.post("generate", {"count": n, "first": at, "warehouses": [warehouses], "codes": {str(i): BAD_ARTICLE for i in refused if at <= i < at + n}})
    code, text = s.producer.run("--once", timeout=600)
    equal(code, 0, "exit code of xsale-producer --once\n" + text[-2000:])


def drained(s, e, count, waited):
    begin, before = time.monotonic(), e.documents()
    e.end()
    wait(f"everything is loaded ({e.kind})", 120 + count // 20, lambda: s.all_alive() and e.documents() == count, 0.1)
    seconds = time.monotonic() - begin
    print(f"{e.kind}: out for {waited():.0f} s, then {count - before} loaded in {seconds:.1f} s, {(count - before) / seconds:.0f} orders/s", flush=True)


def stay_out(s, ends, count, until):
    """Alive, not ready for the ERP's sake, and nothing is loaded or given up."""
    while True:
        for e in ends:
            equal(e.documents(), count, f"documents while the ERP is out ({e.kind})")
            check(s.all_alive() and e.consumer.dependencies().get("erp") == "down" and e.consumer.http("/livez")[0] == 200, f"{e.kind}: alive, and the ERP is down")
        equal(s.height("orders-dlq"), 0, "records in the DLQ")
        left = until - time.monotonic()
        if left <= 0:
            return
        time.sleep(min(left, 20))


def judge(s, ends, ids):
    found = collections.Counter((r.value["orderId"], r.value["warehouse"], r.value["result"]) for r in s.records("order-outcomes"))
    equal(set(found), {(i, e.warehouse, "IMPORTED") for i in ids for e in ends}, "outcomes")
    again = sum(n - 1 for n in found.values())
    equal(again, 0, "outcomes told twice")
    equal(s.height("orders-dlq"), 0, "records in the DLQ")
    for e in ends:
        e.promise(len(ids))
        with open(e.consumer.log, encoding="utf-8") as f:
            text = f.read()
        check("partition revoked" not in text and "partition lost" not in text and text.count("partition assigned") == 6, f"{e.kind}: no partition changed hands")
    print(f"{len(ends)} kinds: rejected 0, lost 0, doubled 0, rebalances 0", flush=True)


def poison(s, e, loaded, count):
    refused = set(range(POISON_FIRST + 2, POISON_FIRST + count, 5))
    e.erp.post("refuse", {"articles": [BAD_ARTICLE]})
    before = s.height("order-outcomes")
    publish(s, count, POISON_FIRST, [e.warehouse], refused)
    begin = time.monotonic()
    wait("every order has its outcome", 120 + count // 20, lambda: s.all_alive() and s.height("order-outcomes") >= before + count, 0.5)
    seconds = time.monotonic() - begin
    equal(e.documents(), loaded + count - len(refused), "documents")
    results = {r.value["orderId"]: r.value for r in s.records("order-outcomes") if r.value["orderId"] >= POISON_FIRST}
    equal({i for i, r in results.items() if r["result"] == "REJECTED"}, refused, "orders rejected")
    equal({i for i, r in results.items() if r["result"] == "IMPORTED"}, set(range(POISON_FIRST, POISON_FIRST + count)) - refused, "orders imported")
    check(all(BAD_ARTICLE in results[i]["reason"] for i in refused), "each reason is the ERP's own")
    letters = s.records("orders-dlq", decode=False)
    equal(sorted(int(r.key.split("/")[1]) for r in letters), sorted(refused), "orders in the DLQ, each once")
    check(all(r.headers["reason-code"] == b"refused" and BAD_ARTICLE.encode() in r.headers["reason"] for r in letters), "each copy has its reason")
    print(f"{count} orders of which the ERP refuses {len(refused)}: {count - len(refused)} loaded, {len(refused)} rejected with reasons, in {seconds:.1f} s", flush=True)


def test(s, args):
    kinds = args.kind or list(KINDS)
    s.write_config(warehouses={"known": ",".join("W-" + k for k in kinds)}, erp__http={"timeout": "2s"}, xsale={"page_size": 1000, "timeout": "60s"})
    ends = [KINDS[k](s, k) for k in kinds]
    warehouses, start = [e.warehouse for e in ends], 200
    s.start(*(e.consumer for e in ends))
    publish(s, start, FIRST, warehouses)
    for e in ends:
        wait(f"the start ({e.kind})", 120, lambda e=e: s.all_alive() and e.documents() == start)
    begin = time.monotonic()
    for e in ends:
        e.begin()
    publish(s, args.orders, FIRST + start, warehouses)
    print(f"{args.orders} orders for each of {', '.join(kinds)} published after {time.monotonic() - begin:.0f} s", flush=True)
    for e in ends:
        wait(f"the outage is told ({e.kind})", 120, lambda e=e: s.all_alive() and e.consumer.dependencies().get("erp") == "down")
    stay_out(s, ends, start, begin + args.seconds)
    for e in ends:
        drained(s, e, start + args.orders, lambda: time.monotonic() - begin)
    judge(s, ends, range(FIRST, FIRST + start + args.orders))
    http = [e for e in ends if isinstance(e, Http)]
    if http:
        poison(s, http[0], start + args.orders, args.orders)
    s.stop(*(e.consumer for e in ends))


def main():
    p = argparse.ArgumentParser(description=__doc__)
    p.add_argument("--build", default=os.path.join(ROOT, "build", "release"))
    p.add_argument("--cluster", default="real", choices=["real"])
    p.add_argument("--seconds", type=int, default=600)
    p.add_argument("--orders", type=int, default=10000)
    p.add_argument("--kind", action="append", choices=list(KINDS), help="only this one; may be given more than once")
    args = p.parse_args()
    begin, s = time.monotonic(), Stack(args.cluster, args.build, warehouses=())
    try:
        test(s, args)
    except Exception as e:
        s.tails()
        if not isinstance(e, Failed):
            traceback.print_exc()
        print(f"FAILED after {time.monotonic() - begin:.1f} s: {e}", flush=True)
        s.close()
        raise SystemExit(1) from None
    s.close()
    print(f"ok in {time.monotonic() - begin:.1f} s", flush=True)


if __name__ == "__main__":
    main()
