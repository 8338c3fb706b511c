#!/usr/bin/env python3
"""Lists the tests that were skipped and fails when one is not allowed to be.

Reads GoogleTest's XML results (every *.xml in a folder) and, where given, ctest's own output. The
allowed ones stand in tests/skips.txt, one a line: "Suite.Test  reason", * matches any text,
# begins a comment.
"""

import argparse
import fnmatch
import pathlib
import re
import sys
import xml.etree.ElementTree as ElementTree


def allowed_patterns(text):
    """The first word of each line that is not a comment."""
    return [line.split()[0] for line in text.splitlines() if line.split("#")[0].strip()]


def skipped_in_xml(text):
    """(name, reason) of each skipped or disabled test of one GoogleTest result file."""
    found = []
    for case in ElementTree.fromstring(text).iter("testcase"):
        name = f"{case.get('classname')}.{case.get('name')}"
        if case.get("status") == "notrun":
            found.append((name, "disabled"))
        elif case.get("result") == "skipped":
            element = case.find("skipped")
            message = "" if element is None else element.get("message") or element.text or ""
            # The first line names the place in the source; a person wants the reason.
            lines = [line.strip() for line in message.splitlines() if line.strip()]
            found.append((name, lines[-1] if lines else "no reason given"))
    return found


def skipped_in_ctest(text):
    """(name, reason) of each test that ctest lists as not run, once."""
    rows = re.findall(r"^\s*\d+ - (\S+) \((Skipped|Disabled|Not Run)\)", text, re.MULTILINE)
    return sorted({(name, kind.lower()) for name, kind in rows})


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--results", type=pathlib.Path, required=True)
    parser.add_argument("--ctest-log", type=pathlib.Path)
    parser.add_argument("allowed", type=pathlib.Path)
    arguments = parser.parse_args()

    skipped = []
    for path in sorted(arguments.results.glob("*.xml")):
        skipped += skipped_in_xml(path.read_text(encoding="utf-8"))
    if arguments.ctest_log:
        skipped += skipped_in_ctest(arguments.ctest_log.read_text(encoding="utf-8"))

    patterns = allowed_patterns(arguments.allowed.read_text(encoding="utf-8"))
    unlisted = 0
    print(f"Skipped tests: {len(skipped)}")
    for name, reason in skipped:
        listed = any(fnmatch.fnmatchcase(name, pattern) for pattern in patterns)
        unlisted += not listed
        print(f"  {name}: {reason}" + ("" if listed else f"  <- not listed in {arguments.allowed}"))
    return 1 if unlisted else 0


if __name__ == "__main__":
    sys.exit(main())
