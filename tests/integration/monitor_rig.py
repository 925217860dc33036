# SPDX-License-Identifier: Apache-2.0
"""A dlx-monitor alone, and burials as the consumer sends them."""
import contextlib
import http.server
import json
import pathlib
import sqlite3
import threading
import time
import uuid

import pika
import requests

from harness.broker import BIN
from harness.processes import Program
from harness.until import until
from harness.warren import free_port

TOKEN = "internal-token-of-the-test"


class Primary(http.server.ThreadingHTTPServer):
    """Stands in for the primary status-store: grants runs as it does. `status`: of its answers."""

    daemon_threads = True

    def __init__(self):
        self.status = 200
        self.granted = {}
        self.guard = threading.Lock()
        super().__init__(("127.0.0.1", 0), Grants)
        self.url = f"http://127.0.0.1:{self.server_address[1]}"
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def grant(self, asked):
        job = (asked["tenant"], asked["id"])
        with self.guard:
            known = self.granted.setdefault(job, {})
            if asked["holder"] not in known:
                known[asked["holder"]] = {"run": 1 + max([asked["after"], *(g["run"] for g in known.values())]),
                                          "copy": int(time.time() * 1000) * 1024}
            return known[asked["holder"]]


class Grants(http.server.BaseHTTPRequestHandler):
    def do_POST(self):  # noqa: N802
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        assert (self.path, self.headers["Authorization"]) == ("/internal/v1/runs", f"Bearer {TOKEN}")
        data = json.dumps(self.server.grant(asked) if self.server.status == 200 else {}).encode()
        self.send_response(self.server.status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *arguments):
        pass


class Monitor:
    """A dlx-monitor alone on a vhost; the test publishes the tenants on `control`."""

    def __init__(self, broker, folder):
        self.broker = broker
        self.vhost = broker.vhost()
        self.folder = pathlib.Path(folder)
        token = self.folder / "internal.token"
        token.touch(mode=0o600)
        token.write_text(TOKEN + "\n", encoding="utf-8")
        self.archive = self.folder / "archive.db"
        self.primary = Primary()
        self.program = Program("dlx-monitor", folder, BIN / "warren-dlx-monitor", {
            "amqp_urls": broker.url(self.vhost),
            "amqp_password_file": broker.secrets / "warren-dlx-monitor.password",
            "internal_token_file": token,
            "archive": self.archive,
            "status_store_url": self.primary.url,
            "port": free_port(),
            "health_port": free_port(),
        })

    def add_tenant(self, name):
        self.broker.topology(self.vhost, "tenant", name)
        self.say_tenant(name)

    def say_tenant(self, name, version=1, deleted=False):
        record = {"record": "tenant", "key": name, "v": version, "rate": None, "burst": 1,
                  "max_running": None, "slots_version": 0, "max_pending": None, "weight": 1,
                  "paused": False, "deleted": deleted}
        with self.broker.pika(self.vhost, "warren-provision") as connection:
            channel = connection.channel()
            channel.confirm_delivery()
            channel.basic_publish("control", "", json.dumps(record).encode(),
                                  pika.BasicProperties(user_id="warren-provision", delivery_mode=2))

    def request(self, method, path, tenant="*", **options):
        headers = {"Authorization": f"Bearer {TOKEN}", **options.pop("headers", {})}
        return requests.request(method, f"http://127.0.0.1:{self.program.port}/internal/v1{path}",
                                params={"tenant": tenant, **options.pop("params", {})},
                                headers=headers, timeout=60, **options)

    def letters(self, tenant="*", **filters):
        answer = self.request("GET", "/dlq", tenant, params=filters)
        assert answer.status_code == 200, answer.text
        return answer.json()["letters"]

    def letter(self, id):
        answer = self.request("GET", f"/dlq/{id}")
        assert answer.status_code == 200, answer.text
        return answer.json()

    def stored(self, id):
        """(properties, body) as stored in the archive."""
        with contextlib.closing(sqlite3.connect(self.archive)) as db:
            return db.execute("SELECT c.properties, c.body FROM letters l JOIN contents c"
                              " ON c.seq = l.seq WHERE l.id = ?", (id,)).fetchone()

    def publish(self, exchange, key, body, properties, login="warren-admin"):
        with self.broker.pika(self.vhost, login) as connection:
            channel = connection.channel()
            channel.confirm_delivery()
            channel.basic_publish(exchange, key, body, properties)

    def take(self, queue):
        """The next message of a queue: (method, properties, body)."""
        with self.broker.pika(self.vhost) as connection:
            channel = connection.channel()

            def got():
                found = channel.basic_get(queue, auto_ack=True)
                return found if found[0] is not None else None

            return until(got, 30, f"a message in {queue}")


def burial(id=None, **headers):
    """Properties of a burial by the consumer; the user_id warren-admin counts as a service's."""
    merged = {"x-run": 1, "x-attempt": 4, "x-reason": "exhausted", "x-error": "boom",
              "x-error-kind": "error", "x-burial": str(uuid.uuid4()), **headers}
    return pika.BasicProperties(
        message_id=id or str(uuid.uuid4()), type="echo", content_type="application/json",
        delivery_mode=2, user_id="warren-admin", timestamp=1732250000,
        headers={name: value for name, value in merged.items() if value is not None})


def one_letter(monitor, **filters):
    return until(lambda: monitor.letters(**filters), 30, f"a letter with {filters}")[0]


def archived_jobs(monitor):
    with contextlib.closing(sqlite3.connect(monitor.archive, timeout=30)) as db:
        return db.execute("SELECT job_id FROM letters").fetchall()
