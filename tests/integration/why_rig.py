# SPDX-License-Identifier: Apache-2.0
"""Asks why a job waits, and brings about what keeps it."""
import calendar
import time

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


def await_end(whole, id, api=None):
    """The job has run, and its code says nothing any more."""
    job = (api or whole.api).wait(id, timeout=60)
    answer = ask(whole, id, api)
    assert (answer["code"], answer["status"], answer["also"]) == (None, job["status"], [])
    return job


def seconds(text):
    """An RFC 3339 time of the API, in seconds since the epoch."""
    return calendar.timegm(time.strptime(text[:19], "%Y-%m-%dT%H:%M:%S")) + float(text[19:-1])
