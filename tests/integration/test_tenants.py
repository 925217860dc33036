# SPDX-License-Identifier: Apache-2.0
"""Tenants and keys: the primary status-store provisions them and publishes them on `control`."""
import concurrent.futures
import contextlib
import http.server
import json
import os
import pathlib
import sqlite3
import stat
import subprocess
import threading

import pika
import pytest

from harness.broker import BIN
from harness.status_rig import StatusStore, event, uuid7
from harness.until import until
from tenants_rig import create, latest

LANES = ("critical", "high", "medium", "low", "long")


@pytest.fixture(scope="module")
def primary(broker, tmp_path_factory):
    made = StatusStore(broker, tmp_path_factory.mktemp("primary"), tenant_delete_after="200ms")
    made.primary().start()
    yield made
    made.end()


def test_a_tenant_is_made_whole(primary):
    made = create(primary, "whole", rate="20/1m", max_pending=50, weight=2)
    assert made["tenant"] == {
        "name": "whole", "rate": "20/1m", "burst": 20, "max_running": 5, "slots_version": 1,
        "max_pending": 50, "weight": 2, "paused": False, "paused_at": None, "paused_by": None,
        "amqp_login": False, "created_at": made["tenant"]["created_at"]}
    assert made["key"].startswith("wk_") and len(made["key"]) == 55
    queues = primary.broker.queues(primary.vhost)
    assert {f"jobs.whole.{lane}" for lane in LANES} <= set(queues)
    record = latest(primary, "tenant", "whole")
    assert (record["v"], record["rate"], record["max_running"], record["deleted"]) == (
        1, {"count": 20, "per": "1m"}, 5, False)
    key = latest(primary, "apikey", made["key"][3:11])
    assert key["tenant"] == "whole" and sorted(key["scopes"]) == ["operate", "read", "submit"]
    assert made["key"] not in json.dumps(key)
    primary.broker.topology(primary.vhost, "check", "whole")
    primary.stream.job(uuid7(), tenant="whole")
    until(lambda: primary.get("/jobs", tenant="whole")["jobs"], 20, "a job of the new tenant")


def test_taken_and_refused_names(primary):
    create(primary, "taken")
    assert primary.request("POST", "/tenants", json={"name": "taken"}).status_code == 409
    for name in ("Upper", "warren-x", "", "a" * 33, "-dash", 5):
        answer = primary.request("POST", "/tenants", json={"name": name})
        assert answer.status_code == 422, name
        assert answer.json()["errors"][0]["pointer"] == "/name"
    for limit in (0, 10001, "5", -1):
        answer = primary.request("POST", "/tenants", json={"name": "slots", "max_running": limit})
        assert answer.status_code == 422 and "1 to 10000" in answer.text, limit
    for rate in ("10/1d1ms", "10/0s", "0/1s", "10/366d"):
        answer = primary.request("POST", "/tenants", json={"name": "slots", "rate": rate})
        assert answer.status_code == 422 and "1 day" in answer.text, answer.text
        answer = primary.request("PATCH", "/tenants/taken", json={"rate": rate})
        assert answer.status_code == 422, rate
    assert primary.request("PATCH", "/tenants/taken", json={"rate": "10/1d"}).status_code == 200
    assert primary.request("GET", "/tenants/slots").status_code == 404
    assert primary.request("POST", "/tenants", data=b"{",
                           ).status_code in (400, 415)


def test_change_list_and_pause(primary):
    create(primary, "changed")
    answer = primary.request("PATCH", "/tenants/changed", json={"rate": "unlimited", "weight": 9})
    assert answer.status_code == 200, answer.text
    assert (answer.json()["tenant"]["rate"], answer.json()["tenant"]["weight"]) == ("unlimited", 9)
    record = latest(primary, "tenant", "changed")
    assert (record["v"], record["rate"], record["weight"]) == (2, None, 9)
    assert primary.request("POST", "/tenants/changed/pause").status_code == 202
    assert latest(primary, "tenant", "changed")["paused"] is True
    assert primary.request("POST", "/tenants/changed/resume").status_code == 202
    assert latest(primary, "tenant", "changed")["v"] == 4
    listed = {t["name"]: t for t in primary.request("GET", "/tenants").json()["tenants"]}
    assert listed["changed"]["weight"] == 9
    assert primary.request("PATCH", "/tenants/changed", json={"name": "x"}).status_code == 422
    assert primary.request("PATCH", "/tenants/nobody", json={"weight": 1}).status_code == 404


def test_keys_come_and_go(primary):
    create(primary, "keys")
    made = primary.request("POST", "/tenants/keys/keys", json={"scopes": ["read"]})
    assert made.status_code == 201, made.text
    key = made.json()
    assert key["scopes"] == ["read"] and key["key"][3:11] == key["id"]
    assert latest(primary, "apikey", key["id"])["revoked"] is False
    listed = primary.request("GET", "/tenants/keys").json()["keys"]
    assert len(listed) == 2 and not any("secret" in k or "key" in k for k in listed)
    assert primary.request("DELETE", f"/tenants/keys/keys/{key['id']}").status_code == 204
    record = latest(primary, "apikey", key["id"])
    assert (record["v"], record["revoked"]) == (2, True)
    assert primary.request("DELETE", f"/tenants/keys/keys/{key['id']}").status_code == 404
    assert primary.request("POST", "/tenants/keys/keys",
                           json={"scopes": ["admin"]}).status_code == 422


def test_deleted_first_told_then_swept(primary):
    key = create(primary, "gone")["key"]
    assert primary.request("DELETE", "/tenants/gone").status_code == 204
    assert latest(primary, "tenant", "gone")["deleted"] is True
    assert primary.request("GET", "/tenants/gone").status_code == 404
    until(lambda: not any(name.startswith("jobs.gone.")
                          for name in primary.broker.queues(primary.vhost)), 30, "queues gone")
    until(lambda: primary.request("POST", "/tenants?reuse=true", json={"name": "gone"}).status_code == 201, 30,
          "the name is free again")
    assert latest(primary, "tenant", "gone")["v"] == 3
    assert latest(primary, "apikey", key[3:11])["revoked"] is True
    listed = primary.request("GET", "/tenants/gone").json()["keys"]
    assert len(listed) == 1 and listed[0]["id"] != key[3:11] and not listed[0]["revoked"]


def test_a_tenant_from_before_work_gets_its_bindings_at_the_primarys_start(primary):
    create(primary, "older")
    create(primary, "newer")
    primary.program.stop()
    primary.broker.management("DELETE", f"/api/exchanges/{primary.vhost}/work")
    assert "exchange work: it is missing" in primary.broker.topology(primary.vhost, "check").stdout
    primary.broker.topology(primary.vhost, "apply")
    missing = primary.broker.topology(primary.vhost, "check", "older").stdout.splitlines()
    assert len(missing) == len(LANES)
    assert all("to exchange work" in line and "restart the primary" in line for line in missing)
    primary.start()
    for name in ("older", "newer"):
        until(lambda: primary.broker.topology(primary.vhost, "check", name).stdout == "", 30,
              f"the bindings of {name}")


def test_a_primary_started_before_the_topology_and_the_rights_waits_for_them(broker, tmp_path):
    made = StatusStore(broker, tmp_path).primary().start()
    rights = f"/api/permissions/{made.vhost}/warren-provision"
    given = broker.management("GET", rights)
    try:
        create(made, "early")
        made.program.stop()
        broker.management("DELETE", f"/api/exchanges/{made.vhost}/work")
        broker.management("PUT", rights, {**given, "read": given["read"].replace("|work", "")})
        made.start()
        until(lambda: "tenants not provisioned; trying again" in made.program.log(), 30, "told")
        broker.topology(made.vhost, "apply")
        until(lambda: broker.topology(made.vhost, "check", "early").stdout == "", 30,
              "the bindings")
    finally:
        made.end()


def test_queues_in_use_wait_for_their_consumers(primary):
    create(primary, "busy")
    with primary.broker.pika(primary.vhost) as connection:
        channel = connection.channel()
        tag = channel.basic_consume("jobs.busy.low", lambda *_: None)
        assert primary.request("DELETE", "/tenants/busy").status_code == 204
        assert latest(primary, "tenant", "busy")["deleted"] is True
        assert primary.request("POST", "/tenants", json={"name": "busy"}).status_code == 409
        assert channel.queue_declare("jobs.busy.low", passive=True).method.consumer_count == 1
        channel.basic_cancel(tag)
        until(lambda: "jobs.busy.low" not in primary.broker.queues(primary.vhost), 30, "swept")


def test_a_tenant_with_open_jobs_is_not_deleted_by_accident(primary):
    create(primary, "open")
    job = uuid7()
    primary.stream.job(job, tenant="open")
    primary.until_status(job, "pending")
    answer = primary.request("DELETE", "/tenants/open")
    assert answer.status_code == 409 and "1 jobs" in answer.text
    # A job whose submission is in doubt is not shown, but may be in its queue.
    primary.stream.events(event("rejected", job, tenant="open", why="no confirm"))
    until(lambda: primary.jobs(tenant="open") == [], 30, "hidden")
    assert primary.request("DELETE", "/tenants/open").status_code == 409
    assert primary.request("DELETE", "/tenants/open?force=true").status_code == 204


def test_what_a_deleted_tenant_left_is_nobodys_unasked(primary):
    def make(**query):
        return primary.request("POST", "/tenants", json={"name": "heir"}, params=query)

    assert make().status_code == 201
    job = uuid7()
    primary.stream.job(job, tenant="heir")
    primary.until_status(job, "pending")
    assert "already" in make(reuse="true").json()["detail"]
    assert primary.request("DELETE", "/tenants/heir?force=true").status_code == 204
    until(lambda: "jobs.heir.low" not in primary.broker.queues(primary.vhost), 30, "swept")
    until(lambda: "?reuse=true" in make().json()["detail"], 30, "refused for what it left")
    assert make(reuse="false").status_code == 409 and make(reus="true").status_code == 400
    assert primary.request("GET", "/tenants/heir").status_code == 404
    assert make(reuse="true").status_code == 201
    assert primary.get("/jobs", tenant="heir")["jobs"][0]["id"] == job


def test_the_tenants_own_login_reaches_its_exchange_only(primary):
    made = create(primary, "amqp", amqp_login=True)["amqp"]
    assert made["exchange"] == "jobs.amqp" and made["login"] == "tenant-amqp"
    create(primary, "neighbour")
    job = uuid7()
    with primary.broker.pika(primary.vhost, made["login"], made["password"]) as connection:
        channel = connection.channel()
        channel.confirm_delivery()
        channel.basic_publish("jobs.amqp", "medium", b'{"from":"outside"}', pika.BasicProperties(
            message_id=job, type="noop", content_type="application/json", delivery_mode=2))
        assert primary.until_status(job, "pending")["payload"] == {"from": "outside"}
        for exchange in ("jobs.neighbour", "work", "hold.1s", "delay.1s", "due", "dead", "events",
                         "control", "marks", "sync", "admits", "unroutable", "amq.direct", ""):
            channel = connection.channel()
            channel.confirm_delivery()
            with pytest.raises(pika.exceptions.ChannelClosedByBroker) as refused:
                channel.basic_publish(exchange, "jobs.neighbour.low", b"{}",
                                      pika.BasicProperties(message_id=uuid7(), type="noop"))
            assert refused.value.reply_code == 403, exchange
        for attempt in (lambda c: c.basic_get("jobs.amqp.medium"),
                        lambda c: c.queue_declare("mine"),
                        lambda c: c.queue_purge("jobs.amqp.medium")):
            with pytest.raises(pika.exceptions.ChannelClosedByBroker) as refused:
                attempt(connection.channel())
            assert refused.value.reply_code == 403
    assert primary.request("PATCH", "/tenants/amqp", json={"amqp_login": False}).status_code == 200
    with pytest.raises(pika.exceptions.AMQPConnectionError):
        primary.broker.pika(primary.vhost, made["login"], made["password"])


def test_no_login_without_the_management_api(broker, tmp_path):
    made = StatusStore(broker, tmp_path).primary()
    for name in ("management_url", "management_password_file"):
        del made.program.settings[name]
    made.start()
    try:
        answer = made.request("POST", "/tenants", json={"name": "plain", "amqp_login": True})
        assert answer.status_code == 422 and "management_url" in answer.text
        assert made.request("POST", "/tenants", json={"name": "plain"}).status_code == 201
    finally:
        made.end()


def test_no_more_tenants_than_allowed(broker, tmp_path):
    made = StatusStore(broker, tmp_path, tenants_max=1).primary().start()
    try:
        create(made, "first")
        answer = made.request("POST", "/tenants", json={"name": "second"})
        assert answer.status_code == 409 and "tenants_max" in answer.text
        assert "jobs.second.low" not in broker.queues(made.vhost)
    finally:
        made.end()


def test_a_replica_has_no_registry(primary):
    replica = primary.add("replica", primary="false").start()
    for path in ("/tenants", "/tenants/whole"):
        assert primary.request("GET", path, replica).status_code == 503
    assert primary.request("POST", "/tenants", replica, json={"name": "x"}).status_code == 503
    assert replica.stop() == 0


def delete_when_linked(made, name):
    """The answer of a primary that has its link to the broker."""
    answers = []
    until(lambda: answers.append(made.request("DELETE", f"/tenants/{name}")) or answers[-1].status_code != 503, 30,
          "the primary has its link")
    return answers[-1]


def test_a_login_goes_before_its_tenant(broker, tmp_path):
    made = StatusStore(broker, tmp_path).primary().start()
    try:
        login = create(made, "brief", amqp_login=True)["amqp"]
        made.program.stop()
        kept = {name: made.program.settings.pop(name)
                for name in ("management_url", "management_password_file")}
        made.start()
        refused = delete_when_linked(made, "brief")
        assert refused.status_code == 422, refused.text
        assert made.request("GET", "/tenants/brief").status_code == 200
        made.program.stop()
        made.program.settings.update(kept)
        made.start()
        gone = delete_when_linked(made, "brief")
        assert gone.status_code == 204, gone.text
        with pytest.raises(pika.exceptions.AMQPConnectionError):
            made.broker.pika(made.vhost, login["login"], login["password"])
    finally:
        made.end()


class Management(http.server.ThreadingHTTPServer):
    """A stand-in for the management API that can be made to fail: its users, by password."""

    def __init__(self):
        super().__init__(("127.0.0.1", 0), ManagementCalls)
        self.users, self.failing = {}, ()
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def end(self):
        self.shutdown()
        self.server_close()


class ManagementCalls(http.server.BaseHTTPRequestHandler):
    def log_message(self, *_):
        pass

    def answer(self):
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        failing = f"{self.command} {self.path}".startswith(self.server.failing)
        user = self.path.rsplit("/", 1)[1]
        if not failing and self.path.startswith("/api/users/"):
            if self.command == "PUT":
                self.server.users[user] = json.loads(body)["password"]
            else:
                self.server.users.pop(user, None)
        self.send_response(503 if failing else 204)
        self.send_header("Content-Length", "0")
        self.end_headers()

    do_PUT = do_DELETE = answer


def test_a_login_half_changed_is_changed_when_asked_again(broker, tmp_path):
    management = Management()
    made = StatusStore(broker, tmp_path, tenant_delete_after="200ms").primary()
    made.program.settings["management_url"] = f"http://127.0.0.1:{management.server_port}"
    made.start()

    def patch(wanted):
        return made.request("PATCH", "/tenants/half", json={"amqp_login": wanted})

    def shown():
        return made.request("GET", "/tenants/half").json()["tenant"]["amqp_login"]

    try:
        create(made, "half")
        management.failing = ("PUT /api/permissions/",)
        assert patch(True).status_code == 503 and shown() is False
        assert "tenant-half" in management.users
        management.failing = ()
        answer = patch(True)
        assert answer.status_code == 200 and shown() is True
        assert answer.json()["amqp"]["password"] == management.users["tenant-half"]
        again = patch(True)
        assert again.status_code == 200 and "amqp" not in again.json()
        management.failing = ("DELETE ",)
        assert patch(False).status_code == 503
        management.failing = ()
        assert patch(False).status_code == 200 and shown() is False
        assert management.users == {}
        management.failing = ("PUT /api/permissions/",)
        assert made.request("POST", "/tenants", json={"name": "other", "amqp_login": True},
                            ).status_code == 503
        assert "tenant-other" in management.users
        until(lambda: management.users == {}, 30, "the login of a tenant undone is deleted")
        assert patch(True).status_code == 503
        assert made.request("DELETE", "/tenants/half").status_code == 204
        assert management.users == {}
    finally:
        made.end()
        management.end()


def test_a_login_that_nobody_knows_of_does_not_outlive_its_tenant(broker, tmp_path):
    management = Management()
    made = StatusStore(broker, tmp_path, tenant_delete_after="200ms").primary()
    made.program.settings["management_url"] = f"http://127.0.0.1:{management.server_port}"
    made.start()
    try:
        create(made, "plain")
        management.users["tenant-plain"] = "a stranger's"
        assert made.request("DELETE", "/tenants/plain").status_code == 204
        until(lambda: made.request("POST", "/tenants?reuse=true", json={"name": "plain"}).status_code == 201,
              30, "the name is free again")
        assert management.users == {}
    finally:
        made.end()
        management.end()


def test_changes_of_a_login_at_once_end_as_the_registry_says(primary):
    def there():
        return "tenant-torn" in {u["name"] for u in primary.broker.management("GET", "/api/users")}

    def patch(wanted):
        return primary.request("PATCH", "/tenants/torn", json={"amqp_login": wanted})

    def pause(_):
        return primary.request("POST", "/tenants/torn/pause")

    def delete(_):
        return primary.request("DELETE", "/tenants/torn")

    def make(wanted):
        return primary.request("POST", "/tenants?reuse=true", json={"name": "torn", "amqp_login": wanted})

    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        for turn in range(12):
            until(lambda: make(True).status_code in (201, 409)
                  and primary.request("GET", "/tenants/torn").status_code == 200, 30, "made")
            calls = [(patch, True), (patch, False), (pause, None)] * 2
            if turn % 2:
                calls += [(delete, None), (make, True)]
            answers = [pool.submit(call, wanted) for call, wanted in calls]
            assert {a.result().status_code for a in answers} <= {200, 201, 202, 204, 404, 409}
            shown = primary.request("GET", "/tenants/torn")
            assert there() == (shown.status_code == 200 and shown.json()["tenant"]["amqp_login"])


def test_of_many_logins_asked_for_at_once_one_is_made_and_its_password_holds(primary):
    create(primary, "contended")

    def patch(_):
        return primary.request("PATCH", "/tenants/contended", json={"amqp_login": True})

    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        for _ in range(4):
            answers = list(pool.map(patch, range(8)))
            assert {answer.status_code for answer in answers} == {200}
            shown = [a.json()["amqp"] for a in answers if "amqp" in a.json()]
            assert len(shown) == 1
            primary.broker.pika(primary.vhost, shown[0]["login"], shown[0]["password"]).close()
            assert primary.request("PATCH", "/tenants/contended",
                                   json={"amqp_login": False}).status_code == 200


def test_admin_keys_and_backup(primary):
    path = pathlib.Path(primary.program.settings["bootstrap_admin_key_file"])
    text = path.read_text(encoding="utf-8").strip()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    until(lambda: latest(primary, "apikey", text[3:11]) is not None, 20, "the admin key is told")
    assert "admin" in latest(primary, "apikey", text[3:11])["scopes"]
    config = primary.folder / "status-store.conf"
    second = primary.folder / "second.key"
    copy = primary.folder / "copy.db"
    for option in (("--create-admin-key", second), ("--backup", copy)):
        subprocess.run([BIN / "warren-status-store", "--config", config, *option], check=True,
                       timeout=60, env=dict(os.environ))
    made = second.read_text(encoding="utf-8").strip()
    assert stat.S_IMODE(second.stat().st_mode) == 0o600 and made != text
    until(lambda: latest(primary, "apikey", made[3:11]) is not None, 20, "told while it runs")
    with contextlib.closing(sqlite3.connect(copy)) as db:
        kept = {row[0] for row in db.execute("SELECT id FROM keys")}
    assert {text[3:11], made[3:11]} <= kept
    nowhere = primary.folder / "nowhere.db"
    none = subprocess.run([BIN / "warren-status-store", "--config", config, "--registry", nowhere,
                           "--backup", primary.folder / "none.db"], timeout=60, check=False,
                          stderr=subprocess.PIPE, text=True)
    assert none.returncode == 1 and str(nowhere) in none.stderr
    assert not nowhere.exists() and not (primary.folder / "none.db").exists()
