"""Splitting one text into documents: no text is lost, bad expressions are errors, and text that should be split gives a warning."""

import re
import threading
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tavu.config import DataConfig
from tavu.data import formats, splitting
from tavu.data.corpus import build_corpus
from tavu.data.sources import SourceReport, read_documents
from tavu.data.splitting import Splitter, looks_like_many
from tavu.data.tales import tell
from tavu.errors import TavuError


def read(path: Path, split: str, **options) -> list[str]:
    return [document.decode() for document in read_documents(str(path), DataConfig(split=split, **options), SourceReport())]


def write(path: Path, content: str | bytes) -> Path:
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


BOOK = "CHAPTER 1\r\nIt rained.\r\n\r\nIt snowed.\r\n---\r\nCHAPTER 2\r\n \t\r\nThe end.<|endoftext|>Another text."


@pytest.mark.parametrize(
    ("split", "expected"),
    [
        ("lines", ["CHAPTER 1", "It rained.", "It snowed.", "---", "CHAPTER 2", "The end.", "Another text."]),
        ("blank", ["CHAPTER 1\nIt rained.", "It snowed.\n---\nCHAPTER 2", "The end.", "Another text."]),
        ("^---$", ["CHAPTER 1\nIt rained.\n\nIt snowed.", "CHAPTER 2\n \t\nThe end.", "Another text."]),
        (r"(?=^CHAPTER)", ["CHAPTER 1\nIt rained.\n\nIt snowed.\n---", "CHAPTER 2\n \t\nThe end.", "Another text."]),
        (r"(?i)^chapter \d+$", ["It rained.\n\nIt snowed.\n---", "The end.", "Another text."]),
    ],
)
def test_a_text_is_divided_at_lines_blank_lines_or_matches(tmp_path: Path, split: str, expected: list[str]) -> None:
    assert read(write(tmp_path / "a.txt", BOOK), split) == expected


@given(st.text(st.sampled_from("ab-\n\r é\udce9"), max_size=40), st.sampled_from(["\n", "-", "b", "(?=a)", r"(\n)|(-)"]))
def test_parts_and_matches_make_up_the_text(text: str, split: str) -> None:
    content = text.encode(errors="surrogateescape")
    parts = list(Splitter(split).split(content))
    assert all(content[offset : offset + len(part)] == part for offset, part in parts)
    plain = text.replace("\r\n", "\n")
    edges = [edge for found in re.finditer(split, plain, re.MULTILINE) for edge in found.span()]
    expected = [plain[begin:end] for begin, end in zip([0, *edges[1::2]], [*edges[0::2], len(plain)], strict=True)]
    assert [part.decode(errors="surrogateescape").replace("\r\n", "\n") for _, part in parts] == expected


def test_a_document_across_a_piece_boundary_stays_whole(tmp_path: Path) -> None:
    stories = [f"Story {n}.\nIt goes on.\nThe end of {n}." for n in range(200)]
    with write(tmp_path / "a.txt", "\n\n".join(stories)).open("rb") as stream:
        documents = list(formats.text_documents(stream, "a", Splitter("blank"), max_document_bytes=100))
    assert [document.decode() for document in documents if isinstance(document, bytes)] == stories


def test_a_bad_byte_affects_only_its_document(tmp_path: Path) -> None:
    path = write(tmp_path / "a.txt", b"one\r\n\r\ntw\xe4 x\r\nthree")
    assert read(path, "lines", skip_bad=True) == ["one", "three"]
    with pytest.raises(TavuError, match="byte 0xe4 at offset 9 "):
        read(path, "lines")


@pytest.mark.parametrize(
    ("split", "fault"),
    [
        ("^zzz$", r"--split '\^zzz\$' matches nothing in .*a.txt. Try lines or blank"),
        ("blank", r"--split 'blank' matches nothing in .*a.txt. Try lines, or another expression"),
        ("x*", "also matches the empty string, so it would split everywhere"),
        ("", "also matches the empty string"),
        ("(", r"is no regular expression: missing \), unterminated subpattern"),
        ("(a+)+$", r"can match in very many ways. Avoid nested repeats"),
    ],
)
def test_bad_expressions_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, split: str, fault: str) -> None:
    monkeypatch.setattr(splitting, "_MATCH_SECONDS", 0.1)
    path = write(tmp_path / "a.txt", "a" * 40 + "b\nhello\n")
    with pytest.raises(TavuError, match=fault):
        read(path, split)
    assert read(path, "lines") == ["a" * 40 + "b", "hello"]


def test_a_text_is_divided_in_any_thread(tmp_path: Path) -> None:
    path, found = write(tmp_path / "a.txt", "one\ntwo"), []
    thread = threading.Thread(target=lambda: found.extend(read(path, "lines")))
    thread.start()
    thread.join()
    assert found == ["one", "two"]


def test_sources_with_documents_are_not_split(tmp_path: Path) -> None:
    for path, fault in (
        (write(tmp_path / "a.jsonl", '{"text": "a"}'), "has rows, and each row is a document"),
        ("tales:3", "is already divided into documents"),
    ):
        with pytest.raises(TavuError, match=fault):
            read(path, "lines")  # type: ignore[arg-type]
    with pytest.raises(TavuError, match="is for plain text, not for --bytes or --records"):
        DataConfig(split="lines", as_bytes=True)


LISTS = {
    "chat with times": [f"[12:{n % 60:02}] Anna: Shall we go there, all {n} of us? And when is it?" for n in range(99)],
    "chat with names": [f"{'Anna' if n % 2 else 'Bo'}: so what about the {n}th" for n in range(99)],
    "log": [f"2024-01-{n % 28 + 1:02} something happened, number {n}" for n in range(99)],
    "names": [f"Village of the {n}th hill{'s' * (n % 7)}" for n in range(99)],
    "Finnish sayings": [f"Ei oppi ojaan kaada, ei edes {'kovin ' * (n % 6)}kaukana {n}." for n in range(99)],
}


@pytest.mark.parametrize("kind", LISTS)
def test_warning_for_a_list_or_chat_in_one_document_and_its_advice(tmp_path: Path, kind: str) -> None:
    path = write(tmp_path / "a.txt", "\n".join(LISTS[kind]))
    notes = build_corpus(DataConfig((str(path),)), cache_dir=tmp_path / "cache").report.notes
    (note,) = [note for note in notes if "pass --split lines" in note]
    assert note.startswith(f"one document of {path.stat().st_size:,} bytes holds ")
    divided = build_corpus(DataConfig((str(path),), split="lines"), cache_dir=tmp_path / "cache")
    assert divided.report.documents == 99 and not any("--split" in note for note in divided.report.notes)


def test_a_story_is_one_document(tmp_path: Path) -> None:
    novel = "\n\n".join(tell(0, n).text for n in range(60))
    wrapped = re.sub(r"(.{50,70}) ", r"\1\n", novel.replace("\n\n", " "))
    for text in (novel, wrapped, novel.replace("\n\n", " ")):
        assert looks_like_many(text.encode()) == ""
