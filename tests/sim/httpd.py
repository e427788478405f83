"""A small HTTP/1.1 server for simulators: strict about what it is sent, and able to answer as badly as it is told to.

A simulator gives a coroutine `handler(Request) -> Reply`. Two ports are open: the service itself, which can be taken down and
up again while the process runs, and the control port, which always answers (paths /_sim/...). Faults are kept here, one list for
every simulator: each is taken by the requests whose route matches, a number of times or with a probability.
"""
import argparse
import asyncio
import email.utils
import gzip
import json
import random
import re
import signal
import socket
import ssl
import sys
import time
import urllib.parse

HEAD_BYTES = 32 * 1024
BODY_BYTES = 16 * 1024 * 1024
REASONS = {200: "OK", 201: "Created", 204: "No Content", 302: "Found", 400: "Bad Request", 401: "Unauthorized", 403: "Forbidden",
           404: "Not Found", 405: "Method Not Allowed", 408: "Request Timeout", 409: "Conflict", 415: "Unsupported Media Type",
           422: "Unprocessable Entity", 429: "Too Many Requests", 500: "Internal Server Error", 502: "Bad Gateway",
           503: "Service Unavailable", 504: "Gateway Timeout"}


class Refused(Exception):
    """Raised by a handler: answer with this status and words."""

    def __init__(self, status, words, body=None):
        super().__init__(words)
        self.status = status
        self.body = {"error": words} if body is None else body


class Request:
    __slots__ = ("method", "target", "path", "query", "headers", "body", "route")

    def __init__(self, method, target, headers, body):
        self.method, self.target, self.headers, self.body = method, target, headers, body
        path, _, query = target.partition("?")
        self.path = urllib.parse.unquote(path, errors="strict")
        self.query = urllib.parse.parse_qsl(query, keep_blank_values=True, strict_parsing=bool(query), errors="strict")
        self.route = ""

    def header(self, name):
        return self.headers.get(name)

    def json(self, content_types=("application/json",)):
        kind = (self.headers.get("content-type") or "").split(";")[0].strip().lower()
        if kind not in content_types:
            raise Refused(415, f"content type {kind or 'missing'} is not accepted")
        try:
            return json.loads(self.body)
        except (ValueError, RecursionError):
            raise Refused(400, "the body is not JSON") from None


class Reply:
    __slots__ = ("status", "body", "headers")

    def __init__(self, status=200, body=b"", content_type="application/json", headers=None):
        self.status = status
        self.body = body if isinstance(body, bytes) else json.dumps(body, ensure_ascii=False).encode()
        self.headers = {"Content-Type": content_type, **(headers or {})}


class BadHttp(Exception):
    """Not the HTTP that a decent client speaks: answered with 400 and the connection is closed."""


class Faults:
    """What goes wrong. A fault is a JSON object:
      route        regular expression for "METHOD /path" ('' = every one)
      kind         status | hang | cut | drip | html | garbage | close | length | redirect | latency | endless
      count        how many requests it takes (absent: until it is removed)
      skip         how many matching requests pass first
      probability  0..1 (absent: 1)
      process      true: the request takes effect before its answer is spoilt (default for cut, drip, length, latency)
      status, body, retry_after (seconds as a number, or "date:SECONDS" for an HTTP date), seconds, at (bytes sent before a cut),
      by (length: how many bytes more are promised than come, -N: fewer; absent: 100)
    """
    KINDS = {"status", "hang", "cut", "drip", "html", "garbage", "close", "length", "redirect", "latency", "endless"}
    AFTER = {"cut", "drip", "length", "latency"}

    def __init__(self, seed):
        self.random = random.Random(seed)
        self.list = []

    @classmethod
    def _read(cls, spec):
        """The faults that a request names, one or a list; all of them or, if one is wrong, none."""
        read = []
        for f in spec if isinstance(spec, list) else [spec]:
            if not isinstance(f, dict) or f.get("kind") not in cls.KINDS:
                raise Refused(400, "a fault needs a known kind")
            read.append(dict(f, taken=0, seen=0, _route=re.compile(f.get("route", ""))))
        return read

    def add(self, spec):
        self.list += self._read(spec)

    def replace(self, spec):
        """In one step: no request passes between the old faults and the new ones."""
        self.list = self._read(spec)

    def show(self):
        return [{k: v for k, v in f.items() if k != "_route"} for f in self.list]

    def take(self, request):
        line = f"{request.method} {request.path}"
        for f in self.list:
            if not f["_route"].search(line):
                continue
            f["seen"] += 1
            if f["seen"] <= f.get("skip", 0) or f["taken"] >= f.get("count", 1 << 60):
                continue
            if f.get("probability", 1) < 1 and self.random.random() >= f["probability"]:
                continue
            f["taken"] += 1
            return f
        return None


def retry_after(value):
    if isinstance(value, str) and value.startswith("date:"):
        return email.utils.formatdate(time.time() + float(value[5:]), usegmt=True)
    return str(value)


class Server:
    def __init__(self, handler, control, seed=1, compress=False):
        """compress: gzip for those who accept it."""
        self.compress = compress
        self.tls = None             # ssl.SSLContext: the port speaks TLS
        self.handler, self.control = handler, control
        self.faults = Faults(seed)
        self.requests = {}          # route -> count
        self.answers = {}           # status -> count
        self.server = self.control_server = self.claim = None
        self.address, self.port = "127.0.0.1", 0
        self.writers = set()
        self.max_in_flight = self.in_flight = self.compressed = 0

    async def start(self, port):
        self.control_server = await asyncio.start_server(lambda r, w: self._serve(r, w, True), "127.0.0.1", 0, limit=HEAD_BYTES)
        self.claim = socket.socket()        # bound and never listening: while the service is down nobody else is given its port
        self.claim.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.claim.bind((self.address, port))
        self.port = self.claim.getsockname()[1]
        await self.up()

    async def up(self):
        if self.server is None:
            self.server = await asyncio.start_server(lambda r, w: self._serve(r, w, False), self.address, self.port,
                                                     limit=HEAD_BYTES, backlog=512, ssl=self.tls, reuse_address=True)

    async def down(self):
        if self.server is not None:
            self.server.close()
            self.server = None
            for w in list(self.writers):
                w.transport.abort()

    @property
    def url(self):
        return f"https://localhost:{self.port}" if self.tls else f"http://127.0.0.1:{self.port}"

    @property
    def control_url(self):
        return "http://127.0.0.1:%d" % self.control_server.sockets[0].getsockname()[1]

    async def _read(self, reader):
        try:
            head = await reader.readuntil(b"\r\n\r\n")
        except asyncio.IncompleteReadError as e:
            if e.partial:
                raise BadHttp("the head is cut") from None
            return None
        except asyncio.LimitOverrunError:
            raise BadHttp("the head is too long") from None
        try:
            lines = head[:-4].decode("latin-1").split("\r\n")
            method, target, version = lines[0].split(" ")
            headers = {}
            for line in lines[1:]:
                name, colon, value = line.partition(":")
                if not colon or not re.fullmatch(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+", name):
                    raise ValueError("bad header")
                name = name.lower()
                if name in headers and name in ("content-length", "host", "authorization", "x-id-token", "idempotency-key", "content-type"):
                    raise ValueError("header repeated")
                headers[name] = value.strip()
            if version != "HTTP/1.1" or "host" not in headers or not target.startswith("/"):
                raise ValueError("bad request line")
            if "transfer-encoding" in headers:
                body = await self._chunked(reader)
            else:
                n = int(headers.get("content-length", "0"))
                if n < 0 or n > BODY_BYTES:
                    raise ValueError("body too long")
                body = await reader.readexactly(n) if n else b""
            return Request(method, target, headers, body)
        except (ValueError, UnicodeError, asyncio.IncompleteReadError) as e:
            raise BadHttp(str(e)) from None

    @staticmethod
    async def _chunked(reader):
        body = bytearray()
        while True:
            n = int((await reader.readuntil(b"\r\n")).split(b";")[0], 16)
            if n < 0 or len(body) + n > BODY_BYTES:
                raise ValueError("body too long")
            body += await reader.readexactly(n)
            if await reader.readexactly(2) != b"\r\n":
                raise ValueError("bad chunk")
            if n == 0:
                return bytes(body)

    async def _serve(self, reader, writer, control):
        if not control:
            self.writers.add(writer)
        try:
            while True:
                try:
                    request = await self._read(reader)
                    if request is None:
                        return
                except BadHttp as e:
                    writer.write(self._bytes(Reply(400, {"error": str(e)})))
                    await writer.drain()
                    return
                if control or request.path.startswith("/_sim/"):
                    writer.write(self._bytes(await self._answer(self._control, request)))
                elif not await self._service(request, writer):
                    return
                await writer.drain()
                if request.headers.get("connection", "").lower() == "close":
                    return
        except (ConnectionError, asyncio.CancelledError):
            pass
        finally:
            self.writers.discard(writer)
            writer.close()

    async def _service(self, request, writer):
        """One request of the service; False: close the connection."""
        self.in_flight += 1
        self.max_in_flight = max(self.max_in_flight, self.in_flight)
        try:
            fault = self.faults.take(request)
            reply = None
            if fault is None or fault.get("process", fault["kind"] in Faults.AFTER):
                if fault is not None and fault["kind"] == "latency":
                    await asyncio.sleep(fault.get("seconds", 0.1))
                reply = await self._answer(self.handler, request)
                if self.compress and "gzip" in (request.header("accept-encoding") or ""):
                    reply = Reply(reply.status, gzip.compress(reply.body, 1), headers={**reply.headers, "Content-Encoding": "gzip"})
                    self.compressed += 1
            count = self.requests.setdefault(request.route or f"{request.method} {request.path}", {"requests": 0, "faults": 0})
            count["requests"] += 1
            if fault is None or fault["kind"] == "latency":
                self.answers[reply.status] = self.answers.get(reply.status, 0) + 1
                writer.write(self._bytes(reply))
                return True
            count["faults"] += 1
            return await self._spoil(fault, reply, writer)
        finally:
            self.in_flight -= 1

    async def _spoil(self, fault, reply, writer):
        kind, data = fault["kind"], self._bytes(reply) if reply is not None else b""
        head = data.find(b"\r\n\r\n") + 4
        if kind in ("status", "redirect"):
            status = fault.get("status", 302 if kind == "redirect" else 503)
            headers = {"Retry-After": retry_after(fault["retry_after"])} if "retry_after" in fault else {}
            if "location" in fault:
                headers["Location"] = fault["location"]
            body = fault.get("body", {"error": f"fault {status}"})
            writer.write(self._bytes(Reply(status, body.encode() if isinstance(body, str) else body, headers=headers)))
            return True
        if kind == "html":
            writer.write(self._bytes(Reply(fault.get("status", 200), b"<html><body><h1>Maintenance</h1></body></html>", "text/html")))
            return True
        if kind == "endless":   # white space for ever, as a body that goes on
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n")
            while True:
                writer.write(b"4000\r\n" + b" " * 0x4000 + b"\r\n")
                await writer.drain()
        if kind == "hang":
            await asyncio.sleep(fault.get("seconds", 3600))
            return False
        if kind == "close":
            writer.transport.abort()
            return False
        if kind == "garbage":
            writer.write(bytes(self.faults.random.randrange(256) for _ in range(200)))
            await writer.drain()
            return False
        if kind == "length":    # a Content-Length that promises more than comes
            writer.write(re.sub(rb"Content-Length: \d+", b"Content-Length: %d" % (len(data) - head + fault.get("by", 100)), data, count=1))
            await writer.drain()
            return False
        if kind == "cut":
            writer.write(data[:head + fault.get("at", (len(data) - head) // 2)])
            await writer.drain()
            return False
        step = max(1, (len(data) - head) // 20)     # drip
        writer.write(data[:head])
        for i in range(head, len(data), step):
            writer.write(data[i:i + step])
            await writer.drain()
            await asyncio.sleep(fault.get("seconds", 2) / 20)
        return True

    @staticmethod
    async def _answer(handler, request):
        try:
            return await handler(request)
        except Refused as e:
            return Reply(e.status, e.body)
        except Exception as e:      # a fault of the simulator must be seen, not mistaken for the service's
            import traceback
            traceback.print_exc(file=sys.stderr)
            return Reply(500, {"error": f"simulator: {e!r}"})

    async def _control(self, request):
        what = (request.method, request.path)
        if what == ("POST", "/_sim/faults"):
            self.faults.add(json.loads(request.body))
        elif what == ("PUT", "/_sim/faults"):
            self.faults.replace(json.loads(request.body))
        elif what == ("DELETE", "/_sim/faults"):
            self.faults.replace([])
        elif what == ("GET", "/_sim/faults"):
            return Reply(200, self.faults.show())
        elif what == ("GET", "/_sim/requests"):
            return Reply(200, {"routes": self.requests, "answers": self.answers, "maxInFlight": self.max_in_flight, "compressed": self.compressed})
        elif what == ("POST", "/_sim/down"):
            await self.down()
        elif what == ("POST", "/_sim/up"):
            await self.up()
        else:
            return await self.control(request)
        return Reply(200, {})

    @staticmethod
    def _bytes(reply):
        head = [f"HTTP/1.1 {reply.status} {REASONS.get(reply.status, 'Status')}"]
        head += [f"{k}: {v}" for k, v in reply.headers.items()]
        head.append(f"Content-Length: {len(reply.body)}")
        return "\r\n".join(head).encode("utf-8") + b"\r\n\r\n" + reply.body


CONTROL = """The two addresses are printed at the start: url=... of the service, control=... of the control port, which always answers. Control, of every simulator:
  GET    /_sim/requests                how often each route was asked
  POST   /_sim/down, /_sim/up          the service's port is closed, opened again
  GET, POST, DELETE /_sim/faults       what goes wrong (PUT: instead of what went wrong before), for example
         curl -d '{"route": "^GET", "kind": "status", "status": 503, "retry_after": 5, "count": 3}' $control/_sim/faults
         kind: status, hang, cut, drip, html, garbage, close, length, redirect, latency; more fields: tests/sim/httpd.py, class Faults
and of this one:
"""


class Help(argparse.ArgumentDefaultsHelpFormatter, argparse.RawDescriptionHelpFormatter):
    """Every default is shown, and the texts keep their lines."""

    def _get_help_string(self, action):
        shown = action.default not in ("", [], None) and not isinstance(action.default, bool)
        return super()._get_help_string(action) if shown else action.help


def options(description, control):
    """control: a line for each path of the simulator's own."""
    p = argparse.ArgumentParser(description=description, epilog=CONTROL + control, formatter_class=Help)
    p.add_argument("--port", type=int, default=0, help="of the service; 0: a free one")
    p.add_argument("--address", default="127.0.0.1", help="of the service; another one only inside a container")
    p.add_argument("--stdin", action="store_true", help="end when standard input closes")
    p.add_argument("--seed", type=int, default=1, help="of what is random")
    p.add_argument("--certificate", help="PEM file of certificate and key: the port speaks TLS")
    return p


async def _run(server, args, background):
    if args.certificate:
        server.tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        server.tls.load_cert_chain(args.certificate)
    server.address = args.address
    await server.start(args.port)
    print(f"url={server.url}", flush=True)
    print(f"control={server.control_url}", flush=True)
    loop, end = asyncio.get_running_loop(), asyncio.Event()
    for s in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(s, end.set)
    if args.stdin:
        def closed():
            if not sys.stdin.buffer.raw.read(4096):
                loop.remove_reader(0)
                end.set()
        loop.add_reader(0, closed)
    task = asyncio.create_task(background()) if background else None
    await end.wait()
    if task:
        task.cancel()
    await server.down()


def run(server, args, background=None):
    """Serves until SIGTERM, SIGINT or (with --stdin) the end of standard input; never returns."""
    asyncio.run(_run(server, args, background))
    sys.stdout.flush()
    import os
    os._exit(0)     # connections that hang on purpose must not hold up the end
