"""A TCP proxy that behaves as networks do: late, cut, half-open (accepts, or goes on, and carries nothing), a slow drip, or nobody there. When one side goes, what was on
its way to the other is dropped, as with a dead machine. Before a Kafka it can also hold back what one program writes and let everything else pass."""
import asyncio
import struct
import threading

KINDS = ("latency", "cut", "half-open", "drip", "refused")
PRODUCE = 0


def writes(data, client):
    """Do these bytes begin with a Produce request of that client.id? A request's header: length, API key, its version, correlation id, client.id."""
    if len(data) < 14:
        return False
    _, key, _, _, n = struct.unpack_from(">ihhih", data)
    return key == PRODUCE and data[14:14 + max(n, 0)] == client.encode()


class Proxy:
    def __init__(self, target, port=0):
        """target: (host, port); may be set later."""
        self.target, self.kind, self.seconds, self.held = target, None, 0, None
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

    def hold(self, client):
        """What this client.id writes to Kafka is held, its other requests pass. None: no more; what was held is dropped with its connection."""
        self.held = client
        if client is None:
            self.loop.call_soon_threadsafe(self._cut, None)

    def _cut(self, kind):
        for pair in list(self.pairs):
            if kind is not None or getattr(pair[0], "stuck", False):     # what stood in a half-open line is not carried on later
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
        tasks = [asyncio.create_task(self._carry(reader, back, pair)), asyncio.create_task(self._carry(there, writer, pair))]
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        for t in tasks:
            t.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self.pairs.discard(pair)
        for w in pair:
            w.transport.abort()

    async def _carry(self, source, sink, pair):
        try:
            while data := await source.read(1 << 16):
                while self.kind == "half-open" or self.held is not None and writes(data, self.held):
                    pair[0].stuck = True
                    await asyncio.sleep(0.05)
                if self.kind == "latency":
                    await asyncio.sleep(self.seconds)
                step = 256 if self.kind == "drip" else len(data)
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
