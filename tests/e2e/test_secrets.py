"""Canaries: no secret, token or personal data in a log line, in /metrics, /readyz, --print-config, /proc/PID/cmdline or environ, whatever goes wrong; and no core."""
import os

from harness import Failed, check, equal, main, wait

SECRETS = {"client_secret": "canary-client-secret-7f3a", "password": "canary-password-91bc"}
ERP = "Bearer canary-erp-authorization-55d0"
BROKER = "canary-broker-password-c0fe"
PERSONAL = ["klient", "Gżegżółka", "Brzęczyszczykiewicz", "5252248481", "+48 600", "Proszę dzwonić"]


def shown(p):
    """What the kernel shows of a process, and whether it would leave a core."""
    read = lambda name: open(f"/proc/{p.process.pid}/{name}", "rb").read().decode("utf-8", "replace")
    core = next(line.split() for line in read("limits").splitlines() if line.startswith("Max core file size"))
    equal(core[4:6], ["0", "0"], f"core size of {p.name}")
    equal(os.stat(f"/proc/{p.process.pid}/environ").st_uid, 0, f"owner of what {p.name} shows in /proc")
    return {f"{p.name}'s {name}": read(name) for name in ("cmdline", "environ")}


def test(s):
    s.settings["xsale"].pop("password"), s.settings["xsale"].pop("client_secret")
    for p in s.programs.values():       # as people give them who do not know better
        p.arguments += ["-X", f"xsale.password={SECRETS['password']}", f"-Xkafka.sasl.password={BROKER}"]
        p.environment = dict(os.environ, BRIDGE_XSALE_CLIENT_SECRET=SECRETS["client_secret"])
    s.write_config(erp__http={"authorization": ERP}, log={"level": "debug"})
    ids = s.generate(40, refused=[100010])
    s.xsale.post("orders/5/raw", '{"Id": 5, "StatusId": @STATUS_ID@, "StatusName": @STATUS_NAME@, "Buyer": {"Name": "Gżegżółka", "Email": ["klient"]}, "Items": 1}'.encode())
    tokens = set()
    s.start()
    wait("some orders moved", 60, lambda: s.all_alive() and s.erp.get("summary")["documents"] > 10)
    tokens |= set(s.xsale.get("tokens")["tokens"])
    s.xsale.post("settings", {"expire": True})                      # 401, a new login
    s.xsale.fault("status", "oauth", status=500, count=1, body='{"error":"canary-password-91bc is wrong"}')
    s.xsale.fault("html", "GET /acme/orders$", count=1)
    s.erp.fault("status", "POST /orders", status=500, count=3)
    s.settled(90)
    tokens |= set(s.xsale.get("tokens")["tokens"])
    s.verify(ids, [100010], overlaps=True)
    seen = {}
    for p in s.programs.values():
        seen.update(shown(p))
    check("consumer.warehouse=MAG-1" in seen[f"{s.consumers[0].name}'s cmdline"], "what is no secret stays in the command line")
    for p in s.programs.values():
        for path in ("/metrics", "/readyz", "/livez"):
            seen[f"{p.name} {path}"] = p.http(path)[1]
        code, text = p.run("--print-config")
        equal(code, 0, f"{p.name} --print-config")
        check("********" in text, f"{p.name} --print-config masks")
        seen[f"{p.name} --print-config"] = text
    s.stop()
    for name in os.listdir(s.directory):
        if name.endswith(".log"):
            with open(os.path.join(s.directory, name), encoding="utf-8", errors="replace") as f:
                seen[name] = f.read()
    check(len(tokens) >= 4, "tokens were given")
    needles = list(SECRETS.values()) + [ERP.split()[1], BROKER] + [part for t in tokens for part in (t, t.split(".")[2])] + PERSONAL
    found = [f"{n!r} in {where}" for where, text in seen.items() for n in needles if n in text]
    if found:
        raise Failed("secrets or personal data are shown: " + "; ".join(found[:10]))


if __name__ == "__main__":
    main(test, __doc__, erp=("--authorization", ERP),
         xsale=("--client-secret", SECRETS["client_secret"], "--password", SECRETS["password"]))
