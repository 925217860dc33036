# SPDX-License-Identifier: Apache-2.0
"""The commands cancel and run-now by filter, operation, operations, pause and resume: what they ask the
gateway, which a stand-in answers, what they ask the person, and what they show."""
import datetime
import json
import os
import select
import signal
import subprocess
import threading

import pytest

from cli_rig import EXIT
from harness.broker import BIN
from harness.terminal import open_terminal
from harness.until import until

ID = "0198a000-0000-7000-8000-000000000001"
AT = "2026-01-01T00:00:00.000Z"
CANCEL = "/api/v1/jobs/cancel"
OPERATION = f"/api/v1/operations/{ID}"
LIMITED = (429, {"title": "too many", "status": 429, "detail": "100 operations run"})


class Steps(dict):
    """A list of answers is given one by one; the last one stays. A function makes its answer."""

    def get(self, key, default=None):
        found = super().get(key, default)
        if isinstance(found, list):
            found = found.pop(0) if len(found) > 1 else found[0]
        return found() if callable(found) else found


def preview(count=3, **more):
    return (200, {"preview": {"token": ID, "kind": "cancel", "count": count, "more": False,
                              "by_status": {"pending": count - 1, "scheduled": 1},
                              "by_tenant": {"acme": count}, "other_tenants": 0, "sample": [ID],
                              "excluded_after": AT, "expires_at": AT, **more}})


def operation(state="done", **more):
    return {"id": ID, "kind": "cancel", "state": state, "filter": {"type": "export"}, "by": "key k1", "total": 3,
            "done": 3 if state == "done" else 1, "skipped": 0, "failed": 0, "created_at": AT,
            "started_at": AT, "ended_at": AT if state == "done" else None, "error": None, **more}


def answer(state="done", status=200, **more):
    return (status, {"operation": operation(state, **more)})


@pytest.fixture()
def service(service):
    service.answers = Steps()
    return service


class Person:
    """Runs the command; `at_terminal` answers what it asks on a terminal."""

    def __init__(self, service, home):
        self.env = {"PATH": os.environ["PATH"], "HOME": str(home), "WARREN_URL": service.url,
                    "WARREN_API_KEY": "wk_user", "WARREN_ADMIN_KEY": "wk_admin"}

    def start(self, *words, without=None, **options):
        env = {name: value for name, value in self.env.items() if name != without}
        return subprocess.Popen([BIN / "warren", *words], env=env, text=True, stdout=subprocess.PIPE, **options)

    def __call__(self, *words, without=None):
        """without: a variable that is not set."""
        with self.start(*words, without=without, stdin=subprocess.DEVNULL, stderr=subprocess.PIPE) as process:
            process.out, process.err = process.communicate(timeout=60)
        return process

    def at_terminal(self, *words, types):
        """(exit code, standard output, what the terminal shows). types: or a signal."""
        master, slave = open_terminal()
        shown = b""
        with self.start(*words, stdin=slave, stderr=slave) as process:
            os.close(slave)
            while select.select([master], [], [], 60)[0]:
                try:
                    shown += os.read(master, 4096)
                except OSError:  # the command has ended
                    break
                if types is not None and (b"[y/N] " in shown or b"go on: " in shown):
                    if isinstance(types, int):
                        process.send_signal(types)
                    else:
                        os.write(master, types.encode())
                    types = None
            out = process.stdout.read()
        os.close(master)
        return process.wait(60), out, shown.decode()


@pytest.fixture()
def warren(service, tmp_path):
    return Person(service, tmp_path)


def asked(service):
    return [(one["method"], one["path"]) for one in service.asked]


def test_by_filter(service, warren):
    service.answers["POST", CANCEL] = [preview(), answer("running", 202)]
    service.answers["GET", OPERATION] = [answer("running"), (503, {"detail": "away"}), answer(skipped=1)]
    done = warren("cancel", "--type", "export,mail", "--status", "pending,scheduled", "--after", AT, "--yes")
    assert done.returncode == EXIT["done"], done.err
    assert done.out == "done: 3 of 3 jobs, 1 skipped\n"
    assert done.err.startswith("3 jobs would be cancelled\n") and ID in done.err
    assert ["pending", "2"] in [line.split() for line in done.err.splitlines()]
    first, second, *followed = service.asked
    assert first["query"] == (
        "type=export%2Cmail&status=pending%2Cscheduled&created_after=2026-01-01T00%3A00%3A00.000Z")
    assert first["body"] == b"" and second["query"] == ""
    assert json.loads(second["body"]) == {"token": ID}
    assert {one["path"] for one in followed} == {OPERATION} and len(followed) == 3
    assert {one["headers"]["Authorization"] for one in service.asked} == {"Bearer wk_user"}


def test_json(service, warren):
    service.answers["POST", "/api/v1/jobs/run-now"] = [preview(), answer("running", 202)]
    service.answers["GET", OPERATION] = answer()
    done = warren("run-now", "--tenant", "acme", "--type", "a", "--yes", "--json")
    assert done.returncode == EXIT["done"] and done.err == ""
    assert [list(json.loads(line)) for line in done.out.splitlines()] == [["preview"], ["operation"], ["operation"]]
    assert {one["headers"]["Authorization"] for one in service.asked} == {"Bearer wk_admin"}
    assert service.asked[0]["query"] == "tenant=acme&type=a"


def test_nobody_to_ask(service, warren):
    service.answers["POST", CANCEL] = preview()
    done = warren("cancel", "--type", "export")
    assert (done.returncode, done.out) == (EXIT["usage"], "")
    assert "3 jobs would be cancelled" in done.err and "--yes" in done.err
    done = warren("cancel", "--type", "export", "--dry-run")
    assert done.returncode == EXIT["done"] and "3 jobs would be cancelled" in done.err
    done = warren("cancel", "--type", "export", "--json")
    assert done.returncode == EXIT["usage"] and json.loads(done.out)["preview"]["count"] == 3
    assert json.loads(done.err)["exit"] == EXIT["usage"]
    assert asked(service) == [("POST", CANCEL)] * 3, "nothing is started"


def test_nothing_matches(service, warren):
    service.answers["POST", CANCEL] = preview(0, by_status={}, sample=[])
    done = warren("cancel", "--type", "export", "--yes")
    assert (done.returncode, done.err) == (EXIT["done"], "0 jobs would be cancelled\n")
    assert asked(service) == [("POST", CANCEL)]


@pytest.mark.parametrize("count, more, question, types, agrees", [
    (1, False, "Cancel 1 job? [y/N] ", "y\n", True),
    (100, False, "Cancel 100 jobs? [y/N] ", "YES\n", True),
    (100, False, "Cancel 100 jobs? [y/N] ", "\n", False),
    (100, False, "Cancel 100 jobs? [y/N] ", "100\n", False),
    (100, False, "Cancel 100 jobs? [y/N] ", "\x04", False),
    (101, False, "Cancel 101 jobs? Type 101 to go on: ", "101\n", True),
    (101, False, "Cancel 101 jobs? Type 101 to go on: ", "y\n", False),
    (100000, True, "Cancel more than 100000 jobs? Type 100000 to go on: ", "100000\n", True),
])
def test_the_question(service, warren, count, more, question, types, agrees):
    service.answers["POST", CANCEL] = [preview(count, more=more), answer("running", 202)]
    service.answers["GET", OPERATION] = answer()
    code, out, shown = warren.at_terminal("cancel", "--type", "export", types=types)
    assert question in shown
    assert code == EXIT["done" if agrees else "refused"]
    assert out == ("done: 3 of 3 jobs\n" if agrees else "")
    assert ("nothing was done" in shown) == (not agrees)
    assert len(service.asked) == (3 if agrees else 1)


@pytest.mark.parametrize("words", [(), ("--json",)])
def test_interrupted(service, warren, words):
    service.answers["POST", CANCEL] = [preview(), answer("running", 202)]
    service.answers["GET", OPERATION] = answer("running", waiting="status-behind")
    process = warren.start("cancel", "--type", "export", "--yes", *words, stdin=subprocess.DEVNULL,
                           stderr=subprocess.PIPE)
    until(lambda: ("GET", OPERATION) in asked(service), 30, "the operation is followed")
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert process.returncode == -signal.SIGINT
    assert f"warren operation {ID}" in err and "--abort" in err
    if words:
        assert [list(json.loads(line)) for line in out.splitlines()] == [["preview"], ["operation"]]
        assert json.loads(err.splitlines()[-1])["exit"] == 130
    assert not [path for _, path in asked(service) if path.endswith("/abort")]


def test_interrupted_at_the_question(service, warren):
    service.answers["POST", CANCEL] = preview()
    code, out, shown = warren.at_terminal("cancel", "--type", "export", types=signal.SIGINT)
    assert (code, out) == (-signal.SIGINT, "") and "nothing was done" in shown
    assert len(service.asked) == 1


@pytest.mark.parametrize("words", [("get", ID, "--wait"), ("run-now", ID, "--wait")])
def test_interrupted_while_it_waits(service, warren, words):
    service.answers["POST", f"/api/v1/jobs/{ID}/run-now"] = (202, {"id": ID, "status": "pending", "priority": "low"})
    service.answers["GET", f"/api/v1/jobs/{ID}"] = (200, {"id": ID, "status": "running"})
    process = warren.start(*words, stdin=subprocess.DEVNULL, stderr=subprocess.PIPE)
    until(lambda: ("GET", f"/api/v1/jobs/{ID}") in asked(service), 30, "it waits")
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=60)
    assert process.returncode == -signal.SIGINT and "interrupted; the job goes on" in err


def test_interrupted_before_it_is_known_to_have_begun(service, warren):
    ended = threading.Event()
    service.answers["POST", CANCEL] = [preview(), lambda: ended.wait(60) and LIMITED]
    process = warren.start("cancel", "--type", "export", "--yes", stdin=subprocess.DEVNULL, stderr=subprocess.PIPE)
    until(lambda: len(service.asked) == 2, 30, "it is told to start")
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=60)
    ended.set()
    assert process.returncode == -signal.SIGINT
    assert f"interrupted; it may have begun\n  'warren operation {ID}' shows it" in err and "goes on" not in err


def test_ends_that_are_not_whole(service, warren):
    for ended in (answer(failed=1), answer("aborted"), answer("failed", error="the disk is full")):
        service.answers["POST", CANCEL] = [preview(), answer("running", 202)]
        service.answers["GET", OPERATION] = ended
        done = warren("cancel", "--type", "export", "--yes")
        told = ended[1]["operation"]
        assert done.returncode == EXIT["failed"]
        assert done.out.startswith(told["state"] + ": ")
        assert told["error"] is None or told["error"] in done.out


def test_workers_behind(service, warren):
    for behind, told in ((["host-a/1", "host-b/2"], "host-a/1, host-b/2"), ([], None), (None, "not known")):
        started = dict(answer("running")[1], workers_behind=behind)
        service.answers["POST", CANCEL] = [preview(), (202, started)]
        service.answers["GET", OPERATION] = answer()
        done = warren("cancel", "--type", "export", "--yes")
        assert done.returncode == EXIT["done"]
        assert ("warning: " in done.err) == bool(told) and (told or "") in done.err


def test_a_search_that_did_not_end(service, warren):
    search = {"jobs": 50000, "bytes": 1, "until": AT, "complete": False}
    service.answers["POST", CANCEL] = preview(more=True, search=search)
    done = warren("cancel", "--search", "customer 7", "--dry-run")
    assert "more than 3 jobs would be cancelled" in done.err
    assert f"50000 jobs, as far as those created {AT}" in done.err
    service.answers["POST", CANCEL] = preview(0, more=True, by_status={}, sample=[], search=search)
    done = warren("cancel", "--search", "customer 7")
    assert done.returncode == EXIT["usage"], "it asks, though it met none yet"
    assert done.err.startswith("an unknown number of jobs would be cancelled\n")
    service.answers["POST", CANCEL] = [service.answers["POST", CANCEL], answer("running", 202)]
    service.answers["GET", OPERATION] = answer()
    done = warren("cancel", "--search", "customer 7", "--yes")
    assert (done.returncode, done.out) == (EXIT["done"], "done: 3 of 3 jobs\n")


def test_refusals(service, warren):
    service.answers["POST", CANCEL] = LIMITED
    done = warren("cancel", "--type", "export", "--yes")
    assert done.returncode == EXIT["limited"] and "100 operations run" in done.err
    service.answers["POST", CANCEL] = [preview(), (404, {"detail": "the preview has expired"})]
    done = warren("cancel", "--type", "export", "--yes")
    assert done.returncode == EXIT["not found"] and "the preview has expired" in done.err
    service.answers["POST", CANCEL] = [preview(), (503, {"detail": "away", "patience": False})]
    done = warren("cancel", "--type", "export", "--yes")
    assert done.returncode == EXIT["unreachable"] and f"warren operation {ID}" in done.err


@pytest.mark.parametrize("words", [
    ("cancel",), ("cancel", "--tenant", "acme"), ("cancel", ID, "--type", "export"), ("cancel", ID, "--yes"), ("run-now", ID, "--dry-run"),
    ("cancel", "--type", "export", "--wait"), ("cancel", "--status", "lost"), ("retry",), ("forget",),
    ("reschedule", ID), ("reschedule", ID, "--at", AT, "--in", "5m"), ("reschedule", ID, "--in", "soon"),
    ("priority", ID), ("operation",), ("operations", "--state", "lost"), ("pause",), ("resume",),
    ("pause", "export", "--tenant", "acme", "--all-tenants"), ("pause", "export", "--list"),
])
def test_usage(service, warren, words):
    done = warren(*words)
    assert (done.returncode, done.out) == (EXIT["usage"], ""), done.err
    assert done.err.startswith("warren: ") and not service.asked


def test_operation(service, warren):
    service.answers["GET", OPERATION] = [answer("running")] * 3 + [answer()]
    done = warren("operation", ID)
    lines = [line.split() for line in done.out.splitlines()]
    assert ["state", "running"] in lines and ["filter", '{"type":', '"export"}'] in lines and ["done", "1"] in lines
    assert lines[-1] == f"next: warren operation {ID} --wait".split()
    assert json.loads(warren("operation", ID, "--json").out) == answer("running")[1]
    done = warren("operation", ID, "--wait")
    assert (done.returncode, done.out) == (EXIT["done"], "done: 3 of 3 jobs\n")
    service.answers["POST", OPERATION + "/abort"] = (202, answer("running")[1])
    assert warren("operation", ID, "--abort").returncode == EXIT["done"]
    service.answers["GET", OPERATION] = answer("aborted")
    assert warren("operation", ID, "--abort", "--wait").returncode == EXIT["failed"]
    assert asked(service)[-2:] == [("POST", OPERATION + "/abort"), ("GET", OPERATION)]
    ended = (409, {"type": "urn:warren:problem:operation-ended", "detail": "it has ended"})
    service.answers["POST", OPERATION + "/abort"] = ended
    done = warren("operation", ID, "--abort")
    assert done.returncode == EXIT["refused"] and "it has ended" in done.err


def test_operations(service, warren):
    service.answers["GET", "/api/v1/operations"] = (200, {"operations": [operation(), operation("running")]})
    done = warren("operations", "--state", "running")
    head, *rows = [line.split() for line in done.out.splitlines()]
    assert head[:5] == ["OPERATION", "KIND", "STATE", "TOTAL", "DONE"]
    assert [row[:5] for row in rows] == [[ID, "cancel", "done", "3", "3"], [ID, "cancel", "running", "3", "1"]]
    assert service.asked[0]["query"] == "state=running"
    service.answers["GET", "/api/v1/operations"] = (200, {"operations": []})
    assert "there are no operations" in warren("operations").err


def pause(type, tenant, parked=0, paused=True):
    return {"type": type, "tenant": tenant, "paused": paused, "since": AT, "by": "key k1", "parked": parked}


@pytest.mark.parametrize("words, path, query, key, told", [
    (("export",), "/api/v1/types/export", "", "user", pause("export", "acme", 12)),
    (("export", "--tenant", "beta"), "/api/v1/types/export", "tenant=beta", "admin", pause("export", "beta")),
    (("export", "--all-tenants"), "/api/v1/types/export", "", "admin", pause("export", None)),
    (("--tenant", "acme"), "/api/v1/tenants/acme", "", "admin", None),
])
@pytest.mark.parametrize("verb", ["pause", "resume"])
def test_pause_and_resume(service, warren, words, path, query, key, told, verb):
    given = {"tenant": {"name": "acme", "paused": True}} if told is None else {"pause": told}
    service.answers["POST", f"{path}/{verb}"] = (202, given)
    done = warren(verb, *words)
    assert done.returncode == EXIT["done"], done.err
    one, = service.asked
    assert (one["query"], one["headers"]["Authorization"]) == (query, f"Bearer wk_{key}")
    state = "paused" if verb == "pause" else "resumed"
    of = "tenant acme"
    if told:
        of = f"type export of {'tenant ' + told['tenant'] if told['tenant'] else 'all tenants'}"
    assert done.out.splitlines()[0] == f"{of} is {state}"
    assert ("parked jobs: 12" in done.out) == bool(told and told["parked"])
    assert json.loads(warren(verb, *words, "--json").out) == given


@pytest.mark.parametrize("words", [
    ("why", "order-7"), ("get", "order-7"), ("get", "order-7", "--attempts", "--json"), ("watch", "order-7"),
    ("cancel", "order-7"), ("run-now", "order-7"), ("retry", "order-7"), ("forget", "order-7"),
    ("reschedule", "order-7", "--in", "5m"), ("priority", "order-7", "high")])
def test_what_is_no_id(service, warren, words):
    done = warren(*words)
    assert (done.returncode, done.out) == (EXIT["not found"], "")
    assert "'order-7' is no job id; try: warren find order-7" in done.err and not service.asked


@pytest.mark.parametrize("words, path", [
    (("key", "add", "acme"), "/api/v1/tenants/acme/keys"), (("key", "rotate", "k1"), "/api/v1/keys/k1/rotate")])
def test_a_key_expires_after_a_duration(service, warren, words, path):
    service.answers["POST", path] = (201, {"key": "wk_new"})
    for given in ("90d", AT):
        assert warren(*words, "--expires", given).returncode == EXIT["done"]
    later, same = [json.loads(one["body"])["expires"] for one in service.asked]
    left = datetime.datetime.fromisoformat(later) - datetime.datetime.now(datetime.timezone.utc)
    assert 0 < 90 * 86400 - left.total_seconds() < 60 and same == AT


def test_no_answer_names_the_doctor(service, warren):
    warren.env["WARREN_URL"] = "http://127.0.0.1:1"
    done = warren("cancel", ID)
    assert done.returncode == EXIT["unreachable"]
    assert done.err.endswith("\n  nothing was done\n  'warren doctor' says what is wrong\n")
    assert "done" not in warren("get", ID).err
    warren.env["WARREN_URL"] = service.url
    service.answers["POST", f"/api/v1/jobs/{ID}/cancel"] = (503, {"detail": "away", "accepted": "unknown"})
    assert warren("cancel", ID).err == (
        "warren: away\n  it may have been done, or may be done later\n  try again in 7 s\n"
        "  'warren doctor' says what is wrong\n")


def test_masked_values_are_told(service, warren):
    service.answers["GET", f"/api/v1/jobs/{ID}"] = (200, {"id": ID, "payload": {"token": "***"}, "masked": 1})
    service.answers["GET", f"/api/v1/jobs/{ID}/attempts"] = (200, {"attempts": []})
    assert warren("get", ID).err == "masked values: 1; a key with the scope 'operate' sees them\n"
    assert warren("get", ID, "--json").err == ""


def test_what_is_no_type(service, warren):
    done = warren("pause", "b ad")
    assert done.returncode == EXIT["usage"] and "'b ad' is no type: 1 to 64 of a-z" in done.err
    assert not service.asked


@pytest.mark.parametrize("verb, told, words", [
    ("resume", {"was_paused": False}, "was not paused"),
    ("resume", {"was_paused": True, "still_paused_by": "all"}, "paused for all tenants"),
    ("resume", {"was_paused": True, "still_paused_by": "tenant"}, "the tenant is paused"),
    ("pause", {"was_paused": True}, "was paused already"),
    ("pause", {"was_paused": False, "has_jobs": False}, "no job of this type is known"),
])
def test_what_a_pause_or_resume_did_not_do(service, warren, verb, told, words):
    service.answers["POST", f"/api/v1/types/export/{verb}"] = (202, {"pause": pause("export", "acme"), **told})
    assert words in warren(verb, "export").out


@pytest.mark.parametrize("verb", ["pause", "resume"])
def test_whose_type_is_paused(service, warren, verb):
    """Without a tenant an admin key would pause it for all, unasked, and a tenant's key for that tenant only."""
    done = warren(verb, "export", without="WARREN_API_KEY")
    assert (done.returncode, done.out) == (EXIT["usage"], "")
    assert done.err == "warren: give --tenant or --all-tenants\n"
    done = warren(verb, "export", "--all-tenants", without="WARREN_ADMIN_KEY")
    assert (done.returncode, done.out) == (EXIT["not allowed"], "")
    assert "WARREN_ADMIN_KEY" in done.err
    assert not service.asked


def test_pauses(service, warren):
    service.answers["GET", "/api/v1/pauses"] = (200, {"pauses": [
        pause("export", None, 1200), pause("mail", "acme", 3, paused=False), pause("old", None, 0, paused=False)]})
    service.answers["GET", "/api/v1/tenants"] = (200, {"tenants": [
        {"name": "acme", "paused": False}, {"name": "beta", "paused": True, "paused_at": AT, "paused_by": "key k1"}]})
    head, *rows = [line.split() for line in warren("pause", "--list").out.splitlines()]
    assert head == ["TYPE", "TENANT", "STATE", "SINCE", "PARKED", "BY"]
    assert [row[:3] for row in rows] == [["export", "(all)", "paused"], ["mail", "acme", "resumed"],
                                         ["(all)", "beta", "paused"]]
    assert [row[-3] for row in rows] == ["1200", "3", "-"]
    service.answers["GET", "/api/v1/tenants/beta"] = (200, {"tenant": {
        "name": "beta", "paused": True, "paused_at": AT, "paused_by": "key k1"}, "keys": []})
    assert "beta" in warren("pause", "--list", "--tenant", "beta").out
    assert "beta" in warren("pause", "--list", "--tenant", "*").out


def test_pauses_of_a_tenants_key(service, warren):
    """It may not read tenants: its queues say that it is paused."""
    service.answers["GET", "/api/v1/pauses"] = (200, {"pauses": []})
    service.answers["GET", "/api/v1/tenants"] = (403, {"detail": "no"})
    service.answers["GET", "/api/v1/queues"] = (200, {"queues": [{"tenant": "acme", "paused": True}]})
    done = warren("pause", "--list", without="WARREN_ADMIN_KEY")
    assert [line.split() for line in done.out.splitlines()][1:] == [["(all)", "acme", "paused", "-"]]
    service.answers["GET", "/api/v1/queues"] = (200, {"queues": [{"tenant": "acme", "paused": False}]})
    done = warren("pause", "--list", without="WARREN_ADMIN_KEY")
    assert (done.returncode, done.out, done.err) == (EXIT["done"], "", "nothing is paused\n")
    service.answers["GET", "/api/v1/queues"] = (503, {"detail": "the status is away"})
    done = warren("pause", "--list", without="WARREN_ADMIN_KEY")
    assert (done.returncode, done.out) == (EXIT["unreachable"], "") and "the status is away" in done.err
