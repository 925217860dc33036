# SPDX-License-Identifier: Apache-2.0
"""How the doctor finds limits whose tokens are lost. Gateway and management API are stand-ins."""
import contextlib
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
    """A gateway and a broker with the queues and jobs of a test."""

    def __init__(self, home):
        self.gateway, self.broker = Service(), Service()
        self.env = {"PATH": os.environ["PATH"], "HOME": str(home), "WARREN_URL": self.gateway.url,
                    "WARREN_ADMIN_KEY": "wk_admin",
                    "WARREN_MANAGEMENT_URL": self.broker.url.replace("//", "//guest:guest@")}
        self.broker.answers["GET", "/api/nodes"] = (200, [])
        self.broker.answers["GET", "/api/consumers/warren"] = (200, [])
        self.gateway.answers["GET", "/api/v1/types"] = (404, {"detail": "an older gateway"})
        self.tenants()
        self.queues()
        self.jobs()

    def tenants(self, **limits):
        """acme=(5, 3): limit 5, and version 3 of the slots; 0 while they are made."""
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

    def jobs(self, tenants=None, types=None):
        """{"acme": (pending, running)}"""
        self.gateway.answers["GET", "/api/v1/stats"] = (200, {"lag_ms": 0} | {
            member: {name: {status: count for status, count in zip(("pending", "running"), both)
                            if count}  # as the status-store does
                     for name, both in (counts or {}).items()}
            for member, counts in (("tenants", tenants), ("types", types))})

    def start(self):
        return subprocess.Popen([BIN / "warren", "doctor", "--json"], env=self.env, text=True,
                                stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                stderr=subprocess.PIPE)

    def looks(self):
        return sum(asked["path"] == QUEUES for asked in self.broker.asked)

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
    site.tenants(acme=(5, 3), other=("unlimited", None), idle=(2, 1), made=(9, 0))
    site.types(a=(3, 4, "10/1s", 1), b=("unlimited", None, "unlimited", None))
    site.queues(slots_acme_3=5, slots_acme_2=1, slots_acme_4=0, slots_idle_1=0, slotsT_a_4=3,
                ratesT_a_1=0, coolingT_a_1=10, jobs_acme_high=7)
    site.jobs({"acme": (3, 5)}, {"a": (3, 0)})
    with takes(0, 20):  # the check of consumers needs 6.5 s
        assert limits_of(site.start()) == OK


def test_missing_queues(site):
    site.tenants(acme=(5, 3), other=(1, 1))
    site.types(a=("unlimited", None, "10/1s", 2), b=(1, 1, "10/1s", 1))
    site.queues(slots_acme_2=5, slots_other_1=1, ratesT_a_2=10, coolingT_a_1=0, slotsT_b_1=1, ratesT_b_1=10)
    with takes(6, 25):
        assert limits_of(site.start()) == [
            ("wrong", "tenant acme: the queue of its slots is missing",
             "run: warren tenant slots acme"),
            ("wrong", "type a: the queue of its rate tokens is missing",
             "run: warren type slots a"),
            ("wrong", "type b: the queue of its rate tokens is missing",
             "run: warren type slots b")]


def test_lost_tokens(site):
    """Each look within 30 s must show the loss. Two limits look lost at first, and are not."""
    site.tenants(acme=(5, 3), fewer=(5, 1), back=(5, 1), busy=(5, 1), late=(5, 1),
                 uncounted=(5, 1))
    site.types(a=(3, 1, "10/1s", 1))
    queues = {"slots_acme_3": 0, "slots_fewer_1": 4, "slots_back_1": 0, "slots_busy_1": 0,
              "slots_uncounted_1": None, "slotsT_a_1": 0, "ratesT_a_1": 0, "coolingT_a_1": 0}
    site.queues(**queues)
    site.jobs({name: (3, 0) for name in ("acme", "back", "late", "uncounted")} |
              {"busy": (3, 1), "fewer": (0, 0)}, {"a": (1, 0)})
    with takes(30, 60):
        doctor = site.start()
        until(lambda: site.looks() >= 4, 60, "some looks")
        site.queues(**{**queues, "slots_back_1": 5, "slots_late_1": 5})
        assert limits_of(doctor) == [
            ("wrong", "tenant acme: its slots are lost: jobs wait and none runs",
             "run: warren tenant slots acme"),
            ("wrong", "tenant fewer: it has 4 slots, should have 5",
             "run: warren tenant slots fewer"),
            ("wrong", "type a: its rate tokens are lost: jobs wait and none runs",
             "run: warren type slots a"),
            ("wrong", "type a: its slots are lost: jobs wait and none runs",
             "run: warren type slots a")]


def test_unreadable_limits_are_unknown(site):
    site.tenants(acme=(5, 1))
    site.gateway.answers["GET", "/api/v1/types"] = (503, {"detail": "no primary"})
    assert limits_of(site.start()) == [("unknown", "no primary", None)]
