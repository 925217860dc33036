# SPDX-License-Identifier: Apache-2.0
"""Several broker URLs: a program that cannot reach the first broker uses the second, and returns to the
first when the second goes away."""
import pytest

from harness.forwarder import Forwarder
from harness.until import until


@pytest.fixture()
def forwarders(broker):
    both = Forwarder(broker.port), Forwarder(broker.port)
    yield both
    for forwarder in both:
        forwarder.shut()


def submit(api):
    """Submits a job until it is accepted; returns its id."""
    answer = until(lambda: (a := api.request("POST", "/jobs", json={"type": "noop"})).status_code == 202
                   and a, 60, "accepted")
    return answer.json()["id"]


def test_gateway_and_consumer_take_the_broker_that_lives(make_warren, forwarders, tally):
    first, second = forwarders
    warren = make_warren(start=False)
    urls = ",".join(f"amqp://127.0.0.1:{forwarder.port}/{warren.vhost}" for forwarder in forwarders)
    for program in (warren.gateway, warren.consumer):
        program.settings["amqp_urls"] = urls
    second.open()
    warren.start()
    ids = [warren.api.run("noop")["id"]]
    assert first.passed == 0 and second.passed >= 5, "gateway has three links, consumer at least two"

    before = second.passed
    second.shut()
    until(lambda: warren.api.request("POST", "/jobs", json={"type": "noop"}).status_code == 503, 30,
          "the gateway without a broker")
    first.open()
    ids.append(submit(warren.api))
    ended = [job["id"] for job in map(warren.api.wait, ids) if job["status"] == "completed"]
    tally("first of two brokers gone", ids, ended,
          {id: len(warren.api.attempts(id)["attempts"]) for id in ids})
    assert first.passed >= 5 and second.passed == before
    until(lambda: warren.gateway.is_ready() and warren.consumer.is_ready(), 30, "ready again")
