# SPDX-License-Identifier: Apache-2.0
"""Answers to batches of submissions."""
NDJSON = "application/x-ndjson"
CUT = "urn:warren:problem:batch-ended"


def check(answer, status=202):
    """The answer's entries of jobs, and the entry that says why not all was read, or None."""
    assert answer.status_code == status, answer.text
    found = answer.json()
    jobs = found["jobs"]
    cut = None if found["complete"] else jobs.pop()
    problems = [job["problem"] for job in jobs if "problem" in job]
    unknown = sum(problem.get("accepted") == "unknown" for problem in problems)
    counts = (len(jobs) - len(problems), len(problems) - unknown, unknown)
    assert (found["accepted"], found["refused"], found["unknown"]) == counts, found
    if cut is not None:
        assert cut["problem"]["type"] == CUT
        cut = cut["problem"]
    return jobs, cut


def accepted(jobs):
    return [job["id"] for job in jobs if "problem" not in job]
