# SPDX-License-Identifier: Apache-2.0
"""The progress shown is the latest reported, even if the program reports nothing more."""
from harness.until import until


def reports(*values, then):
    """A program that reports these values at once, then runs on without reports."""
    lines = "".join(f"echo '{{\"progress\": {value}}}' >&3;" for value in values)
    return {"exec": ["/bin/sh", "-c", f"{lines} {then}"], "retry": {"base": "1h", "cap": "1h"}}


def test_the_latest_progress_is_shown(make_warren, tmp_path):
    gate = tmp_path / "gate"
    warren = make_warren(handlers={"types": {
        "silent": reports(0.1, 0.4, 0.6, then=f'until [ -e "{gate}" ]; do sleep 0.1; done'),
        "quick": reports(0.1, 0.9, then="exit 0"),
        "fails": reports(0.2, 0.8, then="exit 1"),
    }})
    api = warren.api
    silent = api.submit("silent", {})["id"]
    until(lambda: (api.get(silent)["progress"] or {}).get("value") == 0.6, 10, "the latest")
    gate.touch()
    assert api.wait(silent)["status"] == "completed"

    assert api.wait(api.submit("quick", {})["id"])["progress"]["value"] == 0.9
    job = api.wait(api.submit("fails", {}, max_retries=0)["id"])
    assert (job["status"], job["progress"]["value"]) == ("dead", 0.8)
