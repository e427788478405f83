"""tests/demo -c FILE as somebody with an account of their own meets it: files, statuses only when asked for, a second run, and what is wrong said in the last line."""
import os
import re
import signal
import subprocess
import sys

import harness
from harness import IMPORTED, MANUAL, NEW, TESTS, Failed, check, equal, main, services

FILE = """; kept out: another broker, another ERP
[kafka]
bootstrap.servers = nowhere.invalid:9092
no.such.property = 1
[xsale]
api_url = {api}
auth_url = {auth}/oauth/token
organization = {organization}
client_id = abc
client_secret = simulated-client-secret
username = erp@example.pl
password_file = {password}
insecure = true
{line14}
new_statuses = {status}
[producer]
requests_per_minute = 60000
poll_interval = 500ms
[updater]
requests_per_minute = 60000
[erp]
sink = fax"""


class User:
    def __init__(self, s):
        self.s, self.home = s, os.path.join(s.directory, "home")
        os.makedirs(self.home)
        self.put("password", "simulated-password\n")

    def put(self, name, text):
        with open(os.path.join(self.home, name), "w", encoding="utf-8") as f:
            f.write(text)

    def start(self, *options, **settings):
        values = {"api": self.s.xsale.url, "auth": self.s.xsale.url, "organization": "acme", "password": "password", "line14": "", "status": NEW, **settings}
        self.put("mine.ini", FILE.format(**values))
        command = [sys.executable, os.path.join(TESTS, "demo.py"), "--from", self.home, "--build", self.s.build, "-c", "mine.ini", *options]
        environment = {**os.environ, "BRIDGE_KAFKA_BOOTSTRAP_SERVERS": "nowhere.invalid:9092", "TMPDIR": self.s.directory}
        return subprocess.Popen(command, cwd=self.s.directory, env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                                encoding="utf-8", preexec_fn=services.die_with_parent)

    def demo(self, *options, **settings):
        """-> (exit code, what it said)"""
        p = self.start(*options, **settings)
        text = p.communicate(timeout=200)[0]
        return p.returncode, text

    def files(self, directory="xsale-orders"):
        return sorted(os.listdir(os.path.join(self.home, directory)))


def number(text, words):
    found = re.findall(re.escape(words) + r": (\d+)", text)
    check(found, lambda: f"'{words}' with a number is not in:\n{text}")
    return int(found[-1])


def reads_and_changes_nothing(s, u):
    code, text = u.demo()
    equal(code, 0, f"exit code, after {text}")
    equal((number(text, "orders published"), number(text, "files written"), len(u.files())), (6, 8, 8), f"orders and files of {text}")
    equal(number(text, "cannot be taken over as they are"), 1, "orders that cannot become a record")
    check("acme/300001: " in text, lambda: f"the order that cannot be taken over is not explained:\n{text}")
    equal(s.xsale.get("changes"), [], "status changes without --set-status")


def read_until(p, words):
    """What it says up to a line with these words."""
    text = ""
    for line in p.stdout:
        text += line
        if words in line:
            return text
    raise Failed(f"ended without a line with '{words}':\n{text}")


def goes_on(s, p):
    """--keep: the table shows what comes; the command that it prints works; Ctrl-C ends it in order."""
    where = read_until(p, "settings in effect")
    command = where.rpartition("settings in effect")[2].strip()
    r = subprocess.run(command, shell=True, cwd="/", stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=60)
    check(r.returncode == 0 and "simulated-password" not in r.stdout, lambda: f"{command} says {r.stdout}")
    s.xsale.post("generate", {"count": 1, "first": 200001, "warehouses": [["MAG-1"]]})
    read_until(p, "orders published to Kafka: 7  files written: 9  statuses settled: 8")
    p.send_signal(signal.SIGINT)
    text = p.communicate(timeout=120)[0]
    equal(p.returncode, 0, f"exit code after Ctrl-C, which says {text}")


def counts_only_its_own_files(s, u):
    u.put("xsale-orders/theirs.json", "{}")
    p = u.start("--set-status", "--keep")
    text = read_until(p, "It goes on running")
    equal((number(text, "files written"), number(text, "before, not counted")), (8, 1), f"files of {text}")
    check("(8 of them in place of older ones)" in text, lambda: f"files that were written over are not told:\n{text}")
    equal((number(text, f"orders set to '{IMPORTED}'"), number(text, f"orders set to '{MANUAL}'")), (6, 1), "statuses")
    equal((s.xsale.get("counts")[NEW], len(s.xsale.get("changes"))), (0, 7), "orders left and status changes in xSale")
    goes_on(s, p)


def says_what_is_wrong(s, u):
    u.put("wrong", "no-such-password\n")
    for settings, words in (({"password": "wrong"}, "Wrong email or password"), ({"organization": "acne"}, "is xsale.organization right?"),
                            ({"status": "Neue"}, f"there is no status 'Neue'; there are: {NEW}"), ({"api": "http://127.0.0.1:1"}, "Failed to connect"),
                            ({"line14": "envelope = /Items"}, 'no array of orders at "/Items"'), ({"line14": "array_style = brackets"}, "xsale.array_style")):
        code, text = u.demo("--patience", "5", **settings)
        last = text.splitlines()[-1]
        equal(code, 1, f"exit code with {settings}, after {text}")
        check(last.startswith("NOT done: xsale-producer") and words in last, lambda: f"with {settings} the last line is not about it:\n{text}")
        logs = re.search(r"logs are in (\S+)", text)
        check(logs and "producer.log" in os.listdir(logs[1]), lambda: f"no directory with logs is named:\n{text}")
        check("bridge.ini" not in os.listdir(logs[1]), "what holds FILE's passwords stays behind")


def refuses_what_cannot_work(s, u):
    code, text = u.demo(line14="timeout = 30 parsecs")
    equal((code, text.splitlines()[-1].split(" ")[0]), (2, "mine.ini:14:"), f"exit code and place of a wrong value in {text}")
    os.mkfifo(os.path.join(u.home, "pipe"))
    with subprocess.Popen(["sh", "-c", "cat mine.ini > pipe"], cwd=u.home):     # as -c <(...) does
        code, text = u.demo("-c", "pipe", line14="timeout = 30 parsecs")
    equal((code, text.splitlines()[-1].split(" ")[0]), (2, "pipe:14:"), f"exit code and place of a wrong value from a pipe in {text}")
    code, text = u.demo("--orders", "password")
    equal((code, "--orders password" in text, "Traceback" in text), (2, True, False), f"--orders with the name of a file: {text}")
    for arguments in (["-c", "/nonexistent/mine.ini"], ["--set-status"], ["--orders", "x"], ["-c", "mine.ini", "--orders", "password"]):
        r = subprocess.run([os.path.join(TESTS, "demo"), *arguments], cwd=u.home, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                           timeout=60)
        equal((r.returncode, len(r.stdout.splitlines())), (2, 1), f"tests/demo {arguments} says {r.stdout}")


def one_list_of_sections():
    sys.path.insert(0, TESTS)
    import demo_account
    sentence = " and ".join(", ".join(f"[{n}]" for n in demo_account.TAKEN).rsplit(", ", 1))
    for path in ("tests/demo", "README.md"):
        with open(os.path.join(harness.ROOT, path), encoding="utf-8") as f:
            text = " ".join(f.read().replace("`", "").replace("#", "").split())
        check(sentence in text, f"{path} does not say that the demonstration takes {sentence}")


def test(s):
    one_list_of_sections()
    s.xsale.post("generate", {"count": 6, "first": 100001, "warehouses": harness.MIXES})
    s.xsale.post("orders/300001/raw", b'{"Id": 300001, "StatusId": @STATUS_ID@, "StatusName": @STATUS_NAME@, "PurchaseDate": "2026-11-20", "Items": []}')
    u = User(s)
    reads_and_changes_nothing(s, u)
    counts_only_its_own_files(s, u)
    says_what_is_wrong(s, u)
    refuses_what_cannot_work(s, u)


if __name__ == "__main__":
    main(test, __doc__, clusters=("mock",))
