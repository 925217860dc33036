# SPDX-License-Identifier: Apache-2.0
"""Idempotency keys of jobs with times: a delay, an expiry, and what is sent again when they have passed."""
from concurrent.futures import ThreadPoolExecutor

import pytest

from gateway_rig import check_problem
from harness.until import until
from keyed_rig import behind  # noqa: F401 (a fixture)
from keyed_rig import REUSED, Moment, accepted, check_replay, send, until_accepted


@pytest.mark.parametrize("expires", ["1970-01-01T00:00:00Z", "1969-12-31T23:59:59Z", "0000-01-01T00:00:00Z"])
def test_times_before_all_others_do_no_harm_to_them(api, key, expires):
    check_problem(send(api, key, expires=expires), 422, "/expires", "later than now")
    with ThreadPoolExecutor(10) as pool:
        others = list(pool.map(lambda n: send(api, f"{key}-{n}"), range(10)))
    assert [answer.status_code for answer in others] == [202] * 10


@pytest.mark.parametrize("delay", [None, "1500ms"])
def test_replay_after_its_expiry(api, key, delay):
    """A time that has passed refuses the same members only with another key."""
    end = Moment(2.5)
    members = {"expires": end.text, "delay": delay}
    first = accepted(send(api, key, **members))
    end.until_past()
    check_replay(send(api, key, **members), first)
    for other in (key + "-2", None):
        check_problem(send(api, other, **members), 422, "/expires", "later than now")
    assert send(api, key, payload=2, **members).json()["type"] == REUSED


def test_replay_of_a_delay_that_has_become_too_long(api, key):
    """From now it would be due after its `expires`, which is still to come."""
    end = Moment(60)
    members = {"expires": end.text, "delay": 59}
    first = accepted(send(api, key, **members))
    Moment(1.1).until_past()
    check_problem(send(api, key + "-2", **members), 422, "/expires", "earliest start")
    check_replay(send(api, key, **members), first)


def test_delayed_job_keeps_its_time(behind, forwarder, key):
    """A delay counts from the first request, also for the job that the next one publishes again."""
    api = behind.api
    forwarder.mute.add("queues")
    unknown = send(api, key, delay="9s")
    assert unknown.json()["accepted"] == "unknown"
    forwarder.renew("queues")
    again = accepted(until_accepted(api, key, delay="9s"))  # the job has not come due
    assert again["id"] == unknown.json()["id"]
    job = api.wait(again["id"])
    assert job["run_at"] is not None and len(api.attempts(again["id"])["attempts"]) == 1
    assert again["run_at"] <= job["started_at"]
    check_replay(send(api, key, delay="9s"), again)


def test_second_copy_does_not_expire_by_its_later_time(behind, forwarder, key):
    """No queue has the first copy; the second one is due later, but before `expires`."""
    api = behind.api
    members = {"delay": "9s", "expires": "11s"}
    forwarder.deaf.add("queues")
    unknown = send(api, key, **members)
    assert unknown.json()["accepted"] == "unknown"
    forwarder.renew("queues")
    again = accepted(until_accepted(api, key, **members))
    assert again["id"] == unknown.json()["id"]
    assert api.wait(again["id"])["status"] == "completed"


def send_in_batch(api, key, **members):
    """The only entry of the answer."""
    answer = api.request("POST", "/jobs/batch", json=[{"type": "noop", "idempotency_key": key, **members}])
    assert answer.status_code == 202, answer.text
    return answer.json()["jobs"][0]


@pytest.mark.parametrize("alone", [True, False], ids=["alone", "batch"])
def test_unknown_until_after_its_expiry(behind, forwarder, key, alone):
    """It may have run, so it is not refused as one that comes too late."""
    api = behind.api
    end = Moment(3)
    forwarder.deaf.add("queues")
    unknown = send(api, key, expires=end.text).json()
    assert unknown["accepted"] == "unknown"
    forwarder.renew("queues")
    end.until_past()
    if alone:
        again = accepted(until_accepted(api, key, expires=end.text))
    else:
        again = until(lambda: (entry := send_in_batch(api, key, expires=end.text)).get("problem") is None and entry,
                      60, "it is accepted", every=0.1)
        assert "replayed" not in again
    assert again["id"] == unknown["id"]
    job = api.wait(again["id"])
    assert (job["status"], job["reason"]) == ("cancelled", "expired")
    check_problem(send(api, key + "-2", expires=end.text), 422, "/expires", "later than now")
    assert send_in_batch(api, key + "-2", expires=end.text)["problem"]["status"] == 422
