# SPDX-License-Identifier: Apache-2.0
"""A private RabbitMQ node in a folder."""
import functools
import os
import pathlib
import subprocess

import pika
import requests

from harness.until import until

ROOT = pathlib.Path(__file__).resolve().parents[2]
BIN = pathlib.Path(os.environ.setdefault("WARREN_BIN", str(ROOT / "build/asan/bin"))).resolve()


class Broker:
    """Starts when constructed. `vhost()` makes a separate vhost for each test or module."""

    def __init__(self, folder):
        self.folder = pathlib.Path(folder)
        self.secrets = self.folder / "secrets"
        self._vhosts = 0
        self.start()
        self.secrets.mkdir(mode=0o700, exist_ok=True)

    def _node(self, command, *arguments, **options):
        return subprocess.run([ROOT / "rabbitmq/node", command, self.folder, *arguments],
                              check=True, timeout=240, **options)

    def _quietly(self, command):
        with open(self.folder / "node.log", "ab") as log:
            self._node(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log)

    def start(self):
        """Starts the node, also after stop() or kill(): data and ports stay the same."""
        self.folder.mkdir(parents=True, exist_ok=True)
        self._quietly("start")
        lines = (self.folder / "node.env").read_text(encoding="utf-8").splitlines()
        self.env = {key: value.strip("'") for key, value in (line.split("=", 1) for line in lines)}
        self.port = int(self.env["WARREN_AMQP_PORT"])
        self.management_port = int(self.env["WARREN_MANAGEMENT_PORT"])
        self.password = (self.folder / "warren-admin.password").read_text(encoding="utf-8").strip()

    def stop(self):
        self._quietly("stop")

    def kill(self):
        self._quietly("kill")

    def restart(self):
        self._quietly("restart")

    def ctl(self, *arguments):
        """rabbitmqctl; returns its output."""
        return self._node("ctl", *arguments, stdout=subprocess.PIPE, text=True).stdout

    def management(self, method, path, json=None):
        """A call of the management API; path begins with /api."""
        answer = requests.request(method, f"http://127.0.0.1:{self.management_port}{path}",
                                  auth=("warren-admin", self.password), json=json, timeout=30)
        answer.raise_for_status()
        return answer.json() if answer.content else None

    @functools.cached_property
    def version(self):
        """(4, 3, 6)"""
        told = self.management("GET", "/api/overview")["rabbitmq_version"]
        return tuple(int(part) for part in told.split("-")[0].split("."))

    def vhost(self, name=None, bin=BIN):
        """A fresh vhost with topology and accounts as the programs in `bin` have them; returns its name."""
        if name is None:
            self._vhosts += 1
            name = f"warren-{self._vhosts}"
        self.management("PUT", f"/api/vhosts/{name}")
        self.management("PUT", f"/api/permissions/{name}/warren-admin",
                        {"configure": ".*", "write": ".*", "read": ".*"})
        self.apply(name, bin)
        return name

    def apply(self, vhost, bin=BIN):
        """Topology and accounts, as the programs in `bin` have them."""
        self.topology(vhost, "apply", bin=bin)
        self.topology(vhost, "accounts", self.secrets, bin=bin)

    def topology(self, vhost, *arguments, check=True, bin=BIN, login="warren-admin"):
        """Runs topology_driver (see tests/integration/topology_driver.c)."""
        env = dict(os.environ, TOPOLOGY_VHOST=vhost, TOPOLOGY_URLS=self.url(vhost),
                   TOPOLOGY_LOGIN=login, TOPOLOGY_PASSWORD=self._password(login),
                   TOPOLOGY_MANAGEMENT=f"http://127.0.0.1:{self.management_port}")
        done = subprocess.run([bin / "topology_driver", *arguments], env=env, text=True, timeout=120,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, check=False)
        assert not check or done.returncode == 0, done.stderr
        return done

    def url(self, vhost="warren"):
        return f"amqp://127.0.0.1:{self.port}/{vhost}"

    def pika(self, vhost="warren", login="warren-admin", password=None):
        """A pika BlockingConnection; close it, or use it in a `with`."""
        if password is None:
            password = self._password(login)
        return pika.BlockingConnection(pika.ConnectionParameters(
            "127.0.0.1", self.port, vhost, pika.PlainCredentials(login, password),
            heartbeat=0, blocked_connection_timeout=60))

    def _password(self, login):
        return self.password if login == "warren-admin" else self.account_password(login)

    def account_password(self, login):
        return (self.secrets / f"{login}.password").read_text(encoding="utf-8").strip()

    def queues(self, vhost="warren"):
        """Name → the management API's row; counts may be some seconds old."""
        return {queue["name"]: queue for queue in self.management("GET", f"/api/queues/{vhost}")}

    def depth(self, vhost, queue):
        """Messages ready in a queue, exactly, by a passive declare."""
        with self.pika(vhost) as connection:
            return connection.channel().queue_declare(queue, passive=True).method.message_count

    def wait_connected(self, vhost, login, timeout=30):
        """Until the broker itself shows a connection of that login."""
        def there():
            rows = self.management("GET", f"/api/vhosts/{vhost}/connections")
            return any(row.get("user") == login for row in rows)

        until(there, timeout, f"{login} connected", every=0.2)
