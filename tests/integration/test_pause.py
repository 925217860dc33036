# SPDX-License-Identifier: Apache-2.0
"""A pause of a tenant, of a type for all, of a type for one tenant: who may set it, how soon it is in force, what
goes on, what it survives."""
import contextlib
import time

import pytest

from harness.api import Api
from harness.events import Events
from harness.operator_rig import events_of
from harness.pauses import park, parked_queue, pause, resume, set_paused
from harness.status_rig import StatusStore
from harness.until import until
from harness.warren import Warren
from tenants_rig import create, latest

KINDS = [("tenants/acme", {}), ("types/echo", {}), ("types/echo", {"tenant": "acme"})]


@pytest.fixture(name="warren", scope="module")
def warren_(broker, tmp_path_factory):
    """With two consumers. Shared by the tests, which leave nothing paused."""
    made = Warren(broker, tmp_path_factory.mktemp("warren"))
    made.add_consumer()
    yield made
    made.end()


@contextlib.contextmanager
def paused(api, path, **query):
    set_paused(api, "pause", path, **query)
    yield
    set_paused(api, "resume", path, **query)


def started(warren, ids):
    events = Events(warren)
    assert events.await_ended(ids) == set(ids)
    events.close()
    return set(events.starts(set(ids)).values())


@pytest.mark.parametrize("path, query", KINDS)
def test_in_force_within_a_second(warren, path, query):
    """At both consumers; and so is its end."""
    warren.tenant("acme")
    warren.api.run("echo", 1)
    with paused(warren.admin, path, **query):
        time.sleep(1)
        ids = [warren.api.submit("echo", 1)["id"] for _ in range(50)]
        if path.startswith("tenants"):
            until(lambda: warren.depth("jobs.acme.medium") == len(ids), 10, "they stay in their lane")
        else:
            until(lambda: warren.depth(parked_queue("echo", query.get("tenant"))) == len(ids), 10, "parked")
        assert not [id for id in ids[:5] + ids[-5:] if events_of(warren, id, "started")]
    assert started(warren, ids) == {1}


def test_what_was_and_what_else_holds(warren):
    """Repeated, the answers say that nothing changed; and which other pause is left."""
    warren.api.run("echo", 1)
    told = set_paused(warren.admin, "resume", "types/echo")
    assert (told["was_paused"], told["still_paused_by"], told["has_jobs"]) == (False, None, True)
    for stranger in ("types/nosuchtype", "types/acme"):  # the second is a tenant
        assert set_paused(warren.admin, "resume", stranger)["has_jobs"] is False
    asker = warren.tenant("asker").api
    for others in ("types/echo", "types/acme"):
        assert set_paused(asker, "resume", others)["has_jobs"] is False, "it has no job"
    with paused(warren.admin, "types/echo"):
        assert set_paused(warren.admin, "pause", "types/echo")["was_paused"] is True
        assert set_paused(warren.api, "pause", "types/echo")["was_paused"] is False
        until(lambda: set_paused(warren.api, "resume", "types/echo")["still_paused_by"] == "all", 10, "all are paused")
    assert set_paused(warren.api, "resume", "tenants/acme")["was_paused"] is False
    with paused(warren.api, "tenants/acme"):
        assert set_paused(warren.api, "pause", "tenants/acme")["was_paused"] is True
        until(lambda: set_paused(warren.api, "resume", "types/echo")["still_paused_by"] == "tenant", 10,
              "the tenant is paused")


def test_what_runs_ends(warren):
    with contextlib.ExitStack() as pauses:
        id = warren.api.submit("sleep", {"ms": 1500})["id"]
        warren.api.wait(id, "running")
        pauses.enter_context(paused(warren.admin, "types/sleep"))
        pauses.enter_context(paused(warren.admin, "tenants/acme"))
        assert warren.api.wait(id)["status"] == "completed"
    assert len(events_of(warren, id, "started")) == 1


def consumers_of(warren, queue):
    with warren.pika() as connection:
        return connection.channel().queue_declare(queue, passive=True).method.consumer_count


def test_a_paused_tenant_is_unsubscribed(warren):
    """By its own key. Its delayed jobs come due into its lanes. Others do not notice."""
    other = warren.tenant("other").api
    retried = warren.api.submit("fail", {"times": 1}, max_retries=1)["id"]
    delayed = warren.api.submit("echo", 1, delay="1500ms")["id"]
    answer = set_paused(warren.api, "pause", "tenants/acme")["tenant"]
    assert answer["name"] == "acme" and answer["paused"] is True and "max_running" not in answer
    until(lambda: consumers_of(warren, "jobs.acme.medium") == 0, 10, "both have unsubscribed")
    ids = [warren.api.submit("echo", 1)["id"] for _ in range(5)]
    assert other.run("echo", 1)["status"] == "completed"
    until(lambda: warren.depth("jobs.acme.medium") >= len(ids) + 1, 30, "the delayed one is due, and waits")
    (queue,) = warren.api.request("GET", "/queues").json()["queues"]
    assert queue["paused"] is True
    set_paused(warren.api, "resume", "tenants/acme")
    assert warren.api.wait(retried)["status"] == "completed"
    assert started(warren, [*ids, delayed]) == {1}


def test_all_pauses_survive_a_restart_of_everything(warren):
    quiet = warren.tenant("quiet").api
    with contextlib.ExitStack() as pauses:
        pauses.enter_context(paused(warren.admin, "tenants/quiet"))
        noops, queue = park(warren, 1, "noop")
        pauses.callback(resume, warren, "noop")
        echoes, own_queue = park(warren, 1, "echo", "acme")
        pauses.callback(resume, warren, "echo", "acme")
        until(lambda: consumers_of(warren, "jobs.quiet.medium") == 0, 10, "both have unsubscribed")
        ids = [quiet.submit("echo")["id"], *noops, *echoes]
        for program in warren.programs:
            assert program.stop() == 0, program.log()[-3000:]
        for program in warren.programs:
            program.start(ready=False)
        for program in warren.programs:
            program.wait_ready(60)
        until(lambda: warren.admin.request("GET", "/pauses").status_code == 200, 30, "it serves")
        assert (warren.depth(queue), warren.depth(own_queue)) == (len(noops), len(echoes))
        assert warren.tenant("other").api.run("echo", 1)["status"] == "completed"
        assert not [id for id in ids if events_of(warren, id, "started")]
    assert started(warren, ids) == {1}


def pauses_of(api):
    answer = api.request("GET", "/pauses")
    assert answer.status_code == 200, answer.text
    return {(p["type"], p["tenant"]): p for p in answer.json()["pauses"]}


def test_who_sees_what(warren):
    other = warren.tenant("other").api
    ids, _ = park(warren, 3)
    assert set_paused(other, "pause", "types/sleep")["pause"]["tenant"] == "other"
    theirs = pauses_of(other)
    assert theirs["echo", None]["paused"] and theirs["echo", None]["by"] == f"key {warren.admin_key[3:11]}"
    assert theirs["sleep", "other"]["since"] and theirs["sleep", "other"]["by"] == f"key {other.key[3:11]}"
    assert ("sleep", "other") not in pauses_of(warren.api)
    assert ("sleep", "other") in pauses_of(warren.admin)
    until(lambda: pauses_of(warren.admin)["echo", None]["parked"] == len(ids), 30, "they are counted")
    assert pauses_of(warren.api)["echo", None]["parked"] is None, "jobs of all tenants"
    id = other.submit("sleep", {"ms": 0})["id"]
    until(lambda: [q["parked"] for q in other.request("GET", "/queues").json()["queues"]] == [1], 30,
          "its own queue is counted")
    assert warren.api.request("GET", "/queues").json()["queues"][0]["parked"] == 0
    resume(warren, "echo")
    resume(warren, "sleep", "other")
    assert pauses_of(other)["sleep", "other"] | {"parked": 0, "by": None} == {
        "type": "sleep", "tenant": "other", "paused": False, "since": None, "by": None, "parked": 0}
    assert other.wait(id)["status"] == "completed"
    assert started(warren, ids) == {1}


def test_who_may(warren):
    other = warren.tenant("other").api
    answer = warren.admin.request("POST", "/tenants/acme/keys", json={"scopes": ["submit", "read"]})
    reader = Api(warren.url, answer.json()["key"])
    until(lambda: reader.request("GET", "/pauses").status_code == 200, 30, "the key is known")
    for api, path, status in [(reader, "types/echo", 403), (reader, "tenants/acme", 403),
                              (other, "tenants/acme", 404), (other, "tenants/acme?tenant=acme", 403),
                              (other, "types/echo?tenant=acme", 403), (other, "tenants/no-such", 404),
                              (warren.admin, "tenants/no-such", 404), (warren.admin, "types/no%20name", 404),
                              (warren.admin, "types/echo?tenant=no-such", 404)]:
        path, _, query = path.partition("?")
        for verb in ("pause", "resume"):
            answer = api.request("POST", f"/{path}/{verb}?{query}")
            assert answer.status_code == status, (path, verb, answer.text)


def test_bodies_are_not_ignored(warren):
    json = {"Content-Type": "application/json"}
    for api, path in [(warren.api, "tenants/acme"), (warren.admin, "tenants/acme"), (warren.api, "types/idle.body")]:
        for body, headers, status in [("x", json, 400), ('{"until": 1}', json, 422), ('{"a": 1, "a": 1}', json, 400),
                                      ("{}", {"Content-Type": "text/plain"}, 415)]:
            for verb in ("pause", "resume"):
                answer = api.request("POST", f"/{path}/{verb}", data=body, headers=headers)
                assert answer.status_code == status, (path, verb, body, answer.text)
    assert ("idle.body", "acme") not in pauses_of(warren.admin)
    assert warren.api.request("POST", "/tenants/acme/resume", json={}).status_code == 202


def test_it_is_set_and_ended_once(warren):
    pause(warren, "idle.type")
    first = latest(warren, "pause", "type:idle.type")
    pause(warren, "idle.type")
    assert latest(warren, "pause", "type:idle.type") == first
    resume(warren, "idle.type")
    resume(warren, "idle.type")
    assert latest(warren, "pause", "type:idle.type")["v"] == first["v"] + 1
    resume(warren, "never.paused")
    assert latest(warren, "pause", "type:never.paused") is None
    tenant = warren.admin.request("POST", "/tenants/acme/pause").json()["tenant"]
    assert tenant["paused_at"] and tenant["paused_by"] == f"key {warren.admin_key[3:11]}"
    record = latest(warren, "tenant", "acme")
    assert record["paused_at"] and record["by"] == tenant["paused_by"]
    tenant = warren.admin.request("POST", "/tenants/acme/resume").json()["tenant"]
    assert (tenant["paused_at"], tenant["paused_by"]) == (None, None)


@pytest.fixture(name="primary", scope="module")
def primary_(broker, tmp_path_factory):
    made = StatusStore(broker, tmp_path_factory.mktemp("primary"), pauses_max=2).primary().start()
    create(made, "acme")
    yield made
    made.end()


def ask(primary, type, verb, tenant="*"):
    return primary.request("POST", f"/types/{type}/{verb}?tenant={tenant}")


def test_no_more_than_pauses_max(primary):
    assert [ask(primary, type, "pause").status_code for type in ("a", "b", "c")] == [202, 202, 409]
    assert ask(primary, "a", "resume").status_code == 202
    assert ask(primary, "c", "pause").status_code == 409, "its queue stays"
    assert ask(primary, "a", "pause").status_code == 202


def test_a_registry_of_a_backup_knows_later_pauses(primary):
    """One that it lacks becomes as `control` says; its own word counts of one that it has."""
    assert ask(primary, "a", "pause").status_code == 202
    assert primary.program.stop() == 0
    registry = primary.folder / "registry.db"
    backup = registry.read_bytes()
    primary.program.settings["pauses_max"] = 3
    primary.program.start()
    assert ask(primary, "a", "resume").status_code == 202
    assert ask(primary, "later", "pause").status_code == 202
    assert primary.program.stop() == 0
    registry.write_bytes(backup)
    primary.program.start()
    until(lambda: latest(primary, "pause", "type:a")["paused"], 30, "the backup's word counts")
    shown = {p["type"]: p["paused"] for p in primary.request("GET", "/pauses?tenant=*").json()["pauses"]}
    assert shown["later"] is True and shown["a"] is True
    assert ask(primary, "later", "resume").status_code == 202
    assert latest(primary, "pause", "type:later")["paused"] is False


def test_without_the_operators_password(primary):
    assert primary.program.stop() == 0
    password = primary.program.settings.pop("operator_password_file")
    primary.program.start()
    for verb in ("pause", "resume"):
        answer = ask(primary, "a", verb)
        assert answer.status_code == 503 and "operator_password_file" in answer.text
    primary.program.settings["operator_password_file"] = password
    primary.program.restart()
    assert ask(primary, "a", "resume").status_code == 202
