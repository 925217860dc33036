# SPDX-License-Identifier: Apache-2.0
"""A WebSocket client that sends whatever bytes it likes."""
import base64
import hashlib
import os
import struct

from http_rig import HOST, Answers

GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
TEXT, BINARY, CLOSE, PING, PONG = 1, 2, 8, 9, 10


def handshake(path=b"/live", key=b"", version=b"13", upgrade=b"websocket", connection=b"Upgrade", extra=b""):
    return (b"GET " + path + b" HTTP/1.1\r\n" + HOST + b"Upgrade: " + upgrade + b"\r\nConnection: " + connection
            + b"\r\nSec-WebSocket-Key: " + (key or base64.b64encode(os.urandom(16)))
            + b"\r\nSec-WebSocket-Version: " + version + b"\r\n" + extra + b"\r\n")


def frame(opcode, payload=b"", final=True, mask=b"\x01\x02\x03\x04", masked=True, reserved=0):
    size = len(payload)
    head = bytes([0x80 * final | reserved << 4 | opcode])
    bit = 0x80 * masked
    if size < 126:
        head += bytes([bit | size])
    elif size < 65536:
        head += bytes([bit | 126]) + struct.pack(">H", size)
    else:
        head += bytes([bit | 127]) + struct.pack(">Q", size)
    if masked:
        payload = bytes(byte ^ mask[i % 4] for i, byte in enumerate(payload))
        head += mask
    return head + payload


class WebSocket(Answers):
    def __init__(self, port, **options):
        super().__init__(port)
        key = base64.b64encode(os.urandom(16))
        self.send(handshake(key=key, **options))
        self.answer = self.read()
        if self.answer[0] == 101:
            assert self.answer[1]["sec-websocket-accept"] == base64.b64encode(
                hashlib.sha1(key + GUID).digest()).decode()
            assert "content-length" not in self.answer[1]

    def say(self, text):
        return self.send(frame(TEXT, text))

    def hear(self):
        """The next frame's opcode and payload, or None at the end."""
        head = self.file.read(2)
        if len(head) < 2:
            return None
        assert head[0] & 0xF0 == 0x80 and head[1] < 128  # final, nothing reserved, not masked
        size = head[1]
        if size == 126:
            size, = struct.unpack(">H", self.file.read(2))
        elif size == 127:
            size, = struct.unpack(">Q", self.file.read(8))
        return head[0] & 15, self.file.read(size)

    def hear_close(self):
        """The code of a close frame, after which the connection ends."""
        opcode, payload = self.hear()
        assert opcode == CLOSE
        assert self.file.read() == b""
        return struct.unpack(">H", payload)[0] if payload else None

    def close(self):
        self.file.close()
        self.socket.close()
