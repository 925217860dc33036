# SPDX-License-Identifier: Apache-2.0
"""A whole Warren: gateway, consumer, status-store and dlx-monitor on a vhost of a broker."""
import functools
import itertools
import json
import pathlib
import random
import secrets
import socket
import subprocess

from harness.api import Api
from harness.broker import BIN, ROOT
from harness.processes import Program
from harness.until import until


def free_port():
    """A port below the range that the kernel uses for outgoing connections: such a connection could take
    the port before the program listens. Never the same port twice."""
    while True:
        port = random.randrange(10000, 20000)
        if port in _given:
            continue
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
        _given.add(port)
        return port


_given = set()


@functools.cache
def _settings_of(program):
    return subprocess.run([program, "--help"], stdout=subprocess.PIPE, text=True, check=True,
                          timeout=60).stdout


def primary_settings(broker, folder, vhost, bin=BIN):
    """The settings that make a status-store the primary, as far as this version of it has them."""
    known = "operator_password_file" in _settings_of(bin / "warren-status-store")
    operator = {"operator_password_file": broker.secrets / "warren-operator.password"} if known else {}
    return {
        **operator,
        "primary": "true",
        "registry": folder / "registry.db",
        "provision_password_file": broker.secrets / "warren-provision.password",
        "vhost": vhost,
        "management_url": f"http://127.0.0.1:{broker.management_port}",
        "management_password_file": broker.folder / "warren-admin.password",
        "bootstrap_admin_key_file": folder / "admin.key",
    }


class Tenant:
    """A tenant of one Warren: an API client with its key, and its AMQP login when it has one."""

    def __init__(self, warren, name, made):
        self.warren = warren
        self.name = name
        self.key = made["key"]
        self.amqp = made.get("amqp")
        self.api = Api(warren.url, self.key, name)

    def pika(self):
        return self.warren.broker.pika(self.warren.vhost, self.amqp["login"], self.amqp["password"])


class Warren:
    """Programs on free ports with random secrets in one folder. Made by the fixtures. `bin`: the folder of
    the programs' files; one that is set later counts for programs that are added then."""

    def __init__(self, broker, folder, settings=None, handlers=None, start=True, bin=BIN):
        self.broker = broker
        self.folder = pathlib.Path(folder)
        self.bin = pathlib.Path(bin)
        self.vhost = broker.vhost(bin=self.bin)
        self.extra = settings or {}
        self._admin_key = None
        self.programs = []
        self.tenants = {}
        self._consumers = itertools.count(1)
        self._gateways = itertools.count(1)
        self._write_secret("internal.token", secrets.token_hex(24))
        self.handlers_path = self.folder / "handlers.json"
        self.write_handlers(handlers)
        self.status_store = self._status_store()
        self.dlx_monitor = self._dlx_monitor()
        self.gateway = self._gateway("gateway")
        self.consumer = self._consumer("consumer")
        if start:
            self.start()

    def _write_secret(self, name, text):
        path = self.folder / name
        path.touch(mode=0o600)
        path.write_text(text + "\n", encoding="utf-8")

    def write_handlers(self, handlers=None):
        """Writes handlers.json as given, or with default_handlers()."""
        if handlers is None:
            handlers = default_handlers(self.bin)
        self.handlers_path.write_text(json.dumps(handlers, indent=1), encoding="utf-8")

    def _program(self, name, kind, login, settings):
        common = {
            "amqp_urls": self.broker.url(self.vhost),
            "amqp_password_file": self.broker.secrets / f"{login}.password",
            "internal_token_file": self.folder / "internal.token",
            "health_port": free_port(),
            "log_level": "debug",
        }
        common.update(settings)
        common.update(self.extra.get(kind, {}))
        program = Program(name, self.folder, self.bin / f"warren-{kind}", common)
        self.programs.append(program)
        return program

    def _status_store(self):
        return self._program("status-store", "status-store", "warren-status-store", {
            "port": free_port(),
            "database": self.folder / "status.db",
            **primary_settings(self.broker, self.folder, self.vhost, self.bin),
        })

    def _dlx_monitor(self):
        known = "status_store_url" in _settings_of(self.bin / "warren-dlx-monitor")
        primary = {"status_store_url": f"http://127.0.0.1:{self.status_store.port}"} if known else {}
        return self._program("dlx-monitor", "dlx-monitor", "warren-dlx-monitor", {
            "port": free_port(),
            "archive": self.folder / "archive.db",
            **primary,
        })

    def _gateway(self, name):
        return self._program(name, "gateway", "warren-gateway", {
            "port": free_port(),
            "status_store_url": f"http://127.0.0.1:{self.status_store.port}",
            "dlx_monitor_url": f"http://127.0.0.1:{self.dlx_monitor.port}",
        })

    def _consumer(self, name):
        return self._program(name, "consumer", "warren-consumer", {
            "handlers": self.handlers_path,
            "concurrency": 4,
            "no_handler_wait": "1s",
            "status_store_url": f"http://127.0.0.1:{self.status_store.port}",
        })

    def start(self):
        """Starts all programs, then waits until each is ready and knows the admin key."""
        for program in self.programs:
            program.start(ready=False)
        for program in self.programs:
            program.wait_ready(60)
        until(lambda: self.admin.request("GET", "/tenants").status_code == 200, 30,
              "the admin key known to the gateway")

    def add_consumer(self, **settings):
        """Adds and starts one more consumer."""
        program = self._consumer(f"consumer-{next(self._consumers)}")
        program.settings.update(settings)
        return program.start()

    def add_gateway(self, **settings):
        program = self._gateway(f"gateway-{next(self._gateways)}")
        program.settings.update(settings)
        return program.start()

    def add_status_store(self, **settings):
        """Adds a replica with its own database; it is not the primary."""
        name = f"status-store-{len(self.programs)}"
        program = self._program(name, "status-store", "warren-status-store", {
            "port": free_port(),
            "database": self.folder / f"{name}.db",
        })
        program.settings.update(settings)
        return program.start()

    @property
    def url(self):
        return f"http://127.0.0.1:{self.gateway.port}"

    @property
    def admin_key(self):
        """The key that the primary makes at its first start."""
        if self._admin_key is None:
            self._admin_key = (self.folder / "admin.key").read_text(encoding="utf-8").strip()
        return self._admin_key

    @property
    def admin(self):
        """An API client with the admin key."""
        return Api(self.url, self.admin_key)

    def anonymous(self):
        return Api(self.url, None)

    def api_at(self, gateway, tenant="acme"):
        """The tenant's client, but through another gateway."""
        return Api(f"http://127.0.0.1:{gateway.port}", self.tenant(tenant).key, tenant)

    def tenant(self, name="acme", **limits):
        """The tenant of that name, created if it does not exist, without a rate or running limit unless given."""
        if name not in self.tenants:
            limits.setdefault("rate", "unlimited")
            limits.setdefault("max_running", "unlimited")
            self.tenants[name] = Tenant(self, name, self.admin.create_tenant(name, **limits))
            self._await_key(self.tenants[name])
        tenant = self.tenants[name]
        assert tenant.amqp or not limits.get("amqp_login"), f"{name} was made without a login before"
        return tenant

    def _await_key(self, tenant):
        """Waits for the key: a gateway knows it a moment after it was made."""
        until(lambda: tenant.api.request("GET", "/jobs?limit=1").status_code == 200, 30,
              f"the key of {tenant.name} known to the gateway")

    @property
    def api(self):
        """The client of tenant acme."""
        return self.tenant("acme").api

    def pika(self, login="warren-admin"):
        """A pika connection to this Warren's vhost by any of the service logins."""
        return self.broker.pika(self.vhost, login)

    def depth(self, queue):
        return self.broker.depth(self.vhost, queue)

    def held(self):
        """How many deliveries the first consumer holds."""
        return int(self.consumer.metrics()["warren_deliveries_held"])

    def end(self):
        """Stops everything; fails when a program did not end well, left a child or a report."""
        order = [self.consumer, self.gateway, self.dlx_monitor, self.status_store]
        others = [program for program in self.programs if program not in order]
        problems = [problem for problem in (program.end() for program in others + order) if problem]
        self.broker.management("DELETE", f"/api/vhosts/{self.vhost}")
        assert not problems, "\n".join(problems)


def default_handlers(bin=BIN):
    """The handlers of tests without their own: noop, echo, sleep and fail of plugin basic, quick retries."""
    return {
        "plugins": {"basic": {"file": str(bin.parent / "handlers/basic.so")}},
        "defaults": {"timeout": "30s",
                     "retry": {"base": "100ms", "factor": 2, "cap": "1s", "jitter": 0}},
        "types": {
            "noop": {"plugin": "basic", "handler": "noop"},
            "echo": {"plugin": "basic", "handler": "echo"},
            "sleep": {"plugin": "basic", "handler": "sleep"},
            "fail": {"plugin": "basic", "handler": "fail"},
            "word_count": {"exec": ["/usr/bin/python3", str(ROOT / "examples/word_count.py")]},
        },
    }
