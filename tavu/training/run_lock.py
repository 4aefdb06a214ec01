"""One process at a time trains in a run folder: a lock that the system takes back from a process that ends, however it ends."""

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
    """Hold the lock of a run folder. Raises TavuError where another process holds it, or the folder cannot be written to.

    On file systems without locks nothing is held.
    """
    path = folder / LOCK
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
    except OSError as error:
        raise TavuError(unwritable(path, error)) from None
    try:
        if not _lock(descriptor):
            raise TavuError(f"{folder} is being trained in by another process. Wait for its end, or stop it, or choose another --out.")
        yield
    finally:
        os.close(descriptor)  # and with it the lock


def _lock(descriptor: int) -> bool:
    """False where another process holds the lock."""
    try:
        if fcntl is not None:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        else:
            import msvcrt

            msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)  # type: ignore[attr-defined]
    except (BlockingIOError, PermissionError):  # how POSIX and Windows say that it is held
        return False
    except OSError:
        return True
    return True
