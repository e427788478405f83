"""Change-status that does not do what it says: 404 for an order that is there, HTML with 200. No row is closed over it, so no order is taken for a retry; /readyz
says so; when it is mended the statuses come. A rotated password is read again by every program."""
import os
import time

import harness
from harness import IMPORTED, MANUAL, NEW, check, equal, main, wait


def publications(s, ids):
    found = {}
    for r in s.records("orders"):
        found[int(r.key.split("/")[1])] = found.get(int(r.key.split("/")[1]), 0) + 1
    return {i: found.get(i, 0) for i in ids}


def not_found(s):
    s.xsale.fault("status", "change-status", status=404)
    ids = s.generate(3)
    s.start()
    wait("the refusal to be told", 60, lambda: "change_status" in s.updater.http("/readyz")[1])
    time.sleep(3)
    equal(publications(s, ids), {i: 1 for i in ids}, "publications while change-status answers 404")
    rows = {r.key: r.value for r in s.records("order-status")}
    check(not any(r["closed"] for r in rows.values()), lambda: f"rows closed although xSale shows {NEW}: {rows}")
    s.xsale.clear_faults()
    s.updater.stop()
    s.updater.start()
    s.settled(60)
    equal({s.statuses()[i] for i in ids}, {IMPORTED}, "statuses after change-status was mended")


def login_page(s):
    s.xsale.fault("html", "change-status")
    ids = s.generate(3, first=200001)
    wait("a change to be answered with it", 60, lambda: s.xsale.get("faults")[0]["taken"] > 0)
    wait("the orders to be published", 60, lambda: all(publications(s, ids).values()), 0.3)
    time.sleep(8)
    equal(publications(s, ids), {i: 1 for i in ids}, "publications while change-status answers with a page")
    equal({s.statuses()[i] for i in ids}, {NEW}, "statuses while change-status answers with a page")
    s.xsale.clear_faults()
    s.settled(120)
    equal({s.statuses()[i] for i in ids}, {IMPORTED}, "statuses after that")


def rotated_password(s):
    with open(s.password_file, "w", encoding="utf-8") as f:
        f.write("rotated")
    s.xsale.post("settings", {"password": "rotated", "expire": True})
    s.generate(3, first=300001, refused=[300001])
    s.settled(90)
    equal(s.statuses()[300001], MANUAL, "status of the refused order")


def test(s):
    s.password_file = os.path.join(s.directory, "password")
    with open(s.password_file, "w", encoding="utf-8") as f:
        f.write("simulated-password")
    os.chmod(s.password_file, 0o600)
    del s.settings["xsale"]["password"]
    s.write_config(xsale={"password_file": s.password_file})
    not_found(s)
    login_page(s)
    rotated_password(s)


if __name__ == "__main__":
    main(test, __doc__)
