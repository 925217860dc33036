# SPDX-License-Identifier: Apache-2.0
"""`warren tail` against servers that break the protocol, send too much, stop amid it, or say nothing. They are served at
the same time, so that waits overlap."""
import json
import signal
import ssl
import subprocess
import threading
import time

import pytest

from cli_rig import EXIT
from feed_rig import Feed, Tail, event, greeted
from harness.broker import BIN
from harness.until import until
from websocket_rig import BINARY, CLOSE, PING, PONG, TEXT, frame

HELLO = json.dumps({"hello": {"offset": 1, "tenant": "acme", "mode": "events", "resumed": False}}).encode()
MANY = 4 << 20  # bytes of a message that are taken


def answers(data):
    """A script: the request is answered with these bytes, then nothing."""
    def script(peer):
        peer.request()
        try:
            peer.raw(data)
            peer.wait_end()
        except OSError:  # it has ended, with bytes unread
            pass
    return script


def switched(*data, code=None):
    """A script: the handshake is right, then these bytes follow; the client closes with `code`."""
    def script(peer):
        peer.request()
        peer.switch()
        for piece in data:
            peer.raw(piece)
        if code:
            assert peer.hear_close() == code
        else:
            peer.wait_end()
    return script


def odd_handshake(**how):
    def script(peer):
        peer.request()
        peer.switch(**how)
        peer.wait_end()
    return script


def endless_head(peer):
    peer.request()
    try:
        peer.raw(b"HTTP/1.1 101 Switching Protocols\r\n")
        for _ in range(100000):
            peer.raw(b"X-Filler: " + b"x" * 1000 + b"\r\n")
        raise AssertionError("it takes a head without end")
    except OSError:
        pass


def pongs(peer):
    peer.request()
    peer.switch()
    while (peer.hear() or (CLOSE, b""))[0] == PING:
        peer.raw(frame(PONG, b"", masked=False))


def text(data, **how):
    return frame(TEXT, data, masked=False, **how)


def huge_head(opcode, size):
    """The head of a frame that announces `size` bytes."""
    return bytes([0x80 | opcode, 127]) + size.to_bytes(8, "big")


# What the server does, and what is told. None of them becomes a feed.
NO_FEED = {
    "garbage": (answers(b"\x15\x03\x01\x00\x02\x02\x28"), "the answer is not HTTP"),
    "another protocol": (answers(b"SSH-2.0-OpenSSH_9.2\r\n"), "the answer is not HTTP"),
    "a page": (answers(b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\n<html>"), "it is not a Warren gateway"),
    "a page that says no": (answers(b"HTTP/1.1 404 x\r\nContent-Length: 6\r\n\r\n<html>"), "it is not a Warren gateway"),
    "a redirect": (answers(b"HTTP/1.1 302 x\r\nLocation: http://127.0.0.1:9/\r\n\r\n"), "answered 302"),
    "a body that does not come": (answers(b"HTTP/1.1 503 x\r\nContent-Length: 60000\r\n\r\n{"), "answered 503"),
    "a body without end": (answers(b"HTTP/1.1 503 x\r\nContent-Length: 999999999\r\n\r\n" + b"x" * 100000),
                           "answered 503"),
    "a head without end": (endless_head, "the answer's head exceeds"),
    "a head that stops": (answers(b"HTTP/1.1 101 Switching Protocols\r\nUpgr"), "no answer in time"),
    "nothing": (lambda peer: peer.file.read(), "no answer in time"),
    "a cut": (lambda peer: None, "the connection ended without an answer"),
    "a wrong accept": (odd_handshake(accept=b"AAAAAAAAAAAAAAAAAAAAAAAAAAA="), "handshake is wrong"),
    "an extension": (odd_handshake(extra=b"Sec-WebSocket-Extensions: permessage-deflate\r\n"), "handshake is wrong"),
    "silence": (switched(), "the server is silent"),
    "pongs only": (pongs, "the live feed does not begin"),
    "a close": (switched(frame(CLOSE, b"\x0f\xa1", masked=False), code=4001), "no longer valid"),
    "no JSON": (switched(text(b"hello"), code=1000), "a message is not JSON"),
    "another JSON": (switched(text(b"[]"), code=1000), "no JSON object"),
    "another feed": (switched(text(b'{"type": "welcome"}'), code=1000), "not a live feed's"),
    "a deep message": (switched(text(b'{"hello": ' + b"[" * 1000 + b"]" * 1000 + b"}"), code=1000), "not JSON"),
    "a masked frame": (switched(frame(TEXT, HELLO), code=1002), "broke the WebSocket protocol (1002)"),
    "a reserved bit": (switched(text(HELLO, reserved=4), code=1002), "protocol (1002)"),
    "an unknown opcode": (switched(frame(3, b"", masked=False), code=1002), "protocol (1002)"),
    "a continuation of nothing": (switched(frame(0, HELLO, masked=False), code=1002), "protocol (1002)"),
    "a text within a text": (switched(text(b"{", final=False), text(HELLO), code=1002), "protocol (1002)"),
    "a ping in pieces": (switched(frame(PING, b"", masked=False, final=False), code=1002), "protocol (1002)"),
    "a long ping": (switched(frame(PING, b"x" * 126, masked=False), code=1002), "protocol (1002)"),
    "a close of one byte": (switched(frame(CLOSE, b"\x03", masked=False), code=1002), "protocol (1002)"),
    "a binary message": (switched(frame(BINARY, HELLO, masked=False), code=1003), "protocol (1003)"),
    "bad UTF-8": (switched(text(b'{"hello": "\xff"}'), code=1007), "protocol (1007)"),
    "a large message": (switched(huge_head(TEXT, MANY + 1), code=1009), "protocol (1009)"),
    "a length of 64 bits": (switched(huge_head(TEXT, (1 << 64) - 1), code=1009), "protocol (1009)"),
    "a large message in pieces": (
        switched(text(b"x" * (MANY - 1), final=False), frame(0, b"xx", masked=False), code=1009), "protocol (1009)"),
}


def test_what_never_becomes_a_feed():
    """It ends, with words and an exit code, within 10 s or so."""
    running = {}
    for name, (script, _) in NO_FEED.items():
        feed = Feed(script)
        running[name] = feed, Tail(feed.url)
        time.sleep(0.05)  # not all at once
    for name, (feed, tail) in running.items():
        code = tail.end(60)
        feed.close()
        want = {"a close": "not allowed", "a redirect": "refused"}.get(name, "unreachable")
        assert code == EXIT[want], f"{name}: {code} {tail.told}"
        assert NO_FEED[name][1] in tail.told and not tail.lines, f"{name}: {tail.told}"
        assert name in ("a close", "a redirect") or feed.url in tail.told or "answered 503" in tail.told, tail.told
        assert not feed.failures, f"{name}: {feed.failures}"


def bytewise(data):
    def then(peer):
        for byte in data:
            peer.raw(bytes([byte]))
    return then


def silent(peer):
    """The client pings after 5 s of silence; without an answer it gives up 5 s later."""
    begun = time.monotonic()
    assert peer.hear() == (PING, b"")
    assert time.monotonic() - begun > 4
    assert peer.hear_close() == 1000
    assert time.monotonic() - begun > 9


# What ends a feed that has begun, and what is told. The next connection goes on.
BROKEN = {
    "a cut amid a head": (lambda peer: peer.raw(b"\x81"), "the connection ended"),
    "a cut amid a frame": (lambda peer: peer.raw(text(b'{"offset": 9, "events": []}')[:-3]), "the connection ended"),
    "a cut amid a message": (lambda peer: peer.raw(text(b'{"offset": 9', final=False)), "the connection ended"),
    "no JSON": (lambda peer: peer.raw(text(b"<html>")), "a message is not JSON"),
    "a number": (bytewise(text(b"5")), "no JSON object"),
    "bad UTF-8": (lambda peer: peer.raw(text(b"\xc3")), "protocol (1007)"),
    "a code of its own": (lambda peer: peer.shut(4999, "so \x1b[31mit is".encode()), "with 4999: so \ufffd[31mit is"),
    "too many messages": (lambda peer: peer.shut(4029), "with 4029"),
    "no code": (lambda peer: peer.raw(frame(CLOSE, b"", masked=False)), "with 1005"),
    "silence": (silent, "the server is silent"),
}


def test_what_breaks_a_feed():
    running = {}
    for name, (then, _) in BROKEN.items():
        def last(peer, name=name):
            peer.events(8, event("dlq", "dead", error=name))
            peer.wait_end()
        feed = Feed(greeted(then, offset=7), greeted(last, offset=7, resumed=True))
        running[name] = feed, Tail(feed.url)
    for name, (feed, tail) in running.items():
        assert tail.line("dlq", 40).endswith(f"  {name}")
        assert tail.interrupt() == 0, name
        feed.close()
        assert BROKEN[name][1] in tail.notes[1] and tail.notes[1].endswith("; connecting again"), tail.told
        assert tail.notes[2:] == ["reconnected; nothing was missed"] and len(tail.lines) == 1, tail.told
        assert feed.peers[1].path.endswith("&offset=7") and not feed.failures, feed.failures


def test_a_pause_is_not_the_servers_silence():
    """What came while it was stopped, or its reader took nothing, is read; the end too."""
    stopped = threading.Event()

    def then(peer):
        stopped.wait(30)
        for number in range(2, 52):
            peer.events(number, event("dlq", "dead", error=f"<{number}>"))

    goes_on = Feed(greeted(lambda peer: (then(peer), peer.wait_end())))
    ends = Feed(greeted(lambda peer: (then(peer), peer.shut(4008), peer.wait_end())), greeted(offset=51, resumed=True))
    tails = [Tail(feed.url) for feed in (goes_on, ends)]
    for tail in tails:
        tail.note("following jobs of acme")
        tail.process.send_signal(signal.SIGSTOP)
    stopped.set()
    time.sleep(11)  # longer than a silent server is borne
    for tail in tails:
        tail.process.send_signal(signal.SIGCONT)
        tail.line("<51>")
    tails[1].note("reconnected")
    for tail in tails:
        assert tail.interrupt() == 0 and len(tail.lines) == 50
    assert tails[0].notes == ["following jobs of acme"]
    assert tails[1].notes[1:] == ["connection lost: events were not taken fast enough; connecting again",
                                  "reconnected; nothing was missed"]
    assert ends.peers[1].path.endswith("&offset=51")
    for feed in (goes_on, ends):
        feed.close()
        assert not feed.failures


def test_odd_messages_are_taken_as_what_they_are():
    """Members of other kinds than they should be, unknown ones, and escapes that would control a terminal."""
    odd = [{"events": 5}, {"events": [1, "x\x1b", None, [], {}]}, {"offset": "x", "events": [{"kind": 5, "at": []}]},
           {"offset": -5, "events": [{"kind": "job_\x9b31m", "id": {"a": "\x1b"}, "run": 1e300, "progress": -1e300,
                                      "ms": -1, "attempt": 1 << 70, "run_at": "never", "status": "failed"}]},
           {"gap": None}, {"gap": {"from": 9, "to": 3, "why": "\x1b[2J"}}, {"gap": {"from": 1, "to": 2}}, {"dropped": []},
           {"counts": 5}, {"counts": {"statuses": [1], "tenants": 3}}, {"error": {"detail": "\x1b\x9b"}}, {"hello": 7},
           {"events": [event("failed", "failed", error="\x9b31m \x7f\u202e", type="\x85", message="\x80")]}]

    def script(peer):
        for message in odd:  # only C0 controls are escaped, as JSON wants it
            peer.raw(text(json.dumps(message, ensure_ascii=False).encode()))
        peer.events(8, event("dlq", "dead"))
        peer.wait_end()

    for words in ((), ("--json",), ("--counts",)):
        feed = Feed(greeted(script))
        tail = Tail(feed.url, *words)
        tail.line("dlq")
        assert tail.interrupt() == 0
        shown = "\n".join(tail.lines + tail.notes)
        assert not {"\x1b", "\x7f", "\x80", "\x85", "\x9b", "\u202e"} & set(shown)
        if words == ("--json",):
            told = [json.loads(line) for line in tail.lines]
            assert told[-1]["kind"] == "job_dlq"
            assert [line["error"] for line in told if isinstance(line, dict) and line.get("type") == "\x85"] == [
                "\x9b31m \x7f\u202e"]
        else:
            assert "may have missed events (offsets 1 to 2)\n" in tail.told + "\n"
        feed.close()
        assert not feed.failures


def test_memory_stays_bounded():
    """Whatever comes, and however fast: a flood of pings whose pongs are not read, of messages, of empty fragments."""
    def flood(data):
        def then(peer):
            try:
                while True:
                    peer.raw(data)
            except OSError:
                pass
        return then

    big = text(json.dumps({"offset": 5, "events": [event("dlq", "dead", error="x" * 3000000)]}).encode())
    floods = {"pings": frame(PING, b"x" * 100, masked=False) * 500, "messages": big,
              "fragments": frame(0, b"", masked=False) * 5000}
    running = []
    for name, data in floods.items():
        first = [text(b"{", final=False)] if name == "fragments" else []
        feed = Feed(greeted(lambda peer, first=first, data=data: (
            [peer.raw(piece) for piece in first], flood(data)(peer))))
        # A build with sanitizers must not hold back what was freed.
        running.append((name, feed, Tail(feed.url, stdout=subprocess.DEVNULL, ASAN_OPTIONS="quarantine_size_mb=1")))
    end = time.monotonic() + 4
    most = {}
    while time.monotonic() < end:
        for name, feed, tail in running:
            most[name] = max(most.get(name, 0), tail.memory() >> 20)
        time.sleep(0.1)
    assert max(most.values()) < 120, most
    for name, feed, tail in running:
        assert tail.interrupt() == 0, name
        feed.close()


@pytest.fixture(scope="module")
def authority(tmp_path_factory):
    """A certificate of 127.0.0.1, and its key."""
    folder = tmp_path_factory.mktemp("tls")
    subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=here",
                    "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", folder / "key.pem", "-out", folder / "ca.pem"],
                   check=True, capture_output=True)
    return folder


def test_https(authority):
    """The certificates of the system hold, and HTTP/1.1 is agreed on where HTTP/2 is offered too."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(authority / "ca.pem", authority / "key.pem")
    context.set_alpn_protocols(["h2", "http/1.1"])
    agreed = []

    def wrap(connection):
        wrapped = context.wrap_socket(connection, server_side=True)
        agreed.append(wrapped.selected_alpn_protocol())
        return wrapped

    def script(peer):
        for number in range(1, 200):  # more than curl reads at once
            peer.events(number, event("dlq", "dead", error="x" * 1000))
        peer.events(999, event("completed", "completed"))
        assert peer.hear_close() == 1000

    feed = Feed(greeted(script), wrap=wrap)
    url = f"https://127.0.0.1:{feed.port}"
    tail = Tail(url)
    assert tail.end() == EXIT["unreachable"] and "certificate" in tail.told and not feed.peers
    trusting = ["unshare", "--user", "--map-root-user", "--mount", "sh", "-c",
                'mount --bind "$0" /etc/ssl/certs/ca-certificates.crt && exec "$@"', str(authority / "ca.pem")]
    if subprocess.run([*trusting, "true"], check=False, capture_output=True).returncode != 0:
        pytest.skip("no certificate can be made the system's here")
    tail = Tail(url, before=trusting)
    tail.line("completed")
    assert len(tail.lines) == 200
    assert tail.interrupt() == 0
    until(lambda: not feed.failures and agreed[-1] == "http/1.1", 5, agreed)
    feed.close()


def test_the_help_and_the_completion_know_it():
    shown = subprocess.run([BIN / "warren", "tail", "--help"], text=True, capture_output=True, check=True).stdout
    assert "Usage: warren tail [options]" in shown
    for option in ("--kind", "--status", "--type", "--job", "--tenant", "--counts", "--since-offset", "--json"):
        assert f"  {option}" in shown
    bash = subprocess.run([BIN / "warren", "completion", "bash"], text=True, capture_output=True, check=True).stdout
    assert '"tail  --kind") words="submitted started progress completed' in bash
