# SPDX-License-Identifier: Apache-2.0
"""The consumer or its children are killed or stopped while jobs run: no job is lost."""
import collections
import os
import signal
import threading

from harness.events import Events
from harness.processes import command_line
from harness.until import until
from harness.warren import default_handlers

WORKERS = 4


class Ledger:
    """A file to which handlers write each start and each end of a run: a record independent of Warren."""

    def __init__(self, path):
        self.path = path
        path.touch()

    def handler(self, seconds):
        """A handler program that runs for that long."""
        note = f'echo "$WARREN_JOB_ID $WARREN_JOB_ATTEMPT {{}}" >> "{self.path}"'
        script = f"{note.format('start')}; sleep {seconds}; {note.format('end')}"
        return {"exec": ["/bin/sh", "-c", script], "grace": "1s"}

    def count(self, what):
        """Job id → how often `what` ("start" or "end") was written for it."""
        lines = [line.split() for line in self.path.read_text(encoding="utf-8").splitlines()]
        return collections.Counter(job for job, _, noted in lines if noted == what)

    def at_work(self):
        return sum(self.count("start").values()) - sum(self.count("end").values())


def handlers_with(**types):
    handlers = default_handlers()
    handlers["types"].update(types)
    return handlers


def await_completed(api, ids, timeout=90):
    """Waits until all jobs are completed; returns their ids."""
    jobs = [api.wait(id, timeout=timeout) for id in ids]
    assert not [job for job in jobs if job["status"] != "completed"]
    return [job["id"] for job in jobs]


def hosts_of(consumer):
    return [pid for pid in consumer.children() if "warren-plugin-host" in command_line(pid)]


def test_kill_9_of_the_plugin_hosts_in_mid_job(fresh_warren, tally):
    api = fresh_warren.api
    ids = [api.submit("sleep", {"ms": 1500})["id"] for _ in range(WORKERS)]
    for id in ids:
        api.wait(id, "running")
    struck = hosts_of(fresh_warren.consumer)
    assert len(struck) >= WORKERS
    for pid in struck:
        os.kill(pid, signal.SIGKILL)

    ended = await_completed(api, ids)
    for id in ids:
        attempts = api.attempts(id)["attempts"]
        assert [attempt["outcome"] for attempt in attempts] == ["failed", "completed"], attempts
        assert attempts[0]["error_kind"] == "crash"
        assert "SIGKILL" in attempts[0]["error"]
    tally("plugin hosts kill -9", ids, ended,
          {id: len(api.attempts(id)["attempts"]) for id in ids}, note=f"running then {len(ids)}")
    assert not set(struck) & set(hosts_of(fresh_warren.consumer))
    assert api.run("echo", "alive")["result"] == "alive"


def test_a_handler_that_crashes_costs_its_attempts_only(fresh_warren):
    api = fresh_warren.api
    bad = [api.submit("fail", {"crash": True}, max_retries=1)["id"] for _ in range(8)]
    good = [api.submit("echo", number)["id"] for number in range(50)]
    await_completed(api, good)
    for id in bad:
        job = api.wait(id)
        assert (job["status"], job["reason"], job["error_kind"]) == ("dead", "exhausted", "crash")
        assert job["attempt"] == 2 and "SIGABRT" in job["error"]


def test_kill_9_of_a_consumer_with_jobs_running(make_warren, tmp_path, tally):
    ledger = Ledger(tmp_path / "ledger")
    warren = make_warren(handlers=handlers_with(slow=ledger.handler(0.4)))
    api = warren.api
    ids = [api.submit("slow")["id"] for _ in range(24)]
    until(lambda: sum(ledger.count("end").values()) >= 2 and ledger.at_work() >= WORKERS - 1, 60,
          "jobs ended and jobs running")
    warren.consumer.kill()  # also checks that its children are gone
    struck = ledger.at_work()
    assert struck >= 1

    warren.consumer.start()
    ended = await_completed(api, ids)
    runs = ledger.count("start")
    again = tally("consumer kill -9", ids, ended, runs, note=f"running then {struck}")
    # The jobs that were running run again, and perhaps those that had just ended without a confirm.
    assert 1 <= again <= 2 * WORKERS
    assert set(runs.values()) <= {1, 2}
    assert warren.depth("jobs.acme.medium") == 0


def test_kill_9_of_one_of_two_consumers(make_warren, tmp_path, tally):
    ledger = Ledger(tmp_path / "ledger")
    warren = make_warren(handlers=handlers_with(slow=ledger.handler(0.4)))
    warren.add_consumer()
    api = warren.api
    ids = [api.submit("slow")["id"] for _ in range(32)]
    until(lambda: ledger.at_work() > WORKERS, 60, "both at work")
    warren.consumer.kill()
    ended = await_completed(api, ids)
    runs = ledger.count("start")
    tally("one of two consumers kill -9", ids, ended, runs)
    assert set(runs.values()) <= {1, 2}


def test_sigterm_under_load_loses_and_repeats_nothing(make_warren, tmp_path, tally):
    ledger = Ledger(tmp_path / "ledger")
    warren = make_warren(handlers=handlers_with(slow=ledger.handler(0.2)))
    api = warren.api
    ids, enough = [], threading.Event()

    def submit():
        # This thread needs its own client: a requests session is not safe to share.
        mine = warren.api_at(warren.gateway)
        while not enough.is_set():
            kind = ("noop", "slow", "echo")[len(ids) % 3]
            ids.append(mine.submit(kind, len(ids))["id"])

    load = threading.Thread(target=submit)
    load.start()
    try:
        until(lambda: len(ids) >= 60 and ledger.at_work() >= 1, 60, "load")
        assert warren.consumer.stop() == 0  # also checks that its children are gone
    finally:
        enough.set()
        load.join()

    assert ledger.at_work() == 0  # running jobs ended first
    queued = warren.depth("jobs.acme.medium")
    assert queued > 0
    ended = until(lambda: len(api.list_all(status="completed", limit=500)) == len(ids) - queued
                  and len(ids) - queued, 30, "submitted = ended + still queued")

    warren.consumer.start()
    all_ended = await_completed(api, ids)
    events = Events(warren)
    told = events.await_ended(ids)
    events.close()
    again = tally("consumer SIGTERM under HTTP load", ids, told & set(all_ended),
                  events.starts(set(ids)),
                  note=f"ended then {ended}, still queued {queued}")
    slow = [id for number, id in enumerate(ids) if number % 3 == 1]
    assert again == 0 and ledger.count("start") == dict.fromkeys(slow, 1)
    assert warren.depth("jobs.acme.medium") == 0


def test_sigterm_gives_back_what_will_not_end(make_warren, tmp_path):
    flag = tmp_path / "second"
    script = (f'if [ -e "{flag}" ]; then echo again; else touch "{flag}"; '
              "trap 'exit 0' TERM; sleep 600 & wait; fi")
    warren = make_warren(settings={"consumer": {"drain": "300ms"}}, handlers=handlers_with(
        endless={"exec": ["/bin/sh", "-c", script], "grace": "2s"}))
    api = warren.api
    programs = api.submit("endless")["id"]
    plugins = api.submit("sleep", {"ms": 4000})["id"]
    api.wait(programs, "running")
    api.wait(plugins, "running")
    until(flag.exists, 10, "the program at work")
    assert warren.consumer.stop() == 0
    assert warren.depth("jobs.acme.medium") == 2

    warren.consumer.start()
    for id, result in ((programs, "again"), (plugins, None)):
        job = api.wait(id)
        assert (job["status"], job["result"]) == ("completed", result)
        assert job["attempt"] == 1  # no attempt was charged


def test_a_killed_consumer_takes_its_programs_along(make_warren, tmp_path):
    warren = make_warren(handlers=handlers_with(
        lasting={"exec": ["/bin/sleep", "600"], "timeout": "10m"}))
    api = warren.api
    id = api.submit("lasting")["id"]
    api.wait(id, "running")
    programs = until(lambda: [pid for pid in warren.consumer.children()
                              if command_line(pid).startswith("/bin/sleep")], 10, "the program")
    assert len(programs) == 1
    warren.consumer.kill()
    assert not any(command_line(pid).startswith("/bin/sleep") for pid in programs)
