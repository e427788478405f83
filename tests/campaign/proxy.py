"""A TCP proxy that behaves as networks do: late, cut, half-open (accepts, or goes on, and carries nothing), a slow drip, or nobody there. When one side goes, what was on
its way to the other is dropped, as with a dead machine. Before a Kafka it can also lose what one program writes to some topics and let everything else pass, on the same line too."""
import asyncio
import struct
import threading

KINDS = ("latency", "cut", "half-open", "drip", "refused")
PRODUCE, OFFSET_COMMIT = 0, 8


def stores(request, client, topics):
    """What this is of that client.id: None: nothing that stays; False: a commit, or a Produce request for another topic; True: a Produce request for one of these topics (None: any).
    A request: length, API key, its version, correlation id, client.id, ...; a Produce request of librdkafka is for one partition, and its topic's name, with its length before it as
    old or new versions have it, stands near the begin."""
    _, key, _, _, n = struct.unpack_from(">ihhih", request)
    if key not in (PRODUCE, OFFSET_COMMIT) or request[14:14 + max(n, 0)] != client.encode():
        return None
    names, head = [t.encode() for t in topics or ()], request[14 + n:][:300]
    return key == PRODUCE and (topics is None or any(struct.pack(">h", len(t)) + t in head or bytes([len(t) + 1]) + t in head for t in names))


def split(data):
    """-> (whole requests, the begun one behind them)"""
    found = []
    while len(data) >= 14 and len(data) >= 4 + int.from_bytes(data[:4], "big"):
        n = 4 + int.from_bytes(data[:4], "big")
        found.append(data[:n])
        data = data[n:]
    return found, data


class Proxy:
    def __init__(self, target, port=0, kafka=False):
        """target: (host, port); may be set later."""
        self.target, self.kind, self.seconds, self.kafka, self.losing, self.lost, self.followed = target, None, 0, kafka, None, 0, 0
        self.pairs, self.loop, self.server = set(), asyncio.new_event_loop(), None
        started = threading.Event()
        self.thread = threading.Thread(target=self._run, args=(port, started), daemon=True)
        self.thread.start()
        started.wait(10)

    def _run(self, port, started):
        asyncio.set_event_loop(self.loop)
        self.server = self.loop.run_until_complete(asyncio.start_server(self._serve, "127.0.0.1", port, limit=1 << 16))
        self.port = self.server.sockets[0].getsockname()[1]
        started.set()
        self.loop.run_forever()

    def behave(self, kind=None, seconds=0.2):
        """None: as if it were not there. cut: what is open is cut now, new connections work. refused: cut, and new ones too."""
        self.seconds, self.kind = seconds, kind
        if kind in ("cut", "refused") or kind is None:
            self.loop.call_soon_threadsafe(self._cut, kind)

    def lose(self, client=None, topics=None):
        """What this client.id writes to these topics (None: to any) never arrives, and is not answered; its other requests are. No client: no more, and the lines that lost something
        are cut. lost: how often; followed: how often it stored something else since the first time."""
        self.lost = self.followed = 0
        self.losing = (client, topics) if client else None
        if not client:
            self.loop.call_soon_threadsafe(self._cut, None)

    def _cut(self, kind):
        for pair in list(self.pairs):
            if kind is not None or getattr(pair[0], "stuck", False):     # what stood in a half-open line is not carried on later, and what was lost is not waited for
                for w in pair:
                    w.transport.abort()

    async def _serve(self, reader, writer):
        if self.kind == "refused":
            writer.transport.abort()
            return
        try:
            there, back = await asyncio.open_connection(*self.target, limit=1 << 16)
        except OSError:
            writer.transport.abort()
            return
        pair = (writer, back)
        self.pairs.add(pair)
        tasks = [asyncio.create_task(self._carry(reader, back, pair, self.kafka)), asyncio.create_task(self._carry(there, writer, pair, False))]
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        for t in tasks:
            t.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self.pairs.discard(pair)
        for w in pair:
            w.transport.abort()

    def _sift(self, requests, pair):
        """Those of them that are not to be lost."""
        if self.losing is None:
            return requests
        kept = []
        for r in requests:
            stored = stores(r, *self.losing)
            if stored:
                self.lost += 1
                pair[0].stuck = True
                continue
            self.followed += stored is not None and self.lost > 0
            kept.append(r)
        return kept

    async def _carry(self, source, sink, pair, sifted):
        begun = b""
        try:
            while data := await source.read(1 << 16):
                while self.kind == "half-open":
                    pair[0].stuck = True
                    await asyncio.sleep(0.05)
                if sifted:      # a request goes on when it is whole
                    requests, begun = split(begun + data)
                    data = b"".join(self._sift(requests, pair))
                if self.kind == "latency":
                    await asyncio.sleep(self.seconds)
                step = 256 if self.kind == "drip" else max(len(data), 1)
                for i in range(0, len(data), step):
                    sink.write(data[i:i + step])
                    await sink.drain()
                    if step < len(data) and self.kind == "drip":
                        await asyncio.sleep(self.seconds / 10)
        except (OSError, ConnectionError):
            pass

    def close(self):
        async def end():
            mine = [t for t in asyncio.all_tasks() if t is not asyncio.current_task()]
            for t in mine:
                t.cancel()
            await asyncio.gather(*mine, return_exceptions=True)
            self.loop.stop()
        asyncio.run_coroutine_threadsafe(end(), self.loop)
        self.thread.join(5)
