#!/usr/bin/env python3
"""`pip install` of the package into an empty folder, without a network, and a story from there.
Exit status 77 where this Python lacks what that takes."""

import importlib.metadata
import importlib.util
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile

SOURCE = pathlib.Path(__file__).resolve().parents[2]
STORY = """
import sys, pathlib, bittern
from bittern._library import library
folder = pathlib.Path(bittern.__file__).parent
assert folder.is_relative_to(sys.argv[1]), folder
assert pathlib.Path(library()._name) == folder / "libbittern.so", library()._name
assert (folder / "py.typed").exists()
with bittern.Model(sys.argv[2], cache=False) as model:
    print(model.generate("Once upon a time", max_tokens=8, seed=1))
"""


def main():
    missing = [name for name in ("pip", "setuptools", "numpy")
               if importlib.util.find_spec(name) is None]
    # Before 70.1 setuptools needs another package to make wheels.
    if not missing and int(importlib.metadata.version("setuptools").split(".")[0]) < 71:
        missing = [] if importlib.util.find_spec("wheel") else ["wheel"]
    if missing:
        print(f"skipped: {sys.executable} has no {', '.join(missing)}")
        return 77
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        # The build leaves its files in the source folder.
        shutil.copytree(SOURCE / "python", folder / "source",
                        ignore=shutil.ignore_patterns("build", "*.egg-info", "__pycache__"))
        subprocess.run([sys.executable, "-m", "pip", "install", "--quiet", "--no-index",
                        "--no-deps", "--no-build-isolation", "--disable-pip-version-check",
                        "--target", folder / "target", folder / "source"],
                       check=True, cwd=folder)
        environment = {key: value for key, value in os.environ.items()
                       if key != "BITTERN_LIBRARY"}
        environment["PYTHONPATH"] = str(folder / "target")
        subprocess.run([sys.executable, "-c", STORY, folder / "target",
                        SOURCE / "models" / "bittern-stories.gguf"],
                       check=True, cwd=folder, env=environment)
    return 0


if __name__ == "__main__":
    sys.exit(main())
