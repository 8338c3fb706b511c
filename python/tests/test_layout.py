"""The package's structs, constants and version against what the project says of them."""

import ctypes
import re
import unittest

import bittern
from bittern import _structs
from package_case import SOURCE, run_program

ROWS = [line.split() for line in (SOURCE / "tests/api/abi.txt").read_text().splitlines()]


class Layout(unittest.TestCase):
    def test_structs_are_those_of_the_header(self):
        listed = {row[1]: int(row[2]) for row in ROWS if row[0] == "struct"}
        self.assertEqual({name: ctypes.sizeof(struct)
                          for name, struct in _structs.STRUCTS.items()}, listed)
        fields = {f"{name}.{field}": [getattr(struct, field).offset, getattr(struct, field).size]
                  for name, struct in _structs.STRUCTS.items() for field, *_ in struct._fields_}
        self.assertEqual(fields, {row[1]: [int(row[2]), int(row[3])]
                                  for row in ROWS if row[0] == "field"})

    def test_constants_are_those_of_the_header(self):
        listed = {row[1]: int(row[2]) for row in ROWS if row[0] == "constant"}
        for prefix, known in (("KV", _structs.KV_TYPES), ("ACTIVATIONS", _structs.ACTIVATIONS),
                              ("HEAD", _structs.HEADS), ("POOLING", _structs.POOLINGS)):
            self.assertEqual({f"BITTERN_{prefix}_{name.upper()}": value
                              for name, value in known.items()},
                             {name: value for name, value in listed.items()
                              if name.startswith(f"BITTERN_{prefix}_")})
        reasons = {f"BITTERN_FINISH_{name.upper()}": value
                   for value, name in _structs.FINISH_REASONS.items()}
        self.assertEqual(reasons | {"BITTERN_FINISH_NONE": 0},
                         {name: value for name, value in listed.items() if "_FINISH_" in name})
        for name in ("API_VERSION", "OK", "END", "TIMEOUT", "ERROR_USAGE", "ADD_SPECIAL",
                     "PARSE_SPECIAL", "KEEP_SPECIAL"):
            self.assertEqual(getattr(_structs, name), listed[f"BITTERN_{name}"], name)
        kinds = (bittern.UsageError, bittern.InputError, bittern.ResourceError,
                 bittern.UnsupportedError, bittern.InternalError)
        errors = {value for name, value in listed.items() if "_ERROR_" in name}
        self.assertEqual({kind.status for kind in kinds} | {130}, errors)

    def test_every_option_of_a_text_has_a_field(self):
        fields = {name for name, *_ in _structs.GenerateOptions._fields_}
        names = {"stop": "stops", "choice": "choices"}
        for option in bittern.GenerateOptions.__annotations__:
            self.assertIn(names.get(option, option), fields)

    def test_the_version_is_one(self):
        project = re.search(r"project\(bittern VERSION ([\d.]+)",
                            (SOURCE / "CMakeLists.txt").read_text()).group(1)
        package = re.search(r'^version = "(.*)"',
                            (SOURCE / "python/pyproject.toml").read_text(), re.MULTILINE).group(1)
        self.assertEqual([package, bittern.version()], [project, project])
        self.assertEqual(run_program("version"), f"bittern {project}\n")


if __name__ == "__main__":
    unittest.main()
