# SPDX-License-Identifier: Apache-2.0
"""Compares what the documents say of the programs with the programs.

Run as a script it prints the tables of docs/configuration.md as they should be.
"""
import os
import re
import subprocess

import pytest

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BIN = os.environ.get("WARREN_BIN", os.path.join(ROOT, "build/asan/bin"))
PROGRAMS = ["warren-gateway", "warren-consumer", "warren-status-store", "warren-dlx-monitor"]


def settings_of(program):
    """(key, allowed and default, meaning) of each setting, from --help."""
    text = subprocess.run([os.path.join(BIN, program), "--help"], check=True,
                          capture_output=True, text=True).stdout
    found = re.findall(r"^  --([a-z_]+) VALUE\n      (.*)\n      WARREN_", text, re.M)
    assert found, text
    rows = []
    for key, line in found:
        meaning, allowed = re.fullmatch(r"(.*?)(?: \(([^()]*)\))?", line).groups()
        rows.append((key, allowed or "", meaning))
    return rows


def table_of(program):
    lines = [f"## {program}", "", "| key | allowed, default | meaning |", "|---|---|---|"]
    for key, allowed, meaning in settings_of(program):
        lines.append(f"| `{key}` | {allowed} | {meaning} |")
    return "\n".join(escaped(line) for line in lines)


def escaped(line):
    """Escapes bars: a bar inside a table cell would end the cell."""
    return re.sub(r"(?<=\w)\|(?=\w)", "\\|", line)


@pytest.mark.parametrize("program", PROGRAMS)
def test_configuration_page_has_every_setting(program):
    with open(os.path.join(ROOT, "docs/configuration.md"), encoding="utf-8") as page:
        assert table_of(program) in page.read()


if __name__ == "__main__":
    print("\n\n".join(table_of(program) for program in PROGRAMS))
