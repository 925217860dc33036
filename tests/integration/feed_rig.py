# SPDX-License-Identifier: Apache-2.0
"""A live feed that says whatever bytes it likes, and a `warren tail` that listens to it."""
import base64
import hashlib
import json
import os
import signal
import socket
import struct
import subprocess
import threading

from harness.broker import BIN
from harness.until import until
from websocket_rig import CLOSE, GUID, PING, PONG, TEXT, frame

ID = "0190a3f0-6c1e-7d3a-9b52-3c5e0f6a1b2c"


def event(kind, status, **members):
    """An event of the feed."""
    return {"kind": f"job_{kind}", "id": ID, "tenant": "acme", "type": "mail", "status": status,
            "at": "2026-01-01T00:00:30.123Z", "run": 1, "order": [1, 0], **members}


class Peer:
    """One connection, as the server sees it. What it waits for must come within 30 s."""

    def __init__(self, connection):
        self.socket = connection
        self.socket.settimeout(30)
        self.file = connection.makefile("rb")
        self.path, self.headers = None, {}

    def raw(self, data):
        self.socket.sendall(data)

    def request(self):
        """Reads the client's request."""
        self.path = self.file.readline().split()[1].decode()
        for line in iter(self.file.readline, b"\r\n"):
            name, value = line.decode().split(":", 1)
            assert name.lower() not in self.headers
            self.headers[name.lower()] = value.strip()

    def refuse(self, status, problem=None, **headers):
        body = json.dumps({"status": status, "detail": f"no: {status}", **(problem or {})}).encode()
        lines = "".join(f"{name.replace('_', '-')}: {value}\r\n" for name, value in headers.items())
        self.raw(f"HTTP/1.1 {status} x\r\nContent-Type: application/problem+json\r\n{lines}"
                 f"Content-Length: {len(body)}\r\n\r\n".encode() + body)

    def switch(self, accept=None, extra=b"", then=b""):
        """Answers 101; `then` comes in the same packet."""
        key = self.headers["sec-websocket-key"].encode()
        assert len(base64.b64decode(key)) == 16 and self.headers["sec-websocket-version"] == "13"
        digest = accept or base64.b64encode(hashlib.sha1(key + GUID).digest())
        self.raw(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                 b"Sec-WebSocket-Accept: " + digest + b"\r\n" + extra + b"\r\n" + then)

    def greet(self, offset=0, tenant="acme", mode="events", resumed=False, **more):
        self.say({"hello": {"offset": offset, "tenant": tenant, "mode": mode, "resumed": resumed, **more}})

    def say(self, message):
        self.raw(frame(TEXT, json.dumps(message).encode(), masked=False))

    def events(self, offset, *events, mark=None):
        self.say({"offset": offset, "mark": mark, "at": "2026-01-01T00:00:31.000Z", "events": events})

    def hear(self):
        """The client's next frame, which must be masked: opcode and payload; None at the end."""
        try:
            head = self.file.read(2)
        except ConnectionError:
            return None
        if len(head) < 2:
            return None
        size = head[1] & 127
        assert head[0] & 0xF0 == 0x80 and head[1] > 127 and size < 126
        mask = self.file.read(4)
        return head[0] & 15, bytes(byte ^ mask[i % 4] for i, byte in enumerate(self.file.read(size)))

    def hear_close(self):
        """The code of the client's close frame; pings before it are passed over."""
        heard = self.hear()
        while heard and heard[0] in (PING, PONG):
            heard = self.hear()
        assert heard and heard[0] == CLOSE, heard
        return struct.unpack(">H", heard[1][:2])[0]

    def shut(self, code, reason=b""):
        self.raw(frame(CLOSE, struct.pack(">H", code) + reason, masked=False))

    def wait_end(self):
        """Until the client ends the connection."""
        while self.hear():
            pass


def greeted(then=None, **hello):
    """A script: accepts, says hello, and goes on with `then`, or waits for the client's end."""
    def script(peer):
        peer.request()
        peer.switch()
        peer.greet(**hello)
        (then or Peer.wait_end)(peer)
    return script


class Feed:
    """Listens. Each connection is served by the next script, a function of its Peer; the last one serves all
    that follow. After the script the connection ends. `failures`: what went wrong in scripts."""

    def __init__(self, *scripts, port=0, wrap=None):
        self.scripts, self.peers, self.failures = scripts, [], []
        self.wrap = wrap or (lambda connection: connection)
        self.listener = socket.create_server(("127.0.0.1", port), reuse_port=True)
        self.port = self.listener.getsockname()[1]
        self.holder = socket.socket()  # nobody else gets the port before the end
        self.holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        self.holder.bind(("127.0.0.1", self.port))
        self.url = f"http://127.0.0.1:{self.port}"
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        for number in range(10000):
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            script = self.scripts[min(number, len(self.scripts) - 1)]
            threading.Thread(target=self.serve, args=(connection, script), daemon=True).start()

    def serve(self, connection, script):
        try:
            peer = Peer(self.wrap(connection))
        except OSError:  # no TLS came about
            return
        self.peers.append(peer)
        try:
            script(peer)
        except Exception as failure:  # noqa: BLE001 pylint: disable=broad-except
            self.failures.append(repr(failure))
        finally:
            peer.file.close()
            peer.socket.close()

    def refuse(self):
        """Connections are refused from now on, unless another Feed listens on the port."""
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()

    def close(self):
        if self.listener.fileno() >= 0:
            self.refuse()
        self.holder.close()


class Tail:
    """A running `warren tail`; its output is collected."""

    def __init__(self, url, *words, stdout=subprocess.PIPE, before=(), **variables):
        env = {"PATH": os.environ["PATH"], "HOME": "/nonexistent", "WARREN_API_KEY": "key-1",
               **variables, "WARREN_URL": url}
        self.process = subprocess.Popen([*before, BIN / "warren", "tail", *words], env=env, text=True,
                                        stdin=subprocess.DEVNULL, stdout=stdout,
                                        stderr=subprocess.PIPE)
        self.lines, self.notes = [], []
        self.readers = [threading.Thread(target=self.collect, args=pair, daemon=True)
                        for pair in ((self.process.stdout, self.lines), (self.process.stderr, self.notes))
                        if pair[0]]
        for reader in self.readers:
            reader.start()

    @staticmethod
    def collect(stream, into):
        for line in stream:
            into.append(line.rstrip("\n"))

    @property
    def told(self):
        return "\n".join(self.notes)

    def line(self, part, timeout=30):
        return until(lambda: [line for line in self.lines if part in line], timeout,
                     f"{part!r}; stderr {self.notes}")[0]

    def note(self, part, timeout=30):
        return until(lambda: [line for line in self.notes if part in line], timeout, f"{part!r}")[0]

    def end(self, timeout=30):
        """Waits for its end: the exit code."""
        code = self.process.wait(timeout)
        for reader in self.readers:
            reader.join(timeout)
        assert "Sanitizer" not in self.told, self.told
        return code

    def interrupt(self):
        """Ctrl-C, after which it must end soon: the exit code."""
        self.process.send_signal(signal.SIGINT)
        return self.end(5)

    def memory(self):
        """Its resident bytes."""
        with open(f"/proc/{self.process.pid}/statm", encoding="ascii") as file:
            return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")

    def kill(self):
        if self.process.poll() is None:
            self.process.kill()
        self.end()
