# SPDX-License-Identifier: Apache-2.0
"""`warren submit --batch` against a stand-in of the gateway that fails as a test wants it to."""
import fcntl
import json
import os
import select
import shlex
import signal
import struct
import subprocess
import termios
import threading
import time

import pytest

from cli_batch_rig import BatchGateway
from cli_rig import EXIT
from gateway_rig import Service
from harness.broker import BIN
from harness.terminal import open_terminal
from harness.until import until


DAY = 24 * 3600 * 1000  # ms


@pytest.fixture()
def gateway():
    made = BatchGateway()
    yield made
    made.shutdown()
    made.server_close()


class Submit:
    """Runs `warren submit` in a folder of its own."""

    def __init__(self, url, folder):
        self.folder = folder
        self.env = {"PATH": os.environ["PATH"], "HOME": str(folder), "WARREN_URL": url,
                    "WARREN_API_KEY": "wk_mine"}
        self.jobs = folder / "jobs.ndjson"
        self.state = folder / "jobs.ndjson.warren-batch"
        self.refused = folder / "jobs.ndjson.refused"

    def start(self, *words, **options):
        options = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE,
                   **options}
        return subprocess.Popen([BIN / "warren", "submit", *words], env=self.env, text=True,
                                cwd=self.folder, **options)

    def __call__(self, *words, text=None):
        process = self.start(*(words or ("--batch", "jobs.ndjson")),
                             stdin=subprocess.DEVNULL if text is None else subprocess.PIPE)
        out, err = process.communicate(text, timeout=60)
        return subprocess.CompletedProcess(words, process.returncode, out, err)

    def write(self, count, begin=1):
        """Jobs of the numbers begin to count, a line each."""
        self.jobs.write_text("".join(line(n) for n in range(begin, count + 1)), encoding="utf-8")

    def stored(self, done):
        """The file by which a later run goes on, once it says that `done` jobs are; else None."""
        if not self.state.exists():
            return None
        state = json.loads(self.state.read_text(encoding="utf-8"))
        return state if state["done"] == done else None

    def refusals(self):
        return [json.loads(text) for text in self.refused.read_text(encoding="utf-8").splitlines()]


def line(n):
    return f'{{"type": "noop", "payload": {{"n":{n}.0,  "x":""}}}}\n'


@pytest.fixture()
def submit(gateway, tmp_path):
    return Submit(gateway.url, tmp_path)


def numbers(gateway):
    return sorted(job["payload"]["n"] for job in gateway.jobs.values())


def test_all_are_accepted(gateway, submit):
    submit.write(1200)
    done = submit()
    assert (done.returncode, done.stdout, done.stderr) == (0, "1200 accepted, 0 refused\n", "")
    assert numbers(gateway) == list(range(1, 1201)) and gateway.made == 1200
    assert [kind for kind, _ in gateway.bodies] == ["application/x-ndjson"] * 3
    assert all('"payload": {"n":' in job["text"] and '.0,  "x":""}' in job["text"]
               for job in gateway.jobs.values()), "payloads are sent as they are written"
    bases = {key.rsplit("/", 1)[0] for key in gateway.jobs}
    assert len(bases) == 1 and len(bases.pop()) == 32
    assert {int(key.rsplit("/", 1)[1]) for key in gateway.jobs} == set(range(1, 1201))
    assert sorted(os.listdir(submit.folder)) == ["jobs.ndjson"]
    assert submit().returncode == 0 and gateway.made == 2400, "a new run has a new key"


def test_large_jobs_share_requests_by_size(gateway, submit):
    big = json.dumps({"type": "noop", "payload": {"n": 1, "x": "y" * 700_000}})
    submit.jobs.write_text(f"{big}\n" * 5, encoding="utf-8")
    assert submit().returncode == 0
    assert [body.count("\n") for _, body in gateway.bodies] == [3, 2]


def test_refused_jobs_are_written_down(gateway, submit):
    submit.jobs.write_text(f'\n{line(1)} {{"type": "bad"}}\n\n{{"type"\n{line(2)}', encoding="utf-8")
    done = submit()
    assert done.returncode == EXIT["refused"]
    assert done.stdout == "2 accepted, 2 refused: jobs.ndjson.refused\n"
    bad, broken = submit.refusals()
    assert bad["line"] == 3 and bad["job"] == {"type": "bad"}
    assert bad["problem"]["errors"] == [
        {"pointer": "/type", "line": 3, "column": 11, "detail": "no such type"}]
    assert broken["line"] == 5 and broken["text"] == '{"type"' and broken["problem"]["status"] == 400
    assert (submit.refused.stat().st_mode & 0o777) == 0o600 and submit.state.exists()
    submit.jobs.write_text('{"type": "bad"}\n', encoding="utf-8")
    words = ("--batch", "jobs.ndjson", "--restart")
    assert submit(*words).returncode == EXIT["refused"]
    assert [refusal["line"] for refusal in submit.refusals()] == [1], "a new run replaces the file"
    assert submit(*words, "--refused", "other").stdout.endswith("refused: other\n")
    assert (submit.folder / "other").exists()
    submit.write(3)
    assert submit(*words, "--refused", "other").returncode == 0 and (submit.folder / "other").exists()
    assert submit().returncode == 0 and not submit.refused.exists(), "it is of an older run"


def next_words(text):
    """The words of the command that standard error tells as the next one."""
    return shlex.split(text.rsplit(": warren submit ", 1)[1])


def test_a_corrected_file_makes_only_the_refused_jobs(gateway, submit):
    submit.jobs.write_text(line(1) + '{"type": "bad"}\n' + line(3), encoding="utf-8")
    done = submit()
    assert done.stdout == "2 accepted, 1 refused: jobs.ndjson.refused\n"
    assert "this\n  submits what was not accepted in the last 24 hours: warren" in done.stderr
    words = next_words(done.stderr)
    again = submit()
    assert (again.returncode, again.stderr) == (EXIT["refused"], done.stderr)
    assert again.stdout == "2 accepted (2 by an earlier run), 1 refused: jobs.ndjson.refused\n"
    submit.write(3)
    refused = submit()
    assert refused.returncode == EXIT["usage"] and "was changed after its" in refused.stderr
    assert next_words(refused.stderr) == words and gateway.made == 2
    done = submit(*words)
    assert (done.returncode, done.stdout) == (0, "3 accepted (2 were there already), 0 refused\n")
    assert gateway.made == 3 and sorted(os.listdir(submit.folder)) == ["jobs.ndjson"]


def test_corrected_standard_input(gateway, submit):
    done = submit("--batch", "-", "--refused", "r", text=line(1) + '{"type": "bad"}\n')
    words = next_words(done.stderr)
    assert submit(*words, text=line(1) + line(2)).returncode == 0 and gateway.made == 2


def test_an_array(gateway, submit):
    submit.jobs.write_text(f'  [{line(1)}, {{"type":\n "bad"}},\n{line(2)}]', encoding="utf-8")
    done = submit("--batch", "jobs.ndjson", "--key", "a \"b")
    assert done.returncode == EXIT["refused"], done.stderr
    assert sorted(gateway.jobs) == ['a "b/1', 'a "b/3']
    assert gateway.bodies[0][0] == "application/json"
    (bad,) = submit.refusals()
    assert (bad["line"], bad["number"]) == (2, 2) and bad["job"] == {"type": "bad"}
    assert bad["problem"]["errors"][0]["pointer"] == "/type"


def test_a_broken_array_says_where(gateway, submit):
    submit.jobs.write_text(f"[{line(1)},\n{line(2)} {line(3)}]", encoding="utf-8")
    done = submit()
    assert done.returncode == EXIT["refused"] and "jobs.ndjson: line 4, column 2: " in done.stderr
    assert "\n  2 accepted, 0 refused\n" in done.stderr and gateway.made == 2
    submit.jobs.write_text(f"[{line(1)},\n{line(2)}, {line(3)}]", encoding="utf-8")
    done = submit(*next_words(done.stderr))
    assert done.stdout == "3 accepted (2 were there already), 0 refused\n" and gateway.made == 3


@pytest.mark.parametrize("fault", ["cut", "lose", "stop", 408, 429, 502, 503, 504])
def test_a_request_that_fails_is_sent_again(gateway, submit, fault):
    submit.write(900)
    gateway.plan = [fault, None, fault, fault]
    done = submit()
    assert done.returncode == 0, done.stderr
    assert numbers(gateway) == list(range(1, 901)) and gateway.made == 900
    again = " (900 were there already)" if fault == "lose" else ""
    assert done.stdout == f"900 accepted{again}, 0 refused\n"
    if isinstance(fault, int):
        assert f"again in 1 s: answered {fault} as planned" in done.stderr


def test_a_rate_is_waited_for(gateway, submit):
    submit.write(7)
    gateway.plan = [("take", 3, 1), ("take", 3, 1)]
    done = submit()
    assert done.returncode == 0 and done.stdout == "7 accepted, 0 refused\n"
    assert [body.count("\n") for _, body in gateway.bodies] == [7, 4, 1]
    assert done.stderr.startswith(" 42 %  3 accepted, 0 refused  again in 1 s: too many submissions\n")


def test_the_pause_follows_the_rate(gateway, submit):
    """Of a rate of 20 a second with a burst of 10, a pause of a whole second would get half."""
    submit.write(100)
    gateway.bucket = (20, 10)
    begun = time.monotonic()
    assert submit().returncode == 0 and gateway.made == 100
    assert time.monotonic() - begun < 8, "9 s at a burst a second"


def test_a_late_answer_is_told(gateway, submit):
    submit.write(1)
    held = threading.Event()
    gateway.plan = [held]
    running = submit.start("--batch", "jobs.ndjson")
    assert running.stderr.readline() == "  0 %  0 accepted, 0 refused  waits for the gateway\n"
    held.set()
    assert running.communicate(timeout=60)[0] == "1 accepted, 0 refused\n"


def test_the_file_of_refused_jobs_is_tried_first(gateway, submit):
    submit.write(1)
    done = submit("--batch", "jobs.ndjson", "--refused", "none/x")
    assert done.returncode == EXIT["usage"] and "none/x: No such file or directory" in done.stderr
    assert gateway.bodies == [] and sorted(os.listdir(submit.folder)) == ["jobs.ndjson"]


def test_a_folder_that_takes_no_file(gateway, submit):
    submit.write(2)
    (submit.folder / "jobs.ndjson.warren-batch.new").mkdir()
    done = submit()
    assert done.returncode == EXIT["usage"] and gateway.bodies == []
    assert done.stderr.endswith("warren submit --batch - --key KEY < FILE\n")


@pytest.mark.parametrize("key", [(), ("--key", "k")])
def test_a_dry_run_of_a_batch(gateway, submit, key):
    submit.jobs.write_text(line(1) + '{"type": "bad"}\n' + line(3), encoding="utf-8")
    submit.refused.write_text("{}\n", encoding="utf-8")
    gateway.plan = [("take", 2, 30)]
    words = ("--batch", "jobs.ndjson", *key)
    done = submit(*words, "--dry-run")
    assert (done.returncode, done.stdout) == (EXIT["refused"], "2 would be accepted, 1 refused\n")
    assert json.loads(done.stderr.splitlines()[0])["line"] == 2
    assert gateway.dry == 1 and gateway.made == 0 and not submit.state.exists()
    assert submit.refused.read_text(encoding="utf-8") == "{}\n"
    submit.write(3)
    assert submit(*words).returncode == 0 and gateway.made == 3
    done = submit(*words, "--dry-run", "--json")
    told = json.loads(done.stdout)
    assert (done.returncode, told["accepted"], told["dry_run"]) == (0, 3, True)
    assert told["replayed"] == (3 if key else 0) and gateway.made == 3


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


def stopped(gateway, submit):
    """A run that was stopped after 500 of 600 jobs; its key."""
    submit.write(600)
    gateway.plan = [None, 401]
    assert submit().returncode == EXIT["not allowed"]
    return json.loads(submit.state.read_text(encoding="utf-8"))["key"]


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


@pytest.mark.parametrize("words, says", [
    (["noop", "--batch", "jobs.ndjson"], "--batch takes no TYPE"),
    (["--batch", "jobs.ndjson", "--priority", "low"], 'a member of each job, "priority"'),
    (["--batch", "jobs.ndjson", "--expires", "1h"], 'a member of each job, "expires"'),
    (["--batch", "jobs.ndjson", "--wait"], "--wait cannot be given with --batch"),
    (["--batch", "jobs.ndjson", "--dry-run", "--restart"], "exclude each other"),
    (["--batch", "jobs.ndjson", "--key", "ä"], "--key with --batch must be printable ASCII"),
    (["--batch", "jobs.ndjson", "--key", "k" * 236], "must have 1 to 235 characters"),
    (["--batch", "jobs.ndjson", "--refused", "./jobs.ndjson"], "is the file of the jobs itself"),
    (["--batch", "missing"], "missing: No such file"),
    (["--batch", "."], ". is a folder"),
    (["--restart", "noop"], "--restart needs --batch"),
    (["noop", "--refused", "x"], "--refused needs --batch"),
    (["noop", "--wait", "--dry-run"], "exclude each other"),
    ([], "usage: warren submit TYPE [JSON|@FILE|-], or --batch FILE"),
])
def test_usage(gateway, submit, words, says):
    submit.write(1)
    done = submit(*words) if words else submit("--json")
    assert done.returncode == EXIT["usage"] and says in done.stderr and gateway.bodies == []
    assert submit.jobs.read_text(encoding="utf-8") == line(1)


@pytest.mark.parametrize("name", ["./jobs.ndjson.warren-batch", "jobs.ndjson.warren-batch.new", "link"])
@pytest.mark.parametrize("words", [[], ["--restart"], ["--dry-run"]])
def test_refused_jobs_do_not_go_to_the_state(gateway, submit, name, words):
    """Also by another name, and before the state is there."""
    submit.write(600)
    (submit.folder / "link").symlink_to(submit.state.name)

    def check():
        requests, files = len(gateway.bodies), sorted(os.listdir(submit.folder))
        done = submit("--batch", "jobs.ndjson", "--refused", name, *words)
        assert done.returncode == EXIT["usage"] and len(gateway.bodies) == requests
        assert f"cannot be written to {name}: it says how far" in done.stderr
        assert sorted(os.listdir(submit.folder)) == files

    check()
    key = stopped(gateway, submit)
    check()
    assert submit.stored(done=500)["key"] == key
    assert submit("--batch", "jobs.ndjson", "--refused", f"{name}2").returncode == 0


@pytest.mark.parametrize("name", ["hard", "soft"])
def test_refused_jobs_do_not_go_to_the_input(gateway, submit, name):
    submit.write(1)
    (submit.folder / "hard").hardlink_to(submit.jobs)
    (submit.folder / "soft").symlink_to(submit.jobs)
    (submit.folder / "soft.refused").symlink_to(submit.jobs)
    for words in (["jobs.ndjson", "--refused", name], ["soft"]):
        done = submit("--batch", *words)
        assert done.returncode == EXIT["usage"] and "is the file of the jobs itself" in done.stderr
    assert gateway.bodies == [] and submit.jobs.read_text(encoding="utf-8") == line(1)


@pytest.mark.parametrize("width", [80, 50])
def test_a_bar_on_a_terminal(gateway, submit, width):
    submit.write(1000)
    gateway.plan = [503, ("take", 100, 1)]
    master, slave = open_terminal()
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 24, width, 0, 0))
    running = submit.start("--batch", "jobs.ndjson", stderr=slave)
    os.close(slave)
    seen = b""
    while select.select([master], [], [], 60)[0]:
        try:
            seen += os.read(master, 65536)
        except OSError:  # the other side is closed
            break
    os.close(master)
    assert running.communicate(timeout=60)[0] == "1000 accepted, 0 refused\n"
    drawn = seen.decode().split("\r\x1b[K")
    assert drawn[-1] == "" and "\n" not in seen.decode() and max(map(len, drawn)) < width
    waits = [text for text in drawn if "again in 1 s: a" in text]
    assert waits and all(text.endswith("..." if width == 50 else "as planned") for text in waits), drawn
    assert width == 50 or any(text.startswith("[") and "100 accepted" in text for text in drawn), drawn


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


@pytest.fixture()
def service():
    made = Service()
    yield made
    made.shutdown()
    made.server_close()


def test_members_of_a_single_job(service, tmp_path):
    submit = Submit(service.url, tmp_path)
    job = {"id": "x", "status": "pending", "expires_at": "2099-01-01T00:00:00.000Z"}
    service.answers["POST", "/api/v1/jobs"] = (202, job)
    done = submit("noop", "{}", "--key", "k 1", "--expires", "90")
    assert done.returncode == 0 and done.stdout.startswith("x  pending, expires in "), done.stderr
    assert json.loads(service.asked[0]["body"]) == {"type": "noop", "payload": {},
                                                    "idempotency_key": "k 1", "expires": 90}
    submit("noop", "--expires", "2099-01-01T00:00:00Z")
    assert json.loads(service.asked[1]["body"])["expires"] == "2099-01-01T00:00:00Z"
    service.answers["POST", "/api/v1/jobs"] = (409, {"detail": "the first is in flight"})
    assert submit("noop", "--key", "k").returncode == EXIT["refused"]


def test_a_single_job_that_was_submitted_before(service, tmp_path):
    submit = Submit(service.url, tmp_path)
    job = {"id": "x", "status": "pending", "expires_at": "2020-01-01T00:00:00.000Z"}
    service.answers["POST", "/api/v1/jobs"] = (202, job, {"Idempotent-Replayed": "true"})
    done = submit("noop", "--key", "k")
    assert (done.returncode, done.stdout) == (0, "x  submitted before with this key\n"), done.stderr
    assert json.loads(submit("noop", "--key", "k", "--json").stdout) == {**job, "replayed": True}
    service.answers["GET", "/api/v1/jobs/x"] = (200, {"id": "x", "status": "completed"})
    waited = submit("noop", "--key", "k", "--wait")
    assert waited.returncode == 0 and waited.stderr == "submitted before with this key: x\n"
    assert json.loads(submit("noop", "--key", "k", "--wait", "--json").stdout) == {
        "id": "x", "status": "completed", "replayed": True}


@pytest.mark.parametrize("status, headers", [(429, {}), (409, {"Retry-After": "7"})])
def test_refused_for_now(service, tmp_path, status, headers):
    submit = Submit(service.url, tmp_path)
    problem = {"status": status, "detail": "not now"}
    service.answers["POST", "/api/v1/jobs"] = (status, problem, headers)
    done = submit("noop")
    assert done.returncode == EXIT["limited"] and done.stderr == "warren: not now\n  try again in 7 s\n"
    done = submit("noop", "--json")
    assert done.returncode == EXIT["limited"] and json.loads(done.stderr) == {**problem, "retry_after": 7}


def test_a_refusal_names_the_option(service, tmp_path):
    submit = Submit(service.url, tmp_path)
    errors = [{"pointer": pointer, "detail": "is wrong"} for pointer in ("/idempotency_key", "/type")]
    service.answers["POST", "/api/v1/jobs"] = (422, {"detail": "is wrong", "errors": errors})
    assert submit("noop", "--key", "k").stderr == "warren: --key: is wrong\n  type: is wrong\n"


@pytest.mark.parametrize("answer, says", [
    ({"status": "pending", "lane": "low"}, "would be accepted: pending\n"),
    ({"status": "pending", "replays": "x"}, "would make no job: the key is that of job x\n"),
])
def test_a_dry_run(service, tmp_path, answer, says):
    submit = Submit(service.url, tmp_path)
    service.answers["POST", "/api/v1/jobs"] = (200, {"dry_run": True, **answer})
    done = submit("noop", "--dry-run")
    assert (done.returncode, done.stdout) == (0, says)
    assert service.asked[0]["query"] == "dry_run=true"
    assert json.loads(submit("noop", "--dry-run", "--json").stdout)["dry_run"] is True
    service.answers["POST", "/api/v1/jobs"] = (422, {"detail": "no"})
    assert submit("noop", "--dry-run").returncode == EXIT["refused"]
