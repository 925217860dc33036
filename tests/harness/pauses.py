# SPDX-License-Identifier: Apache-2.0
"""Pauses by the public API, and jobs that are parked by them."""
from harness.operator_rig import events_of
from harness.until import until


def parked_queue(type, tenant=None):
    return f"parked-tenant.{tenant}.{type}" if tenant else f"parked.{type}"


def set_paused(api, verb, path, **query):
    answer = api.request("POST", f"/{path}/{verb}", params=query)
    assert answer.status_code == 202, answer.text
    return answer.json()


def pause(warren, type, tenant=None):
    """Pauses the type by an admin key, for all or for one tenant; returns the pause's queue."""
    query = {"tenant": tenant} if tenant else {}
    answer = set_paused(warren.admin, "pause", f"types/{type}", **query)["pause"]
    assert (answer["type"], answer["tenant"], answer["paused"]) == (type, tenant, True)
    return parked_queue(type, tenant)


def resume(warren, type, tenant=None):
    query = {"tenant": tenant} if tenant else {}
    answer = set_paused(warren.admin, "resume", f"types/{type}", **query)["pause"]
    assert (answer["type"], answer["tenant"], answer["paused"]) == (type, tenant, False)


def await_paused(warren, api, queue, type="echo"):
    """Submits until the pause is in force; returns the jobs that were submitted."""
    ids = []
    until(lambda: ids.append(api.submit(type, 1)["id"]) or warren.depth(queue), 30,
          "the type is paused", every=0.1)
    return ids


def park(warren, count, type="echo", tenant=None, api=None):
    """So many jobs of acme, or of `api`, are parked; returns their ids and the queue."""
    queue = pause(warren, type, tenant)
    api = api or warren.api
    first = await_paused(warren, api, queue, type)
    ids = first + [api.submit(type, 1)["id"] for _ in range(count - len(first))]
    started = {id for id in first if events_of(warren, id, "started")}
    ids = [id for id in ids if id not in started]
    until(lambda: warren.depth(queue) >= len(ids), 60, "all are parked")
    return ids, queue


def unparked(warren, outcome="moved"):
    return warren.status_store.metrics().sum("warren_jobs_unparked_total", outcome=outcome)
