"""Whether a history that has come to rest keeps the promise: judged from what stands on the topics, in both ERPs and in xSale's log of changes alone. It knows the rules (README,
"The promise"), and nothing of how the programs keep them."""
import collections

TRY_MS = 5000       # a try and its answer lie no further apart than this
NEW, IMPORTED, MANUAL = "Nowe", "Zaimportowano do ERP", "Do obsługi ręcznej"


class History:
    """orders, outcomes, rows: the decoded values in the order of their partition; letters: {key} of the dead-letter topic; changes, statuses: of xSale; documents:
    {(order, warehouse): {"revision", "publication", "live"}}; ever: (order, warehouse, document id) of each that was ever told of; causes: the words of every right refusal;
    requests: what an ERP saw that it never should; loads: {(order, warehouse, publication): [ms]} of what an ERP accepted; breaks: {warehouse: [ms]} at which a consumer began
    or its partitions changed, so that it may not know of tries before."""

    def __init__(self, orders=(), outcomes=(), rows=(), letters=(), changes=(), statuses=None, documents=None, ever=None, causes=(), requests=(), loads=None, breaks=None):
        self.orders, self.outcomes, self.rows, self.letters = list(orders), list(outcomes), list(rows), set(letters)
        self.changes, self.statuses, self.documents, self.ever = list(changes), dict(statuses or {}), dict(documents or {}), list(ever or [])
        self.causes, self.requests, self.loads, self.breaks = list(causes), list(requests), dict(loads or {}), dict(breaks or {})


def by_order(values):
    found = collections.defaultdict(list)
    for v in values:
        found[v["orderId"]].append(v)
    return found


def lost(h):
    """Every order that stands in xSale was taken, offered to each warehouse and answered by each."""
    known = {v["orderId"] for v in h.orders} | {v["orderId"] for v in h.outcomes if v["warehouse"] == ""}
    for order, status in h.statuses.items():
        if status == NEW:
            yield f"order {order} still stands in the new status"
        elif order not in known and status in (IMPORTED, MANUAL):
            yield f"order {order} is {status}, and was never published"
    answered = {(v["orderId"], v["publication"], v["warehouse"]) for v in h.outcomes}
    for v in h.orders:
        for w in v["warehouses"]:
            if (v["orderId"], v["publication"], w) not in answered:
                yield f"order {v['orderId']}, publication {v['publication']}: no outcome of {w}"
    for v in h.outcomes:
        if v["result"] == "REJECTED" and f"acme/{v['orderId']}" not in h.letters:
            yield f"order {v['orderId']} was rejected and is not in the dead-letter topic"


def doubled(h):
    """Published once a content, unless a person asked for it again; one document a name, whose id never changes; nothing answered that was never offered."""
    again = collections.Counter(c["id"] for c in h.changes if c["by"] != "api" and c["toName"] == NEW)
    for order, rows in by_order(h.orders).items():
        same = sum(a["revision"] == b["revision"] and not a["withdrawn"] and not b["withdrawn"] for a, b in zip(rows, rows[1:]))
        if same > again[order]:
            yield f"order {order} was published {same} times more with the same content, and asked for again {again[order]} times"
    ids = collections.defaultdict(set)
    for v in h.outcomes:
        if v["result"] == "IMPORTED":
            ids[v["orderId"], v["warehouse"], v["publication"]].add(v["documentId"])
    for (order, warehouse, publication), found in ids.items():
        if len(found) > 1:
            yield f"order {order} has several documents in {warehouse} for one publication: {sorted(found)}"
    owners = collections.defaultdict(set)
    for order, warehouse, document in h.ever:
        owners[warehouse, document].add(order)
    for (warehouse, document), orders in owners.items():
        if len(orders) > 1:
            yield f"document {document} of {warehouse} is of several orders: {sorted(orders)}"
    offered = {(v["orderId"], v["publication"], w) for v in h.orders for w in v["warehouses"]}
    for v in h.outcomes:
        if v["warehouse"] and (v["orderId"], v["publication"], v["warehouse"]) not in offered:
            yield f"order {v['orderId']}, publication {v['publication']}: an outcome of {v['warehouse']}, which was not offered it"


def out_of_order(h):
    """Publications of an order rise; each warehouse takes them up in that order. That one is superseded may be told while an older one is still being loaded."""
    for order, rows in by_order(h.orders).items():
        p = [v["publication"] for v in rows]
        if p != sorted(set(p)):
            yield f"order {order}: publications {p}"
    first = collections.defaultdict(list)
    for v in h.outcomes:
        seen = first[v["orderId"], v["warehouse"]]
        if v["publication"] not in seen and v["result"] != "SUPERSEDED":
            seen.append(v["publication"])
    for (order, warehouse), p in first.items():
        if p != sorted(p):
            yield f"order {order}: {warehouse} answered publications in the order {p}"


def newest(h):
    return {order: max(rows, key=lambda v: v["publication"]) for order, rows in by_order(h.orders).items()}


def wrong_documents(h):
    """What each warehouse has is what was offered last and accepted."""
    results = {}
    for v in h.outcomes:
        if v["result"] != "SUPERSEDED" or (v["orderId"], v["publication"], v["warehouse"]) not in results:
            results[v["orderId"], v["publication"], v["warehouse"]] = v["result"]
    for order, v in newest(h).items():
        for w in v["warehouses"]:
            d, result = h.documents.get((order, w)), results.get((order, v["publication"], w))
            live = d is not None and d["live"]
            if result == "IMPORTED" and not live:
                yield f"order {order} is imported and has no document in {w}"
            elif result == "IMPORTED" and d["revision"] != v["revision"]:
                yield f"order {order}: {w} has revision {d['revision']}, the newest is {v['revision']}"
            elif result == "WITHDRAWN" and live:
                yield f"order {order} was withdrawn and has a document in {w}"
            elif result == "SUPERSEDED":
                yield f"order {order}: {w} says that the newest publication is superseded"
    published = {(v["orderId"], w) for v in h.orders for w in v["warehouses"]}
    for name in h.documents:
        if name not in published:
            yield f"document {name} of an order that was never published"


def wrong_verdicts(h):
    """A warehouse's refusal is the ERP's word about the order, never a fault of the bridge's own request; what an ERP has accepted is not called superseded by who knows of the try."""
    for v in h.outcomes:
        if v["warehouse"] and v["result"] == "REJECTED" and not any(c in (v["reason"] or "") for c in h.causes):
            yield f"order {v['orderId']}, publication {v['publication']}: {v['warehouse']} rejected it without a cause: {v['reason']}"
        if v["result"] == "SUPERSEDED":
            for at in h.loads.get((v["orderId"], v["warehouse"], v["publication"]), ()):
                if at < v["at"] and not any(at - TRY_MS <= b <= v["at"] for b in h.breaks.get(v["warehouse"], ())):
                    yield f"order {v['orderId']}, publication {v['publication']}: {v['warehouse']} accepted it {v['at'] - at} ms before it was called superseded"
    yield from (f"the ERP was asked what it never should be: {r}" for r in h.requests)


def asked_for(h, order):
    """[the statuses that the verdicts of one round ask for, one publication after the other]. One that was superseded asks for none; a withdrawal takes back what was set."""
    told = collections.defaultdict(set)
    rounds = {v["publication"]: v["round"] for v in [*h.outcomes, *h.orders] if v["orderId"] == order}
    for v in h.outcomes:
        if v["orderId"] == order and v["result"] != "SUPERSEDED":
            told[v["publication"]].add(v["result"])
    found = collections.defaultdict(list)
    for p in sorted(told):
        found[rounds[p]].append(MANUAL if "REJECTED" in told[p] or "IMPORTED" not in told[p] else IMPORTED)
    return list(found.values())


def follows(changes, wanted):
    """Does each of the changes stand in wanted, in this order?"""
    left = iter(wanted)
    return all(c in left for c in changes)


def statuses(h):
    """One change of the bridge's a round, the right one; none without a look, none over a person's choice that it had seen, none that goes back. Where the newest publication was
    withdrawn by all, an imported status that crossed it has been taken back."""
    log = collections.defaultdict(list)
    for c in h.changes:
        log[c["id"]].append(c)
    for order, changes in log.items():
        mine, before = [], None
        for c in changes:
            if c["by"] != "api":
                if c["toName"] == NEW:
                    mine = []
                before = c
                continue
            if not c["shown"]:
                yield f"order {order}: {c['toName']} was set without a look"
            if c["from"] != c["to"]:
                mine.append(c["toName"])
                if before is not None and before["toName"] not in (NEW, c["toName"]) and c["fromName"] == before["toName"] and (c["lookedAt"] or 0) > before["at"]:
                    yield f"order {order}: {c['toName']} was set over {before['toName']}, which a person had set {c['lookedAt'] - before['at']} ms before the look"
                before = None
            if len(mine) > 1 and mine != [IMPORTED, MANUAL] and not any(follows(mine, wanted) for wanted in asked_for(h, order)):
                yield f"order {order}: the bridge set {mine} in one round"
    last = newest(h)
    for order, changes in log.items():
        if changes[-1]["by"] != "api":
            continue
        told = {v["warehouse"]: v["result"] for v in h.outcomes if v["orderId"] == order and v["publication"] >= last.get(order, {"publication": 0})["publication"]
                and v["result"] != "SUPERSEDED"}
        right = MANUAL if "REJECTED" in told.values() or (told and "IMPORTED" not in told.values()) else IMPORTED
        if h.statuses.get(order) not in (None, right):
            yield f"order {order} ends as {h.statuses[order]}, with {told}"


def ledger(h):
    """The newest row of each order is closed, complete, of the newest publication, and says what the outcomes say."""
    rows = {order: r[-1] for order, r in by_order(h.rows).items()}
    for order, v in newest(h).items():
        r = rows.get(order)
        if r is None:
            yield f"order {order} has no row"
        elif not r["closed"] or not r["complete"]:
            yield f"order {order}: its row is {'not closed' if not r['closed'] else 'not complete'}"
        elif r["publication"] < v["publication"]:
            yield f"order {order}: its row is of publication {r['publication']}, the newest is {v['publication']}"
        elif r["publication"] == v["publication"]:
            said = {x["warehouse"]: x["result"] for x in r["results"]}
            told = {x["warehouse"]: x["result"] for x in h.outcomes if x["orderId"] == order and x["publication"] == v["publication"] and x["result"] != "SUPERSEDED"}
            if said != told:
                yield f"order {order}: its row says {said}, the outcomes {told}"


CHECKS = {"lost": lost, "doubled": doubled, "out of order": out_of_order, "wrong document": wrong_documents, "wrong verdict": wrong_verdicts, "wrong status": statuses, "wrong ledger": ledger}


def judge(h):
    """[(kind, words)]"""
    return [(kind, words) for kind, check in CHECKS.items() for words in check(h)]
