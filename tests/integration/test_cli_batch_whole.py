# SPDX-License-Identifier: Apache-2.0
"""`warren submit --batch` against a whole Warren: jobs are made once, whatever is killed or stopped."""
import json
import shlex
import signal
import socket

import pytest

from cli_rig import EXIT, Cli
from harness.until import until


class Batch(Cli):
    """The command of one tenant, and its file of jobs."""

    def __init__(self, warren, tenant, folder):
        super().__init__(warren, tenant.key, folder)
        self.api = tenant.api
        self.file = folder / "jobs.ndjson"

    def write(self, count):
        # They are far ahead, so that no consumer has to run them.
        self.file.write_text("".join(
            f'{{"type": "noop", "payload": {{"n": {n}.0}}, "delay": "1h"}}\n' for n in range(count)),
            encoding="utf-8")

    def done(self):
        """How many jobs the command has noted as submitted, for a later run."""
        try:
            return json.loads(self.file.with_name("jobs.ndjson.warren-batch").read_text("utf-8"))["done"]
        except FileNotFoundError:
            return 0

    def scheduled(self):
        return self.api.stats()["scheduled"]


@pytest.fixture()
def batch(warren, request, tmp_path):
    return Batch(warren, warren.tenant(request.node.name.replace("_", "-")[:40]), tmp_path)


def check_made_once(batch, count):
    until(lambda: batch.scheduled() >= count, 120, "the jobs show")
    jobs = batch.api.list_all(status="scheduled", limit=500)
    assert len(jobs) == count == batch.scheduled()
    assert len({job["idempotency_key"] for job in jobs}) == count


def meet_no_gateway(port):
    """Returns when somebody connects to the port, which is free, and gets no answer."""
    with socket.create_server(("127.0.0.1", port)) as instead:
        instead.settimeout(60)
        instead.accept()[0].close()


@pytest.mark.soak
def test_gateway_killed(warren, batch):
    batch.write(10000)
    running = batch.start("submit", "--batch", str(batch.file))
    try:
        for least in (500, 4000):
            until(lambda least=least: batch.done() >= least, 120, "some jobs are submitted")
            assert running.poll() is None
            warren.gateway.kill()
            meet_no_gateway(warren.gateway.port)
            warren.gateway.start()
        out, err = running.communicate(timeout=240)
    finally:
        running.kill()
    assert running.returncode == 0, err
    assert out.startswith("10000 accepted") and out.endswith(", 0 refused\n"), out
    check_made_once(batch, 10000)


def test_interrupted(batch):
    batch.write(8000)
    for least, number in ((1, signal.SIGINT), (1500, signal.SIGKILL)):
        running = batch.start("submit", "--batch", str(batch.file))
        until(lambda least=least: batch.done() >= least, 120, "some jobs are submitted")
        running.send_signal(number)
        _, err = running.communicate(timeout=60)
        assert running.returncode == -number, "it had not ended yet"
        assert number == signal.SIGKILL or f"to go on: warren submit --batch {batch.file}\n" in err
    done = batch("submit", "--batch", str(batch.file))
    assert done.returncode == 0 and done.stdout.startswith("8000 accepted ("), done.stderr
    check_made_once(batch, 8000)


def test_refused(batch):
    batch.file.write_text('{"type": "noop", "delay": "1h"}\n\n'
                          '  {"type": "noop", "delay": "soon"}\n{"type": "noop"\n'
                          '{"type": "noop", "delay": "2h"}\n', encoding="utf-8")
    done = batch("submit", "--batch", str(batch.file))
    assert done.returncode == EXIT["refused"], done.stderr
    assert done.stdout == f"2 accepted, 2 refused: {batch.file}.refused\n"
    lines = (batch.file.parent / "jobs.ndjson.refused").read_text(encoding="utf-8").splitlines()
    delay, broken = map(json.loads, lines)
    assert delay["line"] == 3 and delay["job"] == {"type": "noop", "delay": "soon"}
    (error,) = delay["problem"]["errors"]
    assert (error["pointer"], error["line"], error["column"]) == ("/delay", 3, 29)
    assert broken["line"] == 4 and broken["text"] == '{"type": "noop"'
    assert broken["problem"]["errors"][0]["line"] == 4
    words = shlex.split(done.stderr.rsplit(": warren ", 1)[1])
    batch.file.write_text('{"type": "noop", "delay": "1h"}\n\n'
                          '  {"type": "noop", "delay": "3h"}\n{"type": "noop", "delay": "4h"}\n'
                          '{"type": "noop", "delay": "2h"}\n', encoding="utf-8")
    assert batch(*words).stdout == "4 accepted (2 were there already), 0 refused\n"
    check_made_once(batch, 4)


def test_dry_run(warren, tmp_path):
    """Jobs over the rate would only have to wait."""
    tenant = warren.tenant("batch-dry", rate="1/1h", burst=3)
    batch = Batch(warren, tenant, tmp_path)
    batch.write(3)
    words = ("submit", "--batch", str(batch.file), "--key", "dry")
    assert batch(*words, "--dry-run").stdout == "3 would be accepted, 0 refused\n"
    assert batch.scheduled() == 0
    assert batch(*words).stdout == "3 accepted, 0 refused\n"
    batch.write(5)
    done = batch(*words, "--dry-run")
    assert done.stdout == "5 would be accepted (3 were there already), 0 refused\n"
    check_made_once(batch, 3)


def test_array_on_standard_input(batch):
    jobs = [{"type": "noop", "delay": "1h", "payload": n} for n in range(700)]
    words = ("submit", "--batch", "-", "--key", "my jobs")
    done = batch(*words, stdin=json.dumps(jobs, indent=1))
    assert (done.returncode, done.stdout) == (0, "700 accepted, 0 refused\n"), done.stderr
    again = batch(*words, stdin=json.dumps(jobs, indent=1))
    assert again.stdout == "700 accepted (700 were there already), 0 refused\n"
    other = batch(*words, stdin=json.dumps([{"type": "noop", "payload": "other"}]))
    assert other.returncode == EXIT["refused"]
    assert json.loads(other.stderr.splitlines()[0])["problem"]["type"] == "urn:warren:problem:key-reused"
    check_made_once(batch, 700)


def test_rate(warren, tmp_path):
    tenant = warren.tenant("batch-rate", rate="4/1s", burst=4)
    batch = Batch(warren, tenant, tmp_path)
    batch.write(12)
    done = batch("submit", "--batch", str(batch.file))
    assert (done.returncode, done.stdout) == (0, "12 accepted, 0 refused\n")
    assert "again in " in done.stderr
    check_made_once(batch, 12)


def test_members_of_a_single_job(batch):
    words = ("submit", "noop", "1", "--key", "one", "--expires", "1h", "--delay", "10m")
    tried = batch(*words, "--dry-run")
    assert tried.stdout.startswith("would be accepted: scheduled, runs in "), tried.stderr
    first = batch.json(*words)
    assert batch.json(*words) == {**first, "replayed": True}
    assert batch(*words).stdout == f"{first['id']}  submitted before with this key\n"
    known = batch(*words, "--dry-run")
    assert known.stdout == f"would make no job: the key is that of job {first['id']}\n"
    other = batch("submit", "noop", "2", "--key", "one")
    assert other.returncode == EXIT["refused"]
    assert other.stderr.startswith('warren: --key: the key "one" was used with another request (job ' + first["id"])
    assert "expires" in batch("get", first["id"]).stdout
    check_made_once(batch, 1)
