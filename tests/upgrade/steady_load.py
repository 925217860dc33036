# SPDX-License-Identifier: Apache-2.0
"""Clients that submit jobs of all kinds over HTTP and AMQP, at a steady rate, while programs are
exchanged."""
import collections
import itertools
import threading

import requests

from harness.api import Api
from harness.publish import publish

HTTP_CLIENTS = 4
PAUSE = 0.05  # s between two submissions of a client

# What is submitted, and how it ends: status, attempts, reason.
COMPLETED, RETRIED = ("completed", 1, None), ("completed", 2, None)
EXHAUSTED, PERMANENT = ("dead", 2, "exhausted"), ("dead", 1, "permanent")
OVER_HTTP = (
    ({"type": "noop", "payload": [1]}, COMPLETED),
    ({"type": "echo", "payload": {"n": 1.5}, "priority": "high"}, COMPLETED),
    ({"type": "noop", "payload": [2], "delay": "300ms"}, COMPLETED),
    ({"type": "noop", "payload": [3], "delay": "2150ms"}, COMPLETED),
    ({"type": "fail", "payload": {"times": 1}}, RETRIED),
    ({"type": "sleep", "payload": {"ms": 100}, "priority": "low"}, COMPLETED),
    ({"type": "fail", "payload": {}, "max_retries": 1}, EXHAUSTED),
    ({"type": "noop", "payload": [4], "priority": "critical"}, COMPLETED),
    ({"type": "fail", "payload": {"permanent": True}}, PERMANENT),
)
OVER_AMQP = (
    ("noop", [5], {}, COMPLETED),
    ("echo", {"from": "outside"}, {"x-delay": 700}, COMPLETED),
    ("fail", {"times": 1}, {}, RETRIED),
    ("fail", {"permanent": True}, {}, PERMANENT),
)


# What a gateway answers while it stops, and between its start and /readyz.
RESTARTING = ("this server is stopping", "keys and tenants have not been read from the broker yet")


class SteadyLoad:
    """Submits from its construction until stop(). `wanted`: job id → how it is to end."""

    def __init__(self, tenant, gateways):
        self.tenant = tenant
        self.gateways = gateways
        self.wanted = {}
        self.taken_by = {}  # job id → a gateway's name, or "amqp"
        self.refused = collections.Counter()  # answers that are no 202
        self.away = 0  # submissions that a gateway did not take because it restarts
        self.wrong = []
        self._stopping = threading.Event()
        self._threads = [threading.Thread(target=self._run, args=(self._submit, number))
                         for number in range(HTTP_CLIENTS)]
        self._threads.append(threading.Thread(target=self._run, args=(self._publish, 0)))
        for thread in self._threads:
            thread.start()

    def _run(self, work, number):
        try:
            work(number)
        except Exception as wrong:  # a thread's own would be lost
            self.wrong.append(wrong)

    def _submit(self, number):
        """A client knows all gateways: when one is away it asks the next."""
        apis = {gateway.name: Api(f"http://127.0.0.1:{gateway.port}", self.tenant.key)
                for gateway in self.gateways}
        for turn in itertools.count(number):
            members, end = OVER_HTTP[turn % len(OVER_HTTP)]
            for shift in range(len(apis)):
                name = self.gateways[(turn + shift) % len(apis)].name
                if self._post(name, apis[name], members, end):
                    break
            if self._stopping.wait(PAUSE):
                return

    def _post(self, name, api, members, end):
        try:
            answer = api.request("POST", "/jobs", json=members)
        except requests.ConnectionError:
            self.away += 1
            return False
        if answer.status_code == 202 and "told" not in answer.json():
            self.take(answer.json()["id"], name, end)
            return True
        body = answer.json()
        if answer.status_code == 503 and body["detail"] in RESTARTING:
            self.away += 1
        else:
            self.refused[f"{answer.status_code} {body.get('detail')} {body.get('accepted', '')}"] += 1
        return False

    def take(self, id, name, end):
        self.taken_by[id] = name
        self.wanted[id] = end

    def taken(self, name):
        """How many jobs that gateway has taken."""
        return sum(1 for by in list(self.taken_by.values()) if by == name)

    def _publish(self, _number):
        with self.tenant.pika() as connection:
            channel = connection.channel()
            channel.confirm_delivery()
            for turn in itertools.count():
                type, payload, headers, end = OVER_AMQP[turn % len(OVER_AMQP)]
                id = publish(channel, self.tenant.name, type, payload, headers=headers)
                self.take(id, "amqp", end)
                connection.sleep(2 * PAUSE)
                if self._stopping.is_set():
                    return

    def stop(self):
        self._stopping.set()
        for thread in self._threads:
            thread.join(timeout=120)
            assert not thread.is_alive()
        assert not self.wrong, self.wrong
