# SPDX-License-Identifier: Apache-2.0
"""Keys at the primary: names, last use, rotation, revocation, and what gateways are told of them."""
import pytest

from harness.status_rig import StatusStore, now_ms
from harness.until import until
from tenants_rig import create, latest

TENANT = "keyed"


@pytest.fixture(scope="module")
def primary(broker, tmp_path_factory):
    made = StatusStore(broker, tmp_path_factory.mktemp("primary"), tenants=())
    made.primary().start()
    create(made, TENANT)
    yield made
    made.end()


def make(primary, **members):
    answer = primary.request("POST", f"/tenants/{TENANT}/keys", json=members)
    assert answer.status_code == 201, answer.text
    return answer.json()


def rotate(primary, id, status=201, **members):
    answer = primary.request("POST", f"/keys/{id}/rotate", json=members)
    assert answer.status_code == status, answer.text
    return answer.json()


def listed(primary, id, tenant="*"):
    found = [k for k in primary.get("/keys", tenant=tenant)["keys"] if k["id"] == id]
    return found[0] if found else None


def admin_keys(primary):
    return [k for k in primary.get("/keys")["keys"] if k["tenant"] is None and k["state"] == "active"]


def used(primary, *uses):
    answer = primary.request("POST", "/keys/used", json={"used": list(uses)})
    assert answer.status_code == 200, answer.text
    return answer.json()["unusable"]


def is_unusable(primary, key):
    """As the gateways are told, which are told of all that was revoked within a minute."""
    return key["id"] in used(primary, {"id": key["id"], "at": now_ms()})


def test_name(primary):
    key = make(primary, name="of the shop", scopes=["read"])
    assert key["name"] == "of the shop" and key["key"].startswith("wk_")
    shown = listed(primary, key["id"])
    assert {name: shown[name] for name in shown if name != "created_at"} == {
        "id": key["id"], "tenant": TENANT, "name": "of the shop", "scopes": ["read"], "expires": None,
        "revoked": False, "last_used": None, "last_from": None, "rotated_from": None, "state": "active"}
    assert shown in primary.request("GET", f"/tenants/{TENANT}").json()["keys"]
    for name in ("", "a" * 65, "two\nlines", 5):
        answer = primary.request("POST", f"/tenants/{TENANT}/keys", json={"name": name})
        assert answer.status_code == 422 and answer.json()["errors"][0]["pointer"] == "/name"


def test_list_of_a_tenant(primary):
    create(primary, "another")
    assert {k["tenant"] for k in primary.get("/keys", tenant="another")["keys"]} == {"another"}
    assert {k["tenant"] for k in primary.get("/keys")["keys"]} >= {None, TENANT, "another"}
    assert primary.request("GET", "/keys").status_code == 400
    assert primary.request("GET", "/keys?tenant=nosuchtenant").status_code == 404
    assert primary.request("GET", "/keys?tenant=*&more=1").status_code == 400


def test_rotation_two_active(primary):
    old = make(primary, name="shop", scopes=["submit"])
    new = rotate(primary, old["id"], overlap="1h")
    assert (new["name"], new["scopes"], new["tenant"], new["rotated_from"], new["expires"]) == (
        "shop", ["submit"], TENANT, old["id"], None)
    shown = listed(primary, old["id"])
    assert shown["state"] == "active" and shown["expires"] is not None
    record = latest(primary, "apikey", old["id"])
    assert (record["v"], record["revoked"]) == (2, False) and record["expires"] is not None
    assert latest(primary, "apikey", new["id"])["scopes"] == ["submit"]
    assert listed(primary, new["id"])["rotated_from"] == old["id"]


def test_third_is_refused(primary):
    old = make(primary)
    new = rotate(primary, old["id"])
    rotate(primary, new["id"], 409)
    rotate(primary, old["id"], 409)
    assert primary.request("DELETE", f"/keys/{old['id']}").status_code == 204
    assert rotate(primary, new["id"])["rotated_from"] == new["id"]
    rotate(primary, old["id"], 404)
    rotate(primary, "unknown1", 404)
    rotate(primary, new["id"], 422, overlap="soon")


def test_old_ends_after_overlap(primary):
    old = make(primary)
    rotate(primary, old["id"], overlap="300ms")
    assert not is_unusable(primary, old)
    until(lambda: is_unusable(primary, old), 10, "the old key ends")
    assert listed(primary, old["id"])["state"] == "expired"
    at_once = make(primary)
    rotate(primary, at_once["id"], overlap=0)
    assert is_unusable(primary, at_once)


def test_admin_key_rotates_and_the_last_one_stays(primary):
    first, = admin_keys(primary)
    refused = primary.request("DELETE", f"/keys/{first['id']}")
    assert refused.status_code == 409 and "last admin key" in refused.json()["detail"]
    new = rotate(primary, first["id"])
    assert new["tenant"] is None and "admin" in new["scopes"]
    assert latest(primary, "apikey", new["id"])["tenant"] is None
    assert primary.request("DELETE", f"/keys/{new['id']}").status_code == 409  # the first one ends in a day
    assert primary.request("DELETE", f"/keys/{first['id']}").status_code == 204
    assert latest(primary, "apikey", first["id"])["revoked"] is True
    assert primary.request("DELETE", f"/keys/{new['id']}").status_code == 409
    assert [k["id"] for k in admin_keys(primary)] == [new["id"]]


@pytest.mark.parametrize("rotates", [False, True])
def test_a_key_is_told_though_its_record_waits(primary, rotates):
    """The broker fails between the commit and the publish: the answer has the only copy of the secret."""
    old, told = make(primary), primary.program.log().count("record is published later")
    with primary.broker.pika(primary.vhost) as connection:
        channel = connection.channel()
        channel.queue_unbind("control", "control", "")
        try:
            key = rotate(primary, old["id"]) if rotates else make(primary)
        finally:
            channel.queue_bind("control", "control", "")
    assert key["key"].startswith(f"wk_{key['id']}_")
    assert primary.program.log().count("record is published later") == told + 1
    until(lambda: latest(primary, "apikey", key["id"]), 30, "its record")
    until(lambda: primary.program.is_ready(), 30, "it may change keys again")


def test_delete(primary):
    key = make(primary)
    assert primary.request("DELETE", f"/keys/{key['id']}").status_code == 204
    assert latest(primary, "apikey", key["id"])["revoked"] is True
    assert primary.request("DELETE", f"/keys/{key['id']}").status_code == 404
    assert listed(primary, key["id"])["state"] == "revoked"


def test_last_used(primary):
    key = make(primary)
    at = now_ms()
    told = used(primary, {"id": key["id"], "at": at, "from": "10.0.0.7"},
                {"id": "unknown1", "at": at, "from": "10.0.0.7"})
    assert not {key["id"], "unknown1"} & set(told)
    used(primary, {"id": key["id"], "at": at - 5000, "from": "10.0.0.8"})
    shown = listed(primary, key["id"])
    assert shown["last_used"] is not None and shown["last_from"] == "10.0.0.7"
    assert listed(primary, key["id"], TENANT) == shown
    later = now_ms() + 3_600_000  # of a gateway whose clock is ahead
    used(primary, {"id": key["id"], "at": later, "from": "10.0.0.9"})
    assert listed(primary, key["id"])["last_from"] == "10.0.0.9"
    assert listed(primary, key["id"])["last_used"] < "2100"


def test_last_used_survives_restart(primary):
    key = make(primary)
    used(primary, {"id": key["id"], "at": now_ms(), "from": "10.0.0.7"})
    before = listed(primary, key["id"])
    primary.program.restart()
    assert listed(primary, key["id"]) == before
    assert latest(primary, "apikey", key["id"])["v"] == 1


def test_revoked_keys_are_told(primary):
    key, unused = make(primary), make(primary)
    assert not is_unusable(primary, key)
    primary.request("DELETE", f"/tenants/{TENANT}/keys/{key['id']}")
    primary.request("DELETE", f"/keys/{unused['id']}")
    assert is_unusable(primary, key)
    assert {key["id"], unused["id"]} <= set(used(primary))
    for body in ({}, {"used": 5}, {"used": [{"id": "a" * 9, "at": 1}]}, {"used": [{"id": key["id"]}]}):
        assert primary.request("POST", "/keys/used", json=body).status_code == 422


def test_keys_of_a_deleted_tenant_are_told(primary):
    create(primary, "leaving")
    answer = primary.request("POST", "/tenants/leaving/keys", json={})
    assert answer.status_code == 201, answer.text
    assert answer.json()["id"] not in used(primary)
    deleted = primary.request("DELETE", "/tenants/leaving", params={"force": "true"})
    assert deleted.status_code == 204, deleted.text
    assert answer.json()["id"] in used(primary)


def test_a_key_is_asked_about_without_a_use(primary):
    key = make(primary)
    assert key["id"] not in used(primary, {"id": key["id"], "at": 0, "from": ""})
    assert listed(primary, key["id"])["last_used"] is None
