"""Starts a simulator as a child process and speaks to its control port. The child ends when this process does (its standard input closes)."""
import http.client
import json
import os
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))


def call(url, method, path, body=None, headers=None, timeout=30):
    """-> (status, headers, bytes)"""
    host = url.removeprefix("http://").split("/")[0]
    c = http.client.HTTPConnection(host, timeout=timeout)
    try:
        c.request(method, path, body=body, headers=headers or {})
        r = c.getresponse()
        return r.status, {k.lower(): v for k, v in r.getheaders()}, r.read()
    finally:
        c.close()


class Simulator:
    def __init__(self, name, *options):
        self.process = subprocess.Popen([sys.executable, os.path.join(HERE, name + ".py"), "--stdin", *map(str, options)],
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, process_group=0)
        self.name = name
        lines = dict(self.process.stdout.readline().strip().split("=", 1) for _ in range(2))
        self.url, self.control_url = lines["url"], lines["control"]

    def raw(self, path):
        status, _, body = call(self.control_url, "GET", "/_sim/" + path)
        if status != 200:
            raise RuntimeError(f"{self.name} {path}: {status} {body[:300]!r}")
        return body

    def get(self, path):
        return json.loads(self.raw(path))

    def post(self, path, body=None, method="POST"):
        data = body if isinstance(body, bytes) else json.dumps(body if body is not None else {}).encode()
        status, _, reply = call(self.control_url, method, "/_sim/" + path, data)
        if status != 200:
            raise RuntimeError(f"{self.name} {path}: {status} {reply[:300]!r}")
        return json.loads(reply)

    def fault(self, kind, route="", **more):
        return self.post("faults", {"kind": kind, "route": route, **more})

    def only_fault(self, kind, route="", **more):
        """Instead of those before, in one step: cleared first and added then, a request may pass between the two."""
        return self.post("faults", {"kind": kind, "route": route, **more}, method="PUT")

    def clear_faults(self):
        return self.post("faults", method="DELETE")

    def down(self):
        self.post("down")

    def up(self):
        self.post("up")

    def close(self):
        if self.process.poll() is None:
            self.process.stdin.close()
            try:
                self.process.wait(10)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        self.process.stdout.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()
