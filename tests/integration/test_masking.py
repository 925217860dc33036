# SPDX-License-Identifier: Apache-2.0
"""Members named like secrets: in no way in which a payload can be read does a key see them that may not
operate."""
import base64
import json
import pathlib
import re
import uuid

import pika
import pytest

from harness.broker import ROOT
from harness.until import until

SECRET = f"hidden-{uuid.uuid4().hex}"
OPEN = f"open-{uuid.uuid4().hex}"
# Ways to write a secret into a payload. Each is shown whole to those who may operate.
CORPUS = [
    {"password": SECRET, "a": OPEN},
    {"dbPassword": SECRET, "a": OPEN},
    {"deep": [{"X-Api-Key": [SECRET, {"b": SECRET}]}], "a": OPEN},
    {"client_secret": {"any": {"thing": SECRET}}, "a": OPEN},
    {"Authorization": f"Bearer {SECRET}", "tokens": [SECRET], "a": OPEN},
    {"api key": SECRET, "my.token": {SECRET: 1}, "a": OPEN},
]


def read_routes():
    """The paths of the gateway's table that are read."""
    text = (pathlib.Path(ROOT) / "gateway/routes.c").read_text(encoding="utf-8")
    found = re.findall(r'READ\("([^"]+)"', text)
    assert len(found) > 20
    return found


class Place:
    """A tenant with jobs of the corpus: done, dead, and two whose payload is no JSON: one that a consumer
    found malformed, and one that the broker buried unread."""

    def __init__(self, warren):
        self.warren = warren
        tenant = warren.tenant("acme", amqp_login=True)
        self.operator = self.with_scopes("read", "operate")
        self.reader = self.with_scopes("read")
        api = tenant.api
        self.done = [api.run("echo", payload)["id"] for payload in CORPUS]
        self.dead = [api.run("fail", payload, max_retries=0)["id"] for payload in CORPUS]
        self.publish_broken(tenant)
        until(lambda: len(self.letters()) == len(CORPUS) + 1, 60, "all letters but one")
        assert warren.consumer.stop() == 0
        self.publish_broken(tenant, expiration="1")
        (self.unread,) = until(lambda: self.operator.letters(reason="expired"), 60, "the letter that nobody read")
        warren.consumer.start()
        (self.broken,) = [letter["job_id"] for letter in self.letters() if letter["reason"] == "malformed"]

    def with_scopes(self, *scopes):
        made = self.warren.admin.request("POST", "/tenants/acme/keys", json={"scopes": scopes})
        assert made.status_code == 201, made.text
        api = self.warren.api.with_key(made.json()["key"])
        until(lambda: api.request("GET", "/jobs?limit=1").status_code == 200, 30, "the key is known")
        return api

    def publish_broken(self, tenant, **properties):
        with tenant.pika() as connection:
            connection.channel().basic_publish(
                "jobs.acme", "medium", b'{"token": "' + SECRET.encode(),
                pika.BasicProperties(message_id=str(uuid.uuid4()), type="echo", delivery_mode=2,
                                     content_type="application/json", **properties))

    def letters(self):
        return self.operator.letters(limit=100)

    def fill(self, pattern):
        """Every path that a pattern stands for here."""
        path = pattern.removeprefix("/api/v1")
        values = {"/jobs/{id}": [*self.done, *self.dead, self.broken],
                  "/dlq/{id}": [letter["id"] for letter in self.letters()]}
        for begin, ids in values.items():
            if path.startswith(begin):
                return [path.replace("{id}", id) for id in ids]
        filled = path.replace("{t}", "acme").replace("{type}", "echo").replace("{id}", str(uuid.uuid4()))
        return [filled]


@pytest.fixture(scope="module")
def place(warren):
    return Place(warren)


QUERIES = ["", "?limit=100", "?fields=id,payload,result", f"?q={OPEN}", f"?q={SECRET}", "?q=token",
           f"?q={SECRET[:10]}", "?status=dead", "?minutes=5", "?tenant=acme"]


def shows_secret(answer):
    text = answer.text + json.dumps(dict(answer.headers))
    encoded = base64.b64encode(b'{"token": "' + SECRET.encode())[:-4].decode()
    return SECRET in text or encoded in text or "payload_base64" in text


@pytest.mark.parametrize("pattern", read_routes())
def test_no_way_shows_it(place, pattern):
    if pattern in ("/api/v1/session", "/healthz", "/readyz"):
        return
    for path in place.fill(pattern):
        for query in QUERIES:
            answer = place.reader.request("GET", path + query)
            assert not shows_secret(answer), f"{path}{query}: {answer.text[:400]}"
            assert answer.status_code != 400 or "mask" not in answer.text, f"{path}{query}: {answer.text}"


def test_those_who_operate_see_it(place):
    for id, payload in zip(place.done, CORPUS, strict=True):
        job = place.operator.get(id)
        assert job["payload"] == payload and job["result"] == payload and "masked" not in job
    for id, payload in zip(place.dead, CORPUS, strict=True):
        (letter,) = place.operator.letters(job=id)
        assert place.operator.letter(letter["id"])["payload"] == payload
    assert SECRET in place.operator.request("GET", f"/jobs/{place.done[0]}/payload").text


def test_all_else_stays(place):
    job = place.reader.get(place.done[0])
    assert job["payload"] == job["result"] == {"password": "***", "a": OPEN} and job["masked"] == 2
    (letter,) = place.reader.letters(job=place.dead[2])
    shown = place.reader.letter(letter["id"])
    assert shown["payload"] == {"deep": [{"X-Api-Key": "***"}], "a": OPEN} and shown["masked"] == 1


def test_payload(place):
    answer = place.reader.request("GET", f"/jobs/{place.done[4]}/payload")
    assert answer.status_code == 200, answer.text
    assert answer.json() == {"Authorization": "***", "tokens": "***", "a": OPEN}
    assert answer.headers["Warren-Masked"] == "2"
    head = place.reader.request("HEAD", f"/jobs/{place.done[4]}/payload")
    assert head.status_code == 200 and head.headers["Warren-Masked"] == "2"


def test_search_is_no_oracle(place):
    for q in (SECRET, SECRET[:9]):
        assert place.reader.list(q=q)["jobs"] == []
        assert place.reader.letters(q=q) == []
        assert place.reader.request("GET", f"/dlq/groups?q={q}").json()["groups"] == []
        assert len(place.operator.list(q=q, limit=100)["jobs"]) >= len(CORPUS)
        assert len(place.operator.letters(q=q)) == len(CORPUS) + 2
        assert place.operator.request("GET", f"/dlq/groups?q={q}").json()["groups"]
    assert len(place.reader.letters(q=OPEN)) == len(CORPUS)


def test_not_json(place):
    (letter,) = place.reader.letters(job=place.broken)
    shown = place.reader.letter(letter["id"])
    assert shown["payload"] is None and "payload_base64" not in shown
    assert shown["error"] is None and shown["masked"] == 2, "the error quotes the payload"
    assert "payload_base64" in place.operator.letter(letter["id"])
    until(lambda: place.operator.request("GET", f"/jobs/{place.broken}").status_code == 200, 30, "the job")
    assert place.reader.request("GET", f"/jobs/{place.broken}/payload").status_code == 403


def test_the_broker_buried_it_unread(place):
    shown = place.reader.letter(place.unread["id"])
    assert shown["error"] is None and shown["payload"] is None and shown["masked"] == 2
    whole = place.operator.letter(place.unread["id"])
    assert "near" in whole["error"] and "payload_base64" in whole and "masked" not in whole


@pytest.mark.parametrize("query", ["?mask=", "?mask=nothing"])
@pytest.mark.parametrize("path", ["/jobs", "/dlq", "/stats"])
def test_a_client_cannot_unmask(place, path, query):
    assert place.reader.request("GET", path + query).status_code == 400


@pytest.mark.parametrize("words, shown", [("colour", ["password"]), ("none", ["password", "colour"]),
                                          ("PASS_word,Colour", [])])
def test_setting(place, words, shown):
    gateway = place.warren.add_gateway(mask_members=words)
    reader = place.reader.with_key(place.reader.key)
    reader.url = f"http://127.0.0.1:{gateway.port}"
    id = place.warren.api.run("echo", {"password": "a", "colour": "b"})["id"]
    until(lambda: reader.request("GET", f"/jobs/{id}").status_code == 200, 30, "the key is known")
    # That it completed may be known before its submission is.
    payload = until(lambda: reader.get(id)["payload"], 30, "the payload")
    assert [name for name, value in payload.items() if value != "***"] == shown
