"""Accounts differ: every array style, both kinds of paging, an envelope, status names instead of ids, change-status in the query, a server that repeats its
last page, pages smaller than asked for. Each account is worked off by --once and --until-end."""
import sys

import harness
from harness import IMPORTED, NEW, Stack, equal, main

ACCOUNTS = {
    "comma, envelope, small pages": (["--array-style", "comma", "--envelope", "Orders", "--page-cap", "7"],
                                     {"array_style": "comma", "envelope": "/Orders"}),
    "brackets, offset": (["--array-style", "brackets", "--paging", "offset", "--page-cap", "9"],
                         {"array_style": "brackets", "paging": "offset", "page_parameter": "offset", "page_first": 0, "page_size_parameter": "limit"}),
    "indexed, names, fixed query": (["--array-style", "indexed", "--allow-query", "channel=7", "--allow-query", "from=2026-01-01"],
                                    {"array_style": "indexed", "filter_by": "name", "query": "channel=7&from=2026-01-01"}),
    "repeat, last page again, change-status in the query": (["--repeat-last-page", "--page-cap", "10", "--change-status", "query",
                                                             "--change-status-field", "statusId", "--page-first", "0"],
                                                            {"page_size": 10, "page_first": 0, "change_status": "query", "change_status_field": "statusId"}),
}


def work_off(s, name):
    ids = s.generate(40, refused=[100010])
    paid = s.xsale.post("generate", {"count": 5, "first": 300001, "status": "Płatność zweryfikowana", "warehouses": harness.MIXES})["ids"]
    s.xsale.post("generate", {"count": 5, "first": 400001, "status": "Wysłane"})
    for program, option in ((s.producer, "--once"), (s.consumers[0], "--until-end"), (s.consumers[1], "--until-end"), (s.updater, "--until-end")):
        code, text = program.run(option, timeout=90)
        equal(code, 0, f"{name}: exit code of {program.name} {option}, which says {text[-2000:]}")
    equal(s.xsale.get("counts")[NEW], 0, f"{name}: orders left in {NEW}")
    equal({i for i in paid if s.statuses()[i] != IMPORTED}, set(), f"{name}: orders of the second new status")
    equal(s.xsale.get("counts")["Wysłane"], 5, f"{name}: orders that are none of ours")
    equal({i for i in ids if s.statuses()[i] != IMPORTED}, {100010}, f"{name}: orders in another status than imported")


def test(first):
    for name, (options, settings) in ACCOUNTS.items():
        s = Stack(first.cluster, first.build, xsale=options)
        try:
            s.write_config(xsale={"new_statuses": f"{NEW},Płatność zweryfikowana", **settings})
            work_off(s, name)
        except Exception:
            print(f"account: {name}", file=sys.stderr)
            s.tails()
            raise
        finally:
            s.close()


if __name__ == "__main__":
    main(test, __doc__, start=False)
