# SPDX-License-Identifier: Apache-2.0
"""`warren submit --batch` against a stand-in of the gateway that fails as a test wants it to."""
import fcntl
import json
import os
import select
import struct
import termios
import threading
import time

import pytest

from cli_batch_rig import gateway, line, next_words, numbers, stopped, submit  # noqa: F401 (fixtures)
from cli_rig import EXIT
from harness.terminal import open_terminal


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
    """Of a rate of 20 a second with a burst of 10, a pause of a whole second would get half. Each job that
    is sent is looked up by the primary, so there is no shorter pause than half a second."""
    submit.write(100)
    gateway.bucket = (20, 10)
    begun = time.monotonic()
    assert submit().returncode == 0 and gateway.made == 100
    assert len(gateway.bodies) <= 1 + (time.monotonic() - begun) / 0.5
    assert min(later - sooner for sooner, later in zip(gateway.times, gateway.times[1:])) < 0.9
    assert sum(body.count("\n") for _, body in gateway.bodies) < 1000


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
    """The command that is told has the key of the run before."""
    submit.write(2)
    fresh = submit.folder / "jobs.ndjson.warren-batch.new"
    fresh.mkdir()
    done = submit()
    words = next_words(done.stderr)
    assert done.returncode == EXIT["usage"] and gateway.bodies == []
    assert words[:3] == ["--batch", "-", "--key"] and words[4:] == ["<", "jobs.ndjson"]
    fresh.rmdir()
    key = stopped(gateway, submit)
    fresh.mkdir()
    done = submit("--batch", "jobs.ndjson", "--url", gateway.url, "--json")
    told = json.loads(done.stderr)
    words = ["--batch", "-", "--url", gateway.url, "--key", key]
    assert done.returncode == told["exit"] == EXIT["usage"] and gateway.made == 500
    assert (told["key"], told["accepted"]) == (key, 500)
    assert told["next"] == f"warren submit {' '.join(words)} < jobs.ndjson"
    done = submit(*words, text=submit.jobs.read_text(encoding="utf-8"))
    assert done.stdout == "600 accepted (500 were there already), 0 refused\n" and gateway.made == 600


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
