#!/usr/bin/env python3
"""Writes src/text/character_table.cc: what normalisers and pre-tokenisers ask about characters.

Every answer but one is the `tokenizers` package's own, got by asking it about each code point, so
the tables follow its Unicode versions without guessing (compared afterwards with Python 3.11's
unicodedata 14.0 and UCD Age):
  punctuation, control, nonspacing   8.0 (crate unicode_categories), private use counted as control
  combining                          9.0 (crate unicode-normalization-alignments)
  compatibility decompositions       9.0 (the same crate)
  lower case                        17.0 (char::to_lowercase of Rust)
  scripts                           the list in UnicodeScripts, Hiragana and Katakana as Han
  grapheme break                    UCD 16.0 or later through the `regex` module; newer characters
                                    cannot be told apart by any published charsmap

Needs: pip install tokenizers==0.23.3 regex
Usage: tools/character_tables.py > src/text/character_table.cc
"""
import regex
from tokenizers import normalizers, pre_tokenizers

BLOCK = 128
PUNCTUATION, CONTROL, NONSPACING, COMBINING = 1, 2, 4, 8  # the low half of a byte
BREAKS = ["Other", "CR", "LF", "Control", "Extend", "ZWJ", "Regional_Indicator", "Prepend",
          "SpacingMark", "L", "V", "T", "LV", "LVT", "Extended_Pictographic"]  # the high half
CODE_POINTS = [c for c in range(0x110000) if not 0xD800 <= c < 0xE000]


def flags():
    clean = normalizers.BertNormalizer(True, False, False, False)
    accents = normalizers.BertNormalizer(False, False, True, False)
    strip, nfd = normalizers.StripAccents(), normalizers.NFD()
    punctuation = pre_tokenizers.Punctuation()
    out = bytearray(0x110000)
    for c in CODE_POINTS:
        text = f"a{chr(c)}a"
        value = PUNCTUATION if len(punctuation.pre_tokenize_str(text)) == 3 else 0
        if clean.normalize_str(text) == "aa":
            value |= CONTROL
        if nfd.normalize_str(chr(c)) == chr(c) and accents.normalize_str(text) == "aa":
            value |= NONSPACING
        if strip.normalize_str(text) == "aa":
            value |= COMBINING
        out[c] = value
    for number, name in enumerate(BREAKS[1:], 1):
        pattern = (r"\p{Extended_Pictographic}" if number == 14 else
                   r"\p{Grapheme_Cluster_Break=%s}" % name)
        matcher = regex.compile(pattern)
        for c in CODE_POINTS:
            if out[c] < 16 and matcher.match(chr(c)):
                out[c] |= number << 4
    return out


def two_stage(data):
    blocks, index = {}, []
    for start in range(0, len(data), BLOCK):
        index.append(blocks.setdefault(bytes(data[start:start + BLOCK]), len(blocks)))
    assert len(blocks) <= 256
    return index, b"".join(blocks)


def lowercase_runs():
    """(first, last, step, delta); the one character with two (U+0130) is left to the code."""
    lower = normalizers.Lowercase()
    runs = []
    for c in CODE_POINTS:
        text = lower.normalize_str(chr(c))
        if text == chr(c) or c == 0x130:
            assert c != 0x130 or text == "i\u0307"
            continue
        delta = ord(text) - c
        last = runs[-1] if runs else None
        if last and last[3] == delta and c - last[1] in (1, 2) and last[2] in (0, c - last[1]):
            last[1], last[2] = c, c - last[1]
        else:
            runs.append([c, c, 0, delta])
    return [(a, b, step or 1, delta) for a, b, step, delta in runs]


def compatibility():
    """Code points whose full compatibility decomposition is not the canonical one."""
    nfd, nfkd = normalizers.NFD(), normalizers.NFKD()
    rows, pool = [], []
    for c in CODE_POINTS:
        text = nfkd.normalize_str(chr(c))
        if text == nfd.normalize_str(chr(c)):
            continue
        rows.append((c, len(pool), len(text)))
        pool += map(ord, text)
    return rows, pool


def script_runs():
    """(first, last, script): 0 is Any, which joins with everything."""
    split = pre_tokenizers.UnicodeScripts()

    def apart(a, b):
        return len(split.pre_tokenize_str(a + b)) == 2

    runs, seen = [], []
    for c in CODE_POINTS:
        char = chr(c)
        if runs and not apart(chr(runs[-1][1]), char) and (runs[-1][2] != 0) == (
                apart("a", char) or apart("\u0431", char)):
            runs[-1][1] = c
            continue
        if not apart("a", char) and not apart("\u0431", char):
            runs.append([c, c, 0])
            continue
        number = next((i for i, example in enumerate(seen, 1) if not apart(example, char)), None)
        if number is None:
            seen.append(char)
            number = len(seen)
        runs.append([c, c, number])
    return runs


def emit(name, kind, rows, doc):
    print(f"\n// {doc}\nconst {kind} {name}[] = {{")
    line = "   "
    for row in rows:
        if len(line) + len(row) + 2 > 100:
            print(line)
            line = "   "
        line += f" {row},"
    print(line + "\n};")


def main():
    index, blocks = two_stage(flags())
    lower = lowercase_runs()
    rows, pool = compatibility()
    scripts = script_runs()
    print("// Generated by tools/character_tables.py; do not edit. The Unicode versions are those that")
    print("// `tokenizers` 0.23.3 uses, see the script.")
    print("// Data: Unicode Character Database, (c) Unicode, Inc., Unicode License v3.")
    print("// Size: all of it is tables that the script writes.")
    print('#include "text/character_table.h"')
    print("\nnamespace bittern::text::table {")
    emit("kClassBlockOf", "uint8_t", [str(i) for i in index],
         f"Block of each run of {BLOCK} code points.")
    emit("kClasses", "uint8_t", [str(b) for b in blocks],
         "Class bits (low half) and grapheme break (high half), block after block.")
    emit("kLowercase", "LowercaseRun", ["{0x%x, 0x%x, %d, %d}" % r for r in lower],
         "Runs of upper-case characters: first, last, step, distance to the lower-case one.")
    emit("kCompatibility", "Compatibility", ["{0x%x, %d, %d}" % r for r in rows],
         "Full compatibility decompositions: code point, place in the pool, length.")
    emit("kCompatibilityPool", "uint32_t", ["0x%x" % c for c in pool], "Their code points.")
    emit("kScripts", "ScriptRange", ["{0x%x, 0x%x, %d}" % tuple(r) for r in scripts],
         "Runs of one script by number; 0 joins with every other.")
    print(f"\nconst size_t kLowercaseCount = {len(lower)};")
    print(f"const size_t kCompatibilityCount = {len(rows)};")
    print(f"const size_t kScriptCount = {len(scripts)};")
    print("\n}  // namespace bittern::text::table")


if __name__ == "__main__":
    main()
