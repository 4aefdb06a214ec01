"""Sources: documents in equal documents out, in every format, and the text of each error."""

import gzip
import io
import json
import lzma
import os
import subprocess
import sys
import tempfile
from itertools import takewhile
from pathlib import Path

import pyarrow
import pytest
import zstandard
from hypothesis import given, settings
from hypothesis import strategies as st
from pyarrow import parquet

from tavu.config import DataConfig
from tavu.data import fields, formats, rows
from tavu.data.sources import SourceReport, locate, read_documents, tales_for
from tavu.errors import TavuError

STORIES = ["Once upon a time.\nThe end.", "Aamulla satoi lunta, ja Väinö heräsi.", "Жила-была девочка.", "😀"]
AS_BYTES = [story.encode() for story in STORIES]


def read(source: Path | str, **options) -> list[bytes]:
    return list(read_documents(str(source), DataConfig(**options), SourceReport()))


def mistake(source: Path | str, **options) -> str:
    with pytest.raises(TavuError) as raised:
        read(source, **options)
    return str(raised.value)


def skipping(source: Path | str, **options) -> tuple[list[bytes], SourceReport]:
    report = SourceReport()
    return list(read_documents(str(source), DataConfig(skip_bad=True, **options), report)), report


def write(path: Path, content: str | bytes) -> Path:
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


COMPRESS = {"": bytes, ".gz": gzip.compress, ".xz": lzma.compress, ".zst": zstandard.compress}

# Documents in equal documents out.


@pytest.mark.parametrize("compression", COMPRESS)
@pytest.mark.parametrize(
    ("ending", "content"),
    [
        (".txt", "\n<|endoftext|>\n".join(STORIES)),
        (".md", "<|endoftext|>".join(STORIES) + "<|endoftext|>\n"),
        (".jsonl", "\n".join(json.dumps({"id": 1, "text": story}) for story in STORIES)),
        (".jsonl", "\n\n".join(json.dumps({"story": story}, ensure_ascii=False) for story in STORIES) + "\n"),
        (".json", json.dumps([{"text": story, "story": "no"} for story in STORIES], indent=2)),
        (".json", json.dumps(STORIES)),
        (".csv", "id,text\n" + "".join(f'1,"{story}"\n' for story in STORIES)),
        (".csv", "id;story\r\n" + "".join(f'1;"{story}"\r\n' for story in STORIES)),
        (".tsv", "text\tid\n" + "".join(f'"{story}"\t1\n' for story in STORIES)),
        ("", "<|endoftext|>".join(STORIES)),
    ],
)
def test_every_format_gives_the_same_documents(tmp_path: Path, ending: str, content: str, compression: str) -> None:
    path = write(tmp_path / f"stories{ending}{compression}", COMPRESS[compression](content.encode()))
    assert read(path) == AS_BYTES
    with_mark = write(tmp_path / f"marked{ending}{compression}", COMPRESS[compression](b"\xef\xbb\xbf" + content.encode()))
    assert read(with_mark) == AS_BYTES


@pytest.mark.parametrize("kind", [pyarrow.string(), pyarrow.large_string(), pyarrow.binary(), pyarrow.dictionary(pyarrow.int32(), pyarrow.string())])
def test_parquet(tmp_path: Path, kind: pyarrow.DataType) -> None:
    values = pyarrow.array(STORIES, pyarrow.string()).cast(kind)
    parquet.write_table(pyarrow.table({"id": [1, 2, 3, 4], "story": values}), tmp_path / "stories.parquet")
    assert read(tmp_path / "stories.parquet") == AS_BYTES


def test_text_is_cleaned_and_raw_bytes_are_not(tmp_path: Path) -> None:
    path = write(tmp_path / "a.txt", b"\xef\xbb\xbf\r\n one\r\ntwo\r \n<|endoftext|> \n <|endoftext|>three\x00\n")
    assert read(path) == [b"one\ntwo", b"three\x00"]
    assert read(path, as_bytes=True) == [path.read_bytes()]
    rows = write(tmp_path / "a.jsonl", json.dumps({"text": " one\r\ntwo\n"}) + "\n" + json.dumps({"text": " "}))
    assert read(rows) == [b"one\ntwo"]


def test_records(tmp_path: Path) -> None:
    path = write(tmp_path / "images.bin", bytes(range(256)))
    assert read(path, as_bytes=True, record_bytes=64) == [bytes(range(at, at + 64)) for at in range(0, 256, 64)]


def test_a_folder_is_its_files_sorted(tmp_path: Path) -> None:
    (tmp_path / "b").mkdir()
    (tmp_path / ".git").mkdir()
    write(tmp_path / "c.txt", "third")
    write(tmp_path / "b" / "x.jsonl.gz", gzip.compress(b'{"text": "second"}'))
    write(tmp_path / "a.md", "first")
    write(tmp_path / ".hidden.txt", "no")
    write(tmp_path / ".git" / "no.txt", "no")
    write(tmp_path / "photo.jpg", b"\xff\xd8\x00")
    assert read(tmp_path) == [b"first", b"second", b"third"]
    assert len(read(tmp_path, as_bytes=True)) == 4
    assert read(f"{tmp_path}/*.md") == [b"first"]
    assert read(f"{tmp_path}/**/*.gz") == [b"second"]
    assert read(f"{tmp_path}/[bz]") == [b"second"]


def test_zst_of_several_frames_and_a_skippable_one(tmp_path: Path) -> None:
    skippable = (0x184D2A50).to_bytes(4, "little") + (4).to_bytes(4, "little") + b"abcd"
    path = write(tmp_path / "a.txt.zst", skippable + zstandard.compress(b"one ") + zstandard.compress(b"two"))
    assert read(path) == [b"one two"]


def test_tales() -> None:
    tales = read("tales:20")
    assert len(tales) == 20
    assert tales == read("tales:20")
    assert read("tales:30")[:20] == tales


def test_tales_of_few_plots() -> None:
    located = locate("tales:4-plots", DataConfig())
    assert (located.num_tales, located.num_plots) == (4_000, 4)
    assert located.notes == ("4 of the 88 plots of tales, with few names: about what a model learns in 2 min; tales:40000 has all plots",)
    assert read("tales:1-plots") == read("tales:1-plots") != read("tales:1000")
    assert locate("tales:88-plots", DataConfig()).num_tales == 40_000


def test_the_budget_selects_the_number_of_plots() -> None:
    assert [tales_for(minutes) for minutes in (0.1, 2, 10, 43, 44, 600)] == [
        "tales:1-plots",
        "tales:4-plots",
        "tales:20-plots",
        "tales:86-plots",
        "tales",
        "tales",
    ]


def test_hub_names_use_the_cache_of_the_hub(tmp_path: Path) -> None:
    data_set = tmp_path / "datasets--roneneldan--TinyStories"
    (data_set / "refs").mkdir(parents=True)
    (data_set / "refs" / "main").write_text("0" * 40)
    (data_set / "snapshots" / ("0" * 40)).mkdir(parents=True)
    write(data_set / "snapshots" / ("0" * 40) / "TinyStoriesV2-GPT4-train.txt", "One.\n<|endoftext|>\nTwo.\n")
    code = "from tavu.data.sources import *; print(list(read_documents('tinystories', DataConfig(), SourceReport())))"
    done = run_python(code, HF_HUB_CACHE=str(tmp_path), HF_HUB_OFFLINE="1")
    assert done.stdout.strip() == "[b'One.', b'Two.']", done.stderr


def run_python(code: str, **environment: str) -> subprocess.CompletedProcess[str]:
    path = os.pathsep.join(str(folder) for folder in [Path(__file__).parents[2], os.environ.get("PYTHONPATH", "")] if folder)
    return subprocess.run([sys.executable, "-c", code], env={**os.environ, "PYTHONPATH": path, **environment}, capture_output=True, text=True)


# Streaming.


class Trickle(io.BytesIO):
    """A stream that returns its bytes in parts of given sizes."""

    def __init__(self, content: bytes, sizes: list[int]) -> None:
        super().__init__(content)
        self._sizes = list(sizes)

    def read1(self, size: int | None = -1) -> bytes:
        return super().read1(self._sizes.pop() if self._sizes else size)


@settings(max_examples=200, deadline=None)
@given(
    st.lists(st.text(st.sampled_from("ab \n\r|<>ä€😀\0"), max_size=12), max_size=8),
    st.lists(st.integers(1, 9), max_size=40),
)
def test_documents_do_not_depend_on_read_sizes(documents: list[str], sizes: list[int]) -> None:
    content = "<|endoftext|>".join(documents).encode()
    expected = [part.replace(b"\r\n", b"\n").strip() for part in content.split(b"<|endoftext|>")]
    assert list(formats.text_documents(Trickle(content, sizes), "x")) == expected  # type: ignore[arg-type]


@settings(max_examples=200, deadline=None)
@given(
    st.lists(st.text(st.sampled_from("ab\nä€😀"), max_size=40), max_size=4),
    st.lists(st.integers(1, 9), max_size=60),
    st.integers(4, 30),
)
def test_long_documents_are_cut_between_characters_and_nothing_is_lost(documents: list[str], sizes: list[int], limit: int) -> None:
    content = "<|endoftext|>".join(documents).encode()
    pieces = list(formats.split_stream(Trickle(content, sizes), b"<|endoftext|>", limit))  # type: ignore[arg-type]
    assert pieces == list(formats.split_stream(io.BytesIO(content), b"<|endoftext|>", limit))  # type: ignore[arg-type]
    assert all(len(piece) <= limit and content[at : at + len(piece)] == piece for at, piece, _ in pieces)
    assert b"".join(piece for _, piece, _ in pieces) == "".join(documents).encode()
    assert sum(is_whole for _, _, is_whole in pieces) == content.count(b"<|endoftext|>") + 1
    for _, piece, _ in pieces:
        piece.decode()


@settings(max_examples=100, deadline=None)
@given(st.lists(st.text(max_size=20), min_size=1, max_size=5))
def test_any_text_survives_json_and_csv(texts: list[str]) -> None:
    expected = [text.encode().replace(b"\r\n", b"\n").strip() for text in texts]
    as_list = json.dumps([{"text": text} for text in texts])
    assert list(fields.texts(rows.json_rows(stream(as_list), "x"), fields.Wanted())) == expected
    as_csv = "text,id\n" + "".join('"' + text.replace('"', '""') + '",1\n' for text in texts)
    assert list(fields.texts(rows.csv_rows(stream(as_csv), "x", fields.Wanted()), fields.Wanted())) == expected


def stream(content: str) -> io.BufferedReader:
    return io.BufferedReader(io.BytesIO(content.encode()))  # type: ignore[return-value]


def test_a_json_list_with_rows_longer_than_a_read(tmp_path: Path) -> None:
    long = "ä" * 3_000_000
    assert read(write(tmp_path / "a.json", json.dumps([{"text": "a"}, {"text": long}, {"text": "b"}]))) == [b"a", long.encode(), b"b"]


def test_importing_sources_loads_no_torch() -> None:
    done = run_python(
        "import sys, tavu.data.sources; print([name for name in ('torch', 'pyarrow', 'huggingface_hub', 'zstandard') if name in sys.modules])"
    )
    assert done.stdout.strip() == "[]", done.stderr


# Errors: each is triggered for real, and its text is checked.


def test_a_missing_file_suggests_similar_names(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    write(tmp_path / "stories.txt", "x")
    assert mistake("storis.txt") == "storis.txt: no such file or folder. Did you mean stories.txt?"
    assert mistake("tinystorys") == "tinystorys: no such file or folder. Did you mean tinystories?"
    assert "or one of tales, tinystories, tinystories-instruct" in mistake("qqqqqq")
    assert mistake("no/such.txt") == "no/such.txt: there is no folder no. Check the path."
    assert mistake("*.csv") == "*.csv matches no file. Check it with: ls *.csv"


def test_known_names_take_precedence_and_are_checked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    write(tmp_path / "tales", "mine")
    assert locate("tales", DataConfig()).num_tales == 40_000
    assert locate("tales:7", DataConfig()).num_tales == 7
    assert read("./tales") == [b"mine"]
    assert "expected a number of tales from 1 to 100,000,000 after the colon" in mistake("tales:0")
    assert "expected a number of tales from 1" in mistake("tales:many")
    assert "expected a number of tales from 1" in mistake(f"tales:{'9' * 20}")
    assert "expected a number of tales from 1" in mistake(f"tales:{'9' * 5000}")
    assert "or of plots from 1 to 88, as in tales:4-plots." in mistake("tales:0-plots")
    assert "or of plots from 1 to 88" in mistake("tales:89-plots")
    assert "or of plots from 1 to 88" in mistake("tales:-plots")
    assert "--bytes is for files of raw bytes" in mistake("tales", as_bytes=True)


def test_empty_files(tmp_path: Path) -> None:
    for name in ("a.txt", "b.jsonl", "c.csv", "noending"):
        assert mistake(write(tmp_path / name, "")).endswith(f"{name} is empty. Give a file with text, or pass --skip-bad to skip it.")
    assert "is empty" in mistake(write(tmp_path / "a.txt.gz", gzip.compress(b"")))
    assert "is empty" in mistake(write(tmp_path / "a.bin", b""), as_bytes=True)
    assert "has no documents, only white space" in mistake(write(tmp_path / "blank.txt", "\n\n<|endoftext|> \n"))
    assert "has only bad documents, and all were skipped. The first: " in mistake(f"{tmp_path}/[ac]*", skip_bad=True)
    write(tmp_path / "d.txt", "text")
    documents, report = skipping(f"{tmp_path}/[a-d]*")
    assert (documents, report.documents, report.skipped) == ([b"text"], 1, 5)


def test_a_folder_without_text(tmp_path: Path) -> None:
    assert "is a folder without files" in mistake(tmp_path)
    write(tmp_path / "a.jpg", b"\xff\xd8")
    write(tmp_path / "b.jpg", b"\xff\xd8")
    assert "is a folder without text: 2 .jpg. Expected .txt" in mistake(tmp_path)


def test_8_bit_encodings(tmp_path: Path) -> None:
    text = "Once upon a time. " * 66 + "Hyvää"
    name = write(tmp_path / "stories.txt", text.encode("latin-1"))
    assert mistake(name) == (
        f"{name}: byte 0xe4 at offset 1,191 is not UTF-8 (it looks like Latin-1). "
        f"Convert it: iconv -f latin1 -t utf-8 {name} > utf8.txt; or train on its raw bytes: tavu train --bytes"
    )
    assert "byte 0x93 at offset 0 is not UTF-8 (it looks like Windows-1252)" in mistake(
        write(tmp_path / "quotes.txt", "“Hello”, he said.".encode("cp1252"))
    )
    assert "such as Windows-1251). Convert it: iconv -f cp1251 -t utf-8" in mistake(write(tmp_path / "ru.txt", "Жила-была девочка".encode("cp1251")))
    assert "at offset 2 is not UTF-8 (a character is cut off there). Train on its raw" in mistake(write(tmp_path / "cut.txt", "ab€".encode()[:-1]))
    assert "(it does not look like text). Train on its raw" in mistake(write(tmp_path / "binary.txt", b"\x80\x81\x00\x01\x02"))


def test_the_offset_is_relative_to_the_file(tmp_path: Path) -> None:
    content = b"\xef\xbb\xbf one\r\n<|endoftext|>\r\n" + b"x" * 3_000_000 + b"<|endoftext|>bad \xe4 one<|endoftext|>last"
    path = write(tmp_path / "a.txt", content)
    assert f"byte 0xe4 at offset {content.index(0xE4):,} is" in mistake(path)
    documents, report = skipping(path)
    assert [len(document) for document in documents] == [3, 3_000_000, 4]
    assert (report.documents, report.bytes, report.skipped) == (3, 3_000_007, 1)
    assert "0xe4" in report.reasons[0]


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be"])
def test_utf_16(tmp_path: Path, encoding: str) -> None:
    path = write(tmp_path / "stories.txt", "Once upon a time".encode(encoding))
    assert (
        mistake(path)
        == f"{path} is UTF-16, expected UTF-8. Convert it: iconv -f {encoding.replace('-le', 'le').replace('-be', 'be')} -t utf-8 {path} > utf8.txt"
    )


@pytest.mark.parametrize("compression", [".gz", ".xz", ".zst"])
def test_archives_cut_off_or_damaged(tmp_path: Path, compression: str) -> None:
    text = "".join(f"{number} {number**5}<|endoftext|>" for number in range(60_000)).encode()
    whole = COMPRESS[compression](text)
    cut = write(tmp_path / f"cut.txt{compression}", whole[: len(whole) // 2])
    assert mistake(cut) == (
        f"{cut} is truncated: the archive ends before its data does. Copy or download it again, or pass --skip-bad to use what can be read."
    )
    documents, report = skipping(cut)
    assert documents == text.split(b"<|endoftext|>")[: len(documents)] and len(documents) > 10_000 and report.skipped == 1
    damaged = bytearray(whole)
    damaged[len(whole) // 2 : len(whole) // 2 + 64] = bytes(64)
    assert "is damaged, or does not match its file ending (" in mistake(write(tmp_path / f"damaged.txt{compression}", bytes(damaged)))
    assert "is damaged, or does not match its file ending (" in mistake(write(tmp_path / f"plain.txt{compression}", "Just text, renamed."))


def test_broken_json(tmp_path: Path) -> None:
    path = write(tmp_path / "a.jsonl", '{"text": "a"}\n\n{"text": "b"\n{"text": "c"}\n')
    assert mistake(path).startswith(f"{path} row 3 is not JSON (Expecting ',' delimiter")
    assert skipping(path)[0] == [b"a", b"c"]
    nested = write(tmp_path / "nested.jsonl", "[" + "[" * 200_000)
    assert "row 1 is not JSON" in mistake(nested)
    broken_list = write(tmp_path / "a.json", '[{"text": "a"}, {"text": nonsense}, {"text": "c"}]')
    assert mistake(broken_list) == f"{broken_list} row 2 is not JSON (Expecting value). Fix the file, or pass --skip-bad to use the rows before."
    assert skipping(broken_list)[0] == [b"a"]
    assert "row 2 is not JSON" in mistake(write(tmp_path / "open.json", '["a", '))
    assert "row 2 or after: byte 0xe4 is not UTF-8" in mistake(write(tmp_path / "l1.json", b'["a", ' + b" " * 2_000_000 + b'"\xe4"]'))
    assert "row 2: byte 0xe4 is not UTF-8" in mistake(write(tmp_path / "l1.jsonl", b'"a"\n"\xe4"\n'))
    assert r"row 1: \ud83d is half of a surrogate pair" in mistake(write(tmp_path / "half.jsonl", r'"\ud83d"'))


def test_fields_missing_or_not_text(tmp_path: Path) -> None:
    rows = write(tmp_path / "a.jsonl", '{"text": "a"}\n{"body": "b"}\n{"text": 3}\n{"text": null}\n[1]\n{"text": "c"}')
    assert mistake(rows).endswith("row 2 has no field 'text'; it has 'body'. Pass --text-field NAME, or --skip-bad to skip it.")
    documents, report = skipping(rows)
    assert (documents, report.skipped) == ([b"a", b"c"], 4)
    assert "row 3, field 'text' is 3, expected a string" in report.reasons[1]
    assert "row 4, field 'text' is null, expected a string" in report.reasons[2]
    assert "row 5 is not an object" in report.reasons[3]
    other = write(tmp_path / "b.jsonl", '{"title": "t", "body": "b"}')
    assert "row 1 has no field 'text' or 'story'; it has 'title', 'body'. Pass --text-field NAME" in mistake(other)
    assert read(other, text_field="body") == [b"b"]
    assert "has no field 'no'; it has 'title', 'body'" in mistake(other, text_field="no")
    assert "only bad documents, and all were skipped" in mistake(other, skip_bad=True)


def test_broken_csv(tmp_path: Path) -> None:
    path = write(tmp_path / "a.csv", b'text,id\na,1\nb\n"c"d,1\ne,1\n\xe4,1\n"never closed')
    assert "row 2 has 1 field, expected 2 as in the first row" in mistake(path)
    documents, report = skipping(path)
    assert (documents, report.skipped) == ([b"a", b"e"], 4)
    assert "row 3 is not CSV" in report.reasons[1]
    assert "row 5, field 'text': byte 0xe4 is not UTF-8" in report.reasons[2]
    assert "unexpected end of data" in report.reasons[3]
    assert "the header has no field 'text' or 'story'; it has 'name'" in mistake(write(tmp_path / "b.csv", "name\nx\n"))
    assert read(write(tmp_path / "long.csv", "text\n" + "a" * 300_000 + "\n")) == [b"a" * 300_000]


def test_broken_parquet(tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    parquet.write_table(pyarrow.table({"body": ["a", None], "number": [1, 2]}), path)
    assert "has no field 'text' or 'story'; it has 'body', 'number'" in mistake(path)
    assert "row 1, field 'number' is 1, expected a string" in mistake(path, text_field="number")
    assert "row 2, field 'body' is null" in mistake(path, text_field="body")
    assert skipping(path, text_field="body")[0] == [b"a"]
    assert "is damaged, or not a parquet file" in mistake(write(tmp_path / "cut.parquet", path.read_bytes()[:-20]))
    assert "parquet compresses itself" in mistake(write(tmp_path / "a.parquet.gz", gzip.compress(b"x")))
    bad = pyarrow.array([b"ok", b"\xe4"], pyarrow.binary())
    parquet.write_table(pyarrow.table({"text": bad.view(pyarrow.string())}), tmp_path / "bad.parquet")
    assert "row 2, field 'text': byte 0xe4 is not UTF-8" in mistake(tmp_path / "bad.parquet")


def test_records_left_over_and_options_that_exclude_each_other(tmp_path: Path) -> None:
    path = write(tmp_path / "images.bin", bytes(1000))
    assert mistake(path, as_bytes=True, record_bytes=784) == (
        f"{path} holds 1,000 bytes, expected a whole number of records of 784: 216 are left over. "
        "Change --record-bytes, or pass --skip-bad to drop them."
    )
    assert [len(document) for document in skipping(path, as_bytes=True, record_bytes=784)[0]] == [784]
    assert "Pass --bytes too" in mistake(path, record_bytes=784)
    assert "expected at least 1" in mistake(path, as_bytes=True, record_bytes=0)
    assert "exclude each other" in mistake(path, as_bytes=True, text_field="text")


def test_files_that_are_not_text(tmp_path: Path) -> None:
    assert "does not look like UTF-8 text. Give a text file" in mistake(write(tmp_path / "font.ttf", b"\x00\x01\xff\xe0\x00\x10"))
    os.mkfifo(tmp_path / "pipe.txt")
    assert "is a pipe or a device, expected a file" in mistake(tmp_path / "pipe.txt")


def test_an_unreadable_file(tmp_path: Path) -> None:
    path = write(tmp_path / "secret.txt", "text")
    path.chmod(0)
    tmp_path.chmod(0o755)
    is_root = os.geteuid() == 0  # root may read everything
    if is_root:
        for folder in takewhile(lambda folder: folder != Path(tempfile.gettempdir()), tmp_path.parents):
            folder.chmod(0o755)
        os.seteuid(65534)
    try:
        assert mistake(path) == f"{path} cannot be read: Permission denied. Change its permissions, or pass --skip-bad to skip it."
        assert "only bad documents, and all were skipped" in mistake(path, skip_bad=True)
    finally:
        if is_root:
            os.seteuid(0)


def test_no_network_and_no_library(tmp_path: Path) -> None:
    code = "from tavu.data.sources import *\ntry: locate('tinystories', DataConfig())\nexcept TavuError as fault: print(fault)"
    offline = run_python(code, HF_HUB_CACHE=str(tmp_path), HF_HUB_OFFLINE="1").stdout
    assert offline.startswith("tinystories: TinyStoriesV2-GPT4-train.txt of roneneldan/TinyStories could not be downloaded (")
    assert "Run the command again when there is a network (the download resumes), or use `tales`, which needs none." in offline
    without = run_python("import sys; sys.modules['huggingface_hub'] = None\n" + code).stdout
    assert without.strip() == 'tinystories comes from the Hugging Face hub, which needs its library. Install it: pip install "tavu[hub]"'
