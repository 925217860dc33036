# SPDX-License-Identifier: Apache-2.0
"""A gateway on a vhost of a broker. The rig publishes the control records; a small HTTP server stands in
for the services behind the gateway and records their requests. Also a caller with a key, and a check of
error answers."""
import hashlib
import http.server
import json
import pathlib
import secrets
import signal
import string
import subprocess
import threading

import pika
import requests

from harness.broker import BIN
from harness.until import until

JOBS = "/api/v1/jobs"
LANES = ("low", "medium", "high", "critical", "long")


class Place:
    """A vhost of a broker, with Warren's topology and accounts."""

    def __init__(self, broker):
        self.broker = broker
        self.vhost = broker.vhost()
        self.url = broker.url(self.vhost)

    def drive(self, *arguments):
        self.broker.topology(self.vhost, *arguments)

    def password_file(self, login):
        return self.broker.secrets / f"{login}.password"

    def connect(self, login="warren-admin"):
        return self.broker.pika(self.vhost, login)


class Service(http.server.ThreadingHTTPServer):
    """Stands in for a service behind the gateway: `answers` maps (method, path) to (status, body), or
    (status, body, headers). Status None: the connection ends without an answer."""

    daemon_threads = True

    def __init__(self):
        self.asked = []
        self.answers = {}
        self.connections = set()
        super().__init__(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server_address[1]}"
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def process_request(self, request, client_address):
        self.connections.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request):
        self.connections.discard(request)
        super().shutdown_request(request)


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def answer(self):
        path, _, query = self.path.partition("?")
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        if path != "/internal/v1/keys/used":  # comes all the time
            self.server.asked.append({"method": self.command, "path": path, "query": query,
                                      "headers": dict(self.headers), "body": body})
        default = {"unusable": []} if path == "/internal/v1/keys/used" else {"path": path}
        status, answer, *more = self.server.answers.get((self.command, path), (200, default))
        if status is None:
            self.close_connection = True
            return
        data = b"" if answer is None else json.dumps(answer).encode()
        kind = "application/problem+json" if status >= 400 else "application/json"
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(data)))
        if status in (429, 503) and answer.get("patience", True):
            self.send_header("Retry-After", "7")
        for name, value in dict(*more).items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(data)

    do_GET = do_POST = do_PATCH = do_DELETE = answer  # noqa: N815

    def log_message(self, *arguments):
        pass


class Gateway:
    """The program, with settings of its own."""

    def __init__(self, node, folder, status_store, dlx_monitor, prefix=(), **settings):
        self.folder = folder
        token = folder / "internal.token"
        token.touch(mode=0o600)
        token.write_text("internal-secret\n", encoding="utf-8")
        self.log = open(folder / f"gateway-{secrets.token_hex(4)}.log", "w+b")
        chosen = {"amqp_urls": node.url,
                  "amqp_password_file": node.password_file("warren-gateway"),
                  "internal_token_file": token, "status_store_url": status_store.url,
                  "dlx_monitor_url": dlx_monitor.url, "port": 0, "health_port": 0, **settings}
        arguments = [f"--{name}={value}" for name, value in chosen.items()]
        self.process = subprocess.Popen([*prefix, BIN / "warren-gateway", *arguments], stderr=self.log)
        ports = until(lambda: self.lines("listening"), what="gateway listens")[0]
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
        until(self.is_ready, 60, "gateway is ready")
        return self

    def stop(self):
        """Sends SIGTERM; returns the exit status."""
        self.process.send_signal(signal.SIGTERM)
        status = self.process.wait(timeout=60)
        assert "ERROR: AddressSanitizer" not in self.text(), self.text()
        assert "ERROR: LeakSanitizer" not in self.text(), self.text()
        self.log.close()
        return status


class Control:
    """Publishes control records as the primary status-store would."""

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
        """Publishes a new key; returns its text."""
        alphabet = string.ascii_letters + string.digits
        ident = "".join(secrets.choice(string.ascii_lowercase + string.digits) for _ in range(8))
        secret = "".join(secrets.choice(alphabet) for _ in range(43))
        self.publish(dict({"record": "apikey", "key": ident, "tenant": tenant,
                           "sha256": hashlib.sha256(secret.encode()).hexdigest(),
                           "scopes": scopes, "expires": None, "revoked": False}, **settings))
        return f"wk_{ident}_{secret}"


def drain(channel, tenant):
    """Takes all messages from a tenant's queues: (lane, properties, body)."""
    found = []
    for lane in LANES:
        while True:
            method, properties, body = channel.basic_get(f"jobs.{tenant}.{lane}", auto_ack=True)
            if method is None:
                break
            found.append((lane, properties, body))
    return found


class Caller(requests.Session):
    def __init__(self, gateway, key, **headers):
        super().__init__()
        self.base = gateway.url
        self.headers.update({"Authorization": f"Bearer {key}", **headers})

    def request(self, method, url, **arguments):
        return super().request(method, self.base + url, timeout=60, **arguments)

    def submit(self, body=None, **members):
        if body is None:
            return self.post(JOBS, json=dict({"type": "noop"}, **members))
        return self.post(JOBS, data=body, headers={"Content-Type": "application/json"})


def known(caller):
    """Waits until the gateway knows the caller's key."""
    until(lambda: caller.get(JOBS).status_code != 401, what="key known")
    return caller


def check_problem(answer, status, pointer=None, words=""):
    assert answer.status_code == status, answer.text
    assert answer.headers["Content-Type"] == "application/problem+json"
    problem = answer.json()
    assert problem["status"] == status and problem["title"]
    assert problem["trace_id"] == answer.headers["traceparent"].split("-")[1]
    assert words in problem["detail"], problem
    if pointer is not None:
        error, = problem["errors"]
        assert error["pointer"] == pointer, problem
        assert error["line"] >= 1 and error["column"] >= 1 and error["detail"]
    return problem
