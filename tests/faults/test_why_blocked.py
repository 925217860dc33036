# SPDX-License-Identifier: Apache-2.0
"""Why a job waits while the broker takes no messages, and while it is away."""
import pytest

from harness.load import queues_are_on_disk
from harness.until import until
from harness.warren import Warren


def why(whole, job):
    answer = whole.api.request("GET", f"/jobs/{job}/why")
    assert answer.status_code == 200, answer.text
    return answer.json()


@pytest.fixture(name="whole")
def whole_(private_broker, tmp_path):
    made = Warren(private_broker, tmp_path, settings={"consumer": {"no_handler_wait": "10m"}})
    yield made
    made.end()


def test_broker_blocked(whole):
    """The gateway is idle, so only its probe can show it."""
    job = whole.api.submit("unheard_of")["id"]
    until(lambda: why(whole, job)["code"] == "no_worker", 30, "no worker")
    whole.broker.ctl("set_vm_memory_high_watermark", "0")
    try:
        until(lambda: why(whole, job)["code"] == "broker_blocked", 30, "blocked")
        answer = why(whole, job)
        assert answer["evidence"] == {"broker": "blocked"} and answer["since"]
        assert answer["text"] == "the broker takes no messages: it is short of memory or disk space"
        assert "no_worker" in answer["also"]
    finally:
        whole.broker.ctl("set_vm_memory_high_watermark", "0.6")
    until(lambda: why(whole, job)["code"] == "no_worker", 60, "no worker again")


def test_broker_away(whole):
    job = whole.api.submit("unheard_of")["id"]
    until(lambda: why(whole, job)["code"] == "no_worker", 30, "no worker")
    until(lambda: queues_are_on_disk(whole.broker), 60, "the queues are on disk", every=0.2)
    whole.broker.stop()
    try:
        seen = until(lambda: (one := why(whole, job))["code"] != "no_worker" and one, 30, "another code")
        # Without its broker the status-store is behind after some seconds, and says so.
        assert seen["code"] in ("broker_blocked", "unknown")
        if seen["code"] == "broker_blocked":
            assert seen["evidence"] == {"broker": "down"}
    finally:
        whole.broker.start()
    until(lambda: why(whole, job)["code"] == "no_worker", 60, "no worker again")
