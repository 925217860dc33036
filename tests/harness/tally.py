# SPDX-License-Identifier: Apache-2.0
"""What a fault cost: counted the same way by every fault test, and printed in the summary of the run."""
import collections

NAME = "tally"


class Tally:
    """Made by the fixture `tally`; keeps its lines with the test's report, which pytest's workers hand
    to whoever prints the summary."""

    def __init__(self, record):
        self._record = record

    def __call__(self, what, wanted, found, times=None, unit="jobs", done="run", note=""):
        """Fails if any id of `wanted` is missing in `found`. `times` says how often each was `done`.
        Returns how many were done more than once."""
        wanted = set(wanted)
        assert wanted, f"{what}: nothing was at stake"
        lost = len(wanted - set(found))
        line = f"{what}: {len(wanted)} {unit}, lost {lost}"
        again = [times[id] for id in wanted if times[id] > 1] if times is not None else []
        if times is not None:
            line += f", {done} more than once {len(again)}"
            line += f" (at most {max(again)} times)" if again else ""
        self._record(NAME, line + (f"; {note}" if note else ""))
        assert lost == 0, line
        return len(again)

    def letters(self, what, buried, archived, note=""):
        """The same for dead letters: the archive must have each of them exactly once, and no other."""
        self(what, buried, archived, collections.Counter(archived), "letters", "archived", note)
        assert sorted(archived) == sorted(buried), what


def lines(reports):
    """The tally lines in these reports."""
    return [line for report in reports if getattr(report, "when", None) == "call"
            for name, line in report.user_properties if name == NAME]
