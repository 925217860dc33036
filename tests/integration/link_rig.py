# SPDX-License-Identifier: Apache-2.0
"""A broker for a module of link tests, and the routes that they publish to."""
import time

import pika
import pytest

from harness.broker import Broker


@pytest.fixture(scope="module")
def node(tmp_path_factory):
    """A broker of this module's own, because the tests stop and block it."""
    broker = Broker(tmp_path_factory.mktemp("broker"))
    yield broker
    broker.kill()


@pytest.fixture()
def channel(node):
    connection = node.pika()
    yield connection.channel()
    try:
        connection.close()
    except pika.exceptions.AMQPError:
        pass  # the test stopped the broker


def declare_route(channel, name, stream=True):
    """An exchange whose key k leads to a quorum queue and a stream, as a tenant's does. The queue's
    delivery limit is explicit: by default RabbitMQ 4 drops a message that was returned 20 times."""
    channel.exchange_declare(name, "direct", durable=True)
    channel.queue_declare(f"{name}.q", durable=True, arguments={
        "x-queue-type": "quorum", "x-delivery-limit": 1_000_000})
    channel.queue_bind(f"{name}.q", name, "k")
    if stream:
        channel.queue_declare(f"{name}.s", durable=True, arguments={"x-queue-type": "stream"})
        channel.queue_bind(f"{name}.s", name, "k")


def declare_stream(channel, name):
    """A stream behind an exchange of its name."""
    channel.queue_declare(name, durable=True, arguments={"x-queue-type": "stream"})
    channel.exchange_declare(name, "fanout", durable=True)
    channel.queue_bind(name, name)


def drain_queue(channel, queue, expect=None):
    """Takes what is left in a queue; returns the message ids. The queue can look empty for a while:
    `expect` says how many messages to wait for."""
    ids = []
    deadline = time.monotonic() + 60
    while True:
        method, properties, _ = channel.basic_get(queue, auto_ack=True)
        if method is not None:
            ids.append(properties.message_id)
        elif expect is None or len(ids) >= expect or time.monotonic() > deadline:
            return ids
