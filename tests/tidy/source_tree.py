"""The files that tidy looks at, and C++ text without its comments and strings."""

import dataclasses
import os
import pathlib
import re
import subprocess

FOLDERS = ("src", "include", "python", "examples", "tests", "tools", "fuzz", "scripts", "cmake",
           "docs", "models", ".ci")
TEXT_ENDINGS = (".cc", ".c", ".h", ".inl", ".py", ".sh", ".md", ".txt", ".cmake", ".json", ".in")


@dataclasses.dataclass(frozen=True)
class Finding:
    path: str
    line: int  # 0: the file as a whole
    text: str

    def __str__(self):
        return f"{self.path}:{self.line}: {self.text}" if self.line else f"{self.path}: {self.text}"


class Tree:
    """Path (relative, with /) -> text; None for files that are not text of ours. Rules see only
    this, so that self_test.py can hand them a made-up tree."""

    def __init__(self, files):
        self.files = dict(files)
        self._code = {}

    def paths(self, *prefixes, ending=""):
        return [path for path in sorted(self.files)
                if path.endswith(ending) and (not prefixes or path.startswith(prefixes))]

    def cpp(self, *prefixes):
        return [path for path in self.paths(*prefixes) if path.endswith((".cc", ".h", ".inl"))]

    def text(self, path):
        return self.files.get(path) or ""

    def code(self, path):
        """The text with comments blank and strings empty; lines stay where they are."""
        if path not in self._code:
            self._code[path] = without_comments_and_strings(self.text(path))
        return self._code[path]


_SKIPPED = re.compile(
    r'//[^\n]*|/\*.*?\*/'                        # comments
    r'|R"([^()\\ \n]{0,16})\(.*?\)\1"'           # raw strings
    r'|"(?:\\.|[^"\\\n])*"'                      # strings
    r"|(?<![0-9a-fA-F])'(?:\\.|[^'\\\n])+'",     # characters, not digit separators
    re.DOTALL)

_PYTHON_SKIPPED = re.compile(
    r'#[^\n]*|"""(?:\\.|[^\\])*?"""|"(?:\\.|[^"\\\n])*"'
    r"|'(?:\\.|[^'\\\n])*'", re.DOTALL)


def string_spans(path, text):
    """[(begin, end)] of the strings in a source; a docstring is a comment."""
    if path.endswith(".py"):
        return [match.span() for match in _PYTHON_SKIPPED.finditer(text)
                if not match.group().startswith("#") and not (
                    match.group().startswith('"""') and
                    not text[text.rfind("\n", 0, match.start()) + 1:match.start()].strip())]
    if path.endswith((".cc", ".c", ".h", ".inl")):
        return [match.span() for match in _SKIPPED.finditer(text)
                if not match.group().startswith("/")]
    return []


def without_comments_and_strings(text):
    def blank(match):
        found = match.group(0)
        rest = "\n" * found.count("\n")
        return rest if found.startswith("/") else '""' + rest
    return _SKIPPED.sub(blank, text)


def line_of(text, offset):
    return text.count("\n", 0, offset) + 1


def read_tree(root):
    """What git tracks or would track; without git, every file outside build folders."""
    files = {}
    for path in _names(root):
        full = root / path
        if not full.is_file() or full.is_symlink():
            continue
        wanted = path.endswith(TEXT_ENDINGS) or "/" not in path or path.startswith(".ci/")
        if not wanted or full.stat().st_size > 4_000_000:
            files[path] = None
            continue
        try:
            files[path] = full.read_text(encoding="utf-8")
        except UnicodeDecodeError:
            files[path] = None
    return Tree(files)


def _names(root):
    listed = subprocess.run(["git", "-C", root, "ls-files", "-z", "-co", "--exclude-standard"],
                            capture_output=True, check=False) if (root / ".git").exists() else None
    if listed is not None and listed.returncode == 0:
        return sorted(set(listed.stdout.decode().split("\0")) - {""})
    names = [entry.name for entry in os.scandir(root) if entry.is_file()]
    for folder in FOLDERS:
        for path in sorted((root / folder).rglob("*")):
            if path.is_file() and "__pycache__" not in path.parts:
                names.append(path.relative_to(root).as_posix())
    return names


def glob_exists(tree, pattern):
    """Whether a file or folder of the tree matches; * within one part of a path."""
    pattern = pattern.rstrip("/")
    expression = "".join({"*": "[^/]*", "?": "[^/]"}.get(c, re.escape(c)) for c in pattern)
    matcher = re.compile(f"{expression}(/.*)?")
    return any(matcher.fullmatch(path) for path in tree.files)


def root_of_this_checkout():
    return pathlib.Path(__file__).resolve().parents[2]
