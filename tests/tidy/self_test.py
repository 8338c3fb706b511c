#!/usr/bin/env python3
"""Shows every tidy rule a bad sample, which it must find, and a good one, which it must pass."""

import json
import pathlib
import subprocess
import sys
import tempfile
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "scripts"))

import isa_objects  # noqa: E402
import layers  # noqa: E402
import skips  # noqa: E402
import structure  # noqa: E402
import wording  # noqa: E402
from source_tree import Tree, without_comments_and_strings  # noqa: E402


class RuleTest(unittest.TestCase):
    def finds(self, rule, files, *texts):
        """The rule gives exactly one finding per text, which contains it."""
        findings = [str(finding) for finding in rule(Tree(files))]
        self.assertEqual(len(findings), len(texts), findings)
        for finding, text in zip(findings, texts):
            self.assertIn(text, finding)

    def passes(self, rule, files):
        self.finds(rule, files)


class Code(unittest.TestCase):
    def test_comments_and_strings_are_blanked(self):
        code = without_comments_and_strings(
            'a /* new\n */ b "new \\" delete" c // new\nd R"x(new\n)")x" e \'n\' 1\'000 f')
        self.assertEqual(code, 'a \n b "" c \nd ""\n e "" 1\'000 f')


class Layers(RuleTest):
    def test_floors(self):
        files = {"src/base/a.h": "", "src/model/b.h": "", "src/kernel/k.h": "",
                 "src/format/f.h": "", "src/backend/backend.h": "", "src/backend/cpu/c.h": ""}
        self.passes(layers.check_floors, files | {
            "src/model/x.cc": '#include "base/a.h"\n#include "model/b.h"\n'
                              '#include "backend/cpu/c.h"\n#include <vector>\n',
            "src/backend/cpu/x.cc": '#include "backend/backend.h"\n#include "kernel/k.h"\n'})
        self.finds(layers.check_floors, files | {"src/base/x.cc": '\n#include "model/b.h"\n'},
                   "src/base/x.cc:2: base (floor 0) includes model/b.h (floor 4)")
        self.finds(layers.check_floors, files | {"src/kernel/x.cc": '#include "format/f.h"\n'},
                   "kernel (floor 2) includes format/f.h (floor 2)")
        self.finds(layers.check_floors, files | {"src/format/x.cc": '#include "backend/backend.h"'},
                   "floor 2) includes backend/backend.h (floor 2)")
        self.finds(layers.check_floors, {"src/base/x.cc": '#include "gone.h"\n'}, "is not a file")
        self.finds(layers.check_floors, {"src/extra/x.cc": ""}, "has no floor")

    def test_fences(self):
        self.passes(layers.check_fences, {"src/base/j.cc": "#include <simdjson.h>\n",
                                          "src/store/f.cc": "#include <curl/curl.h>\n"})
        self.finds(layers.check_fences, {"src/model/j.cc": "#include <nlohmann/json.hpp>\n",
                                         "src/eval/f.cc": "#  include <curl/curl.h>\n"},
                   "behind src/store/", "behind src/base/")

    def test_isa_includes(self):
        self.passes(layers.check_isa_includes,
                    {"src/kernel/isa/a.cc": "#include <immintrin.h>\n#include <cstring>\n"})
        self.finds(layers.check_isa_includes, {"src/kernel/isa/a.cc": "#include <algorithm>\n"},
                   "<algorithm> in an instruction-set file")


class Wording(RuleTest):
    def test_file_size(self):
        long = "int x;\n" * 701
        self.passes(wording.check_file_size, {"src/base/a.cc": "int x;\n" * 700,
                                              "src/base/b.cc": "// Size: one table\n" + long})
        self.finds(wording.check_file_size, {"src/base/a.cc": long}, "701 lines")

    def test_line_width(self):
        edge, over = "x" * 97, "x" * 98
        self.passes(wording.check_line_width, {
            "src/base/a.cc": f'// {edge}\nf("{over}");\nR"(\n{over * 2}\n)";\n',
            "tools/a.py": f'# {edge}.\nx = """\n{over * 2}\n"""\nf("{over}")\n',
            "docs/a.md": over * 2})
        for path, text in (("src/base/a.cc", f"//\n// {over}\n"),
                           ("bench/a.inl", f"\n{over * 2};\n"),
                           ("tests/a_test.cc", f'\nf("x"); // {over}\n'),
                           ("tools/a.py", f"\n# \"{over}\"\n"),
                           ("tools/b.py", f'"""A docstring.\n{over * 2}\n"""\n'),
                           ("cmake/a.cmake", f"\n# {over}.\n"), ("check", f"\n# {over}.\n")):
            self.finds(wording.check_line_width, {path: text}, f"{path}:2: ")

    def test_function_size(self):
        def function(lines, indent=""):
            body = f"{indent}  work();\n" * (lines - 2)
            return f"{indent}int f(int a,\n{indent}      int b) {{\n{body}{indent}}}\n"
        self.passes(wording.check_function_size, {"src/base/a.cc": function(69)})
        self.finds(wording.check_function_size, {"src/base/a.cc": function(80)}, "a.cc:1: function")
        self.finds(wording.check_function_size,
                   {"src/base/a.cc": f"class A {{\n{function(80, '  ')}}};\n"}, "a.cc:2: function")
        self.passes(wording.check_function_size,
                    {"src/base/a.cc": "const int kTable[] = {\n" + "  1,\n" * 100 + "};\n"})

    def test_banned(self):
        good = ("#include <new>\nX(const X&) = delete;\n// new delete getenv rand()\n"
                'log("printf"); int renew; fmt::format("x"); operand(); file.exit();\n')
        self.passes(wording.check_banned, {"src/base/a.cc": good})
        for bad in ("auto* p = new int;", "delete p;", "delete[] p;", 'std::getenv("X");',
                    "sprintf(b);", "atoi(s);", "int x = rand();", "srand(1);",
                    "#include <iostream>", "std::cout << 1;", "printf(s);", "fmt::print(s);",
                    "std::exit(1);", "abort();"):
            self.finds(wording.check_banned, {"src/base/a.cc": bad + "\n"}, "src/base/a.cc:1: ")
        self.passes(wording.check_banned, {"src/base/environment.cc": 'std::getenv("X");',
                                           "src/cli/output.cc": "std::puts(s);"})

    def test_headers(self):
        self.passes(wording.check_headers, {"src/base/a.h": "#pragma once\nusing std::string;\n"})
        self.finds(wording.check_headers, {"src/base/a.h": "int x;\n"}, "#pragma once is missing")
        guarded = "#ifndef A_H\n#define A_H\nint x;\n#endif\n"
        self.passes(wording.check_headers, {"include/a.h": guarded})
        self.finds(wording.check_headers, {"src/base/a.h": guarded,
                                           "include/a.h": guarded.replace("define A", "define B")},
                   "include/a.h: #pragma once", "src/base/a.h: #pragma once")
        self.finds(wording.check_headers,
                   {"src/base/a.h": "#pragma once\n using namespace std;\n"}, "a.h:2: using")

    def test_names(self):
        self.passes(wording.check_names, {"src/base/clock.h": ""})
        self.finds(wording.check_names, {"src/base/utils.h": "", "src/common/a.h": ""},
                   "'utils'", "'common'")

    def test_leftovers(self):
        self.passes(wording.check_leftovers, {"README.md": "docs/work/x and TO" "DO(issue 9)"})
        self.finds(wording.check_leftovers, {"a.py": "x\n# TO" "DO later"}, "a.py:2: TO" "DO")
        self.finds(wording.check_leftovers, {"a.py": "open('/ho" "me/me/x')".replace('" "', "")},
                   "path of one machine")


class Structure(RuleTest):
    def test_dead_headers(self):
        self.passes(structure.check_dead_headers,
                    {"src/base/a.h": "", "src/base/b.cc": '#include "base/a.h"\n'})
        self.finds(structure.check_dead_headers,
                   {"src/base/a.h": '#include "base/a.h"\n', "src/base/b.cc": ""}, "src/base/a.h")
        self.passes(structure.check_dead_headers,
                    {"include/a.h": "", "src/base/b.cc": "#include <a.h>\n"})
        self.finds(structure.check_dead_headers,
                   {"include/a.h": "", "src/base/b.cc": "#include <b.h>\n"}, "include/a.h")

    def test_dead_sources(self):
        rules = {"CMakeLists.txt": "bittern_floor(base)\nadd_executable(b src/base/main/main.cc)",
                 "tests/CMakeLists.txt": "bittern_test(base base)"}
        self.passes(structure.check_dead_sources, rules | {
            "src/base/x/a.cc": "", "src/base/main/main.cc": "", "tests/base/a_test.cc": "",
            "fuzz/a_fuzz.cc": ""})
        for bad in ("src/other/a.cc", "src/base/main/second.cc", "tests/base/a.cc",
                    "tests/other/a_test.cc", "fuzz/a.cc", "tools/a.cc"):
            self.finds(structure.check_dead_sources, rules | {bad: ""}, bad)

    def test_documents(self):
        files = {"src/base/a.h": "", "tests/base/a_test.cc": ""}
        self.passes(structure.check_documents, files | {
            "ARCHITECTURE.md": "`base/` `src/base/a.h` `tests/*/*_test.cc` `Q4/x` `src/`"})
        self.finds(structure.check_documents, files | {
            "ARCHITECTURE.md": "base/\n`src/base/b.h`\n"}, "ARCHITECTURE.md:2: `src/base/b.h`")
        self.finds(structure.check_documents, files | {"ARCHITECTURE.md": ""},
                   "src/base/ is not mentioned")

    def test_table_rows(self):
        table = structure.LiteralTable("verb", "src/cli/t.cc", r'\{"([^"]+)"', ("tests/cli/",))

        def rule(tree):
            return structure.check_table_rows(tree, [table])
        self.passes(rule, {"src/cli/t.cc": '{"run"},', "tests/cli/a_test.cc": 'x("run")'})
        self.finds(rule, {"src/cli/t.cc": '\n{"run"},', "tests/cli/a_test.cc": 'x("runner")'},
                   "src/cli/t.cc:2: verb run is named by no test")
        self.finds(rule, {"src/cli/t.cc": ""}, "no verb rows found")

    def test_kernel_entries_are_seen(self):
        table = next(table for table in structure.TABLES if table.what == "kernel")
        header = ("struct Table {\n  void (*dots)(const Dots&);\n"
                  "  Decode decode_f16, decode_q8_0;\n};\n")

        def rule(tree):
            return structure.check_table_rows(tree, [table])
        self.finds(rule, {table.path: header, "tests/kernel/a_test.cc": "dots"},
                   "kernel decode_f16", "kernel decode_q8_0")

    def test_fuzz_seeds(self):
        self.passes(structure.check_fuzz_seeds, {"fuzz/gguf_fuzz.cc": "",
                                                 "fuzz/seeds/gguf/a.gguf": None})
        self.finds(structure.check_fuzz_seeds, {"fuzz/gguf_fuzz.cc": "",
                                                "fuzz/seeds/other/a": None}, "fuzz/seeds/gguf/")

    def test_skips(self):
        source = {"tests/a/a_test.cc": "TEST(A, One) {\n}\nTEST_F(A, Two) {\n  GTEST_SKIP();\n}\n"}
        for line in ("A.Two reason", "A.* reason", "A.Two"):
            self.passes(structure.check_skips, source | {"tests/skips.txt": "# list\n" + line})
        self.finds(structure.check_skips, source | {"tests/skips.txt": "A.One"},
                   "a_test.cc:4: A.Two may skip")
        self.finds(structure.check_skips, source | {"tests/skips.txt": "A.Two\nA.Gone"},
                   "skips.txt:2: A.Gone names no test")
        self.passes(structure.check_skips,
                    source | {"tests/skips.txt": "A.Two\nb_package",
                              "tests/CMakeLists.txt": "add_test(NAME b_package COMMAND b)"})

    def test_data_provenance(self):
        readme = {"tests/data/README.md": "| file | by |\n|---|---|\n| `a/x.bin`, `b/*` | numpy |\n"}
        self.passes(structure.check_data_provenance,
                    readme | {"tests/data/a/x.bin": None, "tests/data/b/y": None})
        self.finds(structure.check_data_provenance,
                   readme | {"tests/data/a/x.bin": None, "tests/data/b/y": None,
                             "tests/data/c": None}, "where c is from")
        self.finds(structure.check_data_provenance, readme | {"tests/data/a/x.bin": None},
                   "`b/*` does not exist")


class IsaObjects(unittest.TestCase):
    def texts(self, listing):
        return [finding.text for finding in isa_objects.judge("x.cc", listing)]

    def test_objects(self):
        table = "_ZN7bittern10avx2_tableE R 0 98\nlocal t 0 10\n"
        self.assertEqual(self.texts(table + "memcpy U\nDW.ref.__gxx_personality_v0 V 0 8\n"), [])
        self.assertEqual(self.texts(table + "_ZN7bittern6kernel10avx2_blockE U\n"), [])
        self.assertIn("calls _ZN7b", self.texts(table + "_ZN7bittern6kernel10avx2_blockEv U\n")[0])
        self.assertIn("weak symbol _ZSt3maxIiE", self.texts(table + "_ZSt3maxIiE W 0 20\n")[0])
        self.assertIn("calls expf", self.texts(table + "expf U\n")[0])
        self.assertIn("exports nothing", self.texts("local t 0 10\n")[0])
        self.assertIn("exports", self.texts(table + "second T 0 10\n")[0])
        self.assertIn("exports f (T)", self.texts("f T 0 10\n")[0])


    def test_a_real_object(self):
        """std::max in such a file: nothing to see in the optimised object, weak at -O0."""
        with tempfile.TemporaryDirectory() as folder:
            root = pathlib.Path(folder).resolve()
            source = root / "src/kernel/isa/bad.cc"
            source.parent.mkdir(parents=True)
            source.write_text("#include <algorithm>\n"
                              "static int f(const int& a) { return std::max(a, 1); }\n"
                              "extern int (*const table)(const int&);\n"
                              "int (*const table)(const int&) = f;\n")
            command = f"c++ -O3 -fPIC -std=c++20 -o bad.o -c {source}"
            subprocess.run(command.split(), cwd=root, check=True)
            (root / "compile_commands.json").write_text(json.dumps(
                [{"directory": str(root), "file": str(source), "command": command}]))
            texts = [str(finding) for finding in isa_objects.check_isa_objects(root, root)]
        self.assertEqual(len(texts), 1, texts)
        self.assertRegex(texts[0], r"^src/kernel/isa/bad.cc: weak symbol .*max.*\(at -O0\)$")


class Skips(unittest.TestCase):
    XML = """<testsuites><testsuite name="A">
      <testcase name="Ran" status="run" result="completed" classname="A"/>
      <testcase name="Left" status="run" result="skipped" classname="A">
        <skipped message="a_test.cc:3&#x0A;no AVX-512"/></testcase>
      <testcase name="DISABLED_Off" status="notrun" result="suppressed" classname="A"/>
    </testsuite></testsuites>"""

    def test_reading(self):
        self.assertEqual(skips.skipped_in_xml(self.XML),
                         [("A.Left", "no AVX-512"), ("A.DISABLED_Off", "disabled")])
        self.assertEqual(skips.skipped_in_ctest(
            "The following tests did not run:\n\t  4 - oracle_logits (Skipped)\n"),
            [("oracle_logits", "skipped")])
        self.assertEqual(skips.allowed_patterns("# c\nA.Left  reason # x\n\n"), ["A.Left"])


if __name__ == "__main__":
    unittest.main()
