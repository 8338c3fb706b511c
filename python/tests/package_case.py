"""What the tests of the package share: the example model, one without an end, the program."""

import os
import pathlib
import struct
import subprocess
import tempfile
import unittest

from bittern import Model

SOURCE = pathlib.Path(__file__).resolve().parents[2]
EXAMPLE = SOURCE / "models" / "bittern-stories.gguf"
ENCODER = SOURCE / "tests" / "data" / "models" / "bert"
PROMPT = "Once upon a time"


def run_program(*words):
    """What `bittern` prints."""
    return subprocess.run([os.environ["BITTERN_PROGRAM"], *map(str, words)], check=True,
                          capture_output=True, text=True).stdout


def long_model(folder):
    """The example with a context of 131072: a text in it has not ended when a test acts."""
    key = b"bitnet-b1.58.context_length"
    data = EXAMPLE.read_bytes()
    at = data.index(key) + len(key)
    kind, context = struct.unpack_from("<II", data, at)
    assert kind == 4 and 0 < context < 1 << 17, (kind, context)
    path = pathlib.Path(folder) / "long.gguf"
    path.write_bytes(data[:at + 4] + struct.pack("<I", 1 << 17) + data[at + 8:])
    return path


class PackageCase(unittest.TestCase):
    """Tests on one example model."""

    model: Model

    @classmethod
    def setUpClass(cls):
        cls.model = Model(EXAMPLE, cache=False)
        cls.addClassCleanup(cls.model.close)


class LongCase(unittest.TestCase):
    """Tests on texts that go on until somebody ends them."""

    @classmethod
    def setUpClass(cls):
        folder = tempfile.TemporaryDirectory()
        cls.addClassCleanup(folder.cleanup)
        cls.path = long_model(folder.name)

    def load(self, **options):
        model = Model(self.path, cache=False, **options)
        self.addCleanup(model.close)
        return model

    @staticmethod
    def endless(model, **options):
        return model.stream(PROMPT, seed=1, ignore_eos=True, **options)
