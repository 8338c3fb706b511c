"""What holds across files: nothing dead, documents true, every table row tested."""

import dataclasses
import fnmatch
import re

from layers import includes
from source_tree import Finding, glob_exists, line_of


@dataclasses.dataclass(frozen=True)
class LiteralTable:
    """A table in the sources whose rows must each be named by a test."""
    what: str
    path: str
    row: str           # pattern; group 1 is the row's name
    tests: tuple       # prefixes of the files that may name it
    quoted: bool = True


TABLES = (
    LiteralTable("codec", "src/codec/table.cc", r'_row<[^;(]*>\(Id::\w+,\s*"([^"]+)"',
                 ("tests/codec/", "tests/data/codec/")),
    LiteralTable("kernel", "src/kernel/kernel.h",
                 r"(?:\(\*|(?<=Decode )|(?<=, )(?=decode_))(\w+)(?=\)\(|[,;])",
                 ("tests/kernel/",), quoted=False),
    LiteralTable("container", "src/format/open.cc", r'\bContainerRow\{"([^"]+)"',
                 ("tests/format/",), quoted=False),
    LiteralTable("architecture", "src/model/arch_table.cc", r'\.name = "([^"]+)"',
                 ("tests/model/", "tests/data/model/")),
    LiteralTable("split", "src/text/split.cc", r'\bSplit\{"([^"]+)"',
                 ("tests/text/", "tests/data/text/")),
    LiteralTable("catalogue", "src/store/catalogue.cc", r'\bCatalogueRow\{"([^"]+)"',
                 ("tests/store/",)),
    LiteralTable("verb", "src/cli/verb/table.cc", r'\{"([a-z]+)", "', ("tests/cli/",)),
)

_TEST = re.compile(r"^TEST(?:_F|_P)?\((\w+),\s*(\w+)\)|^TYPED_TEST\((\w+),\s*(\w+)\)", re.MULTILINE)
_SKIP = re.compile(r"\bGTEST_SKIP\(")
# `src/base`, `tests/kernel/*_test.cc`: a backticked word with a slash and no placeholders.
_DOCUMENT_PATH = re.compile(r"`([\w.*-]+(?:/[\w.*-]+)*/?)`")
_TOP_FOLDERS = ("src/", "tests/", "tools/", "fuzz/", "docs/", "scripts/", "cmake/", "models/",
                "include/", "bench/", ".ci/")


def check_dead_headers(tree):
    used = set()
    for path in tree.cpp():
        for _, quoted, name in includes(tree, path):
            if quoted:
                folder = path.rsplit("/", 1)[0]
                used |= {name, "src/" + name, "tests/" + name, f"{folder}/{name}"} - {path}
            elif "include/" + name in tree.files:
                used.add("include/" + name)
    return [Finding(path, 0, "no file includes this header")
            for path in tree.cpp() if path.endswith((".h", ".inl")) and path not in used]


def check_dead_sources(tree):
    """Every .cc lies where a build rule of CMakeLists.txt picks it up."""
    floors = set(re.findall(r"bittern_floor\((\w+)", tree.text("CMakeLists.txt")))
    tests = set(re.findall(r"bittern_test\((\w+)", tree.text("tests/CMakeLists.txt")))
    findings = []
    for path in tree.paths(ending=".cc"):
        parts = path.split("/")
        built = False
        if parts[0] == "src":
            # A program's entry is named in full.
            built = parts[1] in floors and (parts[2] != "main" or
                                            path in tree.text("CMakeLists.txt"))
        elif parts[0] == "tests":
            built = len(parts) == 3 and parts[1] in tests and (
                path.endswith(("_test.cc", "_support.cc")) or
                "/".join(parts[1:]) in tree.text("tests/CMakeLists.txt"))
        elif parts[0] == "fuzz":
            built = len(parts) == 2 and (path.endswith("_fuzz.cc") or
                                         parts[1] in tree.text("fuzz/CMakeLists.txt"))
        elif parts[:2] == ["bench", "kernels"]:
            built = len(parts) == 3 and "bench/kernels/*.cc" in tree.text("tests/CMakeLists.txt")
        if not built:
            findings.append(Finding(path, 0, "no build rule compiles this file"))
    return findings


def check_documents(tree):
    """Paths that the documents name exist, and ARCHITECTURE.md names every folder of src."""
    findings = []
    documents = [path for path in tree.paths(ending=".md")
                 if "/" not in path or path.startswith("docs/")]
    for path in documents:
        text = tree.text(path)
        for match in _DOCUMENT_PATH.finditer(text):
            name = match.group(1)
            placeholder = re.search(r"NNNN|NAME", name)
            if name.startswith(_TOP_FOLDERS) and not placeholder and not glob_exists(tree, name):
                findings.append(Finding(path, line_of(text, match.start()),
                                        f"`{name}` does not exist"))
    architecture = tree.text("ARCHITECTURE.md")
    for folder in sorted({path.split("/")[1] for path in tree.cpp("src/")}):
        if f"{folder}/" not in architecture:
            findings.append(Finding("ARCHITECTURE.md", 0, f"src/{folder}/ is not mentioned"))
    return findings


def check_table_rows(tree, tables=TABLES):
    findings = []
    for table in tables:
        text = tree.text(table.path)
        rows = [(line_of(text, m.start(1)), m.group(1)) for m in re.finditer(table.row, text)]
        if not rows:
            findings.append(Finding(table.path, 0, f"no {table.what} rows found: has the table "
                                    "moved? (tests/tidy/structure.py)"))
        tested = "\n".join(f"{tree.text(path)}\n{path}" for path in tree.paths(*table.tests))
        for line, name in rows:
            mention = f'"{re.escape(name)}"' if table.quoted else rf"\b{re.escape(name)}\b"
            if not re.search(mention, tested):
                findings.append(Finding(table.path, line, f"{table.what} {name} is named by no "
                                        f"test in {', '.join(table.tests)}"))
    return findings


def check_fuzz_seeds(tree):
    findings = []
    for path in tree.paths("fuzz/", ending="_fuzz.cc"):
        name = path.removeprefix("fuzz/").removesuffix("_fuzz.cc")
        if not tree.paths(f"fuzz/seeds/{name}/"):
            findings.append(Finding(path, 0, f"no seeds in fuzz/seeds/{name}/"))
    return findings


def check_skips(tree):
    """A test that can skip is listed, and what is listed exists."""
    path = "tests/skips.txt"
    patterns = [(number, line.split()[0])
                for number, line in enumerate(tree.text(path).splitlines(), 1)
                if line.split("#")[0].strip()]
    findings = []
    names = {source.removesuffix(".py").replace("tests/oracles/test_", "oracle_")
             for source in tree.paths("tests/oracles/", ending=".py")}
    # What ctest runs that is no GoogleTest program.
    names |= set(re.findall(r"add_test\(NAME (\w+)", tree.text("tests/CMakeLists.txt")))
    for source in tree.cpp("tests/"):
        code = tree.code(source)
        tests = [(m.start(), f"{m[1] or m[3]}.{m[2] or m[4]}") for m in _TEST.finditer(code)]
        names |= {name for _, name in tests}
        for skip in _SKIP.finditer(code):
            before = [name for start, name in tests if start < skip.start()]
            # In a fixture or a function above the tests: any test of the file may be listed.
            candidates = before[-1:] or [name for _, name in tests]
            if tests and not _listed(candidates, patterns):
                findings.append(Finding(source, line_of(code, skip.start()),
                                        f"{candidates[0]} may skip and is not in {path}"))
    for number, pattern in patterns:
        if not _listed(names, [(number, pattern)]):
            findings.append(Finding(path, number, f"{pattern} names no test"))
    return findings


def _listed(names, patterns):
    # Parameterised tests are reported as Instance/Suite.Test/0.
    return any(fnmatch.fnmatchcase(name, pattern) or
               fnmatch.fnmatchcase(f"All/{name}/0", pattern) or
               re.fullmatch(rf"(\w+/)?{re.escape(name)}(/.*)?", pattern)
               for name in names for _, pattern in patterns)


def check_data_provenance(tree):
    """Every file below tests/data is covered by a row of its README, and each row by a file."""
    readme = "tests/data/README.md"
    rows = []
    for number, line in enumerate(tree.text(readme).splitlines(), 1):
        cells = line.split("|")
        if len(cells) > 2:
            rows += [(number, name) for name in re.findall(r"`([^`]+)`", cells[1])]
    covered = [(number, name, name + "*" if name.endswith("/") else name) for number, name in rows]
    files = [path.removeprefix("tests/data/") for path in tree.paths("tests/data/")
             if path != readme]
    unknown = [name for name in files
               if not any(fnmatch.fnmatchcase(name, pattern) for _, _, pattern in covered)]
    findings = [Finding(readme, 0, f"no row says where {name} is from") for name in unknown]
    findings += [Finding(readme, number, f"`{name}` does not exist")
                 for number, name, pattern in covered
                 if not any(fnmatch.fnmatchcase(file, pattern) for file in files)]
    return findings


RULES = (check_dead_headers, check_dead_sources, check_documents, check_table_rows,
         check_fuzz_seeds, check_skips, check_data_provenance)
