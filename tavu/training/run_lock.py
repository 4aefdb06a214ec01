"""A lock on a run folder, so that only one process trains in it. The system releases it when the process ends, however it ends."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tavu.errors import TavuError
from tavu.files import unwritable
from tavu.run_folder import LOCK

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Hold the lock of a run folder. Raises TavuError if another process holds it, or the folder is not writable.

    On file systems without locks there is no protection.
    """
    with lock_file(folder / LOCK) as is_mine:
        if not is_mine:
            raise TavuError(f"{folder} is in use: another process is training in it. Wait until it ends, or stop it, or choose another --out.")
        yield


@contextmanager
def lock_file(path: Path) -> Iterator[bool]:
    """Hold the lock of a file, which is made if needed. False if another process holds it; then nothing is held.

    Raises TavuError if the file cannot be made.
    """
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
    except OSError as error:
        raise TavuError(unwritable(path, error)) from None
    try:
        yield _lock(descriptor)
    finally:
        os.close(descriptor)  # this releases the lock


def _lock(descriptor: int) -> bool:
    """Take the lock. False if another process holds it."""
    try:
        if fcntl is not None:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        else:
            import msvcrt

            msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)  # type: ignore[attr-defined]
    except (BlockingIOError, PermissionError):  # raised by POSIX and by Windows when the lock is held
        return False
    except OSError:
        return True
    return True
