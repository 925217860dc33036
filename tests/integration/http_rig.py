# SPDX-License-Identifier: Apache-2.0
"""The test server of common/http, and a client that sends arbitrary bytes."""
import contextlib
import json
import socket
import subprocess

from harness.broker import BIN

HOST = b"Host: a\r\n"


@contextlib.contextmanager
def echo_process(address="127.0.0.1", threads=8, stderr=None, files="", silence=20000):
    """The process and its port. On leaving, checks that it exits with 0."""
    command = [BIN / "warren-test-echo", address, str(threads), files, str(silence)]
    with subprocess.Popen(command, stderr=stderr, stdin=subprocess.PIPE,
                          stdout=subprocess.PIPE) as server:
        yield server, int(server.stdout.readline())
        server.stdin.close()
        assert server.wait(timeout=30) == 0


@contextlib.contextmanager
def echo_server(**options):
    with echo_process(**options) as (_, port):
        yield port


class Answers:
    """Reads answers from a connection, each by its Content-Length or its chunks."""

    def __init__(self, port, address="127.0.0.1", source=None):
        self.socket = socket.socket()
        if source:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            self.socket.bind(source)
        self.socket.connect((address, port))
        self.socket.settimeout(20)
        self.file = self.socket.makefile("rb")

    def send(self, data):
        try:
            self.socket.sendall(data)
        except (BrokenPipeError, ConnectionResetError):
            pass  # the server refused before all was sent: only the answer matters
        return self

    def read(self, head=False):
        line = self.file.readline()
        if not line:
            return None
        status = int(line.split()[1])
        headers = {}
        while True:
            line = self.file.readline().rstrip(b"\r\n")
            if not line:
                break
            name, value = line.decode().split(": ", 1)
            assert name.lower() not in headers
            headers[name.lower()] = value
        if not head and headers.get("transfer-encoding") == "chunked":
            return status, headers, b"".join(self.chunks())
        size = 0 if head else int(headers.get("content-length", 0))
        return status, headers, self.file.read(size)

    def chunks(self):
        """The chunks up to the last; AssertionError when the last does not come."""
        while size := int(self.file.readline() or b"-1", 16):
            chunk = self.file.read(size + 2) if size > 0 else b""
            assert len(chunk) == size + 2 and chunk.endswith(b"\r\n"), "cut off"
            yield chunk[:-2]
        assert self.file.readline() == b"\r\n"

    def is_closed(self):
        return self.file.read(1) == b""


def ask(port, data):
    return Answers(port).send(data).read()


def check_problem(answer, status, words):
    assert answer is not None, "no answer"
    got, headers, body = answer
    problem = json.loads(body)
    assert (got, problem["status"]) == (status, status), problem
    assert headers["content-type"] == "application/problem+json"
    assert words in problem["detail"], problem
    assert problem["trace_id"] == headers["traceparent"].split("-")[1]
