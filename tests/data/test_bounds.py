"""Archives that unpack to gigabytes or need gigabytes of memory are refused; real ones are not."""

import gzip
import lzma
import random
import struct
import zlib
from pathlib import Path

import pytest
import zstandard

from tavu.config import DataConfig
from tavu.data.sources import SourceReport, read_documents
from tavu.errors import TavuError

COMPRESS = {".gz": gzip.compress, ".xz": lzma.compress, ".zst": zstandard.compress}


def read(path: Path, **options) -> list[bytes]:
    return list(read_documents(str(path), DataConfig(**options), SourceReport()))


@pytest.mark.parametrize("compression", COMPRESS)
@pytest.mark.parametrize("unit", [b"a", b"a\n", b"a<|endoftext|>"])
def test_an_archive_with_an_extreme_ratio_is_refused_until_trusted(tmp_path: Path, compression: str, unit: bytes) -> None:
    path = tmp_path / f"bomb.txt{compression}"
    path.write_bytes(COMPRESS[compression](unit * (5_000_000 // len(unit))))
    with pytest.raises(TavuError, match=r"unpacks to more than 2 MB, over 100 times its size.*--set data.max_unpacked_mb=8, or unpack it yourself"):
        read(path, max_unpacked_mb=2)
    assert sum(map(len, read(path, max_unpacked_mb=8))) > 300_000
    if unit == b"a<|endoftext|>":  # what came before it was too much
        assert 50_000 < len(read(path, max_unpacked_mb=2, skip_bad=True)) < 200_000


@pytest.mark.parametrize("compression", COMPRESS)
def test_real_text_of_any_size_is_not_refused(tmp_path: Path, compression: str) -> None:
    draw = random.Random(0)
    words = [f"word{n}" for n in range(500)]
    text = " ".join(draw.choices(words, k=200_000)).encode()
    path = tmp_path / f"text.txt{compression}"
    path.write_bytes(COMPRESS[compression](text))
    assert read(path, max_unpacked_mb=1) == [text]


def test_an_archive_that_needs_gigabytes_of_memory_is_refused_before_allocating_them(tmp_path: Path) -> None:
    archive = bytearray(lzma.compress(b"Once upon a time. " * 1000, check=lzma.CHECK_NONE))
    at, header_bytes = archive.index(b"\x21\x01", 12), 4 * (archive[12] + 1)
    archive[at + 2] = 40  # the largest dictionary that a .xz can name, 4 GiB
    archive[8 + header_bytes : 12 + header_bytes] = struct.pack("<I", zlib.crc32(archive[12 : 8 + header_bytes]))
    (tmp_path / "a.txt.xz").write_bytes(archive)
    wide = zstandard.ZstdCompressor(compression_params=zstandard.ZstdCompressionParameters(window_log=31)).compressobj()
    (tmp_path / "a.txt.zst").write_bytes(wide.compress(b"Once upon a time. " * 1000) + wide.flush())
    for name in ("a.txt.xz", "a.txt.zst"):
        with pytest.raises(TavuError, match=r"needs more than 256 MiB of memory to unpack.*unpack it yourself first"):
            read(tmp_path / name)


def test_archives_of_the_highest_levels_are_read(tmp_path: Path) -> None:
    for name, content in (
        ("a.txt.xz", lzma.compress(b"Once.", preset=9 | lzma.PRESET_EXTREME)),
        ("b.txt.zst", zstandard.compress(b"Once.", 22)),
        ("c.txt.xz", lzma.compress(b"On") + bytes(8) + lzma.compress(b"ce.") + bytes(4)),
        ("d.txt.xz", lzma.compress(b"Once.") + b"no stream"),
    ):
        (tmp_path / name).write_bytes(content)
        assert read(tmp_path / name) == [b"Once."], name
