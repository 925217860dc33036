# SPDX-License-Identifier: Apache-2.0
"""Deliveries that may be duplicates: a job that has ended is not run again, a running job is not run twice
at once, and a job that kills its workers is buried."""
import json
import time
import uuid
from urllib.parse import quote

import pika
import pytest

from harness.events import Events
from harness.until import until
from harness.warren import default_handlers


def publish_again(warren, id, type="echo", payload=None, **headers):
    """Publishes the job again, as a service does after a lost confirm."""
    with warren.pika("warren-gateway") as connection:
        channel = connection.channel()
        channel.confirm_delivery()
        channel.basic_publish("jobs.acme", "medium", json.dumps(payload).encode(),
                              pika.BasicProperties(
                                  message_id=id, type=type, content_type="application/json",
                                  delivery_mode=2, timestamp=int(time.time()),
                                  user_id="warren-gateway",
                                  headers={"x-again": 1, "x-queued-at": int(time.time() * 1000),
                                           **headers}))


def tell(warren, *lines):
    """Publishes events as a worker that does not exist here."""
    with warren.pika("warren-consumer") as connection:
        channel = connection.channel()
        channel.confirm_delivery()
        channel.basic_publish("events", "", "\n".join(map(json.dumps, lines)).encode(),
                              pika.BasicProperties(content_type="application/x-ndjson",
                                                   delivery_mode=2, user_id="warren-consumer"))


def started(id, worker, at, attempt=1):
    return {"event": "started", "id": id, "tenant": "acme", "run": 1, "attempt": attempt, "at": at,
            "worker": worker, "redelivered": False}


def now():
    return int(time.time() * 1000)


def checked(warren, verdict):
    return warren.consumer.metrics().sum("warren_duplicates_checked_total", verdict=verdict)


def starts(warren, id):
    """How often the job was started, counted once a later job has ended."""
    marker = warren.api.run("noop")["id"]
    events = Events(warren)
    events.until(lambda: events.of(marker, "completed"), what="the marker")
    events.close()
    return len(events.of(id, "started"))


def test_what_was_finished_here_is_acked_from_memory(warren):
    job = warren.api.run("echo", 1)
    before = checked(warren, "remembered")
    publish_again(warren, job["id"], payload=1)
    until(lambda: checked(warren, "remembered") == before + 1, 30, "remembered")
    assert starts(warren, job["id"]) == 1


def test_what_was_finished_elsewhere_is_asked_about(fresh_warren):
    job = fresh_warren.api.run("echo", 1)
    fresh_warren.consumer.restart()  # the consumer no longer remembers the job
    publish_again(fresh_warren, job["id"], payload=1)
    until(lambda: checked(fresh_warren, "dropped") == 1, 30, "dropped")
    assert starts(fresh_warren, job["id"]) == 1
    assert fresh_warren.depth("jobs.acme.medium") == 0


def test_a_keyed_job_that_comes_from_a_hop_is_asked_about(fresh_warren):
    """It does not say that it was published twice: its copy has run meanwhile."""
    job = fresh_warren.api.run("echo", 1)
    fresh_warren.consumer.restart()
    publish_again(fresh_warren, job["id"], payload=1, **{"x-again": 0, "x-key": "k", "x-hop": 1})
    until(lambda: checked(fresh_warren, "dropped") == 1, 30, "dropped")
    assert starts(fresh_warren, job["id"]) == 1


def test_a_keyed_job_that_comes_for_the_first_time_is_not_asked_about(fresh_warren):
    fresh_warren.tenant()
    id = str(uuid.uuid4())
    publish_again(fresh_warren, id, payload="first", **{"x-again": 0, "x-key": "k"})
    assert fresh_warren.api.wait(id)["result"] == "first"
    assert fresh_warren.consumer.metrics().sum("warren_duplicates_checked_total") == 0


def fail_once(warren, wait):
    """A job whose first attempt failed, and a consumer that does not remember it."""
    changed = default_handlers()
    changed["types"]["fail"]["retry"] = {"base": wait, "factor": 1, "cap": wait, "jitter": 0}
    warren.write_handlers(changed)
    warren.consumer.restart()
    id = warren.api.submit("fail", {"times": 1})["id"]
    warren.api.wait(id, "failed")
    warren.consumer.restart()
    return id


def test_a_retry_that_comes_supersedes(fresh_warren):
    """The first attempt is delivered again while the second waits for its time: it waits too, and is then
    dropped."""
    id = fail_once(fresh_warren, "10s")
    publish_again(fresh_warren, id, type="fail", payload={"times": 1})
    until(lambda: checked(fresh_warren, "wait") >= 1, 30, "it waits")
    assert fresh_warren.api.wait(id)["attempt"] == 2
    until(lambda: checked(fresh_warren, "dropped") == 1, 30, "dropped")
    assert starts(fresh_warren, id) == 2


@pytest.mark.soak
def test_a_retry_that_was_lost_is_made_up_for(fresh_warren):
    """The stream has the retry, the delay queue lost it: only the first attempt's message is left."""
    id = fail_once(fresh_warren, "20s")
    with fresh_warren.pika() as connection:
        channel = connection.channel()
        until(lambda: channel.queue_purge("delay.20s").method.message_count == 1, 30, "it is lost")
    publish_again(fresh_warren, id, type="fail", payload={"times": 1})
    job = fresh_warren.api.wait(id, {"completed", "dead"})
    assert job["status"] == "completed"
    assert checked(fresh_warren, "wait") >= 1


def test_what_is_not_known_runs(warren):
    id = str(uuid.uuid4())
    publish_again(warren, id, payload="fresh")
    assert warren.api.wait(id)["result"] == "fresh"


def test_what_runs_on_a_living_worker_waits_for_it(warren):
    """The delivery hops until that worker has gone, and then runs."""
    id = str(uuid.uuid4())
    tell(warren, started(id, "elsewhere/1", now()),
         {"event": "worker", "worker": "elsewhere/1", "at": now(), "started": now(),
          "version": "1", "concurrency": 1, "state": "up", "running": [], "types": []})
    before = checked(warren, "wait")
    publish_again(warren, id, payload="patience")
    until(lambda: checked(warren, "wait") >= before + 2, 30, "two hops")
    assert warren.api.get(id)["status"] == "running"
    tell(warren, {"event": "worker", "worker": "elsewhere/1", "at": now() + 1, "started": now(),
                  "version": "1", "concurrency": 1, "state": "gone", "running": [], "types": []})
    job = warren.api.wait(id)
    assert (job["status"], job["result"]) == ("completed", "patience")
    attempts = warren.api.attempts(id)["attempts"]
    assert [attempt["redelivered"] for attempt in attempts] == [True]


def test_what_kills_its_workers_is_buried(warren):
    id = str(uuid.uuid4())
    tell(warren, *(started(id, f"dead-{n}/1", now() - 60000 + n) for n in range(5)))
    publish_again(warren, id, payload=1)
    job = warren.api.wait(id)
    assert (job["status"], job["reason"], job["attempt"]) == ("dead", "poison", 1)
    assert "5 times" in job["error"]


def test_four_deaths_are_not_enough(warren):
    id = str(uuid.uuid4())
    tell(warren, *(started(id, f"dead-{n}/1", now() - 60000 + n) for n in range(4)))
    publish_again(warren, id, payload="lives")
    assert warren.api.wait(id)["result"] == "lives"


def test_without_an_answer_it_runs_all_the_same(fresh_warren):
    api = fresh_warren.api
    fresh_warren.status_store.kill()
    id = str(uuid.uuid4())
    publish_again(fresh_warren, id, payload="unasked")
    events = Events(fresh_warren)
    line = events.until(lambda: events.of(id, "started"), what="started")[0]
    events.close()
    assert line["redelivered"] is True
    fresh_warren.status_store.start()
    assert api.wait(id)["result"] == "unasked"


def test_retries_are_asked_about_after_a_reconnect(fresh_warren):
    """The connection may have been lost between the publish of a retry and the ack of the failed attempt."""
    warren = fresh_warren

    def asked():
        return warren.consumer.metrics().sum("warren_duplicates_checked_total")

    def connections():
        rows = warren.broker.management("GET", f"/api/vhosts/{warren.vhost}/connections")
        return {row["name"] for row in rows if row.get("user") == "warren-consumer"}

    assert warren.api.run("fail", {"times": 1})["attempt"] == 2
    assert asked() == 0
    old = until(lambda: len(found := connections()) >= 2 and found, 30, "its connections are known")
    for name in old:
        warren.broker.management("DELETE", f"/api/connections/{quote(name)}")
    until(lambda: len(connections() - old) >= len(old), 60, "connected again", every=0.2)
    assert warren.api.run("noop")["status"] == "completed"
    assert asked() == 0, "a first attempt is not asked about"
    assert warren.api.run("fail", {"times": 1})["attempt"] == 2
    assert asked() == 1


def test_a_day_old_message_is_asked_about(warren):
    job = warren.api.run("echo", "old")
    warren.consumer.restart()
    before = checked(warren, "dropped")
    with warren.pika("warren-gateway") as connection:
        channel = connection.channel()
        channel.confirm_delivery()
        channel.basic_publish("jobs.acme", "medium", b'"old"', pika.BasicProperties(
            message_id=job["id"], type="echo", content_type="application/json", delivery_mode=2,
            user_id="warren-gateway", headers={"x-queued-at": now() - 25 * 3600 * 1000}))
    until(lambda: checked(warren, "dropped") == before + 1, 30, "dropped")
    assert starts(warren, job["id"]) == 1


@pytest.mark.parametrize("count", [300])
def test_many_are_asked_about_in_batches(warren, count):
    ids = [str(uuid.uuid4()) for _ in range(count)]
    for id in ids:
        publish_again(warren, id, payload=1)
    events = Events(warren)
    events.until(lambda: len(events.ended(ids)) == count, what="all ended")
    events.close()
    assert max(events.count("started", set(ids)).values()) == 1
