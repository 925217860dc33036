# SPDX-License-Identifier: Apache-2.0
"""How fast a tenant may submit, and how many of its jobs may wait: 429 says what is left and when to try
again."""
import re

from gateway_rig import JOBS, Caller, check_problem, drain, known
from harness.until import until


def test_rate_limit(gateway, control):
    control.tenant("slow", rate={"count": 3, "per": "1h"}, burst=3)
    caller = known(Caller(gateway, control.key("slow", ["submit"])))
    left = []
    for _ in range(3):
        answer = caller.submit()
        assert answer.status_code == 202
        assert answer.headers["RateLimit-Policy"] == '"tenant";q=3;w=3600'
        left.append(re.fullmatch(r'"tenant";r=(\d+);t=(\d+)', answer.headers["RateLimit"]).group(1))
    assert left == ["2", "1", "0"]
    # A malformed request uses up nothing, and its answer still tells what is left.
    refused = {
        422: caller.submit(b"{}"),
        400: caller.post(JOBS + "?x=1", json={"type": "noop"}),
        413: caller.submit(b'{"type":"noop","payload":"' + b"a" * 300000 + b'"}'),
        415: caller.post(JOBS, data="{}", headers={"Content-Type": "text/plain"}),
        403: known(Caller(gateway, control.key("slow", ["read"]))).submit(),
    }
    for status, answer in refused.items():
        check_problem(answer, status)
        assert answer.headers["RateLimit-Policy"] == '"tenant";q=3;w=3600'
        assert '"tenant";r=0;' in answer.headers["RateLimit"]
    assert "RateLimit" not in Caller(gateway, "wk_aaaaaaaa_" + "b" * 43).submit().headers
    assert "RateLimit" not in caller.get(JOBS).headers
    answer = caller.submit()
    check_problem(answer, 429, words="rate")
    assert 1000 < int(answer.headers["Retry-After"]) <= 1200
    control.tenant("slow", rate=None)
    answer = until(lambda: (a := caller.submit()).status_code == 202 and a, what="limit lifted")
    assert "RateLimit" not in answer.headers


def test_backlog(gateway, control, node):
    control.tenant("full", max_pending=5)
    caller = known(Caller(gateway, control.key("full", ["submit"])))
    codes = [caller.submit().status_code for _ in range(8)]
    taken = codes.count(202)
    assert taken in (5, 6) and codes[-1] == 429  # one may be on its way to its queue while that is counted
    answer = caller.submit()
    check_problem(answer, 429, words="pending")
    assert int(answer.headers["Retry-After"]) >= 1
    # Still refused once the queues have been counted, but not once they are empty.
    connection = node.connect()
    assert len(drain(connection.channel(), "full")) == taken
    connection.close()
    until(lambda: caller.submit().status_code == 202, what="room again")


def test_backlog_counts_what_others_publish(gateway, control, node):
    control.tenant("shared", max_pending=3)
    caller = known(Caller(gateway, control.key("shared", ["submit"])))
    connection = node.connect()
    channel = connection.channel()
    channel.confirm_delivery()
    for _ in range(20):
        channel.basic_publish("jobs.shared", "high", b"null")
    until(lambda: caller.submit().status_code == 429, what="backlog seen")
    connection.close()


def test_the_first_submission_sees_the_backlog(gateway, control, node):
    control.tenant("seldom", max_pending=3)
    caller = known(Caller(gateway, control.key("seldom", ["submit"])))
    with node.connect() as connection:
        channel = connection.channel()
        channel.confirm_delivery()
        for _ in range(3):
            channel.basic_publish("jobs.seldom", "low", b"null")
    check_problem(caller.submit(), 429, words="pending")
