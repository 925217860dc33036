# SPDX-License-Identifier: Apache-2.0
"""A status-store that answers but has not read the event stream to its end: its answers decide nothing
that cannot be undone."""
import contextlib
import http.server
import json
import threading
import time

import pika
import pytest
import requests

from harness.behind import behind
from harness.events import Events
from harness.until import until


def checked(warren, verdict):
    return warren.consumer.metrics().sum("warren_duplicates_checked_total", verdict=verdict)


def delivered_again(warren, id, **headers):
    """Publishes the job's message once more, as a service does after a lost confirm."""
    with warren.pika("warren-gateway") as connection:
        channel = connection.channel()
        channel.confirm_delivery()
        channel.basic_publish("jobs.acme", "medium", json.dumps("once").encode(),
                              pika.BasicProperties(
                                  message_id=id, type="echo", content_type="application/json",
                                  delivery_mode=2, user_id="warren-gateway",
                                  headers={"x-again": 1, "x-queued-at": int(time.time() * 1000),
                                           **headers}))


def end_and_forget(warren):
    """Lets a job end, and restarts the consumer so that it does not remember the job; returns its id."""
    id = warren.api.submit("echo", "once")["id"]
    events = Events(warren)
    events.until(lambda: events.of(id, "completed"), what="completed")
    events.close()
    warren.consumer.restart()
    return id


def starts(warren, id):
    """How often the job was started, counted once a later job has ended."""
    marker = warren.api.run("noop")["id"]
    events = Events(warren)
    events.until(lambda: events.of(marker, "completed"), what="the marker")
    events.close()
    return len(events.of(id, "started"))


def test_a_tenant_with_jobs_not_yet_known_is_not_deleted(fresh_warren):
    warren = fresh_warren
    api = warren.api
    with behind(warren.status_store):
        id = api.submit("noop", delay="1h")["id"]
        refused = warren.admin.request("DELETE", "/tenants/acme")
        assert refused.status_code == 503, refused.text
        assert int(refused.headers["Retry-After"]) >= 1
        assert "force" in refused.json()["detail"]
        assert warren.admin.request("GET", "/tenants/acme").status_code == 200
        assert warren.admin.request("DELETE", "/tenants/nobody").status_code == 404
    refused = warren.admin.request("DELETE", "/tenants/acme")
    assert refused.status_code == 409, refused.text
    assert api.wait(id, "scheduled")["status"] == "scheduled"
    assert warren.admin.request("DELETE", "/tenants/acme?force=true").status_code == 204


def test_force_waits_for_nothing(fresh_warren):
    fresh_warren.tenant("acme")
    with behind(fresh_warren.status_store):
        answer = fresh_warren.admin.request("DELETE", "/tenants/acme?force=true")
        assert answer.status_code == 204, answer.text


def test_a_tenant_without_jobs_is_deleted_as_soon_as_that_is_known(fresh_warren):
    fresh_warren.api.run("noop")
    answer = fresh_warren.admin.request("DELETE", "/tenants/acme")
    assert answer.status_code == 204, answer.text


def test_no_job_runs_twice_because_its_end_is_not_folded_yet(fresh_warren):
    warren = fresh_warren
    warren.tenant("acme")
    with behind(warren.status_store):
        id = end_and_forget(warren)
        delivered_again(warren, id)
        until(lambda: checked(warren, "behind") >= 2, 60, "it hops, and is asked about again")
    until(lambda: checked(warren, "dropped") == 1, 60, "dropped")
    assert starts(warren, id) == 1
    assert warren.depth("jobs.acme.medium") == 0


def test_a_store_that_goes_on_does_not_answer_from_before(fresh_warren):
    """The store was suspended; the events published meanwhile are not folded yet when it gets the
    question."""
    warren = fresh_warren
    warren.tenant("acme")
    warren.status_store.hang()
    id = end_and_forget(warren)
    delivered_again(warren, id)
    warren.status_store.go_on()
    until(lambda: checked(warren, "dropped") == 1, 60, "dropped")
    assert starts(warren, id) == 1


@pytest.mark.parametrize("first", ["behind", "away"])
def test_the_next_store_is_asked(make_warren, first):
    warren = make_warren()
    warren.tenant("acme")
    replica = warren.add_status_store()
    if first == "behind":
        urls = (warren.status_store.port, replica.port)
    else:
        urls = (1, replica.port)
    warren.consumer.settings["status_store_url"] = ", ".join(
        f"http://127.0.0.1:{port}" for port in urls)
    with behind(warren.status_store):
        id = end_and_forget(warren)
        delivered_again(warren, id)
        until(lambda: checked(warren, "dropped") == 1, 60, "dropped")
        assert checked(warren, "behind") == 0
    assert starts(warren, id) == 1


def test_while_one_is_behind_and_one_is_away_it_waits(make_warren):
    warren = make_warren()
    warren.tenant("acme")
    warren.consumer.settings["status_store_url"] = \
        f"http://127.0.0.1:1,http://127.0.0.1:{warren.status_store.port}"
    with behind(warren.status_store):
        id = end_and_forget(warren)
        delivered_again(warren, id)
        until(lambda: checked(warren, "behind") >= 1, 60, "it hops")
    until(lambda: checked(warren, "dropped") == 1, 60, "dropped")
    assert starts(warren, id) == 1


class Front(http.server.ThreadingHTTPServer):
    """Passes calls on to a status-store; when `status` is set, answers all of them with it."""

    daemon_threads = True

    def __init__(self, store):
        self.store = f"http://127.0.0.1:{store.port}"
        self.status = None
        super().__init__(("127.0.0.1", 0), FrontHandler)


class FrontHandler(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        status, answer = self.server.status, b"{}"
        if status is None:
            headers = {name: self.headers[name] for name in ("Authorization", "Content-Type")}
            given = requests.post(self.server.store + self.path, body, headers=headers, timeout=30)
            status, answer = given.status_code, given.content
        self.send_response(status)
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, *_):
        pass


@contextlib.contextmanager
def in_front_of(store):
    front = Front(store)
    threading.Thread(target=front.serve_forever, daemon=True).start()
    yield front
    front.shutdown()
    front.server_close()


@pytest.mark.parametrize("status", [500, 503])
def test_a_store_too_busy_to_answer_is_not_away(make_warren, status):
    """A job that has ended is not run again, however long the answer takes."""
    warren = make_warren()
    warren.tenant("acme")
    with in_front_of(warren.status_store) as front:
        warren.consumer.settings["status_store_url"] = f"http://127.0.0.1:{front.server_port}"
        id = end_and_forget(warren)
        front.status = status
        delivered_again(warren, id)
        until(lambda: checked(warren, "behind") >= 2, 60, "it hops, and is asked about again")
        front.status = None
        until(lambda: checked(warren, "dropped") == 1, 60, "dropped")
        assert starts(warren, id) == 1
        assert warren.consumer.stop() == 0
