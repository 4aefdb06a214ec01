"""Records: parsing, errors of malformed records, and the round trip from prompt and completion to document and back."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tavu.config import DataConfig
from tavu.data.records import (
    LABELS,
    MARK,
    Record,
    Request,
    chat_prompt,
    parse_record,
    records_of_row,
    requested_features,
    split_document,
    with_some_fields,
)
from tavu.data.sources import SourceReport, read_documents
from tavu.errors import TavuError

STORY = "Sara sat under an oak.\nWords: she knew none."
lines = (
    st.text(st.characters(exclude_categories=["Cs", "Cc", "Zl", "Zp"], exclude_characters=",،、，;"), min_size=1, max_size=12)
    .filter(str.strip)
    .map(str.strip)
)
requests = st.builds(Request, st.lists(lines, max_size=3, unique=True).map(tuple), st.lists(lines, max_size=2, unique=True).map(tuple), lines, lines)


@given(requests, st.permutations(list(LABELS)))
def test_parsing_a_prompt_gives_its_request(request, order):
    record = parse_record(f"{request.prompt(order)} \n\n{STORY}\n")
    assert record == Record(request.prompt(order), STORY, request)
    assert requested_features(record.prompt) == request.features


@given(st.text(max_size=30), st.text(max_size=30))
def test_split_document_inverts_document(prompt, completion):
    record = Record(*(text.encode(errors="ignore").decode() for text in (prompt, completion)))
    assert split_document(record.document()) == (record.prompt.encode() + MARK, record.completion.encode())
    assert split_document(record.completion.encode()) == (b"", record.completion.encode())


def test_fields_of_the_real_data_in_their_order():
    record = parse_record(
        f"Features: Dialogue, BadEnding\nRandom sentence: It is: late.\nwords:quit,  oak,gloomy\nSummary: Sara\nsits.\nStory: \n\n{STORY}"
    )
    assert record.request == Request(("quit", "oak", "gloomy"), ("Dialogue", "BadEnding"), "Sara\nsits.", "It is: late.")
    assert record.prompt.split("\n")[:2] == ["Features: Dialogue, BadEnding", "Random sentence: It is: late."] and record.completion == STORY


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("Once upon a time", r"it begins with 'Once upon a time', expected a field, as in Words: oak, quit \(`tavu instruct-data` makes records"),
        ("Words: oak", "it has no field Story:"),
        ("Story: Once.", "but no request"),
        ("Words: oak\nWords: elm\nStory: Once.", "it has the field Words: twice"),
        ("Words: oak\nStory:", "its field Story: is empty"),
        ("Words: \nStory: Once.", "its field Words: is empty"),
    ],
)
def test_errors_of_malformed_text(text, fault):
    with pytest.raises(TavuError, match=fault):
        parse_record(text)


def test_rows_of_each_kind():
    (russian,) = records_of_row({"story": STORY, "noun": "дуб", "verb": "идти", "adjective": "", "features": ["содержать диалог"]})
    assert russian.request == Request(("идти", "дуб"), ("содержать диалог",))
    (plain,) = records_of_row({"prompt": "Translate: oak ", "completion": " tammi"})
    assert plain == Record("Translate: oak", "tammi")
    chat = [("system", "Be kind."), ("user", "Hello!"), ("assistant", "Hi."), ("user", "Bye!"), ("assistant", "See you.")]
    messages = [{"role": role, "content": content} for role, content in chat]
    first, second = records_of_row({"messages": messages})
    assert (first.prompt, first.completion) == ("System: Be kind.\nUser: Hello!\nAssistant:", "Hi.")
    assert (second.prompt, second.completion) == (f"{first.prompt} Hi.\nUser: Bye!\nAssistant:", "See you.")
    assert chat_prompt(messages[:4]) == second.prompt


@pytest.mark.parametrize(
    ("row", "fault"),
    [
        (["story"], "it is not an object"),
        ({}, "it has no field, expected a story"),
        ({"title": "x", "body": "y"}, "it has 'title', 'body', expected a story"),
        ({"story": STORY}, "but no request, expected one of words, verb"),
        ({"story": "", "words": ["oak"]}, "its field 'story' is ''"),
        ({"story": None, "words": ["oak"]}, "its field 'story' is None, expected a text"),
        ({"story": STORY, "words": 5}, "its field 'words' is 5, expected a text, or a list"),
        ({"story": STORY, "words": ["oak", 5]}, "its field 'words' is"),
        ({"prompt": "x"}, "its field 'completion' is missing"),
        ({"messages": []}, r"its messages are '\[\]'"),
        ({"messages": "hello"}, "its messages are 'hello'"),
        ({"messages": [{"role": "robot", "content": "x"}]}, "its message 1 is .* expected a role"),
        ({"messages": [{"role": "user", "content": "x"}]}, "have no answer"),
        ({"messages": [{"role": "assistant", "content": " "}]}, "its message 1, an answer, is empty"),
    ],
)
def test_errors_of_malformed_rows(row, fault):
    with pytest.raises(TavuError, match=fault):
        list(records_of_row(row))


def test_dropping_fields_gives_every_subset():
    request = Request(("oak",), ("Dialogue",), "Sara sits.", "It is late.")
    seen = set()
    for n in range(300):
        record = with_some_fields(Record(request.prompt(), f"story {n}", request))
        assert record == with_some_fields(Record(request.prompt(), f"story {n}", request))
        assert record.prompt == record.request.prompt() and record.request.fields
        seen.add(record.request.fields)
    assert len(seen) == 15


def test_sources_of_records(tmp_path):
    rows = [{"story": f"{STORY} {n}", "words": ["oak"]} for n in range(100)]
    (tmp_path / "a.jsonl").write_text("\n".join([*map(json.dumps, rows), "{", '{"story": "x"}', '{"prompt": "\\ud800", "completion": "x"}']))
    (tmp_path / "b.txt").write_text("".join(f"Words: oak\nStory: {STORY} {n}\n<|endoftext|>\n" for n in range(100)) + "Words: elm\n<|endoftext|>\n")
    for name, faults in (
        ("a.jsonl", ["row 101 is not JSON", "row 102 is not a record", "row 103 is not a record"]),
        ("b.txt", ["record 101 is not a record"]),
    ):
        report = SourceReport()
        documents = list(read_documents(str(tmp_path / name), DataConfig(as_records=True, skip_bad=True), report))
        assert report.skipped == len(faults) and all(fault in reason for fault, reason in zip(faults, report.reasons, strict=True))
        assert [split_document(document)[1].decode() for document in documents] == [f"{STORY} {n}" for n in range(100)]
        plain = sum(not split_document(document)[0] for document in documents)
        assert 10 <= plain <= 32  # one in five, so that a model goes on writing by itself
        assert {split_document(document)[0] for document in documents} == {b"", b"Words: oak\nStory:" + MARK}
    with pytest.raises(TavuError, match="Records have fixed fields"):
        DataConfig(as_records=True, text_field="story")


def test_tales_are_records_too():
    documents = list(read_documents("tales:20", DataConfig(as_records=True), SourceReport()))
    plain = list(read_documents("tales:20", DataConfig(), SourceReport()))
    assert [split_document(document)[1] for document in documents] == plain
