# SPDX-License-Identifier: Apache-2.0
"""A revoked key is refused by every gateway within a second, whatever link of the gateway is broken."""
import time

import pytest
import requests

from harness.proxy import Proxy
from harness.until import until

WITHIN = 1.0  # seconds


def make_key(warren, **members):
    answer = warren.admin.request("POST", "/tenants/acme/keys", json=members)
    assert answer.status_code == 201, answer.text
    return answer.json()


def ask(gateway, key):
    return requests.get(f"http://127.0.0.1:{gateway.port}/api/v1/jobs", timeout=20,
                        headers={"Authorization": f"Bearer {key['key']}"})


def status(gateway, key):
    return ask(gateway, key).status_code


def revoke(warren, key):
    """By the first gateway; returns when it was answered."""
    answer = warren.admin.request("DELETE", f"/keys/{key['id']}")
    assert answer.status_code == 204, answer.text
    return time.monotonic()


def refused_within(gateways, key, since):
    """No request that is begun later than that is let in."""
    for gateway in gateways:
        begun = time.monotonic()
        while status(gateway, key) != 401:
            assert begun - since <= WITHIN
            begun = time.monotonic()


@pytest.fixture
def behind_proxy(fresh_warren):
    """A second gateway, whose way to the broker is a proxy."""
    fresh_warren.tenant()
    proxy = Proxy(fresh_warren.broker.port)
    url = fresh_warren.broker.url(fresh_warren.vhost).replace(str(fresh_warren.broker.port), str(proxy.port))
    gateway = fresh_warren.add_gateway(amqp_urls=url)
    yield fresh_warren, gateway, proxy
    proxy.go_on()
    proxy.stop()


def cut(proxy):
    """The broker cannot be reached any more, and the gateway knows."""
    proxy.target = 1
    proxy.reset_all()


def test_at_two_gateways(fresh_warren):
    fresh_warren.tenant()
    gateways = [fresh_warren.gateway, fresh_warren.add_gateway()]
    key = make_key(fresh_warren)
    for gateway in gateways:
        until(lambda g=gateway: status(g, key) == 200, 30, "the key is known")
    refused_within(gateways, key, revoke(fresh_warren, key))


@pytest.mark.parametrize("used", [True, False], ids=["used", "not used before"])
def test_link_swallows(behind_proxy, used):
    """The gateway's connections are open, and nothing comes any more."""
    warren, gateway, proxy = behind_proxy
    key = make_key(warren)
    other = make_key(warren)
    until(lambda: status(gateway, other) == 200, 30, "the keys are known")
    if used:
        assert status(gateway, key) == 200
    proxy.hang()
    since = revoke(warren, key)
    until(lambda: time.monotonic() - since >= WITHIN, 5, "a second")
    assert status(gateway, key) == 401
    assert status(gateway, other) == 200


def test_broker_away(behind_proxy):
    """The gateway knows that its link is down: the primary's answers are enough."""
    warren, gateway, proxy = behind_proxy
    key, other = make_key(warren), make_key(warren)
    until(lambda: status(gateway, key) == 200, 30, "the key is known")
    cut(proxy)
    until(lambda: not gateway.is_ready(), 60, "its link is down")
    assert status(gateway, key) == 200
    since = revoke(warren, key)
    refused_within([gateway], key, since)
    assert status(gateway, other) == 200


def test_primary_away(fresh_warren):
    """From this gateway. The record in `control` is enough. Reads need the status-store: 401 comes before 503."""
    warren = fresh_warren
    warren.tenant()
    way = Proxy(warren.status_store.port)
    gateway = warren.add_gateway(status_store_url=f"http://127.0.0.1:{way.port}")
    key = make_key(warren)
    until(lambda: status(gateway, key) == 200, 30, "the key is known")
    way.hang()
    try:
        since = revoke(warren, key)
        until(lambda: time.monotonic() - since >= WITHIN, 5, "a second")
        assert status(gateway, key) == 401
    finally:
        way.go_on()
        way.stop()


def test_both_away(behind_proxy):
    warren, gateway, proxy = behind_proxy
    key = make_key(warren)
    until(lambda: status(gateway, key) == 200, 30, "the key is known")
    cut(proxy)
    until(lambda: not gateway.is_ready(), 60, "its link is down")
    warren.status_store.stop()
    until(lambda: "keys cannot be checked" in ask(gateway, key).json()["detail"], 5, "no key is let in")
    assert status(gateway, key) == 503
    warren.status_store.start()
    until(lambda: status(gateway, key) == 200, 30, "keys can be checked again")
