# SPDX-License-Identifier: Apache-2.0
"""`warren tail` against a feed of ours: what it prints, what it asks for, and what it says it missed."""
import json
import os
import select
import signal
import time
import urllib.parse

import pytest

from cli_rig import EXIT, Cli
from feed_rig import ID, Feed, Tail, event, greeted
from harness.until import until
from websocket_rig import PING, PONG, TEXT, frame


@pytest.fixture()
def run():
    """run(scripts, words) → (feed, tail); both end with the test."""
    made = []

    def start(*scripts, words=(), **options):
        feed = Feed(*scripts)
        tail = Tail(feed.url + options.pop("path", ""), *words, **options)
        made.append((feed, tail))
        return feed, tail

    yield start
    for feed, tail in made:
        tail.kill()
        feed.close()
        assert not feed.failures


def asked(feed, number=0):
    """The parameters of a connection's request."""
    query = urllib.parse.urlsplit(feed.peers[number].path).query
    return dict(urllib.parse.parse_qsl(query))


EVENTS = [
    (event("submitted", "pending", attempt=1), "submitted  mail  " + ID),
    (event("submitted", "scheduled", run_at="2026-01-01T02:00:00.000Z"), "  starts 2026-01-01T02:00:00.000Z"),
    (event("started", "running", attempt=2, worker="host-a/7"), f"started    mail  {ID}  try 2  host-a/7"),
    (event("progress", "running", progress=0.256, message="a\tb"), f"progress   mail  {ID}  26 %  a b"),
    (event("failed", "failed", error="a\n\x1b[31mb", run_at="2026-01-01T00:01:00.000Z"),
     "next try 2026-01-01T00:01:00.000Z  a \ufffd[31mb"),
    (event("dlq", "dead", reason="exhausted", error="boom"), f"dlq        mail  {ID}  exhausted  boom"),
    (event("retry", "pending", run=2, attempt=1, by="key k1"), f"retry      mail  {ID}  run 2  try 1  by key k1"),
    (event("completed", "completed", ms=3900), f"completed  mail  {ID}  in 3.9s"),
    (event("cancelled", "cancelled", type=None, reason="expired"), f"cancelled  -     {ID}  expired"),
    (event("forgotten", None), f"forgotten  mail  {ID}"),
    (event("renamed", "odd", type="a_longer_type"), f"renamed    a_longer_type  {ID}"),
]


def test_a_line_for_each_event(run):
    feed, tail = run(greeted(lambda peer: (peer.events(5, *[row[0] for row in EVENTS]), peer.wait_end())))
    for told, want in EVENTS:
        assert tail.line(want).startswith("2026-01-01T00:00:30.123Z  " + told["kind"].removeprefix("job_"))
    assert tail.interrupt() == 0 and len(tail.lines) == len(EVENTS) and tail.notes == ["following jobs of acme"]
    peer = feed.peers[0]
    assert peer.path == "/api/v1/live?mode=events"
    assert peer.headers["authorization"] == "Bearer key-1"
    assert peer.headers["host"] == f"127.0.0.1:{feed.port}"
    assert peer.headers["user-agent"].startswith("warren/")


def test_it_asks_for_what_is_wanted(run):
    feed, tail = run(
        greeted(lambda peer: (peer.events(8, event("dlq", "dead")), peer.wait_end()), tenant="*"),
        words=("--kind", "failed,dlq", "--status=dead", "--type", "mail,export", "--job", ID, "--tenant", "*",
               "--since-offset", "41"), path="/under/", WARREN_ADMIN_KEY="admin-1")
    assert tail.line("dlq").startswith("2026-01-01T00:00:30.123Z  dlq        acme  mail  " + ID)
    assert urllib.parse.urlsplit(feed.peers[0].path).path == "/under/api/v1/live"
    assert asked(feed) == {"kinds": "job_failed,job_dlq", "status": "dead", "types": "mail,export", "job": ID,
                           "tenant": "*", "mode": "events", "offset": "41"}
    assert feed.peers[0].headers["authorization"] == "Bearer admin-1"
    tail.note("may have missed events: the connection was lost")  # the feed did not say that it resumed
    assert tail.interrupt() == 0 and tail.notes[0] == "following jobs of all tenants"


@pytest.mark.parametrize("words,told", [
    (("--kind", "job_dlq"), "--kind must be of these"), (("--since-offset", "-1"), "--since-offset"),
    (("--counts", "--since-offset", "1"), "--counts takes no --since-offset"),
    (("--counts", "--kind", "dlq"), "--counts takes no --kind"),
    (("--counts", "--status", "dead"), "--counts takes no --status"),
    (("--counts", "--type", "mail"), "--counts takes no --type"),
    (("--counts", "--job", ID), "--counts takes no --job"), (("x",), "usage: warren tail")])
def test_usage(words, told):
    tail = Tail("http://127.0.0.1:9", *words)
    assert tail.end() == EXIT["usage"] and told in tail.told


def test_json_lines_tell_where_to_go_on(run):
    one, two, three = (event("started", "running", attempt=n) for n in (1, 2, 3))

    def script(peer):
        peer.events(11, one, two)
        peer.events(12)
        peer.events(14, three)
        peer.raw(frame(TEXT, b'{"offset": 15, "events": [ {"kind":\r\n"job_dlq"}, {} ]}', masked=False))
        peer.say({"dropped": 3})
        peer.say({"gap": {"from": 15, "to": 90, "why": "behind"}})
        peer.say({"later": "version"})
        peer.say({"filter": {}})
        peer.wait_end()

    _, tail = run(greeted(script, offset=9), words=("--json",))
    tail.line("gap")
    assert [json.loads(line) for line in tail.lines] == [
        {"offset": 9, **one}, {"offset": 11, **two}, {"offset": 14, **three},
        {"offset": 14, "kind": "job_dlq"}, {"offset": 15}, {"dropped": 3},
        {"gap": {"from": 15, "to": 90, "why": "behind"}}]
    assert tail.interrupt() == 0 and tail.notes == ['{"note":"following jobs of acme"}']


def test_it_goes_on_where_it_was(run):
    feed, tail = run(
        greeted(lambda peer: peer.events(7, event("started", "running"), mark=2**53 - 1)),
        greeted(lambda peer: (peer.events(8, event("dlq", "dead")), peer.shut(1001)), offset=7, resumed=True, mark=3),
        greeted(lambda peer: (peer.say({"gap": {"from": 8, "to": 20, "why": "restarted"}}),
                              peer.events(22, event("failed", "failed", error=None, masked=1)),
                              peer.say({"gap": {"from": 22, "to": None, "why": "broker"}}), peer.shut(4008)), offset=20),
        greeted(lambda peer: (peer.say({"gap": {"from": 22, "to": None, "why": "rewound"}}), peer.shut(1000, b"bye")),
                offset=None),
        greeted(lambda peer: (peer.say({"dropped": 12}), peer.wait_end()), offset=0))
    tail.note("12 events were left out")
    assert tail.interrupt() == 0
    assert [asked(feed, n).get("offset") for n in range(5)] == [None, "7", "8", "22", "22"]
    assert [asked(feed, n).get("mark") for n in range(3)] == [None, str(2**53 - 1), None]
    assert tail.notes == [
        "following jobs of acme",
        "connection lost: the connection ended; connecting again",
        "reconnected; nothing was missed",
        "connection lost: the gateway stops; connecting again",
        "reconnected; may have missed events (offsets 8 to 20): the gateway was restarted",
        "no events for now: the gateway cannot read the event stream",
        "connection lost: events were not taken fast enough; connecting again",
        "reconnected; may have missed events: the event stream was replaced or has lost its end",
        "connection lost: the gateway closed the feed with 1000: bye; connecting again",
        "reconnected; may have missed events: the connection was lost",
        "12 events were left out: they were not taken fast enough"]
    assert [line.split()[1] for line in tail.lines] == ["started", "dlq", "failed"]
    assert tail.lines[2].endswith("  (error masked)")


def test_what_is_missed_is_counted_only_where_all_is_followed(run):
    def script(peer):
        peer.say({"gap": {"from": 500, "to": 900, "why": "behind"}})
        peer.wait_end()

    some = "may have missed events (offsets 500 to 900): the gateway did not keep up"
    for tenant, words, told in (("*", ("--tenant", "*"), "missed about 400 events: the gateway did not keep up"),
                                ("*", ("--type", "mail"), some), ("acme", (), some)):
        _, tail = run(greeted(script, tenant=tenant), words=words, WARREN_ADMIN_KEY="admin-1")
        assert tail.note("missed") == told
        assert tail.interrupt() == 0


def test_a_gap_is_told_however_the_connection_ends(run):
    """The feed goes on elsewhere than it was asked to, and ends before it says so."""
    breaks = frame(TEXT, b"<html>", masked=False)
    feed, tail = run(greeted(lambda peer: peer.events(500)), greeted(lambda peer: peer.raw(breaks), offset=900),
                     greeted(lambda peer: peer.shut(1001), offset=900, resumed=True),
                     greeted(lambda peer: peer.shut(4001), offset=2000))
    assert tail.end() == EXIT["not allowed"]
    assert [asked(feed, n).get("offset") for n in range(4)] == [None, "500", "900", "900"]
    lost = "reconnected; may have missed events: the connection was lost"
    assert tail.notes[2] == lost and tail.notes[3].startswith("connection lost: a message is not JSON")
    assert tail.notes[4:] == ["reconnected; nothing was missed", "connection lost: the gateway stops; connecting again",
                              lost, "warren: the feed ended: its key is no longer valid"]
    feed, tail = run(greeted(lambda peer: peer.events(500)), greeted(lambda peer: peer.shut(4001), offset=900),
                     words=("--json",))
    assert tail.end() == EXIT["not allowed"]
    assert [json.loads(line) for line in tail.lines] == [{"gap": {"from": 500, "to": None, "why": "reconnected"}}]


def test_json_tells_of_lost_connections(run):
    feed, tail = run(greeted(lambda peer: None, offset=3), greeted(offset=3, resumed=True), words=("--json",))
    tail.note("nothing was missed")
    assert [json.loads(note) for note in tail.notes[1:]] == [
        {"note": "connection lost: the connection ended; connecting again"},
        {"note": "reconnected; nothing was missed"}]
    assert tail.interrupt() == 0 and not tail.lines
    feed, tail = run(greeted(lambda peer: None, offset=3), greeted(offset=90), words=("--json",))
    assert json.loads(tail.line("gap")) == {"gap": {"from": 3, "to": None, "why": "reconnected"}}  # nobody says so
    assert tail.interrupt() == 0 and asked(feed, 1)["offset"] == "3"


def test_fragments_and_pings(run):
    whole = json.dumps({"offset": 4, "events": [event("dlq", "dead", error="grün")]}, ensure_ascii=False).encode()
    cut = whole.index(b"\xc3") + 1  # amid a character

    def script(peer):
        peer.raw(frame(TEXT, whole[:cut], masked=False, final=False))
        peer.raw(frame(PING, b"still there?", masked=False))
        assert peer.hear() == (PONG, b"still there?")
        for byte in whole[cut:-1]:
            peer.raw(frame(0, bytes([byte]), masked=False, final=False))
        peer.raw(frame(0, whole[-1:], masked=False))
        peer.raw(frame(PONG, b"unasked", masked=False))
        peer.wait_end()

    _, tail = run(greeted(script))
    assert tail.line("dlq").endswith("  grün")
    assert tail.interrupt() == 0


def test_the_first_messages_may_come_with_the_answer(run):
    hello = {"hello": {"offset": 1, "tenant": "acme", "mode": "events", "resumed": False}}
    both = b"".join(frame(TEXT, json.dumps(message).encode(), masked=False)
                    for message in (hello, {"offset": 2, "events": [event("dlq", "dead")]}))

    def script(peer):
        peer.request()
        peer.raw(b"HTTP/1.1 103 Early Hints\r\nLink: </style.css>\r\n\r\n")
        peer.switch(then=both)
        assert peer.hear_close() == 1000  # of Ctrl-C

    _, tail = run(script)
    tail.line("dlq")
    assert tail.interrupt() == 0


def refusal(status, *then, **headers):
    def script(peer):
        peer.request()
        peer.refuse(status, *then, **headers)
    return script


@pytest.mark.parametrize("status,code,told", [
    (401, "not allowed", "no: 401"), (403, "not allowed", "no: 403"), (404, "not found", "no: 404"),
    (400, "refused", "no: 400"), (426, "refused", "a proxy before the gateway must pass WebSockets on"),
    (429, "limited", "try again in 4 s"), (503, "unreachable", "try again in 4 s")])
def test_refusals(run, status, code, told):
    _, tail = run(refusal(status, Retry_After=4) if status in (429, 503) else refusal(status))
    assert tail.end() == EXIT[code] and told in tail.told and f"no: {status}" in tail.told


def test_refusals_after_the_feed_began(run):
    begun = time.monotonic()
    feed, tail = run(greeted(lambda peer: None, offset=5), refusal(503, Retry_After=2), refusal(502),
                     greeted(lambda peer: None, offset=5, resumed=True), refusal(401))
    assert tail.end() == EXIT["not allowed"] and "no: 401" in tail.told
    assert time.monotonic() - begun > 4  # at least 0.5 s, 2 s, 2 s
    lost = "connection lost: the connection ended; connecting again"
    assert tail.notes[1:5] == [lost, "still not connected: the gateway answers 503",  # another number is nothing new
                               "reconnected; nothing was missed", lost]
    assert len(feed.peers) == 5


def test_a_key_that_ends(run):
    _, tail = run(greeted(lambda peer: peer.shut(4001)))
    assert tail.end() == EXIT["not allowed"] and "its key is no longer valid" in tail.told


def test_it_waits_for_a_gateway_that_is_away(run):
    tail = Tail("http://127.0.0.1:9")
    assert tail.end() == EXIT["unreachable"] and "warren doctor" in tail.told
    feed, tail = run(greeted(lambda peer: feed.refuse(), offset=6))
    tail.note("still not connected: ")  # refused
    again = Feed(greeted(offset=6, resumed=True), port=feed.port)
    tail.note("nothing was missed")
    assert tail.interrupt() == 0 and len(tail.notes) == 4
    again.close()


def test_the_end_of_the_output(run):
    """Its reader's end is seen while nothing is printed; Ctrl-C also while the reader takes nothing."""
    def flood(count, size=500):
        def then(peer):
            try:
                while True:
                    peer.events(1, *[event("dlq", "dead", error="x" * size)] * count)
            except OSError:
                pass
        return greeted(then)

    # The last one's line is larger than a pipe: a part of it is written.
    for script, ends in ((greeted(), False), (flood(1), True), (flood(100), True), (flood(1, 200000), True)):
        reader, writer = os.pipe()
        _, tail = run(script, stdout=writer)
        tail.note("following jobs of acme")
        if ends:
            until(lambda: is_full(writer), what="it waits for its reader")  # noqa: B023
            assert tail.interrupt() == 0
        os.close(writer)
        os.close(reader)
        assert tail.end(5) == 0 and len(tail.notes) == 1


def is_full(pipe):
    return not select.select([], [pipe], [], 0)[1]


def on_terminal(feed, *words, size, enough, **variables):
    cli = Cli.__new__(Cli)
    cli.env = {"PATH": os.environ["PATH"], "HOME": "/nonexistent", "WARREN_URL": feed.url, "TERM": "xterm"}
    return cli.on_terminal("tail", *words, size=size, enough=enough, **variables)


def test_on_a_terminal():
    soon = time.strftime("%Y-%m-%dT%H:%M:%S.000Z", time.gmtime(time.time() + 3600))
    feed = Feed(greeted(lambda peer: (
        peer.events(1, event("failed", "failed", run_at=soon, error="\x1b]0;owned\x07 " + "x" * 500),
                    event("completed", "completed", ms=12)), peer.wait_end())))
    code, shown = on_terminal(feed, size=(20, 100), enough=lambda text: "12ms" in text)
    assert code == 0 and shown.startswith("00:00:30.123Z  \x1b[33mfailed\x1b[0m     mail  " + ID + "  next try in ")
    first, second = shown.replace("\x1b[33m", "").replace("\x1b[0m", "").splitlines()
    assert len(first) == 200 and first.endswith("xx\u2026") and "\x1b" not in first and "in 12ms" in second
    code, shown = on_terminal(feed, size=(20, 100), enough=lambda text: "12ms" in text, NO_COLOR="1")
    assert code == 0 and "\x1b" not in shown
    feed.close()
    assert not feed.failures


COUNTS = {"scheduled": 0, "pending": 4, "running": 1, "failed": 0, "completed": 90, "dead": 2, "cancelled": 0}


def count(at, **changed):
    return {"counts": {"as_of": at, "statuses": {**COUNTS, **changed},
                       "tenants": {"acme": COUNTS, "beta\x1b[31m": {"pending": 1}}}}


def test_counts(run):
    def script(peer):
        peer.say(count("one"))
        peer.say(count("two"))  # nothing changed
        peer.say({"counts": None, "stale": True, "detail": "the status-store does not answer"})
        peer.say({"counts": None, "stale": True})
        peer.say(count("three", pending=5))
        peer.wait_end()

    feed, tail = run(greeted(lambda peer: None, mode="counts"), greeted(script, mode="counts"),
                     words=("--counts", "--tenant", "acme"))
    tail.line("three")
    assert tail.lines == ["one  scheduled 0  pending 4  running 1  failed 0  completed 90  dead 2  cancelled 0",
                          "three  scheduled 0  pending 5  running 1  failed 0  completed 90  dead 2  cancelled 0"]
    assert tail.notes[2:] == ["reconnected", "no counts now: the status-store does not answer"]
    assert asked(feed, 1) == {"tenant": "acme", "mode": "counts"}
    assert tail.interrupt() == 0
    _, tail = run(greeted(script, mode="counts"), words=("--counts", "--json"))
    tail.line("three")
    assert [json.loads(line) for line in tail.lines][:2] == [count("one"), count("two")]
    assert len(tail.lines) == 5
    tail.process.send_signal(signal.SIGTERM)
    assert tail.end(5) == 0
    feed.peers.clear()
    code, shown = on_terminal(feed, "--counts", size=(7, 120), enough=lambda text: "three" in text)
    picture = shown.split("\x1b[H\x1b[2J")[1].splitlines()
    assert code == 0 and picture[0] == "jobs by status at one; Ctrl-C to end"
    assert picture[3].startswith("all ") and picture[4].startswith("acme ") and picture[5].startswith("beta\\u001b[31m")
