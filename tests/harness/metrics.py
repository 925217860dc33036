# SPDX-License-Identifier: Apache-2.0
"""Reading the Prometheus text format, strictly."""
import re
import shutil
import subprocess

_LINE = re.compile(r"^([a-zA-Z_:][\w:]*)(?:\{(.*)\})? (\S+)$")
_LABEL = re.compile(r'(\w+)="((?:[^"\\\n]|\\[\\"n])*)"(?:,|$)')
_COMMENT = re.compile(r"^# (HELP ([a-zA-Z_:][\w:]*) .+|TYPE ([a-zA-Z_:][\w:]*) (counter|gauge|histogram))$")
_PARTS = {"histogram": ("_bucket", "_sum", "_count"), "counter": ("",), "gauge": ("",)}


class Metrics:
    """The samples of one reading, which must be well-formed."""

    def __init__(self, text):
        self.samples = []
        self.text = text
        kinds, known = {}, set()
        assert text.endswith("\n")
        for line in text.splitlines():
            if line.startswith("#"):
                name, kind = self._comment(line)
                assert kind is None or name not in kinds, line
                if kind:
                    kinds[name] = kind
                    known.update(name + part for part in _PARTS[kind])
                continue
            match = _LINE.match(line)
            assert match, line
            name, labels, value = match.groups()
            pairs = _LABEL.findall(labels or "")
            assert _LABEL.sub("", labels or "") == "", line
            assert name in known, f"no TYPE before {line}"
            self.samples.append((name, dict(pairs), float(value)))
        series = [(name, *sorted(labels.items())) for name, labels, _ in self.samples]
        assert len(series) == len(set(series)), "a series twice"

    @staticmethod
    def _comment(line):
        match = _COMMENT.match(line)
        assert match, line
        return match[2] or match[3], match[4]

    def check(self):
        """Checks the text with promtool, where that is installed."""
        if shutil.which("promtool"):
            subprocess.run(["promtool", "check", "metrics"], input=self.text.encode(), check=True,
                           timeout=60)

    def sum(self, name, **labels):
        """The sum over all samples of that name that have these labels."""
        return sum(value for sample, have, value in self.samples
                   if sample == name and labels.items() <= have.items())

    def __getitem__(self, name):
        if name not in (sample for sample, _, _ in self.samples):
            raise KeyError(name)
        return self.sum(name)
