"""xsale-producer --once and --until-end of the others come to an end: what xSale refuses, what another replica keeps and a signal before the end ends them with 1 and
says why."""
from harness import check, equal, main, wait

HOLDS = "\nxsale_bridge_producer_owner 1"


def refused(s, settings, words, most_logins):
    """Both programs end with 1, say these words last, and do not hammer the account."""
    good = dict(s.settings["xsale"])
    s.write_config(xsale=settings)
    for p, option in ((s.producer, "--once"), (s.updater, "--until-end")):
        before = s.xsale.get("tokens")["logins"]
        code, text = p.run(option, timeout=120)
        equal(code, 1, f"{p.name} {option} with {settings}, which says {text}")
        told = [line for line in text.splitlines() if "cannot go on" in line]
        check(told and all(w in told[-1] for w in words), f"{p.name} does not say {words}:\n{text}")
        check(s.xsale.get("tokens")["logins"] - before <= most_logins, f"{p.name} logged in again and again")
    s.settings["xsale"] = good
    s.write_config()


def behind_another(s):
    """The assignment goes by the members' names, which begin with client.id."""
    s.producer.arguments = ["-X", "kafka.client.id=a"]
    s.start(s.producer)
    wait("the first replica polls", 60, lambda: s.all_alive() and HOLDS in s.producer.http("/metrics")[1])
    other = s.program("xsale-producer", "producer-2", "-X", "kafka.client.id=b", "-X", "producer.once_wait=1s")
    code, text = other.run("--once", timeout=120)
    equal(code, 1, f"exit code of --once behind another replica, which says {text}")
    check("another replica owns the organization" in text, f"--once does not say whom it waited for:\n{text}")
    wait("the first replica polls on", 60, lambda: s.all_alive() and HOLDS in s.producer.http("/metrics")[1])
    s.stop(s.producer)


def interrupted(s, program, option, waits_for):
    """SIGTERM before the work is done: whoever started it must not take it for done."""
    program.start(option)
    wait(f"{program.name} cannot go on", 60, lambda: program.dependencies().get(waits_for) == "down")
    equal(program.stop(), 1, f"exit code of {program.name} {option}, stopped while {waits_for} is down")
    with open(program.log, encoding="utf-8") as log:
        check('why="stopped before' in log.read(), f"{program.name} does not say that it was stopped")


def test(s):
    refused(s, {"password": "wrong-password"}, ["login", "Wrong email or password"], 1)
    refused(s, {"organization": "acne"}, ["HTTP 403", "xsale.organization"], 1)
    s.generate(3)
    s.producer.arguments = ["-X", "xsale.envelope=/Items"]
    interrupted(s, s.producer, "--once", "polling")
    s.producer.arguments = []
    behind_another(s)
    code, text = s.producer.run("--once", timeout=120)
    equal(code, 0, f"--once with nobody before it, which says {text}")
    equal(len({r.key for r in s.records("orders", decode=False)}), 3, "orders published")
    s.erp.down()
    interrupted(s, s.consumers[0], "--until-end", "erp")
    s.erp.up()
    s.updater.arguments = ["-X", "xsale.api_url=http://127.0.0.1:1"]
    interrupted(s, s.updater, "--until-end", "xsale")


if __name__ == "__main__":
    main(test, __doc__)
