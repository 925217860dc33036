# SPDX-License-Identifier: Apache-2.0
"""Lists by several values, their members and counts; searches for a text; jobs found by what names them."""
import concurrent.futures
import json

import pytest

from harness.status_rig import StatusStore, now_ms, uuid7

BORN = 1_700_000_000_000
TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
MEMBERS = {"id", "tenant", "type", "status", "created_at"}


@pytest.fixture(scope="module")
def store(broker, tmp_path_factory):
    made = StatusStore(broker, tmp_path_factory.mktemp("find"), tenants=("acme", "other"), readers=4)
    made.start()
    yield made
    made.end()


@pytest.fixture(scope="module")
def jobs(store):
    """30 jobs of acme, the oldest first: a third each pending, completed, dead; of three types."""
    made = []
    for n in range(30):
        job = uuid7()
        store.stream.job(job, kind=f"kind-{n % 5 % 3}", lane=("low", "high")[n % 2],
                         payload=json.dumps({"needle": n}).encode(), x_submitted_at=BORN + n * 1000)
        if n % 3 == 1:
            store.stream.completed(job)
        if n % 3 == 2:
            store.stream.buried(job, kind=f"kind-{n % 5 % 3}", lane=("low", "high")[n % 2],
                                payload=json.dumps({"needle": n}).encode(), x_submitted_at=BORN + n * 1000)
        made.append(job)
    store.until_current()
    return made


def ids(store, **filters):
    return [job["id"] for job in store.jobs(tenant="acme", sort="created_at", created_before="2024-01-01T00:00:00Z",
                                            **filters)]


def test_several_values(store, jobs):
    assert ids(store, status="pending,dead") == [j for n, j in enumerate(jobs) if n % 3 != 1]
    assert ids(store, type="kind-0,kind-2") == [j for n, j in enumerate(jobs) if n % 5 % 3 != 1]
    assert ids(store, priority="high,critical", status="completed") == \
        [j for n, j in enumerate(jobs) if n % 2 == 1 and n % 3 == 1]
    assert ids(store, type="kind-0,kind-0,nothing", limit=2) == [j for n, j in enumerate(jobs) if n % 5 % 3 == 0]
    assert ids(store, status="running,cancelled") == []


@pytest.mark.parametrize("query", [
    {"status": "pending,lost"}, {"status": "pending,"}, {"priority": "low,4"}, {"type": "a,No Type"},
    {"type": ",".join(f"t{n}" for n in range(33))}, {"fields": "id,colour"}, {"fields": ""}, {"count": "yes"}])
def test_bad_values_are_named(store, query):
    answer = store.request("GET", "/jobs", params={"tenant": "*", **query})
    assert answer.status_code == 400, answer.text
    assert answer.json()["detail"].startswith(next(iter(query)))


def test_fields(store, jobs):
    page = store.get("/jobs", tenant="acme", fields="id,status", limit=3)
    assert all(set(job) == {"id", "status"} for job in page["jobs"]) and len(page["jobs"]) == 3
    whole = store.jobs(tenant="acme", sort="created_at", created_before="2024-01-01T00:00:00Z")[0]
    for name, value in whole.items():
        only = store.jobs(tenant="acme", sort="created_at", created_before="2024-01-01T00:00:00Z", fields=name)[0]
        assert only == {name: value}


def test_counts(store, jobs):
    def count(**filters):
        answer = store.get("/jobs", tenant="acme", limit=1, count="true", **filters)
        return answer["count"], answer["count_is_capped"]

    before = "2024-01-01T00:00:00Z"
    assert count(created_before=before) == (30, False)
    assert count(status="completed,dead") == (20, False)
    assert count(status="dead", type="kind-1") == (sum(n % 3 == 2 and n % 5 % 3 == 1 for n in range(30)), False)
    assert count(created_before=before, created_after="2023-11-14T22:13:25Z", status="pending") == (8, False)
    assert count(type="nothing") == (0, False)
    assert count(q="needle") == (None, False)
    assert "count" not in store.get("/jobs", tenant="acme", limit=1)


def test_search_says_how_far_and_goes_on(store, jobs):
    bound = {"tenant": "acme", "sort": "created_at", "created_before": "2024-01-01T00:00:00Z"}
    page = store.get("/jobs", q='"needle": 2', limit=1, **bound)
    assert [job["id"] for job in page["jobs"]] == [jobs[2]]
    assert page["search"]["jobs"] == 3 and not page["search"]["complete"]
    assert page["search"]["until"] == page["jobs"][0]["created_at"]
    rest = store.get("/jobs", q='"needle": 2', cursor=page["next_cursor"], **bound)
    assert [job["id"] for job in rest["jobs"]] == jobs[20:30]
    assert rest["search"]["complete"] and rest["next_cursor"] is None
    assert [job["id"] for job in store.jobs(q="it broke", **bound)] == jobs[2::3]
    assert "search" not in store.get("/jobs", **bound)


def test_searches_leave_readers(store):
    """With 4 readers one searches at a time, and others read meanwhile."""
    payload = json.dumps("x" * 200_000).encode()
    for _ in range(100):
        store.stream.job(uuid7(), tenant="other", payload=payload)
    store.until_current()

    def search(_):
        answer = store.request("GET", "/jobs", params={"tenant": "other", "q": "nothing"})
        return answer.status_code, answer.headers.get("Retry-After")

    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        answers = set()
        for _ in range(20):
            searches = pool.map(search, range(7))
            assert store.request("GET", "/jobs", params={"tenant": "other", "limit": 1}).status_code == 200
            answers |= set(searches)
            if len(answers) > 1:
                break
    assert answers == {(200, None), (503, "1")}


@pytest.fixture(scope="module")
def named(store):
    """Two jobs with a trace id and a key; the second is of another tenant."""
    made = [uuid7(), uuid7()]
    for job, tenant in zip(made, ("acme", "other")):
        store.stream.job(job, tenant=tenant, x_key="order-1", traceparent=f"00-{TRACE}-00f067aa0ba902b7-01")
    store.until_current()
    return made


def find(store, text, tenant="*"):
    answer = store.get("/lookup", q=text, tenant=tenant)
    assert answer["complete"]
    assert all(set(match["job"]) == MEMBERS for match in answer["matches"])
    return [(match["by"], match["job"]["id"]) for match in answer["matches"]]


def test_id(store, named):
    assert find(store, named[0]) == [("id", named[0])]
    assert find(store, named[0].upper()) == [("id", named[0])]
    assert find(store, named[0].replace("-", "")) == [("id", named[0])]
    assert find(store, uuid7()) == []


def test_prefix(store, named):
    for length in range(25, 36):
        assert find(store, named[0][:length]) == [("prefix", named[0])]
        assert find(store, named[0].replace("-", "")[:length - 4]) == [("prefix", named[0])]
    assert len(find(store, named[0][:6])) == 20  # of all the jobs of this file
    assert store.get("/lookup", tenant="*", q=named[0][:6])["more"] is True
    assert store.get("/lookup", tenant="*", q=named[0])["more"] is False


def test_trace(store, named):
    assert find(store, TRACE) == [("trace", job) for job in named[::-1]]
    assert find(store, f"00-{TRACE}-ffffffffffffffff-00") == [("trace", job) for job in named[::-1]]


def test_key(store, named):
    assert find(store, "order-1", "acme") == [("key", named[0])]
    assert find(store, "order-") == []


def test_another_tenants_jobs_are_not_found(store, named):
    assert find(store, named[1], "acme") == []
    assert find(store, named[1][:30], "acme") == []
    assert find(store, TRACE, "acme") == [("trace", named[0])]


@pytest.mark.parametrize("query", [{}, {"q": ""}, {"q": "x" * 256}, {"q": "x", "limit": "5"}])
def test_bad_lookups_are_refused(store, query):
    assert store.request("GET", "/lookup", params={"tenant": "*", **query}).status_code == 400


def test_a_job_is_found_after_its_key_came_with_a_later_message(store):
    """Its start is read first."""
    job = uuid7()
    store.stream.started(job, type="noop", submitted_at=now_ms(), traceparent=f"00-{'a' * 32}-00f067aa0ba902b7-01")
    store.until_current()
    assert find(store, "a" * 32) == [("trace", job)]
    store.stream.job(job, x_key="late", traceparent=f"00-{'a' * 32}-00f067aa0ba902b7-01")
    store.until_current()
    assert find(store, "late") == [("key", job)]
