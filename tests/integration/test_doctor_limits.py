# SPDX-License-Identifier: Apache-2.0
"""How the doctor finds limits whose tokens are lost, and fixes them. Gateway and management API are stand-ins."""
import contextlib
import itertools
import json
import os
import subprocess
import time

import pytest

from gateway_rig import Service
from harness.broker import BIN
from harness.until import until

QUEUES = "/api/queues/warren"


@pytest.fixture()
def site(tmp_path):
    made = Site(tmp_path)
    yield made
    made.close()


class Site:
    """A gateway and a broker with the limits and queues of a test."""

    def __init__(self, home):
        self.gateway, self.broker = Service(), Service()
        self.env = {"PATH": os.environ["PATH"], "HOME": str(home), "WARREN_URL": self.gateway.url,
                    "WARREN_ADMIN_KEY": "wk_admin",
                    "WARREN_MANAGEMENT_URL": self.broker.url.replace("//", "//guest:guest@")}
        self.gateway.answers["GET", "/api/v1/stats"] = (200, {"lag_ms": 0})
        self.broker.answers["GET", "/api/nodes"] = (200, [])
        self.broker.answers["GET", "/api/consumers/warren"] = (200, [])
        self.gateway.answers["GET", "/api/v1/types"] = (404, {"detail": "an older gateway"})
        self.tenants()
        self.queues()

    def tenants(self, **limits):
        """acme=(5, 3): limit 5, and version 3 of the slots; None while they are made."""
        self.gateway.answers["GET", "/api/v1/tenants"] = (200, {"tenants": [
            {"name": name, "max_running": limit, "slots_version": version, "paused": True}
            for name, (limit, version) in limits.items()]})

    def types(self, **limits):
        """a=(3, 2, "10/1s", 1): limit, its version, rate, its version."""
        self.gateway.answers["GET", "/api/v1/types"] = (200, {"types": [
            {"name": name, "max_running": running, "slots_version": slots, "max_rate": rate,
             "rate_version": rates} for name, (running, slots, rate, rates) in limits.items()]})

    def queues(self, **messages):
        """slots_acme_3=5: queue slots.acme.3 with 5 messages. None: not counted."""
        self.broker.answers["GET", QUEUES] = (200, [
            {"name": name.replace("_", ".").replace("T.", "-type.")} |
            ({} if count is None else {"messages": count}) for name, count in messages.items()])

    def start(self, *options):
        return subprocess.Popen([BIN / "warren", "doctor", "--json", *options], env=self.env, text=True,
                                stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                stderr=subprocess.PIPE)

    def looks(self):
        return sum(asked["path"] == QUEUES for asked in self.broker.asked)

    def calls(self, method, path):
        return sum((asked["method"], asked["path"]) == (method, path) for asked in self.gateway.asked)

    def close(self):
        for service in (self.gateway, self.broker):
            service.shutdown()
            service.server_close()


def limits_of(doctor):
    """[(state, problem, remedy)] of the check of limits."""
    out, err = doctor.communicate(timeout=120)
    assert err == "" and doctor.returncode == 1
    return sorted((check["state"], check["problem"], check["remedy"])
                  for check in json.loads(out)["checks"] if check["check"] == "limits")


OK = [("ok", None, None)]


@contextlib.contextmanager
def takes(least, most):
    began = time.monotonic()
    yield
    assert least < time.monotonic() - began < most


def test_no_limits(site):
    site.tenants(acme=("unlimited", None))
    assert limits_of(site.start()) == OK


def test_complete_limits_take_no_time(site):
    site.tenants(acme=(5, 3), other=("unlimited", None), idle=(2, 1))
    site.types(a=(3, 4, "10/1s", 1), b=("unlimited", None, "unlimited", None))
    site.queues(slots_acme_3=5, slots_acme_2=1, slots_acme_4=0, slots_idle_1=2, slotsT_a_4=3,
                ratesT_a_1=0, coolingT_a_1=10, jobs_acme_high=7)
    with takes(0, 20):  # the check of consumers needs 6.5 s
        assert limits_of(site.start()) == OK


@pytest.mark.soak
def test_counts_that_do_not_settle_are_unknown(site):
    """Of two limits each look shows one or the other to lack tokens. Neither loss is certain in the end."""
    site.tenants(acme=(5, 3), other=(5, 1), idle=(2, 1))
    counts = itertools.cycle([{"slots_acme_3": 4, "slots_other_1": 5}, {"slots_acme_3": 5, "slots_other_1": 4}])
    site.queues(slots_idle_1=2, **next(counts))
    doctor = site.start("--fix")
    began, looks = time.monotonic(), 0
    while doctor.poll() is None and time.monotonic() < began + 120:
        if site.looks() >= looks + 5:
            looks = site.looks()
            site.queues(slots_idle_1=2, **next(counts))
        time.sleep(0.05)
    out, _ = doctor.communicate(timeout=60)
    found = [check for check in json.loads(out)["checks"] if check["check"] == "limits"]
    assert {check["state"] for check in found} == {"unknown"} and doctor.returncode == 1
    assert all("max running: it is not certain" in check["problem"] for check in found)
    assert {check["remedy"] for check in found} == {"look again: warren doctor"}
    assert not any(call["method"] == "POST" for call in site.gateway.asked)


def remedy(words):
    return f"run: warren doctor --fix, or for this one: warren {words}"


def test_missing_queues(site):
    site.tenants(acme=(5, 3), other=(1, 1))
    site.types(a=("unlimited", None, "10/1s", 2), b=(1, 1, "10/1s", 1))
    site.queues(slots_acme_2=5, slots_other_1=1, ratesT_a_2=10, coolingT_a_1=0, slotsT_b_1=1, ratesT_b_1=10)
    with takes(6, 25):
        assert limits_of(site.start()) == [
            ("wrong", "tenant acme, max running: tokens are lost: their queue is missing",
             remedy("tenant slots acme")),
            ("wrong", "type a, max rate: tokens are lost: their queue is missing",
             remedy("type slots a")),
            ("wrong", "type b, max rate: tokens are lost: their queue is missing",
             remedy("type slots b"))]


def test_lost_tokens(site):
    """Each look within 30 s must show the loss. Two limits look lost at first, and are not."""
    site.tenants(acme=(5, 3), fewer=(5, 1), back=(5, 1), late=(5, 1), uncounted=(5, 1), made=(5, None))
    site.types(a=(3, 1, "10/1s", 1), b=("unlimited", None, "10/1s", 1), c=("unlimited", None, "10/1s", 1))
    queues = {"slots_acme_3": 0, "slots_fewer_1": 4, "slots_back_1": 0, "slots_uncounted_1": None,
              "slotsT_a_1": 0, "ratesT_a_1": 0, "coolingT_a_1": 0, "ratesT_b_1": 4, "coolingT_b_1": 6,
              "ratesT_c_1": 2, "coolingT_c_1": 3}
    site.queues(**queues)
    with takes(30, 60):
        doctor = site.start()
        until(lambda: site.looks() >= 4, 60, "some looks")
        site.queues(**{**queues, "slots_back_1": 5, "slots_late_1": 5})
        assert limits_of(doctor) == [
            ("wrong", "tenant acme, max running: tokens are lost: 0 of 5 are left",
             remedy("tenant slots acme")),
            ("wrong", "tenant fewer, max running: tokens are lost: 4 of 5 are left",
             remedy("tenant slots fewer")),
            ("wrong", "tenant made, max running: not in force, as its tokens could not be made yet",
             "see the log of the primary status-store, which tries again"),
            ("wrong", "type a, max rate: tokens are lost: 0 of 10 are left", remedy("type slots a")),
            ("wrong", "type a, max running: tokens are lost: 0 of 3 are left", remedy("type slots a")),
            ("wrong", "type c, max rate: tokens are lost: 5 of 10 are left", remedy("type slots c"))]


@pytest.mark.parametrize("status, detail, then, found", [
    (202, "", 2, ("fixed", "new ones are in force: version 2", None)),
    (202, "", None, ("fixed", "new ones are in force: version 2", None)),
    (503, "the limit is kept, but not in force yet", None,
     ("fixed", "new ones are in force: version 2", None)),
    (503, "the broker cannot be reached", 1,
     ("wrong", "it could not be fixed: the broker cannot be reached", "run: warren tenant slots acme")),
    (409, "it has no running limit", 1,
     ("wrong", "it could not be fixed: it has no running limit", "run: warren tenant slots acme")),
], ids=["at once", "later", "later, told as 503", "unreachable", "refused"])
def test_the_fix(site, status, detail, then, found):
    """The new version is in force at once, or later, or the primary refuses."""
    def version(now):
        site.gateway.answers["GET", "/api/v1/tenants/acme"] = (200, {"tenant": {"max_running": 5, "slots_version": now}})

    asked = ("POST", "/api/v1/tenants/acme/slots")
    site.tenants(acme=(5, 1))
    site.gateway.answers[asked] = (status, {"detail": detail})
    version(1)
    doctor = site.start("--fix")
    until(lambda: site.calls(*asked) == 1, 60, "asked for new tokens")
    version(then)
    if then is None:
        until(lambda: site.calls("GET", "/api/v1/tenants/acme") >= 5, 60, "the doctor waits")
        version(2)
    state, words, advice = found
    problem = "tenant acme, max running: tokens are lost: their queue is missing; "
    assert limits_of(doctor) == [(state, problem + words, advice)]
    assert site.calls(*asked) == 1


def test_only_the_fix_asks_for_tokens(site):
    site.tenants(acme=(5, 1))
    limits_of(site.start())
    assert not any(call["method"] == "POST" for call in site.gateway.asked)


def test_unreadable_limits_are_unknown(site):
    site.tenants(acme=(5, 1))
    site.gateway.answers["GET", "/api/v1/types"] = (503, {"detail": "no primary"})
    assert limits_of(site.start()) == [("unknown", "no primary", None)]


def state_of_limits(doctor):
    """Also the exit code."""
    out, _ = doctor.communicate(timeout=120)
    (state,) = [check["state"] for check in json.loads(out)["checks"] if check["check"] == "limits"]
    return state, doctor.returncode


@pytest.mark.parametrize("variable", ["WARREN_MANAGEMENT_URL", "WARREN_ADMIN_KEY"])
def test_limits_that_were_not_looked_at(site, variable):
    """A script must not take them for fixed."""
    del site.env[variable]
    if variable == "WARREN_ADMIN_KEY":
        site.gateway.answers["GET", "/api/v1/tenants"] = (403, {"detail": "not for this key"})
    assert state_of_limits(site.start("--fix")) == ("unknown", 1)


def test_the_exit_code_of_limits_that_were_not_looked_at(site):
    """Nothing is wrong that the doctor can see."""
    del site.env["WARREN_MANAGEMENT_URL"]
    assert site.start().wait(60) == 0
    assert site.start("--fix").wait(60) == 1


def test_limits_of_unknown_tenants_are_unknown(site):
    site.gateway.answers["GET", "/api/v1/tenants"] = (503, {"detail": "no primary"})
    assert limits_of(site.start("--fix")) == [("unknown", "no primary", None)]


def test_limits_of_a_broker_out_of_reach_are_unknown(site):
    site.broker.answers["GET", "/api/nodes"] = (503, {})
    assert state_of_limits(site.start("--fix")) == ("unknown", 1)
