"""The Python of docs/library.md and of the package's own texts runs as it stands there."""

import contextlib
import io
import os
import pathlib
import re
import unittest

import bittern
from package_case import SOURCE


class Documents(unittest.TestCase):
    def setUp(self):
        self.addCleanup(os.chdir, pathlib.Path.cwd())
        os.chdir(SOURCE)

    def test_the_guide(self):
        blocks = re.findall(r"```python\n(.*?)```", (SOURCE / "docs/library.md").read_text(),
                            re.DOTALL)
        self.assertGreaterEqual(len(blocks), 3)
        names = {}
        output = io.StringIO()
        with contextlib.redirect_stdout(output):
            for block in blocks:
                exec(compile(block, "docs/library.md", "exec"), names)
        self.assertIn(names["colour"], ("red", "blue"))
        info = names["model"].info
        self.assertEqual(names["logits"].shape, (len(names["tokens"]), info.vocab_size))
        self.assertEqual(names["vectors"].shape, (2, info.embedding_size))
        self.assertGreater(len(output.getvalue()), 100)
        self.assertTrue(names["model"].closed)

    def test_every_public_name_is_there_and_says_what_it_is(self):
        for name in bittern.__all__:
            self.assertTrue((getattr(bittern, name).__doc__ or "").strip(), name)


if __name__ == "__main__":
    unittest.main()
