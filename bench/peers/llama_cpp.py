#!/usr/bin/env python3
"""The same GGUF through llama.cpp and through Bittern, in one run.

llama.cpp's library runs in this process through the low-level API of llama-cpp-python: batched
llama_decode() calls on token ids, as its own bench does. Bittern runs as `bittern bench --json`.
The two take turns for several rounds, so that a slow minute of a shared machine meets both; the
medians of all slices are compared. Raw logs of both sides and the table go to a folder.

Needs llama-cpp-python 0.3.36 in the Python that runs this (README.md beside this file). Without
it, and for engines that are not installed, the table shows what measured.json says.
"""

import argparse
import contextlib
import datetime
import json
import os
import pathlib
import random
import re
import shutil
import statistics
import subprocess
import sys
import time

HERE = pathlib.Path(__file__).resolve().parent
# This file is called as the package it imports.
sys.path = [folder for folder in sys.path if pathlib.Path(folder).resolve() != HERE]
TERNARY = {"tq1_0", "tq2_0", "i2_s", "iq1_bn", "iq2_bn"}
LLAMA_BENCHES = ("llama-bench", "ik-llama-bench")


class LlamaCpp:
    """A model in llama.cpp, one context for each case, kept over the rounds."""

    def __init__(self, path, threads, seed):
        import llama_cpp
        self.api = llama_cpp
        self.name = f"llama.cpp (llama-cpp-python {llama_cpp.__version__})"
        # Kept: the library calls it for as long as it lives.
        self.silence = llama_cpp.llama_log_callback(lambda *_: None)
        llama_cpp.llama_log_set(self.silence, None)
        llama_cpp.llama_backend_init()
        self.model = llama_cpp.llama_model_load_from_file(
            str(path).encode(), llama_cpp.llama_model_default_params())
        if not self.model:
            raise RuntimeError(f"{path}: llama.cpp cannot load it")
        vocab = llama_cpp.llama_model_get_vocab(self.model)
        self.vocab_size = llama_cpp.llama_vocab_n_tokens(vocab)
        self.threads = threads
        self.random = random.Random(seed)
        self.contexts = {}

    def features(self):
        return self.api.llama_print_system_info().decode()

    def decode(self, context, rows):
        """rows: (sequence, position, wants logits)."""
        api = self.api
        batch = api.llama_batch_init(len(rows), 0, 1)
        batch.n_tokens = len(rows)
        for index, (sequence, position, wants) in enumerate(rows):
            batch.token[index] = self.random.randrange(self.vocab_size)
            batch.pos[index] = position
            batch.n_seq_id[index] = 1
            batch.seq_id[index][0] = sequence
            batch.logits[index] = wants
        started = time.perf_counter()
        status = api.llama_decode(context, batch)
        api.llama_synchronize(context)
        seconds = time.perf_counter() - started
        api.llama_batch_free(batch)
        if status != 0:
            raise RuntimeError(f"llama_decode: {status}")
        return seconds

    def context(self, case):
        key = tuple(sorted(case.items()))
        if key in self.contexts:
            return self.contexts[key]
        api = self.api
        positions = case["depth"] + case["tokens"]
        params = api.llama_context_default_params()
        params.n_ctx = -(-positions // 256) * 256 * case["batch"]
        params.n_batch = params.n_ubatch = 512
        params.n_seq_max = case["batch"]
        params.n_threads = params.n_threads_batch = self.threads
        context = api.llama_init_from_model(self.model, params)
        if not context:
            raise RuntimeError(f"llama.cpp gives no context for {case}")
        for sequence in range(case["batch"]):
            for first in range(0, case["depth"], 512):
                count = min(512, case["depth"] - first)
                self.decode(context, [(sequence, first + i, False) for i in range(count)])
        self.contexts[key] = context
        self.run(case)  # not counted: pages are touched, weights repacked
        return context

    def run(self, case):
        """Seconds of each slice of one repetition: a prompt, or the steps of decoding."""
        context = self.context(case)
        memory = self.api.llama_get_memory(context)
        for sequence in range(case["batch"]):
            self.api.llama_memory_seq_rm(memory, sequence, case["depth"], -1)
        depth, tokens = case["depth"], case["tokens"]
        if case["phase"] == "prefill":
            seconds = 0.0
            for first in range(0, tokens, 512):
                count = min(512, tokens - first)
                seconds += self.decode(context, [(0, depth + first + i, first + i == tokens - 1)
                                                 for i in range(count)])
            return [seconds]
        return [self.decode(context, [(sequence, depth + step, True)
                                      for sequence in range(case["batch"])])
                for step in range(tokens)]


def slice_tokens(case):
    return case["tokens"] if case["phase"] == "prefill" else case["batch"]


def key_of(case):
    return (case["phase"], case["depth"], case["batch"], case["tokens"])


def run_bittern(arguments, limits):
    """The JSON document of one run over all cases."""
    command = [arguments.bittern, "bench", str(arguments.model), "--json", "--quiet",
               "--repetitions", "1", "--threads", str(arguments.threads),
               "--prompt", arguments.prompt, "--generate", arguments.generate,
               "--depth", arguments.depth, "--batch", arguments.batch,
               "--kv-type", arguments.kv_type, "--limits", "on" if limits else "off"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        sys.exit(done.stderr.strip() or f"{command[0]}: status {done.returncode}")
    return json.loads(done.stdout)


def run_llama_bench(program, arguments):
    """Tokens per second by case key, from a llama-bench on PATH (batch 1 only)."""
    command = [program, "-m", str(arguments.model), "-t", str(arguments.threads), "-r", "1",
               "-p", arguments.prompt, "-n", arguments.generate, "-d", arguments.depth,
               "-o", "json"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        print(f"{program}: {done.stderr.strip().splitlines()[-1:]}", file=sys.stderr)
        return {}
    rates = {}
    for row in json.loads(done.stdout):
        phase, tokens = ("decode", row["n_gen"]) if row["n_gen"] else ("prefill", row["n_prompt"])
        rates[(phase, row.get("n_depth", 0), 1, tokens)] = row["avg_ts"]
    return rates


def quantile(values, q):
    values = sorted(values)
    place = q * (len(values) - 1)
    below = int(place)
    above = min(below + 1, len(values) - 1)
    return values[below] + (values[above] - values[below]) * (place - below)


def summary(rates):
    return f"{quantile(rates, 0.5):.2f} ({quantile(rates, 0.1):.2f} to {quantile(rates, 0.9):.2f})"


def elsewhere(shape, codec, case):
    """Rates of other engines measured elsewhere, as multiples of llama.cpp's there."""
    wanted = "ternary" if codec in TERNARY else codec
    for row in json.loads((HERE / "measured.json").read_text())["rows"]:
        if (row["shape"], row["codec"], row["phase"], row["depth"], row["batch"]) == (
                shape, wanted, case["phase"], case["depth"], case["batch"]):
            base = row["llama.cpp"]
            return {name: row[name] / base for name in ("ik_llama.cpp", "bitnet.cpp")
                    if name in row}
    return {}


def table(arguments, cases, bittern, peer, others):
    """Markdown: one row a case; ratios are Bittern's median over the other's."""
    lines = ["| work | Bittern, tokens/s (p10 to p90) | llama.cpp | ratio | others |",
             "|---|---|---|---|---|"]
    for case in cases:
        key = key_of(case)
        own = bittern[key]
        text = (f"prefill {case['tokens']}" if case["phase"] == "prefill"
                else f"decode, batch {case['batch']}") + f" at {case['depth']}"
        theirs, ratio = "absent", ""
        median = None
        if peer.get(key):
            theirs = summary(peer[key])
            median = statistics.median(peer[key])
            ratio = f"{statistics.median(own) / median:.2f}x"
        notes = [f"{name} {rate[key]:.2f}" for name, rate in others.items() if key in rate]
        for name, multiple in elsewhere(arguments.shape, arguments.codec, case).items():
            note = f"{name} {multiple:.2f}x llama.cpp elsewhere*"
            if median:
                note += f" (so {multiple * median:.1f}; ratio {statistics.median(own) / median / multiple:.2f}x)"
            notes.append(note)
        lines.append(f"| {text} | {summary(own)} | {theirs} | {ratio} | {'; '.join(notes)} |")
    lines.append("\n*" + json.loads((HERE / "measured.json").read_text())["provenance"])
    return "\n".join(lines) + "\n"


def parse():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("model", type=pathlib.Path, nargs="?", help="a GGUF file")
    parser.add_argument("--shape", help="make the file: bittern bench --shape ... --write-gguf")
    parser.add_argument("--codec", default="q4_0")
    parser.add_argument("--head-codec", help="of both sides; as llama-quantize chooses by default")
    parser.add_argument("--bittern", default=shutil.which("bittern") or "build/release/bittern")
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument("--prompt", default="512")
    parser.add_argument("--generate", default="16")
    parser.add_argument("--depth", default="0")
    parser.add_argument("--batch", default="1,8")
    parser.add_argument("--kv-type", default="f16", help="of Bittern; llama.cpp's are f16")
    parser.add_argument("--rounds", type=int, default=4)
    parser.add_argument("--name", help="of the folder of results; model and codec by default")
    parser.add_argument("--results", type=pathlib.Path, default=HERE.parent / "results")
    arguments = parser.parse_args()
    if (arguments.model is None) == (arguments.shape is None):
        parser.error("a GGUF file or --shape expected")
    return arguments


@contextlib.contextmanager
def model_file(arguments, folder):
    """The file that both sides run; made and removed again for --shape."""
    if arguments.model is not None:
        yield arguments.model
        return
    path = folder / "model.gguf"
    command = [arguments.bittern, "bench", "--shape", arguments.shape, "--codec", arguments.codec,
               "--write-gguf", str(path), "--prompt", "0", "--generate", "0"]
    if arguments.head_codec:
        command += ["--head-codec", arguments.head_codec]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    try:
        yield path
    finally:
        path.unlink()


def main():
    arguments = parse()
    name = arguments.name or f"{arguments.shape or arguments.model.stem}-{arguments.codec}"
    date = datetime.date.today().isoformat()
    folder = arguments.results / f"{date}-{re.sub(r'[^A-Za-z0-9._-]+', '-', name)}"
    folder.mkdir(parents=True, exist_ok=True)
    with model_file(arguments, folder) as path:
        arguments.model = path
        try:
            llama = LlamaCpp(path, arguments.threads, seed=1)
        except ImportError:
            llama = None
            print("llama-cpp-python is not installed: llama.cpp is absent", file=sys.stderr)
        benches = [program for program in LLAMA_BENCHES if shutil.which(program)]
        documents, cases, log = [], [], []
        bittern, peer, others = {}, {}, {program: {} for program in benches}
        for number in range(arguments.rounds):
            documents.append(run_bittern(arguments, limits=number == 0))
            for row in documents[-1]["results"]:
                case = {name: row[name] for name in ("phase", "depth", "batch", "tokens")}
                if number == 0:
                    cases.append(case)
                bittern.setdefault(key_of(case), []).extend(
                    slice_tokens(case) / seconds for seconds in row["slice_seconds"])
            for case in cases if llama else []:
                seconds = llama.run(case)
                log.append({"round": number, **case, "slice_seconds": seconds})
                peer.setdefault(key_of(case), []).extend(slice_tokens(case) / s for s in seconds)
            for program in benches:
                others[program].update(run_llama_bench(program, arguments))
            print(f"round {number + 1} of {arguments.rounds} done", file=sys.stderr)
    text = table(arguments, cases, bittern, peer, others)
    (folder / "bittern.json").write_text(json.dumps(documents, indent=1) + "\n")
    (folder / "llama_cpp.json").write_text(json.dumps(
        {"engine": llama.name if llama else None, "features": llama.features() if llama else None,
         "threads": arguments.threads, "runs": log}, indent=1) + "\n")
    (folder / "table.md").write_text(text)
    print(text)
    print(f"raw logs: {folder}", file=sys.stderr)


if __name__ == "__main__":
    main()
