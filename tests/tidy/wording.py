"""What a single file may hold: sizes, banned words, names."""

import re

from source_tree import Finding, line_of, string_spans

FILE_LINES = 700
FUNCTION_LINES = 70
LINE_COLUMNS = 100
_SOURCES = (".cc", ".c", ".h", ".inl", ".py", ".sh", ".cmake", "CMakeLists.txt")
# In the first lines of a larger file: why it is large, or what made it.
_SIZE_REASON = re.compile(r"\bSize:|\b[Gg]enerated by\b|\bcase table\b")
_FIRST_LINES = 15

# (pattern in code without comments and strings, where it looks, its homes, what to say)
BANNED = (
    (r"(?<!<)\bnew\b", "src/ fuzz/", (), "new: use make_unique or a container"),
    (r"(?<!=)(?<!= )\bdelete\b", "src/ fuzz/", (), "delete: use make_unique or a container"),
    (r"\bgetenv\b", "src/ fuzz/", ("src/base/environment.cc",),
     "getenv: add a row to base/environment.h"),
    (r"\b(v?sprintf|strcpy|strcat|strtok)\b", "src/ tests/ fuzz/", (), "unbounded C string call"),
    (r"\b(atoi|atol|atoll|atof)\b", "src/ tests/ fuzz/", (), "accepts anything: use from_chars"),
    (r"\bs?rand\s*\(", "src/ tests/ fuzz/", (), "rand: use base/random.h"),
    (r"#\s*include\s*<iostream>", "src/", (), "iostream in a library: use fmt"),
    (r"\b(printf|puts|putchar|fmt::print|std::cout|std::cerr)\b", "src/", ("src/cli/",),
     "libraries do not print: return text, or use base/log.h"),
    (r"(?<![\w.>:])(?:std::)?(exit|_exit|abort|quick_exit)\s*\(", "src/", ("src/cli/main/",),
     "libraries do not end the process: throw Error"),
)

_USING_NAMESPACE = re.compile(r"^\s*using\s+namespace\b", re.MULTILINE)
_EMPTY_NAMES = {"util", "utils", "helper", "helpers", "common", "misc", "manager"}
_MACHINE_PATH = re.compile(r"(?<![\w.])/(?:work|home|root|Users)/\w")
# Built up, so that this very file does not hold it.
_UNEXPLAINED = re.compile(r"\b(?:TO" r"DO|FIX" r"ME|X" r"XX)\b(?!\()")


def check_file_size(tree):
    findings = []
    for path in tree.paths():
        if not path.endswith((".cc", ".h", ".inl", ".py", ".sh")):
            continue
        lines = tree.text(path).splitlines()
        if len(lines) > FILE_LINES and not _SIZE_REASON.search("\n".join(lines[:_FIRST_LINES])):
            findings.append(Finding(
                path, 0, f"{len(lines)} lines, at most {FILE_LINES} without a reason at the top"))
    return findings


def check_line_width(tree):
    """Comments too, which clang-format leaves as they are. A string may run over the edge."""
    findings = []
    for path in tree.paths():
        if not path.endswith(_SOURCES) and path not in ("check", "quickstart"):
            continue
        text = tree.text(path)
        lines = text.split("\n")
        if max(map(len, lines)) <= LINE_COLUMNS:
            continue
        strings = string_spans(path, text)
        begin = 0
        for number, line in enumerate(lines, 1):
            edge = begin + LINE_COLUMNS
            if len(line) > LINE_COLUMNS and not any(first <= edge <= end for first, end in strings):
                findings.append(Finding(path, number,
                                        f"{len(line)} columns, at most {LINE_COLUMNS}"))
            begin += len(line) + 1
    return findings


def check_function_size(tree):
    return [finding for path in tree.cpp("src/") if not path.startswith("src/kernel/isa/")
            for indent in ("", "  ") for finding in _long_functions(tree, path, indent)]


def _long_functions(tree, path, indent):
    """Functions as clang-format lays them out, whose signature and closing brace stand at
    `indent`: none for free functions, two spaces for those inside a class."""
    starts = re.compile(indent + r"(?!namespace|struct|class|enum|union|if|for|while|switch|do\b|else"
                        r"|try|return|public|private|case)\w")
    signature = begin = 0
    for number, line in enumerate(tree.code(path).split("\n"), 1):
        if begin:
            if line.startswith(indent + "}"):
                if number - begin >= FUNCTION_LINES:
                    yield Finding(path, begin, f"function of {number - begin + 1} lines, at most "
                                  f"{FUNCTION_LINES}")
                signature = begin = 0
            continue
        if starts.match(line):
            signature = number
        if signature and line.endswith("{") and not re.search(r"=\s*\{$", line):
            begin = signature
        if line.endswith((";", "{", "}")):
            signature = 0


def check_banned(tree):
    findings = []
    for pattern, scope, homes, message in BANNED:
        expression = re.compile(pattern)
        for path in tree.cpp(*scope.split()):
            if homes and path.startswith(homes):
                continue
            code = tree.code(path)
            for match in expression.finditer(code):
                findings.append(Finding(path, line_of(code, match.start()), message))
    return findings


def check_headers(tree):
    findings = []
    for path in tree.cpp():
        if not path.endswith(".h"):
            continue
        code = tree.code(path)
        for match in _USING_NAMESPACE.finditer(code):
            findings.append(Finding(path, line_of(code, match.end()),
                                    "using namespace in a header"))
        # A public header may be there twice, at two paths: its name guards it.
        if "#pragma once" not in code and not (
                path.startswith("include/") and re.search(r"#ifndef (\w+_H)\n#define \1\n", code)):
            findings.append(Finding(path, 0, "#pragma once is missing"))
    return findings


def check_names(tree):
    findings = []
    for path in tree.paths():
        parts = {re.sub(r"\..*", "", part) for part in path.split("/")}
        for name in sorted(parts & _EMPTY_NAMES):
            findings.append(Finding(path, 0, f"'{name}' says nothing: name it after what it holds"))
    return findings


def check_leftovers(tree):
    findings = []
    for path in tree.paths():
        text = tree.text(path)
        for match in _MACHINE_PATH.finditer(text):
            if not path.startswith("tests/tidy/"):
                findings.append(Finding(path, line_of(text, match.start()), "path of one machine"))
        for match in _UNEXPLAINED.finditer(text):
            findings.append(Finding(path, line_of(text, match.start()),
                                    f"{match.group(0)} without a reason in parentheses"))
    return findings


RULES = (check_file_size, check_line_width, check_function_size, check_banned, check_headers,
         check_names, check_leftovers)
