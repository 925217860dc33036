# SPDX-License-Identifier: Apache-2.0
"""Claims of idempotency keys at the primary: what a gateway asks, what stays, what the projection settles."""
import concurrent.futures
import contextlib
import sqlite3

import pytest
import requests

from harness.publish import publish
from harness.status_rig import StatusStore, now_ms, uuid7
from harness.until import until
from tenants_rig import create

HASH = "00112233445566778899aabbccddeeff"


@pytest.fixture(scope="module")
def primary(broker, tmp_path_factory):
    made = StatusStore(broker, tmp_path_factory.mktemp("primary"), claims_lease="6s").primary()
    made.start()
    create(made, "acme")
    yield made
    made.end()


def ask(key, holder=None, **more):
    return {"tenant": "acme", "key": key, "hash": HASH, "holder": holder or uuid7(), **more}


def end(key, holder, how):
    return {"tenant": "acme", "key": key, "holder": holder, "how": how}


def call(made, *claims, ended=(), program=None):
    answer = made.request("POST", "/claims", program, json={"claims": claims, "ended": ended})
    assert answer.status_code == 200, answer.text
    body = answer.json()
    assert len(body["claims"]) == len(claims)
    return body["claims"]


def claim(made, key, holder=None, **more):
    return call(made, ask(key, holder, **more))[0]


def granted(made, key, holder):
    """The answer, or None."""
    answer = claim(made, key, holder)
    return answer if answer["state"] == "granted" else None


def test_a_claim_is_granted_settled_and_replayed(primary):
    holder, at = uuid7(), now_ms()
    terms = {"submitted_at": at, "run_at": at + 60_000, "expires_at": at + 90_000, "scheduled": True}
    kept = {"id": holder, **terms, "taken": 0}
    assert claim(primary, "a", holder, **terms) == {"state": "granted", **kept}
    assert claim(primary, "a") == {"state": "in_flight", "retry_ms": 1000}
    assert claim(primary, "a", look=True)["state"] == "in_flight"
    assert claim(primary, "a", hash=HASH[::-1]) == {"state": "reused", "id": holder}
    call(primary, ended=[end("a", holder, "settled")])
    assert claim(primary, "a") == {"state": "settled", **kept}
    assert claim(primary, "a", hash=HASH[::-1]) == {"state": "reused", "id": holder}
    answer = primary.request("POST", "/claims", json={})
    assert answer.json() == {"claims": [], "lease_ms": 6000}


def test_ends_come_before_claims(primary):
    first, second = uuid7(), uuid7()
    claim(primary, "b", first)
    released = call(primary, ask("b", second), ended=[end("b", first, "released")])
    assert released[0]["state"] == "granted" and released[0]["id"] == second
    abandoned = call(primary, ask("b", known=True), ended=[end("b", second, "abandoned")])
    assert (abandoned[0]["id"], abandoned[0]["taken"]) == (second, 1)


def test_a_lease_that_is_over_passes_on(primary):
    holder = uuid7()
    claim(primary, "c", holder)
    seen = []
    until(lambda: seen.append(claim(primary, "c")) or seen[-1]["state"] == "granted", 20, "it is over")
    assert (seen[-1]["id"], seen[-1]["taken"]) == (holder, 1)
    assert all(0 < answer["retry_ms"] <= 4000 for answer in seen[:-1])


def test_one_of_many_gets_it(primary):
    """Calls at once, each with the key several times."""
    with concurrent.futures.ThreadPoolExecutor(20) as pool:
        calls = [pool.submit(call, primary, *(ask("d") for _ in range(10))) for _ in range(20)]
    states = [answer["state"] for done in calls for answer in done.result()]
    assert states.count("granted") == 1 and states.count("in_flight") == 199


def test_tenants_have_keys_of_their_own(primary):
    create(primary, "other")
    assert claim(primary, "e")["state"] == "granted"
    assert claim(primary, "e", tenant="other")["state"] == "granted"
    assert claim(primary, "e", tenant="nobody") == {"state": "no_tenant"}
    assert claim(primary, "new", look=True) == {"state": "none"}
    assert claim(primary, "new", known=True) == {"state": "none"}


@pytest.mark.parametrize("wrong", [
    ask("k", hash="00"),
    ask("k", hash=HASH[:-1] + "g"),
    ask("k", holder="1"),
    ask("k", run_at=-1),
    ask("k", expires_at=-1),
    ask("k", look=1),
    ask(""),
    ask("é"),
    ask("a\u0000b"),
    ask("k" * 256),
    ask("k", tenant="A"),
    {},
    7,
])
def test_one_that_cannot_be_read_does_no_harm_to_others(primary, wrong):
    """Neither to claims beside it nor to ends."""
    settled, holder = uuid7(), uuid7()
    claim(primary, settled, holder)
    answers = call(primary, ask(uuid7()), wrong, ask(uuid7()),
                   ended=[end("k", holder, "lost"), 7, end(settled, holder, "settled")])
    assert [answer["state"] for answer in answers] == ["granted", "invalid", "granted"]
    assert claim(primary, settled)["state"] == "settled"


@pytest.mark.parametrize("wrong, status, pointer", [
    ([], 400, None),
    ({"claims": 7}, 422, "/claims"),
    ({"claims": [ask("k")] * 257}, 422, "/claims"),
    ({"ended": [end("k", uuid7(), "settled")] * 1025}, 422, "/ended"),
])
def test_what_is_refused(primary, wrong, status, pointer):
    answer = primary.request("POST", "/claims", json=wrong)
    assert answer.status_code == status, answer.text
    if pointer is not None:
        assert answer.json()["errors"][0]["pointer"] == pointer


def test_the_largest_call(primary):
    keys = [f"{number:03d}" + '"' * 252 for number in range(256)]
    answers = call(primary, *(ask(key, later="ignored") for key in keys),
                   ended=[end(f"{number:04d}" + "k" * 251, uuid7(), "settled") for number in range(1024)])
    assert {answer["state"] for answer in answers} == {"granted"}


def test_a_replica_has_no_claims(primary):
    replica = primary.add("replica")
    replica.start()
    answer = primary.request("POST", "/claims", replica, json={"claims": [ask("r")]})
    assert answer.status_code == 503 and answer.headers["Retry-After"] == "1"
    assert primary.request("POST", "/claims", token="wrong", json={}).status_code == 401


def test_a_registry_that_cannot_be_written(primary):
    """As on a full disk: nobody is told anything that is not stored."""
    path = primary.folder / "registry.db"
    with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        answer = primary.request("POST", "/claims", json={"claims": [ask("f")]})
        assert answer.status_code == 503, answer.text
        other.execute("ROLLBACK")
    ready = primary.program.health_url("/readyz")
    answer = requests.get(ready)
    assert answer.status_code == 503 and "the registry cannot be written" in answer.text
    assert claim(primary, "f")["state"] == "granted"
    assert requests.get(ready).status_code == 200


def test_a_key_is_kept_at_least_as_long_as_its_lease(broker, tmp_path):
    made = StatusStore(broker, tmp_path, claims_keep="1s", claims_lease="2s").primary()
    try:
        made.program.start(ready=False)
        assert made.program.process.wait(30) == 1
        assert "claims_keep is shorter than claims_lease" in made.program.log()
        made.program.ended_by_test = True
    finally:
        made.end()


def test_a_disk_that_stalls_does_not_hold_all_threads(broker, tmp_path):
    made = StatusStore(broker, tmp_path, threads=8).primary().start()
    try:
        create(made, "acme")
        with contextlib.closing(sqlite3.connect(tmp_path / "registry.db", isolation_level=None)) as other, \
                concurrent.futures.ThreadPoolExecutor(6) as pool:
            other.execute("BEGIN IMMEDIATE")
            calls = [pool.submit(made.request, "POST", "/claims", json={"claims": [ask(str(n))]})
                     for n in range(6)]
            refused, _ = concurrent.futures.wait(calls, 5, concurrent.futures.FIRST_COMPLETED)
            read = made.job(uuid7())
            other.execute("ROLLBACK")
        assert refused and read is None
        assert {call.result().status_code for call in refused} == {503}
        assert {call.result().status_code for call in calls} == {200, 503}
    finally:
        made.end()


def test_the_projection_settles(primary):
    """The gateway has ended before it could. A job that is not the claim's settles nothing, nor does one from
    outside, whose key is not read."""
    login = create(primary, "outside", amqp_login=True)["amqp"]
    first, forged, last = uuid7(), uuid7(), uuid7()
    claim(primary, "g", first)
    claim(primary, "h")
    claim(primary, "i", forged, tenant="outside")
    claim(primary, "j", last)
    primary.stream.job(first, x_key="g", x_key_hash=HASH)
    primary.stream.job(uuid7(), x_key="h", x_key_hash=HASH)
    with primary.broker.pika(primary.vhost, login["login"], login["password"]) as connection:
        publish(connection.channel(), "outside", "noop", {}, message_id=forged,
                headers={"x-key": "i", "x-key-hash": HASH})
    primary.until_status(forged, "pending")
    primary.stream.job(last, x_key="j", x_key_hash=HASH)
    until(lambda: claim(primary, "j")["state"] == "settled", 20, "the last is settled, after all others")
    assert claim(primary, "g")["state"] == "settled" and claim(primary, "g")["id"] == first
    assert claim(primary, "h")["state"] in ("in_flight", "granted")
    assert claim(primary, "i", tenant="outside")["state"] in ("in_flight", "granted")


def test_claims_outlive_the_primary_and_the_projection(broker, tmp_path):
    """A status.db that is built anew settles what was published, and writes nothing for what is settled."""
    made = StatusStore(broker, tmp_path, claims_lease="10m").primary().start()
    try:
        create(made, "acme")
        ids = {key: uuid7() for key in ("told", "settled", "held")}
        call(made, *(ask(key, id) for key, id in ids.items()), ended=[])
        call(made, ended=[end("settled", ids["settled"], "settled")])
        made.program.stop()
        made.stream.job(ids["told"], x_key="told", x_key_hash=HASH)
        made.stream.job(ids["settled"], x_key="settled", x_key_hash=HASH)
        (tmp_path / "status-store.db").unlink()
        made.start()
        until(lambda: claim(made, "told")["state"] == "settled", 20, "it is settled")
        assert claim(made, "told")["id"] == ids["told"]
        assert claim(made, "settled")["id"] == ids["settled"]
        assert claim(made, "held")["state"] == "in_flight"
        made.program.kill()
        made.start()
        assert claim(made, "settled")["state"] == "settled"
        assert made.program.metrics()["warren_claims"] == 3
        assert made.program.metrics()["warren_claims_unsettled_dropped_total"] == 0
    finally:
        made.end()


def test_old_claims_go_and_a_full_table_refuses(broker, tmp_path):
    made = StatusStore(broker, tmp_path, claims_keep="10s", claims_lease="1s", claims_max=4,
                       claims_tenant_max=3).primary().start()
    try:
        create(made, "acme")
        create(made, "other")
        holder = uuid7()
        states = [answer["state"] for answer in call(made, *(ask(str(n), holder) for n in range(4)))]
        assert states == ["granted", "granted", "granted", "full"]
        assert claim(made, "0", tenant="other")["state"] == "granted"
        assert claim(made, "1", tenant="other") == {"state": "full", "retry_ms": 60000}
        # One that is too old counts as none, before it is deleted.
        call(made, ended=[end("0", holder, "settled")])
        fresh, answer = uuid7(), claim(made, "0")
        assert (answer["state"], answer["id"]) == ("settled", holder)
        answer = until(lambda: granted(made, "0", fresh), 30, "it is forgotten")
        assert (answer["id"], answer["taken"]) == (fresh, 0)
        made.program.restart()
        until(lambda: made.program.metrics()["warren_claims"] <= 1, 20, "old claims are deleted")
        assert claim(made, "1", tenant="other")["state"] == "granted"
    finally:
        made.end()
