"""Corpora: documents in equal documents out, each in one split, cached by content, never half built."""

import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tavu.config import DataConfig
from tavu.data import corpus as corpus_module
from tavu.data import split
from tavu.data.corpus import Corpus, build_corpus
from tavu.data.documents import DocumentFile
from tavu.data.kept import default_cache_dir, temporary_folder
from tavu.data.records import split_document
from tavu.errors import TavuError
from tavu.vocabulary import END

ROOT = Path(__file__).parents[2]


def stories(count: int, seed: int = 0) -> list[str]:
    words = ["dragon", "lake", "moon", "bread", "king", "river", "small", "brave", "sang", "slept", "ran", "kärpänen"]
    draw = random.Random(seed)
    return [f"Story {number}. " + " ".join(draw.choices(words, k=draw.randint(3, 60))) + "." for number in range(count)]


def write(path: Path, documents: list[str]) -> str:
    path.write_text("\n<|endoftext|>\n".join(documents), encoding="utf-8")
    return str(path)


def build(folder: Path, *sources: str, valid: tuple[str, ...] = (), valid_percent: float = 5.0, **options) -> Corpus:
    return build_corpus(DataConfig(sources, valid, **options), cache_dir=folder / "cache", valid_percent=valid_percent)


def texts(documents: DocumentFile) -> list[str]:
    return [bytes(documents.document(index)).decode() for index in range(documents.num_documents)]


def python(code: str, *arguments: str) -> subprocess.Popen[str]:
    path = os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])
    return subprocess.Popen(
        [sys.executable, "-c", code, *arguments],
        env={**os.environ, "PYTHONPATH": path},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


BUILD = """
import os, sys, resource, signal
from pathlib import Path
from tavu.config import DataConfig
from tavu.data.corpus import build_corpus
from tavu.errors import TavuError
def build(progress=None, **options):
    return build_corpus(DataConfig((sys.argv[1],), **options), cache_dir=Path(sys.argv[2]), progress=progress)
"""

# Documents in equal documents out.


def test_documents_in_equal_documents_out(tmp_path: Path) -> None:
    told = stories(400)
    corpus = build(tmp_path, write(tmp_path / "a.txt", told))
    train, valid = texts(corpus.train), texts(corpus.valid)
    assert sorted(train + valid) == sorted(told)
    assert train == [story for story in told if story in set(train)]  # in their order
    assert 5 <= len(valid) <= 45
    num_bytes = sum(len(story.encode()) for story in told)
    assert corpus.train.num_bytes + corpus.valid.num_bytes == corpus.report.bytes == num_bytes
    assert (corpus.report.documents, corpus.report.duplicates, corpus.report.skipped) == (400, 0, 0)


@settings(max_examples=40, deadline=None)
@given(st.lists(st.binary(min_size=1, max_size=30), min_size=2, max_size=12, unique=True), st.data())
def test_ids_are_the_bytes_with_ends_around_them(tmp_path_factory, contents: list[bytes], data: st.DataObject) -> None:
    folder = tmp_path_factory.mktemp("ids")
    (folder / "files").mkdir()
    for number, content in enumerate(contents):
        (folder / "files" / f"{number:03}").write_bytes(content)
    corpus = build(folder, str(folder / "files"), as_bytes=True)
    for documents in (corpus.train, corpus.valid):
        held = [bytes(documents.document(index)) for index in range(documents.num_documents)]
        expected = [an_id for content in held for an_id in (END, *content)] + [END]
        assert documents.num_ids == len(expected)
        start = data.draw(st.integers(0, len(expected)))
        length = data.draw(st.integers(0, len(expected) - start))
        assert documents.ids(start, length).tolist() == expected[start : start + length]
        assert documents.ids(0, len(expected)).dtype == np.int64
    assert sorted(contents) == sorted(
        bytes(documents.document(index)) for documents in (corpus.train, corpus.valid) for index in range(documents.num_documents)
    )


def test_duplicates_are_dropped_and_counted(tmp_path: Path) -> None:
    told = stories(100)
    corpus = build(tmp_path, write(tmp_path / "a.txt", told + told[:30]), write(tmp_path / "b.txt", told[:3]))
    assert sorted(texts(corpus.train) + texts(corpus.valid)) == sorted(told)
    assert (corpus.report.documents, corpus.report.duplicates) == (100, 33)


def test_valid_sources(tmp_path: Path) -> None:
    told = stories(100)
    train, valid = write(tmp_path / "train.txt", told[:90]), write(tmp_path / "valid.txt", told[80:] + told[80:82])
    corpus = build(tmp_path, train, valid=(valid,))
    assert texts(corpus.train) == told[:80]
    assert texts(corpus.valid) == told[80:]
    assert (corpus.report.documents, corpus.report.in_valid, corpus.report.duplicates) == (100, 10, 2)
    with pytest.raises(TavuError, match="Every document of .*train.txt is also in valid, which leaves nothing to train on"):
        build(tmp_path, train, valid=(train,))


def test_skipped_documents_are_counted_and_reported(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_bytes("<|endoftext|>".join(stories(50)).encode() + b"<|endoftext|>\xe4\xe4")
    with pytest.raises(TavuError, match="is not UTF-8"):
        build(tmp_path, str(path))
    corpus = build(tmp_path, str(path), skip_bad=True)
    assert (corpus.report.documents, corpus.report.skipped) == (50, 1)
    assert corpus.report.notes[-1].startswith("skipped: ") and "is not UTF-8" in corpus.report.notes[-1]


def test_a_field_of_plain_text_is_told_to_have_no_effect(tmp_path: Path) -> None:
    told = stories(50)
    note = "--text-field body has no effect here: it names a field of .jsonl, .csv or .parquet rows, and plain text has none"
    assert note in build(tmp_path, write(tmp_path / "a.txt", told), text_field="body").report.notes
    (tmp_path / "b.jsonl").write_text("\n".join(json.dumps({"body": story}) for story in stories(50, 1)), encoding="utf-8")
    assert note not in build(tmp_path, str(tmp_path / "a.txt"), str(tmp_path / "b.jsonl"), text_field="body").report.notes


def test_tales(tmp_path: Path) -> None:
    corpus = build(tmp_path, "tales:200")
    assert corpus.report.documents + corpus.report.duplicates == 200
    assert build(tmp_path, "tales:200").folder == corpus.folder


def test_tales_of_few_plots_have_a_note_and_their_own_corpus(tmp_path: Path) -> None:
    corpus = build(tmp_path, "tales:1-plots")
    for again in (corpus, build(tmp_path, "tales:1-plots")):  # also where it is found again
        assert again.report.notes[0].startswith("1 of the 88 plots of tales, with few names")
    assert corpus.digest != build(tmp_path, "tales:1000").digest


def test_progress_ends_at_the_total(tmp_path: Path) -> None:
    path = write(tmp_path / "a.txt", stories(20_000))
    seen: list[tuple[int, int | None]] = []
    build_corpus(DataConfig((path,)), cache_dir=tmp_path / "cache", progress=lambda done, total: seen.append((done, total)))
    size = os.path.getsize(path)
    assert seen[-1] == (size, size) and len(seen) > 2 and seen == sorted(seen)


# Train and valid.


def test_adding_documents_never_moves_others(tmp_path: Path) -> None:
    told = stories(3000)
    parts = [build(tmp_path, write(tmp_path / f"{count}.txt", told[-count:])) for count in (300, 1000, 3000)]
    for smaller, larger in zip(parts, parts[1:], strict=False):
        assert set(texts(smaller.train)) <= set(texts(larger.train))
        assert set(texts(smaller.valid)) <= set(texts(larger.valid))


def test_valid_has_a_size_limit_and_train_never_becomes_valid(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(split, "MAX_VALID_BYTES", 5000)
    told = stories(2000)
    few, many = (build(tmp_path, write(tmp_path / f"{count}.txt", told[:count])) for count in (500, 2000))
    assert 3000 < few.valid.num_bytes <= 5000 and 3000 < many.valid.num_bytes <= 5000
    assert not set(texts(few.train)) & set(texts(many.valid))


def test_all_prompts_of_one_story_are_in_the_same_split(tmp_path: Path) -> None:
    told = stories(200)
    rows = [json.dumps({"story": story, "words": [word]}) for word in ("dragon", "lake", "moon") for story in told]
    (tmp_path / "records.jsonl").write_text("\n".join(rows), encoding="utf-8")
    corpus = build(tmp_path, str(tmp_path / "records.jsonl"), as_records=True)
    parts = [[part.document(i).tobytes() for i in range(part.num_documents)] for part in (corpus.train, corpus.valid)]
    train, valid = ({split_document(document)[1] for document in part} for part in parts)
    assert train and valid and not train & valid and len(train | valid) == 200
    (tmp_path / "valid.jsonl").write_text("\n".join(json.dumps({"story": story, "words": ["king"]}) for story in told[:50]), encoding="utf-8")
    corpus = build(tmp_path, str(tmp_path / "records.jsonl"), valid=(str(tmp_path / "valid.jsonl"),), as_records=True)
    train = [split_document(corpus.train.document(i).tobytes())[1].decode() for i in range(corpus.train.num_documents)]
    assert corpus.report.in_valid > 100 and not set(train) & set(told[:50])


@pytest.mark.parametrize("count", range(2, 12))
def test_neither_split_is_empty(tmp_path: Path, count: int) -> None:
    for seed in range(5):
        corpus = build(tmp_path, write(tmp_path / "few.txt", stories(count, seed)), valid_percent=1 + 12 * seed)
        assert corpus.train.num_documents >= 1 and corpus.valid.num_documents >= 1
        assert corpus.train.num_documents + corpus.valid.num_documents == count


def test_a_single_document_is_cut_at_a_line(tmp_path: Path) -> None:
    lines = [f"Line {number} of the only story there is." for number in range(1000)]
    corpus = build(tmp_path, write(tmp_path / "one.txt", ["\n".join(lines)]))
    assert texts(corpus.train)[0].split("\n") + texts(corpus.valid)[0].split("\n") == lines
    assert 0.04 < corpus.valid.num_bytes / corpus.train.num_bytes < 0.11
    assert corpus.report.notes[0] == (
        f"valid is the end of the only document, {corpus.valid.num_bytes:,} bytes: there are too few documents to hold out whole ones"
    )
    one_line = build(tmp_path, write(tmp_path / "line.txt", ["ä" * 1001]))
    assert texts(one_line.train) + texts(one_line.valid) == ["ä" * (1001 - one_line.valid.num_bytes // 2), "ä" * (one_line.valid.num_bytes // 2)]
    tiny = build(tmp_path, write(tmp_path / "tiny.txt", ["ab"]))
    assert (texts(tiny.train), texts(tiny.valid)) == (["a"], ["b"])
    with pytest.raises(TavuError, match="holds one byte of text, too little"):
        build(tmp_path, write(tmp_path / "a.txt", ["a"]))


def test_few_long_documents_are_cut_for_valid(tmp_path: Path) -> None:
    novels = [f"Novel {number}.\n" + "\n".join(stories(300, number)) for number in range(3)]
    corpus = build(tmp_path, write(tmp_path / "novels.txt", novels))
    assert (corpus.train.num_documents, corpus.valid.num_documents) == (3, 1)
    assert 0.04 < corpus.valid.num_bytes / corpus.report.bytes < 0.11
    assert "valid is the end of the longest of 3 documents" in corpus.report.notes[0]


def test_valid_percent_is_checked(tmp_path: Path) -> None:
    with pytest.raises(TavuError, match="valid_percent is 0, expected more than 0 and at most 50"):
        build(tmp_path, "tales", valid_percent=0)


# The cache.


def test_a_corpus_is_cached_by_content(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write(tmp_path / "a.txt", stories(100))
    first = build(tmp_path, path)
    monkeypatch.setattr(corpus_module, "read_sources", None)  # whatever is built from here on fails
    assert build(tmp_path, path).folder == first.folder
    os.rename(path, tmp_path / "renamed.txt")
    again = build(tmp_path, str(tmp_path / "renamed.txt"))
    assert again.folder == first.folder and again.report == first.report and texts(again.train) == texts(first.train)
    monkeypatch.undo()
    others = [
        build(tmp_path, write(tmp_path / "b.txt", stories(101))),
        build(tmp_path, str(tmp_path / "renamed.txt"), valid_percent=10),
        build(tmp_path, str(tmp_path / "renamed.txt"), as_bytes=True),
        build(tmp_path, str(tmp_path / "b.txt"), valid=(write(tmp_path / "c.txt", stories(10, seed=1)),)),
    ]
    assert len({corpus.folder for corpus in (first, *others)}) == 5


def flip(path: Path, at: int) -> None:
    content = bytearray(path.read_bytes())
    content[at] ^= 4
    path.write_bytes(content)


def as_folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


FILE_DAMAGES: dict[str, Callable[[Path], object]] = {
    "gone": Path.unlink,
    "empty": lambda path: path.write_bytes(b""),
    "cut": lambda path: path.write_bytes(path.read_bytes()[:-20]),
    "longer": lambda path: path.write_bytes(path.read_bytes() + b"x"),
    "zeros": lambda path: path.write_bytes(bytes(path.stat().st_size)),
    "first bit": lambda path: flip(path, 0),
    "bit in the header": lambda path: flip(path, 23),
    "last bit": lambda path: flip(path, -1),
    "folder": as_folder,
}
META_DAMAGES: dict[str, Callable[[dict], object]] = {
    "a list": lambda meta: [meta],
    "null": lambda meta: None,
    "nothing in it": lambda meta: {},
    "no files": lambda meta: {key: value for key, value in meta.items() if key != "files"},
    "files of another kind": lambda meta: meta | {"files": 3},
    "another count": lambda meta: meta | {"report": meta["report"] | {"documents": 41}},
    "another id": lambda meta: meta | {"used_ids": [*meta["used_ids"], 300]},
    "no digest": lambda meta: {key: value for key, value in meta.items() if key != "digest"},
}


def test_a_damaged_cached_corpus_is_rebuilt_with_a_note(tmp_path: Path) -> None:
    path = write(tmp_path / "a.txt", stories(40))
    first = build(tmp_path, path)
    expected, meta = (texts(first.train), texts(first.valid)), json.loads((first.folder / "meta.json").read_text())

    def damaged(way: str) -> None:
        anew = build(tmp_path, path)
        assert (texts(anew.train), texts(anew.valid)) == expected and anew.digest == first.digest, way
        assert anew.report.notes[0] == f"the cached copy of this text in {tmp_path / 'cache'} was damaged, so it was rebuilt", way
        assert build(tmp_path, path).report == first.report and len(list((tmp_path / "cache").iterdir())) == 1, way

    for file in sorted(first.folder.iterdir()):
        for way, damage in FILE_DAMAGES.items():
            damage(first.folder / file.name)
            damaged(f"{file.name}: {way}")
    for way, change in META_DAMAGES.items():
        (first.folder / "meta.json").write_text(json.dumps(change(meta)))
        damaged(f"meta.json: {way}")
    (first.folder / "meta.json").write_text("[" * 100_000)
    damaged("meta.json: nested too deep")
    shutil.rmtree(first.folder)
    first.folder.write_text("a file")
    damaged("a file in the place of the folder")


def test_the_digest_of_a_corpus_is_that_of_its_documents(tmp_path: Path) -> None:
    told = stories(60)
    rows = "\n".join(json.dumps({"body": story}) for story in told)
    (tmp_path / "b.jsonl").write_text(rows, encoding="utf-8")
    as_text, as_rows = build(tmp_path, write(tmp_path / "a.txt", told)), build(tmp_path, str(tmp_path / "b.jsonl"), text_field="body")
    assert as_text.folder != as_rows.folder and as_text.digest == as_rows.digest
    others = [build(tmp_path, write(tmp_path / "c.txt", change)) for change in (told[:-1], told[::-1], [*told[:-1], told[-1] + "!"])]
    assert len({corpus.digest for corpus in (as_text, *others)}) == 4


@given(st.lists(st.binary(min_size=1, max_size=9), min_size=2, max_size=6, unique=True))
def test_used_ids_are_the_ids_in_train(tmp_path_factory, contents: list[bytes]) -> None:
    folder = tmp_path_factory.mktemp("used")
    (folder / "files").mkdir()
    for number, content in enumerate(contents):
        (folder / "files" / f"{number:03}").write_bytes(content)
    corpus = build(folder, str(folder / "files"), as_bytes=True)
    assert corpus.used_ids == set(corpus.train.ids(0, corpus.train.num_ids).tolist())
    assert build(folder, str(folder / "files"), as_bytes=True).used_ids == corpus.used_ids


def test_cached_corpora_are_readable_only_by_their_owner(tmp_path: Path) -> None:
    corpus = build(tmp_path, write(tmp_path / "a.txt", stories(20)))
    assert corpus.folder.stat().st_mode & 0o077 == 0


def test_a_kill_while_building_leaves_no_readable_corpus(tmp_path: Path) -> None:
    told = stories(20_000)
    path = write(tmp_path / "a.txt", told)
    killed = python(BUILD + "build(lambda done, total: done > 2e6 and os.kill(os.getpid(), signal.SIGKILL))", path, str(tmp_path / "cache"))
    killed.communicate()
    assert killed.returncode == -signal.SIGKILL
    leftover = next((tmp_path / "cache").iterdir())
    corpus = build(tmp_path, path)
    assert sorted(texts(corpus.train) + texts(corpus.valid)) == sorted(told)
    assert leftover.exists()  # so new that somebody may be about to lock it
    with temporary_folder(tmp_path / "cache", "slow") as slow:
        for folder in (leftover, slow):
            for file in (*folder.iterdir(), folder):
                os.utime(file, (time.time() - 60, time.time() - 60))
        build(tmp_path, write(tmp_path / "b.txt", told[:50]))
        assert not leftover.exists() and slow.exists()  # somebody is at work there


def test_an_error_or_interrupt_leaves_no_temporary_files(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_bytes(b"fine<|endoftext|>\xff")
    with pytest.raises(TavuError):
        build(tmp_path, str(path))
    code = "try:\n build(lambda done, total: os.kill(os.getpid(), signal.SIGINT))\nexcept KeyboardInterrupt: print('interrupted')"
    interrupted = python(BUILD + code, write(tmp_path / "b.txt", stories(20_000)), str(tmp_path / "cache"))
    assert interrupted.communicate()[0] == "interrupted\n"
    assert list((tmp_path / "cache").iterdir()) == []


def test_two_processes_building_at_once(tmp_path: Path) -> None:
    told = stories(5000)
    path = write(tmp_path / "a.txt", told)
    both = [python(BUILD + "corpus = build(); print(corpus.report.documents, corpus.folder)", path, str(tmp_path / "cache")) for _ in range(2)]
    results = [process.communicate() for process in both]
    assert results[0] == results[1] and results[0][0].startswith("5000 "), results
    assert len(list((tmp_path / "cache").iterdir())) == 1
    assert sorted(texts(build(tmp_path, path).train) + texts(build(tmp_path, path).valid)) == sorted(told)


def test_a_full_disk_is_one_error_and_leaves_no_temporary_files(tmp_path: Path) -> None:
    # A file size limit simulates a full disk: a real write fails half way.
    code = (
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN); resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 20,) * 2)\n"
        "try: build()\nexcept TavuError as fault: print(fault)"
    )
    process = python(BUILD + code, write(tmp_path / "a.txt", stories(20_000)), str(tmp_path / "cache"))
    out, errors = process.communicate()
    assert out.startswith(f"The corpus could not be written to {tmp_path / 'cache'}: File too large. Building it takes"), errors
    assert "free some space there, or set TAVU_CACHE to another folder." in out
    assert list((tmp_path / "cache").iterdir()) == []


def test_a_cache_folder_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "cache").write_text("a file")
    with pytest.raises(TavuError, match="could not be written to .*cache: File exists"):
        build(tmp_path, write(tmp_path / "a.txt", stories(10)))


def test_a_file_that_changes_while_being_read(tmp_path: Path) -> None:
    path = Path(write(tmp_path / "a.txt", stories(20_000)))

    def append(done: int, total: int | None) -> None:
        with path.open("a") as file:
            file.write("more")

    with pytest.raises(TavuError, match="a.txt changed while being read. Run the command again."):
        build_corpus(DataConfig((str(path),)), cache_dir=tmp_path / "cache", progress=append)
    assert list((tmp_path / "cache").iterdir()) == []


def test_default_cache_dir(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/aino")
    monkeypatch.delenv("TAVU_CACHE", raising=False)
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    assert default_cache_dir() == Path("/home/aino/.cache/tavu")
    monkeypatch.setenv("XDG_CACHE_HOME", "/var/aino")
    assert default_cache_dir() == Path("/var/aino/tavu")
    monkeypatch.setenv("TAVU_CACHE", "/disk/tavu")
    assert default_cache_dir() == Path("/disk/tavu")


# Larger than memory.

GROWTH = """
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
corpus = build()
print(corpus.report.documents, corpus.report.bytes, (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) * 1024)
"""


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["stories", "one document", "one line"])
def test_a_large_file_is_built_in_little_memory(tmp_path: Path, kind: str) -> None:
    num_bytes = 200_000_000
    ends = {"stories": "<|endoftext|>", "one document": "\n", "one line": " "}
    filler = "The little train went up the hill and down the hill, and nobody was late. " * 9
    with (tmp_path / "large.txt").open("w") as file:
        written = 0
        while written < num_bytes:
            written += file.write("".join(f"{written + number} {filler}{ends[kind]}" for number in range(1000)))
    process = python(BUILD + GROWTH, str(tmp_path / "large.txt"), str(tmp_path / "cache"))
    out, errors = process.communicate()
    assert process.returncode == 0, errors
    documents, held, growth = (int(number) for number in out.split())
    assert 0.97 * num_bytes < held <= written
    assert documents > 250_000 if kind == "stories" else documents < 20
    assert growth < (100e6 if kind == "stories" else 120e6), f"{growth:,} bytes"
    (tmp_path / "large.txt").unlink()
