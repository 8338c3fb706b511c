"""Instruction-set objects export one constant table and nothing that could leak.

Compiled at -O0, one file with -mavx512f that includes an inline function emits that function as a
weak symbol; the linker may then keep this copy for everybody, and the program dies on a machine
without AVX-512. So nm is run on the objects of the build and on the same files compiled alone at
-O0."""

import json
import pathlib
import re
import shlex
import subprocess
import tempfile

from layers import ISA_FOLDER
from source_tree import Finding

ALLOWED_UNDEFINED = {"memcpy", "memset", "memmove", "__stack_chk_fail", "_GLOBAL_OFFSET_TABLE_"}
# Another constant table of an instruction set: bittern::kernel::avx512_block.
_TABLE = re.compile(r"_ZN7bittern6kernel\d+[a-z0-9]+_[a-z]+E$")
_COMPILER_MADE = re.compile(r"DW\.ref\.|__x86\.get_pc_thunk")


def judge(path, listing):
    """Findings of one object from the text of `nm --format=posix` (name type ...)."""
    findings = []
    exported = []
    for line in listing.splitlines():
        fields = line.split()
        if len(fields) < 2 or _COMPILER_MADE.match(fields[0]):
            continue
        name, kind = fields[0], fields[1]
        if kind in "WwVvu":
            findings.append(Finding(path, 0, f"weak symbol {name}: an inline function of a header "
                                    "was compiled with instruction-set flags"))
        elif kind == "U":
            if name not in ALLOWED_UNDEFINED and not _TABLE.match(name):
                findings.append(Finding(path, 0, f"calls {name}: only memory functions may be"))
        elif kind.isupper():
            exported.append((name, kind))
    if len(exported) != 1 or exported[0][1] not in "DR":
        names = ", ".join(f"{name} ({kind})" for name, kind in exported) or "nothing"
        findings.append(Finding(path, 0, f"exports {names}: one constant table expected"))
    return findings


def _nm(object_file):
    return subprocess.run(["nm", "--format=posix", object_file], capture_output=True, text=True,
                          check=True).stdout


def check_isa_objects(root, build):
    """Findings, or None where this build cannot tell (debug or sanitizer flags)."""
    commands = json.loads((build / "compile_commands.json").read_text(encoding="utf-8"))
    findings = []
    for entry in commands:
        path = pathlib.Path(entry["directory"], entry["file"]).resolve()
        if not path.is_relative_to(root):
            continue
        name = path.relative_to(root).as_posix()
        if not name.startswith(ISA_FOLDER):
            continue
        arguments = shlex.split(entry["command"])
        if "-O3" not in arguments or any("-fsanitize" in word for word in arguments):
            return None
        output = arguments.index("-o") + 1
        built = pathlib.Path(entry["directory"], arguments[output])
        if not built.exists():
            return [Finding(name, 0, f"{built} does not exist: build first")]
        findings += judge(name, _nm(built))
        with tempfile.TemporaryDirectory() as folder:
            alone = pathlib.Path(folder, "alone.o")
            arguments = ["-O0" if word == "-O3" else word for word in arguments]
            arguments[output] = alone
            subprocess.run(arguments, cwd=entry["directory"], check=True)
            findings += [Finding(f.path, f.line, f.text + " (at -O0)")
                         for f in judge(name, _nm(alone))]
    return findings
