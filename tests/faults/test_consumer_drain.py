# SPDX-License-Identifier: Apache-2.0
"""SIGTERM to a consumer under load: it exits 0 and leaves no child. Each submitted job has ended or is
still queued, exactly once."""
import json
import signal

from harness.events import Events
from harness.publish import publish
from harness.until import until
from harness.warren import default_handlers

LANES = ("critical", "high", "medium", "low", "long")


def queued(warren):
    return sum(warren.depth(f"jobs.acme.{lane}") for lane in LANES)


def worker_states(events):
    return [line["state"] for line in events.lines if line["event"] == "worker"]


def set_to_work(warren, urgent, noops):
    """Queues the urgent jobs and so many noops, and starts the consumer. Returns the ids of both kinds
    once the consumer is at work."""
    tenant = warren.tenant("acme", amqp_login=True)
    assert warren.consumer.stop() == 0
    with tenant.pika() as connection:
        channel = connection.channel()
        first = [publish(channel, "acme", type, payload, lane="critical")
                 for type, payload in urgent]
        others = [publish(channel, "acme", "noop") for _ in range(noops)]
    warren.consumer.start()
    until(lambda: warren.consumer.metrics().sum("warren_jobs_processed_total") > 50, 60, "a start")
    assert warren.consumer.metrics()["warren_workers_active"] >= 1
    return first, others


def start_with_program(warren, type, script, **members):
    """Starts the Warren with a type whose jobs run that shell script."""
    handlers = default_handlers()
    handlers["types"][type] = {"exec": ["/bin/sh", "-c", script], **members}
    warren.write_handlers(handlers)
    warren.start()


def test_drained_under_load(fresh_warren, tally):
    warren = fresh_warren
    sleepers, noops = set_to_work(warren, 2 * [("sleep", {"ms": 4000})], 4000)
    ids = sleepers + noops
    assert warren.consumer.stop() == 0
    assert '"clean":false' not in warren.consumer.log()

    left = queued(warren)
    assert left > 0, "the signal came too late"
    events = Events(warren)
    events.until(lambda: len(events.ended(ids)) + left >= len(ids), what="the ended ones")
    ended = events.ended(ids)
    assert len(ended) + left == len(ids)
    assert set(sleepers) <= ended, "a running job was not let to its end"
    events.until(lambda: worker_states(events)[-1:] == ["gone"], what="its last word")

    warren.consumer.start()
    all_ended = events.await_ended(ids)
    events.close()
    runs = events.starts(set(ids))
    again = tally("consumer SIGTERM", ids, all_ended, runs,
                  note=f"ended then {len(ended)}, still queued {left}")
    assert again == 0
    assert queued(warren) == 0


def given_back(warren, id, outcome):
    """Every view of the API shows the job as pending again, although no other consumer has started it."""
    job = until(lambda: (job := warren.api.get(id))["status"] == "pending" and job, 1, "pending")
    assert (job["attempt"], job["worker"], job["started_at"]) == (1, None, None)
    assert [found["id"] for found in warren.api.list_all(status="pending")] == [id]
    assert warren.api.list_all(status="running") == []
    stats = warren.api.stats()
    assert (stats["pending"], stats["running"]) == (1, 0)
    [attempt] = warren.api.attempts(id)["attempts"]
    assert attempt["outcome"] == outcome and attempt["finished_at"]


def test_what_outlasts_the_drain_is_given_back(make_warren):
    warren = make_warren(settings={"consumer": {"drain": "300ms"}}, start=False)
    start_with_program(warren, "stuck", f"test -e {warren.folder}/open && echo '\"second\"' && exit; "
                       f"touch {warren.folder}/started; sleep 600", grace="5s")
    id = warren.api.submit("stuck", max_retries=0)["id"]
    until((warren.folder / "started").exists, 30, "the program runs")
    assert warren.consumer.stop() == 0
    assert warren.depth("jobs.acme.medium") == 1
    given_back(warren, id, "released")
    (warren.folder / "open").touch()
    warren.consumer.start()
    job = warren.api.wait(id)
    assert (job["status"], job["result"], job["attempt"]) == ("completed", "second", 1)
    [attempt] = warren.api.attempts(id)["attempts"]
    assert (attempt["outcome"], attempt["redelivered"]) == ("completed", True)


def test_held_and_waiting_jobs_are_given_back(make_warren):
    """A job that was delivered but not started is not lost, not charged, and not published as started."""
    warren = make_warren(settings={"consumer": {"concurrency": 1, "drain": "0s"}})
    first = warren.api.submit("sleep", {"ms": 600000}, timeout="1h", priority="critical")["id"]
    warren.api.wait(first, "running")
    waiting = [warren.api.submit("noop", priority="low")["id"] for _ in range(5)]
    until(lambda: warren.consumer.metrics()["warren_deliveries_held"] >= 2, 30, "some are held")
    assert warren.consumer.stop() == 0
    assert queued(warren) == 6
    events = Events(warren)
    events.until(lambda: [line for line in events.lines if line.get("state") == "gone"],
                 what="the worker is gone")
    events.close()
    assert not any(events.of(id, "started") for id in waiting), json.dumps(events.lines[-5:])
    warren.consumer.settings["drain"] = "0s"
    warren.consumer.start()
    assert warren.api.wait(first, "running")["attempt"] == 1


def test_a_second_signal_ends_it_at_once(make_warren, tally):
    """The second signal comes during a drain that would last for minutes, with jobs running and outcomes
    unconfirmed. The consumer exits without a crash and leaves no child; every job ends after the next
    start."""
    warren = make_warren(settings={"consumer": {"drain": "10m"}}, start=False)
    start_with_program(warren, "gated", f"touch {warren.folder}/started; until test -e "
                       f"{warren.folder}/open; do sleep 0.1; done; echo 1", timeout="1h")
    gated, noops = set_to_work(warren, 2 * [("gated", None)], 3000)
    until((warren.folder / "started").exists, 30, "a program runs")
    warren.consumer.signal(signal.SIGTERM)
    until(lambda: '"msg":"draining"' in warren.consumer.log(), 30, "it drains")
    assert warren.consumer.stop() == 1, warren.consumer.log()[-3000:]
    assert "second signal" in warren.consumer.log()
    (warren.folder / "open").touch()
    warren.consumer.start()
    events, ids = Events(warren), set(gated + noops)
    ended = events.await_ended(ids)
    events.close()
    tally("consumer SIGTERM twice", ids, ended, events.starts(ids))
