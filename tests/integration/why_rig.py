# SPDX-License-Identifier: Apache-2.0
"""Asks why a job waits, and brings about what keeps it."""
import calendar
import json
import time

import pika

from harness.until import until


def ask(whole, id, api=None):
    answer = (api or whole.api).request("GET", f"/jobs/{id}/why")
    assert answer.status_code == 200, answer.text
    return answer.json()


def await_code(whole, id, code, timeout=30, api=None, **evidence):
    """The first answer with that code, and these members of the evidence."""
    seen = {}  # the last answer of each code

    def there():
        answer = ask(whole, id, api)
        seen[answer["code"]] = answer
        has = all(answer["evidence"].get(name) == value for name, value in evidence.items())
        return answer if answer["code"] == code and has else None

    try:
        return until(there, timeout, f"{id} {code}", every=0.1)
    except AssertionError as late:
        raise AssertionError(f"{late}; seen: {seen}") from None


def await_end(whole, id):
    """The job has run, and its code says nothing any more."""
    job = whole.api.wait(id, timeout=60)
    answer = ask(whole, id)
    assert (answer["code"], answer["status"], answer["also"]) == (None, job["status"], [])
    return job


def seconds(text):
    """An RFC 3339 time of the API, in seconds since the epoch."""
    return calendar.timegm(time.strptime(text[:19], "%Y-%m-%dT%H:%M:%S")) + float(text[19:-1])


def pause_type(whole, key, paused, v):
    """Publishes the record of a pause, as the primary does."""
    record = {"record": "pause", "key": key, "v": v, "paused": paused,
              "paused_at": time.time_ns() // 1_000_000, "by": "key test0000"}
    with whole.pika("warren-provision") as connection:
        channel = connection.channel()
        channel.confirm_delivery()
        channel.basic_publish("control", "", json.dumps(record), pika.BasicProperties(
            user_id="warren-provision", content_type="application/json", delivery_mode=2))


def pause_tenant(whole, tenant, verb):
    """verb: pause or resume, at the primary."""
    token = (whole.folder / "internal.token").read_text(encoding="utf-8").strip()
    answer = whole.admin.session.post(
        f"http://127.0.0.1:{whole.status_store.port}/internal/v1/tenants/{tenant}/{verb}?tenant=*",
        headers={"Authorization": f"Bearer {token}", "Content-Type": "application/json"}, timeout=30)
    assert answer.status_code in (200, 202), answer.text
