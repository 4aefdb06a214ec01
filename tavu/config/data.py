"""The text: where it comes from, and how it is read."""

from dataclasses import dataclass

from tavu.config.check import check


@dataclass(frozen=True)
class DataConfig:
    """Where the text comes from; see data/sources.py for what a source may be."""

    sources: tuple[str, ...] = ("tales",)
    valid: tuple[str, ...] = ()
    text_field: str | None = None
    as_bytes: bool = False
    record_bytes: int | None = None
    skip_bad: bool = False
    as_records: bool = False
    """Documents are records of a request and what was written to it: only the latter is learned from."""
    split: str | None = None
    """lines, blank, or a regular expression: where a text is divided into documents, beside its `<|endoftext|>`s."""
    max_unpacked_mb: int = 250
    """A small file that unpacks to more than this is refused (data/streams.py)."""

    def __post_init__(self) -> None:
        check(len(self.sources) > 0, "data.sources", list(self.sources), 'at least one source, as ["stories.txt"].')
