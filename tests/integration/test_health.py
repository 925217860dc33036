# SPDX-License-Identifier: Apache-2.0
"""GET /health: each test breaks several things at once, finds each of them with its remedy, and mends them."""
import contextlib
import json
import re

import pytest

from cli_rig import Cli
from harness.pauses import pause, resume
from harness.until import until
from harness.warren import Warren


@pytest.fixture(scope="module")
def warren(broker, tmp_path_factory):
    """The broker is checked often, and each dead letter counts as one that will be deleted soon."""
    whole = Warren(broker, tmp_path_factory.mktemp("warren"), settings={
        "status-store": {"health_every": "1s"}, "dlx-monitor": {"keep_dead": "7d"}})
    try:
        whole.tenant("acme", max_running=3)
        whole.tenant("globex")
        yield whole
    finally:
        whole.end()


@pytest.fixture()
def healthy(warren):
    """Each test must mend what it breaks."""
    await_wrong(warren)
    return warren


def ask(api):
    answer = api.request("GET", "/health")
    assert answer.status_code == 200, answer.text
    return answer.json()


def wrong_of(health):
    """{check: problem}; checks the form of the answer too."""
    wrong = [check for check in health["checks"] if check["state"] == "wrong"]
    reasons = [(reason["check"], reason["problem"], reason["remedy"], reason["since"])
               for reason in health["reasons"]]
    assert sorted(reasons) == sorted((check["check"], check["problem"], check["remedy"], check["since"])
                                     for check in wrong)
    assert all(check["remedy"] and check["since"] for check in wrong)
    severities = [reason["severity"] for reason in health["reasons"]]
    assert severities == sorted(severities, key=["down", "degraded"].index)
    assert health["verdict"] == (severities[0] if severities else "ok")
    return {check["check"]: check["problem"] for check in wrong}


def await_wrong(whole, *checks, but=(), timeout=40):
    """Waits until exactly these checks are wrong, and perhaps those of `but`; returns the answer."""
    seen = [None]

    def there():
        seen[0] = health = ask(whole.admin)
        return health if set(wrong_of(health)) - set(but) == set(checks) else None

    try:
        return until(there, timeout, f"{checks} wrong", every=0.2)
    except AssertionError as late:
        raise AssertionError(f"{late}; found {seen[0]['reasons']}") from None


def words_of(answer, skip=()):
    """What it says, check by check, but for how long libcurl tried."""
    return sorted((check["check"], check["state"], re.sub(r"after \d+ ms", "", check["problem"] or ""),
                   check["remedy"] or "")
                  for check in answer["checks"] if check["check"] not in skip)


def doctor(cli, **variables):
    return json.loads(cli("doctor", "--json", **variables).stdout)


def test_all_is_well(healthy, cli):
    checks = {"gateway", "publishing", "control", "status-store", "projection", "handlers", "workers",
              "lost workers", "provisioning", "dlx-monitor", "archive", "letters", "broker", "broker version",
              "topology", "consumers", "status-store reads", "dlx-monitor reads", "limits"}
    health = until(lambda: (found := ask(healthy.admin)) and len(found["checks"]) > len(checks) and found, 30,
                   "everything was looked at")
    assert (health["verdict"], health["reasons"]) == ("ok", [])
    assert {check["state"] for check in health["checks"]} == {"ok"}
    names = {check["check"] for check in health["checks"]}
    assert {name for name in names if not name.startswith("node ")} == checks
    assert all(check["since"] <= check["looked_at"] <= health["as_of"] for check in health["checks"])
    again = ask(healthy.admin)
    assert {check["check"]: check["since"] for check in again["checks"]} == {
        check["check"]: check["since"] for check in health["checks"]}
    # The doctor says the same, by the primary's eyes and by its own.
    for url in (None, cli.env["WARREN_MANAGEMENT_URL"]):
        told = doctor(cli, WARREN_MANAGEMENT_URL=url)
        assert (told["verdict"], told["healthy"]) == ("ok", True)
        assert words_of(told, skip={"key"}) == words_of(health)
    refused = healthy.admin.request("GET", "/health?tenant=acme")
    assert refused.status_code == 400


def test_queues_topology_and_tokens(healthy, cli):
    """Also the words of the doctor, the metric, and jobs that nobody takes from the queue of a pause."""
    warren = healthy
    version = {made["name"]: made["slots_version"]
               for made in warren.admin.request("GET", "/tenants").json()["tenants"]}["acme"]
    queue = pause(warren, "parked.type")
    with warren.pika() as connection:
        channel = connection.channel()
        channel.queue_bind(queue, queue, "")
        channel.queue_unbind(queue, queue, queue)
        channel.confirm_delivery()
        channel.basic_publish(queue, "", b"a job")
    until(lambda: ("pauses", "ok", "paused: parked.type", "") in words_of(doctor(cli)), 10, "the doctor names the pause")
    rights = f"/api/permissions/{warren.vhost}/warren-operator"
    given = warren.broker.management("GET", rights)
    warren.broker.management("PUT", rights, {**given, "read": "^$"})
    resume(warren, "parked.type")
    warren.broker.management("DELETE", f"/api/queues/{warren.vhost}/slots.acme.{version}")
    warren.dlx_monitor.stop()
    broken = ("topology", "limits", "parked jobs", "dlx-monitor reads", "dlx-monitor")
    try:
        health = await_wrong(warren, *broken)
        told = doctor(cli, WARREN_MANAGEMENT_URL=None)
        assert (told["verdict"], told["healthy"]) == ("degraded", False)
        assert words_of(told, skip={"key"}) == words_of(health)
        assert words_of(doctor(cli), skip={"key"}) == words_of(health)
        found = wrong_of(health)
        assert "warren-operator" in found["topology"] and queue in found["parked jobs"]
        assert found["limits"] == "tenant acme, max running: tokens are lost: their queue is missing"
        shown = warren.status_store.metrics()
        assert shown.sum("warren_health", check="topology") == 1
        assert ("warren_health", {"check": "projection"}, 0) in shown.samples
        sees_its_own(warren)
    finally:
        warren.dlx_monitor.start()
        warren.broker.management("DELETE", f"/api/queues/{warren.vhost}/{queue}/contents")
        warren.broker.management("PUT", rights, given)
        assert cli("topology", "apply").returncode == 0
        assert cli("tenant", "slots", "acme").returncode == 0
    await_wrong(warren)
    assert warren.status_store.metrics().sum("warren_health") == 0


def sees_its_own(warren):
    """Of the lost tokens of acme; another tenant is not told of them."""
    acme = ask(warren.tenant("acme").api)
    assert "acme" in wrong_of(acme)["limits"]
    other = ask(warren.tenant("globex").api)
    assert other["verdict"] == "degraded" and "acme" not in json.dumps(other)
    remedies = {check["check"]: (check["problem"], check["remedy"]) for check in other["checks"]
                if check["state"] == "wrong"}
    assert "limits" not in remedies and remedies["topology"] == (None, "ask the operator")
    assert all(check["problem"] is None for check in other["checks"])


def test_letters(healthy):
    """A tenant's letters are its own matter."""
    warren = healthy
    id = warren.tenant("acme").api.submit("fail", {"permanent": True})["id"]
    health = await_wrong(warren, "letters")
    assert wrong_of(health)["letters"].startswith("tenant acme: 1 letters")
    assert wrong_of(ask(warren.tenant("acme").api)) == wrong_of(health)
    assert "letters" not in [check["check"] for check in ask(warren.tenant("globex").api)["checks"]]
    assert warren.tenant("acme").api.request("DELETE", f"/jobs/{id}").status_code < 300
    await_wrong(warren)


def test_services_away(healthy):
    """The verdict, and that one that stands still is as good as one that is away."""
    warren = healthy
    warren.status_store.hang()
    try:
        health = await_wrong(warren, "status-store")
        assert health["verdict"] == "down" and "projection" not in words_of(health)
    finally:
        warren.status_store.go_on()
    await_wrong(warren)
    warren.status_store.stop()
    try:
        assert "status-store" in wrong_of(await_wrong(warren, "status-store"))
    finally:
        warren.status_store.start()
    await_wrong(warren)


@contextlib.contextmanager
def shut_out(warren, *logins):
    """These logins may not use the vhost."""
    broker = warren.broker
    paths = {login: f"/api/permissions/{warren.vhost}/{login}" for login in logins}
    given = {login: broker.management("GET", path) for login, path in paths.items()}

    def cut():
        for row in broker.management("GET", f"/api/vhosts/{warren.vhost}/connections"):
            if row.get("user") in logins:
                with contextlib.suppress(Exception):
                    broker.management("DELETE", f"/api/connections/{row['name']}")

    for path in paths.values():
        broker.management("DELETE", path)
    try:
        yield cut
    finally:
        for login, path in paths.items():
            broker.management("PUT", path, given[login])


def test_logins_shut_out(healthy):
    """Each program says that it cannot reach the broker, and comes back by itself."""
    warren = healthy
    wanted = {"gateway", "control", "projection", "provisioning", "archive"}
    with shut_out(warren, "warren-gateway", "warren-status-store", "warren-provision",
                  "warren-dlx-monitor") as cut:
        def there():
            cut()
            health = ask(warren.admin)
            return wanted <= set(wrong_of(health)) and health

        health = until(there, 60, f"{wanted} wrong", every=1)
        states = {check["check"]: check["state"] for check in health["checks"]}
        assert {states[name] for name in ("handlers", "workers", "lost workers")} == {"unknown"}
        assert health["verdict"] == "down" and health["reasons"][0]["check"] == "gateway"
    await_wrong(warren)


def test_the_broker_takes_no_messages(healthy):
    warren = healthy
    (node,) = [check["check"] for check in ask(warren.admin)["checks"] if check["check"].startswith("node ")]
    warren.broker.ctl("set_vm_memory_high_watermark", "absolute", "1MB")
    try:
        health = await_wrong(warren, "publishing", node,
                             but={"projection", "archive", "provisioning", "workers", "lost workers"})
        assert health["verdict"] == "down"
        assert wrong_of(health)[node] == "memory alarm: publishers are blocked"
    finally:
        warren.broker.ctl("set_vm_memory_high_watermark", "0.6")
    await_wrong(warren)


def test_no_worker_is_alive(healthy):
    """The last one: that a worker was lost is told for ten minutes."""
    warren = healthy
    warren.consumer.kill()
    job = warren.api.submit("echo", 1)["id"]
    try:
        health = await_wrong(warren, "workers", "lost workers", "handlers", "consumers")
        assert health["verdict"] == "down"
        assert wrong_of(health)["handlers"].endswith("no live consumer handles their type: echo")
    finally:
        warren.consumer.start()
    assert warren.api.wait(job)["status"] == "completed"
    assert await_wrong(warren, "lost workers")["verdict"] == "degraded"


def test_the_broker_is_not_looked_at(make_warren, tmp_path):
    """Without management_url. What is unknown does not change the verdict."""
    warren = make_warren(settings={"status-store": {"management_url": ""}})
    health = await_wrong(warren)
    (unknown,) = [check for check in health["checks"] if check["state"] != "ok"]
    assert (unknown["check"], unknown["remedy"]) == ("broker", "set management_url of the primary")
    told = doctor(Cli(warren, warren.tenant("acme").key, tmp_path), WARREN_MANAGEMENT_URL=None)
    assert words_of(told, skip={"key"}) == words_of(health) and told["healthy"]
