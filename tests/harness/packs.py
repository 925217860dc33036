# SPDX-License-Identifier: Apache-2.0
"""Packs, read by code that Warren does not share (the form is in docs/amqp.md)."""
import struct

import pika

CONTENT_TYPE = "application/vnd.warren.pack"


def entries(body):
    """The job messages of a pack: (exchange, routing key, properties, body)."""
    assert body[0] == 1, "the version"
    at, found = 1, []

    def take(form):
        nonlocal at
        length, = struct.unpack_from(form, body, at)
        at += struct.calcsize(form)
        part = body[at:at + length]
        assert len(part) == length
        at += length
        return part

    while at < len(body):
        exchange, key, properties, content = take(">B"), take(">B"), take(">I"), take(">I")
        found.append((exchange.decode(), key.decode(),
                      pika.BasicProperties().decode(properties), content))
    return found
