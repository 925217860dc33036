# SPDX-License-Identifier: Apache-2.0
"""The event stream was deleted: every program says what is missing and what to do, and goes on by itself
when that is done."""
import requests

from harness.until import until

APPLY = "the broker's stream events is not there: if it stays away, `warren topology apply` makes it"
DOCTOR = "stream events cannot be read: if it stays so, `warren doctor` says what is missing"


def says(program, wanted):
    try:
        answer = requests.get(program.health_url("/readyz"), timeout=5)
    except requests.ConnectionError:
        return False  # it does not listen yet
    return answer.status_code == 503 and wanted in answer.json()["detail"]


def test_all_say_it_and_recover(fresh_warren):
    warren = fresh_warren
    api = warren.api
    with warren.pika() as connection:
        connection.channel().queue_delete("events")
    until(lambda: says(warren.status_store, DOCTOR), 30, "the status-store says it")
    # Publishers look for the stream when they connect.
    publishers = [warren.gateway, warren.consumer, warren.dlx_monitor]
    for program in publishers:
        assert program.stop() == 0
        program.start(ready=False)
    for program in publishers:
        until(lambda p=program: says(p, APPLY), 30, f"{program.name} says it")

    warren.broker.topology(warren.vhost, "apply")
    warren.status_store.restart()  # the primary binds the tenants' exchanges again
    for program in publishers:
        program.wait_ready(60)
    assert api.wait(api.submit("noop", {})["id"])["status"] == "completed"
