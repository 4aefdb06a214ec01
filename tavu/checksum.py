"""A checksum of what a .safetensors of tavu holds, so that bytes that changed on a disk are noticed: crc32, at some GB/s."""

import zlib
from collections.abc import Iterable, Mapping

CHECKSUM = "crc32"
"""Its name in the metadata."""


def checksum(metadata: Mapping[str, str], parts: Iterable[memoryview]) -> str:
    """Of all other metadata and of the tensors, in the order in which they lie."""
    value = 0
    for name in sorted(metadata.keys() - {CHECKSUM}):
        value = zlib.crc32(f"{name}={metadata[name]}".encode(errors="surrogatepass"), value)
    for part in parts:
        value = zlib.crc32(part, value)
    return f"{value:08x}"
