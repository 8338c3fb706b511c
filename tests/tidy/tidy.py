#!/usr/bin/env python3
"""Checks the rules of the house over the whole tree: python3 tests/tidy/tidy.py [BUILD_FOLDER]

With a build folder it also looks into the instruction-set objects. Each rule is a function from a
Tree to findings; self_test.py shows each of them a bad sample. Standard library only."""

import pathlib
import sys

import isa_objects
import layers
import structure
import wording
from source_tree import read_tree, root_of_this_checkout

RULES = layers.RULES + wording.RULES + structure.RULES


def main(arguments):
    root = root_of_this_checkout()
    tree = read_tree(root)
    findings = [finding for rule in RULES for finding in rule(tree)]
    if arguments:
        of_objects = isa_objects.check_isa_objects(root, pathlib.Path(arguments[0]).resolve())
        if of_objects is None:
            print("instruction-set objects: not a release build, not checked")
        findings += of_objects or []
    for finding in findings:
        print(finding)
    print(f"tidy: {len(tree.files)} files, {len(RULES)} rules, {len(findings)} findings")
    return 1 if findings else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
