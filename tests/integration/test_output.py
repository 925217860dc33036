# SPDX-License-Identifier: Apache-2.0
"""Standard output that is not read any more or is full; what a list prints next."""
import os
import signal
import subprocess

import pytest

from cli_rig import EXIT, Cli, dead_job
from harness.broker import BIN
from harness.until import until

SERVICES = ["gateway", "consumer", "status-store", "dlx-monitor"]


@pytest.fixture(scope="module")
def cli(warren, tmp_path_factory):
    made = Cli(warren, warren.tenant("acme").key, tmp_path_factory.mktemp("home"))
    job = dead_job(made)["id"]
    made.letter = until(lambda: made.json("dlq", "list", "--job", job)["letters"], 30,
                        "the letter")[0]["id"]
    made.job = job
    return made


def unread(words, env):
    """(exit status, standard error) of a program whose standard output is a pipe without a reader."""
    reader, writer = os.pipe()
    os.close(reader)
    try:
        done = subprocess.run(words, env=env, stdin=subprocess.DEVNULL, stdout=writer,
                              stderr=subprocess.PIPE, text=True, timeout=60, check=False)
    finally:
        os.close(writer)
    return done.returncode, done.stderr


def full(words, env):
    with open("/dev/full", "wb") as device:
        done = subprocess.run(words, env=env, stdin=subprocess.DEVNULL, stdout=device,
                              stderr=subprocess.PIPE, text=True, timeout=60, check=False)
    return done.returncode, done.stderr


PRINTING = [["list"], ["list", "--json"], ["stats"], ["dlq", "list"], ["dlq", "list", "--json"],
            ["tenant", "list"], ["tenant", "show", "acme"], ["key", "list", "acme"],
            ["topology", "export"], ["completion", "bash"], ["doctor"], ["--help"], ["--version"],
            ["list", "--help"], ["watch"], ["watch", "--json"], ["submit", "noop"]]
UNSOUND = {"doctor": (0, 1)}  # its exit status says what it found


@pytest.mark.parametrize("words", PRINTING, ids=" ".join)
def test_a_pipe_that_nobody_reads_is_no_error(cli, words):
    if words[0] == "watch":  # it ends at the first change that it prints
        cli("submit", "sleep", '{"ms": 3000}')
    status, told = unread([BIN / "warren", *words], cli.env)
    assert status in UNSOUND.get(words[0], (0,)) and told == ""


def test_what_a_command_is_for_is_done_though_nobody_reads(cli):
    """The command does its work although its output is not read, and its exit status says so."""
    assert unread([BIN / "warren", "get", cli.job, "--wait"], cli.env) == (EXIT["failed"], "")
    letters = [until(lambda id=dead_job(cli)["id"]: cli.json("dlq", "list", "--job", id)["letters"],
                     30, "a letter")[0]["id"] for _ in range(2)]
    assert unread([BIN / "warren", "dlq", "requeue", *letters], cli.env) == (0, "")
    for letter in letters:
        assert "replayed" in cli("dlq", "show", letter).stdout


@pytest.mark.parametrize("words", [w for w in PRINTING if w != ["submit", "noop"]], ids=" ".join)
def test_a_disk_that_is_full_is_an_error(cli, words):
    if words[0] == "watch":
        cli("submit", "sleep", '{"ms": 3000}')
    status, told = full([BIN / "warren", *words], cli.env)
    assert status == EXIT["refused"] and "standard output: No space left on device" in told


@pytest.mark.parametrize("service", SERVICES)
@pytest.mark.parametrize("flag", ["--help", "--version"])
def test_a_service_prints_like_that_too(service, flag):
    words, env = [BIN / f"warren-{service}", flag], {"PATH": os.environ["PATH"]}
    status, told = unread(words, env)
    assert status in (0, -signal.SIGPIPE) and told == ""
    status, told = full(words, env)
    assert status == 1 and "standard output: No space left on device" in told


def test_a_list_says_what_to_do_next(cli):
    def told(*words):
        done = cli(*words)
        assert done.returncode == 0 and "next:" not in done.stdout
        quiet = cli(*words, "--json")
        assert quiet.returncode == 0 and quiet.stderr == "" and "next:" not in quiet.stdout
        return done.stderr

    assert told("dlq", "list", "--job", cli.job) == \
        f"next: warren dlq show {cli.letter}, warren dlq requeue {cli.letter}\n"
    assert told("dlq", "list", "--job", "00000000-0000-7000-8000-000000000000") == "no such dead letters\n"
    newest = cli.json("list", "--limit", "1")["jobs"][0]["id"]
    assert told("list", "--limit", "1") == f"next: warren get {newest}\n"
    assert told("tenant", "list") == "next: warren tenant show acme, warren key list acme\n"
    assert told("key", "list", "acme") == ""  # the first may be the only one: nothing leads to its end
    shown = cli("dlq", "show", cli.letter).stdout
    assert shown.endswith(f"\nnext: warren dlq requeue {cli.letter}\n")


@pytest.mark.parametrize("ending", ["", "/", "/api/v1", "/api/v1/", "//api/v1//"])
def test_the_url_as_people_have_it(cli, ending):
    url = cli.env["WARREN_URL"] + ending
    assert cli("list", "--limit", "1", WARREN_URL=url).returncode == 0
    assert cli("list", "--limit", "1", "--url", url, WARREN_URL="http://127.0.0.1:1").returncode == 0
    assert cli("topology", "check", WARREN_MANAGEMENT_URL=cli.env["WARREN_MANAGEMENT_URL"] +
               ending.replace("/v1", "")).returncode == 0


def test_only_the_end_of_a_path_is_cut(cli):
    for url, asked in (("http://127.0.0.1:1/api/v1x", "http://127.0.0.1:1/api/v1x"),
                       ("http://127.0.0.1:1/api/v1/jobs", "http://127.0.0.1:1/api/v1/jobs"),
                       ("http://api.invalid/proxy/api/v1", "http://api.invalid/proxy"),
                       ("http://api/v1", "http://api/v1")):
        assert f"gateway at {asked}: " in cli("list", WARREN_URL=url).stderr
