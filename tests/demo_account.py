"""tests/demo -c FILE: the orders of somebody's own xSale account as files, and with --set-status their statuses back."""
import difflib
import json
import os
import re
import time

from demo_board import Board, Complaints
from harness import Failed, Stack, equal

NO_NEWS = ("answers no admin requests",)    # the embedded broker never does

TAKEN = ("xsale", "producer", "warehouses", "updater")      # sections of FILE, and BRIDGE_... of the environment; README and tests/demo name them too
LISTED = 20
SETTLED = ("set", "already", "left_alone", "gone")


class Wrong(Exception):
    """Something that the user has to put right before anything is started."""


def own_part(path):
    """FILE without the sections that are not taken; their lines stay as empty ones, so that every other line keeps its number. A section whose name is nearly
    right stays too: it is wrong, and the programs say so."""
    lines, inside = [], True
    with open(path, encoding="utf-8", errors="surrogateescape") as f:
        for line in f:
            head = re.match(r"\[([^\]\n]*)(\]?)", line)
            if head:
                inside = not head[2] or bool(difflib.get_close_matches(head[1].strip(), TAKEN, 1, 0.8))
            lines.append(line.rstrip("\n") + "\n" if inside else "\n")
    return "".join(lines)


class Files:
    """The JSON files of a directory, told apart from those that were there before."""

    def __init__(self, directory):
        self.directory = directory
        self.before = self.there()

    def there(self):
        found = {}
        with os.scandir(self.directory) as entries:
            for e in entries:
                if e.name.endswith(".json") and not e.name.endswith(".withdrawn.json"):
                    found[e.name] = e.stat().st_ino, e.stat().st_mtime_ns
        return found

    def written(self):
        """-> how many are new, how many were written over"""
        now = self.there()
        over = sum(name in self.before and self.before[name] != mark for name, mark in now.items())
        return len(now.keys() - self.before.keys()), over

    def words(self):
        new, over = self.written()
        old = len(self.before) - over
        text = f"files written: {new + over}, one for each order and warehouse, in {self.directory}"
        text += f" ({over} of them in place of older ones)" if over else ""
        return text + (f"; older ones that were there before, not counted: {old}" if old else "")


class Account:
    def __init__(self, args):
        self.args = args
        self.path = os.path.join(args.came_from, args.config)
        if not os.path.exists(self.path) or os.path.isdir(self.path) or not os.access(self.path, os.R_OK):
            raise Wrong(f"{args.config}: there is no such file that can be read")
        self.text = own_part(self.path)     # read once only: it may be a pipe
        self.files = Files(self.make_directory())
        # What FILE says about other brokers, registries and ERPs must not count here, nor what the environment says.
        for name in list(os.environ):
            if name.startswith("BRIDGE_") and not name.startswith(tuple(f"BRIDGE_{s.upper()}_" for s in TAKEN)):
                del os.environ[name]
        self.stack = Stack("real" if args.real else "mock", build=args.build, warehouses=(), simulators=False)
        self.stack.working = args.came_from     # file names in FILE count from where the user stands
        self.producer, self.updater = self.stack.producer, self.stack.updater
        self.consumer = self.stack.program("erp-consumer", "consumer")
        self.programs = [self.producer, self.consumer, *([self.updater] if args.set_status else [])]
        self.complaints = Complaints(self.programs, () if args.real else NO_NEWS)
        self.board = Board(["orders published to Kafka", "files written", *(["statuses settled"] if args.set_status else [])])
        self.published = self.statuses = 0
        self.before = 0, 0      # of both, before the programs were started last
        self.bad_since = {}     # program -> when its dependencies were last all right

    def make_directory(self):
        directory = os.path.abspath(os.path.join(self.args.came_from, self.args.orders))
        try:
            os.makedirs(directory, exist_ok=True)
        except OSError as e:
            raise Wrong(f"--orders {self.args.orders}: no directory of this name can be made: {e.strerror}") from None
        if not os.access(directory, os.R_OK | os.W_OK | os.X_OK):
            raise Wrong(f"--orders {self.args.orders}: files cannot be written there")
        return directory

    def configure(self):
        stack = self.stack
        ports = "".join(f"{key} = {p.port}\n" for key, p in (("producer_port", self.producer), ("updater_port", self.updater), ("consumer_port", self.consumer)))
        with open(stack.config_file, "w", encoding="utf-8", errors="surrogateescape") as f:
            f.write(self.text)
            f.write(f"[kafka]\nbootstrap.servers = {stack.kafka.bootstrap}\n[kafka.consumer]\nsession.timeout.ms = 6000\n[registry]\nurl = {stack.registry.url}\n"
                    f"[erp]\nsink = file\n[erp.file]\ndirectory = {self.files.directory}\n[http]\n{ports}")
        told = []
        for p in self.programs:
            code, text = p.run("--check-config")
            told += [line for line in text.splitlines() if code and line not in told]
        if told:
            raise Wrong("\n".join(told).replace(stack.config_file, self.args.config))

    def setting(self, program, section, key):
        """A value in effect."""
        inside = False
        for line in program.run("--print-config")[1].splitlines():
            inside = line == f"[{section}]" if line.startswith("[") else inside
            if inside and line.partition("=")[0].strip() == key:
                return line.partition("=")[2].strip()
        return ""

    # --- watching

    def last_words(self, program):
        with open(program.log, encoding="utf-8", errors="replace") as f:
            why = re.findall(r'cannot (?:go on|start) why=(?:"((?:[^"\\]|\\.)*)"|(\S+))', f.read())
        return re.sub(r"\\(.)", r"\1", "".join(why[-1])) if why else f"ended with {program.process.returncode}, and its log does not say why"

    def trouble(self, program):
        """What it waits for, by its /readyz; empty: nothing. `polling` is its own work: only a page that cannot be had counts."""
        body = program.http("/readyz")[1]
        rows = json.loads(body)["dependencies"].items() if body else []
        return "; ".join(f"{name}: {d.get('error') or d.get('doing') or d['state']}" for name, d in rows if d["state"] == "down" or (d["state"] != "up" and name != "polling"))

    def give_up(self):
        for p in self.programs:
            words = self.trouble(p) if p.alive() else ""
            since = self.bad_since.setdefault(p, time.monotonic())
            if not words:
                self.bad_since[p] = time.monotonic()
            elif time.monotonic() - since > self.args.patience:
                raise Failed(f"{p.program} gets nowhere for {self.args.patience} s: {words}")

    def look(self):
        if self.producer.alive():
            self.published = max(self.published, self.before[0] + self.producer.published())
        if self.updater.alive():
            m = self.updater.metrics()
            settled = sum(v for k, v in m.items() if k.startswith("xsale_bridge_status_tries_total") and any(f'"{result}"' in k for result in SETTLED))
            self.statuses = max(self.statuses, self.before[1] + int(settled))
        for words in self.complaints.new():
            self.board.event(words)
        self.board.show([self.published, sum(self.files.written()), *([self.statuses] if self.args.set_status else [])])

    def watch(self, done):
        while not done():
            self.look()
            self.give_up()
            time.sleep(0.5)
        self.look()

    def to_its_end(self, program):
        self.watch(lambda: not program.alive())
        if program.process.returncode:
            raise Failed(f"{program.program}: {self.last_words(program)}")

    # --- the three steps

    def read(self):
        self.consumer.start()
        self.producer.start("--once")
        print(f"reading the orders of your account into {self.files.directory}; in xSale nothing is changed" +
              (" but the status of orders that were read" if self.args.set_status else ""), flush=True)
        self.to_its_end(self.producer)
        self.published = self.stack.height("orders")

    def written(self):
        if not self.consumer.alive():
            raise Failed(f"erp-consumer: {self.last_words(self.consumer)}")
        m = self.consumer.metrics()
        return m.get("xsale_bridge_order_records_total", 0) >= self.published and m.get("xsale_bridge_orders_in_hand", 1) == 0

    def set_statuses(self):
        self.updater.start("--until-end")
        rate = int(self.setting(self.updater, "updater", "requests_per_minute") or 1)
        minutes = 2 * self.published // rate
        self.board.event("setting statuses" + (f": about {minutes} minutes with {rate} requests a minute, two for each order" if minutes > 0 else ""))
        try:
            self.to_its_end(self.updater)
        finally:
            self.tell_statuses()

    def tell_statuses(self):
        rows = {r.key: r.value for r in self.stack.records("order-status") if r.value}.values()
        self.statuses = sum(r["closed"] for r in rows)
        self.look()
        for wanted, key in (("IMPORTED", "imported_status"), ("MANUAL", "manual_status")):
            n = sum(r["statusSet"] == wanted for r in rows)
            self.board.say(f"orders set to '{self.setting(self.updater, 'xsale', key)}': {n}")
        left = sum(r["closed"] and r["statusSet"] == "NONE" for r in rows)
        unsettled = sum(not r["closed"] for r in rows)
        if left:
            self.board.say(f"orders left alone, because somebody had changed their status meanwhile: {left}")
        if unsettled:
            self.board.say(f"orders whose status is not settled: {unsettled}")

    def tell_files(self):
        self.board.say(f"\norders published: {self.published}; {self.files.words()}")
        if not self.published:
            self.board.say(f"no order of your account is in a new status ({self.setting(self.producer, 'xsale', 'new_statuses')}: xsale.new_statuses)")
        if sum(self.files.written()):
            self.board.say("The files hold personal data: delete them when you have seen them.")
        letters = self.stack.records("orders-dlq", decode=False)
        if letters:
            self.board.say(f"orders that cannot be taken over as they are: {len(letters)}")
        for r in letters[:LISTED]:
            self.board.say(f"  {r.key}: {r.headers.get('reason', b'').decode('utf-8', 'replace')}")
        if len(letters) > LISTED:
            self.board.say(f"  ... and {len(letters) - LISTED} more")

    def go_on(self):
        """The programs count from their start."""
        self.before = self.published, self.statuses
        self.stack.start(*self.programs)

    def run(self):
        self.configure()
        self.read()
        self.watch(self.written)
        equal(self.consumer.stop(), 0, "exit code of erp-consumer")
        self.tell_files()
        if self.args.set_status:
            self.set_statuses()


def run(args, keep):
    """The exit code. keep: called with the stack, the board and a function that refreshes it, when --keep was given and everything was right."""
    account = None
    try:
        account = Account(args)
        account.run()
        if args.keep:
            account.go_on()
            keep(account.stack, account.board, account.look)
            account.stack.stop(*account.programs)
    except Wrong as e:
        print(e, flush=True)
        return 2
    except Failed as e:
        account.stack.kept = True
        os.unlink(account.stack.config_file)    # it holds what FILE holds: passwords
        print(f"\nThe programs' logs are in {account.stack.directory}\nNOT done: {e}", flush=True)
        return 1
    finally:
        if account:
            account.stack.close()
    return 0
