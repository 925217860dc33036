# SPDX-License-Identifier: Apache-2.0
"""Static files served from memory."""
import os
import subprocess

import pytest
from http_rig import HOST, Answers, ask, check_problem, echo_server
from harness.broker import BIN


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    root = tmp_path_factory.mktemp("files")
    site = root / "site"
    (site / "screens").mkdir(parents=True)
    (site / "index.html").write_text("<!doctype html>hello")
    (site / "app.js").write_text("export const a = 1;\n")
    (site / "screens" / "jobs.js").write_text("// jobs\n")
    (site / "screens" / "index.html").write_text("not this one")
    (site / "a b.css").write_text("a { }")
    (site / "odd.thing").write_bytes(b"\0\1")
    (site / "empty.txt").write_text("")
    (site / ".hidden").write_text("secret")
    (root / "secret").write_text("secret")
    (site / "link").symlink_to(root / "secret")
    (site / "folder").symlink_to(root)
    os.mkfifo(site / "pipe")
    return site


@pytest.fixture(scope="module")
def port(folder):
    with echo_server(files=folder) as number:
        yield number


def get(path, *headers, method=b"GET"):
    return method + b" " + path + b" HTTP/1.1\r\n" + HOST + b"".join(h + b"\r\n" for h in headers) + b"\r\n"


@pytest.mark.parametrize("path, kind, body", [
    (b"/", "text/html; charset=utf-8", b"<!doctype html>hello"),
    (b"/index.html", "text/html; charset=utf-8", b"<!doctype html>hello"),
    (b"/?a=1", "text/html; charset=utf-8", b"<!doctype html>hello"),
    (b"/app.js", "text/javascript; charset=utf-8", b"export const a = 1;\n"),
    (b"/screens/jobs.js", "text/javascript; charset=utf-8", b"// jobs\n"),
    (b"/a%20b.css", "text/css; charset=utf-8", b"a { }"),
    (b"/odd.thing", "application/octet-stream", b"\0\1"),
    (b"/empty.txt", "text/plain; charset=utf-8", b""),
])
def test_a_file(port, path, kind, body):
    answers = Answers(port)
    status, headers, got = answers.send(get(path)).read()
    assert (status, headers["content-type"], got) == (200, kind, body)
    assert headers["cache-control"] == "no-cache" and headers["x-content-type-options"] == "nosniff"
    tag = headers["etag"]
    assert tag.startswith('"') and tag.endswith('"') and len(tag) == 34
    head = answers.send(get(path, method=b"HEAD")).read(head=True)
    assert head[0] == 200 and head[1]["content-length"] == str(len(body)) and head[1]["etag"] == tag


@pytest.mark.parametrize("given, status", [
    ("{}", 304), ("W/{}", 304), ('"other", {}', 304), ('"other",W/{} , "more"', 304), ("*", 304),
    ('"other"', 200), ("", 200), ("{}x", 304), ('"', 200), (",,,", 200)])
def test_a_file_that_the_client_has(port, given, status):
    answers = Answers(port)
    tag = answers.send(get(b"/app.js")).read()[1]["etag"]
    for method in (b"GET", b"HEAD"):
        answers.send(get(b"/app.js", b"If-None-Match: " + given.format(tag).encode(), method=method))
        got, headers, body = answers.read(head=method == b"HEAD" or status == 304)
        assert (got, headers["etag"], headers["cache-control"]) == (status, tag, "no-cache")
        assert headers["x-frame-options"] == "DENY"
        if status == 304:
            assert body == b"" and "content-length" not in headers and "content-type" not in headers


@pytest.mark.parametrize("path", [
    b"/nothing", b"/screens", b"/screens/", b"/app.js/", b"//app.js", b"/./app.js", b"/screens/../app.js",
    b"/../secret", b"/..%2fsecret", b"/%2e%2e/secret", b"/%2e%2e%2fsecret", b"/..\\secret", b"/.hidden",
    b"/link", b"/folder/secret", b"/pipe", b"/screens%2fjobs.js", b"/App.js", b"/etc/passwd", b"/.", b"/.."])
def test_no_file(port, path):
    assert ask(port, get(path))[0] in (400, 404)


def test_other_methods(port):
    answer = ask(port, get(b"/app.js", b"Content-Length: 0", method=b"POST"))
    check_problem(answer, 405, "GET, HEAD")
    assert answer[1]["allow"] == "GET, HEAD"
    check_problem(ask(port, get(b"/app.js", b"Content-Length: 2") + b"{}"), 400, "must not have a body")


def test_routes_come_first(port):
    assert Answers(port).send(get(b"/things/7")).read()[1]["content-type"] == "application/json"


@pytest.mark.parametrize("make, words", [
    (lambda folder: folder.rmdir(), "cannot open"),
    (lambda folder: (folder / "big").write_bytes(b"\0" * (16 * 1024 * 1024 + 1)), "too large"),
    (lambda folder: [(folder / str(i)).write_text("") for i in range(1001)], "more than 1000")])
def test_what_cannot_be_served_does_not_start(tmp_path, make, words):
    site = tmp_path / "site"
    site.mkdir()
    make(site)
    done = subprocess.run([BIN / "warren-test-echo", "127.0.0.1", "4", site, "0"], stdin=subprocess.DEVNULL,
                          capture_output=True, text=True, timeout=30, check=False)
    assert done.returncode == 1 and words in done.stderr
