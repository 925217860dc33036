# SPDX-License-Identifier: Apache-2.0
"""Runs the `warren` command as a user would."""
import fcntl
import json
import os
import select
import signal
import struct
import subprocess
import termios

from harness.broker import BIN
from harness.terminal import open_terminal

EXIT = {"done": 0, "failed": 1, "usage": 2, "not found": 3, "not allowed": 4, "unreachable": 5,
        "refused": 6, "limited": 7}


class Cli:
    """`cli("list", "--json")` → an ended process with returncode, stdout, stderr."""

    def __init__(self, warren, key, home):
        broker = warren.broker
        login = f"warren-admin:{broker.password}"
        self.env = {
            "PATH": os.environ["PATH"],
            "HOME": str(home),
            "WARREN_URL": warren.url,
            "WARREN_API_KEY": key,
            "WARREN_ADMIN_KEY": warren.admin_key,
            "WARREN_ADMIN_AMQP_URL": f"amqp://{login}@127.0.0.1:{broker.port}/{warren.vhost}",
            "WARREN_MANAGEMENT_URL": f"http://{login}@127.0.0.1:{broker.management_port}",
        }

    def __call__(self, *words, stdin="", **variables):
        return subprocess.run([BIN / "warren", *words], env=self._env(variables), input=stdin,
                              text=True, timeout=120, stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE, check=False)

    def _env(self, variables):
        merged = {**self.env, **variables}
        return {name: value for name, value in merged.items() if value is not None}

    def start(self, *words):
        return subprocess.Popen([BIN / "warren", *words], env=self.env, text=True,
                                stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                stderr=subprocess.PIPE)

    def json(self, *words, want="done", **options):
        """The answer of a command with --json."""
        done = self(*words, "--json", **options)
        assert done.returncode == EXIT[want], f"{words}: {done.returncode} {done.stderr}"
        return json.loads(done.stdout)

    def on_terminal(self, *words, size=None, enough=None, **variables):
        """(exit code, output) with a terminal of size (rows, columns) as standard output. Sends SIGINT
        once enough(output) is true."""
        master, slave = open_terminal()
        if size:
            fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", *size, 0, 0))
        with subprocess.Popen([BIN / "warren", *words], env=self._env(variables), stdout=slave,
                              stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
            os.close(slave)
            output = b""
            while select.select([master], [], [], 60)[0]:
                try:
                    part = os.read(master, 65536)
                except OSError:  # the other side is closed
                    break
                output += part
                if enough and enough(output.decode(errors="replace")):
                    process.send_signal(signal.SIGINT)
                    enough = None
            os.close(master)
            return process.wait(60), output.decode()


def dead_job(cli):
    done = cli("submit", "fail", '{"permanent": true}', "--wait", "--json")
    assert done.returncode == EXIT["failed"], done.stderr
    return json.loads(done.stdout)
