# SPDX-License-Identifier: Apache-2.0
"""Runs the first jobs of the README exactly as written there."""
import os
import re
import subprocess

import pytest

from harness.broker import BIN, ROOT

README = (ROOT / "README.md").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def demo(warren):
    """The environment that var/env would set."""
    tenant = warren.tenant("demo", amqp_login=True)
    login, password = tenant.amqp["login"], tenant.amqp["password"]
    env = dict(os.environ, WARREN_URL=warren.url, WARREN_API_KEY=tenant.key, WARREN_BIN=str(BIN),
               WARREN_AMQP_URL=f"amqp://{login}:{password}@127.0.0.1:{warren.broker.port}/{warren.vhost}")
    return tenant.api, env


def blocks(language):
    return re.findall(rf"^```{language}\n(.*?)^```", README, re.M | re.S)


def shell_block_with(text):
    found = [block for block in blocks("sh") if text in block]
    assert len(found) == 1, f"one block of the README has {text!r}"
    return found[0]


def run(script, env, interpreter):
    return subprocess.run(interpreter, input=script, env=env, text=True, check=True, timeout=90,
                          stdout=subprocess.PIPE).stdout


def test_by_amqp(demo):
    api, env = demo
    id = run(blocks("python")[0], env, ["/usr/bin/python3", "-"]).split()[-1]
    job = api.wait(id)
    assert (job["status"], job["result"]) == ("completed", {"hello": "warren"})


def test_by_curl(demo):
    """The id from the first command replaces <id> in the second."""
    api, env = demo
    submit, read = shell_block_with("api/v1/jobs/<id>").split("# {")
    id = re.search(r'"id":"([^"]+)"', run(submit, env, ["sh"])).group(1)
    read = read.partition("\n")[2].replace("<id>", id)
    assert '"status":"completed"' in run(read, env, ["sh"]).replace(": ", ":")
    assert api.get(id)["priority"] == "high"


def test_by_the_command(demo):
    api, env = demo
    submit = next(line for line in shell_block_with('warren" submit').splitlines() if "submit" in line)
    assert "completed" in run(submit, env, ["sh"])
    assert api.list(type="echo", status="completed")["jobs"]
