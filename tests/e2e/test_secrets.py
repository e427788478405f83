"""Canaries: no secret, token or personal data in a log line, in /metrics, /readyz, /orders, --print-config, /proc/PID/cmdline or environ, on the page of order-replay serve or in what
its other commands print, whatever goes wrong; and a program that is killed by SIGSEGV or SIGABRT leaves no core, wherever cores go on this machine."""
import os
import resource
import signal
import subprocess
import time

from harness import Failed, check, equal, main, services, wait
from simulator import call

SECRETS = {"client_secret": "canary-client-secret-7f3a", "password": "canary-password-91bc"}
ERP = "Bearer canary-erp-authorization-55d0"
BROKER = "canary-broker-password-c0fe"
PAGE = "canary-page-token-0123456789-aa17"
WHOLE = "order-replay tail --from beginning --json"       # of all that is printed the only one that shows records as they are
PERSONAL = ["klient", "Gżegżółka", "Brzęczyszczykiewicz", "5252248481", "+48 600", "Proszę dzwonić"]


def shown(p):
    """What the kernel shows of a process, and whether it would leave a core."""
    read = lambda name: open(f"/proc/{p.process.pid}/{name}", "rb").read().decode("utf-8", "replace")
    core = next(line.split() for line in read("limits").splitlines() if line.startswith("Max core file size"))
    equal(core[4:6], ["0", "0"], f"core size of {p.name}")
    equal(os.stat(f"/proc/{p.process.pid}/environ").st_uid, 0, f"owner of what {p.name} shows in /proc")
    return {f"{p.name}'s {name}": read(name) for name in ("cmdline", "environ")}


def replay(s, *words):
    return [os.path.join(s.build, "consumer/order-replay"), words[0], "-c", s.config_file, f"-Xkafka.sasl.password={BROKER}", "-X", f"http.page_token={PAGE}", *words[1:]]


def printed(s, orders):
    """What order-replay's commands print, by command."""
    seen = {}
    for words in (["explain", *orders[:1]], ["explain", *orders[1:2]], ["waiting"], ["reconcile", "--from", "1h"], ["tail", "--from", "beginning"]):
        for more in ([], ["--json"]):
            r = subprocess.run(replay(s, *words, *more), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, encoding="utf-8", cwd=s.working, timeout=90)
            check(r.returncode in (0, 3), f"order-replay {words + more}: {r.returncode}, {r.stdout[-2000:]}")
            seen[f"order-replay {' '.join(words + more)}"] = r.stdout
    r = subprocess.run(replay(s, "waiting", "--print-config"), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, cwd=s.working, timeout=60)
    seen["order-replay --print-config"] = r.stdout
    return seen


def pages(s, orders):
    """What the page of serve shows, with every answer, and what the kernel shows of it."""
    port, seen = services.free_port(), {}
    p = subprocess.Popen(replay(s, "serve", "--listen", f"127.0.0.1:{port}", "--every", "1s"), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                         cwd=s.working, preexec_fn=services.die_with_parent, process_group=0)
    try:
        first = ""
        while f"http://127.0.0.1:{port}" not in first:
            first += p.stdout.readline() or check(False, f"serve says where it is: {first}")
        url, credential = f"http://127.0.0.1:{port}", {"Authorization": f"Bearer {PAGE}"}

        def page(path, headers=credential):
            status, got, body = call(url, "GET", path, headers=headers)
            seen[f"serve {path} {status}"] = f"{got} {body.decode('utf-8')}"
            return seen[f"serve {path} {status}"]

        wait("the page has its figures", 60, lambda: "No order waits" in page("/"), 0.3)
        for path in [f"/order?q={o}" for o in orders] + ["/reconcile?from=2h&to="]:
            wait(f"an answer at {path}", 60, lambda path=path: "As the topics stood" in page(path), 0.3)
        for path in ("/icon-well.svg", "/nowhere", "/order"):
            page(path)
        page("/", {})       # refused
        page("/", {"Authorization": f"Bearer {PAGE}x"})
        for name in ("cmdline", "environ"):
            with open(f"/proc/{p.pid}/{name}", "rb") as f:
                seen[f"serve's {name}"] = f.read().decode("utf-8", "replace")
        p.terminate()
        equal(p.wait(30), 0, "exit code of serve")
        seen["serve's output"] = first + p.stdout.read()
    finally:
        p.kill()
        p.wait()
        p.stdout.close()
    return seen


def killed_by(command, environment, number, directory, ready):
    """-> (did the kernel say that a core was dumped, files that are new in its directory), where as much may be dumped as there is."""
    before = set(os.listdir(directory))
    most = resource.getrlimit(resource.RLIMIT_CORE)[1]
    p = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd=directory, env=environment, process_group=0,
                         preexec_fn=lambda: (services.die_with_parent(), resource.setrlimit(resource.RLIMIT_CORE, (most, most))))
    wait("it runs", 60, ready, 0.05)
    p.send_signal(number)
    found = os.waitid(os.P_PID, p.pid, os.WEXITED | os.WNOWAIT)
    p.wait()
    equal((p.returncode, found.si_status), (-number, number), "what ended it")
    return found.si_code == os.CLD_DUMPED, set(os.listdir(directory)) - before


def no_core(s):
    directory = os.path.join(s.directory, "cores")
    os.mkdir(directory)
    dumps, _ = killed_by(["sleep", "60"], None, signal.SIGSEGV, directory, lambda: time.sleep(0.3) or True)
    print(f"another program dumps core here: {'yes' if dumps else 'no'}, to {open('/proc/sys/kernel/core_pattern', encoding='utf-8').read().strip()!r}", flush=True)
    s.working = directory
    serve = replay(s, "serve", "--listen", f"127.0.0.1:{(port := services.free_port())}")

    def listening():
        try:
            return call(f"http://127.0.0.1:{port}", "GET", "/")[0]
        except OSError:
            return 0

    for number in (signal.SIGSEGV, signal.SIGABRT):
        for name, command, environment, ready in [(p.name, p.command(), p.environment, lambda p=p: p.http("/livez")[0]) for p in s.programs.values()] + [("order-replay serve", serve, None, listening)]:
            equal(killed_by(command, environment, number, directory, ready), (False, set()), f"core dumped by {name} at signal {int(number)}, and new files")
    s.working = s.directory


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
        for path in ("/metrics", "/readyz", "/livez", "/orders"):
            seen[f"{p.name} {path}"] = p.http(path)[1]
        code, text = p.run("--print-config")
        equal(code, 0, f"{p.name} --print-config")
        check("********" in text, f"{p.name} --print-config masks")
        seen[f"{p.name} --print-config"] = text
    asked = ["100010", "100001", "5"]
    seen.update(printed(s, asked))
    seen.update(pages(s, asked))
    s.stop()
    no_core(s)
    for name in os.listdir(s.directory):
        if name.endswith(".log"):
            with open(os.path.join(s.directory, name), encoding="utf-8", errors="replace") as f:
                seen[name] = f.read()
    check(len(tokens) >= 4, "tokens were given")
    secrets = [*SECRETS.values(), ERP.split()[1], BROKER, PAGE] + [part for t in tokens for part in (t, t.split(".")[2])]
    found = [f"{n!r} in {where}" for where, text in seen.items() for n in secrets + ([] if where == WHOLE else PERSONAL) if n in text]
    if found:
        raise Failed("secrets or personal data are shown: " + "; ".join(found[:10]))


if __name__ == "__main__":
    main(test, __doc__, erp=("--authorization", ERP),
         xsale=("--client-secret", SECRETS["client_secret"], "--password", SECRETS["password"]))
