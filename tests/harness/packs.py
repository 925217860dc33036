# SPDX-License-Identifier: Apache-2.0
"""Packs (docs/amqp.md), written and read by code that shares none with Warren."""
import struct

import pika

CONTENT_TYPE = "application/vnd.warren.pack"
VERSION = b"\x01"


def encode(*entries):
    """The body of a pack; an entry is (exchange, key, properties, body)."""
    return VERSION + b"".join(encode_entry(*entry) for entry in entries)


def encode_entry(exchange, key, properties, body):
    names = b"".join(struct.pack("B", len(name)) + name.encode() for name in (exchange, key))
    listed = b"".join(properties.encode())
    return names + struct.pack(">I", len(listed)) + listed + struct.pack(">I", len(body)) + body


def decode(pack):
    """The entries as (exchange, key, properties, body); fails on anything but a whole pack."""
    assert pack[:1] == VERSION
    at = 1
    entries = []

    def take(form):
        nonlocal at
        (length,) = struct.unpack_from(form, pack, at)
        at += struct.calcsize(form) + length
        assert at <= len(pack)
        return pack[at - length:at]

    while at < len(pack):
        exchange, key, listed, body = take("B"), take("B"), take(">I"), take(">I")
        properties = pika.BasicProperties()
        properties.decode(listed)
        entries.append((exchange.decode(), key.decode(), properties, body))
    assert 1 <= len(entries) <= 64
    return entries
