#!/usr/bin/env python3
"""Bittern's JSON Schema grammars against the JSON-Schema-Test-Suite (draft 2020-12, in the source
package of jsonschema) and against the jsonschema package on random schemas.

An instance that the suite calls invalid must never be accepted, in any spelling tried: every order
of members (up to a bound), compact and with spaces. A valid one should be accepted in some order;
those that are not are counted and listed, and so is what is refused as unsupported, by keyword.
Random schemas: whatever a random walk of the grammar writes must validate.

Calls the test program grammar_pipe beside the binary named by BITTERN (build/release/bittern by
default). The package is kept in the build folder.

usage: test_json_schema.py [--random N] [--seed N] [--list] [--no-fetch]"""
import argparse
import collections
import decimal
import glob
import itertools
import json
import os
import random
import re
import subprocess
import sys
import tarfile

import jsonschema

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from random_schemas import PATTERNS, random_instance, random_schema  # noqa: E402

ROOT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..")
decimal.getcontext().prec = 700
BITTERN = os.environ.get("BITTERN", os.path.join(ROOT, "build", "release", "bittern"))
BUILD = os.environ.get("BITTERN_BUILD", os.path.dirname(BITTERN))
PIPE = os.path.join(os.path.dirname(BITTERN), "tests", "grammar_pipe")
PACKAGE = "jsonschema==4.26.0"
SPELLINGS = 150

# Valid only where format is a mere annotation: Bittern honours it.
ANNOTATION = "is only an annotation by default"


def suite_folder(fetch):
    folder = os.path.join(BUILD, "json-schema-suite")
    found = glob.glob(os.path.join(folder, "*", "json", "tests", "draft2020-12"))
    if not found and fetch:
        os.makedirs(folder, exist_ok=True)
        subprocess.run([sys.executable, "-m", "pip", "download", "-q", "--no-binary", "jsonschema",
                        "--no-deps", "-d", folder, PACKAGE], check=True)
        for name in glob.glob(os.path.join(folder, "*.tar.gz")):
            with tarfile.open(name) as package:
                package.extractall(folder, filter="data")
        found = glob.glob(os.path.join(folder, "*", "json", "tests", "draft2020-12"))
    return found[0] if found else None


class Pipe:
    def __init__(self):
        self.process = subprocess.Popen([PIPE], stdin=subprocess.PIPE, stdout=subprocess.PIPE)

    def ask(self, **request):
        self.process.stdin.write(json.dumps(request).encode() + b"\n")
        self.process.stdin.flush()
        answer = self.process.stdout.readline()
        if not answer:
            raise SystemExit(f"grammar_pipe ended at {json.dumps(request)[:600]}")
        return json.loads(answer)


def orders(value):
    """The value with its objects' members in every order, the given one first."""
    if isinstance(value, dict):
        for keys in itertools.permutations(value):
            for members in itertools.product(*(list(orders(value[key])) for key in keys)):
                yield dict(zip(keys, members))
    elif isinstance(value, list):
        for items in itertools.product(*(list(orders(item)) for item in value)):
            yield list(items)
    else:
        yield value


def plain(value):
    """Numbers as the grammar spells them: integers without a point, no exponents."""
    if isinstance(value, dict):
        return {key: plain(member) for key, member in value.items()}
    if isinstance(value, list):
        return [plain(item) for item in value]
    if isinstance(value, float) and value == int(value):
        return int(value)
    return value


def number_text(text):
    """json.dumps writes 1e-08; a decimal has no exponent."""
    return re.sub(r"(?<![\w\"])-?\d+(\.\d+)?e[+-]?\d+",
                  lambda m: format(decimal.Decimal(m.group()), "f"), text)


def spellings(value):
    texts = []
    sizes = 1
    for ordered in itertools.islice(orders(value), SPELLINGS):
        for data in ([ordered] if sizes else []):
            text = json.dumps(plain(data), ensure_ascii=False, separators=(",", ":"))
            texts.append(text if '"' in text else number_text(text))
            if len(texts) == 1:
                texts.append(json.dumps(data, ensure_ascii=False))
                texts.append(json.dumps(plain(data), ensure_ascii=False, indent=2))
    return list(dict.fromkeys(texts))


def encodable(text):
    try:
        text.encode()
        return True
    except UnicodeEncodeError:  # half a surrogate pair
        return False


class Suite:
    def __init__(self):
        self.tests = self.right = 0
        self.wrongly_accepted = []
        self.wrongly_rejected = []
        self.refused = collections.Counter()
        self.refused_tests = 0
        self.errors = []

    def run(self, pipe, path, name):
        for case in json.load(open(path)):
            tests = [test for test in case["tests"]]
            texts = [[text for text in spellings(test["data"]) if encodable(text)]
                     for test in tests]
            flat = [text for each in texts for text in each]
            answer = pipe.ask(schema=json.dumps(case["schema"]), texts=flat)
            self.tests += len(tests)
            if "error" in answer:
                self.refuse(name, case, tests, answer)
                continue
            accepted = iter(answer["accepted"])
            for test, each in zip(tests, texts, strict=True):
                got = [next(accepted) for _ in each]
                self.count(name, case, test, each, got)

    def refuse(self, name, case, tests, answer):
        if "no text can match" in answer["error"]:  # nothing is accepted: all invalid is right
            for test in tests:
                self.count(name, case, test, [json.dumps(test["data"])], [False])
            return
        self.refused_tests += len(tests)
        key = answer["error"]
        self.refused[f"{name}: {key}"] += len(tests)
        if answer["kind"] != 5:  # not "unsupported": malformed, or a limit
            self.errors.append(f"{name}: {case['description']}: {answer['error']}")

    def count(self, name, case, test, texts, got):
        line = f"{name}: {case['description']}: {test['description']}: {test['data']!r:.80}"
        if not test["valid"] and any(got):
            self.wrongly_accepted.append(f"{line}: as {texts[got.index(True)]}")
        elif test["valid"] and not any(got):
            self.wrongly_rejected.append(line)
        else:
            self.right += 1


def run_suite(folder, show):
    pipe, suite, optional = Pipe(), Suite(), Suite()
    for path in sorted(glob.glob(os.path.join(folder, "*.json"))):
        suite.run(pipe, path, os.path.basename(path)[:-5])
    for path in sorted(glob.glob(os.path.join(folder, "optional", "**", "*.json"), recursive=True)):
        optional.run(pipe, path, os.path.relpath(path, folder)[:-5])
    for what, each in (("required", suite), ("optional", optional)):
        print(f"{what}: {each.tests} tests, {each.right} right, {len(each.wrongly_accepted)} wrongly "
              f"accepted, {len(each.wrongly_rejected)} wrongly rejected, {each.refused_tests} "
              "refused by name")
        for line in each.wrongly_accepted:
            print(f"  WRONGLY ACCEPTED {line}")
        for line in each.errors:
            print(f"  not a refusal but an error: {line}")
        if show:
            for line in each.wrongly_rejected:
                print(f"  wrongly rejected {line}")
            for line, count in sorted(each.refused.items()):
                print(f"  refused {count:3} {line}")
    return suite, optional


def exact_number(text):
    """1.0 is an integer, and 0.1 a tenth: jsonschema reckons with what it is given."""
    try:
        value = decimal.Decimal(text)
    except decimal.InvalidOperation:  # an exponent of twenty digits
        return float(text)
    small = value.adjusted() < 300  # Python writes no longer integers
    return int(value) if small and value == value.to_integral_value() else value


def exact(text):
    return json.loads(text, parse_float=exact_number)


def as_python_reads(schema):
    """Python's $ also matches before a line end; ECMA-262's does not."""
    text = json.dumps(schema)
    for pattern in PATTERNS:
        text = text.replace(json.dumps(pattern), json.dumps(pattern.replace("$", r"\Z")))
    return exact(text)


def is_valid(validator, text):
    """None where the validator cannot reckon with a number of hundreds of digits."""
    try:
        return validator.is_valid(exact(text))
    except (ArithmeticError, ValueError):
        return None


def run_random(count, seed):
    """What walks write must validate; what validates should mostly be accepted."""
    pipe, rng = Pipe(), random.Random(seed)
    walked = wrong = refused = nothing = valid = accepted = false_accepts = 0
    for number in range(count):
        schema = random_schema(rng)
        instances = [random_instance(rng, schema) for _ in range(8)]
        texts = [json.dumps(plain(each), ensure_ascii=False) for each in instances]
        answer = pipe.ask(schema=json.dumps(schema), texts=texts, walks=6, seed=seed + number)
        if "error" in answer:
            if "no text can match" in answer["error"]:
                nothing += 1
            else:
                refused += 1
                if answer["kind"] != 5 and "limit" not in answer["error"]:
                    print(f"  error: {answer['error']} for {json.dumps(schema)}")
                    wrong += 1
            if "no text can match" not in answer["error"]:
                continue
            answer = {"accepted": [False] * len(texts), "walked": []}
        validator = jsonschema.Draft202012Validator(as_python_reads(schema))
        for text in answer["walked"]:
            walked += 1
            if is_valid(validator, text) is False:
                wrong += 1
                print(f"  WRONG: {text} for {json.dumps(schema)}")
        for instance, text, got in zip(instances, texts, answer["accepted"], strict=True):
            good = is_valid(validator, text)
            if good:
                valid += 1
                accepted += got
            elif got and good is False:
                false_accepts += 1
                print(f"  WRONGLY ACCEPTED: {text} for {json.dumps(schema)}")
    print(f"random: {count} schemas (seed {seed}): {refused} refused, {nothing} without values; "
          f"{walked} walks; {accepted} of {valid} valid instances accepted (as written, in any "
          f"order); {wrong + false_accepts} wrong")
    return wrong + false_accepts


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--random", type=int, default=4000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--list", action="store_true", help="list rejections and refusals")
    parser.add_argument("--no-fetch", action="store_true")
    options = parser.parse_args()
    folder = suite_folder(not options.no_fetch)
    if folder is None:
        sys.exit("the JSON-Schema-Test-Suite is not here")
    suite, optional = run_suite(folder, options.list)
    wrong = len(suite.wrongly_accepted) + len(optional.wrongly_accepted)
    wrong += run_random(options.random, options.seed)
    # What is left out is known: more than this is a regression.
    wrong += len([line for line in suite.wrongly_rejected if ANNOTATION not in line]) > 1
    wrong += suite.refused_tests > 132
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
