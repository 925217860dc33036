# SPDX-License-Identifier: Apache-2.0
"""Types' limits without a registry that makes them: fills the queues of tokens and publishes the types'
records. The file of runs names the job, so its tenant and type are those that the test knows of it."""
import collections
import json

import pika

from harness.until import until
from slots_rig import Limited, handlers_with_job


class TypeLimited(Limited):
    """`job` (append their start and end to a file) and `call` (does nothing) are its types."""

    def __init__(self, whole):
        super().__init__(whole)
        self.types = collections.defaultdict(lambda: {"max_running": None, "slots_version": 0,
                                                      "max_rate": None, "rate_version": 0})

    def _publish(self, type):
        limits = self.types[type]
        self.versions[f"type {type}"] += 1
        record = {"record": "type", "key": type, "v": self.versions[f"type {type}"], **limits}
        with self.whole.pika("warren-provision") as connection:
            channel = connection.channel()
            channel.confirm_delivery()
            channel.basic_publish("control", "", json.dumps(record), pika.BasicProperties(
                user_id="warren-provision", content_type="application/json", delivery_mode=2))
        rate = -1 if limits["max_rate"] is None else limits["max_rate"]["count"]
        most = -1 if limits["max_running"] is None else limits["max_running"]
        told = (f"\"type\":\"{type}\",\"max_running\":{most},\"slots_version\":{limits['slots_version']},"
                f"\"rate\":{rate},\"rate_version\":{limits['rate_version']}")
        for consumer in self.consumers:
            until(lambda c=consumer: told in c.log(), 20, f"{consumer.name} has the record of {type}")

    def limit_type(self, type, most):
        """At most so many of its jobs run at once; None: any number."""
        limits = self.types[type]
        limits["max_running"] = most
        limits["slots_version"] += 1
        if most is not None:
            self.fill(f"slots-type.{type}.{limits['slots_version']}", most)
        self._publish(type)

    def _fill_rate(self, type, version, count, per):
        """The queue of tokens and that where they cool down, each dead-lettered to the other."""
        def dead_lettered(to):
            return {"x-dead-letter-exchange": "", "x-dead-letter-routing-key": f"{to}-type.{type}.{version}",
                    "x-dead-letter-strategy": "at-least-once", "x-overflow": "reject-publish"}

        self.fill(f"cooling-type.{type}.{version}", 0, **dead_lettered("rates"), **{"x-message-ttl": per})
        self.fill(f"rates-type.{type}.{version}", count, **dead_lettered("cooling"))

    def limit_rate(self, type, count, per=1000):
        """At most `count` of its jobs start in `per` ms; None: any number."""
        limits = self.types[type]
        limits["max_rate"] = None if count is None else {"count": count, "per": f"{per}ms"}
        limits["rate_version"] += 1
        if count is not None:
            self._fill_rate(type, limits["rate_version"], count, per)
        self._publish(type)

    def free_type(self, type, version=None):
        return self.whole.depth(f"slots-type.{type}.{version or self.types[type]['slots_version']}")

    def await_free_type(self, type, count):
        until(lambda: self.free_type(type) == count, 20, f"{count} free slots of {type}")

    def await_rate_tokens(self, type, count):
        """Until all tokens of the rate are back from cooling."""
        queue = f"rates-type.{type}.{self.types[type]['rate_version']}"
        until(lambda: self.whole.depth(queue) == count, 20, f"{count} tokens in {queue}")


def start(make_warren, consumers=1, tenants=("acme",), on_link_loss="finish", **settings):
    whole = make_warren(settings={"consumer": {"concurrency": 4, **settings}}, start=False)
    handlers = handlers_with_job(whole, on_link_loss)
    handlers["types"]["call"] = handlers["types"]["noop"]
    whole.write_handlers(handlers)
    whole.start()
    for tenant in tenants:
        whole.tenant(tenant, amqp_login=True)
    limited = TypeLimited(whole)
    limited.consumers += [whole.add_consumer() for _ in range(consumers - 1)]
    return limited


def starts(events, ids):
    """When each of these jobs was started, in ms, in order."""
    ids = set(ids)
    told = {(line["id"], line["attempt"]): line["at"] for line in events.lines
            if line["event"] == "started" and line["id"] in ids}
    return sorted(told.values())


def most_in(times, per):
    """The largest number of these times within less than `per` ms."""
    most, first = 0, 0
    for last, at in enumerate(times):
        while at - times[first] >= per:
            first += 1
        most = max(most, last - first + 1)
    return most
