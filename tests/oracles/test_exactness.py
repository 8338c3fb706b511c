"""The same tokens and the same logits, bit for bit, from every number format whatever the threads
(1 to 4), the batch (1 to 33), the chunk of prefill (1 to 512), the type of keys and values and the
instruction set: tests/bench/exactness.cc over all formats. Exit status 0 when nothing differs.

BITTERN_EXACTNESS=all runs every way of the matrix (an hour or two on two cores) instead of a
quarter."""
import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
BUILD = Path(os.environ.get("BITTERN_BUILD", str(ROOT / "build" / "release")))
PROGRAM = str(BUILD / "tests" / "exactness")


def main() -> int:
    every = ["--all"] if os.environ.get("BITTERN_EXACTNESS") == "all" else []
    failures = 0
    for size in ([], ["--small"]):
        print("models of", "odd sizes" if size else "two layers", flush=True)
        failures += subprocess.run([PROGRAM, *every, *size]).returncode != 0
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
