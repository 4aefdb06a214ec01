"""Folders and globs -> their files, and a report of what was skipped. Only hidden files are skipped silently.

Links to folders are not followed, so nothing is read twice and no loop is endless. Run folders and cache folders of tavu are never read as text,
wherever they are: a model would train on its own samples.
"""

import glob
import itertools
import os
import shlex
from collections import Counter
from collections.abc import Container, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from tavu.data.streams import endings
from tavu.errors import TavuError
from tavu.run_folder import ENVIRONMENT, RECIPE

_OWN = (({RECIPE, ENVIRONMENT}, "run folder"), ({"meta.json", "train.bin", "valid.bin"}, "folder of the cache"))
"""A folder with all of these files belongs to tavu."""
_PLURALS = {
    "run folder": "run folders",
    "folder of the cache": "folders of the cache",
    "link to a folder": "links to folders",
    "link to nothing": "links to nothing",
    "pipe or device": "pipes or devices",
}
_MAX_KINDS = 5


@dataclass
class Found:
    """The files of a folder or glob, and counts of what was skipped."""

    where: str
    files: tuple[Path, ...] = ()
    other_endings: Counter[str] = field(default_factory=Counter)
    other: dict[Path, str] = field(default_factory=dict)
    """Everything else that was skipped: path -> kind, a key of _PLURALS."""

    @property
    def notes(self) -> tuple[str, ...]:
        """What was skipped and how to include it; empty if nothing was."""
        if not self.other_endings and not self.other:
            return ()
        ways = []
        if self.other_endings:
            common = self.other_endings.most_common(1)[0][0]
            pattern = f"**/*{common}" if common.startswith(".") else "*"
            ways.append(f"if they are text, name the files themselves, as in {shlex.quote(f'{glob.escape(self.where)}/{pattern}')}")
        if "link to a folder" in self.other.values():
            ways.append("name the target of a link")
        return (f"skipped in {self.where}: {self.summary()}" + (f" ({'; '.join(ways)})" if ways else ""),)

    def summary(self) -> str:
        counts = [f"{count:,} {ending}" for ending, count in self.other_endings.most_common(_MAX_KINDS)]
        if rest := self.other_endings.total() - sum(count for _, count in self.other_endings.most_common(_MAX_KINDS)):
            counts.append(f"{rest:,} other files")
        return ", ".join(counts + [f"{n:,} {what if n == 1 else _PLURALS[what]}" for what, n in Counter(self.other.values()).items()])


def files_below(folder: Path, known: Container[str], *, as_bytes: bool) -> Found:
    """The files below a folder with a known ending, or all with as_bytes; sorted, without hidden ones. Raises TavuError if there are none."""
    found = Found(str(folder))
    if kind := _own_kind(folder):
        raise TavuError(f"{folder} is a {kind} of tavu, expected text. Name a text, or continue a run with `tavu train --resume`.")
    paths = sorted(path for _, files in _walk(folder, found) for path in files)
    wanted = tuple(path for path in paths if path.is_file() and (as_bytes or endings(path)[0] in known))
    chosen = set(wanted)
    for path in paths:
        if path not in chosen:
            _add_skipped(path, found)
    found.files = wanted
    if wanted:
        return found
    if not found.other_endings:
        aside = f" (skipped: {found.summary()})" if found.other else ""
        link = " Name the target of the link." if "link to a folder" in found.other.values() else ""
        raise TavuError(f"{folder} is a folder without files{aside}.{link or ' Give one with text files in it.'}")
    raise TavuError(
        f"{folder} is a folder without text: {found.summary()}. Expected {', '.join(known)} (also .gz, .xz, .zst). "  # type: ignore[arg-type]
        f"Name the files themselves if they are text, as in '{folder}/*', or train on their raw bytes: tavu train --bytes"
    )


def files_matching(pattern: Path, known: Container[str], *, as_bytes: bool) -> Found:
    """The files that a glob matches, with any ending; if it matches only folders, the files below them. Raises TavuError if there are none."""
    found = Found(str(pattern))
    matches = sorted(set(_matches(pattern, found)))
    files = [path for path in matches if path.is_file()]
    if files:
        own = {parent: kind for parent in {path.parent for path in files} if (kind := _own_kind(parent))}
        found.other |= own
        found.files = tuple(path for path in files if path.parent not in own)
        if not found.files:
            raise TavuError(f"{pattern} matches only files in {found.summary()} of tavu's own, expected text. Name each file if you want it.")
        return found
    folders = [path for path in matches if path.is_dir() and not _own_kind(path)]
    if not folders:
        raise TavuError(f"{pattern} matches no file. Check it with: ls {pattern}")
    for part in [files_below(folder, known, as_bytes=as_bytes) for folder in folders]:
        found.files += part.files
        found.other_endings += part.other_endings
        found.other |= part.other
    return found


def _walk(folder: Path, found: Found) -> Iterator[tuple[Path, list[Path]]]:
    """Each folder below `folder` with its files; without hidden ones, folders of tavu, and links to folders."""
    for parent, folders, names in os.walk(folder, onerror=_raise):
        below = []
        for path in (Path(parent, name) for name in folders if not name.startswith(".")):
            kind = "link to a folder" if path.is_symlink() else _own_kind(path)
            if kind:
                found.other[path] = kind
            else:
                below.append(path.name)
        folders[:] = below
        yield Path(parent), [Path(parent, name) for name in names if not name.startswith(".")]


def _add_skipped(path: Path, found: Found) -> None:
    if path.is_file():
        found.other_endings[path.suffix.lower() or "without an ending"] += 1
    else:
        found.other[path] = "link to nothing" if path.is_symlink() else "pipe or device"


def _own_kind(folder: Path) -> str:
    return next((kind for files, kind in _OWN if all((folder / file).is_file() for file in files)), "")


def _matches(pattern: Path, found: Found) -> Iterator[Path]:
    """The paths that a glob matches. Unlike glob, ** does not follow links to folders, which can form loops."""
    if "**" not in pattern.parts:
        yield from map(Path, glob.glob(str(pattern)))
        return
    at = pattern.parts.index("**")
    after = list(itertools.dropwhile(lambda part: part == "**", pattern.parts[at:]))
    for start in glob.glob(str(Path(*pattern.parts[:at]))) if at else ["."]:
        for folder, files in _walk(Path(start), found):
            yield from _matches(Path(glob.escape(str(folder)), *after), found) if after else files


def _raise(fault: OSError) -> None:
    raise fault
