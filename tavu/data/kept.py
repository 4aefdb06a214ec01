"""The cache of corpora. A corpus is built in a temporary folder, renamed into place, and verified by digest when it is read.

Each has a folder of its own, readable only by its owner: train and valid (documents.py), and meta.json with the digest of each file.
corpus.py decides which corpus is needed and builds it.

Reading gigabytes only to see that they are unchanged takes too long, so for a large corpus, last_seen.json holds the sizes and times of its files and
of its sources when they were last read. While these are the same, the corpus is found and opened without reading either.
"""

import hashlib
import json
import os
import shutil
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence, Set
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path

from tavu.data.documents import DocumentFile, new_digest
from tavu.errors import TavuError
from tavu.vocabulary import END

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None

_FILES = ("train.bin", "train.npy", "valid.bin", "valid.npy")
_LAST_SEEN = "last_seen.json"
_LEFTOVER_SECONDS = 3600.0
"""On systems without file locks: a temporary folder not modified for this long is abandoned."""
_NEW_SECONDS = 5.0
"""A younger temporary folder may not be locked yet."""
LARGE_BYTES = 1 << 26
"""Files with more bytes than this in all are not read again while their sizes and times are unchanged. Reading less takes no time to speak of."""
_TICK_SECONDS = 2.0
"""The coarsest clock of a file system (FAT): a file changed more recently may change again without a new time."""


@dataclass(frozen=True)
class CorpusReport:
    """The size of a corpus, train and valid together, and what was dropped while building it."""

    documents: int
    bytes: int
    duplicates: int
    in_valid: int
    """Train documents dropped because they are also in the valid sources."""
    skipped: int
    notes: tuple[str, ...]


@dataclass(frozen=True)
class Corpus:
    folder: Path
    train: DocumentFile
    valid: DocumentFile
    report: CorpusReport
    digest: str
    """Digest of the content: equal for corpora whose train and valid are equal, whatever their sources."""
    used_ids: frozenset[int]
    """The ids that occur in train, including END."""


def default_cache_dir() -> Path:
    """The cache folder: $TAVU_CACHE, else $XDG_CACHE_HOME/tavu, else ~/.cache/tavu. Corpora are in its subfolder `corpora`.

    Raises TavuError if the path cannot be resolved, as for a user without a home folder.
    """
    chosen = os.environ.get("TAVU_CACHE") or os.path.join(os.environ.get("XDG_CACHE_HOME") or "~/.cache", "tavu")
    try:
        return Path(chosen).expanduser()
    except RuntimeError:
        raise TavuError(f"There is no home folder to cache corpora in: {chosen} does not exist. Set TAVU_CACHE to a folder.") from None


def file_digest(file: Path) -> str:
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, new_digest).hexdigest()


def write_meta(folder: Path, report: CorpusReport, digests: Mapping[str, str], used_bytes: Set[int]) -> None:
    """Write meta.json: the digests of the corpus files, of which `digests` are known, the ids in train and the report."""
    files = {name: digests.get(name) or file_digest(folder / name) for name in _FILES}
    meta = {"files": files, "used_ids": sorted(used_bytes | {END}), "report": asdict(report)}
    with (folder / "meta.json").open("w", encoding="utf-8") as file:
        json.dump(meta | {"digest": json_digest(meta)}, file, indent=1)
        file.flush()
        os.fsync(file.fileno())


def json_digest(value: object) -> str:
    """A digest of a value that can be written as JSON."""
    return hashlib.blake2b(json.dumps(value).encode(), digest_size=16).hexdigest()


def file_states(files: Sequence[Path]) -> list[tuple[object, ...]]:
    """The path, size and times of each file: while these are the same, so is the content. Raises OSError if a file is missing."""
    stats = [(file, file.stat()) for file in files]
    # A program can set the time of modification, but not that of the last change (ctime).
    return [(os.fsencode(os.path.abspath(file)).hex(), s.st_ino, s.st_size, s.st_mtime_ns, s.st_ctime_ns) for file, s in stats]


def are_worth_remembering(files: Sequence[Path]) -> bool:
    """Whether files are so large that reading them takes time, and old enough for every change from now on to show in their states."""
    stats = [file.stat() for file in files]
    newest = max((max(stat.st_mtime, stat.st_ctime) for stat in stats), default=0.0)
    return sum(stat.st_size for stat in stats) > LARGE_BYTES and newest < time.time() - _TICK_SECONDS


def find_corpus(cache_dir: Path, sources: str) -> Corpus | None:
    """The intact corpus that was last built or found for `sources`, a digest of their states and options."""
    with suppress(OSError):
        for folder in cache_dir.iterdir():
            if _last_seen(folder).get("sources") == sources and (corpus := read_corpus(folder)):
                return corpus
    return None


def remember(folder: Path, sources: str | None = None) -> None:
    """Store the states of the files of a corpus that was just built or verified, and `sources`, the digest of those that it was found for.

    The files of the corpus may be new, since nobody else changes them.
    """
    files = _paths(folder)
    is_large = sum(file.stat().st_size for file in files) > LARGE_BYTES
    before = _last_seen(folder)
    seen = {"files": json_digest(file_states(files)) if is_large else None, "sources": sources or before.get("sources")}
    if seen == before or not any(seen.values()):
        return
    with suppress(OSError):  # the cache may be read only
        temporary = folder / f"{_LAST_SEEN}.{os.getpid()}.tmp"
        temporary.write_text(json.dumps(seen), encoding="utf-8")
        temporary.replace(folder / _LAST_SEEN)


def _last_seen(folder: Path) -> dict:
    try:
        seen = json.loads((folder / _LAST_SEEN).read_bytes())
    except (OSError, ValueError, RecursionError):
        return {}
    return seen if isinstance(seen, dict) else {}


def _paths(folder: Path) -> list[Path]:
    return [folder / name for name in (*_FILES, "meta.json")]


def read_corpus(folder: Path) -> Corpus | None:
    """The corpus in a folder, or None if there is none or it is damaged. Verifying reads all of it, at about 1 GB/s, unless it is as last seen."""
    try:
        meta = read_meta(folder)
        if meta is None:
            return None
        if _last_seen(folder).get("files") != json_digest(file_states(_paths(folder))):
            if any(file_digest(folder / name) != digest for name, digest in meta["files"].items()):
                return None
            remember(folder)
    except OSError:
        return None
    return open_corpus(folder, meta)


def read_meta(folder: Path) -> dict | None:
    """The content of meta.json, or None if it is damaged. Raises OSError if there is none."""
    try:
        meta = json.loads((folder / "meta.json").read_bytes())
    except (ValueError, RecursionError):
        return None
    return meta if isinstance(meta, dict) and meta.pop("digest", None) == json_digest(meta) else None


def open_corpus(folder: Path, meta: dict) -> Corpus:
    report = CorpusReport(**{**meta["report"], "notes": tuple(meta["report"]["notes"])})
    train, valid = DocumentFile(folder / "train"), DocumentFile(folder / "valid")
    return Corpus(folder, train, valid, report, json_digest(meta["files"]), frozenset(meta["used_ids"]))


@contextmanager
def temporary_folder(cache_dir: Path, name: str) -> Iterator[Path]:
    """A folder that is removed afterwards, unless it was renamed. Also removes folders left by killed processes."""
    cache_dir.mkdir(parents=True, exist_ok=True)
    for leftover in cache_dir.glob("*.tmp"):
        with suppress(OSError):  # another process may be removing it too
            if _is_abandoned(leftover):
                shutil.rmtree(leftover)
    folder = Path(tempfile.mkdtemp(prefix=f"{name}.", suffix=".tmp", dir=cache_dir))
    descriptor = os.open(folder, os.O_RDONLY) if fcntl else None
    try:
        if fcntl and descriptor is not None:
            fcntl.flock(descriptor, fcntl.LOCK_EX)  # released when the process ends, even if killed
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


def move_into_place(folder: Path, final: Path) -> None:
    if os.path.lexists(final) and not read_corpus(final):
        shutil.rmtree(final) if final.is_dir() and not final.is_symlink() else final.unlink()
    try:
        folder.rename(final)
    except OSError:
        if not read_corpus(final):  # otherwise another process built the same corpus first
            raise
