# SPDX-License-Identifier: Apache-2.0
"""How long lists of jobs take by any filter, while many jobs are kept and others come in."""
import concurrent.futures
import http.client
import itertools
import json
import math
import multiprocessing
import random
import subprocess
import threading
import time
import urllib.parse

TENANTS, TYPES = 100, 50
READERS = 1, 4  # at once; the limit is for one: more of them take the cores of all else
PAUSE = 0.01  # s between two requests of a reader
LIMIT_MS = 10
INCOMING_PART = 0.95  # of the wanted rate, that must come in
FILLERS = 4
BATCH = 20  # jobs that come in at once
PRIORITIES = "critical,high,medium,low"
LATER = "86400000"  # ms

# Of these types some jobs are scheduled, some dead; those of the others complete.
DELAYED = {f"find-{n}" for n in range(5)}
FAILING = f"find-{TYPES - 1}"

FILTERS = (
    {}, {"status": "completed"}, {"status": "scheduled"}, {"status": "dead,failed"}, {"status": "cancelled"},
    {"type": "find-7"}, {"type": "find-1,find-7,find-49"}, {"type": "find-7", "priority": "low"},
    {"priority": "critical,high"}, {"status": "completed", "type": "find-9", "priority": "medium", "count": "true"},
    {"created_after": True, "count": "true"}, {"fields": "id,status", "sort": "created_at"},
)


def types():
    """Entries of handlers.json."""
    return {f"find-{n}": {"plugin": "basic", "handler": "fail" if f"find-{n}" == FAILING else "noop"}
            for n in range(TYPES)}


def _submit(pipeline, tenant, name, jobs, batch):
    payload = '{"permanent": true}' if name == FAILING else str(pipeline.options.payload)
    delays = LATER if name in DELAYED else "0"
    flags = ("--batch", str(min(jobs, batch))) if batch else ()
    command = pipeline.submit_command(tenant, jobs, name, payload, delays, PRIORITIES, flags=flags, connections=1)
    found = json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout)
    return found["accepted"]


def _fill(pipeline, kept, batch):
    """Jobs of each type, of each tenant, until `kept` were accepted. Returns the tenants."""
    tenants = [pipeline.warren.tenant(f"find-{n}", max_pending="unlimited") for n in range(TENANTS)]
    share = math.ceil(kept / TENANTS / TYPES)
    parts = [(tenant, f"find-{n}") for n in range(TYPES) for tenant in tenants]
    with concurrent.futures.ThreadPoolExecutor(FILLERS) as pool:
        accepted = sum(pool.map(lambda part: _submit(pipeline, *part, share, batch), parts))
    if accepted < kept:
        raise SystemExit(f"only {accepted} of {kept} jobs accepted")
    return tenants


def _wait_ended(pipeline, seconds=1800):
    """Until nothing waits or runs but what is scheduled."""
    deadline = time.monotonic() + seconds
    while True:
        stats = pipeline.warren.admin.request("GET", "/stats").json()
        if stats["pending"] + stats["running"] + stats["failed"] == 0:
            return stats["total"]
        if time.monotonic() > deadline:
            raise SystemExit(f"not ended after {seconds} s: {stats['pending']} pending")
        time.sleep(1)


class _Incoming(threading.Thread):
    """Submits jobs of any type and tenant at a rate, evenly: small batches over one connection."""

    def __init__(self, pipeline, tenants, rate):
        super().__init__()
        self.pipeline, self.tenants, self.rate = pipeline, tenants, rate
        self.over = threading.Event()
        self.accepted = 0

    def _submit(self, connection):
        tenant, name = random.choice(self.tenants), f"find-{random.randrange(TYPES - 1)}"
        lines = [json.dumps({"type": name, "priority": priority, "payload": None,
                             **({"delay": f"{LATER}ms"} if name in DELAYED else {})})
                 for priority in random.choices(PRIORITIES.split(","), k=BATCH)]
        connection.request("POST", "/api/v1/jobs/batch", "\n".join(lines),
                           {"Authorization": f"Bearer {tenant.key}", "Content-Type": "application/x-ndjson"})
        self.accepted += json.load(connection.getresponse())["accepted"]

    def run(self):
        connection = http.client.HTTPConnection("127.0.0.1", self.pipeline.warren.gateway.port, timeout=30)
        due = time.monotonic()
        while not self.over.wait(max(0, due - time.monotonic())):
            due += BATCH / self.rate
            self._submit(connection)


def _read(port, keys, seconds, seed, out):
    """One reader, a process: (filter, ms) of each request, or what went wrong."""
    chance = random.Random(seed)
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    took = []
    until = time.monotonic() + seconds
    kinds = itertools.cycle(range(2 * len(FILTERS)))
    while time.monotonic() < until:
        kind = next(kinds)
        query = dict(FILTERS[kind % len(FILTERS)])
        if "created_after" in query:
            query["created_after"] = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() - 30))
        key = keys[0] if kind < len(FILTERS) else chance.choice(keys[1:])
        began = time.monotonic()
        connection.request("GET", "/api/v1/jobs?" + urllib.parse.urlencode(query),
                           headers={"Authorization": f"Bearer {key}"})
        answer = connection.getresponse()
        answer.read()
        took.append((kind, (time.monotonic() - began) * 1000))
        if answer.status != 200:
            out.put(f"{query}: {answer.status}")
            return
        time.sleep(PAUSE)
    out.put(took)


def _name(kind):
    whose = "all tenants" if kind < len(FILTERS) else "a tenant"
    return f"{whose}: " + (", ".join(f"{k}={v}" for k, v in FILTERS[kind % len(FILTERS)].items()) or "no filter")


def _percentile(values, part):
    ordered = sorted(values)
    return round(ordered[min(len(ordered) - 1, int(part * len(ordered)))], 2)


def _readers(pipeline, tenants, seconds, count):
    keys = [pipeline.warren.admin_key] + [tenant.key for tenant in tenants]
    out = multiprocessing.Queue()
    readers = [multiprocessing.Process(target=_read, args=(pipeline.warren.gateway.port, keys, seconds, n, out))
               for n in range(count)]
    for reader in readers:
        reader.start()
    found = [out.get(timeout=seconds + 120) for _ in readers]
    for reader in readers:
        reader.join()
    for one in found:
        if isinstance(one, str):
            raise SystemExit(one)
    return [each for one in found for each in one]


def _figures(took):
    each = {_name(kind): [ms for k, ms in took if k == kind] for kind in range(2 * len(FILTERS))}
    ms = [ms for _, ms in took]
    return {"requests": len(ms),
            "p50_ms": _percentile(ms, 0.5), "p99_ms": _percentile(ms, 0.99), "max_ms": _percentile(ms, 1),
            "filters": {name: {"p50_ms": _percentile(v, 0.5), "p99_ms": _percentile(v, 0.99)}
                        for name, v in each.items() if v}}


def measure(pipeline, options):
    """By number of readers: figures by filter, and of all together: ms until the gateway has answered."""
    tenants = _fill(pipeline, options.kept, options.batch)
    total = _wait_ended(pipeline)
    incoming = _Incoming(pipeline, tenants, options.incoming)
    incoming.start()
    began = time.monotonic()
    try:
        readers = {count: _figures(_readers(pipeline, tenants, options.find_seconds, count)) for count in READERS}
    finally:
        seconds = time.monotonic() - began
        incoming.over.set()
        incoming.join()
    return {"kept": total, "incoming_per_s": incoming.accepted / seconds, "readers": readers}


def check(figures, incoming):
    """Fails when a filter is slow, or when fewer jobs came in than that many a second."""
    alone = figures["readers"][1]["filters"]
    slow = {name: each["p99_ms"] for name, each in alone.items() if each["p99_ms"] > LIMIT_MS}
    if slow:
        raise SystemExit(f"p99 over {LIMIT_MS} ms: {slow}")
    if figures["incoming_per_s"] < INCOMING_PART * incoming:
        raise SystemExit(f"only {figures['incoming_per_s']:.0f} jobs a second came in, not {incoming}")
