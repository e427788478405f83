"""Many orders wait, more than the consumer holds in memory; some were edited meanwhile, some cancelled. After a start, and after an outage of the ERP, none is loaded
in a state that was outdated by then: a cancelled one not at all, an edited one as it is now."""
import datetime
import io

from harness import check, equal, main, wait

MIXES = [["MAG-1"]]


def generate(s, count, first):
    return s.xsale.post("generate", {"count": count, "first": first, "warehouses": MIXES})["ids"]


def withdraw(s, orders):
    """The withdrawal of each, as the producer would publish it."""
    import fastavro
    newest = {r.value["orderId"]: r for r in s.records("orders")}
    for i in orders:
        r = newest[i]
        at = r.value["publication"] + datetime.timedelta(seconds=1)
        value, stream = dict(r.value, publication=at, withdrawn=True), io.BytesIO()
        fastavro.schemaless_writer(stream, s.schema(int.from_bytes(r.bytes[1:5], "big")), value)
        publication = str(int(r.headers["publication"]) + 1000)
        s.produce("orders", r.key, r.bytes[:5] + stream.getvalue(), list(dict(r.headers, publication=publication).items()))


def edit_and_cancel(s, edited, cancelled, before):
    for i in edited:
        s.xsale.post(f"orders/{i}/edit", {"warehouses": ["MAG-1"]})
    published(s, before + len(edited))
    withdraw(s, cancelled)


def published(s, count):
    wait(f"{count} publications of the producer's", 60, lambda: s.all_alive() and s.producer.published() >= count, 0.5)


def settled(s, loaded, superseded, withdrawn):
    """Until each publication has its outcome; then what the ERP saw."""
    def results():
        found = [r.value["result"] for r in s.records("order-outcomes")]
        return {k: found.count(k) for k in set(found)}
    wanted = {"IMPORTED": loaded, "SUPERSEDED": superseded, "WITHDRAWN": withdrawn}
    wait("every publication has its outcome", 60, lambda: s.all_alive() and sum(results().values()) >= sum(wanted.values()), 0.5)
    equal(results(), wanted, "outcomes")
    summary = s.erp.get("summary")
    equal((summary["created"], summary["edits"], summary["keys"], summary["violations"]), (loaded, 0, loaded, []),
          "documents made, edits, loads tried and violations at the ERP")


def test(s):
    s.write_config(consumer={"queue_records": 20, "concurrency": 4})
    consumer = s.consumers[0]
    first = generate(s, 300, 100001)
    s.producer.start()
    published(s, 300)
    edit_and_cancel(s, first[5:250:5], first[7:250:10], 300)
    consumer.start()
    settled(s, 300 - 25, 49 + 25, 25)

    s.erp.down()
    second = generate(s, 200, 200001)
    published(s, 549)
    wait("the ERP is probed", 60, lambda: consumer.dependencies().get("erp") == "down")
    wait("the look-ahead runs", 60, lambda: consumer.metrics().get("xsale_bridge_orders_in_hand", 0) >= 20)
    edit_and_cancel(s, second[50::5], second[53::10], 549)
    s.erp.up()
    settled(s, 275 + 200 - 15, 74 + 30 + 15, 25 + 15)
    wait("the look-ahead is over", 60, lambda: consumer.metrics().get("xsale_bridge_lookahead_keys") == 0)
    with open(consumer.log, encoding="utf-8") as f:
        text = f.read()
    check("looked ahead to the end" in text, "it looked ahead")
    s.stop(s.producer, consumer)


if __name__ == "__main__":
    main(test, __doc__, warehouses=("MAG-1",))
