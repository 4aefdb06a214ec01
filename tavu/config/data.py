"""The text: where it comes from, and how it is read."""

from dataclasses import dataclass
from typing import Literal

from tavu.config.check import check
from tavu.errors import TavuError

RecordKind = Literal["stories", "chat", "prompts"]
"""What records ask for: stories with words and features, answers in a conversation, or completions of other prompts."""


@dataclass(frozen=True)
class DataConfig:
    """Where the text comes from, and how it is read: the same for all files of a corpus."""

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
    """A file that unpacks to more than this, and to more than 100 times its size, is refused (data/streams.py)."""

    def __post_init__(self) -> None:
        check(len(self.sources) > 0, "data.sources", list(self.sources), 'at least one source, as ["stories.txt"].')
        if self.record_bytes is not None and not self.as_bytes:
            raise TavuError(f"--record-bytes is {self.record_bytes} without --bytes, which it belongs to. Pass --bytes too.")
        if self.record_bytes is not None and self.record_bytes < 1:
            raise TavuError(f"--record-bytes is {self.record_bytes}, expected at least 1: the bytes of one document, such as 784 for 28 x 28 images.")
        if self.text_field is not None and self.as_bytes:
            raise TavuError(f"--text-field {self.text_field} and --bytes exclude each other: raw bytes have no fields. Pass one of them.")
        if self.as_records and (self.as_bytes or self.text_field is not None):
            raise TavuError("Records have fields of their own: --bytes and --text-field are not for them. Leave them out.")
        if self.split is not None and (self.as_bytes or self.as_records):
            raise TavuError(f"--split {self.split!r} is for plain text, not for --bytes or --records, whose documents have ends. Leave it out.")
        check(self.max_unpacked_mb >= 1, "data.max_unpacked_mb", self.max_unpacked_mb, "1 or more. The usual is 250.")

    @property
    def can_split(self) -> bool:
        """Whether a text might also be divided, and is not."""
        return self.split is None and not self.as_bytes and not self.as_records
