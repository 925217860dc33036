# SPDX-License-Identifier: Apache-2.0
"""Who may listen to the live feed, for how long, to what; and what a client may not send. A gateway alone."""
import json
import struct
import time

import pytest
import requests
import websocket

from gateway_rig import Gateway
from harness.status_rig import Stream, now_ms, uuid7
from harness.until import until
from harness.live import Feed, refused
from websocket_rig import BINARY, CLOSE, PING, PONG, TEXT, WebSocket, frame

UI = "https://ui.example"
MAX = 4
IN_FORCE = 3  # seconds in which a key's end must be noticed, and some for a busy machine


@pytest.fixture(scope="module")
def live(node, services, control, tmp_path_factory):
    program = Gateway(node, tmp_path_factory.mktemp("live"), *services, cors_origins=UI, live_max=MAX).wait_ready()
    for tenant in ("acme", "other"):
        control.tenant(tenant)
    yield program
    assert program.stop() == 0


@pytest.fixture(scope="module")
def stream(node, live):
    made = Stream(node.broker, node.vhost)
    yield made
    made.close()


def new_key(live, control, tenant="acme", scopes=("read",), **settings):
    key = control.key(tenant, list(scopes), **settings)
    until(lambda: requests.get(live.url + "/api/v1/session", headers={"Authorization": f"Bearer {key}"},
                               timeout=10).status_code == 200, what="the key is known")
    return key


@pytest.fixture(scope="module")
def key(live, control):
    return new_key(live, control)


@pytest.fixture(scope="module")
def admin(live, control):
    return new_key(live, control, None, ["admin"])


def opened(live, key, **options):
    """A feed, once there is room for it."""
    return until(lambda: try_open(live, key, options), 20, "room for a feed")


def try_open(live, key, options):
    try:
        return Feed(live.url, key, **options)
    except websocket.WebSocketBadStatusException as refusal:
        assert refusal.status_code == 503
        return None


def test_keys(live, control, key):
    assert refused(live.url) == 401
    assert refused(live.url, "wk_aaaaaaaa_" + "A" * 43) == 401
    assert refused(live.url, new_key(live, control, scopes=["submit"])) == 403
    assert refused(live.url, key, tenant="other") == 403
    assert refused(live.url, key, tenant="*") == 403
    with opened(live, key, tenant="acme") as feed:
        assert feed.hello["tenant"] == "acme"
    answer = requests.get(live.url + "/api/v1/live", headers={"Authorization": f"Bearer {key}"}, timeout=10)
    assert answer.status_code == 426 and answer.headers["Sec-WebSocket-Version"] == "13"


def test_origins(live, key):
    own = live.url
    host = own.removeprefix("http://")
    https = ["X-Forwarded-Proto: https"]
    for origin in ("http://evil.example", "null", f"https://{host}", own + "/", own + ".evil", UI + ":443", "https://UI.example"):
        assert refused(live.url, key, origin=origin) == 403, origin
    assert refused(live.url, key, origin=own, headers=https) == 403
    for origin, headers in ((own, []), (UI, []), (f"https://{host}", https)):
        opened(live, key, origin=origin, headers=headers).close()


def test_sessions(live, control, key):
    login = requests.post(live.url + "/api/v1/session", json={"key": key}, timeout=10)
    cookie = [f"Cookie: warren={login.cookies['warren']}"]
    assert refused(live.url, headers=cookie, origin=UI) == 403
    assert refused(live.url, headers=cookie, origin="http://evil.example") == 403
    with opened(live, None, headers=cookie, origin=live.url) as feed:
        assert feed.hello["tenant"] == "acme"
    short = new_key(live, control, expires=now_ms() + 4000)
    login = requests.post(live.url + "/api/v1/session", json={"key": short}, timeout=10)
    with opened(live, None, headers=[f"Cookie: warren={login.cookies['warren']}"], origin=live.url) as feed:
        assert feed.until_end(4 + IN_FORCE) == 4001


def test_a_key_that_ends(live, control):
    revoked, expiring = new_key(live, control), new_key(live, control, expires=now_ms() + 3000)
    with opened(live, revoked) as first, opened(live, expiring) as second:
        control.publish({"record": "apikey", "key": revoked.split("_")[1], "tenant": "acme", "sha256": "0" * 64,
                         "scopes": ["read"], "expires": None, "revoked": True})
        at = time.monotonic()
        assert first.until_end() == 4001 and time.monotonic() - at < IN_FORCE
        assert second.until_end(3 + IN_FORCE) == 4001
    control.tenant("leaving")
    with opened(live, new_key(live, control, "leaving")) as feed:
        control.publish({"record": "tenant", "key": "leaving", "deleted": True, "rate": None, "burst": 1,
                         "max_running": None, "slots_version": 0, "max_pending": 1, "weight": 1, "paused": False})
        assert feed.until_end(IN_FORCE) == 4001


def test_the_primary_says_that_a_key_is_revoked(live, control, services):
    revoked = new_key(live, control)
    with opened(live, revoked) as feed:
        services[0].answers["POST", "/internal/v1/keys/used"] = (200, {"unusable": [revoked.split("_")[1]]})
        assert feed.until_end(IN_FORCE) == 4001
    del services[0].answers["POST", "/internal/v1/keys/used"]


def test_limits(live, key, admin):
    half = [opened(live, key) for _ in range(MAX // 2)]
    assert refused(live.url, key) == 503
    rest = [opened(live, admin) for _ in range(MAX - MAX // 2)]
    assert refused(live.url, admin) == 503
    answer = WebSocket(int(live.url.rpartition(":")[2]), path=b"/api/v1/live",
                       extra=b"Authorization: Bearer " + admin.encode() + b"\r\n").answer
    assert answer[0] == 503 and answer[1]["retry-after"] == "5" and "live feeds" in json.loads(answer[2])["detail"]
    until(lambda: "warren_live_clients 4\n" in requests.get(live.health + "/metrics", timeout=10).text, what="counted")
    for feed in half + rest:
        feed.close()
    opened(live, key).close()


def test_without_a_feed(node, services, control, tmp_path_factory):
    program = Gateway(node, tmp_path_factory.mktemp("none"), *services, live_max=0).wait_ready()
    assert refused(program.url, new_key(program, control)) == 503
    assert program.stop() == 0


def test_too_few_open_files_are_told_at_the_start(node, services, live, tmp_path_factory):
    program = Gateway(node, tmp_path_factory.mktemp("files"), *services, prefix=["prlimit", "--nofile=2000:2000"],
                      live_max=2000)
    told = {line["limit"]: line["needed"] for line in program.lines() if "more open files" in line["msg"]}
    assert told == {2000: 2000 + 2 * 128 + 64}
    assert "more open files" not in live.text()
    assert program.wait_ready().stop() == 0


def test_only_ones_own_tenant(live, stream, key, admin):
    with opened(live, key) as own, opened(live, admin) as everything, opened(live, admin, tenant="other") as other:
        theirs, ours = uuid7(), uuid7()
        stream.job(theirs, tenant="other")
        stream.job(ours)
        for id, tenant in ((theirs, "other"), (ours, "acme")):
            assert everything.event(id=id)["tenant"] == tenant
        assert own.event(id=ours) and other.event(id=theirs)
        own.filter(tenant="*", jobs=[theirs, ours])
        stream.job(theirs, tenant="other")
        stream.started(ours)
        own.event(id=ours, kind="job_started")
        assert "other" not in json.dumps(own.seen) and "acme" not in json.dumps(other.seen)
        assert other.filter(tenant="acme")["tenant"] == "acme"
        stream.completed(ours)
        other.event(id=ours, kind="job_completed")


def test_masks(live, control, stream, key):
    """An error that quotes a payload is for those alone who may read it; any other text is cut at 1 KiB."""
    with opened(live, key) as masked, opened(live, new_key(live, control, scopes=["read", "operate"])) as whole:
        id, other = uuid7(), uuid7()
        stream.buried(id, reason="malformed", error='the body is not one JSON value: near "s3cret"')
        stream.buried(other, error="é" * 1000)
        seen = masked.event(id=id)
        assert seen["error"] is None and seen["masked"] == 1 and seen["reason"] == "malformed"
        assert "s3cret" in whole.event(id=id)["error"]
        for feed in (masked, whole):
            assert feed.event(id=other)["error"] == "é" * 512
        assert "s3cret" not in json.dumps(masked.seen)


def raw(live, key):
    made = until(lambda: raw_open(live, key), 20, "room")
    opcode, hello = made.hear()
    assert opcode == TEXT and b"hello" in hello
    return made


def raw_open(live, key):
    made = WebSocket(int(live.url.rpartition(":")[2]), path=b"/api/v1/live",
                     extra=b"Authorization: Bearer " + key.encode() + b"\r\n")
    if made.answer[0] == 101:
        return made
    made.close()
    return None


@pytest.mark.parametrize("sent, code", [
    (frame(TEXT, b"{}", masked=False), 1002), (frame(TEXT, b"{}", reserved=4), 1002), (frame(3, b"a"), 1002),
    (frame(0, b"a"), 1002), (frame(TEXT, b"a", final=False) + frame(TEXT, b"b"), 1002),
    (frame(PING, b"a", final=False), 1002), (frame(PING, b"a" * 126), 1002), (frame(CLOSE, b"a"), 1002),
    (frame(CLOSE, struct.pack(">H", 1005)), 1002), (frame(BINARY, b"{}"), 1003), (frame(TEXT, b"\xff"), 1007),
    (frame(TEXT, b"\xe2\x82", final=False) + frame(0, b"\xff"), 1007), (frame(CLOSE, b"\x03\xe8\xff"), 1007),
    (frame(TEXT, b"a" * 65537), 1009), (frame(TEXT, b"a" * 65536, final=False) + frame(0, b"a"), 1009),
    (b"\x81\xff" + struct.pack(">Q", 2**63 - 1) + b"mask", 1009), (frame(CLOSE, struct.pack(">H", 1000)), 1000),
    (frame(TEXT, b'{"ping":1}') * 21, 4029)], ids=range(18))
def test_what_a_client_may_not_send(live, key, sent, code):
    made = raw(live, key).send(sent)
    heard = made.hear()
    while heard[0] == TEXT:  # pongs, offsets
        heard = made.hear()
    assert heard[0] == CLOSE and struct.unpack(">H", heard[1][:2])[0] == code
    made.close()


def test_fragments_and_pings(live, key):
    made = raw(live, key)
    made.send(frame(TEXT, b'{"pi', final=False) + frame(PING, b"?") + frame(0, b'ng":', final=False) + frame(0, b"7}"))
    heard = [made.hear() for _ in range(2)]
    assert (PONG, b"?") in heard and (TEXT, b'{"pong":7}') in heard
    for _ in range(5):  # 64 KiB each
        made.send(frame(TEXT, json.dumps({"ping": "x" * 65000}).encode()))
        while b"pong" not in made.hear()[1]:
            pass
    made.close()


def test_a_flood_costs_no_memory(live, key):
    """64 KiB messages at full speed, of clients that read nothing."""
    def resident():
        with open(f"/proc/{live.process.pid}/status", encoding="utf-8") as status:
            return next(int(line.split()[1]) for line in status if line.startswith("VmRSS:"))

    raw(live, key).close()
    before = resident()
    for _ in range(5):
        made = raw(live, key)
        for _ in range(100):
            made.send(frame(TEXT, json.dumps({"ping": "x" * 65000}).encode(), mask=bytes(4)))
        made.close()
    assert resident() - before < 64 * 1024  # KB


def test_a_stop_says_so(node, services, control, tmp_path_factory):
    program = Gateway(node, tmp_path_factory.mktemp("stop"), *services).wait_ready()
    feed = Feed(program.url, new_key(program, control))
    assert program.stop() == 0
    assert feed.until_end() == 1001
