"""Atomic file writes, and making folders."""

import errno
import os
import tempfile
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from tavu.errors import TavuError


def replace_file(path: Path, *content: bytes | memoryview) -> None:
    """Write the parts of content to a temporary file, then rename it to path: readers see the old file or the new one, even after a kill.

    Raises TavuError if the disk is full or the folder is not writable; the old file is then unchanged.
    """
    replace_file_by(path, content)


def replace_file_by(path: Path, content: Iterable[bytes | memoryview]) -> None:
    """The same with an iterable of parts, which need not be in memory at once."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        with temporary.open("wb") as file:
            file.writelines(content)
        _sync(temporary)
        os.replace(temporary, path)
        _sync(path.parent)
    except OSError as error:
        raise TavuError(unwritable(path, error)) from None
    finally:
        with suppress(OSError):  # already renamed, or never created
            temporary.unlink()


def clear_unfinished(folder: Path) -> None:
    """Remove the temporary files that killed processes left in a folder."""
    for path in folder.glob(".*.*.tmp"):
        with suppress(OSError):
            path.unlink()


def make_folder(folder: Path) -> None:
    """Make a folder and its parents if needed. Raises TavuError if that fails."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise TavuError(unwritable(folder, error)) from None


def check_writable(path: Path, ending: str, option: str = "--out") -> None:
    """Raise TavuError, before the work starts, if its output file cannot be written or would overwrite a file with another ending."""
    make_folder(path.parent)
    if path.is_dir():
        raise TavuError(f"{path} is a folder, expected the name of a file. Give another with {option}.")
    if path.exists() and path.suffix.lower() != ending:
        raise TavuError(f"{path} exists and is not a {ending} file, so it is not overwritten. Give another with {option}.")
    try:
        with tempfile.TemporaryFile(dir=path.parent):
            pass
    except OSError as error:
        raise TavuError(unwritable(path, error).replace("--out", option)) from None


def unwritable(path: Path, error: OSError) -> str:
    """The error message for a file that could not be written."""
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return f"{path} could not be written: the disk is full. Free some space, or choose another place with --out. Nothing saved before is lost."
    return f"{path} could not be written: {error.strerror or error}. Choose another place with --out, or fix its permissions."


def _sync(path: Path) -> None:
    if os.name == "nt" and path.is_dir():
        return  # Windows cannot open folders, and needs no sync
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
