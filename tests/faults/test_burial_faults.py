# SPDX-License-Identifier: Apache-2.0
"""A burial that happened only in part: the stream has it, the queue `dead` may not, and the consumer was
killed. The job still gets its one dead letter."""
import contextlib

from harness.events import Events
from harness.until import until


@contextlib.contextmanager
def refused(warren):
    """Binds a queue that rejects everything to exchange `dead`: no burial is confirmed."""
    with warren.pika() as connection:
        channel = connection.channel()
        channel.queue_declare("jam", exclusive=True,
                              arguments={"x-max-length": 0, "x-overflow": "reject-publish"})
        channel.queue_bind("jam", "dead")
        yield channel


@contextlib.contextmanager
def refused_and_lost(warren):
    """As `refused`, and exchange `dead` does not reach queue `dead` either: the state after a broker dies
    between its two writes."""
    with refused(warren) as channel:
        channel.queue_unbind("dead", "dead", routing_key="")
        yield
        channel.queue_bind("dead", "dead", routing_key="")


def half_buried(warren, fault):
    """A job that is dead in the stream and back in its lane, with no consumer. Returns the job as read."""
    with fault(warren):
        id = warren.api.submit("fail", {"permanent": True})["id"]
        job = warren.api.wait(id)
        assert job["status"] == "dead"
        warren.consumer.kill()
    until(lambda: warren.depth("jobs.acme.medium") == 1, 30, "the job is back in its lane")
    return job


def repeated(warren):
    """How often a letter came that the archive already had."""
    return warren.dlx_monitor.metrics()["warren_dead_letters_repeated_total"]


def await_all_archived(warren, id):
    """Waits until the archive has received every burial of the job so far; returns their number."""
    count = len(burials(warren, id, 1))
    until(lambda: repeated(warren) == count - 1, 30, f"{count} burials archived as one")
    return count


def checked(warren, verdict):
    return warren.consumer.metrics().sum("warren_duplicates_checked_total", verdict=verdict)


def burials(warren, id, count):
    """(properties, body) of each burial of the job, once `count` are in the stream."""
    events = Events(warren)
    events.until(lambda: len(events.burials(id)) >= count, what=f"{count} burials")
    events.close()
    return events.burials(id)


def row(job):
    """The job without the members that depend on when it was read."""
    return {name: value for name, value in job.items() if name not in ("as_of", "lag_ms")}


def starts(warren, id):
    """How often run 1 of the job was started, by the events published so far."""
    marker = warren.api.run("noop")["id"]
    events = Events(warren)
    events.until(lambda: events.of(marker, "completed"), what="the marker")
    events.close()
    return sum(line["run"] == 1 for line in events.of(id, "started"))


def test_a_burial_without_a_letter_is_made_again(fresh_warren, tally):
    warren = fresh_warren
    before = half_buried(warren, refused_and_lost)
    id = before["id"]
    assert warren.api.letters(job=id) == []
    warren.consumer.start()
    letter, = until(lambda: warren.api.letters(job=id), 30, "its letter")
    assert checked(warren, "buried") == 1
    assert (letter["reason"], letter["error"], letter["error_kind"], letter["run"],
            letter["attempt"]) == ("permanent", before["error"], "error", 1, 1)
    until(lambda: warren.depth("jobs.acme.medium") == 0, 30, "its lane is empty")
    assert starts(warren, id) == 1
    job = warren.api.get(id)
    for member in "status", "reason", "error", "error_kind", "run", "attempt", "payload":
        assert job[member] == before[member], member
    tally.letters("burial lost between stream and queue", [id], [letter["job_id"]])
    made = burials(warren, id, 2)
    assert len({properties.headers["x-burial"] for properties, _ in made}) == 1
    assert len({body for _, body in made}) == 1


def test_a_burial_that_has_its_letter_is_no_second_one(fresh_warren, tally):
    warren = fresh_warren
    id = half_buried(warren, refused)["id"]
    count = await_all_archived(warren, id)
    letter, = warren.api.letters(job=id)
    warren.consumer.start()
    until(lambda: repeated(warren) == count, 30, "it came again")
    until(lambda: warren.depth("jobs.acme.medium") == 0, 30, "its lane is empty")
    assert checked(warren, "buried") == 1
    assert warren.api.letters(job=id) == [letter]
    tally.letters("burial unknown to its consumer", [id], [letter["job_id"]])
    assert starts(warren, id) == 1
    stats = warren.api.stats()
    assert (warren.api.get(id)["status"], stats["dead"]) == ("dead", 1)


def test_a_replay_is_not_touched_by_what_it_replays(fresh_warren, tally):
    """Neither the old delivery nor its late burial changes the replay."""
    warren = fresh_warren
    id = half_buried(warren, refused)["id"]
    count = await_all_archived(warren, id)
    letter, = warren.api.letters(job=id)
    warren.api.requeue(letter["id"], type="echo", payload="second life")
    until(lambda: warren.api.get(id)["run"] == 2, 30, "the replay is known")
    warren.consumer.start()
    job = warren.api.wait(id, "completed")
    assert (job["run"], job["result"]) == (2, "second life")
    until(lambda: warren.depth("jobs.acme.medium") == 0, 30, "its lane is empty")
    assert (checked(warren, "buried"), checked(warren, "dropped")) == (0, 1)
    assert starts(warren, id) == 1

    properties, body = burials(warren, id, count)[-1]
    with warren.pika("warren-consumer") as connection:
        channel = connection.channel()
        channel.confirm_delivery()
        channel.basic_publish("dead", "acme.medium", body, properties)
    until(lambda: repeated(warren) == count, 30, "it came again")
    warren.api.run("noop")  # once this has ended, the projection has passed the burial
    assert row(warren.api.get(id)) == row(job)
    letters = warren.api.letters(job=id)
    assert [(one["id"], one["state"]) for one in letters] == [(letter["id"], "replayed")]
    tally.letters("burial that came after its replay", [id], [one["job_id"] for one in letters])
