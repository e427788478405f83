"""The demonstration; tests/demo starts it and says what it does."""
import argparse
import os
import re
import signal
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "e2e"))
import harness      # noqa: E402
from harness import BAD_ARTICLE, IMPORTED, MANUAL, NEW, Failed, Stack, equal, wait     # noqa: E402

COUNT, EDITED = 500, 100042
REFUSED = list(range(100010, 100490, 40))
RETRIED = REFUSED[3]


class Board:
    """What is seen while it runs: a table that is drawn over itself on a terminal, lines otherwise."""

    def __init__(self, columns):
        self.columns, self.begin, self.events = columns, time.monotonic(), []
        self.terminal = sys.stdout.isatty()
        self.drawn, self.last = 0, None

    def event(self, words):
        self.events.append(f"{time.monotonic() - self.begin:6.1f} s  {words}")
        if not self.terminal:
            print(self.events[-1], flush=True)

    def show(self, values):
        if self.terminal:
            self.draw(values)
        elif values != self.last:
            self.last = values
            print(f"{time.monotonic() - self.begin:6.1f} s  " + "  ".join(f"{c}: {v}" for c, v in zip(self.columns, values)), flush=True)

    def draw(self, values):
        lines = [f"  {c:<42}{v:>6}  {self.bar(v)}" for c, v in zip(self.columns, values)]
        lines += ["", *("  " + e for e in self.events[-8:])]
        if self.drawn:
            sys.stdout.write(f"\x1b[{self.drawn}F")
        sys.stdout.write("".join(f"\x1b[2K{row}\n" for row in lines) + "\x1b[J")
        sys.stdout.flush()
        self.drawn = len(lines)

    @staticmethod
    def bar(value):
        return "#" * (min(int(value), COUNT) * 40 // COUNT) if isinstance(value, int) else ""


def simulated(args):
    print(f"starting {'a real Kafka and registry' if args.real else 'an embedded broker'} and the simulators", flush=True)
    stack = Stack("real" if args.real else "mock")
    board = Board([f"xSale: {NEW}", "published to Kafka", "ERP documents of MAG-1", "ERP documents of MAG-2", f"xSale: {IMPORTED}", f"xSale: {MANUAL}"])
    try:
        ids = stack.generate(COUNT, refused=REFUSED, pad=4700)
        stack.erp.post("refuse", {"words": "Nieznany towar"})
        stack.erp.post("settings", {"latency": 0.6, "slow": {EDITED: 8}})
        stack.write_config(producer={"poll_interval": "1s"}, consumer={"concurrency": 16})
        stack.start()
        board.event(f"{COUNT} orders stand in '{NEW}'; the ERP does not know an article of {len(REFUSED)} of them")
        run(stack, board)
        refused = [i for i in REFUSED if i != RETRIED]
        stack.verify(ids, refused, {RETRIED: [(MANUAL, "api"), (NEW, "operator"), (IMPORTED, "api")]})
        equal(stack.edits(EDITED), [1] * len(stack.mix(EDITED)), "edits of the edited order's documents")
        print(f"\nEverything is right: {COUNT} orders, {len(stack.documents())} documents, one for each order and warehouse; {COUNT - len(refused)} in "
              f"'{IMPORTED}', {len(refused)} in '{MANUAL}', no status set twice.", flush=True)
        if args.keep:
            keep(stack)
        stack.stop()
    except Failed as e:
        stack.tails()
        print(f"\nNOT right: {e}", flush=True)
        return 1
    finally:
        stack.close()
    return 0


def run(stack, board):
    edited = retried = False
    end = time.monotonic() + 180
    while True:
        stack.all_alive()
        counts, erp = stack.xsale.get("counts"), stack.erp.get("summary")
        per = erp["perWarehouse"]
        board.show([counts[NEW], stack.producer.published(), per.get("MAG-1", 0), per.get("MAG-2", 0), counts[IMPORTED], counts[MANUAL]])
        if not edited and stack.in_hand(EDITED):
            edited = True
            stack.edit(EDITED)
            board.event(f"the customer service edits order {EDITED} while it is being loaded")
        if edited and not retried and stack.xsale.get(f"orders/{RETRIED}")["status"] == status_id(stack, MANUAL):
            retried = True
            stack.xsale.post(f"orders/{RETRIED}/edit", {"replace": [[BAD_ARTICLE, "POPRAWNY-01"]]})
            stack.xsale.post(f"orders/{RETRIED}/status", {"status": NEW})
            board.event(f"an operator corrects the refused order {RETRIED} and sets it back to '{NEW}'")
        if retried and counts[NEW] == 0 and all(stack.edits(EDITED)):
            return
        if time.monotonic() > end:
            raise Failed("the orders did not come to an end within 180 s")
        time.sleep(0.25 if board.terminal else 1)


def status_id(stack, name):
    return next(int(i) for i, n in stack.xsale.get("statuses").items() if n == name)


def keep(stack):
    print(f"\nIt goes on running until you press Ctrl-C. Look at:\n"
          f"  configuration and logs   {stack.directory}\n"
          f"  Kafka                    {stack.kafka.bootstrap}\n"
          f"  schema registry          {stack.registry.url}/subjects\n"
          f"  xSale simulator          {stack.xsale.control_url}/_sim/orders  /_sim/changes  /_sim/counts\n"
          f"  ERP simulator            {stack.erp.control_url}/_sim/documents  /_sim/summary", flush=True)
    for p in stack.programs.values():
        print(f"  {p.name:<24} http://127.0.0.1:{p.port}/readyz  /metrics")
    print(f"  set an order back:       curl -d '{{\"status\": \"{NEW}\"}}' {stack.xsale.control_url}/_sim/orders/{REFUSED[0]}/status", flush=True)
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT, signal.SIGTERM})
    signal.sigwait({signal.SIGINT, signal.SIGTERM})
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT, signal.SIGTERM})


def sections(path, names):
    """The lines of these sections of an ini file, as they are."""
    lines, inside = [], False
    with open(path, encoding="utf-8") as f:
        for line in f:
            header = re.match(r"\s*\[([^\]]+)\]", line)
            if header:
                inside = header[1].strip() in names
            if inside:
                lines.append(line if line.endswith("\n") else line + "\n")
    return "".join(lines)


def own_account(args):
    config = os.path.join(args.came_from, args.config)
    if not os.access(config, os.R_OK):
        print(f"{args.config} cannot be read")
        return 2
    stack = Stack("real" if args.real else "mock", warehouses=())
    stack.working = args.came_from      # *_file keys are relative to where the user stands
    orders = os.path.abspath(os.path.join(args.came_from, args.orders))
    # What FILE says about other brokers, registries and ERPs must not count here, nor what the environment says.
    for name in list(os.environ):
        if name.startswith("BRIDGE_") and not name.startswith(("BRIDGE_XSALE_", "BRIDGE_PRODUCER_", "BRIDGE_WAREHOUSES_", "BRIDGE_LOG_", "BRIDGE_UPDATER_")):
            del os.environ[name]
    with open(stack.config_file, "w", encoding="utf-8") as f:
        f.write(sections(config, ("xsale", "producer", "warehouses", "updater")))
        f.write(f"\n[kafka]\nbootstrap.servers = {stack.kafka.bootstrap}\n[kafka.consumer]\nsession.timeout.ms = 6000\n[registry]\nurl = {stack.registry.url}\n[erp]\nsink = file\n"
                f"[erp.file]\ndirectory = {orders}\n")
    consumer = stack.program("erp-consumer", "consumer")
    try:
        for p in (stack.producer, stack.updater if args.set_status else None, consumer):
            code, text = p.run("--check-config") if p else (0, "")
            if code:
                print(text.strip())
                return 2
        os.makedirs(orders, exist_ok=True)
        consumer.start()
        stack.producer.start("--once")
        print(f"reading the orders of your account into {orders}; nothing is changed in xSale" +
              (" but the status of loaded orders" if args.set_status else ""), flush=True)
        if args.set_status:
            stack.updater.start()
        files = lambda: sum(n.endswith(".json") for _, _, names in os.walk(orders) for n in names)
        board = Board(["published to Kafka", "files"])
        while stack.producer.alive():
            board.show([stack.producer.published(), files()])
            time.sleep(1)
            if not consumer.alive():
                raise Failed("erp-consumer ended")
        equal(stack.producer.process.returncode, 0, "exit code of xsale-producer")
        equal(consumer.stop(), 0, "exit code of erp-consumer")
        equal(consumer.start("--until-end").process.wait(300), 0, "exit code of erp-consumer --until-end")
        if args.set_status:
            equal(stack.updater.stop(), 0, "exit code of status-updater")
            equal(stack.updater.start("--until-end").process.wait(3600), 0, "exit code of status-updater --until-end")
        board.show(["all", files()])
        print(f"\n{files()} files in {orders} (they hold personal data: delete them when you have seen them)", flush=True)
        for r in stack.records("orders-dlq", decode=False):
            print(f"  {r.key}: {r.headers.get('reason', b'').decode('utf-8', 'replace')}")
        if args.keep:
            stack.producer.start()
            consumer.start()
            if args.set_status:
                stack.updater.start()
            keep(stack)
    except Failed as e:
        stack.tails()
        print(f"\nNOT right: {e}", flush=True)
        return 1
    finally:
        stack.close()
    return 0


def main():
    p = argparse.ArgumentParser(prog="tests/demo", description=__doc__)
    p.add_argument("--real", action="store_true")
    p.add_argument("--keep", action="store_true")
    p.add_argument("--set-status", action="store_true")
    p.add_argument("--orders", default="xsale-orders")
    p.add_argument("-c", dest="config")
    p.add_argument("--from", dest="came_from", default=os.getcwd())
    args = p.parse_args()
    for s in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(s, lambda *_: sys.exit(1))
    try:
        sys.exit(own_account(args) if args.config else simulated(args))
    except KeyboardInterrupt:
        sys.exit(130)


if __name__ == "__main__":
    main()
