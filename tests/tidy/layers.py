"""Floors and fences: which folder may include what (ARCHITECTURE.md, "The floors")."""

import re

from source_tree import Finding, line_of

# A file includes only from lower floors, or its own folder. The longest matching prefix counts.
FLOORS = {
    "base": 0,
    "codec": 1,
    "text": 1,
    "kernel": 2,
    "format": 2,
    "chat": 2,
    "backend/backend.h": 2,
    "backend": 3,
    "store": 3,
    "model": 4,
    "engine": 5,
    "eval": 5,
    "bench": 6,
    "serve": 7,
    "api": 8,
    "cli": 8,
}

# Third-party headers live behind the folder that owns the need.
FENCES = {
    "simdjson": "src/base/",
    "nlohmann/": "src/base/",
    "openssl/": "src/base/",
    "zlib.h": "src/base/",
    "oniguruma.h": "src/text/",
    "curl/": "src/store/",
    "gtest/": "tests/",
    "gmock/": "tests/",
}

# Files compiled with instruction-set flags: an inline function of any other header could be
# emitted there with those flags and then be linked into code that runs on every machine.
ISA_FOLDER = "src/kernel/isa/"
ISA_HEADERS = {"immintrin.h", "arm_neon.h", "cstdint", "cstddef", "cstring"}

_INCLUDE = re.compile(r'^[ \t]*#[ \t]*include[ \t]*([<"])([^>"\n]+)[>"]', re.MULTILINE)


def includes(tree, path):
    """(line, is_quoted, name) of each include of a file."""
    text = tree.text(path)
    return [(line_of(text, m.start(2)), m.group(1) == '"', m.group(2))
            for m in _INCLUDE.finditer(text)]


def floor_of(name):
    """(folder, floor) of a path below src, or None."""
    matches = [prefix for prefix in FLOORS
               if name == prefix or name.startswith(prefix + "/")]
    if not matches:
        return None
    best = max(matches, key=len)
    return best, FLOORS[best]


def check_floors(tree):
    findings = []
    for path in tree.cpp("src/"):
        own = floor_of(path.removeprefix("src/"))
        if own is None:
            findings.append(Finding(path, 0, "its folder has no floor in tests/tidy/layers.py"))
            continue
        for line, quoted, name in includes(tree, path):
            if not quoted:
                continue
            if "src/" + name not in tree.files:
                findings.append(Finding(path, line, f'"{name}" is not a file below src/'))
                continue
            other = floor_of(name)
            if other and other[0] != own[0] and other[1] >= own[1]:
                findings.append(Finding(
                    path, line, f"{own[0]} (floor {own[1]}) includes {name} (floor {other[1]})"))
    return findings


def check_fences(tree):
    findings = []
    for path in tree.cpp():
        for line, _, name in includes(tree, path):
            for prefix, owner in FENCES.items():
                if name.startswith(prefix) and not path.startswith(owner):
                    findings.append(Finding(path, line, f"<{name}> belongs behind {owner}"))
    return findings


def check_isa_includes(tree):
    findings = []
    for path in tree.cpp(ISA_FOLDER):
        for line, quoted, name in includes(tree, path):
            if not quoted and name not in ISA_HEADERS:
                findings.append(Finding(path, line, f"<{name}> in an instruction-set file"))
    return findings


RULES = (check_floors, check_fences, check_isa_includes)
