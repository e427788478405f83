"""The campaign's checker has teeth: a history that keeps the promise is passed, and each fault that is planted in it is found and called by its name."""
import copy
import sys

from checker import IMPORTED, MANUAL, NEW, History, judge


def order(number, publication, revision="r1", withdrawn=False, warehouses=("MAG-1", "MAG-2"), of=None):
    return {"orderId": number, "publication": publication, "round": of or publication, "revision": revision, "withdrawn": withdrawn, "warehouses": list(warehouses)}


def outcome(number, publication, warehouse, result="IMPORTED", document=None, at=5000):
    return {"at": at, "reason": "unknown article X" if result == "REJECTED" else None, "orderId": number, "publication": publication, "round": publication, "warehouse": warehouse, "result": result, "documentId": document or f"{warehouse}/{number}"}


def row(number, publication, **results):
    return {"orderId": number, "publication": publication, "closed": True, "complete": True,
            "results": [{"warehouse": w.replace("_", "-"), "result": r} for w, r in results.items()]}


def change(number, before, after, by="api", at=1000, looked=900):
    return {"id": number, "from": before, "fromName": before, "to": after, "toName": after, "by": by, "at": at, "lookedAt": looked, "shown": looked is not None}


def good():
    """1: imported. 2: edited, then imported (the first offer was superseded). 3: rejected by one, corrected, retried, imported. 4: cancelled in time. 5: no record can be made of it.
    6: the same, corrected while the manual status was being set. 7: taken out and put back while the imported status was being set, and withdrawn in between.
    8: the same, and the withdrawal is the newest publication: its order stood in the new status again only until the imported one was set."""
    both = {"MAG_1": "IMPORTED", "MAG_2": "IMPORTED"}
    documents = {(n, w): {"revision": r, "publication": p, "live": True} for n, r, p in ((1, "r1", 10), (2, "r2", 20), (3, "r3", 30), (6, "r1", 20), (7, "r1", 22)) for w in ("MAG-1", "MAG-2")}
    documents[4, "MAG-1"] = documents[8, "MAG-1"] = {"revision": "r1", "publication": 21, "live": False}
    return History(
        orders=[order(1, 10), order(2, 10), order(2, 20, "r2", of=10), order(3, 10), order(3, 30, "r3"), order(4, 10), order(4, 21, withdrawn=True, of=10), order(6, 20, of=10),
                order(7, 10), order(7, 21, withdrawn=True, of=10), order(7, 22, of=10),
                order(8, 10, warehouses=["MAG-1"]), order(8, 21, withdrawn=True, of=10, warehouses=["MAG-1"])],
        outcomes=[outcome(1, 10, "MAG-1"), outcome(1, 10, "MAG-2"), outcome(1, 10, "MAG-2"), outcome(2, 20, "MAG-1"), outcome(2, 10, "MAG-2"),
                  outcome(2, 10, "MAG-1", "SUPERSEDED"), outcome(2, 20, "MAG-2"), outcome(3, 10, "MAG-1", "REJECTED"), outcome(3, 10, "MAG-2"), outcome(3, 30, "MAG-1"),
                  outcome(3, 30, "MAG-2"), outcome(4, 10, "MAG-1"), outcome(4, 10, "MAG-2", "SUPERSEDED"), outcome(4, 21, "MAG-1", "WITHDRAWN"),
                  outcome(4, 21, "MAG-2", "WITHDRAWN"), outcome(5, 10, "", "REJECTED"), outcome(6, 10, "", "REJECTED"), outcome(6, 20, "MAG-1"), outcome(6, 20, "MAG-2"),
                  *(outcome(7, p, w, r) for p, r in ((10, "IMPORTED"), (21, "WITHDRAWN"), (22, "IMPORTED")) for w in ("MAG-1", "MAG-2")),
                  outcome(8, 10, "MAG-1"), outcome(8, 21, "MAG-1", "WITHDRAWN")],
        rows=[row(1, 10, **both), row(2, 20, **both), row(3, 30, **both), row(4, 21, MAG_1="WITHDRAWN", MAG_2="WITHDRAWN"), row(5, 10), row(6, 20, **both), row(7, 22, **both),
              row(8, 21, MAG_1="WITHDRAWN")],
        letters={"acme/3", "acme/5", "acme/6"},
        changes=[change(1, NEW, IMPORTED), change(2, NEW, IMPORTED), change(3, NEW, MANUAL), change(3, MANUAL, NEW, "operator", 1500), change(3, NEW, IMPORTED, at=2000),
                 change(4, NEW, "Anulowane", "operator"), change(5, NEW, MANUAL), change(6, NEW, MANUAL), change(6, MANUAL, IMPORTED), change(7, NEW, IMPORTED),
                 change(7, IMPORTED, MANUAL), change(7, MANUAL, IMPORTED), change(8, NEW, IMPORTED), change(8, IMPORTED, MANUAL)],
        statuses={1: IMPORTED, 2: IMPORTED, 3: IMPORTED, 4: "Anulowane", 5: MANUAL, 6: IMPORTED, 7: IMPORTED, 8: MANUAL}, documents=documents, ever=[(n, w, f"{w}/{n}") for n, w in documents],
        causes=["unknown article"], loads={(1, "MAG-1", 10): [4000], (4, "MAG-2", 10): [4000]}, breaks={"MAG-2": [4500]})


def drop(rows, **what):
    rows[:] = [r for r in rows if any(r[k] != v for k, v in what.items())]


PLANTED = [
    ("a document is gone", "wrong document", lambda h: h.documents.pop((1, "MAG-2"))),
    ("a document of what was never published", "wrong document", lambda h: h.documents.update({(9, "MAG-1"): {"revision": "r", "publication": 1, "live": True}})),
    ("a document that should have been taken back", "wrong document", lambda h: h.documents[4, "MAG-1"].update(live=True)),
    ("a document of old content", "wrong document", lambda h: h.documents[2, "MAG-1"].update(revision="r1")),
    ("the newest is called superseded", "wrong document", lambda h: [o.update(result="SUPERSEDED") for o in h.outcomes if o["orderId"] == 1 and o["warehouse"] == "MAG-1"]),
    ("a second document", "doubled", lambda h: h.outcomes.append(outcome(1, 10, "MAG-2", document="another"))),
    ("one document for two orders", "doubled", lambda h: h.ever.append((2, "MAG-1", "MAG-1/1"))),
    ("published twice", "doubled", lambda h: h.orders.append(order(1, 11))),
    ("an outcome of what was not offered", "doubled", lambda h: h.outcomes.append(outcome(1, 12, "MAG-1"))),
    ("an order that nobody took", "lost", lambda h: h.statuses.update({9: NEW})),
    ("an order that was imported by nobody", "lost", lambda h: h.statuses.update({9: IMPORTED})),
    ("an outcome is gone", "lost", lambda h: drop(h.outcomes, orderId=2, publication=20, warehouse="MAG-1")),
    ("a dead letter is gone", "lost", lambda h: h.letters.discard("acme/5")),
    ("publications swapped", "out of order", lambda h: h.orders.sort(key=lambda v: -v["publication"])),
    ("answers swapped", "out of order", lambda h: h.outcomes.reverse()),
    ("a refusal without a cause", "wrong verdict", lambda h: [o.update(reason="HTTP 400: key missing") for o in h.outcomes if o["result"] == "REJECTED" and o["warehouse"]]),
    ("superseded though it was accepted", "wrong verdict", lambda h: h.breaks.clear()),
    ("one key for two bodies", "wrong verdict", lambda h: h.requests.append({"key": "acme/1/MAG-1/10"})),
    ("a status set twice", "wrong status", lambda h: h.changes.extend([change(1, IMPORTED, MANUAL), change(1, MANUAL, IMPORTED)])),
    ("a status set back for a withdrawal that was superseded", "wrong status",
     lambda h: [o.update(result="SUPERSEDED") for o in h.outcomes if o["orderId"] == 7 and o["publication"] == 21]),
    ("an old verdict after a retry", "wrong status", lambda h: h.changes.insert(4, change(3, NEW, MANUAL, at=1600))),
    ("a person's choice overwritten", "wrong status", lambda h: (h.changes.append(change(4, "Anulowane", IMPORTED, at=2000, looked=1900)), h.statuses.update({4: IMPORTED}))),
    ("a status set without a look", "wrong status", lambda h: h.changes[1].update(lookedAt=None, shown=False)),
    ("the wrong status", "wrong status", lambda h: (h.changes[0].update(to=MANUAL, toName=MANUAL), h.statuses.update({1: MANUAL}))),
    ("an imported status that crossed a withdrawal stands", "wrong status", lambda h: (h.changes.pop(), h.statuses.update({8: IMPORTED}))),
    ("a row is gone", "wrong ledger", lambda h: drop(h.rows, orderId=1)),
    ("a row stays open", "wrong ledger", lambda h: h.rows[0].update(closed=False)),
    ("a row misses a warehouse", "wrong ledger", lambda h: h.rows[0]["results"].pop()),
    ("a row of an old publication", "wrong ledger", lambda h: h.rows[1].update(publication=10)),
]


def main():
    failed = [f"a good history is not passed: {f}" for f in judge(good())]
    for what, kind, plant in PLANTED:
        h = copy.deepcopy(good())
        plant(h)
        if kind not in {k for k, _ in judge(h)}:
            failed.append(f"{what}: not found; {judge(h)}")
    print(f"{len(PLANTED)} faults planted, {len(failed)} not found", *failed, sep="\n")
    sys.exit(bool(failed))


if __name__ == "__main__":
    main()
