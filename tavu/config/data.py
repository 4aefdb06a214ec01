"""The data settings: the sources of the text and how they are read."""

from dataclasses import dataclass
from typing import Literal

from tavu.config.check import check
from tavu.errors import TavuError

RecordKind = Literal["stories", "chat", "prompts"]
"""The kind of a model's records: stories with requested words and features, answers in a conversation, or other prompts with completions."""


@dataclass(frozen=True)
class DataConfig:
    """The sources of the text and how they are read, the same for all files of a corpus."""

    sources: tuple[str, ...] = ("tales",)
    """Text to train on: files, folders, globs or known names."""
    valid: tuple[str, ...] = ()
    """Text to validate on; by default, part of the sources is held out."""
    text_field: str | None = None
    """The field of .jsonl, .csv, .tsv and .parquet rows that holds the text; several as title,body. Default: `text`, else `story`."""
    as_bytes: bool = False
    """Files are raw bytes, one document each."""
    record_bytes: int | None = None
    """With as_bytes: files are split into documents of this many bytes."""
    skip_bad: bool = False
    """Skip documents that cannot be read, and report how many, instead of stopping at the first."""
    as_records: bool = False
    """Documents are records, a prompt and its completion; only completions count in the loss."""
    split: str | None = None
    """Where text is split into documents, besides `<|endoftext|>`: lines, blank (lines), or a regular expression."""
    max_unpacked_mb: int = 250
    """A file that unpacks to more than this, and to more than 100 times its size, is refused (data/streams.py)."""

    def __post_init__(self) -> None:
        check(len(self.sources) > 0, "data.sources", list(self.sources), 'at least one source, e.g. ["stories.txt"].')
        if self.record_bytes is not None and not self.as_bytes:
            raise TavuError(f"--record-bytes is {self.record_bytes}, but it needs --bytes. Pass --bytes too.")
        if self.record_bytes is not None and self.record_bytes < 1:
            raise TavuError(f"--record-bytes is {self.record_bytes}, expected at least 1: the bytes of one document, such as 784 for 28 x 28 images.")
        if self.text_field is not None and self.as_bytes:
            raise TavuError(f"--text-field {self.text_field} and --bytes exclude each other: raw bytes have no fields. Pass one of them.")
        if self.as_records and (self.as_bytes or self.text_field is not None):
            raise TavuError("Records have fixed fields: --bytes and --text-field do not apply to them. Omit them.")
        if self.split is not None and (self.as_bytes or self.as_records):
            raise TavuError(f"--split {self.split!r} is for plain text, not for --bytes or --records. Omit it.")
        check(self.max_unpacked_mb >= 1, "data.max_unpacked_mb", self.max_unpacked_mb, "1 or more. The usual is 250.")

    @property
    def can_split(self) -> bool:
        """Whether --split could be used, but is not."""
        return self.split is None and not self.as_bytes and not self.as_records
