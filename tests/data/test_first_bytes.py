"""File types and encodings are detected from the first bytes; the tests follow the advice of each error."""

import bz2
import gzip
import io
import lzma
import random
import shutil
import sqlite3
import subprocess
import tarfile
import zipfile
from pathlib import Path

import pyarrow
import pytest
import zstandard
from pyarrow import parquet

from tavu.config import DataConfig
from tavu.data.first_bytes import wide_encoding
from tavu.data.sources import SourceReport, read_documents
from tavu.errors import TavuError

TEXTS = {
    "English": "Once upon a time there was a little girl. She liked to sing!\n",
    "Russian": "Жила-была маленькая птичка. Она любила петь.\n",
    "Greek": "Μια φορά κι έναν καιρό ήταν ένα μικρό πουλί.\n",
    "Hebrew": "היה היתה פעם ילדה קטנה. היא אהבה לשיר.\n",
    "Hindi": "एक समय की बात है, एक छोटी लड़की थी।\n",
    "Chinese": "从前有一个小女孩，她喜欢唱歌。\n有一天，她一个人走进了森林。\n",
    "Japanese": "昔々、あるところに小さな女の子がいました。\n歌うことが一番好きでした。\n",
    "Korean": "옛날 옛적에 작은 소녀가 살았습니다. 그녀는 노래를 좋아했어요.\n",
    "emoji": "🐻 ja 🐦 lauloivat.\n",
}


def mistake(path: Path) -> str:
    with pytest.raises(TavuError) as raised:
        list(read_documents(str(path), DataConfig(), SourceReport()))
    return str(raised.value)


@pytest.mark.parametrize("language", TEXTS)
@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-32-le", "utf-32-be"])
@pytest.mark.parametrize("name", ["a text.txt", "a.csv", "a.jsonl.gz"])
def test_utf16_and_utf32_are_detected_in_any_script_and_the_command_converts_them(tmp_path: Path, language: str, encoding: str, name: str) -> None:
    text = TEXTS[language] * 20
    path = tmp_path / name
    path.write_bytes(gzip.compress(text.encode(encoding)) if name.endswith(".gz") else text.encode(encoding))
    said = mistake(path)
    assert said.startswith(f"{path} is {encoding[:6].upper()}, expected UTF-8. Convert it: ")
    if shutil.which("iconv") and language == "Russian":
        subprocess.run(said.split("Convert it: ")[1], shell=True, check=True, cwd=tmp_path)
        assert (tmp_path / "utf8.txt").read_text(encoding="utf-8").removeprefix("\ufeff") == text


def test_utf8_is_never_detected_as_another_encoding() -> None:
    draw = random.Random(0)
    for text in TEXTS.values():
        for _ in range(20):
            words = text.split()
            draw.shuffle(words)
            for joint in ("", " ", "\n"):
                content = joint.join(words).encode()
                assert wide_encoding(content) is None and wide_encoding(content + b"\0" + content) is None
    for _ in range(200):
        assert wide_encoding(draw.randbytes(400)) is None


def test_the_command_converts_8_bit_encodings(tmp_path: Path) -> None:
    if not shutil.which("iconv"):
        pytest.skip("no iconv")
    for encoding, text in (("latin-1", "Hyvää päivää, sanoi kärpänen. "), ("cp1251", TEXTS["Russian"]), ("cp1252", "“Hello”, he said. ")):
        path = tmp_path / f"{encoding} 'text'.txt"
        path.write_bytes((text * 9).encode(encoding))
        subprocess.run(mistake(path).split("Convert it: ")[1].split("; or train")[0], shell=True, check=True, cwd=tmp_path)
        assert (tmp_path / "utf8.txt").read_text(encoding="utf-8") == text * 9
    path.write_bytes("olé\n".encode("latin-1"))
    assert "it looks like Latin-1" in mistake(path)  # its last letter could begin a character of UTF-8


def packed(*names: str) -> bytes:
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as file:
        for name in names:
            file.writestr(name, "application/epub+zip" if name == "mimetype" else "x")
    return archive.getvalue()


def taped() -> bytes:
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w") as file:
        file.addfile(tarfile.TarInfo("a.txt"), io.BytesIO())
    return archive.getvalue()


def stored() -> bytes:
    with sqlite3.connect(":memory:") as database:
        database.execute("create table a (b)")
        return database.serialize()


NOT_TEXT = {
    "a PDF document": b"%PDF-1.4\n%\xe2\xe3\xcf\xd3\n1 0 obj\n<<>>\nendobj\n",
    "a PDF document ": b"%PDF-1.4\n1 0 obj << /Filter /ASCII85Decode >> stream 87cURD_*#TDfTZ)\n",
    "an RTF document": b"{\\rtf1\\ansi Hello}",
    "a Word document (.docx)": packed("[Content_Types].xml", "word/document.xml"),
    "an Excel sheet (.xlsx)": packed("xl/workbook.xml"),
    "an e-book (.epub)": packed("mimetype"),
    "a ZIP archive": packed("a.txt"),
    "an older Microsoft Office document": b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(504),
    "an SQLite database": stored(),
    "a bzip2 archive": bz2.compress(b"text" * 99),
    "a tar archive": taped(),
    "a PNG image": b"\x89PNG\r\n\x1a\n\0\0",
    "a GGUF model": b"GGUF\x03\0\0\0",
}


@pytest.mark.parametrize("kind", NOT_TEXT)
@pytest.mark.parametrize("name", ["a.txt", "a.csv", "a.json", "a"])
def test_file_types_are_detected_by_content_whatever_the_name(tmp_path: Path, kind: str, name: str) -> None:
    (tmp_path / name).write_bytes(NOT_TEXT[kind])
    said = mistake(tmp_path / name)
    assert said.startswith(f"{tmp_path / name} is {kind.strip()}, expected text. ")
    assert said.endswith("rain on its raw bytes: tavu train --bytes") and ("first" in said or "PNG" in said or "GGUF" in said)


@pytest.mark.parametrize("compress", [gzip.compress, lzma.compress, zstandard.compress])
def test_a_misnamed_archive_is_read_after_the_suggested_rename(tmp_path: Path, compress) -> None:
    path = tmp_path / "my text.txt"
    path.write_bytes(compress(b"Once upon a time."))
    said = mistake(path)
    assert "archive, expected text. Rename it: mv " in said
    subprocess.run(said.split("Rename it: ")[1].split("; or train")[0], shell=True, check=True)
    (renamed,) = tmp_path.iterdir()
    assert list(read_documents(str(renamed), DataConfig(), SourceReport())) == [b"Once upon a time."]


def test_a_misnamed_parquet_file_is_read_after_the_suggested_rename(tmp_path: Path) -> None:
    parquet.write_table(pyarrow.table({"text": ["Once."]}), tmp_path / "rows.txt")
    said = mistake(tmp_path / "rows.txt")
    subprocess.run(said.split("Rename it: ")[1].split("; or train")[0], shell=True, check=True)
    assert list(read_documents(str(tmp_path / "rows.parquet"), DataConfig(), SourceReport())) == [b"Once."]


@pytest.mark.parametrize("text", ["RIFF is how it begins.", "ID3 tags", "BZh", "GIF89a is a format", "PAR1", "PK!"])
def test_text_that_starts_like_another_file_type_is_text(tmp_path: Path, text: str) -> None:
    (tmp_path / "a.txt").write_text(text)
    assert list(read_documents(str(tmp_path / "a.txt"), DataConfig(), SourceReport())) == [text.encode()]


MARKED_UP = {  # start of a text -> its warning
    '{"text": "Once."}\n{"text": "Twice."}\n': "looks like JSON, but is read as one plain text. Rename it to end in .jsonl to read each row",
    '[\n  {"text": "Once."},\n  {"text": "Twice."}\n]': "looks like JSON",
    '["Once.", "Twice."]': "looks like JSON",
    "<!DOCTYPE html>\n<p>Once.</p>": "looks like HTML, and its tags are read as text. To remove them, extract the text first: pandoc ",
    "\n<HTML lang=en><body>Once.": "looks like HTML",
    "<?xml version='1.0'?><story>Once.</story>": "looks like XML, and its tags are read as text. To remove them, extract the text first.",
}


@pytest.mark.parametrize("content", MARKED_UP)
def test_markup_is_read_with_a_warning(tmp_path: Path, content: str) -> None:
    (tmp_path / "a.txt").write_text(content)
    shutil.copy(tmp_path / "a.txt", tmp_path / "b.txt")
    report = SourceReport()
    assert len(list(read_documents(str(tmp_path), DataConfig(), report))) == 2
    (line,) = report.lines()
    assert line.startswith(f"{tmp_path / 'a.txt'} {MARKED_UP[content]}") and line.endswith(" (1 more like it.)")
    if "JSON" in line:
        (tmp_path / "a.txt").rename(tmp_path / "a.jsonl")
        assert b"".join(read_documents(str(tmp_path / "a.jsonl"), DataConfig(), report)) in (b"Once.Twice.", b"Once.")


@pytest.mark.parametrize(
    "content", ["<3 Once.", '["Hello," he said] Once.', "{Once.}", "[1] Once.", '"Once."', "<div align=center>Once.", "# Once\n```json\n{}"]
)
def test_text_that_only_starts_like_markup_has_no_warning(tmp_path: Path, content: str) -> None:
    (tmp_path / "a.txt").write_text(content)
    report = SourceReport()
    assert list(read_documents(str(tmp_path / "a.txt"), DataConfig(), report)) == [content.encode()] and not report.lines()


def test_json_records_in_a_txt_file_are_refused(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text('{"prompt": "Once", "completion": "upon"}')
    with pytest.raises(TavuError, match=r"a.txt looks like JSON, .* Rename it to end in .jsonl "):
        list(read_documents(str(tmp_path / "a.txt"), DataConfig(as_records=True), SourceReport()))
