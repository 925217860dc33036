# SPDX-License-Identifier: Apache-2.0
"""A handler of kind exec: counts the words of {"text": "..."}.

The payload comes on stdin. The result goes to stdout, errors to stderr, progress to descriptor 3.
After exit status 65 the job is buried, as no retry can help; after any other failure it is retried.
"""
import collections
import json
import os
import sys


def report(progress, message):
    os.write(3, (json.dumps({"progress": progress, "message": message}) + "\n").encode())


def main():
    job = json.load(sys.stdin)
    text = job.get("text") if isinstance(job, dict) else None
    if not isinstance(text, str):
        print("/text must be a string", file=sys.stderr)
        return 65
    words = collections.Counter()
    lines = text.splitlines()
    for number, line in enumerate(lines, 1):
        words.update(line.lower().split())
        if number % 1000 == 0:
            report(number / len(lines), f"line {number} of {len(lines)}")
    top = [{"word": word, "count": count} for word, count in words.most_common(10)]
    json.dump({"lines": len(lines), "words": sum(words.values()), "top": top}, sys.stdout)
    return 0


sys.exit(main())
