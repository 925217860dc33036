# SPDX-License-Identifier: Apache-2.0
"""`warren submit --batch` is stopped, or cannot go on, against a stand-in of the gateway."""
import json
import os
import signal
import subprocess
import threading
import time

import pytest

from cli_batch_rig import gateway, line, next_words, numbers, stopped, submit  # noqa: F401 (fixtures)
from cli_rig import EXIT
from harness.until import until

DAY = 24 * 3600 * 1000  # ms


@pytest.mark.parametrize("status, want", [(401, "not allowed"), (403, "not allowed"),
                                          (404, "not found"), (500, "unreachable")])
def test_a_refusal_of_the_request_ends_it(gateway, submit, status, want):
    submit.write(600)
    gateway.plan = [None, status]
    done = submit()
    assert done.returncode == EXIT[want] and done.stdout == ""
    assert f"answered {status} as planned" in done.stderr
    assert done.stderr.endswith("to go on: warren submit --batch jobs.ndjson\n")
    done = submit()
    assert done.returncode == 0 and gateway.made == 600
    assert done.stdout == "600 accepted (500 by an earlier run), 0 refused\n"


def test_accepted_jobs_behind_an_open_one_are_told(gateway, submit):
    submit.write(6)
    gateway.plan = [("leave", 1, 1), 401]
    assert "\n  5 accepted, 0 refused\n" in submit().stderr
    assert submit.stored(done=0)["accepted"] == 0
    assert submit().stdout == "6 accepted (5 were there already), 0 refused\n" and gateway.made == 6


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_a_stopped_run_goes_on(gateway, submit, how):
    submit.jobs.write_text("".join(line(n) for n in range(1, 1200)) + '{"type": "bad"}\n',
                           encoding="utf-8")
    held = threading.Event()
    gateway.plan = [None, held]
    running = submit.start("--batch", "jobs.ndjson")
    gateway.wait_requests(2)
    running.send_signal(how)
    out, err = running.communicate(timeout=60)
    held.set()
    assert running.returncode == -how and out == ""
    if how != signal.SIGKILL:
        assert err == ("warren: interrupted\n  500 accepted, 0 refused\n"
                       "  to go on: warren submit --batch jobs.ndjson\n")
    state = json.loads(submit.state.read_text(encoding="utf-8"))
    assert (state["done"], state["accepted"], state["refused"]) == (500, 500, 0)
    done = submit("--batch", "jobs.ndjson", "--json")
    assert done.returncode == EXIT["refused"]
    told = json.loads(done.stdout)
    assert told["accepted"] == 1199 and told["earlier"] == 500 and told["refused"] == 1
    assert told["key"] == state["key"] and told["refused_file"] == "jobs.ndjson.refused"
    assert numbers(gateway) == list(range(1, 1200)) and gateway.made == 1199
    assert len(submit.refusals()) == 1


def test_with_json_a_stop_has_members(gateway, submit):
    gateway.plan = [None, 401]
    text = "".join(line(n) for n in range(600))
    done = submit("--batch", "-", "--key", "k", "--json", text=text)
    told = json.loads(done.stderr.splitlines()[-1])
    assert (told["exit"], told["accepted"], told["refused"]) == (EXIT["not allowed"], 500, 0)
    assert (told["key"], told["next"]) == ("k", "warren submit --batch - --key k")


def test_an_array_goes_on(gateway, submit):
    submit.jobs.write_text(json.dumps([{"type": "noop", "payload": {"n": n}} for n in range(1200)]),
                           encoding="utf-8")
    gateway.plan = [None, 401]
    assert submit().returncode == EXIT["not allowed"]
    done = submit()
    assert done.returncode == 0 and gateway.made == 1200 and numbers(gateway) == list(range(1200))


def test_refused_jobs_of_both_runs_are_there(gateway, submit):
    submit.jobs.write_text('{"type": "bad"}\n' + "".join(line(n) for n in range(600)) +
                           '{"type": "bad"}\n', encoding="utf-8")
    gateway.plan = [None, 401]
    submit()
    assert submit().stdout.startswith("600 accepted (499 by an earlier run), 2 refused")
    assert [refusal["line"] for refusal in submit.refusals()] == [1, 602]


def test_a_run_replaces_an_older_file_of_refused_jobs(gateway, submit):
    submit.refused.write_text('{"line":7}\n', encoding="utf-8")
    submit.jobs.write_text("".join(line(n) for n in range(600)) + '{"type": "bad"}\n', encoding="utf-8")
    gateway.plan = [None, 401]
    assert submit().returncode == EXIT["not allowed"]
    assert submit().stdout.startswith("600 accepted (500 by an earlier run), 1 refused")
    assert [refusal["line"] for refusal in submit.refusals()] == [601]


def test_a_wait_for_the_rate_may_take_days(gateway, submit):
    """What is settled is noted while the others of its request wait, and they have no keys that grow old."""
    submit.jobs.write_text(line(1) + '{"type": "bad"}\n' + "".join(line(n) for n in range(3, 601)),
                           encoding="utf-8")
    gateway.plan = [("take", 100, 3600)]
    running = submit.start("--batch", "jobs.ndjson")
    state = until(lambda: submit.stored(done=100), 60, "the first jobs are noted")
    assert (state["accepted"], state["refused"], state["since"]) == (99, 1, 0)
    running.kill()
    running.communicate(timeout=60)
    assert [refusal["line"] for refusal in submit.refusals()] == [2]
    held = threading.Event()
    gateway.plan = [held]
    running = submit.start("--batch", "jobs.ndjson")
    gateway.wait_requests(2)
    assert submit.stored(done=100)["since"] > 0, "before jobs are sent"
    held.set()
    out, err = running.communicate(timeout=60)
    assert running.returncode == EXIT["refused"], err
    assert out == "599 accepted (99 by an earlier run), 1 refused: jobs.ndjson.refused\n"
    assert gateway.made == 599 and len(submit.refusals()) == 1


def test_keys_are_not_used_when_they_may_be_forgotten(gateway, submit):
    """The first run's request has no answer; the next run may send it again for 23 h after that."""
    submit.write(600)
    gateway.plan = [None, "lose", 401]
    assert submit().returncode == EXIT["not allowed"]
    since = time.time_ns() // 1_000_000 - DAY * 23 // 24 + 5000
    submit.state.write_text(json.dumps({**submit.stored(done=500), "since": since}), encoding="utf-8")
    gateway.plan = [503] * 20
    done = submit()
    assert done.returncode == EXIT["unreachable"], done.stderr
    assert "for 23 h it stayed unknown" in done.stderr and gateway.plan and gateway.made == 600
    assert "more than 23 h ago" in submit().stderr


def test_a_changed_file_does_not_go_on(gateway, submit):
    key = stopped(gateway, submit)
    submit.write(601)
    done = submit()
    assert done.returncode == EXIT["usage"] and "was changed after its submission began" in done.stderr
    assert done.stderr.endswith(f" --restart --key {key}\n") and gateway.made == 500
    done = submit("--batch", "jobs.ndjson", "--restart", "--key", key)
    assert done.stdout == "601 accepted (500 were there already), 0 refused\n"
    assert gateway.made == 601 and not submit.state.exists()


@pytest.mark.parametrize("torn", [0, 5])
def test_a_file_that_becomes_shorter_while_it_is_read(gateway, submit, torn):
    submit.write(6000)
    held = threading.Event()
    gateway.plan = [held]
    running = submit.start("--batch", "jobs.ndjson")
    gateway.wait_requests(1)
    os.truncate(submit.jobs, sum(len(line(n)) for n in range(1, 2501)) + torn)
    held.set()
    out, err = running.communicate(timeout=60)
    assert (running.returncode, out) == (EXIT["usage"], "") and gateway.made == 2500
    assert "warren: jobs.ndjson became shorter while it was read\n  2500 accepted, 0 refused\n" in err
    words = next_words(err)
    assert next_words(submit().stderr) == words
    submit.write(6000)
    done = submit(*words)
    assert done.stdout == "6000 accepted (2500 were there already), 0 refused\n"
    assert gateway.made == 6000 and not submit.refused.exists()


def test_what_else_does_not_go_on(gateway, submit):
    key = stopped(gateway, submit)
    other = submit("--batch", "jobs.ndjson", "--url", "http://127.0.0.1:1")
    assert other.returncode == EXIT["usage"] and "another gateway" in other.stderr
    assert "\n  500 accepted, 0 refused\n" in other.stderr
    other = submit("--batch", "jobs.ndjson", "--key", "k")
    assert other.returncode == EXIT["usage"] and "another key" in other.stderr
    stored = json.loads(submit.state.read_text(encoding="utf-8"))
    submit.state.write_text(json.dumps({**stored, "since": stored["since"] - DAY}), encoding="utf-8")
    old = submit()
    assert old.returncode == EXIT["usage"] and "more than 23 h ago" in old.stderr
    submit.state.write_text("{}", encoding="utf-8")
    assert submit().returncode == EXIT["usage"]
    submit.state.write_text(json.dumps(stored), encoding="utf-8")
    assert submit("--batch", "jobs.ndjson", "--key", key).returncode == 0
    assert gateway.made == 600


def test_one_run_at_a_time(gateway, submit):
    submit.write(10)
    held = threading.Event()
    gateway.plan = [held]
    first = submit.start("--batch", "jobs.ndjson")
    gateway.wait_requests(1)
    second = submit()
    assert second.returncode == EXIT["usage"] and "by another process" in second.stderr
    held.set()
    assert first.communicate(timeout=60)[0] == "10 accepted, 0 refused\n"
    assert gateway.made == 10


def test_standard_input(gateway, submit):
    done = submit("--batch", "-", text=line(1) + '{"type": "bad"}\n')
    assert done.returncode == EXIT["refused"] and done.stdout == "1 accepted, 1 refused\n"
    assert json.loads(done.stderr.splitlines()[0])["line"] == 2
    done = submit("--batch", "-", "--refused", "it's", text='{"type": "bad"}\n')
    assert done.stdout == "0 accepted, 1 refused: it's\n" and (submit.folder / "it's").exists()
    assert submit("--batch", "-", text="").stdout == "0 accepted, 0 refused\n"
    gateway.plan = [None, 401]
    text = "".join(line(n) for n in range(600))
    gateway.jobs.clear()
    done = submit("--batch", "-", "--refused", "it's", text=text)
    assert done.returncode == EXIT["not allowed"]
    key = next(iter(gateway.jobs)).split("/")[0]
    assert done.stderr.endswith("to go on, with the same input: warren submit --batch - "
                                f"--refused 'it'\\''s' --key {key}\n")
    done = submit("--batch", "-", "--key", key, text=text)
    assert done.stdout == "600 accepted (500 were there already), 0 refused\n"


def test_jobs_of_a_slow_input_are_sent_as_they_come(gateway, submit):
    running = submit.start("--batch", "-", stdin=subprocess.PIPE)
    for count in (1, 2):
        running.stdin.write(line(count))
        running.stdin.flush()
        gateway.wait_requests(count)
    running.send_signal(signal.SIGINT)
    _, err = running.communicate(timeout=60)
    assert running.returncode == -signal.SIGINT and "to go on, with the same input: " in err
    assert gateway.made == 2


def test_the_gateway_may_come_later(submit, gateway):
    submit.write(3)
    gateway.shutdown()
    gateway.server_close()
    running = submit.start("--batch", "jobs.ndjson")
    assert "again in 1 s: gateway at http://" in running.stderr.readline()
    running.send_signal(signal.SIGINT)
    assert "to go on: " in running.communicate(timeout=60)[1]
    assert running.returncode == -signal.SIGINT


def test_a_wrong_url_that_took_no_job(submit):
    submit.write(3)
    running = submit.start("--batch", "jobs.ndjson", "--url", "http://me:secret@127.0.0.1:1")
    running.stderr.readline()
    assert "secret" not in submit.state.read_text(encoding="utf-8")
    running.send_signal(signal.SIGINT)
    err = running.communicate(timeout=60)[1]
    assert err.endswith("submit --batch jobs.ndjson --url http://LOGIN:PASSWORD@127.0.0.1:1\n")
    assert submit().stdout == "3 accepted, 0 refused\n"
