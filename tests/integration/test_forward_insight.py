# SPDX-License-Identifier: Apache-2.0
"""Answers of the status-store to which the gateway adds what it knows: of its broker, of rates."""
import pytest

from gateway_rig import Caller, check_problem, known

ID = "0190aaaa-bbbb-7ccc-8ddd-eeeeeeeeeeee"
WHY = f"/internal/v1/jobs/{ID}/why"


@pytest.fixture(scope="module")
def caller(gateway, control):
    control.tenant("acme", rate={"count": 10, "per": "1m"}, burst=4)
    control.tenant("free")
    return known(Caller(gateway, control.key("acme", ["read", "operate"])))


def test_why_is_asked_with_the_state_of_the_broker(caller, services):
    services[0].answers["GET", WHY] = (200, {"code": "behind", "text": "3 jobs of its tenant are ahead of it"})
    for _ in range(3):
        answer = caller.get(f"/api/v1/jobs/{ID}/why")
        assert (answer.status_code, answer.json()["code"]) == (200, "behind")
        assert services[0].asked[-1]["path"] == WHY
        assert services[0].asked[-1]["query"] == "tenant=acme&broker=up"


def test_what_the_gateway_adds_cannot_be_given(caller):
    check_problem(caller.get(f"/api/v1/jobs/{ID}/why?broker=down"), 400, words="broker")
    assert caller.get(f"/api/v1/jobs/{ID}/why?tenant=other").status_code == 403


def test_a_problem_of_why_is_passed_on(caller, services):
    services[0].answers["GET", WHY] = (404, {"type": "about:blank", "title": "Not Found", "status": 404,
                                             "detail": "there is no such job"})
    answer = caller.get(f"/api/v1/jobs/{ID}/why")
    assert (answer.status_code, answer.json()["detail"]) == (404, "there is no such job")
    assert answer.json()["instance"] == f"/api/v1/jobs/{ID}/why"


def test_queues_get_what_is_left_of_the_rates(caller, services):
    lanes = [{"lane": "high", "ready": 2, "running": 0, "waiting": 2, "oldest_at": None}]
    services[0].answers["GET", "/internal/v1/queues"] = (200, {
        "queues": [{"tenant": "acme", "lanes": lanes, "starts_per_second": 0.25},
                   {"tenant": "free", "lanes": []}, {"tenant": "unknown", "lanes": []}],
        "next_cursor": None, "as_of": "2026-01-01T00:00:00.000Z", "lag_ms": 3})
    answer = caller.get("/api/v1/queues?limit=3")
    assert services[0].asked[-1]["query"] == "tenant=acme&limit=3"
    acme, free, unknown = answer.json()["queues"]
    assert acme["rate"] == {"limit": "10/1m", "burst": 4, "left": 4, "full_in_ms": 0}
    assert (acme["lanes"], acme["starts_per_second"]) == (lanes, 0.25)
    assert free["rate"] is None and unknown["rate"] is None
    assert list(answer.json()) == ["queues", "next_cursor", "as_of", "lag_ms"]


def test_an_answer_without_queues_is_passed_on(caller, services):
    services[0].answers["GET", "/internal/v1/queues"] = (200, {"other": 1})
    assert caller.get("/api/v1/queues").json() == {"other": 1}


def test_workers_are_passed_on(caller, services):
    services[0].answers["GET", "/internal/v1/workers"] = (200, {"workers": []})
    assert caller.get("/api/v1/workers?limit=3").json() == {"workers": []}
    assert services[0].asked[-1]["query"] == "tenant=acme&limit=3"
