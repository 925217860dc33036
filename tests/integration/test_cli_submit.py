# SPDX-License-Identifier: Apache-2.0
"""`warren submit` of one job, against a stand-in of the gateway."""
import json

import pytest

from cli_batch_rig import Submit
from cli_rig import EXIT


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
