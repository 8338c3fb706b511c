#!/usr/bin/env python3
"""Writes tests/data/chat/json_schema.json: a part of the JSON-Schema-Test-Suite (draft 2020-12,
from the source package of jsonschema 4.26.0; MIT) as texts. Each instance comes in a few spellings,
with its members in different orders; whether it is valid is the suite's word. The whole suite runs
in tests/oracles/test_json_schema.py.

usage: json_schemas.py SUITE   (the folder tests/draft2020-12)"""
import glob
import itertools
import json
import os
import sys

ROOT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..")
sys.path.insert(0, os.path.join(ROOT, "tests", "oracles"))
from test_json_schema import encodable, spellings  # noqa: E402

OUT = os.path.join(ROOT, "tests", "data", "chat", "json_schema.json")
LEFT_OUT = {"vocabulary", "refRemote", "content"}  # need other documents; only annotations
SPELLED = 8


def main():
    cases = []
    for path in sorted(glob.glob(os.path.join(sys.argv[1], "*.json"))):
        name = os.path.basename(path)[:-5]
        if name in LEFT_OUT:
            continue
        for case in json.load(open(path)):
            schema = case["schema"]
            if isinstance(schema, dict):
                schema.pop("$schema", None)
            if "localhost" in json.dumps(schema) and "$ref" in json.dumps(schema):
                continue
            tests = [[test["valid"]] +
                     list(itertools.islice(filter(encodable, spellings(test["data"])), SPELLED))
                     for test in case["tests"]]
            cases.append([f"{name}: {case['description']}",
                          json.dumps(schema, ensure_ascii=False, separators=(",", ":")), tests])
    with open(OUT, "w") as out:
        out.write("[\n")
        out.write(",\n".join(json.dumps(case, ensure_ascii=False, separators=(",", ":"))
                             for case in cases))
        out.write("\n]\n")
    print(f"{len(cases)} schemas, {sum(len(case[2]) for case in cases)} tests, "
          f"{os.path.getsize(OUT)} bytes")


if __name__ == "__main__":
    main()
