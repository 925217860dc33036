# SPDX-License-Identifier: Apache-2.0
"""A handler of kind exec: counts the words of {"text": "..."}.

The payload comes on stdin, the result goes to stdout, complaints to stderr, progress to descriptor 3.
Exit status 65 (a job that will never work) is not tried again; any other failure is.
"""
import collections
import json
import os
import sys


def tell(progress, message):
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
            tell(number / len(lines), f"line {number} of {len(lines)}")
    top = [{"word": word, "count": count} for word, count in words.most_common(10)]
    json.dump({"lines": len(lines), "words": sum(words.values()), "top": top}, sys.stdout)
    return 0


sys.exit(main())
