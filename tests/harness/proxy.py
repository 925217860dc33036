# SPDX-License-Identifier: Apache-2.0
"""A TCP proxy between a link and its broker that can hang, cut connections and inspect the traffic."""
import asyncio
import socket
import struct
import threading

PUBLISH = struct.pack(">HH", 60, 40)
PUBLISH_TO_QUEUE = PUBLISH + bytes(3)  # to the default exchange
HEARTBEAT = b"\x08\0\0\0\0\0\0\xce"


class Proxy:
    """A TCP proxy in a thread of its own. cut(number of the connection) returns the direction and the
    byte at which both sides are reset, or None."""

    def __init__(self, target, cut=lambda number: None, tls=None):
        self.target = target
        self.cut = cut
        self.tls = tls
        self.resets = 0
        self.connections = 0
        self.heartbeats = 0  # heartbeats from the link
        self.open = []  # writers of connections, both ends
        self.hold_contents = None  # these publishes pass without their contents until let_pass()
        self.held = 0
        self.passing = threading.Event()
        self.hung = threading.Event()
        self.loop = asyncio.new_event_loop()
        self.port = None
        started = threading.Event()
        self.thread = threading.Thread(target=self.serve, args=(started,), daemon=True)
        self.thread.start()
        assert started.wait(10)

    def serve(self, started):
        asyncio.set_event_loop(self.loop)
        server = self.loop.run_until_complete(
            asyncio.start_server(self.accept, "127.0.0.1", 0, ssl=self.tls))
        self.port = server.sockets[0].getsockname()[1]
        started.set()
        self.loop.run_forever()
        server.close()

    async def accept(self, reader, writer):
        number = self.connections
        self.connections += 1
        try:
            up_reader, up_writer = await asyncio.open_connection("127.0.0.1", self.target)
        except OSError:
            writer.transport.abort()
            return
        cut = self.cut(number)
        both = (writer, up_writer)
        self.open += both
        pumps = [
            self.pump(reader, up_writer, cut[1] if cut and cut[0] == "up" else None, both),
            self.pump(up_reader, writer, cut[1] if cut and cut[0] == "down" else None, both)]
        await asyncio.gather(*pumps)
        for writer in both:
            self.open.remove(writer)

    async def pump(self, reader, writer, limit, both):
        passed = 0
        try:
            while data := await reader.read(65536):
                if limit is not None and passed + len(data) >= limit:
                    writer.write(data[:limit - passed])
                    await writer.drain()
                    self.resets += 1
                    break
                passed += len(data)
                if writer is both[1]:
                    self.heartbeats += data.count(HEARTBEAT)
                    data = await self.pass_methods(data, writer)
                writer.write(data)
                await writer.drain()
        except (OSError, asyncio.IncompleteReadError):
            pass
        for end in both:
            reset(end)

    async def pass_methods(self, data, writer):
        at = data.find(self.hold_contents) if self.hold_contents else -1
        if at < 0:
            return data
        end = at + struct.unpack(">I", data[at - 4:at])[0] + 1
        writer.write(data[:end])
        self.held += 1
        await self.loop.run_in_executor(None, self.passing.wait, 60)
        return data[end:]

    def let_pass(self):
        self.passing.set()

    def reset_all(self):
        """Resets every connection."""
        def reset_open():
            for writer in self.open:
                reset(writer)
        self.loop.call_soon_threadsafe(reset_open)

    def send_to_link(self, data):
        """Sends data to the link as if from the broker; between two frames if the connection is idle."""
        def send():
            self.open[0].write(data)
        self.loop.call_soon_threadsafe(send)

    def hang(self):
        """Forwards nothing until go_on()."""
        self.hung.clear()
        self.loop.call_soon_threadsafe(self.hung.wait, 60)

    def go_on(self):
        self.hung.set()

    def stop(self):
        self.loop.call_soon_threadsafe(self.loop.stop)
        self.thread.join(timeout=10)


def reset(writer):
    """RST instead of FIN: bytes still in transit are lost, as when a machine dies."""
    raw = writer.get_extra_info("socket")
    if raw is not None and raw.fileno() >= 0:
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()
