#!/usr/bin/env python3
"""Holds the C API to what was published (tests/api/abi.txt):

  abi_test.py --header include/bittern.h --exports src/api/exports.map --library libbittern.so
              --compiler g++ abi.txt

Every function, constant, struct and field of the header is listed there, with sizes and offsets
(64-bit), and the compiler confirms each; the library exports the functions and nothing else.
`--write` writes the list anew: what a reader must see in it are additions, at the end of structs.
"""

import argparse
import pathlib
import re
import subprocess
import sys
import tempfile


def without_comments(text):
    return re.sub(r"/\*.*?\*/", " ", text, flags=re.DOTALL)


def declared_functions(header):
    """Name -> signature on one line."""
    found = re.findall(r"BITTERN_API\s+([^;{}]+?\))\s*;", header)
    lines = [re.sub(r"\s+", " ", text).strip() for text in found]
    return {re.search(r"\b(bittern_\w+)\(", line).group(1): line for line in lines}


def declared_structs(header):
    """Struct -> fields in order."""
    structs = {}
    for name, body in re.findall(r"typedef struct (\w+) \{(.*?)\} \1;", header, re.DOTALL):
        fields = []
        for declaration in body.split(";"):
            for declarator in declaration.split(","):
                words = re.findall(r"\w+", declarator)
                if words:
                    fields.append(words[-1])
        structs[name] = fields
    return structs


def declared_constants(header):
    enums = re.findall(r"\benum \{(.*?)\}", header, re.DOTALL)
    return re.findall(r"\b(BITTERN_\w+)\s*=\s*-?\d+", "\n".join(enums)) + ["BITTERN_API_VERSION"]


def rows_of(header):
    """What is to be listed, without numbers."""
    rows = [("constant", name) for name in declared_constants(header)]
    for struct, fields in declared_structs(header).items():
        rows.append(("struct", struct))
        rows += [("field", f"{struct}.{field}") for field in fields]
    return rows


def expressions(kind, name):
    """C++ expressions of a row's numbers."""
    if kind == "constant":
        return [name]
    if kind == "struct":
        return [f"sizeof({name})"]
    struct, field = name.split(".")
    return [f"offsetof({struct}, {field})", f"sizeof({struct}::{field})"]


def compile_source(arguments, source, *flags):
    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder) / "abi.cc"
        path.write_text("#include <bittern.h>\n#include <cstddef>\n#include <cstdio>\n" + source)
        command = [*arguments.compiler.split(), "-std=c++17", "-I", arguments.header.parent, path]
        subprocess.run([*command, *flags], check=True)


def measured(arguments, rows):
    lines = "".join(
        f'std::printf("{kind} {name}' + " %lld" * len(expressions(kind, name)) + '\\n"' +
        "".join(f", (long long)({e})" for e in expressions(kind, name)) + ");\n"
        for kind, name in rows)
    with tempfile.TemporaryDirectory() as folder:
        program = pathlib.Path(folder) / "abi"
        compile_source(arguments, "int main() {\n" + lines + "}\n", "-o", program)
        return subprocess.run([program], check=True, capture_output=True, text=True).stdout


def check_list(arguments, header):
    """What the list and the header say of each other."""
    listed = [line for line in arguments.list.read_text().splitlines() if line]
    functions = sorted(line.removeprefix("function ") for line in listed
                       if line.startswith("function "))
    problems = [f"only in one of header and list: {line}"
                for line in sorted(set(functions) ^ set(declared_functions(header).values()))]
    rows = [line.split() for line in listed if not line.startswith("function ")]
    wanted = rows_of(header)
    problems += [f"only in one of header and list: {kind} {name}" for kind, name in
                 sorted({(row[0], row[1]) for row in rows} ^ set(wanted))]
    if problems:
        return problems
    asserts = "".join(
        f'static_assert({expression} == {number}, "{kind} {name}");\n'
        for kind, name, *numbers in rows
        for expression, number in zip(expressions(kind, name), numbers))
    compile_source(arguments, asserts, "-fsyntax-only")
    # A struct with a hole at its end could not grow: the new field would be inside of `size`.
    sizes = {name: int(numbers[0]) for kind, name, *numbers in rows if kind == "struct"}
    ends = {}
    for kind, name, *numbers in rows:
        if kind == "field":
            ends[name.split(".")[0]] = sum(map(int, numbers))
    return [f"{name} ends in {sizes[name] - end} bytes of padding"
            for name, end in ends.items() if sizes[name] != end]


def check_exports(arguments, header):
    declared = set(declared_functions(header))
    mapped = set(re.findall(r"^\s+(bittern_\w+);", arguments.exports.read_text(), re.MULTILINE))
    symbols = subprocess.run([arguments.nm, "-D", "--defined-only", arguments.library], check=True,
                             capture_output=True, text=True).stdout.splitlines()
    # The name of the version node is an absolute symbol.
    exported = {line.split()[-1].split("@")[0] for line in symbols if line.split()[-2] != "A"}
    return ([f"only in one of header and exports.map: {name}"
             for name in sorted(declared ^ mapped)] +
            [f"only in one of header and library: {name}" for name in sorted(declared ^ exported)])


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--header", type=pathlib.Path, required=True)
    parser.add_argument("--exports", type=pathlib.Path, required=True)
    parser.add_argument("--library", type=pathlib.Path, required=True)
    parser.add_argument("--compiler", default="g++")
    parser.add_argument("--nm", default="nm")
    parser.add_argument("--write", action="store_true")
    parser.add_argument("list", type=pathlib.Path)
    arguments = parser.parse_args()

    header = without_comments(arguments.header.read_text())
    if arguments.write:
        functions = sorted(declared_functions(header).values())
        arguments.list.write_text("".join(f"function {line}\n" for line in functions) +
                                  measured(arguments, rows_of(header)))
    problems = check_list(arguments, header) + check_exports(arguments, header)
    for problem in problems:
        print(f"{arguments.header}: {problem}")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
