# SPDX-License-Identifier: Apache-2.0
"""The broker is killed or stopped while a consumer runs jobs, or sends them on hops: no job is lost, running
jobs go on, and the tests count how often each job ran."""
import signal

import pytest

from harness.events import Events
from harness.publish import publish
from harness.until import until
from harness.warren import default_handlers

SLEEPERS = 3  # of 4 workers
QUICK = 3000
HOPPING = 600  # of each of two types
NAMES = {"kill": "kill -9", "stop": "stopped"}


def submit_all(warren):
    """A backlog: long jobs, which start first, and many short ones."""
    tenant = warren.tenant("acme", amqp_login=True)
    let_queues_settle(warren)
    assert warren.consumer.stop() == 0
    with tenant.pika() as connection:
        channel = connection.channel()
        sleepers = [publish(channel, "acme", "sleep", {"ms": 20000}, lane="critical")
                    for _ in range(SLEEPERS)]
        quick = [publish(channel, "acme", "noop") for _ in range(QUICK)]
    warren.consumer.start()
    return sleepers, quick


def let_queues_settle(warren):
    """RabbitMQ writes the place of a new quorum queue's log to disk every half second. A queue that is
    younger than that when the broker is killed never gets a leader again."""
    assert warren.api.run("sleep", {"ms": 1500})["status"] == "completed"


def hops(warren):
    return int(warren.consumer.metrics().sum("warren_hops_total"))


def processed(warren):
    return warren.consumer.metrics().sum("warren_jobs_processed_total")


@pytest.mark.parametrize("fault", ["kill", "stop"])
def test_the_broker_goes_while_jobs_run(faulty_warren, tally, fault):
    warren = faulty_warren
    sleepers, quick = submit_all(warren)
    until(lambda: processed(warren) >= 100, 60, "some have run")
    assert processed(warren) < QUICK, "the fault comes too late"
    getattr(warren.broker, fault)()
    running = warren.consumer.metrics()["warren_workers_active"]
    assert running >= SLEEPERS, "nothing was running when the broker went"
    warren.broker.start()
    ids = sleepers + quick
    events = Events(warren)
    ended = events.await_ended(ids)
    events.close()
    runs = events.starts(set(ids))
    tally(f"broker {NAMES[fault]} with jobs running", ids, ended, runs,
          note=f"running then {running:.0f}")
    # The sleepers ran on during the outage. A redelivery joined its running job, or was acked from memory.
    assert [runs[id] for id in sleepers] == [1] * SLEEPERS
    until(lambda: warren.consumer.is_ready() and warren.gateway.is_ready(), 60, "ready again")
    assert warren.api.run("noop")["status"] == "completed"


def test_a_type_that_stops_with_its_link_is_tried_again_uncharged(private_broker, make_warren,
                                                                 tally):
    handlers = default_handlers()
    handlers["types"]["sleep"]["on_link_loss"] = "stop"
    warren = make_warren(on=private_broker, handlers=handlers)
    let_queues_settle(warren)
    id = warren.api.submit("sleep", {"ms": 8000}, max_retries=0)["id"]
    warren.api.wait(id, "running")
    private_broker.kill()
    until(lambda: warren.consumer.metrics()["warren_workers_active"] == 0, 30, "it stopped")
    private_broker.start()
    job = warren.api.wait(id, timeout=90)
    assert (job["status"], job["attempt"]) == ("completed", 2)
    attempts = warren.api.attempts(id)["attempts"]
    assert [attempt["outcome"] for attempt in attempts] == ["failed", "completed"]
    assert "connection to the broker" in attempts[0]["error"]
    tally("broker kill -9 under a type that stops with its link", [id], [job["id"]],
          {id: len(attempts)})


@pytest.mark.parametrize("fault", ["kill", "stop"])
def test_the_broker_goes_while_jobs_hop(private_broker, make_warren, tally, fault):
    """Jobs of a type that nobody handles yet, and jobs whose delays need several buckets."""
    warren = make_warren(on=private_broker, settings={"consumer": {"no_handler_wait": "1h"}})
    tenant = warren.tenant("acme", amqp_login=True)
    let_queues_settle(warren)
    assert warren.consumer.stop() == 0
    with tenant.pika() as connection:
        channel = connection.channel()
        ids = [publish(channel, "acme", *of) for _ in range(HOPPING) for of in (
            ("echo.late", 1), ("noop", 1, "high", {"x-delay": 1780}))]
    warren.consumer.start()
    until(lambda: hops(warren) >= HOPPING // 10, 60, "some hop")
    getattr(warren.broker, fault)()
    then = hops(warren)
    warren.broker.start()
    until(lambda: warren.consumer.is_ready() and warren.gateway.is_ready(), 60, "ready again")
    handlers = default_handlers()
    handlers["types"]["echo.late"] = {"plugin": "basic", "handler": "echo"}
    warren.write_handlers(handlers)
    warren.consumer.signal(signal.SIGHUP)
    events = Events(warren)
    ended = events.await_ended(ids, 240)
    events.close()
    tally(f"broker {NAMES[fault]} with jobs hopping", ids, ended, events.starts(set(ids)),
          note=f"hops then {then}")
    assert not events.burials()
