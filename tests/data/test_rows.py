"""Rows: JSON across lines, CSV of any dialect, parquet; nothing is skipped silently, and memory is bounded."""

import json
import random
from pathlib import Path

import pyarrow
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pyarrow import parquet

from tavu.config import DataConfig
from tavu.data import rows
from tavu.data.sources import SourceReport, read_documents
from tavu.errors import TavuError


def read(path: Path, **options) -> list[str]:
    return [document.decode() for document in read_documents(str(path), DataConfig(**options), SourceReport())]


def mistake(path: Path, **options) -> str:
    with pytest.raises(TavuError) as raised:
        read(path, **options)
    return str(raised.value)


def write(path: Path, content: str | bytes) -> Path:
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


row = st.text(st.sampled_from('ab"[]{},\\ä\n'), min_size=1, max_size=8).filter(str.strip)


@given(st.lists(st.lists(row, max_size=4) | row.map(lambda text: {"text": text}), min_size=1, max_size=5), st.sampled_from([None, 0, 2]))
def test_json_values_one_after_another_are_all_read(tmp_path_factory, values, indent) -> None:
    values = [["first"], *values]  # lines of objects alone are read line by line
    path = write(tmp_path_factory.mktemp("json") / "a.json", "\n".join(json.dumps(value, indent=indent) for value in values))
    texts = [text for value in values for text in (value if isinstance(value, list) else [value["text"]])]
    assert read(path) == [text.strip() for text in texts]


def test_objects_over_several_lines_are_read(tmp_path: Path) -> None:
    objects = [{"text": f"story {n}"} for n in range(3)]
    path = write(tmp_path / "a.jsonl", "\n".join(json.dumps(value, indent=1) for value in objects))
    assert read(path) == ["story 0", "story 1", "story 2"]


@pytest.mark.parametrize("rubbish", ['{"text": "cut off', "nonsense", "]", ",", '{"text": "b"}, {"text": "c"}'])
def test_garbage_after_a_json_list_is_an_error_and_the_rows_before_can_be_used(tmp_path: Path, rubbish: str) -> None:
    path = write(tmp_path / "a.json", f'[{{"text": "a"}}]\n{rubbish}')
    assert "Fix the file, or pass --skip-bad to use the rows before." in mistake(path)
    assert read(path, skip_bad=True)[0] == "a"


@pytest.mark.parametrize(
    ("header", "options"), [("text,text", {}), ("id,a,a", {"text_field": "a"}), ("prompt,completion,prompt", {"as_records": True})]
)
def test_a_csv_header_with_a_wanted_column_twice_is_refused(tmp_path: Path, header: str, options: dict) -> None:
    path = write(tmp_path / "a.csv", f"{header}\n" + ",".join("xyz"[: header.count(",") + 1]) + "\n")
    twice = header.rsplit(",", maxsplit=1)[-1]
    assert mistake(path, **options) == f"{path}: the header has the column '{twice}' twice, expected each name once. Rename one of them."
    assert read(write(tmp_path / "b.csv", "text,id,id\nOnce,1,2\n")) == ["Once"]  # the one that is read is there once


CSV = {
    "tabs": "id\ttext\n1\tOnce, twice.\n",
    "bars": "id|text\n1|Once, twice.\n",
    "semicolons": "id;text\n1;Once, twice.\n",
    "sep line": 'sep=;\r\nid;text\r\n1;"Once, twice."\r\n',
    "sep of another kind": "SEP=^\nid^text\n1^Once, twice.\n",
    "mark and sep": '\ufeffsep=,\nid,text\n1,"Once, twice."\n',
    "commas in a quoted header": 'text;"a, b, c, d"\nOnce, twice.;1\n',
    "line ends of the first Macintoshes": 'id,text\r1,"Once, twice."\r',
    "empty lines before the header": '\n\nid,text\n1,"Once, twice."\n',
}


@pytest.mark.parametrize("dialect", CSV)
@pytest.mark.parametrize("ending", [".csv", ".tsv"])
def test_csv_of_any_dialect(tmp_path: Path, dialect: str, ending: str) -> None:
    assert read(write(tmp_path / f"a{ending}", CSV[dialect])) == ["Once, twice."]


def test_a_tsv_is_split_at_tabs_whatever_its_header(tmp_path: Path) -> None:
    assert read(write(tmp_path / "a.tsv", "a, b, or c\ttext\n1\tOnce.\n")) == ["Once."]


def test_lines_that_end_in_cr_alone(tmp_path: Path) -> None:
    assert read(write(tmp_path / "a.jsonl", b'{"text":"a"}\r{"text":"b"}\r')) == ["a", "b"]
    assert read(write(tmp_path / "a.txt", b"a\rb\r"), split="lines") == ["a", "b"]


def test_csv_without_a_header_is_read_by_column_number(tmp_path: Path) -> None:
    path = write(tmp_path / "a.csv", "1,Once upon a time there was a cat.\n2,Two dogs ran.\n")
    assert mistake(path) == f"{path} has no header: its first row is '1', 'Once upon a time there was a cat.'. Pass --text-field 2 to read column 2."
    assert read(path, text_field="2") == ["Once upon a time there was a cat.", "Two dogs ran."]
    assert read(path, text_field="1,2")[1] == "2\n\nTwo dogs ran."
    assert "the header has no field '3'" in mistake(path, text_field="3") or "has no header" in mistake(path, text_field="3")
    named = write(tmp_path / "b.csv", "title,2\nOnce,second\n")
    assert read(named, text_field="2") == ["second"]  # a name that is a number is a name
    headed = write(tmp_path / "c.csv", "title,body\nOnce,second\n")
    assert "the header has no field 'text' or 'story'; it has 'title', 'body'. Pass --text-field NAME" in mistake(headed)


@pytest.mark.parametrize("row", ["Tale 1,Once there was a cat.", '1,"Once there was a cat."', "cat,There once lived a very small cat"])
def test_a_header_is_not_a_document_when_columns_are_chosen_by_number(tmp_path: Path, row: str) -> None:
    text = row.split(",")[1].strip('"')
    assert read(write(tmp_path / "a.csv", f"id,body\n{row}\n"), text_field="2") == [text]
    assert len(read(write(tmp_path / "b.csv", f"{row}\n{row}\n"), text_field="2")) == 2
    for first in ("cat,kissa\ndog,koira\n", "cat,A small animal\ndog,What is kept to watch over a house\n", "cat,kissa\n"):
        assert len(read(write(tmp_path / "c.csv", first), text_field="2")) == first.count("\n")  # which may well be no header
    assert "is not CSV" in mistake(write(tmp_path / "d.csv", 'id,body\n1,"a"b\n'), text_field="2")


def test_fields_are_joined_in_the_given_order(tmp_path: Path) -> None:
    objects = [{"title": "T", "body": "B", "title,body": None}, {"body": "b", "title": None}]
    path = write(tmp_path / "a.jsonl", "\n".join(map(json.dumps, [objects[0] | {"title,body": "both"}])))
    assert read(path, text_field="title,body") == ["both"]  # a name that holds a comma is a name
    path = write(tmp_path / "b.jsonl", "\n".join(json.dumps({key: value for key, value in row.items() if "," not in key}) for row in objects))
    assert read(path, text_field="title, body") == ["T\n\nB", "b"]
    assert read(write(tmp_path / "c.csv", "body,title\nB,T\n"), text_field="title,body") == ["T\n\nB"]
    parquet.write_table(pyarrow.table({"body": ["B"], "title": ["T"]}), tmp_path / "d.parquet")
    assert read(tmp_path / "d.parquet", text_field="title,body") == ["T\n\nB"]
    assert "has no field 'title,no'" in mistake(tmp_path / "d.parquet", text_field="title,no")


def test_an_unclosed_quotation_mark_is_an_error_soon(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rows, "MAX_ROW_LINES", 1000)
    path = write(tmp_path / "a.csv", 'id,text\n1,fine\n2,"' + "\n" * 5000)
    assert "has a row of more than 1,000 lines: a quotation mark was never closed" in mistake(path)
    assert read(path, skip_bad=True) == ["fine"]


RECORDS = {
    "messages": {"messages": [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Hello."}]},
    "content in parts": {
        "messages": [{"role": role, "content": [{"type": "text", "text": text}]} for role, text in (("user", "Hi"), ("assistant", "Hello."))]
    },
    "ShareGPT": {"conversations": [{"from": "human", "value": "Hi"}, {"from": "gpt", "value": "Hello."}]},
    "Alpaca": {"instruction": "Hi", "input": "", "output": "Hello."},
    "Dolly": {"instruction": "Hi", "context": "", "response": "Hello.", "category": "chat"},
}


@pytest.mark.parametrize("kind", RECORDS)
def test_conversations_of_each_format_are_records(tmp_path: Path, kind: str) -> None:
    lines, listed = write(tmp_path / "a.jsonl", json.dumps(RECORDS[kind])), write(tmp_path / "a.json", json.dumps([RECORDS[kind]], indent=2))
    parquet.write_table(pyarrow.Table.from_pylist([RECORDS[kind]]), tmp_path / "a.parquet")
    for path in (lines, listed, tmp_path / "a.parquet"):
        report = SourceReport()
        assert list(read_documents(str(path), DataConfig(as_records=True), report)) == [b"User: Hi\nAssistant:\xff\nHello."]
        said = mistake(path)
        assert "is a record (" in said and said.endswith("`tavu train` and `tavu evaluate` read records with --records.")


def test_a_table_of_records_is_read_as_records(tmp_path: Path) -> None:
    table = write(tmp_path / "a.csv", "instruction,input,output\nTranslate.,oak,tammi\n")
    (document,) = read_documents(str(table), DataConfig(as_records=True), SourceReport())
    assert document == b"User: Translate.\n\noak\nAssistant:\xff\ntammi"


def test_parquet_with_repeated_texts_takes_little_memory(tmp_path: Path) -> None:
    repeated = pyarrow.DictionaryArray.from_arrays(pyarrow.array([0] * 1000, pyarrow.int32()), pyarrow.array(["a" * 1_000_000]))
    parquet.write_table(pyarrow.table({"text": repeated}), tmp_path / "a.parquet", compression="brotli")
    assert (tmp_path / "a.parquet").stat().st_size < 1000
    said = mistake(tmp_path / "a.parquet", max_unpacked_mb=20)
    assert "is small and unpacks to more than 20 MB, over 100 times its size" in said and "--set data.max_unpacked_mb=80" in said
    first, second, *_ = rows.parquet_rows(tmp_path / "a.parquet", "a", rows.fields.Wanted(), 10**9)
    assert first[1]["text"] is second[1]["text"]  # stored once, held once


def test_errors_of_damaged_parquet_files(tmp_path: Path) -> None:
    wholes = []
    for options in ({}, {"use_dictionary": False, "compression": "zstd"}, {"compression": "gzip", "data_page_version": "2.0"}):
        parquet.write_table(
            pyarrow.table({"id": list(range(20)), "text": [f"story {n} " * n for n in range(1, 21)]}), tmp_path / "a.parquet", **options
        )
        wholes.append((tmp_path / "a.parquet").read_bytes())
    draw = random.Random(0)
    for _ in range(300):
        damaged = bytearray(draw.choice(wholes))
        for _ in range(draw.choice([1, 1, 2, 8])):
            damaged[draw.randrange(len(damaged))] = draw.randrange(256)
        path = write(tmp_path / "b.parquet", bytes(damaged))
        try:
            read(path, skip_bad=draw.random() < 0.5)
        except TavuError as fault:
            assert len(str(fault)) < 1000
