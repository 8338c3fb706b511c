#!/usr/bin/env python3
"""Puts the faults of kernel_mutants.py into the kernels, one at a time: a test must notice each.

    tools/mutate_kernels.py BUILD [--only TEXT] [--list] [--jobs N] [--resume]

BUILD is a build folder of this checkout in the preset release; the working tree is not touched. A
mutant costs one object, one link and the tests of one kernel table, 2 to 60 seconds: the
changed file lies in BUILD/mutants, the object is compiled by the build's own command with that
folder first in the include path, and it is linked before the archives, so that the archive's object
is not taken.

- A file that several objects of its family include is changed in one of them first, the scalar
  table's if it is among them: a test of that table should fail. If none does, all get the fault, as
  they would by an edit, and any test of the family may notice.
- An object equal to the build's has no fault in it, and the next is taken; EQUAL is a mutant that
  changes none. What the linker took is compared with what the clean program consists of.
- Before the first mutant, objects compiled by this way from the files as they are must be equal to
  the build's, and the program linked with them must pass the tests.

A test that fails, dies or runs too long has killed the mutant. One that SURVIVED lacks a test, or
is no fault: it changes speed alone. Exit status 1 unless all are killed. BUILD/mutants/results.txt
has the verdicts; with --resume what it calls killed is not run again. Not a part of ctest.
"""
import argparse
import collections
import concurrent.futures
import dataclasses
import functools
import os
import pathlib
import re
import shlex
import shutil
import signal
import subprocess
import sys
import time

from kernel_mutants import MUTANTS

ROOT = pathlib.Path(__file__).resolve().parents[1]
CPU_SECONDS = 240  # for the tests of a mutant; waiting, they may take ten times as long
# In the order in which one of several objects is chosen.
TABLES = ("scalar", "avx2", "avxvnni", "avx512dual", "avx512", "amx", "neon")


class NotBuilt(Exception):
    """A command that failed, with the first line that says why."""


def run(command, **options):
    return subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                          **options)


def output_of(command, **options):
    done = run(command, **options)
    if done.returncode != 0:
        errors = [line for line in done.stdout.splitlines() if "error" in line]
        raise NotBuilt((errors or done.stdout.splitlines()[-1:] or [f"{command[0]} failed"])[0])
    return done.stdout


def table_of(name):
    """Of `avx512vbmi`, `ternary_dense_avx512vbmi` or `avx512_Table_gate`: avx512."""
    found = re.search(rf"(?<![a-z0-9])({'|'.join(TABLES)})", name)
    return found.group(1) if found else ""


@dataclasses.dataclass(frozen=True)
class Unit:
    """A source and its object, with the command that makes it."""
    source: pathlib.Path
    object: str  # relative to the build folder
    command: tuple

    @property
    def table(self):
        return table_of(self.source.stem)

    @property
    def rank(self):
        return TABLES.index(self.table) if self.table else len(TABLES)


class Program:
    """A test program of the build: what it consists of, and how to make it with other objects."""

    def __init__(self, build, name):
        self.build = build
        commands = [shlex.split(line) for line in
                    output_of(["ninja", "-C", build, "-t", "commands", name]).splitlines()]
        self.units = [Unit((build / command[-1]).resolve(), command[command.index("-o") + 1],
                           tuple(command)) for command in commands if "-c" in command]
        link = next(command for command in commands if f"tests/{name}" in command)
        begin = link.index("&&") + 1
        self.link_command = link[begin:link.index("&&", begin)]
        self.tests = self._test_names(build / "tests" / name)
        self.clean = self.link({}, build / "mutants" / name)

    @staticmethod
    def _test_names(program):
        suite, names = "", []
        for line in output_of([program, "--gtest_list_tests"]).splitlines():
            name = line.split("#")[0].rstrip()
            if name.startswith("  "):
                names.append(suite + name.strip())
            elif name.endswith("."):
                suite = name
        return names

    @functools.cached_property
    def _files_of(self):
        """Object -> its source and what that includes, by the names that the compiler was told."""
        files, found = {}, None
        for line in output_of(["ninja", "-C", self.build, "-t", "deps"]).splitlines():
            if line.startswith("    "):
                found.append(line.strip())
            elif ": #deps" in line:
                found = files.setdefault(line.split(": #deps")[0], [])
        return files

    def units_with(self, mutant):
        """The objects of its family that a mutant's file is in, the one to begin with first."""
        file = str(ROOT / mutant.path)
        family = [unit for unit in self.units
                  if re.fullmatch(mutant.family.sources, unit.source.stem)]
        return sorted((unit for unit in family
                       if any(os.path.normpath(self.build / name) == file
                              for name in self._files_of[unit.object])),
                      key=lambda unit: (unit.rank, unit.object))

    def compile(self, unit, overlay):
        """The object of a unit, of which some files lie in the overlay instead; None where it is
        equal to the build's."""
        command = list(unit.command)
        for option in ("-MD", "-MT", "-MF"):  # the build's own notes stay as they are
            if option in command:
                at = command.index(option)
                del command[at:at + (1 if option == "-MD" else 2)]
        made = overlay / unit.object
        made.parent.mkdir(parents=True, exist_ok=True)
        changed = overlay / unit.source.relative_to(ROOT)
        command[command.index("-o") + 1] = str(made)
        if changed.is_file():
            command[-1] = str(changed)
        # What __FILE__ is: a cache of objects may have made the names relative.
        root = self._files_of[unit.object][0].removesuffix(f"/{unit.source.relative_to(ROOT)}")
        first = next(i for i, word in enumerate(command) if word.startswith("-I"))
        command[first:first] = [f"-I{overlay}/src", f"-ffile-prefix-map={ROOT}={root}",
                                f"-ffile-prefix-map={overlay}={root}",
                                "-w"]  # a fault may leave something unused: that is no test
        output_of(command, cwd=self.build)
        same = made.read_bytes() == (self.build / unit.object).read_bytes()
        return None if same else made

    def link(self, objects, target):
        """Makes the program with {unit: object} in place of the build's; returns the names of the
        objects that the linker took."""
        instead = {unit.object: str(made) for unit, made in objects.items()}
        command = [instead.get(word, word) for word in self.link_command]
        at = command.index("-o")
        command[at:at + 2] = [made for made in instead.values() if made not in command] + [
            "-o", str(target), "-Wl,--trace,--trace"]  # twice: the members of archives too
        names = re.findall(r"[^\s()/]+\.o(?!\S)", output_of(command, cwd=self.build))
        taken = collections.Counter(names)
        if objects and taken != self.clean:
            sys.exit("the linker took other objects than for the clean program: "
                     f"{taken - self.clean} too many, {self.clean - taken} too few")
        return taken

    def select(self, family, tables):
        """Of the family's tests, those of some tables and those of none; all without tables."""
        chosen = []
        for name in self.tests:
            suite, parameter = name.split(".", 1)[0], name.partition(".")[2].partition("/")[2]
            table = table_of(parameter) or ("amx" if suite.endswith("Amx") else "")
            if re.search(family.tests, name) and (not tables or table in ("", *tables)):
                chosen.append(name)
        return chosen

    def failure(self, program, names):
        """The first of these tests that fails, or how the program ended; None where all pass."""
        try:
            tested = run(["sh", "-c", f'ulimit -t {CPU_SECONDS}; exec "$0" "$@"', program,
                          f"--gtest_filter={':'.join(names)}", "--gtest_fail_fast",
                          "--gtest_brief=1"], timeout=10 * CPU_SECONDS, cwd=program.parent)
        except subprocess.TimeoutExpired:
            return "the time limit"
        if tested.returncode == 0:
            return None
        if tested.returncode == -signal.SIGXCPU:
            return "the time limit"
        failed = re.findall(r"^\[  FAILED  \] ([^\s,]+)", tested.stdout, re.MULTILINE)
        return failed[0] if failed else f"exit status {tested.returncode}"


def judge(program, mutant, overlay):
    """(verdict, detail) of one mutant."""
    text = (ROOT / mutant.path).read_text()
    if mutant.text not in text:
        return "GONE", "its text is not there"
    units = program.units_with(mutant)
    if not units:
        return "UNBUILT", f"no {mutant.family.sources} of this build has the file in it"
    changed = overlay / mutant.path
    changed.parent.mkdir(parents=True)
    changed.write_text(text.replace(mutant.text, mutant.replacement, 1))
    target = overlay / mutant.family.program
    objects = {}
    for unit in units:
        made = program.compile(unit, overlay)
        if made is None:
            continue
        objects[unit] = made
        if len(objects) > 1:
            continue
        names = program.select(mutant.family, {unit.table} - {""})
        if not names:
            return "UNTESTED", f"no test of {unit.table} has {mutant.family.tests} in its name"
        program.link(objects, target)
        failed = program.failure(target, names)
        if failed:
            return "killed", failed
    if not objects:
        return "EQUAL", "no object is another by it"
    names = program.select(mutant.family, ())
    program.link(objects, target)
    failed = program.failure(target, names)
    if failed:
        return "killed", failed
    return "SURVIVED", f"{len(names)} tests of {len(objects)} object{'s' * (len(objects) > 1)}"


def check_overlay(program, mutants, overlay):
    """What is made here of the files as they are is what the build made, and passes the tests."""
    objects = {}
    for ending in (".cc", ".inl"):
        mutant = next((mutant for mutant in mutants if mutant.path.endswith(ending)), None)
        units = program.units_with(mutant) if mutant else []
        if not units:
            continue
        copy = overlay / mutant.path
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / mutant.path, copy)
        if program.compile(units[0], overlay) is not None:
            sys.exit(f"{units[0].object}: compiled here it is another than the build's")
        objects[units[0]] = overlay / units[0].object
    target = overlay / "clean"
    program.link(objects, target)
    for family in {mutant.family for mutant in mutants}:
        failed = program.failure(target, program.select(family, ()))
        if failed:
            sys.exit(f"without any mutant: {failed} fails")


def run_all(build, mutants, jobs, results):
    """Judges every mutant and returns {verdict: count}."""
    folder = build / "mutants"
    programs = {}
    for name in sorted({mutant.family.program for mutant in mutants}):
        output_of(["ninja", f"-j{jobs}", "-C", build, name])
        programs[name] = Program(build, name)
        check_overlay(programs[name], [m for m in mutants if m.family.program == name],
                      folder / f"clean-{name}")

    def judged(numbered):
        number, mutant = numbered
        overlay = folder / str(number)
        begin = time.monotonic()
        try:
            verdict, detail = judge(programs[mutant.family.program], mutant, overlay)
        except NotBuilt as error:
            verdict, detail = "UNBUILT", str(error)
        shutil.rmtree(overlay, ignore_errors=True)
        return time.monotonic() - begin, f"{verdict} {mutant.label}  {detail}"

    counts = collections.Counter()
    with concurrent.futures.ThreadPoolExecutor(jobs) as pool, results.open("a") as file:
        for seconds, line in pool.map(judged, enumerate(mutants)):
            counts[line.split()[0]] += 1
            print(f"{counts.total()}/{len(mutants)} {seconds:.0f} s {line}", flush=True)
            print(line, file=file, flush=True)
    return counts


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("build", type=pathlib.Path, nargs="?")
    parser.add_argument("--only", default="", help="mutants whose line in --list has this text")
    parser.add_argument("--list", action="store_true")
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--resume", action="store_true")
    options = parser.parse_args()
    mutants = [mutant for mutant in MUTANTS if options.only in mutant.label]
    if options.list or options.build is None:
        print("\n".join(mutant.label for mutant in mutants))
        return 0
    build = options.build.resolve()
    results = build / "mutants" / "results.txt"
    known = results.read_text() if options.resume and results.is_file() else ""
    shutil.rmtree(results.parent, ignore_errors=True)  # of a run that was broken off, too
    results.parent.mkdir()
    results.write_text(known)
    mutants = [mutant for mutant in mutants if f"killed {mutant.label}  " not in known]
    os.nice(10)
    # A cache of objects may not see that a file in the overlay hides another.
    os.environ |= {"LC_ALL": "C", "CCACHE_DISABLE": "1"}
    counts = run_all(build, mutants, options.jobs, results)
    print(", ".join(f"{count} {verdict}" for verdict, count in sorted(counts.items())))
    return 0 if set(counts) <= {"killed"} else 1


if __name__ == "__main__":
    sys.exit(main())
