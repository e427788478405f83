"""A proxy before a Kafka broker: it carries requests on as they are, and answers as they are until it is told how many shall be wrong. What is wrong with one is drawn from
KINDS by the seed: the length of a frame, the number of its request, a count or a length in it, any bit, bytes that are no Kafka at all, silence in the midst.
PAYLOAD spoils nothing but what the broker's checksum covers, the inside of record batches; BEYOND moves a batch past the end."""
import collections
import random
import socket
import struct
import threading
import time

PRODUCE, FETCH, METADATA, COORDINATOR = 0, 1, 3, 10
EDGES = [b"\x7f\xff\xff\xff", b"\xff\xff\xff\xff", b"\xff\xff\xff\xfe", b"\x80\0\0\0", b"\0\0\0\0", b"\0\x0f\xff\xff", b"\x7f\xff", b"\xff\xff\xff\xff\x0f", b"\0", b"\xff\xff\xff\xff\xff\xff\xff\xff\xff\x7f"]
OTHERS = [b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n", b"\x15\x03\x03\0\x02\x02\x28", b"\0" * 400, b"\xff" * 400, b"SSH-2.0-OpenSSH_9.2\r\n"]


def framed(body):
    return struct.pack(">i", len(body)) + body


# Each kind: (random, a body that begins with its request's number, the one before it on this line) -> the bytes to send; None: the line is cut

def bits(r, body, before):
    body = bytearray(body)
    for _ in range(r.choice([1, 1, 1, 2, 5, 40])):
        body[r.randrange(4, len(body)) if len(body) > 4 else 0] ^= 1 << r.randrange(8)
    return framed(bytes(body))


def edges(r, body, before):
    """A count, a length, a version, an error, whatever stands there."""
    body = bytearray(body)
    for _ in range(r.choice([1, 1, 2, 3])):
        at, by = r.randrange(4, len(body) + 1), r.choice(EDGES)
        body[at:at + len(by)] = by
    return framed(bytes(body))


def shorter(r, body, before):
    return framed(body[:r.randrange(len(body) + 1)])


def longer(r, body, before):
    at = r.randrange(4, len(body) + 1)
    return framed(body[:at] + r.randbytes(r.choice([1, 4, 100, 5000])) + body[at:])


def wrong_frame(r, body, before):
    return struct.pack(">i", r.choice([-1, 0, 1, 3, -2 ** 31, 2 ** 31 - 1, 99000000, len(body) - 1, len(body) + 1, 0x48545450])) + body


def wrong_number(r, body, before):
    return framed(struct.pack(">i", r.choice([0, -1, 2 ** 31 - 1, struct.unpack(">i", body[:4])[0] + r.choice([-1, 1, 100])])) + body[4:])


def of_another_request(r, body, before):
    return framed(body[:4] + before[4:])


def twice(r, body, before):
    return framed(body) * 2


def random_body(r, body, before):
    return framed(body[:4] + r.randbytes(r.choice([0, 1, 10, len(body) - 4, 3000])))


def no_kafka(r, body, before):
    return r.choice([r.randbytes(300), *OTHERS])


def midway(r, body, before):
    return framed(body)[:r.randrange(len(body) + 4)], None


def nothing(r, body, before):
    return b""


def cut(r, body, before):
    return None


def batch(body):
    """Where one of our keys stands, and where the record batch that holds it begins; -1: nowhere. A batch: base offset (8 bytes), length (4), leader's epoch (4), magic 2, checksum, ..."""
    at = body.find(b"acme/")
    for begin in range(at - 61, -1, -1):
        offset, length, epoch, magic = struct.unpack_from(">qiib", body, begin)
        if magic == 2 and 0 <= offset < 1000000 and 0 <= epoch < 1000 and begin + 12 + 49 <= at < begin + 12 + length <= len(body):
            return at, begin
    return at, -1


def payload(r, body, before):
    """A bit of a record, or of what its batch says of it, behind the checksum. Of a batch that holds one of our keys; else the answer is as it was."""
    at, begin = batch(body)
    if begin < 0:
        return framed(body)
    body = bytearray(body)
    for _ in range(r.choice([1, 1, 3])):
        body[r.randrange(at, min(at + 400, len(body)))] ^= 1 << r.randrange(8)
    return framed(bytes(body))


def beyond(r, body, before):
    """The same of a batch's base offset, which no checksum covers, so that it lies far past the partition's end."""
    _, begin = batch(body)
    if begin < 0:
        return framed(body)
    body = bytearray(body)
    body[begin + r.randrange(1, 6)] ^= 1 << r.randrange(8)
    return framed(bytes(body))


def spared(r, body, before):
    """Counts what was not told: see Metadata."""
    return framed(body)


def may_be_told(key, kind):
    """librdkafka 2.0.2 ends the process (rdkafka_fetcher.c: assert tver) when an answer to Fetch names a partition of ours that this Fetch did not ask for. No
    program can keep it from that, so of those answers nothing is changed that could make one partition's number another's."""
    return key != FETCH or kind in FRAMING or kind is shorter


class Metadata:
    """An answer to Metadata as librdkafka 2.0.2 reads it (version 4), as far as one thing: does it end the process? A name that is null is copied from address 0
    (rdkafka_metadata.c: rd_kafka_parse_Metadata, in 2.13 no longer), and a count of -1 becomes a size: what lies before the array is overwritten and all memory behind it sorted
    (rdkafka_metadata_cache.c, in 2.13 likewise). It happens in a thread that has every signal blocked, so no program can so much as say why."""

    def __init__(self, body):
        self.body, self.at = body, 8        # behind the request's number and the throttle time

    def number(self, form):
        value = struct.unpack_from(form, self.body, self.at)[0]
        self.at += struct.calcsize(form)
        return value

    def count(self, most):
        n = self.number(">i")
        if n < 0:
            raise Deadly
        if n > most:
            raise ValueError("refused")
        return n

    def text(self, nullable):
        n = self.number(">h")
        if n < 0 and not nullable:
            raise Deadly
        self.at += max(n, 0)
        if self.at > len(self.body):
            raise ValueError("too short")

    def read(self):
        for _ in range(self.count(10000)):
            self.number(">i")
            self.text(False)
            self.number(">i")
            self.text(True)
        self.text(True)
        self.number(">i")
        for _ in range(self.count(1000000)):
            self.number(">h")
            self.text(False)
            self.number(">b")
            for _ in range(self.count(100000)):
                self.at += 10
                for _ in range(2):
                    nodes = self.count(10000)
                    self.at += 4 * nodes

    def deadly(self):
        try:
            self.read()
        except Deadly:
            return True
        except (ValueError, struct.error):      # librdkafka stops reading here, too
            pass
        return False


class Deadly(Exception):
    pass


FRAMING = [wrong_frame, wrong_number, no_kafka, midway, nothing, cut, twice]     # nothing that could be believed
KINDS = [*FRAMING, bits, bits, bits, bits, edges, edges, edges, shorter, longer, of_another_request, random_body]


class Wire:
    def __init__(self, bootstrap, seed, port=0):
        self.target = ("127.0.0.1", int(bootstrap.rpartition(":")[2]))
        self.seed, self.count, self.rate, self.kinds, self.payloads = seed, 0, 0.0, FRAMING, 0.0
        self.told, self.lock, self.open = collections.Counter(), threading.Lock(), set()
        self.listener = socket.create_server(("127.0.0.1", port), backlog=100)
        self.port = self.listener.getsockname()[1]
        self.bootstrap = f"127.0.0.1:{self.port}"
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        while True:
            near = None
            try:
                near, _ = self.listener.accept()
                far = socket.create_connection(self.target, timeout=10)
            except OSError:
                if near is not None:
                    near.close()
                if self.listener.fileno() < 0:
                    return
                continue
            far.settimeout(None)
            for s in (near, far):
                s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self.open |= {near, far}
            asked = {}
            for source, sink, carry in ((near, far, self._request), (far, near, self._answer)):
                threading.Thread(target=self._line, args=(source, sink, carry, asked), daemon=True).start()

    def _line(self, source, sink, carry, asked):
        before = b"\0" * 8
        try:
            with source.makefile("rb") as frames:
                while len(head := frames.read(4)) == 4:
                    body = frames.read(struct.unpack(">i", head)[0])
                    carry(sink, body, before, asked)
                    before = body
        except (OSError, ValueError):
            pass
        for s in (source, sink):
            try:
                s.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
            self.open.discard(s)

    def _request(self, sink, body, before, asked):
        key, _, number = struct.unpack(">hhi", body[:8])
        asked[number] = key
        sink.sendall(framed(body))

    def _answer(self, sink, body, before, asked):
        key = asked.pop(struct.unpack(">i", body[:4])[0], None)
        if key in (METADATA, COORDINATOR):      # the broker names its own port
            body = body.replace(b"127.0.0.1" + struct.pack(">i", self.target[1]), b"127.0.0.1" + struct.pack(">i", self.port))
        with self.lock:
            self.count += 1
            r = random.Random(f"{self.seed} {self.count}")
        kind = None
        if key == FETCH and r.random() < self.payloads:
            kind = r.choice([payload, payload, beyond])
        elif r.random() < self.rate:
            kind = r.choice([k for k in self.kinds if may_be_told(key, k)])
        if kind is None:
            sink.sendall(framed(body))
            return
        out = kind(r, body, before)
        if key == METADATA and kind not in FRAMING and Metadata(out[4:]).deadly():
            kind, out = spared, framed(body)
        with self.lock:
            self.told[kind.__name__] += kind not in (payload, beyond) or out != framed(body)
        if isinstance(out, tuple):
            sink.sendall(out[0])
        elif out is not None:
            sink.sendall(out)
        if out is None or isinstance(out, tuple):
            raise OSError("cut")

    def calm(self):
        """Right answers from now on, on new lines: on the old ones nobody knows where a frame begins."""
        self.rate = self.payloads = 0.0
        for s in list(self.open):
            try:
                s.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass

    def close(self):
        self.listener.close()
        self.calm()
