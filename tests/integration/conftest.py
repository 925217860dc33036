# SPDX-License-Identifier: Apache-2.0
"""Fixtures: a gateway alone, for a module's tests. The services behind it are stand-ins (gateway_rig). And what tests of
keys, of acts and of the command need."""
import secrets

import pytest

from acts_rig import Marks
from cli_rig import Cli
from gateway_rig import Caller, Control, Gateway, Place, Service, known


@pytest.fixture(scope="module")
def node(broker):
    return Place(broker)


@pytest.fixture(scope="module")
def control(node):
    return Control(node)


@pytest.fixture(scope="module")
def services():
    return Service(), Service()


@pytest.fixture(scope="module")
def gateway(node, services, tmp_path_factory):
    program = Gateway(node, tmp_path_factory.mktemp("gateway"), *services).wait_ready()
    yield program
    assert program.stop() == 0


@pytest.fixture(scope="module")
def acme(gateway, control):
    control.tenant("acme")
    return known(Caller(gateway, control.key("acme", ["submit", "read", "operate"])))


@pytest.fixture()
def service():
    """A stand-in of a gateway, for the command."""
    made = Service()
    yield made
    made.shutdown()
    made.server_close()


@pytest.fixture(scope="module")
def cli(warren, tmp_path_factory):
    """The command of a user of tenant acme, who is also the admin."""
    return Cli(warren, warren.tenant("acme").key, tmp_path_factory.mktemp("home"))


@pytest.fixture()
def marks(warren):
    made = Marks(warren)
    yield made
    made.close()


@pytest.fixture()
def key():
    return f"key-{secrets.token_hex(8)}"


@pytest.fixture()
def api(warren):
    return warren.api
