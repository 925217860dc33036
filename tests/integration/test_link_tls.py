# SPDX-License-Identifier: Apache-2.0
"""A link over TLS: which certificates it accepts."""
import contextlib
import ssl
import subprocess

import pytest

from harness.link_driver import Driver, outcomes_of, read_stream
from harness.proxy import Proxy
from link_rig import channel, declare_route, declare_stream  # noqa: F401 (a fixture)


@pytest.fixture(scope="module")
def node(broker):
    return broker


def make_certificates(folder, host):
    """Makes a certificate authority, and a certificate for host signed by it."""
    def openssl(*arguments):
        subprocess.run(["openssl", *arguments], check=True, cwd=folder,
                       stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
            "-keyout", "ca.key", "-out", "ca.pem", "-subj", "/CN=Test authority", "-days", "2")
    openssl("req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout",
            "server.key", "-out", "server.csr", "-subj", f"/CN={host}")
    (folder / "san").write_text(f"subjectAltName=DNS:{host}\n", encoding="utf-8")
    openssl("x509", "-req", "-in", "server.csr", "-CA", "ca.pem", "-CAkey", "ca.key",
            "-CAcreateserial", "-days", "2", "-extfile", "san", "-out", "server.pem")
    return folder


@contextlib.contextmanager
def tls_proxy(node, certificates):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.load_cert_chain(certificates / "server.pem", certificates / "server.key")
    proxy = Proxy(node.port, tls=context)
    yield f"amqps://localhost:{proxy.port}/warren"
    proxy.stop()


@pytest.mark.parametrize("case, host, own_ca, want", [
    ("right", "localhost", True, True),
    ("wrong host", "other.example", True, False),
    ("unknown authority", "localhost", False, False),
])
def test_amqps(node, channel, tmp_path, case, host, own_ca, want):
    declare_route(channel, "tls", stream=False)
    certificates = make_certificates(tmp_path, host)
    flags = ["--ca-file", str(certificates / "ca.pem")] if own_ca else []
    with tls_proxy(node, certificates) as url, \
            Driver(node, *flags, "--resend", "yes", urls=url) as driver:
        driver.do("publish", exchange="tls", key="k", count=300, size=2000)
        if want:
            driver.do("subscribe", name="s", queue="tls.q")
            driver.wait(lambda seen: sum("delivery" in e for e in seen) >= 300)
            driver.wait(lambda seen: len(outcomes_of(seen)) == 300)
        else:
            driver.wait_for(event="down")
            assert driver.count(event="up") == 0
            assert driver.state()["in_flight"] == 300, case


def test_a_feed(node, channel, tmp_path):
    declare_stream(channel, "tls-feed")
    certificates = make_certificates(tmp_path, "localhost")
    with tls_proxy(node, certificates) as url, \
            Driver(node, "--ca-file", str(certificates / "ca.pem"), "--stream", "tls-feed",
                   urls=url) as driver:
        driver.wait_for(event="up")
        driver.do("publish", exchange="tls-feed")
        driver.wait_for(id="m-0", outcome="confirmed")
        assert len(read_stream(channel, "tls-feed", "m-0")) == 2


def test_publishes_wait_while_reading_is_paused(node, channel, tmp_path):
    declare_route(channel, "tls-paused", stream=False)
    declare_route(channel, "tls-other", stream=False)
    certificates = make_certificates(tmp_path, "localhost")
    for _ in range(2):
        channel.basic_publish("tls-paused", "k", bytes(10000))
    with tls_proxy(node, certificates) as url, \
            Driver(node, "--ca-file", str(certificates / "ca.pem"), "--read-bytes", "1000",
                   urls=url) as driver:
        driver.do("subscribe", name="s", queue="tls-paused.q", hold=True)
        driver.wait_for(**{"from": "s"})
        driver.do("publish", exchange="tls-other", key="k")
        assert driver.state()["in_flight"] == 1
        driver.do("settle", name="s")
        driver.wait(lambda seen: sum("delivery" in e for e in seen) == 2)
        driver.do("settle", name="s")
        driver.wait_for(id="m-0", outcome="confirmed")


def test_a_body_of_several_frames(node, channel, tmp_path):
    """Each frame keeps to the negotiated maximum; otherwise the broker would end the connection."""
    declare_route(channel, "tls-large", stream=False)
    certificates = make_certificates(tmp_path, "localhost")
    with tls_proxy(node, certificates) as url, \
            Driver(node, "--ca-file", str(certificates / "ca.pem"), urls=url) as driver:
        driver.wait_for(event="up")
        for size in (131072 - 8, 131072, 1000000):
            driver.do("publish", exchange="tls-large", key="k", prefix=f"s{size}", size=size)
            driver.wait_for(id=f"s{size}-0", outcome="confirmed")
            assert len(channel.basic_get("tls-large.q", auto_ack=True)[2]) == size
        assert driver.count(event="down") == 0
