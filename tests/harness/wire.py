# SPDX-License-Identifier: Apache-2.0
"""Property lists built by hand: pika writes only some of the protocol's types."""
import struct
import subprocess

import pika


class WireProperties(pika.BasicProperties):
    """Properties that are encoded as exactly these bytes."""

    def __init__(self, wire):
        super().__init__()
        self.wire = wire

    def encode(self):
        return [self.wire]


def field(name, kind, data):
    """One header."""
    return bytes([len(name)]) + name.encode() + kind + data


def nested_headers(name, depth):
    """A property list whose one header is an array in an array in an array…"""
    arrays = b"".join(b"A" + struct.pack(">I", 5 * (depth - level - 1)) for level in range(depth))
    header = bytes([len(name)]) + name.encode() + arrays
    return struct.pack(">HI", 0x2000, len(header)) + header


def reads_deep_headers():
    """rabbitmq-c 0.14 and later read no header that is nested more than 100 deep."""
    version = subprocess.run(["pkg-config", "--modversion", "librabbitmq"], check=True, text=True,
                             stdout=subprocess.PIPE, timeout=30).stdout
    return tuple(int(part) for part in version.strip().split(".")[:2]) < (0, 14)
