"""The ERP is out in five kinds, one after another, while orders go on coming: nothing is rejected, lost or doubled, no partition changes hands, and what waited is loaded
afterwards. Then three troubles at once: an outage, a record that nobody can read and orders that the ERP refuses: each is told for what it is and the rest is loaded.
test_long_outage.py does the same for ten minutes."""
import time

from harness import BAD_ARTICLE, check, equal, main, wait

SECONDS, EACH, POISON = 3, 40, 300
KINDS = {
    "refused": (lambda s: s.erp.down(), lambda s: s.erp.up()),
    "hang": (lambda s: s.erp.fault("hang", "POST /orders", count=10**6), None),
    "503": (lambda s: s.erp.fault("status", "POST /orders", status=503, count=10**6), None),
    "429": (lambda s: s.erp.fault("status", "POST /orders", status=429, retry_after=1, count=10**6), None),
    "401": (lambda s: s.erp.fault("status", "POST /orders", status=401, count=10**6), None),
}


def generate(s, count, first, refused=()):
    s.erp.post("refuse", {"articles": [BAD_ARTICLE]})
    for at in range(first, first + count, 1000):
        n = min(1000, first + count - at)
        s.xsale.post("generate", {"count": n, "first": at, "warehouses": [["MAG-1"]], "codes": {str(i): BAD_ARTICLE for i in refused if at <= i < at + n}})
    return list(range(first, first + count))


def documents(s):
    return s.erp.get("summary")["documents"]


def loaded(s, count, what):
    begin, before = time.monotonic(), documents(s)
    wait(f"everything is loaded after {what}", 60 + count // 50, lambda: s.all_alive() and documents(s) == count, 0.1)
    print(f"{what}: {count - before} loaded in {time.monotonic() - begin:.1f} s", flush=True)


def outage(s, kind, consumer, ids):
    begin, end = KINDS[kind]
    begin(s)
    made = generate(s, EACH, 100001 + len(ids))
    wait(f"the outage ({kind}) is told", 60, lambda: s.all_alive() and consumer.dependencies().get("erp") == "down")
    wait("its orders are published", 60, lambda: s.producer.published() >= len(ids) + len(made), 0.5)
    time.sleep(SECONDS)
    equal(documents(s), len(ids), f"documents while the ERP is out ({kind})")
    check("erp" in consumer.http("/readyz")[1] and consumer.http("/livez")[0] == 200, "alive, and not ready for the ERP's sake")
    (end or (lambda s: s.erp.clear_faults()))(s)
    ids += made
    loaded(s, len(ids), kind)


def three_at_once(s, consumer, ids):
    s.erp.down()
    wait("probing", 60, lambda: not consumer.ready() or documents(s) == len(ids))
    first, refused = 1000001, range(1000003, 1000001 + POISON, 5)
    template = next(r for r in s.records("orders") if r.value["orderId"] == ids[0])
    s.produce("orders", "acme/999999", template.bytes[:5] + b"\xff" * 40, list(dict(template.headers, publication=b"1700000000000").items()))
    generate(s, POISON, first, refused)
    wait("the outage is told", 60, lambda: consumer.dependencies().get("erp") == "down")
    wait("the unreadable one is told at once", 60, lambda: len(s.records("orders-dlq", decode=False)) == 1, 0.5)
    s.erp.up()
    loaded(s, len(ids) + POISON - len(refused), "three troubles at once")
    wait("each refusal has its copy", 60, lambda: len(s.records("orders-dlq", decode=False)) == 1 + len(refused), 0.5)
    letters = s.records("orders-dlq", decode=False)
    codes = {r.key: r.headers["reason-code"] for r in letters}
    equal(codes, {"acme/999999": b"unreadable", **{f"acme/{i}": b"refused" for i in refused}}, "the reasons' codes")
    letter = next(r for r in letters if r.key != "acme/999999")
    source = next(r for r in s.records("orders", decode=False) if r.key == letter.key)
    equal(letter.bytes, source.bytes, "the copy's value")
    check(all(letter.headers.get(k) == v for k, v in source.headers.items()), "the copy has the record's own headers")
    place = {"topic": b"xsale.orders", "partition": str(source.partition).encode(), "offset": str(source.offset).encode()}
    for name, value in place.items():
        equal(letter.headers[f"__connect.errors.{name}"], value, name)
    check(BAD_ARTICLE.encode() in letter.headers["__connect.errors.exception.message"], "the ERP's words")
    equal({n: letter.headers[n] for n in ("warehouse", "group", "revision", "publication")},
          {"warehouse": b"MAG-1", "group": b"xsale-erp-MAG-1", "revision": source.headers["revision"],
           "publication": source.headers["publication"]}, "our headers")
    check(int(letter.headers["attempts"]) >= 1, "how often it was tried")
    return set(refused)


def test(s):
    s.write_config(erp__http={"timeout": "2s"}, log={"level": "info"})
    s.erp.post("settings", {"latency": 0.01})
    consumer, ids = s.consumers[0], generate(s, EACH, 100001)
    s.start(s.producer, consumer)
    loaded(s, len(ids), "the start")
    for kind in KINDS:
        outage(s, kind, consumer, ids)
    equal(s.records("orders-dlq", decode=False), [], "records in the DLQ after the outages")
    refused = three_at_once(s, consumer, ids)
    wanted = set(ids) | {999999, *range(1000001, 1000001 + POISON)}
    wait("each order has its outcome", 60, lambda: wanted <= {int(r.key.partition("/")[2]) for r in s.records("order-outcomes", decode=False)}, 0.5)
    results = [r.value for r in s.records("order-outcomes")]
    rejected = {r["orderId"] for r in results if r["result"] == "REJECTED"}
    equal(rejected, refused | {999999}, "orders rejected")
    equal({r["orderId"] for r in results if r["result"] == "IMPORTED"}, set(ids) | set(range(1000001, 1000001 + POISON)) - refused, "orders imported")
    summary = s.erp.get("summary")
    equal(summary["created"], len(ids) + POISON - len(refused), "documents ever made")
    equal([v for v in summary["violations"] if v["what"] != "two at a time"], [], "violations at the ERP")
    with open(consumer.log, encoding="utf-8") as f:
        text = f.read()
    check("partition revoked" not in text and "partition lost" not in text, "no partition changed hands")
    s.stop(s.producer, consumer)


if __name__ == "__main__":
    main(test, __doc__, warehouses=("MAG-1",))
