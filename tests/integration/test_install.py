# SPDX-License-Identifier: Apache-2.0
"""Where `cmake --install` puts files, and that the sample settings are valid."""
import json
import os
import pathlib
import re
import shlex
import shutil
import subprocess

import pytest

from harness.broker import BIN

SERVICES = ["gateway", "consumer", "status-store", "dlx-monitor"]
PROGRAMS = [f"warren-{name}" for name in SERVICES + ["plugin-host", "launch"]] + ["warren"]


@pytest.fixture(scope="module")
def prefix(tmp_path_factory):
    folder = tmp_path_factory.mktemp("prefix")
    subprocess.run(["cmake", "--install", BIN.parent, "--prefix", folder], check=True, timeout=120,
                   stdout=subprocess.DEVNULL)
    return folder


def find(prefix, name):
    found = list(prefix.rglob(name))
    assert len(found) == 1, f"{name}: {found}"
    return found[0]


@pytest.mark.parametrize("program", PROGRAMS)
def test_programs_are_there(prefix, program):
    path = prefix / "bin" / program
    assert os.access(path, os.X_OK)


@pytest.mark.parametrize("service", SERVICES)
def test_samples_are_good_settings(prefix, service, tmp_path):
    """Each sample is accepted unchanged, except that the test's secrets replace the sample's."""
    secret = tmp_path / "secret"
    secret.touch(mode=0o600)
    secret.write_text("s3cret\n", encoding="utf-8")
    sample = find(prefix / "share", f"{service}.conf").read_text(encoding="utf-8")
    config = tmp_path / f"{service}.conf"
    config.write_text(re.sub(r"/etc/warren/secrets/\S+", str(secret), sample), encoding="utf-8")
    shown = subprocess.run([prefix / "bin" / f"warren-{service}", "--config", config,
                            "--print-config"], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                           text=True, check=False, timeout=30)
    assert shown.returncode == 0, shown.stderr
    settings = dict(line.split(" = ", 1) for line in sample.splitlines() if " = " in line)
    for key, value in settings.items():
        if not key.endswith("_file"):
            assert f"\n{key} = {value}\n" in shown.stdout
    assert "s3cret" not in shown.stdout


def unit_of(prefix, service):
    return prefix / f"lib/systemd/system/warren-{service}.service"


@pytest.mark.parametrize("service", SERVICES)
def test_units_start_what_was_installed(prefix, service, tmp_path):
    """Runs the unit's command line with the sample settings. The secrets that systemd passes are enough:
    the secret files named in the settings do not exist."""
    text = unit_of(prefix, service).read_text(encoding="utf-8").replace("\\\n", " ")
    for name in re.findall(r"^LoadCredential=(\w+):/etc/warren/secrets/\S+$", text, re.M):
        (tmp_path / name).touch(mode=0o600)
        (tmp_path / name).write_text("s3cret\n", encoding="utf-8")
    sample = find(prefix / "share", f"{service}.conf")
    line = re.search(r"^ExecStart=(.*)$", text, re.M).group(1)
    command = shlex.split(line.replace("%d", str(tmp_path))
                          .replace(f"/etc/warren/{service}.conf", str(sample)))
    assert command[0] == str(prefix / "bin" / f"warren-{service}")
    shown = subprocess.run([*command, "--print-config"], stdout=subprocess.PIPE,
                           stderr=subprocess.PIPE, text=True, check=False, timeout=30)
    assert shown.returncode == 0, shown.stderr
    data = set(re.findall(r"/var/lib/([\w-]+)/", sample.read_text(encoding="utf-8")))
    assert data == set(re.findall(r"^StateDirectory=(.*)$", text, re.M))


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="no systemd here")
@pytest.mark.parametrize("service", SERVICES)
def test_units_please_systemd(prefix, service):
    done = subprocess.run(["systemd-analyze", "verify", "--man=no", unit_of(prefix, service)],
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False,
                          timeout=60)
    assert (done.returncode, done.stdout) == (0, "")


@pytest.mark.parametrize("service", SERVICES)
def test_units_always_come_back(prefix, service):
    """While its port is still taken, a program ends within milliseconds, five times in a few seconds.
    systemd's default limit would then stop restarting it."""
    text = unit_of(prefix, service).read_text(encoding="utf-8")
    unit = text[text.index("[Unit]"):text.index("[Service]")]
    assert "\nStartLimitIntervalSec=0\n" in unit
    assert re.search(r"^Restart=on-failure$", text, re.M)
    assert int(re.search(r"^RestartSec=(\d+)s$", text, re.M).group(1)) >= 1


@pytest.mark.parametrize("service", SERVICES)
def test_units_keep_files_to_their_user(prefix, service):
    """The consumer sets its umask itself (tests/unit/service_test.c), so its handlers get the unit's."""
    text = unit_of(prefix, service).read_text(encoding="utf-8")
    assert ("\nUMask=0077\n" in text) == (service != "consumer")
    assert ("StateDirectory=" in text) == ("\nStateDirectoryMode=0700\n" in text)


# What consumer/stop.c adds: a grace of 5 s, 15 s for the last outcomes, and 5 s for each link.
BEYOND = {"consumer": 5 + 15 + 2 * 5}


@pytest.mark.parametrize("service", SERVICES)
def test_units_wait_for_the_end(prefix, service):
    """systemd waits longer than the program's own settings let its stop take."""
    shown = subprocess.run([prefix / "bin" / f"warren-{service}", "--print-config"], check=False,
                           stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
                           timeout=30).stdout
    seconds = [int(text) for text in re.findall(
        r"^(?:body_deadline|confirm_timeout|drain_limit|drain) = (\d+)s$", shown, re.M)]
    assert len(seconds) == {"gateway": 3, "consumer": 1, "dlx-monitor": 2, "status-store": 0}[service]
    wait = re.search(r"^TimeoutStopSec=(\d+)s$", unit_of(prefix, service).read_text(encoding="utf-8"),
                     re.M).group(1)
    assert int(wait) >= sum(seconds) + BEYOND.get(service, 0) + 15


def test_a_handler_builds_against_the_installed_header(prefix, tmp_path):
    source = tmp_path / "handler.c"
    source.write_text("#include <warren/handler.h>\nint abi(void);\n"
                      "int abi(void) { return (int)sizeof(struct warren_job); }\n", encoding="utf-8")
    flags = ["-Wall", "-Wextra", "-Werror", "-I", prefix / "include", "-c", source, "-o", os.devnull]
    subprocess.run(["gcc", "-std=c11", *flags], check=True, timeout=60)
    subprocess.run(["g++", "-x", "c++", "-std=c++17", *flags], check=True, timeout=60)


def test_handlers_and_their_map_stand_together(prefix):
    folder = find(prefix / "lib", "basic.so").parent
    types = json.loads((folder / "handlers.json").read_text(encoding="utf-8"))
    assert types["plugins"]["basic"]["file"] == "basic.so"
    for handler in types["types"].values():
        for word in handler.get("exec", [])[1:]:
            assert (folder / word).is_file()


def test_the_brokers_files_are_there(prefix):
    root = pathlib.Path(__file__).resolve().parents[2] / "rabbitmq"
    for name in ("rabbitmq.conf", "advanced.config", "enabled_plugins", "definitions.json"):
        assert find(prefix / "share", name).read_bytes() == (root / name).read_bytes()
