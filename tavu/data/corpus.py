"""Documents -> corpus: train and valid on disk, built once and cached by content.

Two passes: the first writes all documents to one spool file and keeps 16 bytes per document in memory; the second drops duplicates and copies
each remaining document to train or valid. documents.py has the file layout, split.py the train/valid split, kept.py the cache.

Without valid sources a hash of each document assigns it to train or valid, so adding documents never moves others.
"""

import hashlib
import json
import os
from array import array
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np

from tavu.config import DataConfig
from tavu.data import split
from tavu.data.documents import SEP, write_documents
from tavu.data.formats import MAX_DOCUMENT_BYTES
from tavu.data.hub import HUB_FILES
from tavu.data.kept import Corpus, CorpusReport, file_digest, move_into_place, open_corpus, read_corpus, read_meta, temporary_folder, write_meta
from tavu.data.records import split_document
from tavu.data.sources import TALES_SEED, Located, SourceReport, is_text, locate, read_documents
from tavu.data.splitting import looks_like_many
from tavu.data.streams import endings
from tavu.errors import TavuError

FORMAT = 3
"""Incremented when the same sources would be read or stored differently, so that older cached corpora are rebuilt."""
_PROGRESS_BYTES = 1 << 20

Progress = Callable[[int, int | None], None]
"""Called with (bytes done, total bytes); the total is None when it is not known."""


@dataclass(frozen=True)
class _Spool:
    """All documents in reading order, those of valid sources last.

    Shapes: N documents; offsets of SEPs (N + 1,), digests and completion_digests (N,), all uint64.
    """

    path: Path
    offsets: np.ndarray
    digests: np.ndarray
    completion_digests: np.ndarray
    """For records, digests of the completions alone: one story under two prompts must not be in both train and valid. Else equal to digests."""
    num_train: int


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
    states = _states(files)
    final = cache_dir / _content_key(train_places, valid_places, data, valid_percent)
    if corpus := read_corpus(final):
        return _with_notes(corpus, source_notes)
    report = SourceReport()
    num_bytes = None if any(place.num_tales for place in places) else sum(size for size, _ in states)
    try:
        if os.path.lexists(final):
            source_notes += (f"the cached copy of this text in {cache_dir} was damaged, so it was rebuilt",)
        with temporary_folder(cache_dir, final.name) as folder:
            spool = _write_spool(folder / "spool", data, report, progress, num_bytes)
            if _states(files) != states:
                raise TavuError(f"{_listed(data.sources)} changed while being read. Run the command again.")
            choice = _choose(spool, valid_percent, _listed(data.sources))
            warnings = _warnings(spool, choice, places, data)
            with spool.path.open("rb") as source:
                write_documents(folder / "train", source, *choice.train)
                write_documents(folder / "valid", source, *choice.valid)
            spool.path.unlink()
            skipped = [f"skipped: {reason}" for reason in report.reasons]
            notes = (*split_notes, *choice.notes, *report.markup_lines(), *warnings, *skipped)
            lengths = np.concatenate([choice.train[1], choice.valid[1]])
            write_meta(folder, CorpusReport(len(lengths), int(lengths.sum()), choice.duplicates, choice.in_valid, report.skipped, notes))
            move_into_place(folder, final)
        meta = read_meta(final)
    except OSError as fault:
        raise TavuError(
            f"The corpus could not be written to {cache_dir}: {fault.strerror or fault}. Building it takes about twice the size "
            "of the text: free some space there, or set TAVU_CACHE to another folder."
        ) from None
    assert meta is not None, f"{final} was built and cannot be read"
    return _with_notes(open_corpus(final, meta), source_notes)


def _with_notes(corpus: Corpus, notes: tuple[str, ...]) -> Corpus:
    """The corpus with the notes of this call before the stored ones."""
    return replace(corpus, report=replace(corpus.report, notes=notes + corpus.report.notes))


def _listed(sources: Sequence[str]) -> str:
    return ", ".join(sources[:3]) + (" and others" if len(sources) > 3 else "")


def _states(files: Sequence[Path]) -> list[tuple[int, int]]:
    stats = [file.stat() for file in files]
    return [(stat.st_size, stat.st_mtime_ns) for stat in stats]


def _content_key(train: Sequence[Located], valid: Sequence[Located], data: DataConfig, valid_percent: float) -> str:
    """The cache name of a corpus. It depends on the content and the endings of its files, not on their names or folders."""
    facts = {
        "format": [FORMAT, MAX_DOCUMENT_BYTES, split.MAX_VALID_BYTES],
        "options": {key: value for key, value in asdict(data).items() if key not in ("sources", "valid")},
        "valid_percent": valid_percent,
        "train": [_content(place) for place in train],
        "valid": [_content(place) for place in valid],
    }
    return hashlib.blake2b(json.dumps(facts, sort_keys=True).encode(), digest_size=16).hexdigest()


def _content(place: Located) -> list[object]:
    if place.num_tales:
        from tavu.data import tales

        code = sorted(Path(str(tales.__file__)).parent.glob("*.py"))  # the code is hashed, so no version number can be forgotten
        return ["tales", place.num_tales, place.num_plots, TALES_SEED, *(file_digest(file) for file in code)]
    return [(endings(file), _digest_if_readable(file)) for file in place.files]


def _digest_if_readable(file: Path) -> str:
    try:
        return file_digest(file)
    except OSError as fault:
        return f"unreadable: {fault.strerror}"  # reading it will raise, or skip it


def _write_spool(
    path: Path,
    data: DataConfig,
    report: SourceReport,
    progress: Progress | None,
    num_file_bytes: int | None,
) -> _Spool:
    offsets, digests, completion_digests = array("Q", [0]), array("Q"), array("Q")
    num_train = 0
    reported = 0
    with path.open("wb", buffering=_PROGRESS_BYTES) as spool:
        spool.write(SEP)
        for index, source in enumerate((*data.sources, *data.valid)):
            for document in read_documents(source, data, report):
                spool.write(document)
                spool.write(SEP)
                offsets.append(offsets[-1] + len(document) + 1)
                digests.append(split.document_digest(document))
                completion_digests.append(split.document_digest(split_document(document)[1]) if data.as_records else digests[-1])
                num_done = report.bytes if num_file_bytes is None else report.file_bytes_read
                if progress and num_done >= reported + _PROGRESS_BYTES:
                    progress(num_done, num_file_bytes)
                    reported = num_done
            if index < len(data.sources):
                num_train = len(digests)
    if progress:
        progress(report.bytes if num_file_bytes is None else num_file_bytes, num_file_bytes)
    offsets_of, digests_of, completions_of = (np.frombuffer(numbers, dtype=np.uint64) for numbers in (offsets, digests, completion_digests))
    return _Spool(path, offsets_of, digests_of, completions_of, num_train)


@dataclass(frozen=True)
class _Choice:
    """Where the documents of train and valid are in the spool: (starts, lengths), int64."""

    train: tuple[np.ndarray, np.ndarray]
    valid: tuple[np.ndarray, np.ndarray]
    duplicates: int
    in_valid: int
    notes: tuple[str, ...]


def _choose(spool: _Spool, valid_percent: float, sources: str) -> _Choice:
    starts = spool.offsets[:-1].astype(np.int64) + 1
    lengths = spool.offsets[1:].astype(np.int64) - starts
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
    with spool.path.open("rb") as source:
        source.seek(start)
        train_end, valid_start = split.place_to_split(source.read(length), split.num_bytes_to_cut(int(lengths.sum()), length, valid_percent))
    lengths[longest] = train_end
    which = "the only document" if len(lengths) == 1 else f"the longest of {len(lengths):,} documents"
    note = f"valid is the end of {which}, {length - valid_start:,} bytes: there are too few documents to hold out whole ones"
    return _Choice((starts, lengths), (np.array([start + valid_start]), np.array([length - valid_start])), duplicates, 0, (note,))


def _warnings(spool: _Spool, choice: _Choice, places: Sequence[Located], data: DataConfig) -> list[str]:
    """Warnings about likely mistakes: many texts in one document, or too little validation text."""
    warnings = []
    lengths = np.diff(spool.offsets.astype(np.int64)) - 1
    longest = int(np.argmax(lengths))
    if data.can_split and 2 * lengths[longest] > lengths.sum() and all(is_text(file) for place in places for file in place.files):
        with spool.path.open("rb") as source:
            source.seek(int(spool.offsets[longest]) + 1)
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
