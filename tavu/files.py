"""Putting a file in place whole or not at all, and the folder around it."""

import errno
import os
import tempfile
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from tavu.errors import TavuError


def replace_file(path: Path, *content: bytes | memoryview) -> None:
    """Write the parts of content beside path, then rename: a reader sees the old file or the new one, and a kill leaves either.

    Raises TavuError when the disk is full or the folder is not writable; the old file is then untouched.
    """
    replace_file_by(path, content)


def replace_file_by(path: Path, content: Iterable[bytes | memoryview]) -> None:
    """The same with content that comes bit by bit and need not be in memory at once."""
    beside = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        with beside.open("wb") as file:
            file.writelines(content)
        _sync(beside)
        os.replace(beside, path)
        _sync(path.parent)
    except OSError as error:
        raise TavuError(unwritable(path, error)) from None
    finally:
        with suppress(OSError):  # gone already, or never made
            beside.unlink()


def clear_unfinished(folder: Path) -> None:
    """Remove what killed processes have left in a folder of files that they were writing."""
    for path in folder.glob(".*.*.tmp"):
        with suppress(OSError):
            path.unlink()


def make_folder(folder: Path) -> None:
    """Make a folder, and those above it, where it is not there. Raises TavuError when that cannot be."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise TavuError(unwritable(folder, error)) from None


def check_writable(path: Path, ending: str, option: str = "--out") -> None:
    """Raises TavuError where a file could not be put, or would replace one of another kind, before the work that it is to hold."""
    make_folder(path.parent)
    if path.is_dir():
        raise TavuError(f"{path} is a folder, expected the name of a file. Give another with {option}.")
    if path.exists() and path.suffix.lower() != ending:
        raise TavuError(f"{path} is there already and is no {ending} file, which alone is replaced. Give another with {option}.")
    try:
        with tempfile.TemporaryFile(dir=path.parent):
            pass
    except OSError as error:
        raise TavuError(unwritable(path, error).replace("--out", option)) from None


def unwritable(path: Path, error: OSError) -> str:
    """The sentence for a file that could not be written."""
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return f"{path} could not be written: the disk is full. Free some space, or choose another place with --out; nothing saved before is lost."
    return f"{path} could not be written: {error.strerror or error}. Choose another place with --out, or mend its permissions."


def _sync(path: Path) -> None:
    if os.name == "nt" and path.is_dir():
        return  # Windows opens no folders, and needs none synced
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
