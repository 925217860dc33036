# SPDX-License-Identifier: Apache-2.0
"""The handler examples: the code in docs/writing-handlers.md equals that in examples/, and it builds."""
import ctypes
import json
import pathlib
import re
import shlex
import subprocess

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
DOC = (ROOT / "docs/writing-handlers.md").read_text()
INCLUDE = ROOT / "consumer/include"


def blocks(language):
    return re.findall(rf"```{language}\n(.*?)```", DOC, re.S)


@pytest.mark.parametrize("language,path", [
    ("c", "examples/plugin/primes.c"),
    ("python", "examples/word_count.py"),
    ("json", "examples/plugin/handlers.json"),
])
def test_the_document_shows_the_file(language, path):
    assert (ROOT / path).read_text() in blocks(language)


def test_every_sample_is_json():
    for text in blocks("json"):
        json.loads(text)


def exports_a_plugin(path):
    plugin = ctypes.CDLL(str(path))
    return ctypes.c_uint32.in_dll(plugin, "warren_plugin").value == 1


def test_the_documented_command_builds_the_plugin(tmp_path):
    command = shlex.split(blocks("sh")[0])
    command[command.index("-o") + 1] = str(tmp_path / "primes.so")
    subprocess.run([*command, "-Werror"], cwd=ROOT, check=True)
    assert exports_a_plugin(tmp_path / "primes.so")


def test_its_cmake_project_builds_the_plugin(tmp_path):
    subprocess.run(["cmake", "-S", ROOT / "examples/plugin", "-B", tmp_path,
                    f"-DWARREN_INCLUDE_DIR={INCLUDE}"], check=True)
    subprocess.run(["cmake", "--build", tmp_path], check=True)
    assert exports_a_plugin(tmp_path / "primes.so")


def test_word_count_by_hand():
    run = subprocess.run("/usr/bin/python3 word_count.py 3>&1", shell=True, cwd=ROOT / "examples",
                         input=b'{"text": "a b a"}', capture_output=True, check=True)
    assert json.loads(run.stdout)["words"] == 3
