# SPDX-License-Identifier: Apache-2.0
"""A gateway whose two publishing links can be cut apart, and the stream that it tells of its jobs."""
import types
from concurrent.futures import ThreadPoolExecutor

import pytest
import requests

from gateway_rig import Caller, Gateway, drain, known
from harness.events import Events
from harness.metrics import Metrics
from harness.until import until


@pytest.fixture()
def events(node):
    reader = Events(types.SimpleNamespace(pika=node.connect))
    yield reader
    reader.close()


class Rig:
    """A gateway behind a forwarder, and a tenant's clients."""

    def __init__(self, node, control, services, folder, forwarder, **settings):
        self.node = node
        self.forwarder = forwarder
        settings.setdefault("confirm_timeout", "500ms")
        self.gateway = Gateway(node, folder, *services, amqp_urls=forwarder.url(node.vhost), **settings)
        self.gateway.wait_ready()
        control.tenant("acme")
        self.key = control.key("acme", ["submit", "read"])
        known(Caller(self.gateway, self.key))
        self.queued()  # nothing of an earlier test is left

    def submit(self, **members):
        with Caller(self.gateway, self.key) as caller:
            return caller.submit(**members)

    def submit_many(self, count):
        with ThreadPoolExecutor(count) as pool:
            return list(pool.map(lambda _: self.submit(), range(count)))

    def metrics(self):
        return Metrics(requests.get(self.gateway.health + "/metrics", timeout=20).text)

    def queued(self):
        """Takes the jobs that are in the tenant's queues: (lane, properties, body)."""
        with self.node.connect() as connection:
            return drain(connection.channel(), "acme")

    def why_not_ready(self):
        answer = requests.get(self.gateway.health + "/readyz", timeout=20)
        return answer.json()["detail"] if answer.status_code == 503 else None

    def is_untold(self):
        return self.metrics()["warren_jobs_untold"] > 0


@pytest.fixture()
def make_rig(node, control, services, tmp_path, forwarder):
    made = []

    def make(**settings):
        made.append(Rig(node, control, services, tmp_path, forwarder, **settings))
        return made[-1]

    yield make
    for rig in made:
        if rig.gateway.process.poll() is None:
            assert rig.gateway.stop() == 0


def told(events, ids, timeout=30):
    """Reads the stream until it has told all of these ids; id → (exchange, key, properties, body)."""
    def found():
        return {properties.message_id: (exchange, key, properties, body)
                for exchange, key, properties, body in events.messages}

    events.until(lambda: set(ids) <= found().keys(), timeout, f"told of {len(ids)} jobs")
    return found()


def ids_of(messages):
    return [properties.message_id for _, properties, _ in messages]
