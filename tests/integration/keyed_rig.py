# SPDX-License-Identifier: Apache-2.0
"""Submissions with an idempotency key to a whole Warren."""
import datetime
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from gateway_rig import check_problem
from harness.until import until

REUSED, IN_FLIGHT, FULL = (f"urn:warren:problem:{name}" for name in ("key-reused", "key-in-flight", "keys-full"))


@pytest.fixture()
def behind(make_warren, forwarder):
    """A Warren whose gateway reaches the broker through the forwarder, with a short lease."""
    warren = make_warren(start=False, settings={"status-store": {"claims_lease": "4s"}})
    warren.gateway.settings.update(amqp_urls=forwarder.url(warren.vhost), confirm_timeout="1s")
    warren.start()
    assert warren.api.run("noop")["status"] == "completed"
    return warren


def send(api, key, type="noop", **members):
    """Any answer to a submission with that key in the header; None: without the header."""
    headers = {} if key is None else {"Idempotency-Key": key}
    return api.request("POST", "/jobs", json={"type": type, **members}, headers=headers)


def accepted(answer):
    """The body of a 202 that is the first answer to its key."""
    assert answer.status_code == 202, answer.text
    assert "Idempotent-Replayed" not in answer.headers
    return answer.json()


def check_replay(answer, first):
    """It is a replay of the 202 whose body is `first`."""
    assert answer.status_code == 202, answer.text
    assert answer.headers["Idempotent-Replayed"] == "true"
    assert answer.headers["Location"] == f"/api/v1/jobs/{first['id']}"
    assert answer.json() == {name: value for name, value in first.items() if name != "told"}


def check_in_flight(answer):
    assert check_problem(answer, 409)["type"] == IN_FLIGHT
    assert int(answer.headers["Retry-After"]) >= 1


def until_accepted(api, key, timeout=60, **members):
    """Sends the same again as a client does that has no answer, until it is 202; returns that answer."""
    def again():
        answer = send(api, key, **members)
        if answer.status_code != 202:
            assert answer.status_code in (409, 503), answer.text
            assert int(answer.headers["Retry-After"]) >= 1
            return None
        return answer

    return until(again, timeout, f"202 for {key}", every=0.1)


def send_many(apis, key, count, **members):
    """The answers to `count` identical requests at once, in turn through each of the clients."""
    with ThreadPoolExecutor(count) as pool:
        return list(pool.map(lambda i: send(apis[i % len(apis)], key, **members), range(count)))


class Moment:
    """A time so many seconds from now; `text` is RFC 3339."""

    def __init__(self, seconds):
        self.at = time.time() + seconds
        self.text = datetime.datetime.fromtimestamp(self.at, datetime.timezone.utc).isoformat()

    def until_past(self):
        until(lambda: time.time() > self.at, what="it has passed")


def until_waiting(gateway, count):
    until(lambda: gateway.metrics()["warren_claims_waiting"] >= count, what=f"{count} wait for claims")


def until_asked(service):
    """Until something that was sent to it lies unread: it hangs."""
    port = f":{service.port:04X}"

    def lies_unread():
        with open("/proc/net/tcp", encoding="ascii") as table:
            rows = [line.split() for line in table][1:]
        return any(row[1].endswith(port) and int(row[4].split(":")[1], 16) > 0 for row in rows)

    until(lies_unread, what="the question was sent")


def check_one_job(api, key, id):
    """One job shows with that key, which may be known a moment after the job."""
    until(lambda: api.get(id)["idempotency_key"] == key, 30, "the job's key")
    found = [job["id"] for job in (api.get(each["id"]) for each in api.list_all())
             if job["idempotency_key"] == key]
    assert found == [id]
