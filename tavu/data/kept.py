"""Corpora as they are kept: found again whole or not at all, built where nobody else sees them, and put in place in one step.

Each lies in a folder of its own, which only its owner can open: train and valid as documents has them, and meta.json with the digest of each file.
What is in the files, and which corpus is wanted, is corpus' subject.
"""

import hashlib
import json
import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path

from tavu.data.documents import DocumentFile
from tavu.errors import TavuError
from tavu.vocabulary import END

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None

_FILES = ("train.bin", "train.npy", "valid.bin", "valid.npy")
_LEFTOVER_SECONDS = 3600.0
"""Where there are no locks: what nobody has touched for so long is nobody's."""
_NEW_SECONDS = 5.0
"""Between making a folder and locking it passes less."""


@dataclass(frozen=True)
class CorpusReport:
    """What a corpus holds, train and valid together, and what was dropped on the way there."""

    documents: int
    bytes: int
    duplicates: int
    in_valid: int
    """Train documents dropped because the sources of valid hold them too."""
    skipped: int
    notes: tuple[str, ...]


@dataclass(frozen=True)
class Corpus:
    folder: Path
    train: DocumentFile
    valid: DocumentFile
    report: CorpusReport
    digest: str
    """Identity by content: equal for corpora whose train and valid are equal, wherever the text came from."""
    used_ids: frozenset[int]
    """The ids that occur in train, END among them."""


def default_cache_dir() -> Path:
    """Where tavu keeps what it can make again: $TAVU_CACHE, else $XDG_CACHE_HOME/tavu, else ~/.cache/tavu. Corpora go to its `corpora`.

    Raises TavuError where there is no such place, as for a user without a home.
    """
    chosen = os.environ.get("TAVU_CACHE") or os.path.join(os.environ.get("XDG_CACHE_HOME") or "~/.cache", "tavu")
    try:
        return Path(chosen).expanduser()
    except RuntimeError:
        raise TavuError(f"There is no home folder to keep corpora in: {chosen} leads nowhere. Set TAVU_CACHE to a folder.") from None


def file_digest(file: Path) -> str:
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, lambda: hashlib.blake2b(digest_size=16)).hexdigest()


def write_meta(folder: Path, report: CorpusReport) -> None:
    """Beside the files of a corpus, what is to be known of them."""
    used_ids = sorted(DocumentFile(folder / "train").used_bytes() | {END})
    meta = {"files": {name: file_digest(folder / name) for name in _FILES}, "used_ids": used_ids, "report": asdict(report)}
    with (folder / "meta.json").open("w", encoding="utf-8") as file:
        json.dump(meta | {"digest": _json_digest(meta)}, file, indent=1)
        file.flush()
        os.fsync(file.fileno())


def _json_digest(value: object) -> str:
    return hashlib.blake2b(json.dumps(value).encode(), digest_size=16).hexdigest()


def found(folder: Path) -> Corpus | None:
    """The corpus in a folder, None when there is none, or a byte of it is not what was written. Reads about 1 GB/s, as finding its name did."""
    try:
        meta = read_meta(folder)
        if meta is None or any(file_digest(folder / name) != digest for name, digest in meta["files"].items()):
            return None
    except OSError:
        return None
    return opened(folder, meta)


def read_meta(folder: Path) -> dict | None:
    """What _write_meta wrote, None where it is something else. Raises OSError where there is nothing."""
    try:
        meta = json.loads((folder / "meta.json").read_bytes())
    except (ValueError, RecursionError):
        return None
    return meta if isinstance(meta, dict) and meta.pop("digest", None) == _json_digest(meta) else None


def opened(folder: Path, meta: dict) -> Corpus:
    report = CorpusReport(**{**meta["report"], "notes": tuple(meta["report"]["notes"])})
    train, valid = DocumentFile(folder / "train"), DocumentFile(folder / "valid")
    return Corpus(folder, train, valid, report, _json_digest(meta["files"]), frozenset(meta["used_ids"]))


@contextmanager
def temporary_folder(cache_dir: Path, name: str) -> Iterator[Path]:
    """A folder that is gone afterwards, unless it was renamed. Those that kills have left behind go too."""
    cache_dir.mkdir(parents=True, exist_ok=True)
    for leftover in cache_dir.glob("*.tmp"):
        with suppress(OSError):  # another process may be removing it too
            if _is_abandoned(leftover):
                shutil.rmtree(leftover)
    folder = Path(tempfile.mkdtemp(prefix=f"{name}.", suffix=".tmp", dir=cache_dir))
    descriptor = os.open(folder, os.O_RDONLY) if fcntl else None
    try:
        if fcntl and descriptor is not None:
            fcntl.flock(descriptor, fcntl.LOCK_EX)  # it ends with the process, however that ends
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        if descriptor is not None:
            os.close(descriptor)


def _is_abandoned(folder: Path) -> bool:
    age = time.time() - max(path.stat().st_mtime for path in (folder, *folder.iterdir()))
    if not fcntl or age < _NEW_SECONDS:
        return age > _LEFTOVER_SECONDS
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    finally:
        os.close(descriptor)
    return True


def put_in_place(folder: Path, final: Path) -> None:
    if os.path.lexists(final) and not found(final):
        shutil.rmtree(final) if final.is_dir() and not final.is_symlink() else final.unlink()
    try:
        folder.rename(final)
    except OSError:
        if not found(final):  # else another process was building the same, and was faster
            raise
