"""An xSale that does not understand the filter lists every order: only those that say themselves that they are new are published, and /readyz says what is
wrong."""
import harness
from harness import NEW, Stack, equal, main, wait


def test(first):
    s = Stack(first.cluster, first.build, xsale=["--ignore-filter"])
    try:
        s.write_config()
        new = set(s.xsale.post("generate", {"count": 10, "first": 100001, "warehouses": harness.MIXES})["ids"])
        s.xsale.post("generate", {"count": 300, "first": 300001, "status": "Wysłane", "warehouses": harness.MIXES})
        s.producer.start()
        wait("the wrong filter to be told", 60, lambda: "xsale.filter_by" in s.producer.http("/readyz")[1])
        equal(s.producer.http("/readyz")[0], 503, "/readyz while the filter is not understood")
        wait("the new orders to be published", 60, lambda: {r.value["orderId"] for r in s.records("orders")} == new)
    except Exception:
        s.tails()
        raise
    finally:
        s.close()


if __name__ == "__main__":
    main(test, __doc__, start=False)
