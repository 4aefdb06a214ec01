"""A source -> its documents. A source is a file, a folder, a glob or a known name.

Known names take precedence: `tales` is the built-in corpus, `./tales` the file. folders.py lists the files of folders and globs; formats.py, rows.py
and records.py read them; corpus.py drops duplicates.
"""

import difflib
import glob
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tavu.config import DataConfig
from tavu.data import hub
from tavu.data.folders import files_below, files_matching
from tavu.data.parts import KINDS, Part, SourceReport, read_parts
from tavu.errors import TavuError

NUM_TALES, MAX_TALES = 40_000, 100_000_000
PLOTS_PER_MINUTE, TALES_PER_PLOT = 2, 1000
"""How many plots of `tales` a model learns per minute of training (records/LOG.md), and how many tales each plot gets, up to NUM_TALES in all."""


@dataclass(frozen=True)
class Located:
    """A resolved source: files, or a number of tales."""

    files: tuple[Path, ...] = ()
    num_tales: int = 0
    num_plots: int = 0
    """The number of plots of the tales; 0: all."""
    notes: tuple[str, ...] = ()
    """What was skipped in a folder."""


def read_documents(source: str, data: DataConfig, report: SourceReport) -> Iterator[bytes]:
    """The documents of a source, none empty: UTF-8 with LF line ends and no surrounding white space, or raw bytes.

    Raises TavuError for a bad document, unless data.skip_bad, and if there is no document at all.
    """
    located = locate(source, data)
    report.notes += located.notes
    report.first_reason = ""
    num_before, matches_before = report.documents, report.num_matches
    parts = [Part(end=located.num_tales, num_plots=located.num_plots)] if located.num_tales else [Part(str(file)) for file in located.files]
    yield from read_parts(parts, data, report)
    check_read(source, located, data, report.documents - num_before, report.num_matches - matches_before, report.first_reason)


def check_read(source: str, located: Located, data: DataConfig, num_documents: int, num_matches: int, first_reason: str) -> None:
    """Raise TavuError if a source has no document, or if --split matches nothing in it. `first_reason` is why its first document was skipped."""
    if not num_documents and first_reason:
        raise TavuError(f"{source} has only bad documents, and all were skipped. The first: {first_reason}")
    if not num_documents:
        raise TavuError(f"{source} has no documents, only white space and separators. Give a source with text.")
    if data.split is not None and located.files and not num_matches:
        others = " or ".join(split for split in ("lines", "blank") if split != data.split)
        raise TavuError(f"--split {data.split!r} matches nothing in {source}. Try {others}, or another expression, or omit it.")


def locate(source: str, data: DataConfig) -> Located:
    """The files of a source, sorted; a file of the hub is downloaded if needed. Raises TavuError if there are none."""
    name, _, part = source.partition(":")
    if name == "tales" or source in hub.HUB_FILES:
        if data.as_bytes:
            raise TavuError(f"{source} is text, but --bytes is for files of raw bytes. Omit --bytes.")
        if data.split is not None and name == "tales":
            raise TavuError(f"{source} is already divided into documents, so --split {data.split!r} does not apply. Omit it.")
        if name != "tales":
            return Located(files=(hub.download(source),))
        return _located_tales(source, part)
    path = expand_user(source)
    try:
        if path.is_file():
            return Located(files=(path,))
        if path.is_dir():
            found = files_below(path, KINDS, as_bytes=data.as_bytes)
        elif path.exists():
            raise TavuError(f"{source} is a pipe or a device, expected a file: it is read twice. Save it to a file first.")
        elif glob.has_magic(source):
            found = files_matching(path, KINDS, as_bytes=data.as_bytes)
        else:
            raise _missing(source, path)
    except OSError as fault:
        raise TavuError(f"{source} cannot be read: {fault.strerror or fault}. Change its permissions, or give another source.") from None
    return Located(files=found.files, notes=found.notes)


def expand_user(path: str) -> Path:
    """The path with ~ and ~user expanded; unchanged if there is no such user or home: office programs name files ~$name."""
    try:
        return Path(path).expanduser()
    except RuntimeError:
        return Path(path)


def tales_for(minutes: float) -> str:
    """The `tales` source whose number of plots a model can learn in `minutes`.

    >>> tales_for(2), tales_for(60)
    ('tales:4-plots', 'tales')
    """
    from tavu.data.tales import PLOTS

    num_plots = max(1, round(PLOTS_PER_MINUTE * minutes))
    return f"tales:{num_plots}-plots" if num_plots < len(PLOTS) else "tales"


def _located_tales(source: str, part: str) -> Located:
    """The tales of `tales`, `tales:NUMBER` or `tales:NUMBER-plots`."""
    from tavu.data.tales import PLOTS

    if source == "tales":
        return Located(num_tales=NUM_TALES)
    number, most = part.removesuffix("-plots"), len(PLOTS) if part.endswith("-plots") else MAX_TALES
    if not (number.isascii() and number.isdigit() and len(number) <= len(str(most)) and 1 <= int(number) <= most):
        numbers = (
            f"a number of tales from 1 to {MAX_TALES:,} after the colon, as in tales:1000, or of plots from 1 to {len(PLOTS)}, as in tales:4-plots"
        )
        raise TavuError(f"{source[:60]}: expected {numbers}.")
    if most == MAX_TALES:
        return Located(num_tales=int(number))
    minutes = f"{int(number) / PLOTS_PER_MINUTE:g} min"
    note = f"{number} of the {len(PLOTS)} plots of tales, with few names: about what a model learns in {minutes}; tales:{NUM_TALES} has all plots"
    return Located(num_tales=min(NUM_TALES, TALES_PER_PLOT * int(number)), num_plots=int(number), notes=(note,))


def _missing(source: str, path: Path) -> TavuError:
    if not path.parent.is_dir():
        return TavuError(f"{source}: there is no folder {path.parent}. Check the path.")
    names = [name for name in os.listdir(path.parent) if not name.startswith(".")]
    near = [str(path.with_name(name)) for name in difflib.get_close_matches(path.name, names, n=3)]
    known = ["tales", *(name for name in hub.HUB_FILES if ":" not in name)]
    near += difflib.get_close_matches(source, known, n=1)
    advice = f"Did you mean {' or '.join(near)}?" if near else f"Give a file, a folder, a glob, or one of {', '.join(known)}."
    return TavuError(f"{source}: no such file or folder. {advice}")
