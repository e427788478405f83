"""Orders that the ERP refused because of a wrong tax code, put back after it was corrected: all come through to the imported status, each once. A redrive that is
killed in the middle goes on where it stopped, two at once do no harm, a repeated one does nothing; what was published anew meanwhile is left alone, and so is what
was put back three times and refused each time. Single orders are sent again by their id or number."""
import json
import os
import pty
import signal
import subprocess
import time

from harness import CANCELLED, IMPORTED, MANUAL, NEW, check, equal, main, wait

WORDS = "Nieznana stawka VAT dla towaru"
OTHER = "ZAKAZANY-02"


def command(s, *arguments):
    return [os.path.join(s.build, "consumer/order-replay"), arguments[0], "-c", s.config_file, *arguments[1:]]


def replay(s, *arguments):
    r = subprocess.run(command(s, *arguments), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, encoding="utf-8",
                       cwd=s.working, timeout=120)
    return r.returncode, r.stdout, r.stderr


def told(s, *arguments, code=0):
    found, out, err = replay(s, *arguments, "--json")
    equal(found, code, f"code of {arguments}, which says {err}{out[:500]}")
    return json.loads(out)


def states(answer):
    found = {}
    for o in answer["each"]:
        found.setdefault(o["state"], set()).add(int(o["order"].partition("/")[2]))
    return found


def at_terminal(s, *arguments):
    """As somebody at a terminal would: answers yes; -> (code, standard output, what was on the terminal)."""
    master, slave = pty.openpty()
    p = subprocess.Popen(command(s, *arguments), stdin=slave, stdout=subprocess.PIPE, stderr=slave, text=True, encoding="utf-8", cwd=s.working)
    os.close(slave)
    seen = b""
    try:
        while True:
            seen += os.read(master, 1000)
            if b"[y/N]" in seen and b"y\r" not in seen:
                os.write(master, b"y\n")
                seen += b"y\r"
    except OSError:     # the terminal's other side is closed
        pass
    out = p.communicate(timeout=60)[0]
    os.close(master)
    return p.returncode, out, seen.decode("utf-8", "replace")


def publications(s):
    """{order: [records, oldest first]}"""
    found = {}
    for r in s.records("orders"):
        found.setdefault(int(r.key.partition("/")[2]), []).append(r)
    return found


def put_back_is_the_same_order(first, again, how, redrives):
    wanted = dict(first.value, publication=again.value["publication"])
    equal(again.value, wanted, "the order that was put back")
    equal(again.value["publication"] - first.value["publication"], type(again.value["publication"] - first.value["publication"])(milliseconds=1), "publications apart")
    ms = lambda r: int(r.headers["publication"])
    equal(ms(again), ms(first) + 1, "publication in the header")
    equal(again.partition, first.partition, "partition")
    for name in ("organization", "revision", "warehouses", "schema"):
        equal(again.headers[name], first.headers[name], f"header {name}")
    check(again.headers["traceparent"] != first.headers["traceparent"], "a trace of its own")
    equal((again.headers["replayed"], again.headers.get("redrives")), (how, redrives), "what was done by hand")
    equal(set(again.headers) - {"replayed", "redrives"}, set(first.headers), "headers")


def killed_in_the_middle(s, wanted):
    """MAG-1's refusals: killed while it puts them back, then once more, at a terminal."""
    before = s.height("orders")
    p = subprocess.Popen(command(s, "redrive", "--warehouse", "MAG-1", "--reason", WORDS.upper(), "--rate", str(len(wanted) // 8), "--yes"), stdin=subprocess.DEVNULL,
                         stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd=s.working)
    wait("some were put back", 60, lambda: s.height("orders") >= before + 20, 0.02)
    p.send_signal(signal.SIGKILL)
    p.wait()
    time.sleep(0.5)     # what was on its way to the broker arrives
    done = s.height("orders") - before
    check(done < len(wanted), f"it was too fast to be killed: {done} of {len(wanted)}")
    code, out, terminal = at_terminal(s, "redrive", "--warehouse", "MAG-1", "--reason-code", "refused", "--rate", "2000")
    equal(code, 0, f"code of the second run; it says {out}{terminal}")
    check(f"left alone: {done} orders, put back before" in out, f"what the first run did: {out}")
    check(f"put back: {len(wanted) - done} of {len(wanted) - done} orders" in out, f"the rest: {out}")
    check("[####" in terminal and " a second, " in terminal and " left" in terminal, f"the progress: {terminal}")
    equal(s.height("orders"), before + len(wanted), "records on orders")


def two_at_once(s, wanted):
    """MAG-2's refusals, by two people."""
    two = [subprocess.Popen(command(s, "redrive", "--warehouse", "MAG-2", "--yes", "--json", "--rate", "400"), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                            stderr=subprocess.DEVNULL, text=True, cwd=s.working) for _ in range(2)]
    answers = [json.loads(p.communicate(timeout=120)[0]) for p in two]
    equal([p.returncode for p in two], [0, 0], "codes of two at once")
    put = [states(a).get("put", set()) for a in answers]
    equal(put[0] | put[1], wanted, "orders that the two put back")


def loop_guard(s, order):
    """An order that is refused again and again."""
    s.xsale.post("generate", {"count": 1, "first": order, "codes": {str(order): OTHER}, "warehouses": [["MAG-1", "MAG-2"]]})
    wait("it is in manual handling", 60, lambda: s.statuses()[order] == MANUAL)
    letters = lambda n: wait("its dead letter and its outcome", 60, lambda: s.height("orders-dlq") >= n and states(told(s, "redrive", "--order", str(order),
                             "--dry-run")).keys() & {"back", "too-often"})
    for n in range(1, 4):
        height = s.height("orders-dlq")
        equal(states(told(s, "redrive", "--order", str(order), "--yes")), {"put": {order}}, f"redrive number {n}")
        letters(height + 1)
    code, out, _ = replay(s, "redrive", "--order", str(order), "--yes")
    equal(code, 0, "code of the fourth")
    check("put back 3 times already and rejected each time" in out and "to be put back onto xsale.orders: 0 orders" in out, f"the fourth: {out}")
    equal(int(publications(s)[order][-1].headers["redrives"]), 3, "redrives in the header")
    s.erp.post("refuse", {"allow_articles": [OTHER]})
    equal(states(told(s, "redrive", "--order", str(order), "--yes", "--force")), {"put": {order}}, "the forced one")
    wait("it is imported", 60, lambda: s.statuses()[order] == IMPORTED)


def resend(s, order, withdrawn):
    documents, changes, first = s.documents(), s.changes(), publications(s)[order][-1]
    equal(states(told(s, "resend", str(order), "--dry-run")), {"back": {order}}, "a dry run of resend")
    equal(states(told(s, "resend", first.value["foreignNumber"], "--yes")), {"put": {order}}, "resend by the shop's number")
    again = publications(s)[order][-1]
    put_back_is_the_same_order(first, again, b"resend", None)
    wait("every warehouse has answered", 60, lambda: replay(s, "resend", str(order), "--dry-run")[0] == 0)
    s.updater.process and wait("the ledger joined it", 60, lambda: any(r.value["publication"] == again.value["publication"] and r.value["closed"]
                                                                      for r in s.records("order-status") if r.key == f"acme/{order}"))
    equal((s.documents(), s.changes()), (documents, changes), "documents and statuses after a resend")
    s.stop(*s.consumers)
    equal(replay(s, "resend", str(order), "--yes")[0], 0, "code of another")
    code, out, _ = replay(s, "resend", str(order), "--yes")
    equal(code, 3, "code for one that is under way")
    check("still under way" in out, f"it says {out}")
    equal(replay(s, "resend", str(order), "--yes", "--force")[0], 0, "code of the forced one")
    new = s.xsale.post("generate", {"count": 1, "first": withdrawn, "warehouses": [["MAG-1"]]})["ids"][0]
    wait("the new order is published", 60, lambda: new in publications(s), 0.3)
    s.xsale.post(f"orders/{new}/status", {"status": CANCELLED})
    wait("it is withdrawn", 60, lambda: publications(s)[new][-1].value["withdrawn"], 0.3)
    code, out, _ = replay(s, "resend", str(new), str(order), "--force", "--yes")
    equal(code, 3, "code with one that is withdrawn")
    check("left alone: 1 order, withdrawn" in out and "put back: 1 of 1 orders" in out, f"it says {out}")
    height = s.height("orders")
    code, _, err = replay(s, "resend", str(order), "NO-SUCH-NUMBER", "--yes")
    equal((code, s.height("orders")), (3, height), "code and records with an unknown one")
    check("no record of order NO-SUCH-NUMBER" in err, f"it says {err}")
    s.start(*s.consumers)
    wait("everything has settled", 60, lambda: replay(s, "resend", str(order), "--dry-run")[0] == 0)
    equal((s.documents(), s.changes()[order]), (documents, changes[order]), "documents and statuses at the end")


def test(s):
    count = 2000 if s.cluster == "real" else 240
    guarded, last = 100001 + count, 100002 + count
    s.erp.post("refuse", {"articles": [OTHER], "words": WORDS})
    ids = s.generate(count, refused=range(100001, 100001 + count))
    s.start()
    wait("every order is in manual handling", 150, lambda: s.all_alive() and s.xsale.get("counts")[MANUAL] == count, 0.3)
    equal(states(told(s, "redrive", "--reason", "no such words", "--dry-run")), {}, "redrive of nothing")

    s.erp.post("refuse", {"allow_articles": ["ZAKAZANY-01"]})   # the tax code is corrected
    anew = {ids[0], ids[1], ids[2]}     # and somebody has set these to the new status already
    for i in anew:
        s.xsale.post(f"orders/{i}/status", {"status": NEW})
    wait("they are imported", 60, lambda: all(s.statuses()[i] == IMPORTED for i in anew))
    mixes = {i: s.mix(i) for i in ids if i not in anew}
    plan = told(s, "redrive", "--reason-code", "refused", "--from", "1h", "--dry-run")
    equal(states(plan), {"back": set(mixes), "superseded": anew}, "the plan")
    equal((plan["done"], plan["back"], plan["superseded"]), (False, count - 3, 3), "the plan's counts")
    equal({w["warehouse"]: w["orders"] for w in plan["warehouses"]}, {w: sum(w in m for m in mixes.values()) for w in ("MAG-1", "MAG-2")}, "orders a warehouse")
    equal(sum(p["orders"] for p in plan["partitions"]), count - 3, "orders of all partitions")
    check(plan["first"]["time"] <= plan["last"]["time"], f"first and last: {plan['first']}, {plan['last']}")
    before = publications(s)
    equal({i: len(r) for i, r in before.items()}, {i: 1 + (i in anew) for i in ids}, "records before")
    code, _, err = replay(s, "redrive")
    equal(code, 2, "code without anybody to ask")
    check("--yes" in err, f"it says {err}")

    s.stop(*s.consumers)    # so that nothing but the records themselves tells what was put back
    killed_in_the_middle(s, {i for i, m in mixes.items() if m[0] == "MAG-1"})
    two_at_once(s, {i for i, m in mixes.items() if m[0] == "MAG-2"})
    s.start(*s.consumers)
    wait("every order is imported", 150, lambda: s.all_alive() and s.xsale.get("counts")[IMPORTED] == count, 0.3)
    after = publications(s)
    for i in mixes:
        put_back_is_the_same_order(before[i][0], after[i][1], b"redrive", b"1")
        equal([r.bytes for r in after[i][2:]], [after[i][1].bytes] * (len(after[i]) - 2), "what two operators put back at once")
    for i in anew:
        equal(len(after[i]), 2, "records of an order that was published anew")
    s.verify(ids, changes={i: [(MANUAL, "api")] + [(NEW, "operator")] * (i in anew) + [(IMPORTED, "api")] for i in ids})
    again = told(s, "redrive", "--reason", WORDS, "--until", "end", "--order", str(ids[5]), "--order", str(ids[6]), "--order", str(ids[0]), "--yes")
    equal((states(again), again["put"]), ({"done": {ids[5], ids[6]}, "superseded": {ids[0]}}, 0), "a repeated redrive")

    loop_guard(s, guarded)
    resend(s, ids[2], last)
    for wrong in (["redrive", "--rate", "0"], ["redrive", "--rate", "x"], ["redrive", "--order", "x"], ["redrive", "--from", "soon"], ["redrive", "--from", "1h", "--until", "2h"],
                  ["redrive", "1"], ["resend"], ["resend", "--rate", "-1", "1"]):
        equal(replay(s, *wrong)[0], 2, f"code of {wrong}")
    equal(s.erp.get("summary")["violations"], [], "violations at the ERP")
    s.stop()


if __name__ == "__main__":
    main(test, __doc__)
