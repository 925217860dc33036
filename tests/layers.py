#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Checks that the folders are the architecture: who may include whom, and how files open.

base <- model <- {amqp, metrics <- http} <- {topology <- doctor, clients} <- programs; no program includes
another; a library's own header is included by one folder, or one file, only. Within a folder, too,
no module needs one that needs it.
"""
import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent

# What a folder may include, besides itself: folders, or single headers of them. A folder that is
# not listed belongs to the one around it.
BELOW = {
    "common/base": [],
    "common/db": ["common/base"],
    "common/model": ["common/base"],
    "common/amqp": ["common/base", "common/model"],
    "common/http": ["common/base", "common/model", "common/metrics"],  # health serves /metrics
    "common/metrics": ["common/base", "common/model"],
}
MIDDLE = ["common/base", "common/model", "common/amqp", "common/http", "common/metrics"]
BELOW["common/topology"] = MIDDLE
BELOW["common/clients"] = MIDDLE
BELOW["common/doctor"] = MIDDLE + ["common/topology"]
COMMON = MIDDLE + ["common/db", "common/topology", "common/clients", "common/doctor"]
PROGRAMS = ["gateway", "consumer", "status-store", "dlx-monitor", "ui/cli"]
for program in PROGRAMS:
    BELOW[program] = COMMON
# What the status-store has and does, each over those before it. The routes, above them, are its top.
STORE = ["registry", "projection", "jobs", "provisioning", "why", "acts"]
for place, folder in enumerate(STORE):
    BELOW["status-store/" + folder] = COMMON + ["status-store/" + below for below in STORE[:place]]
BELOW["status-store"] = COMMON + ["status-store/" + folder for folder in STORE]
# The gateway's live feed knows nothing of the rest of the gateway.
BELOW["gateway"] = COMMON + ["gateway/live"]
BELOW["gateway/live"] = COMMON
# The consumer has programs of its own beside it, and what it runs handlers with knows nothing of
# the rest. The plugin's contract is public.
BELOW["consumer"] = COMMON + ["consumer/runner"]
BELOW["consumer/runner"] = ["common/base", "common/model", "common/metrics", "consumer/launch",
                            "consumer/include"]
BELOW["consumer/host"] = ["common/base", "consumer/launch", "consumer/include",
                          "consumer/runner/plugin_wire.h"]
BELOW["consumer/launch"] = ["common/base"]
BELOW["consumer/include"] = []
BELOW["consumer/handlers"] = []
PUBLIC = ["warren/handler.h"]

# Which folders or files may include a library's header.
OWNERS = {
    "amqp.h": ["common/amqp/rabbitmq.h"],
    "rabbitmq-c/": ["common/amqp/rabbitmq.h"],
    "amqp_": ["common/amqp/rabbitmq.h"],
    "civetweb.h": ["common/http"],
    "curl/": ["common/http"],
}

INCLUDE = re.compile(r'^\s*#\s*include\s*([<"])([^>"]+)[>"]', re.MULTILINE)
CODE = {".c": "/*", ".h": "/*", ".py": "#", ".sh": "#", ".cmake": "#", ".js": "/*", ".txt": "#"}
TAG = "SPDX-License-Identifier: Apache-2.0"
SKIP = {"build", "var", ".git", ".cache", "__pycache__", "vendor", "node_modules"}


# Most lines of a header that only its own folder includes.
PRIVATE_HEADER_MAX = 120

# A function's definition, in the style of the house: its name begins a line's last word before the
# first parenthesis, and the brace stands on a line of its own.
DEFINITION = re.compile(r"^(?!static\b)[a-z][\w\s*]*?\b\*?(\w+)\((?:[^;{}]*?)\)\n\{", re.MULTILINE)
NOT_CODE = re.compile(r'/\*.*?\*/|"(?:[^"\\\n]|\\.)*"', re.DOTALL)
WORD = re.compile(r"\b\w+\b")


def files():
    for path in sorted(ROOT.rglob("*")):
        parts = path.relative_to(ROOT).parts
        if path.is_file() and not SKIP & set(parts):
            yield path, "/".join(parts)


def layer_of(name):
    """The longest listed folder that holds the file; None for tests and examples."""
    found = [layer for layer in BELOW if name.startswith(layer + "/")]
    return max(found, key=len, default=None)


def check_include(name, bracket, target):
    layer = layer_of(name)
    for header, owners in OWNERS.items():
        allowed = any(name == o or name.startswith(o + "/") for o in owners)
        if bracket == "<" and target.startswith(header) and not allowed:
            yield f"<{target}> belongs to {owners[0]}"
    if bracket == "<":
        return
    if not (ROOT / target).is_file():
        if target not in PUBLIC:
            yield f'"{target}" is not a path from the root'
        return
    other = layer_of(target)
    if layer is None:
        return
    if target.startswith("tests/"):
        yield f'"{target}" is a test\'s'
    elif other != layer and other not in BELOW[layer] and target not in BELOW[layer]:
        yield f'"{target}": {layer} must not know {other}'


def check_opening(name, suffix, text):
    if suffix == ".txt" and not name.endswith("CMakeLists.txt"):
        return
    lines = text.splitlines()
    head = lines[1:2] if lines and lines[0].startswith("#!") else lines[:1]
    if not head or TAG not in head[0] or not head[0].startswith(CODE[suffix]):
        yield f"does not open with {TAG}"
    if suffix in (".c", ".h") and lines[1:2] == [" *"]:
        if not lines[2].startswith(f" * {name.rsplit('/', 1)[1]}: "):
            yield "does not say in its third line what it is"
    elif suffix in (".c", ".h"):
        yield "does not open with a comment of tag and sentence"


def check_file(path, name):
    if path.suffix not in CODE:
        return
    text = path.read_text(encoding="utf-8")
    yield from check_opening(name, path.suffix, text)
    if path.suffix in (".c", ".h"):
        for bracket, target in INCLUDE.findall(text):
            yield from check_include(name, bracket, target)


def module_of(name):
    """A header and the file of its name are one module."""
    return name.rsplit(".", 1)[0]


def includes_of(name, folder):
    """The headers of its folder that a file needs. One without a header of its own is a part of
    what another header declares: that it includes the header of its own functions is no need."""
    own = set(DEFINITION.findall(folder[name])) if module_of(name) + ".h" not in folder else set()
    for _, target in INCLUDE.findall((ROOT / name).read_text(encoding="utf-8")):
        if target in folder and not own & set(WORD.findall(folder[target])):
            yield target


def needs_within(folder):
    """Module → the modules of its folder whose headers it includes or whose functions it names.
    folder: name → code without comments and strings."""
    home = {function: name for name in folder if name.endswith(".c")
            for function in DEFINITION.findall(folder[name])}
    needs = {module_of(name): set() for name in folder}
    for name, code in folder.items():
        needed = set(includes_of(name, folder))
        if name.endswith(".c"):
            needed |= {home[word] for word in set(WORD.findall(code)) & set(home)}
        needs[module_of(name)] |= {module_of(other) for other in needed} - {module_of(name)}
    return needs


def circles(graph):
    """Sets of modules that reach each other."""
    reach = {name: set(graph[name]) for name in graph}
    grown = True
    while grown:
        grown = False
        for name in reach:
            more = set().union(*(reach[other] for other in reach[name])) if reach[name] else set()
            if not more <= reach[name]:
                reach[name] |= more
                grown = True
    return {frozenset(other for other in graph if other in reach[name] and name in reach[other])
            for name in graph if name in reach[name]}


def check_circles():
    folders = {}
    for path, name in files():
        if path.suffix in (".c", ".h") and layer_of(name):
            code = NOT_CODE.sub(" ", path.read_text(encoding="utf-8"))
            folders.setdefault(name.rsplit("/", 1)[0], {})[name] = code
    for folder, codes in folders.items():
        for circle in circles(needs_within(codes)):
            yield f"{folder}: need each other in a circle: {', '.join(sorted(circle))}"


def check_private_headers():
    """A header is private when only files of its own folder include it. Tests do not count."""
    users = {}
    lines = {}
    for path, name in files():
        if path.suffix not in (".c", ".h") or layer_of(name) is None:
            continue
        text = path.read_text(encoding="utf-8")
        lines[name] = text.count("\n")
        for _, target in INCLUDE.findall(text):
            users.setdefault(target, set()).add(name.rsplit("/", 1)[0])
    for name, count in lines.items():
        if users.get(name) == {name.rsplit("/", 1)[0]} and count > PRIVATE_HEADER_MAX:
            yield f"{name}: a private header of {count} lines, over {PRIVATE_HEADER_MAX}"


def main():
    checked = 0
    failed = 0
    for path, name in files():
        checked += 1
        for finding in check_file(path, name):
            print(f"{name}: {finding}")
            failed += 1
    for finding in [*check_circles(), *check_private_headers()]:
        print(finding)
        failed += 1
    if checked < 50:
        print(f"only {checked} files found under {ROOT}")
        failed += 1
    print(f"{checked} files, {failed} findings")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
