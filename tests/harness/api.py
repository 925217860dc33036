# SPDX-License-Identifier: Apache-2.0
"""A client of the public HTTP API that shares no code with Warren."""
import datetime

import requests

from harness.until import until

ENDED = {"completed", "dead", "cancelled"}


def in_ms(ms):
    """A time, so many ms from now."""
    at = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(milliseconds=ms)
    return at.strftime("%Y-%m-%dT%H:%M:%S.") + f"{at.microsecond // 1000:03d}Z"


class Api:
    """Calls with one key. Methods return the JSON of a successful answer; `request` returns any answer."""

    def __init__(self, url, key, tenant=None):
        self.url = url
        self.key = key
        self.tenant = tenant
        self.session = requests.Session()
        self.session.trust_env = False
        if key:
            self.session.headers["Authorization"] = f"Bearer {key}"

    def request(self, method, path, **options):
        options.setdefault("timeout", 90)
        return self.session.request(method, self.url + "/api/v1" + path, **options)

    def _json(self, method, path, want, **options):
        answer = self.request(method, path, **options)
        assert answer.status_code == want, f"{method} {path}: {answer.status_code} {answer.text}"
        return answer.json() if answer.content else None

    def submit(self, type, payload=None, **members):
        """The body of the 202: submit("echo", {"a": 1}, priority="high", delay="1s")["id"]."""
        return self._json("POST", "/jobs", 202, json={"type": type, "payload": payload, **members})

    def get(self, id):
        return self._json("GET", f"/jobs/{id}", 200)

    def attempts(self, id):
        return self._json("GET", f"/jobs/{id}/attempts", 200)

    def wait(self, id, status=None, timeout=60):
        """Waits until the job has ended, or has that status (a name or a set of names); returns the job."""
        wanted = ENDED if status is None else {status} if isinstance(status, str) else set(status)

        def there():
            answer = self.request("GET", f"/jobs/{id}")
            job = answer.json() if answer.status_code == 200 else None
            seen[0] = job or answer.text
            return job if job and job["status"] in wanted else None

        seen = [None]
        try:
            return until(there, timeout, f"job {id} {sorted(wanted)}")
        except AssertionError as late:
            raise AssertionError(f"{late}; job: {seen[0]}") from None

    def run(self, type, payload=None, timeout=60, **members):
        """Submits and waits for the end."""
        return self.wait(self.submit(type, payload, **members)["id"], timeout=timeout)

    def list(self, **filters):
        return self._json("GET", "/jobs", 200, params=filters)

    def list_all(self, **filters):
        """Every page."""
        jobs, cursor = [], None
        while True:
            page = self.list(**filters, **({"cursor": cursor} if cursor else {}))
            jobs += page["jobs"]
            cursor = page["next_cursor"]
            if not cursor:
                return jobs

    def stats(self):
        return self._json("GET", "/stats", 200)

    def letters(self, **filters):
        return self._json("GET", "/dlq", 200, params=filters)["letters"]

    def letter(self, id):
        return self._json("GET", f"/dlq/{id}", 200)

    def requeue(self, id, **edits):
        return self._json("POST", f"/dlq/{id}/requeue", 202, json=edits)

    def create_tenant(self, name, **members):
        return self._json("POST", "/tenants", 201, json={"name": name, **members})

    def with_key(self, key):
        return Api(self.url, key)
