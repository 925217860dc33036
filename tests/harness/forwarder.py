# SPDX-License-Identifier: Apache-2.0
"""A forwarder to the broker that can be shut or mute. Shut, it resets its connections and accepts none.
Mute, it passes nothing back on the existing connections. It can also do this to single connections, by
the last word of the name that they gave themselves ("gateway@host packs")."""
import collections
import contextlib
import socket
import struct
import threading
import time

from harness.until import until

PUBLISH = struct.pack(">HH", 60, 40)


class Connection:
    """A forwarded connection: `near` is the client's socket, `far` the target's."""

    def __init__(self, near, far):
        self.near = near
        self.far = far
        self.name = None

    def read_name(self, data):
        _, found, rest = data.partition(b"connection_nameS")
        if found:
            length, = struct.unpack_from(">I", rest)
            self.name = rest[4:4 + length].decode().split()[-1]

    def reset(self):
        for end in (self.near, self.far):
            with contextlib.suppress(OSError):
                end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                end.shutdown(socket.SHUT_RDWR)


class Forwarder:
    """A TCP forwarder to `target`, a local port. Shut at first; `passed` counts forwarded connections.
    A client that connects while the target is away is held, and forwarded within milliseconds of the
    target's return, whatever the client's own backoff."""

    def __init__(self, target):
        self.target = target
        self.passed = 0
        self.is_mute = False
        self.deaf = set()  # to what these connections (names) send
        self.mute = set()  # towards these
        self.closed = set()  # to these: new ones are ended too
        self.slow = {}  # name → seconds by which all towards these is late
        self.swallowed = collections.Counter()  # name → its publishes that were swallowed
        self._listener = None
        self._connections = []
        self._lock = threading.Lock()
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]

    def url(self, vhost):
        return f"amqp://127.0.0.1:{self.port}/{vhost}"

    def open(self):
        self.is_mute = False
        self._listener = socket.create_server(("127.0.0.1", self.port))
        threading.Thread(target=self._serve, args=(self._listener,), daemon=True).start()
        return self

    def shut(self):
        with self._lock:
            listener, self._listener = self._listener, None
            connections, self._connections = self._connections, []
        if listener is not None:
            with contextlib.suppress(OSError):
                listener.shutdown(socket.SHUT_RDWR)
            listener.close()
        for connection in connections:
            connection.reset()

    def reset(self, name):
        """Resets the connections of that name."""
        with self._lock:
            connections = [c for c in self._connections if c.name == name]
        for connection in connections:
            connection.reset()

    def close(self, name):
        """Resets the connections of that name, and lets none in until it is discarded from `closed`."""
        self.closed.add(name)
        self.reset(name)

    def heal(self, name):
        """All is well again for that name; what was swallowed is lost with its connection."""
        for names in (self.deaf, self.mute, self.closed):
            names.discard(name)
        self.reset(name)

    def renew(self, name):
        """heal(), and returns when the program has seen it and connects again."""
        passed = self.passed
        self.heal(name)
        until(lambda: self.passed > passed, 60, "it connects again")

    def _serve(self, listener):
        with contextlib.suppress(OSError):
            while True:
                near, _ = listener.accept()
                threading.Thread(target=self._let_in, args=(listener, near), daemon=True).start()

    def _let_in(self, listener, near):
        ends = [near]
        until(lambda: self._listener is not listener or self._reach(ends), 300, "the target",
              every=0.002)
        with self._lock:
            if self._listener is not listener:
                for end in ends:
                    end.close()
                return
            connection = Connection(*ends)
            self._connections.append(connection)
            self.passed += 1
        for pump in (self._pump_up, self._pump_down):
            threading.Thread(target=self._pump, args=(connection, pump), daemon=True).start()

    def _reach(self, ends):
        try:
            ends.append(socket.create_connection(("127.0.0.1", self.target)))
            return True
        except OSError:
            return False

    def _pump(self, connection, pump):
        with contextlib.suppress(OSError):
            pump(connection)
        for end in (connection.near, connection.far):
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)

    def _pump_up(self, connection):
        while data := connection.near.recv(65536):
            if connection.name is None:
                connection.read_name(data)
            if connection.name in self.closed:
                return
            if connection.name in self.deaf:
                self.swallowed[connection.name] += data.count(PUBLISH)
            else:
                connection.far.sendall(data)

    def _pump_down(self, connection):
        while data := connection.far.recv(65536):
            time.sleep(self.slow.get(connection.name, 0))
            if not self.is_mute and connection.name not in self.mute:
                connection.near.sendall(data)
