# SPDX-License-Identifier: Apache-2.0
"""scripts/setup.sh: no service, such as the system's own broker, may start while packages are installed.
apt-get and all other commands that change the system are stand-ins here."""
import os
import pathlib
import signal
import subprocess

import pytest

from harness.until import until

ROOT = pathlib.Path(__file__).resolve().parents[2]
INSTALL = """
set -euo pipefail
root=$1 folder=$2
say() { printf '%s\\n' "$*" >&2; }
fail() { say "$*"; exit 1; }
. "$root/scripts/setup.sh"
policy=$folder/policy-rc.d
install_packages "$folder/apt.log" "$folder/packages.txt"
"""
# This installation asks the policy as invoke-rc.d does, and does not end while $FOLDER/hold is there.
APT_GET = """#!/bin/sh
echo "$DEBIAN_FRONTEND: $*" >>"$FOLDER/asked"
[ "$3" = install ] || exit 0
touch "$FOLDER/begun"
while [ -e "$FOLDER/hold" ]; do sleep 0.02; done
"$FOLDER/policy-rc.d" rabbitmq-server start
echo "starting it: $?" >>"$FOLDER/asked"
exit "${APT_STATUS:-0}"
"""
STAND_INS = {
    "apt-get": APT_GET,
    "dpkg-query": '#!/bin/sh\n[ "$3" = curl ] && echo "install ok installed"\n',
    "sudo": '#!/bin/sh\nexec "$@"\n',
    "systemctl": '#!/bin/sh\necho "systemctl: $*" >>"$FOLDER/asked"\n',
}
ASKED = ["noninteractive: -q -y update",
         "noninteractive: -q -y install --no-install-recommends cmake rabbitmq-server prometheus",
         "starting it: 101"]


@pytest.fixture(name="machine")
def pristine(tmp_path):
    """A machine that has only curl of the packages in packages.txt."""
    (tmp_path / "packages.txt").write_text("# some\ncmake\ncurl rabbitmq-server\nprometheus\n",
                                           encoding="utf-8")
    (tmp_path / "bin").mkdir()
    for name, text in STAND_INS.items():
        (tmp_path / "bin" / name).write_text(text, encoding="utf-8")
        (tmp_path / "bin" / name).chmod(0o755)
    yield tmp_path
    (tmp_path / "hold").unlink(missing_ok=True)


def begin(machine, **env):
    path = f"{machine / 'bin'}:{os.environ['PATH']}"
    with (machine / "told").open("w", encoding="utf-8") as said:
        return subprocess.Popen(["bash", "-c", INSTALL, "-", ROOT, machine], stderr=said,
                                env=dict(os.environ, PATH=path, FOLDER=str(machine), **env))


def told(machine):
    return (machine / "told").read_text(encoding="utf-8")


def asked(machine):
    return (machine / "asked").read_text(encoding="utf-8").splitlines()


def policies(machine):
    return sorted(path.name for path in machine.glob("policy-rc.d*"))


@pytest.mark.parametrize("status, want", [("0", 0), ("100", 1)])
def test_no_service_starts(machine, status, want):
    process = begin(machine, APT_STATUS=status)
    assert process.wait(60) == want, told(machine)
    assert asked(machine)[:3] == ASKED
    disabled = [f"systemctl: --quiet disable {name}" for name in ("rabbitmq-server", "prometheus")]
    assert asked(machine)[3:] == (disabled if want == 0 else [])
    assert not policies(machine)


def test_a_policy_of_the_machines_own_comes_back(machine):
    own = machine / "policy-rc.d"
    own.write_text("#!/bin/sh\nexit 0\n", encoding="utf-8")
    process = begin(machine)
    assert process.wait(60) == 0, told(machine)
    assert asked(machine)[:3] == ASKED
    assert policies(machine) == ["policy-rc.d"]
    assert own.read_text(encoding="utf-8") == "#!/bin/sh\nexit 0\n"


def test_nothing_is_asked_when_all_is_there(machine):
    (machine / "packages.txt").write_text("curl\n", encoding="utf-8")
    process = begin(machine)
    assert (process.wait(60), told(machine)) == (0, "")
    assert not (machine / "asked").exists()


def test_none_starts_after_an_interruption(machine):
    """apt-get is not killed in the middle, so setup.sh must wait for it."""
    (machine / "hold").touch()
    process = begin(machine)
    until((machine / "begun").exists, 30, "it installs")
    process.send_signal(signal.SIGTERM)
    until(lambda: "waiting for apt-get to end\n" in told(machine) or process.poll() is not None)
    held = policies(machine)
    (machine / "hold").unlink()
    assert process.wait(60) == 130
    assert held == ["policy-rc.d"]
    until(lambda: len(asked(machine)) == len(ASKED), 30, "apt-get ended")
    assert asked(machine) == ASKED
    assert not policies(machine)
