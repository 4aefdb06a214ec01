"""The text: where it comes from, and how it is read."""

from dataclasses import dataclass

from tavu.config.check import check


@dataclass(frozen=True)
class DataConfig:
    """Where the text comes from; see data/sources.py for what a source may be."""

    sources: tuple[str, ...] = ("tales",)
    """What to train on: files, folders, globs or known names."""
    valid: tuple[str, ...] = ()
    """What to validate on; where none is named, part of the sources is set aside."""
    text_field: str | None = None
    """The field of .jsonl, .csv, .tsv and .parquet that holds the text, or several: title,body; none: `text`, else `story`."""
    as_bytes: bool = False
    """Files are raw bytes, one document each."""
    record_bytes: int | None = None
    """With as_bytes: each so many bytes of a file are one document."""
    skip_bad: bool = False
    """Skip documents that cannot be read, and report how many, instead of stopping at the first."""
    as_records: bool = False
    """Documents are records, a request and its answer; training learns from the answers alone."""
    split: str | None = None
    """lines, blank, or a regular expression: where a text is divided into documents, besides its lines `<|endoftext|>`."""
    max_unpacked_mb: int = 250
    """A small file that unpacks to more than this is refused (data/streams.py)."""

    def __post_init__(self) -> None:
        check(len(self.sources) > 0, "data.sources", list(self.sources), 'at least one source, as ["stories.txt"].')
