#!/usr/bin/env python3
"""Writes fuzz/seeds/pack_cache: files of packed weights, by the description in
src/backend/cpu/pack_file.h alone, checksums included. tests/backend/pack_file_test.cc reads one.

    python3 tools/golden/pack_file.py
"""
import pathlib
import struct

FOLDER = pathlib.Path(__file__).resolve().parents[2] / "fuzz/seeds/pack_cache"
WORD = (1 << 64) - 1
PIECE = 1 << 20


def fold(lane, word):
    product = ((lane ^ word) * 0x9E3779B97F4A7C15) & WORD
    return ((product << 29) | (product >> 35)) & WORD


def piece_checksum(data):
    lanes = list(range(1, 9))
    whole = len(data) // 64 * 64
    for at in range(0, whole, 64):
        for lane, word in enumerate(struct.unpack_from("<8Q", data, at)):
            lanes[lane] = fold(lanes[lane], word)
    total = len(data)
    for lane, word in enumerate(struct.unpack("<8Q", data[whole:].ljust(64, b"\0"))):
        total = fold(total, fold(lanes[lane], word))
    return total ^ (total >> 32)


def checksum(data):
    sums = [piece_checksum(data[at : at + PIECE]) for at in range(0, len(data), PIECE)]
    return piece_checksum(b"".join(struct.pack("<Q", value) for value in sums))


def aligned(offset):
    return (offset + 4095) // 4096 * 4096


def pack(sources, entries, version=2):
    start = aligned(40 + 48 * len(sources) + 64 * len(entries))
    directory = b"".join(digest + struct.pack("<QQ", size, samples)
                         for digest, size, samples in sources)
    payload = b""
    for key, layout, scale, data in entries:
        payload = payload.ljust(aligned(len(payload)), b"\0")
        directory += key + layout.encode().ljust(16, b"\0")
        directory += struct.pack("<QQQfI", start + len(payload), len(data), checksum(data),
                                 scale, 0)
        payload += data

    def head(value):
        return b"BITTERNP" + struct.pack("<IIIIQQ", version, len(sources), len(entries), 0,
                                         start + len(payload), value)

    value = checksum(head(0) + directory)
    return (head(value) + directory).ljust(start, b"\0") + payload


def main():
    sources = [(b"\x5a" * 32, 77, 99)]
    entries = [(b"a" * 16, "T2", 0.25, b"a" * 500), (b"b" * 16, "sixteen letters.", 1.0, b"b" * 10)]
    twice = [(b"a" * 16, "T2", 1.0, b"x"), (b"a" * 16, "T2", 1.0, b"y")]
    whole = pack(sources, entries)
    FOLDER.mkdir(parents=True, exist_ok=True)
    for name, data in [("two_entries", whole), ("cut", whole[:4300]),
                       ("no_entries", pack(sources, [])), ("version_1", pack(sources, [], 1)[:200]),
                       ("same_key", pack(sources, twice))]:
        (FOLDER / name).write_bytes(data)


if __name__ == "__main__":
    main()
