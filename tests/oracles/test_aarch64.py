"""Another architecture: cross-compiles for aarch64 and runs the tests under an emulator
(scripts/aarch64_test.sh), on processors with and without the instructions of the NEON kernels.

Exit status 0 when all passes, 77 when the cross compiler or the emulator is not installed."""
import pathlib
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]

if __name__ == "__main__":
    sys.exit(subprocess.run([ROOT / "scripts" / "aarch64_test.sh"], check=False).returncode)
