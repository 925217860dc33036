# SPDX-License-Identifier: Apache-2.0
"""The primary or the broker dies while many act on jobs: an act that was answered is done, one that was begun
is ended, and none is done by half."""
import random
import threading
import time

import requests

from harness.until import until

JOBS = 40
STATUS = {"cancel": "cancelled", "run-now": "completed"}


def act_on_all(warren, ids):
    """Half is cancelled, half run at once. Job id → (act, status of the answer, None: there was none)."""
    answers = {}

    def act(id, what):
        try:
            answers[id] = (what, warren.api_at(warren.gateway).request("POST", f"/jobs/{id}/{what}").status_code)
        except requests.RequestException:
            answers[id] = (what, None)

    threads = [threading.Thread(target=act, args=(id, ("cancel", "run-now")[n % 2]))
               for n, id in enumerate(ids)]
    for thread in threads:
        thread.start()
    return threads, answers


def check_whole(warren, answers):
    """Waits until no act is left; then each job is as its act says, or untouched."""
    for program in warren.status_store, warren.consumer:
        until(program.is_ready, 180, f"{program.name} is ready")
    until(lambda: warren.status_store.metrics().sum("warren_acts_unfinished") == 0, 60, "no act is left")
    for id, (what, code) in answers.items():
        if code == 202:
            job = warren.api.wait(id)
            assert job["status"] == STATUS[what], (what, job)
    time.sleep(1)  # what was begun and not answered ends meanwhile
    for id, (what, code) in answers.items():
        job = until(lambda id=id: (lambda job: job if job["status"] not in ("running", "pending") else None)(
            warren.api.get(id)), 30, "no job on its way")
        assert job["status"] in (STATUS[what], "scheduled"), (what, code, job)
        attempts = warren.api.attempts(id)["attempts"]
        assert len(attempts) == (job["status"] == "completed"), attempts


def delayed(warren):
    ids = [warren.api.submit("noop", n, delay="1h")["id"] for n in range(JOBS)]
    for id in ids:
        warren.api.wait(id, "scheduled")
    return ids


def test_the_primary_is_killed(fresh_warren):
    warren = fresh_warren
    done = begun = 0
    for after in (0.05, 0.15, 0.3, 0.6):
        threads, answers = act_on_all(warren, delayed(warren))
        time.sleep(after * random.uniform(0.8, 1.2))
        warren.status_store.kill()
        warren.status_store.start()
        for thread in threads:
            thread.join()
        check_whole(warren, answers)
        done += sum(code == 202 for _, code in answers.values())
        begun += len(answers)
    assert done < begun, "no act was interrupted"


def test_the_broker_is_killed(faulty_warren):
    warren = faulty_warren
    threads, answers = act_on_all(warren, delayed(warren))
    time.sleep(0.3)
    warren.broker.kill()
    warren.broker.start()
    for thread in threads:
        thread.join()
    check_whole(warren, answers)
