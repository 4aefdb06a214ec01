"""Documents -> corpus: train and valid on disk, built once and cached by content.

Two passes: the first writes all documents to spool files, in several processes at once, and keeps a few numbers per document in memory (reading.py);
the second drops duplicates and copies each remaining document to train or valid. documents.py has the file layout, split.py the train/valid split,
kept.py the cache. The corpus is the same, byte for byte, whatever the number of processes.

Without valid sources a hash of each document assigns it to train or valid, so adding documents never moves others.
"""

import hashlib
import json
import os
import shutil
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np

from tavu.config import DataConfig
from tavu.data import split
from tavu.data.documents import write_documents
from tavu.data.formats import MAX_DOCUMENT_BYTES
from tavu.data.hub import HUB_FILES
from tavu.data.kept import (
    Corpus,
    CorpusReport,
    are_worth_remembering,
    file_digest,
    file_states,
    find_corpus,
    move_into_place,
    open_corpus,
    read_corpus,
    read_meta,
    remember,
    temporary_folder,
    write_meta,
)
from tavu.data.parts import TALES_SEED, is_text
from tavu.data.reading import Progress, read_sources
from tavu.data.sources import Located, locate
from tavu.data.splitting import looks_like_many
from tavu.data.spool import Spool
from tavu.data.streams import endings
from tavu.errors import TavuError

FORMAT = 3
"""Incremented when the same sources would be read or stored differently, so that older cached corpora are rebuilt."""


def build_corpus(
    data: DataConfig,
    *,
    cache_dir: Path,
    valid_percent: float = 5.0,
    progress: Progress | None = None,
) -> Corpus:
    """The corpus of data.sources and data.valid, taken from `cache_dir` if the same content was built before.

    Without data.valid, a data set with its own validation file (tinystories) uses that file, if all sources have one.
    Raises TavuError for a bad source, and when the disk is full.
    """
    if not 0 < valid_percent <= 50:
        raise TavuError(f"valid_percent is {valid_percent}, expected more than 0 and at most 50. The usual is 5.")
    split_notes: list[str] = []
    if not data.valid and all(f"{source}:valid" in HUB_FILES for source in data.sources):
        data = replace(data, valid=tuple(f"{source}:valid" for source in data.sources))
        split_notes.append(f"valid is the data set's own: {', '.join(data.valid)}")
    train_places = [locate(source, data) for source in data.sources]
    valid_places = [locate(source, data) for source in data.valid]
    places = (*train_places, *valid_places)
    source_notes = tuple(note for place in places for note in place.notes)
    files = [file for place in places for file in place.files]
    states = file_states(files)
    facts = _facts(data, valid_percent)
    seen = _digest_of(facts, train_places, valid_places, lambda place: file_states(place.files)) if are_worth_remembering(files) else None
    if seen and (corpus := find_corpus(cache_dir, seen)):
        return _with_notes(corpus, source_notes)
    final = cache_dir / _digest_of(facts, train_places, valid_places, _content)
    if corpus := read_corpus(final):
        remember(final, seen)
        return _with_notes(corpus, source_notes)
    try:
        if os.path.lexists(final):
            source_notes += (f"the cached copy of this text in {cache_dir} was damaged, so it was rebuilt",)
        with temporary_folder(cache_dir, final.name) as folder:
            (folder / "spool").mkdir()
            spool, report = read_sources(folder / "spool", data, train_places, valid_places, progress)
            if file_states(files) != states:
                raise TavuError(f"{_listed(data.sources)} changed while being read. Run the command again.")
            choice = _choose(spool, valid_percent, _listed(data.sources))
            warnings = _warnings(spool, choice, places, data)
            with spool.open() as source:
                train_digest, used_bytes = write_documents(folder / "train", source, *choice.train)
                valid_digest, _ = write_documents(folder / "valid", source, *choice.valid)
            shutil.rmtree(folder / "spool")
            skipped = [f"skipped: {reason}" for reason in report.reasons]
            notes = (*split_notes, *choice.notes, *report.markup_lines(), *warnings, *skipped)
            lengths = np.concatenate([choice.train[1], choice.valid[1]])
            about = CorpusReport(len(lengths), int(lengths.sum()), choice.duplicates, choice.in_valid, report.skipped, notes)
            write_meta(folder, about, {"train.bin": train_digest, "valid.bin": valid_digest}, used_bytes)
            move_into_place(folder, final)
        meta = read_meta(final)
    except OSError as fault:
        raise TavuError(
            f"The corpus could not be written to {cache_dir}: {fault.strerror or fault}. Building it takes about twice the size "
            "of the text: free some space there, or set TAVU_CACHE to another folder."
        ) from None
    assert meta is not None, f"{final} was built and cannot be read"
    remember(final, seen)
    return _with_notes(open_corpus(final, meta), source_notes)


def _with_notes(corpus: Corpus, notes: tuple[str, ...]) -> Corpus:
    """The corpus with the notes of this call before the stored ones."""
    return replace(corpus, report=replace(corpus.report, notes=notes + corpus.report.notes))


def _listed(sources: Sequence[str]) -> str:
    return ", ".join(sources[:3]) + (" and others" if len(sources) > 3 else "")


def _facts(data: DataConfig, valid_percent: float) -> dict[str, object]:
    """What a corpus depends on besides its sources."""
    return {
        "format": [FORMAT, MAX_DOCUMENT_BYTES, split.MAX_VALID_BYTES],
        "options": {key: value for key, value in asdict(data).items() if key not in ("sources", "valid")},
        "valid_percent": valid_percent,
    }


def _digest_of(facts: dict[str, object], train: Sequence[Located], valid: Sequence[Located], of_files: Callable[[Located], list]) -> str:
    """A digest of the facts and the sources, each given by its files or its number of tales."""
    of_sources = {
        name: [_tales(place) if place.num_tales else of_files(place) for place in places] for name, places in (("train", train), ("valid", valid))
    }
    return hashlib.blake2b(json.dumps(facts | of_sources, sort_keys=True).encode(), digest_size=16).hexdigest()


def _tales(place: Located) -> list[object]:
    from tavu.data import tales

    code = sorted(Path(str(tales.__file__)).parent.glob("*.py"))  # the code is hashed, so no version number can be forgotten
    return ["tales", place.num_tales, place.num_plots, TALES_SEED, *(file_digest(file) for file in code)]


def _content(place: Located) -> list[object]:
    """The content and the endings of the files: the cache name of a corpus does not depend on their names or folders."""
    return [(endings(file), _digest_if_readable(file)) for file in place.files]


def _digest_if_readable(file: Path) -> str:
    try:
        return file_digest(file)
    except OSError as fault:
        return f"unreadable: {fault.strerror}"  # reading it will raise, or skip it


@dataclass(frozen=True)
class _Choice:
    """Where the documents of train and valid are in the spool: (starts, lengths), int64."""

    train: tuple[np.ndarray, np.ndarray]
    valid: tuple[np.ndarray, np.ndarray]
    duplicates: int
    in_valid: int
    notes: tuple[str, ...]


def _choose(spool: Spool, valid_percent: float, sources: str) -> _Choice:
    starts, lengths = spool.starts, spool.lengths
    train = split.first_of_each(spool.digests[: spool.num_train])
    valid = split.first_of_each(spool.digests[spool.num_train :]) + spool.num_train
    duplicates = len(starts) - len(train) - len(valid)
    if len(valid):
        in_valid = np.isin(spool.completion_digests[train], spool.completion_digests[valid])
        if in_valid.all():
            raise TavuError(f"Every document of {sources} is also in valid, which leaves nothing to train on. Give other text for valid.")
        train = train[~in_valid]
        return _Choice((starts[train], lengths[train]), (starts[valid], lengths[valid]), duplicates, int(in_valid.sum()), ())
    is_valid = split.valid_by_hash(spool.completion_digests[train], lengths[train], valid_percent)
    if is_valid is not None:
        train, valid = train[~is_valid], train[is_valid]
        return _Choice((starts[train], lengths[train]), (starts[valid], lengths[valid]), duplicates, 0, ())
    starts, lengths = starts[train], lengths[train]
    longest = int(np.argmax(lengths))
    start, length = int(starts[longest]), int(lengths[longest])
    if length < 2:
        raise TavuError(f"{sources} holds one byte of text, too little to split into train and valid. Give more text.")
    with spool.open() as source:
        source.seek(start)
        train_end, valid_start = split.place_to_split(source.read(length), split.num_bytes_to_cut(int(lengths.sum()), length, valid_percent))
    lengths[longest] = train_end
    which = "the only document" if len(lengths) == 1 else f"the longest of {len(lengths):,} documents"
    note = f"valid is the end of {which}, {length - valid_start:,} bytes: there are too few documents to hold out whole ones"
    return _Choice((starts, lengths), (np.array([start + valid_start]), np.array([length - valid_start])), duplicates, 0, (note,))


def _warnings(spool: Spool, choice: _Choice, places: Sequence[Located], data: DataConfig) -> list[str]:
    """Warnings about likely mistakes: many texts in one document, or too little validation text."""
    warnings = []
    if data.text_field is not None and all(is_text(file) for place in places for file in place.files):
        warnings.append(
            f"--text-field {data.text_field} has no effect here: it names a field of .jsonl, .csv or .parquet rows, and plain text has none"
        )
    lengths = spool.lengths
    longest = int(np.argmax(lengths))
    if data.can_split and 2 * lengths[longest] > lengths.sum() and all(is_text(file) for place in places for file in place.files):
        with spool.open() as source:
            source.seek(int(spool.starts[longest]))
            shape = looks_like_many(source.read(int(lengths[longest])))
        if shape:
            way = "If each is a separate text, pass --split lines (or blank, or a regular expression)"
            warnings.append(f"one document of {lengths[longest]:,} bytes holds {shape}. {way}")
    num_valid = int(choice.valid[1].sum())
    if num_valid < split.FEW_VALID_BYTES:
        warnings.append(
            f"valid is only {num_valid:,} bytes, too few for a reliable measurement. Give more text, or a longer validation text: --valid FILE"
        )
    return warnings
