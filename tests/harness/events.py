# SPDX-License-Identifier: Apache-2.0
"""The stream `events`, read from its start by a client that shares no code with Warren."""
import collections
import json
import time

import pika

from harness import packs
from harness.until import until


class Events:
    """`lines` are the events of exchange `events`, `messages` those from the other exchanges, with
    what came in packs."""

    def __init__(self, warren):
        self.lines = []
        self.messages = []
        self._warren = warren
        self._connection = warren.pika()
        self._channel = until(self._attach, 60, "the stream `events`", every=0.2)

    def _attach(self):
        """None while the stream is not there: a broker that has just started opens it late."""
        if self._connection.is_closed:
            self._connection = self._warren.pika()
        channel = self._connection.channel()
        channel.basic_qos(prefetch_count=1000)
        try:
            channel.basic_consume("events", self._on_message,
                                  arguments={"x-stream-offset": "first"})
        except (pika.exceptions.ChannelClosedByBroker, pika.exceptions.ConnectionClosedByBroker):
            return None  # RabbitMQ 4.3 closes the connection
        return channel

    def _on_message(self, channel, method, properties, body):
        if (method.exchange, properties.content_type) == ("events", packs.CONTENT_TYPE):
            self.messages += packs.decode(body)
        elif method.exchange == "events":
            self.lines += [json.loads(line) for line in body.splitlines()]
        else:
            self.messages.append((method.exchange, method.routing_key, properties, body))
        channel.basic_ack(method.delivery_tag)

    def until(self, condition, timeout=60, what="the condition"):
        """Reads on until condition() is true; returns what it returned."""
        end = time.monotonic() + timeout
        while True:
            self._connection.process_data_events(time_limit=0.02)
            value = condition()
            if value:
                return value
            assert time.monotonic() < end, f"{what}: not within {timeout} s"

    def count(self, event, among=None):
        """Job id → how often that event of it was published."""
        return collections.Counter(line["id"] for line in self.lines if line["event"] == event and
                                   (among is None or line["id"] in among))

    def starts(self, among):
        """Job id → how often it was started. A batch that was published again for lack of a confirm is
        not counted twice."""
        told = {json.dumps(line, sort_keys=True): line["id"] for line in self.lines
                if line["event"] == "started" and line["id"] in among}
        return collections.Counter(told.values())

    def of(self, id, event=None):
        return [line for line in self.lines
                if line.get("id") == id and event in (None, line["event"])]

    def burials(self, id=None):
        """The headers of messages that were buried, of one job or of all."""
        return [(properties, body) for exchange, _, properties, body in self.messages
                if exchange == "dead" and id in (None, properties.message_id)]

    def hops(self, id=None):
        """(job id, headers) of each job that has come back from a hop, of one job or of all. The stream
        is not told when a job leaves on a hop."""
        return [(properties.message_id, properties.headers)
                for exchange, _, properties, _ in self.messages
                if exchange == "due" and "x-hop" in properties.headers and
                id in (None, properties.message_id)]

    def ended(self, among):
        """Those of `among` that were completed or buried."""
        done = {line["id"] for line in self.lines if line["event"] == "completed"}
        done |= {properties.message_id for properties, _ in self.burials()}
        return done & set(among)

    def await_ended(self, ids, timeout=120):
        """Waits until all `ids` have ended, or the time is over; returns those that have ended."""
        try:
            self.until(lambda: len(self.ended(ids)) == len(set(ids)), timeout)
        except AssertionError:
            pass  # the caller counts the missing ones
        return self.ended(ids)

    def close(self):
        """On close pika requeues deliveries that were not read yet, which a stream does not support."""
        try:
            self._connection.close()
        except pika.exceptions.AMQPError:
            pass
