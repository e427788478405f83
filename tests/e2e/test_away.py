"""Every command of order-replay while Kafka refuses, has no such name, or takes connections and answers nothing, and while the schema registry does that: each ends with the right
exit code and one message that says what is known and what there is to do."""
import os
import socket
import subprocess
import threading

from harness import check, equal, main

ORDER = "100001"
COMMANDS = {"explain": [ORDER], "reconcile": [], "waiting": [], "tail": ["--from", "beginning"], "redrive": ["--yes"], "resend": [ORDER, "--yes"],
            "rewind": ["--warehouse", "MAG-1", "--to", "beginning", "--dry-run"]}
REGISTRY = (1, "without the schema registry the records cannot be read")
# Where no schema is needed, or what cannot be read is shown as such.
CASES = {"refused": dict.fromkeys(COMMANDS, (1, "nothing listens there")), "unknown": dict.fromkeys(COMMANDS, (1, "there is no such host")),
         "deaf": dict.fromkeys(COMMANDS, (1, "frozen, overloaded or cut off")),
         "registry": {**dict.fromkeys(COMMANDS, REGISTRY), "tail": (0, None), "redrive": (0, None), "rewind": (0, None)}}


class Deaf:
    """Takes connections and says nothing."""

    def __init__(self):
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=50)
        self.port = self.listener.getsockname()[1]
        self.open = []
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        while True:
            try:
                self.open.append(self.listener.accept()[0])
            except OSError:
                return

    def close(self):
        self.listener.close()
        for s in self.open:
            s.close()


class Closed:
    """A port where nobody listens, and nobody else can."""

    def __init__(self):
        self.socket = socket.socket()
        self.socket.bind(("127.0.0.1", 0))
        self.port = self.socket.getsockname()[1]

    def close(self):
        self.socket.close()


def test(s):
    deaf, closed = s.part(Deaf()), s.part(Closed())
    s.write_config()
    s.start()
    s.generate(3)
    s.settled(60)
    s.stop()
    settings = {"refused": f"kafka.bootstrap.servers=127.0.0.1:{closed.port}", "unknown": "kafka.bootstrap.servers=no-such-host.invalid:9092",
                "deaf": f"kafka.bootstrap.servers=127.0.0.1:{deaf.port}", "registry": f"registry.url=http://127.0.0.1:{deaf.port}"}
    running = {(case, name): subprocess.Popen([os.path.join(s.build, "consumer/order-replay"), name, "-c", s.config_file, "-X", settings[case], *words], stdin=subprocess.DEVNULL,
                                              stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
               for case in CASES for name, words in COMMANDS.items()}
    for (case, name), process in running.items():
        _, said = process.communicate(timeout=240)
        code, words = CASES[case][name]
        last = [line for line in said.splitlines() if "cannot go on" in line]
        equal(process.returncode, code, f"exit code of {name} ({case}), which says {said[-2000:]}")
        equal(len(last), words is not None, f"last words of {name} ({case}), which says {said[-2000:]}")
        check(words is None or words in last[0], lambda: f"{name} ({case}) says {last}")


if __name__ == "__main__":
    main(test, __doc__, clusters=("real",))
