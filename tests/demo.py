"""The demonstration; tests/demo starts it and says what it does."""
import argparse
import os
import shlex
import signal
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "e2e"))
import demo_account      # noqa: E402
from demo_board import Board      # noqa: E402
from harness import BAD_ARTICLE, IMPORTED, MANUAL, NEW, Failed, Stack, equal     # noqa: E402

COUNT, EDITED = 500, 100042
REFUSED = list(range(100010, 100490, 40))
RETRIED = REFUSED[3]


def simulated(args):
    print(f"starting {'a real Kafka and registry' if args.real else 'an embedded broker'} and the simulators", flush=True)
    stack = Stack("real" if args.real else "mock", build=args.build)
    board = Board([f"xSale: {NEW}", "published to Kafka", "ERP documents of MAG-1", "ERP documents of MAG-2", f"xSale: {IMPORTED}", f"xSale: {MANUAL}"], COUNT)
    try:
        ids = stack.generate(COUNT, refused=REFUSED, pad=4700)
        stack.erp.post("refuse", {"words": "Nieznany towar"})
        stack.erp.post("settings", {"latency": 0.6, "slow": {EDITED: 9}})
        # Complete by itself, so that the programs' commands work as --keep prints them.
        stack.write_config(producer={"poll_interval": "1s"}, consumer={"concurrency": 16, "warehouse": "MAG-1"},
                           http={"producer_port": stack.producer.port, "updater_port": stack.updater.port, "consumer_port": stack.consumers[0].port})
        stack.start()
        board.event(f"{COUNT} orders stand in '{NEW}'; the ERP does not know an article of {len(REFUSED)} of them")
        run(stack, board)
        refused = [i for i in REFUSED if i != RETRIED]
        stack.verify(ids, refused, {RETRIED: [(MANUAL, "api"), (NEW, "operator"), (IMPORTED, "api")]})
        equal(stack.edits(EDITED), [1] * len(stack.mix(EDITED)), "edits of the edited order's documents")
        board.say(f"\nEverything is right: {COUNT} orders, {len(stack.documents())} documents, one for each order and warehouse; {COUNT - len(refused)} in "
              f"'{IMPORTED}', {len(refused)} in '{MANUAL}', no status set twice.")
        if args.keep:
            noted = set()
            keep(stack, board, lambda: show(stack, board, lambda: note_ended(stack, board, noted)), things_to_try(stack, args.real))
        stack.stop()
    except Failed as e:
        stack.tails()
        stack.kept = True
        print(f"\nThe programs' logs are in {stack.directory}\nNOT right: {e}", flush=True)
        return 1
    finally:
        stack.close()
    return 0


def note_ended(stack, board, noted):
    """With --keep whoever watches may stop a program, as `order-replay rewind` demands; one that failed is still wrong."""
    for p in stack.programs.values():
        if p.process is None or p.alive():
            continue
        if p.process.returncode:
            raise Failed(f"{p.name} ended with {p.process.returncode}")
        if p not in noted:
            noted.add(p)
            board.say(f"{p.name} was stopped; its command was: {shlex.join(p.process.args)}")


def show(stack, board, look=None):
    """-> xSale's counts. look: what to do about programs that ended, instead of failing"""
    (look or stack.all_alive)()
    counts, per = stack.xsale.get("counts"), stack.erp.get("summary")["perWarehouse"]
    board.show([counts[NEW], stack.producer.published() if stack.producer.alive() else "-", per.get("MAG-1", 0), per.get("MAG-2", 0), counts[IMPORTED], counts[MANUAL]])
    return counts


def run(stack, board):
    edited = retried = False
    end = time.monotonic() + 180
    while True:
        counts = show(stack, board)
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


def keep(stack, board, show, more=""):
    """Until Ctrl-C; show() refreshes what is seen."""
    board.say(f"\nIt goes on running until you press Ctrl-C.\n"
              f"  configuration and logs   {stack.directory}\n"
              f"  Kafka                    {stack.kafka.bootstrap}\n"
              f"  schema registry          {stack.registry.url}/subjects")
    for p in stack.programs.values():
        if p.process is not None:
            board.say(f"  {p.name:<24} http://127.0.0.1:{p.port}/readyz  /metrics")
    there = "" if stack.working == stack.directory else f"cd {shlex.quote(stack.working)} && "    # its file names count from there
    board.say(f"  settings in effect       {there}{stack.producer.path} -c {stack.config_file} --print-config")
    board.say(more)
    signals = {signal.SIGINT, signal.SIGTERM, signal.SIGHUP}
    signal.pthread_sigmask(signal.SIG_BLOCK, signals)
    while signal.sigtimedwait(signals, 1) is None:
        show()
    signal.pthread_sigmask(signal.SIG_UNBLOCK, signals)
    board.say("stopping")


def things_to_try(stack, real):
    xsale, erp, order = stack.xsale.control_url, stack.erp.control_url, REFUSED[0]
    replay, consumer = os.path.join(stack.build, "consumer/order-replay"), stack.consumers[0]
    rewind = (f"Load again what MAG-1 got in the last hour: stop its consumer, rewind it, start it again (its ERP keeps the documents it has).\n"
              f"  kill {consumer.process.pid}\n"
              f"  {replay} rewind -c {stack.config_file} --warehouse MAG-1 --to 1h" if real else
              "(order-replay rewind, which loads again what the ERP has lost, needs a real Kafka: tests/demo --real --keep)")
    return f"""  xSale simulator          {xsale}/_sim/orders  /_sim/changes  /_sim/counts
  ERP simulator            {erp}/_sim/documents  /_sim/summary

Correct an order that the ERP refused and set it back, as an operator would: it goes from '{MANUAL}' to '{IMPORTED}' and MAG-1 has one document more.
  curl -d '{{"replace": [["{BAD_ARTICLE}", "POPRAWNY-01"]]}}' {xsale}/_sim/orders/{order}/edit
  curl -d '{{"status": "{NEW}"}}' {xsale}/_sim/orders/{order}/status
Stop the ERP, let 30 more orders come, and start it again: they are published and wait (/readyz of the consumers says for what), none is refused, then all are loaded.
  curl -X POST {erp}/_sim/down
  curl -d '{{"count": 30, "first": 200001, "warehouses": [["MAG-1"], ["MAG-1", "MAG-2"]]}}' {xsale}/_sim/generate
  curl -X POST {erp}/_sim/up
Read the life of an order, from its first record to its status.
  {replay} explain -c {stack.config_file} {RETRIED}
{rewind}
"""


def main():
    p = argparse.ArgumentParser(prog="tests/demo", description=__doc__)
    p.add_argument("--real", action="store_true")
    p.add_argument("--keep", action="store_true")
    p.add_argument("--set-status", action="store_true")
    p.add_argument("--orders", default="xsale-orders")
    p.add_argument("-c", dest="config")
    p.add_argument("--from", dest="came_from", default=os.getcwd())
    p.add_argument("--patience", type=float, default=30, help="seconds without an answer that is any good")
    p.add_argument("--build", help="of a build elsewhere: for tests")
    args = p.parse_args()
    for s in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(s, lambda *_: sys.exit(1))
    try:
        sys.exit(demo_account.run(args, keep) if args.config else simulated(args))
    except KeyboardInterrupt:
        sys.exit(130)


if __name__ == "__main__":
    main()
