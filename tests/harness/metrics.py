# SPDX-License-Identifier: Apache-2.0
"""Reading the Prometheus text format."""
import re

_LINE = re.compile(r"^([a-zA-Z_:][\w:]*)(?:\{(.*)\})? (\S+)$")
_LABEL = re.compile(r'(\w+)="((?:[^"\\]|\\.)*)"')


class Metrics:
    """The samples of one reading."""

    def __init__(self, text):
        self.samples = []
        for line in text.splitlines():
            match = None if line.startswith("#") else _LINE.match(line)
            if match:
                name, labels, value = match.groups()
                self.samples.append((name, dict(_LABEL.findall(labels or "")), float(value)))

    def sum(self, name, **labels):
        """The sum over all samples of that name that have these labels."""
        return sum(value for sample, have, value in self.samples
                   if sample == name and labels.items() <= have.items())

    def __getitem__(self, name):
        if name not in (sample for sample, _, _ in self.samples):
            raise KeyError(name)
        return self.sum(name)
