#!/usr/bin/env python3
"""Bittern's tokenisers beside the `tokenizers` package, one thread each: megabytes of text per CPU
second and their ratio. Both encode the same texts of --chunk characters one by one, without special
tokens, in turns (so that what else the machine does meets both), and the medians are compared; a
first turn of each is not counted. Every id is compared once. At the end, how long loading takes.

All of it runs on one core (--core, the last by default). A core of a virtual machine that has slept
is slow for some time (27 instead of 44 MB/s through the first 40 ms at least, where this was
written for), which is most of a turn of Bittern's and little of one of the package's.

Of the package two calls are timed: encode, and encode_batch_fast of all texts, its quickest, which
keeps no offsets. The ratio is given against both.

usage: bench_tokenizers.py --text NAME=FILE... [--rounds N] [--chunk N] [--megabytes N] [--core N]
         VOCABULARY...
  VOCABULARY: NAME=path of a tokenizer.json
needs: build/release/tests/tokenize_pipe (BITTERN names another binary to look beside),
tokenizers"""
import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import time

os.environ["TOKENIZERS_PARALLELISM"] = "false"
os.environ["RAYON_NUM_THREADS"] = "1"
import tokenizers  # noqa: E402

ROOT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..")
BITTERN = os.environ.get("BITTERN", os.path.join(ROOT, "build", "release", "bittern"))
PIPE = os.path.join(os.path.dirname(BITTERN), "tests", "tokenize_pipe")


class Bittern:
    def __init__(self, path):
        self.process = subprocess.Popen([PIPE, path], stdin=subprocess.PIPE, stdout=subprocess.PIPE)

    def __call__(self, request):
        self.process.stdin.write(json.dumps(request).encode() + b"\n")
        self.process.stdin.flush()
        return json.loads(self.process.stdout.readline())

    def close(self):
        self.process.stdin.close()
        self.process.wait()


def seconds(call):
    start = time.thread_time()
    call()
    return time.thread_time() - start


def processor():
    with open("/proc/cpuinfo", encoding="ascii") as file:
        for line in file:
            if line.startswith("model name"):
                return line.split(":")[1].strip()
    return platform.machine()


def compare(vocabulary, path, texts, options):
    theirs = tokenizers.Tokenizer.from_file(path)
    theirs.no_truncation()
    theirs.no_padding()
    mine = Bittern(path)
    for name, chunks in texts:
        size = sum(len(c.encode()) for c in chunks) / 1e6
        differ = sum(mine({"text": c, "add_special": False}) !=
                     theirs.encode(c, add_special_tokens=False).ids for c in chunks)
        calls = {
            "encode": lambda: seconds(lambda: [theirs.encode(c, add_special_tokens=False)
                                               for c in chunks]),
            "batch_fast": lambda: seconds(lambda: theirs.encode_batch_fast(
                chunks, add_special_tokens=False)),
            "bittern": lambda: mine({"time": chunks}),
        }
        taken = {key: [] for key in calls}
        for turn in range(options.rounds + 1):
            for key, call in calls.items():
                value = call()
                if turn > 0:
                    taken[key].append(size / value)
        speed = {key: statistics.median(values) for key, values in taken.items()}
        print(f"{vocabulary:14} {name:8} {size:5.2f} MB  tokenizers {speed['encode']:6.2f} "
              f"(fast {speed['batch_fast']:6.2f})  bittern {speed['bittern']:7.1f} MB/s  ratio "
              f"{speed['bittern'] / speed['encode']:5.1f} "
              f"({speed['bittern'] / speed['batch_fast']:5.1f})  {differ} of {len(chunks)} differ")
        for key, values in taken.items():
            print("    " + key + " " + " ".join(f"{v:.2f}" for v in values))
    times = mine({"load": options.rounds})
    megabytes = os.path.getsize(path) / 1e6
    their_times = [seconds(lambda: tokenizers.Tokenizer.from_file(path)) for _ in range(2)]
    print(f"{vocabulary:14} loading {megabytes:.1f} MB: bittern {statistics.median(times):.3f} s, "
          f"{statistics.median(times) * 10 / megabytes:.3f} s per 10 MB; tokenizers "
          f"{min(their_times):.3f} s")
    print("    " + " ".join(f"{v:.4f}" for v in times))
    mine.close()


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--text", action="append", required=True)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--chunk", type=int, default=10_000)
    parser.add_argument("--megabytes", type=float, default=2)
    parser.add_argument("--core", type=int, default=max(os.sched_getaffinity(0)))
    parser.add_argument("vocabularies", nargs="+")
    options = parser.parse_args()
    sys.stdout.reconfigure(line_buffering=True)
    os.sched_setaffinity(0, {options.core})  # before Bittern starts, which inherits it
    print(f"tokenizers {tokenizers.__version__}, {processor()}, load average "
          f"{os.getloadavg()[0]:.1f} on {os.cpu_count()} cores, core {options.core}, "
          f"{time.strftime('%Y-%m-%d')}")
    texts = []
    for item in options.text:
        name, path = item.split("=", 1)
        with open(path, encoding="utf-8", errors="replace") as file:
            text = file.read(int(options.megabytes * 1e6))
        texts.append((name, [text[i:i + options.chunk]
                             for i in range(0, len(text), options.chunk)]))
    for item in options.vocabularies:
        name, path = item.split("=", 1)
        compare(name, path, texts, options)


if __name__ == "__main__":
    main()
