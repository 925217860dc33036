# SPDX-License-Identifier: Apache-2.0
"""A forwarder to the broker that can be shut or mute. Shut, it resets its connections and accepts none.
Mute, it passes nothing back on the existing connections."""
import contextlib
import socket
import struct
import threading

from harness.until import until


class Forwarder:
    """A TCP forwarder to `target`, a local port. Shut at first; `passed` counts forwarded connections.
    A client that connects while the target is away is held, and forwarded within milliseconds of the
    target's return, whatever the client's own backoff."""

    def __init__(self, target):
        self.target = target
        self.passed = 0
        self.is_mute = False
        self._listener = None
        self._ends = []
        self._lock = threading.Lock()
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]

    def open(self):
        self.is_mute = False
        self._listener = socket.create_server(("127.0.0.1", self.port))
        threading.Thread(target=self._serve, args=(self._listener,), daemon=True).start()
        return self

    def shut(self):
        with self._lock:
            listener, self._listener = self._listener, None
            ends, self._ends = self._ends, []
        if listener is not None:
            with contextlib.suppress(OSError):
                listener.shutdown(socket.SHUT_RDWR)
            listener.close()
        for end in ends:
            with contextlib.suppress(OSError):
                end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                end.shutdown(socket.SHUT_RDWR)

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
            self._ends += ends
            self.passed += 1
        for pair in (ends, ends[::-1]):
            threading.Thread(target=self._pump, args=pair, daemon=True).start()

    def _reach(self, ends):
        try:
            ends.append(socket.create_connection(("127.0.0.1", self.target)))
            return True
        except OSError:
            return False

    def _pump(self, source, sink):
        with contextlib.suppress(OSError):
            while data := source.recv(65536):
                if self.is_mute and source.getpeername()[1] == self.target:
                    continue
                sink.sendall(data)
        for end in (source, sink):
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
