# SPDX-License-Identifier: Apache-2.0
"""Acts on jobs that died, in which their dead letters take part; and on jobs that were told in part."""
import contextlib
import json
import sqlite3
import threading
import time
import uuid

import pika

from acts_rig import act, internal, kind_of
from harness.publish import publish
from harness.until import until


def died(warren):
    """The id of a dead job, and its letter."""
    id = warren.api.submit("fail", {"n": 1}, max_retries=0)["id"]
    assert warren.api.wait(id)["status"] == "dead"
    letter = until(lambda: warren.api.letters(job=id), 20, "its letter")[0]
    return id, letter["id"]


def run_of(warren, id, run):
    """The job, when it has ended in that run."""
    def there():
        job = warren.api.get(id)
        return job if job["run"] == run and job["status"] in ("dead", "completed") else None
    return until(there, 30, f"the end of run {run}")


def test_a_retry_replays_the_letter(warren):
    id, letter = died(warren)
    answer = act(warren.api, "POST", f"{id}/retry")
    assert answer == {"id": id, "tenant": "acme", "run": 2, "status": "pending"}
    run_of(warren, id, 2)
    until(lambda: warren.api.letter(letter)["state"] == "replayed", 20, "the letter is replayed")


def test_retry_and_replay_at_once(warren):
    """One of them replays the letter, the other is refused: two runs never get one number."""
    for _ in range(5):
        id, letter = died(warren)
        answers = []
        calls = [("POST", f"/jobs/{id}/retry"), ("POST", f"/dlq/{letter}/requeue")]
        threads = [threading.Thread(target=lambda call=call: answers.append(
            warren.api_at(warren.gateway).request(*call).status_code)) for call in calls]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert 202 in answers, answers
        assert all(code in (202, 409) for code in answers), answers
        run_of(warren, id, 1 + answers.count(202))


def test_forget_deletes_the_letters(warren):
    id, letter = died(warren)
    act(warren.api, "DELETE", id, 204)
    assert warren.api.request("GET", f"/dlq/{letter}").status_code == 404
    until(lambda: warren.api.request("GET", f"/jobs/{id}").status_code == 404, 10, "forgotten")
    act(warren.api, "DELETE", id, 204)


def test_an_id_of_two_tenants(warren):
    """A publisher chooses its jobs' ids. An act that names no tenant must not meet another's job, or its letter."""
    id, letter = died(warren)
    stranger = warren.tenant("stranger", amqp_login=True)
    with contextlib.closing(stranger.pika()) as connection:
        publish(connection.channel(), "stranger", "fail", {"n": 2}, message_id=id, headers={"x-max-retries": 0})
    theirs = until(lambda: stranger.api.letters(job=id), 30, "the other letter")[0]["id"]
    assert stranger.api.wait(id)["status"] == "dead"
    for method, path in (("DELETE", id), ("POST", f"{id}/retry"), ("POST", f"{id}/cancel")):
        assert kind_of(act(warren.admin, method, path, 409)) == "several-tenants"
    act(warren.admin, "DELETE", id, 204, params={"tenant": "acme"})
    assert warren.api.request("GET", f"/dlq/{letter}").status_code == 404
    assert stranger.api.letter(theirs)["state"] == "dead"
    act(warren.admin, "DELETE", id, 204)
    assert stranger.api.request("GET", f"/dlq/{theirs}").status_code == 404


def test_a_forget_waits_for_the_letter(warren):
    """The archive cannot be written: the letter waits in its queue, with the payload."""
    with contextlib.closing(sqlite3.connect(warren.folder / "archive.db", isolation_level=None)) as db:
        db.execute("BEGIN IMMEDIATE")
        id = warren.api.submit("fail", {"n": 1}, max_retries=0)["id"]
        assert warren.api.wait(id)["status"] == "dead"
        answer = warren.api.request("DELETE", f"/jobs/{id}")
        assert (answer.status_code, kind_of(answer.json())) == (409, "letter-not-archived")
        assert warren.api.get(id)["status"] == "dead"
        db.execute("ROLLBACK")
    letter = until(lambda: warren.api.letters(job=id), 20, "its letter")[0]["id"]
    act(warren.api, "DELETE", id, 204)
    assert warren.api.request("GET", f"/dlq/{letter}").status_code == 404


def test_a_letter_that_comes_after_the_forget(warren):
    """As when letters wait in their queue for longer than a forget waits for them."""
    assert warren.dlx_monitor.stop() == 0
    forgotten, other = (warren.api.submit("fail", {"n": 1}, max_retries=0)["id"] for _ in range(2))
    assert [warren.api.wait(id)["status"] for id in (forgotten, other)] == ["dead", "dead"]
    assert internal(warren, "DELETE", f"/jobs/{forgotten}?tenant=acme&letter=archived").status_code == 204
    time.sleep(6)
    warren.dlx_monitor.start()
    until(lambda: warren.api.letters(job=other), 20, "the letter of the other")
    until(lambda: "after its job was forgotten" in warren.dlx_monitor.log(), 20, "it is deleted")
    assert not warren.api.letters(job=forgotten) and warren.api.letters(job=other)


def test_letters_of_an_open_job_stay(warren):
    id, letter = died(warren)
    edit = {"type": "sleep", "payload": {"ms": 3000}}
    assert warren.api.request("POST", f"/dlq/{letter}/requeue", json=edit).status_code == 202
    warren.api.wait(id, {"running", "pending"})
    assert kind_of(act(warren.api, "DELETE", id, 409)) == "job-open"
    assert warren.api.request("GET", f"/dlq/{letter}").status_code == 200
    run_of(warren, id, 2)


def test_without_its_letter_it_is_retried_after_a_minute(warren):
    id, _ = died(warren)
    token_answer = internal(warren, "POST", f"/jobs/{id}/retry?tenant=acme")
    assert token_answer.status_code == 409
    assert kind_of(token_answer.json()) == "letter-not-archived"
    assert token_answer.headers["Retry-After"] == "1"


def test_a_letter_of_an_earlier_run(warren):
    """No run is granted for it while a later one is under way; it stays."""
    id, letter = died(warren)
    ask = {"tenant": "acme", "id": id, "holder": str(uuid.uuid4()), "after": 1, "run": 1}
    assert internal(warren, "POST", "/runs", json=ask).json()["run"] == 2
    answer = warren.api.request("POST", f"/dlq/{letter}/requeue")
    assert answer.status_code == 409 and "a later run of the job is under way" in answer.json()["detail"]
    assert warren.api.letter(letter)["state"] == "dead"
    assert act(warren.api, "DELETE", id, 204) is None
    assert internal(warren, "POST", "/runs", json={**ask, "holder": letter}).status_code == 409


def test_told_in_part_cannot_be_moved(warren):
    """Only its start is known, and that it was given back: no submission, so no payload."""
    id = str(uuid.uuid4())
    now = int(time.time() * 1000)
    lines = [{"event": "started", "id": id, "tenant": "acme", "run": 1, "attempt": 1, "worker": "host/1",
              "at": now, "type": "echo", "priority": 1, "max_retries": 3},
             {"event": "released", "id": id, "tenant": "acme", "run": 1, "attempt": 1, "worker": "host/1",
              "at": now + 1, "after": now + 1}]
    with warren.pika("warren-consumer") as connection:
        channel = connection.channel()
        channel.confirm_delivery()
        channel.basic_publish("events", "", b"".join(json.dumps(line).encode() + b"\n" for line in lines),
                              pika.BasicProperties(user_id="warren-consumer", delivery_mode=2,
                                                   content_type="application/x-ndjson"))
    warren.api.wait(id, "pending")
    answer = act(warren.api, "PATCH", id, 409, json={"priority": "high"})
    assert kind_of(answer) == "payload-unknown"
    assert act(warren.api, "POST", f"{id}/cancel")["status"] == "cancelled"
    assert warren.api.get(id)["status"] == "cancelled"


def test_replays_wait_for_the_primary(fresh_warren):
    warren = fresh_warren
    id, letter = died(warren)
    warren.status_store.stop()
    answer = warren.api.request("POST", f"/dlq/{letter}/requeue")
    assert answer.status_code == 503 and "granted by the primary" in answer.json()["detail"]
    assert warren.api.letter(letter)["state"] == "dead"
    warren.status_store.start()
    assert warren.api.requeue(letter)["run"] == 2
    run_of(warren, id, 2)
