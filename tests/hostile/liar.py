"""A proxy before an HTTP server that gives right answers, until it is told how many shall be wrong. What is wrong with one is drawn from KINDS by the seed: bytes that
are no HTTP, HTTP that is none, right HTTP around wrong JSON, and the server's own answer with a value, a byte or a length changed. Every kind ends by itself, within
SECONDS and MOST bytes, or when the program closes the line. A journal keeps the beginning of each lie, to tell what a program believed."""
import collections
import contextlib
import http.server
import json
import random
import socket
import struct
import sys
import threading
import time
import zlib

from simulator import call

SECONDS, MOST = 2.5, 48 << 20
JOURNAL, BEGINNING = 5000, 6000       # lies kept, and bytes of each
sys.setrecursionlimit(10000)
GARBAGE = [None, True, False, 0, -1, 1.5, 2 ** 63 - 1, 2 ** 63, -2 ** 63, 2 ** 64, 10 ** 40, 1e308, "", " ", "\x00", "\ud800", "\uffff", "0", "-1", "null", "1e999", "\r\nX: y",
           "%s%n%n", "x" * 5000, "ż" * 70000, [], {}, [[]], [None], {"": None}, [[[[[[]]]]]], {"Id": {"Id": {"Id": []}}}, "2026-13-45T99:99:99", "9999-12-31", "../../etc/passwd"]
STATUS_LINES = [b"HTTP/1.1 99999999999 OK", b"HTTP/1.1 -1 OK", b"HTTP/1.1 000 OK", b"HTTP/7.3 200 OK", b"ICY 200 OK", b"HTTP/1.1  ", b"HTTP/1.1 20", b"HTTP/1.1 200 " + b"x" * 200000,
                b"HTTP/0.9 200 OK", b"\0TTP/1.1 200 OK", b"HTTP/1.1 200\0 OK", b"HTTP/1.1 204 OK", b"HTTP/1.1 304 OK", b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: h2c\r\nConnection: Upgrade"]
LENGTHS = ["-1", "-9223372036854775808", "18446744073709551616", "9223372036854775807", "4294967297", "abc", "", " 1 2", "0x10", "1e3", "+5"]
RETRY_AFTER = ["-1", "", "abc", "1e30", "0", "1", "Thu, 01 Jan 1970 00:00:00 GMT", "Thu, 99 Zzz 9999 99:99:99 GMT", "\xff\xfe", "1" * 70000, "1.5", "0x1"]
CHUNKS = [b"ffffffffffffffffffff\r\nx", b"-1\r\nx", b"zz\r\nx", b"5\r\nab", b"5;" + b"e" * 100000 + b"\r\nabcde\r\n0\r\n\r\n", b"\r\n\r\n\r\n", b"0\r\n" + b"T: x\r\n" * 30000 + b"\r\n", b"1\r\nx" * 1000]
TOKENS = ["t" * (1 << 20), "a\r\nX-Evil: 1", "a b", "", "ż", "a\x00b", "..", "a.b.c", "e30.e30.e30", "." * 100000, "eyJhbGciOiJub25lIn0.eyJleHAiOi05OTk5OTk5OTk5OTk5OTk5OTk5OTl9.x",
          "x.eyJleHAiOjFlMzA4fQ.x", "x." + "/" * 5000 + ".x", "x." + "W1tb" * 100000 + ".x"]

NAME = "N" * 100000
SCHEMAS = [
    "", "null", "[]", "{}", '"string"', '"nothing"', "[" * 100000, '{"type":' * 50000, '["null",["null","string"]]', '["string","string"]', '[[],[]]',
    '{"type":"record","name":"R"}', '{"type":"record","name":"R","fields":[]}', '{"type":"record","name":"R","fields":{}}', '{"type":"record","fields":[{"name":"a","type":"int"}]}',
    '{"type":"record","name":"R","fields":[{"name":"r","type":"R"}]}', '{"type":"record","name":"R","fields":[{"name":"r","type":["R","null"]}]}',
    '{"type":"record","name":"R","fields":[{"name":"r","type":{"type":"array","items":"R"}}]}', '{"type":"array","items":{"type":"array"}}',
    '{"type":"record","name":"%s","fields":[{"name":"%s","type":"int"}]}' % (NAME, NAME), '{"type":"enum","name":"E","symbols":[]}', '{"type":"enum","name":"E","symbols":[1,null]}',
    json.dumps({"type": "enum", "name": "E", "symbols": [f"S{i}" for i in range(50000)]}), '{"type":"fixed","name":"F","size":9223372036854775807}', '{"type":"fixed","name":"F","size":-1}',
    '{"type":"bytes","logicalType":"decimal","precision":2147483647,"scale":-5}', '{"type":"bytes","logicalType":"decimal","precision":1,"scale":99}',
    json.dumps({"type": "record", "name": "Order", "namespace": "xsale", "fields": [{"name": f"f{i}", "type": ["null", "string"], "default": "x"} for i in range(5000)]}),
    '{"type":"record","name":"Order","namespace":"xsale","fields":[{"name":"organization","type":"int"}]}', '{"type":"record","name":"R","fields":[{"name":"a\\u0000b","type":"int"}]}',
    '{"type":"record","name":"R","aliases":5,"fields":[{"name":"a","type":"int","default":"x","aliases":[[]],"xsale":{"a":[[[]]]}}]}',
    '{"type":{"type":{"type":{"type":"int"}}}}', '{"type":"record","name":"R","fields":[' + ",".join('{"name":"a","type":"int"}' for _ in range(3000)) + "]}",
    # 2 to the power of 30 leaves, each record of which is small
    json.dumps({"type": "record", "name": "R0", "fields": [{"name": "a", "type": "int"}]})[:-2] + "".join(
        ',{"name":"n%d","type":{"type":"record","name":"R%d","fields":[{"name":"a","type":"int"}' % (i, i) for i in range(1, 60)) + "]}}" * 59 + "]}",
]


def bomb(unit):
    """`unit` (1 MiB of something that packs well) 2,000 times, as a gzip of some 2 MB that never comes to its end."""
    z = zlib.compressobj(9, zlib.DEFLATED, -15)
    block = z.compress(unit) + z.flush(zlib.Z_FULL_FLUSH)
    return b"\x1f\x8b\x08\0\0\0\0\0\0\3" + block * 2000


BOMBS = [bomb(b" " * (1 << 20)), bomb(b"[" * (1 << 20)), bomb(b"\0" * (1 << 20)), bomb(b'{"a":' * (1 << 18))]


def places(value, path=()):
    yield path
    rows = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for k, v in rows:
        yield from places(v, (*path, k))


def changed(value, path, by):
    if not path:
        return by
    copy = dict(value) if isinstance(value, dict) else list(value)
    copy[path[0]] = changed(value[path[0]], path[1:], by)
    return copy


def spoilt_text(r, body):
    """The JSON text with one to three of its values replaced, or said twice, or a piece of it taken away."""
    try:
        value = json.loads(body)
    except ValueError:
        return r.randbytes(50)
    for _ in range(r.randrange(1, 4)):
        value = changed(value, r.choice(list(places(value))), r.choice(GARBAGE))
    text = json.dumps(value, ensure_ascii=r.random() < 0.7).encode("utf-8", "surrogatepass")
    if isinstance(value, dict) and r.random() < 0.2:
        text = text[:-1] + b", " + text[1:]       # every key twice
    return text


def spoilt_bytes(r, body):
    body = bytearray(body or b"x")
    for _ in range(r.choice([1, 1, 2, 5, 50])):
        at = r.randrange(len(body))
        what = r.randrange(5)
        if what == 0:
            body[at] ^= 1 << r.randrange(8)
        elif what == 1:
            body[at:at] = r.randbytes(r.randrange(1, 9))
        elif what == 2:
            del body[at:at + r.randrange(1, 40)]
        elif what == 3:
            body[at:at] = r.choice([b"\0", b"\xff", b"\xc0\x80", b"\xed\xa0\x80", b"\\u0000", b"\\ud800", b"{", b"]", b'"', b",", b"e999999999", b"0" * 400])
        body = body or bytearray(b"x")
    return bytes(body)


class Line:
    """What is written to a program; ends with the line, after SECONDS, or at MOST bytes."""

    def __init__(self, sock):
        self.sock, self.left, self.end, self.begun = sock, MOST, time.monotonic() + SECONDS, b""
        sock.settimeout(SECONDS)

    def put(self, data):
        self.left -= len(data)
        if self.left < 0 or time.monotonic() > self.end:
            raise ConnectionError("enough")
        self.begun += data[:max(0, BEGINNING - len(self.begun))]
        self.sock.sendall(data)

    def for_ever(self, data):
        while True:
            self.put(data)

    def answer(self, status, headers, body, length=True):
        rows = [f"{k}: {v}" for k, v in headers.items()] + ([f"Content-Length: {len(body)}"] if length else [])
        self.put(f"HTTP/1.1 {status} Status\r\n".encode() + "".join(row + "\r\n" for row in rows).encode("latin-1", "replace") + b"\r\n" + body)


# Each kind: (random, line, the right answer or None) -> does the line stay open?  Those of BEFORE are given instead of asking the server at all.

def random_bytes(r, line, a):
    line.put(r.randbytes(r.choice([1, 10, 1000, 100000])))


def half_a_head(r, line, a):
    head = f"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {len(a.body)}\r\n\r\n".encode()
    line.put(head[:r.randrange(1, len(head))])


def strange_status_line(r, line, a):
    line.put(r.choice(STATUS_LINES) + r.choice([b"\r\n", b"\n", b"\r"]) + b"Content-Length: %d\r\n\r\n" % len(a.body) + a.body)


def headers_without_end(r, line, a):
    line.put(b"HTTP/1.1 200 OK\r\n")
    line.for_ever(r.choice([b"X-%d: y\r\n" % r.randrange(10 ** 9) * 2000, b"x" * 16384, b"X: " + b"y" * 16000 + b"\r\n", b"X: y\r\n folded\r\n" * 1000]))


def cookies(r, line, a):
    line.put(b"HTTP/1.1 200 OK\r\n" + b"".join(b"Set-Cookie: c%d=%d; Path=/\r\n" % (i, i) for i in range(r.choice([100, 3000, 30000]))))
    line.put(b"Content-Length: %d\r\n\r\n" % len(a.body) + a.body)
    return True


def informational_storm(r, line, a):
    one = r.choice([b"HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n", b"HTTP/1.1 100 Continue\r\n\r\n", b"HTTP/1.1 102 Processing\r\n\r\n"])
    for _ in range(r.choice([3, 100, 10 ** 9])):
        line.put(one * 100)
    line.answer(a.status, a.headers, a.body)
    return True


def body_without_end(r, line, a):
    unit = r.choice([b" ", b"[", b"\0", b'{"a":', b"1", b'"x",']) * 4000
    if r.random() < 0.5:
        line.put(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n")
        line.for_ever(b"%x\r\n" % len(unit) + unit + b"\r\n")
    line.put(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n")
    line.for_ever(unit)


def gzip_bomb(r, line, a):
    line.answer(200, {"Content-Encoding": r.choice(["gzip", "gzip", "gzip, gzip", "x-gzip"])}, r.choice(BOMBS))


def wrong_encoding(r, line, a):
    line.answer(200, {"Content-Encoding": r.choice(["gzip", "deflate", "br", "zstd", "identity", ", ".join(["gzip"] * 1000), "\x7f"])}, r.choice([a.body, r.randbytes(300), b"\x1f\x8b\x08"]))
    return True


def wrong_length(r, line, a):
    line.put(f"HTTP/1.1 200 OK\r\nContent-Length: {r.choice([*LENGTHS, len(a.body) + r.randrange(1, 99), r.randrange(len(a.body) + 1)])}\r\n".encode()
             + (b"Content-Length: 7\r\n" if r.random() < 0.2 else b"") + b"\r\n" + a.body)


def wrong_chunks(r, line, a):
    line.put(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n" + r.choice([b"", b"Content-Length: 5\r\n", b"Transfer-Encoding: gzip, chunked\r\n"]) + b"\r\n" + r.choice(CHUNKS))


def http2_not_asked_for(r, line, a):
    frames = b"".join(struct.pack(">I", r.randrange(30))[1:] + r.randbytes(6) + r.randbytes(20) for _ in range(20))
    line.put(r.choice([b"", b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n"]) + b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + frames)


def deep(r, line, a):
    begin, end = r.choice([(b"[", b"]"), (b'{"a":', b"}"), (b'{"Items":[', b"]}"), (b'[{"Id":', b"}]")])
    n = r.choice([600, 2100, 100000])
    line.answer(200, {"Content-Type": "application/json"}, begin * n + r.choice([b"", b"1"]) + end * n)
    return True


def wrong_values(r, line, a):
    line.answer(a.status, a.headers, spoilt_text(r, a.body))
    return True


def wrong_bytes(r, line, a):
    line.answer(a.status, a.headers, spoilt_bytes(r, a.body))
    return True


def nothing_much(r, line, a):
    line.answer(r.choice([200, 200, 204, a.status]), {"Content-Type": r.choice(["application/json", "text/html", "", "\xff"])},
                r.choice([b"", b"null", b"true", b'""', b"0", b"[]", b"{}", b"[null]", b"\xef\xbb\xbf[]", b"\0", b"<html>", b"\xff\xfe[\0]\0", b"NaN"]))
    return True


def strange_retry_after(r, line, a):
    line.answer(r.choice([429, 503, 500, 200, 202]), {"Retry-After": r.choice(RETRY_AFTER)}, b"")
    return True


def redirect(r, line, a):
    line.answer(r.choice([300, 301, 302, 303, 307, 308, 399]), {"Location": r.choice(["/", "http://127.0.0.1:1/", "file:///etc/passwd", "", "\xff", "//", "http://[::", "x" * 90000])}, b"")
    return True


def slow_drip(r, line, a):
    whole = f"HTTP/1.1 {a.status} OK\r\nContent-Length: {len(a.body)}\r\n\r\n".encode() + a.body
    for i in range(len(whole)):
        line.put(whole[i:i + 1])
        time.sleep(0.02)
    return True


def other_status(r, line, a):
    allowed = [s for s in range(200, 600) if s not in a.never]
    line.answer(r.choice(allowed), a.headers, a.body if r.random() < 0.5 else b"")
    return True


def two_answers(r, line, a):
    """The second one was not asked for: it belongs to no request that comes later on this line."""
    line.answer(a.status, a.headers, a.body)
    line.answer(200, a.headers, b'{"DocumentId": "FORGED", "id": 77, "access_token": "forged", "id_token": "forged"}')
    return True


def half_an_answer(r, line, a):
    line.put(f"HTTP/1.1 {a.status} OK\r\nContent-Length: {len(a.body)}\r\n\r\n".encode() + a.body[:r.randrange(len(a.body) + 1)])


def silence(r, line, a):
    time.sleep(SECONDS)


def reset(r, line, a):
    line.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def strange_token(r, line, a):
    if b"access_token" not in a.body:
        return wrong_values(r, line, a)
    value = json.loads(a.body)
    value[r.choice(["access_token", "id_token"])] = r.choice(TOKENS)
    value["expires_in"] = r.choice([value["expires_in"], *GARBAGE])
    line.answer(200, a.headers, json.dumps(value).encode("utf-8", "surrogatepass"))
    return True


def strange_schema(r, line, a):
    if b'"schema"' not in a.body:
        return wrong_values(r, line, a)
    schema = r.choice(SCHEMAS) if r.random() < 0.7 else spoilt_text(r, json.loads(a.body)["schema"].encode()).decode("utf-8", "replace")
    more = r.choice([{}, {}, {"schemaType": r.choice(["AVRO", "JSON", "", 5, None])}])
    line.answer(200, a.headers, json.dumps({"schema": schema, **more}).encode("utf-8", "surrogatepass"))
    return True


BEFORE = [random_bytes, silence, reset, http2_not_asked_for]
KINDS = [*BEFORE, half_a_head, strange_status_line, headers_without_end, cookies, informational_storm, body_without_end, gzip_bomb, wrong_encoding, wrong_length, wrong_chunks,
         deep, wrong_values, wrong_values, wrong_values, wrong_bytes, wrong_bytes, wrong_bytes, nothing_much, strange_retry_after, redirect, slow_drip, other_status, two_answers,
         half_an_answer, strange_token, strange_schema]
Answer = collections.namedtuple("Answer", "status headers body never")
Lie = collections.namedtuple("Lie", "at method path asked kind line")


class Relay(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def relay(self):
        liar = self.server.liar
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        with liar.lock:
            liar.count += 1
            r = random.Random(f"{liar.seed} {liar.count}")
        kind = r.choice(liar.kinds) if r.random() < liar.rate else None
        a = Answer(200, {}, b"", liar.never)
        if kind not in BEFORE:
            status, headers, reply = call(liar.target, self.command, self.path, body or None, {k: v for k, v in self.headers.items() if k.lower() not in ("host", "accept-encoding", "connection")})
            a = Answer(status, {k: v for k, v in headers.items() if k not in ("content-length", "connection", "transfer-encoding")}, reply, liar.never)
        line = Line(self.connection)
        if kind is None:
            line.answer(a.status, a.headers, a.body)
            return
        with liar.lock:
            liar.told[kind.__name__] += 1
            liar.journal.append(Lie(time.time(), self.command, self.path, body[:BEGINNING], kind.__name__, line))
        self.close_connection = not kind(r, line, a)

    do_GET = do_POST = do_PUT = do_DELETE = do_PATCH = relay

    def handle(self):
        with contextlib.suppress(OSError):      # the program has closed it, or it was enough
            super().handle()

    def log_message(self, *_):
        pass


class Server(http.server.ThreadingHTTPServer):
    request_queue_size = 200

    def handle_error(self, request, client_address):
        if not isinstance(sys.exc_info()[1], OSError):
            super().handle_error(request, client_address)


class Liar:
    """url: where the programs are sent instead of `target`. never: statuses that are not given, since they stop for minutes whoever gets them."""

    def __init__(self, target, seed, never=()):
        self.target, self.seed, self.never = target, seed, set(never)
        self.rate, self.kinds, self.count, self.told, self.lock = 0.0, KINDS, 0, collections.Counter(), threading.Lock()
        self.journal = collections.deque(maxlen=JOURNAL)
        self.server = Server(("127.0.0.1", 0), Relay)
        self.server.liar = self
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"
        threading.Thread(target=self.server.serve_forever, args=(0.1,), daemon=True).start()

    def about(self, *words, most=20, each=300):
        """The last lies told to requests that name one of the words in their path or body, with the first bytes of each."""
        with self.lock:
            rows = [lie for lie in self.journal if any(w in lie.path or w.encode() in lie.asked for w in words)]
        for lie in rows[-most:]:
            at = time.strftime("%H:%M:%S", time.gmtime(lie.at)) + f".{int(lie.at % 1 * 1000):03}"
            yield f"{at} {lie.method} {lie.path[:200]} {lie.kind}: {lie.line.begun[:each]!r}"

    def close(self):
        self.server.shutdown()
        self.server.server_close()
