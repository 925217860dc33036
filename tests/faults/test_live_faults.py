# SPDX-License-Identifier: Apache-2.0
"""Faults under clients of the live feed: each ends in a gap that is told, or in a resume without one."""
import time

from harness.live import Feed
from harness.until import until

GAP = "broker"  # the stream could not be read for 2 s: nothing is lost by that alone


def gaps(feed):
    return [message["gap"]["why"] for message in feed.seen if "gap" in message]


def completed(feed):
    return {event["id"] for event in feed.events() if event["kind"] == "job_completed"}


def run_some(warren, count=10):
    """Submits jobs; returns the ids of those that were accepted for certain."""
    ids = []
    for _ in range(count):
        answer = warren.api.request("POST", "/jobs", json={"type": "noop"})
        if answer.status_code == 202:
            ids.append(answer.json()["id"])
    return ids


def live_connections(warren):
    return [found["name"] for found in warren.broker.management("GET", f"/api/vhosts/{warren.vhost}/connections")
            if found["client_properties"].get("connection_name", "").endswith(" live")]


def until_one_works(warren, feed):
    """A job submitted now is told to the client."""
    def told():
        for id in run_some(warren, 1):
            feed.event(id=id, kind="job_completed", timeout=60)
            return id
        return None

    return until(told, 90, "a job is accepted and told")


def test_a_lost_connection_loses_no_event(fresh_warren):
    warren = fresh_warren
    with Feed(warren.url, warren.tenant("acme").key) as feed:
        ids = run_some(warren)
        cut = set()
        for _ in range(3):
            # The list still has one that was cut for a while.
            for name in until(lambda: set(live_connections(warren)) - cut, 30, "a new link of the feed", every=0.5):
                warren.broker.management("DELETE", "/api/connections/" + name.replace(" ", "%20").replace(">", "%3E"))
                cut.add(name)
            ids += run_some(warren)
        last = until_one_works(warren, feed)
        assert set(ids) | {last} <= completed(feed)
        assert set(gaps(feed)) <= {GAP}
        told = [(event["id"], *event["order"]) for event in feed.events()]
        assert len(told) == len(set(told))


def test_a_connection_that_is_dead_and_does_not_know_it(fresh_warren, forwarder):
    """Its heartbeats notice it after 20 s."""
    warren = fresh_warren
    warren.gateway.stop()
    warren.gateway.settings["amqp_urls"] = forwarder.url(warren.vhost)
    warren.gateway.start()
    with Feed(warren.url, warren.tenant("acme").key) as feed:
        until_one_works(warren, feed)
        forwarder.mute.add("live")
        ids = run_some(warren)
        at = time.monotonic()
        assert feed.gap()["why"] == GAP and time.monotonic() - at < 15
        forwarder.renew("live")
        last = until_one_works(warren, feed)
        assert set(ids) | {last} <= completed(feed)
        assert set(gaps(feed)) == {GAP}


def test_a_broker_that_is_killed(faulty_warren):
    warren = faulty_warren
    with Feed(warren.url, warren.tenant("acme").key) as feed, \
            Feed(warren.url, warren.tenant("acme").key, kinds="job_completed") as other:
        ids = run_some(warren)
        for id in ids:
            feed.event(id=id, kind="job_completed")
        warren.broker.kill()
        gap = feed.gap()
        assert gap["why"] == GAP and gap["from"] == feed.offset and gap["to"] is None
        with Feed(warren.url, warren.tenant("acme").key, offset=feed.offset) as again:
            assert again.hello["resumed"] is True  # the ring has it
        warren.broker.start()
        for client in (feed, other):
            until_one_works(warren, client)
        assert set(gaps(feed)) <= {GAP, "rewound"}


def test_a_broker_that_is_away_when_a_client_comes(faulty_warren):
    warren = faulty_warren
    key = warren.tenant("acme").key
    warren.broker.stop()
    with Feed(warren.url, key, offset=7) as feed:
        assert feed.hello["offset"] is None and feed.hello["resumed"] is False
        assert feed.gap()["why"] == GAP
        warren.broker.start()
        assert feed.gap(90)["from"] == 7
        until_one_works(warren, feed)


def remake_stream(warren):
    """Its messages are gone, offsets begin at 0 again."""
    warren.broker.management("DELETE", f"/api/queues/{warren.vhost}/events")
    warren.broker.topology(warren.vhost, "apply")
    warren.broker.topology(warren.vhost, "tenant", "acme")


def test_a_stream_that_is_made_anew(fresh_warren):
    warren = fresh_warren
    key = warren.tenant("acme").key
    with Feed(warren.url, key) as feed:
        for id in run_some(warren, 30):
            feed.event(id=id, kind="job_completed")
        before, mark = feed.offset, feed.mark
        remake_stream(warren)
        until(lambda: "rewound" in gaps(feed) or feed.receive() is None, 60, "it is told")
        feed.offset = None
        until_one_works(warren, feed)
        assert feed.offset < before
        for offset in (before, feed.offset):  # behind the end of the new stream, and in it
            with Feed(warren.url, key, offset=offset, mark=mark) as late:
                assert late.gap()["why"] == "rewound"
        with Feed(warren.url, key, offset=feed.offset, mark=feed.mark) as again:
            assert again.hello["resumed"] is True


def test_a_gateway_that_is_killed(fresh_warren):
    warren = fresh_warren
    key = warren.tenant("acme").key
    feed = Feed(warren.url, key)
    run_some(warren)
    until_one_works(warren, feed)
    other = warren.add_gateway()
    with Feed(f"http://127.0.0.1:{other.port}", key, offset=feed.offset) as elsewhere:
        assert elsewhere.hello["resumed"] or elsewhere.gap()["why"] == "restarted"
        warren.gateway.kill()
        warren.gateway.start()
        run_some(warren)
        with Feed(warren.url, key, offset=feed.offset) as again:
            assert again.gap()["why"] == "restarted"
            until_one_works(warren, again)


def test_a_gateway_that_stood_still(fresh_warren):
    warren = fresh_warren
    key = warren.tenant("acme").key
    with Feed(warren.url, key) as feed:
        ids = run_some(warren, 5)
        other = warren.add_gateway()
        warren.gateway.hang()
        api = warren.api_at(other)
        until_then = time.monotonic() + 3
        while time.monotonic() < until_then:
            ids.append(api.submit("noop")["id"])
        warren.gateway.go_on()
        last = until_one_works(warren, feed)
        assert set(ids) | {last} <= completed(feed) or set(gaps(feed)) - {GAP}


def test_counts_without_a_status_store(fresh_warren):
    warren = fresh_warren
    with Feed(warren.url, warren.admin_key, mode="counts") as feed:
        feed.next(lambda m: m.get("counts"))
        warren.status_store.stop()
        stale = feed.next(lambda m: m.get("counts", 0) is None)
        assert stale["stale"] is True and "status-store" in stale["detail"]
        warren.status_store.start()
        feed.next(lambda m: m.get("counts"), 60)
