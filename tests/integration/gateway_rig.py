# SPDX-License-Identifier: Apache-2.0
"""A gateway on a private broker: control records come from here, and the services behind it are
played by a small HTTP server that remembers what it was asked."""
import hashlib
import http.server
import json
import os
import pathlib
import secrets
import signal
import string
import subprocess
import threading
import time

import pika
import requests

ROOT = pathlib.Path(__file__).resolve().parents[2]
BIN = pathlib.Path(os.environ.get("WARREN_BIN", ROOT / "build" / "bin"))
LANES = ("low", "medium", "high", "critical", "long")


def wait_for(condition, what, seconds=30):
    """The condition's first true value; fails when it does not come in time."""
    deadline = time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            return value
        assert time.monotonic() < deadline, f"{what}: not within {seconds} s"
        time.sleep(0.02)


class Node:
    """A private broker in a folder, with Warren's topology and accounts."""

    def __init__(self, folder):
        self.folder = folder
        self.run("start")
        text = (folder / "node.env").read_text(encoding="utf-8")
        self.env = {name: value.strip("'") for name, value in
                    (line.split("=", 1) for line in text.splitlines())}
        self.port = int(self.env["WARREN_AMQP_PORT"])
        self.passwords = folder / "accounts"
        self.passwords.mkdir(exist_ok=True)
        admin = (folder / "warren-admin.password").read_text(encoding="utf-8").strip()
        self.admin = admin
        self.drive("apply")
        self.drive("accounts", str(self.passwords))

    def run(self, command, *arguments):
        subprocess.run([ROOT / "rabbitmq" / "node", command, self.folder, *arguments],
                       check=True, stdout=subprocess.DEVNULL, timeout=180)

    def drive(self, *arguments):
        env = dict(os.environ, TOPOLOGY_URLS=f"amqp://127.0.0.1:{self.port}/warren",
                   TOPOLOGY_MANAGEMENT=f"http://127.0.0.1:{self.env['WARREN_MANAGEMENT_PORT']}",
                   TOPOLOGY_VHOST="warren", TOPOLOGY_LOGIN="warren-admin",
                   TOPOLOGY_PASSWORD=self.admin)
        subprocess.run([BIN / "topology_driver", *arguments], check=True, env=env, timeout=120)

    def password_file(self, login):
        if login == "warren-admin":
            return self.folder / "warren-admin.password"
        return next(p for p in self.passwords.iterdir() if p.name.startswith(login))

    def connect(self, login="warren-admin"):
        password = self.password_file(login).read_text(encoding="utf-8").strip()
        return pika.BlockingConnection(pika.ConnectionParameters(
            "127.0.0.1", self.port, "warren", pika.PlainCredentials(login, password)))


class Service(http.server.ThreadingHTTPServer):
    """Plays a service behind the gateway: `answers` maps (method, path) to (status, body)."""

    daemon_threads = True

    def __init__(self):
        self.asked = []
        self.answers = {}
        super().__init__(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server_address[1]}"
        threading.Thread(target=self.serve_forever, daemon=True).start()


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def answer(self):
        path, _, query = self.path.partition("?")
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.server.asked.append({"method": self.command, "path": path, "query": query,
                                  "headers": dict(self.headers), "body": body})
        status, answer = self.server.answers.get((self.command, path), (200, {"path": path}))
        data = b"" if answer is None else json.dumps(answer).encode()
        kind = "application/problem+json" if status >= 400 else "application/json"
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(data)))
        if status in (429, 503):
            self.send_header("Retry-After", "7")
        self.end_headers()
        self.wfile.write(data)

    do_GET = do_POST = do_PATCH = do_DELETE = answer  # noqa: N815

    def log_message(self, *arguments):
        pass


class Gateway:
    """The program, with settings of its own."""

    def __init__(self, node, folder, status_store, dlx_monitor, **settings):
        self.folder = folder
        token = folder / "internal.token"
        token.touch(mode=0o600)
        token.write_text("internal-secret\n", encoding="utf-8")
        self.log = open(folder / f"gateway-{secrets.token_hex(4)}.log", "w+b")
        chosen = {"amqp_urls": f"amqp://127.0.0.1:{node.port}/warren",
                  "amqp_password_file": node.password_file("warren-gateway"),
                  "internal_token_file": token, "status_store_url": status_store.url,
                  "dlx_monitor_url": dlx_monitor.url, "port": 0, "health_port": 0, **settings}
        arguments = [f"--{name}={value}" for name, value in chosen.items()]
        self.process = subprocess.Popen([BIN / "warren-gateway", *arguments], stderr=self.log)
        ports = wait_for(lambda: self.lines("listening"), "gateway listens")[0]
        self.url = f"http://127.0.0.1:{ports['port']}"
        self.health = f"http://127.0.0.1:{ports['health_port']}"

    def lines(self, message=None):
        assert self.process.poll() in (None, 0), self.text()
        found = [json.loads(line) for line in self.text().splitlines() if line.startswith("{")]
        return [line for line in found if message in (None, line["msg"])]

    def text(self):
        return pathlib.Path(self.log.name).read_text(encoding="utf-8", errors="replace")

    def is_ready(self):
        return requests.get(self.health + "/readyz", timeout=10).status_code == 200

    def wait_ready(self):
        wait_for(self.is_ready, "gateway is ready", 60)
        return self

    def stop(self):
        """SIGTERM; the exit status."""
        self.process.send_signal(signal.SIGTERM)
        status = self.process.wait(timeout=60)
        assert "ERROR: AddressSanitizer" not in self.text(), self.text()
        assert "ERROR: LeakSanitizer" not in self.text(), self.text()
        self.log.close()
        return status


class Control:
    """Publishes control records as the primary would."""

    def __init__(self, node):
        self.node = node
        self.versions = {}

    def publish(self, record):
        version = self.versions.get(record["key"], 0) + 1
        self.versions[record["key"]] = version
        connection = self.node.connect("warren-provision")
        channel = connection.channel()
        channel.confirm_delivery()
        body = json.dumps(dict(record, v=version))
        channel.basic_publish("control", "", body, pika.BasicProperties(
            user_id="warren-provision", content_type="application/json", delivery_mode=2))
        connection.close()

    def tenant(self, name, **settings):
        if name not in self.versions:
            self.node.drive("tenant", name)
        record = {"record": "tenant", "key": name, "rate": None, "burst": 10, "max_running": None,
                  "slots_version": 0, "max_pending": 100000, "weight": 1, "paused": False,
                  "deleted": False}
        self.publish(dict(record, **settings))

    def key(self, tenant, scopes, **settings):
        """A new key's text."""
        alphabet = string.ascii_letters + string.digits
        ident = "".join(secrets.choice(string.ascii_lowercase + string.digits) for _ in range(8))
        secret = "".join(secrets.choice(alphabet) for _ in range(43))
        self.publish(dict({"record": "apikey", "key": ident, "tenant": tenant,
                           "sha256": hashlib.sha256(secret.encode()).hexdigest(),
                           "scopes": scopes, "expires": None, "revoked": False}, **settings))
        return f"wk_{ident}_{secret}"


def drain(channel, tenant):
    """All messages that wait in a tenant's queues."""
    found = []
    for lane in LANES:
        while True:
            method, properties, body = channel.basic_get(f"jobs.{tenant}.{lane}", auto_ack=True)
            if method is None:
                break
            found.append((lane, properties, body))
    return found
