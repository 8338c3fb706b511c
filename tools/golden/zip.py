"""Zip archives made by CPython's zipfile: tests/data/base/zip and the seeds of zip_fuzz.

    python3 tools/golden/zip.py

Standard library only; the same bytes every time."""
import io
import pathlib
import random
import zipfile
import zlib

ROOT = pathlib.Path(__file__).resolve().parents[2]
DATA = ROOT / "tests" / "data" / "base" / "zip"
SEEDS = ROOT / "fuzz" / "seeds" / "zip"
TIME = (2020, 2, 2, 0, 0, 0)


def words(count: int, seed: int) -> bytes:
    """Text that deflate packs into several blocks."""
    rng = random.Random(seed)
    stems = ["reed", "bittern", "boom", "marsh", "lake", "night", "heron", "rain", "eel", "frog"]
    return " ".join(rng.choice(stems) + str(rng.randrange(1000)) for _ in range(count)).encode()


def add(out: zipfile.ZipFile, name: str, data: bytes, method: int) -> None:
    info = zipfile.ZipInfo(name, TIME)
    info.compress_type = method
    out.writestr(info, data)


def archive(members, comment: bytes = b"") -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as out:
        for name, data, method in members:
            add(out, name, data, method)
        out.comment = comment
    return buffer.getvalue()


def large_archive(members) -> bytes:
    """As for archives past 4 GiB: what is 32 bits wide elsewhere stands in zip64 fields."""
    limits = zipfile.ZIP64_LIMIT, zipfile.ZIP_FILECOUNT_LIMIT
    zipfile.ZIP64_LIMIT, zipfile.ZIP_FILECOUNT_LIMIT = 1, 1
    try:
        return archive(members)
    finally:
        zipfile.ZIP64_LIMIT, zipfile.ZIP_FILECOUNT_LIMIT = limits


def main() -> None:
    DATA.mkdir(parents=True, exist_ok=True)
    SEEDS.mkdir(parents=True, exist_ok=True)
    deflated, stored = zipfile.ZIP_DEFLATED, zipfile.ZIP_STORED
    text = words(15000, 1)
    # Little memory: a block every thousand symbols.
    zipfile._get_compressor = lambda method, level=None: (
        zlib.compressobj(6, zlib.DEFLATED, -15, 4) if method == deflated else None)
    wheel = archive([("pkg/__init__.py", b"", deflated), ("pkg/data/words.txt", text, deflated),
                     ("pkg/data/raw.bin", bytes(range(256)) * 3, stored)])
    (DATA / "wheel.zip").write_bytes(wheel)
    small = [("a.txt", b"the bittern booms\n" * 20, deflated), ("b.bin", b"\x00\x01", stored)]
    # The comment holds the mark of an end record, which must not be taken for it.
    (DATA / "comment.zip").write_bytes(archive(small, b"PK\x05\x06" + b"x" * 40))
    (DATA / "zip64.zip").write_bytes(large_archive(small))
    (DATA / "empty.zip").write_bytes(archive([]))
    for name in ("comment", "zip64", "empty"):
        (SEEDS / name).write_bytes((DATA / f"{name}.zip").read_bytes())
    (SEEDS / "cut").write_bytes(archive(small)[:-9])


if __name__ == "__main__":
    main()
