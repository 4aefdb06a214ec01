"""Reading in parts and by several processes: the same corpus and the same errors, nothing run twice, nothing left behind."""

import gzip
import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pyarrow
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pyarrow import parquet

from tavu.config import DataConfig
from tavu.data import processes, ranges
from tavu.data.corpus import Corpus, build_corpus
from tavu.data.parts import SourceReport, read_parts
from tavu.data.sources import read_documents
from tavu.errors import TavuError

ROOT = Path(__file__).parents[2]
WORDS = ["dragon", "lake", "moon", "bread", "king", "river", "small", "brave", "sang", "kärpänen", "Жила", "😀"]


def stories(count: int, seed: int = 0) -> list[str]:
    draw = random.Random(seed)
    told = [f"Story {n}.\n" + " ".join(draw.choices(WORDS, k=draw.randint(3, 60))) + "." for n in range(count - 20)]
    return told + told[:20]


def record(story: str) -> str:
    return f"Words: {story.rsplit(maxsplit=1)[-1].strip('.')}\nStory: {story}"


def text(folder: Path) -> dict:
    (folder / "a.txt").write_text("<|endoftext|>".join(stories(300)), encoding="utf-8")
    return {}


def text_with_a_mark_and_crlf(folder: Path) -> dict:
    (folder / "a.txt").write_bytes(b"\xef\xbb\xbf" + "\n<|endoftext|>\n".join(stories(300)).replace("\n", "\r\n").encode())
    return {}


def classic_mac(folder: Path) -> dict:
    (folder / "a.txt").write_bytes("<|endoftext|>".join(stories(300)).replace("\n", "\r").encode())
    return {}


def lines(folder: Path) -> dict:
    (folder / "a.txt").write_text("<|endoftext|>\n".join(["\n".join(stories(50, seed)) for seed in range(5)]), encoding="utf-8")
    return {"split": "lines"}


def bad_bytes(folder: Path) -> dict:
    told = [story.encode() for story in stories(300)]
    for n in (20, 40, 150, 151, 200, 290, 299):
        told[n] = b"bad \xe4 story"
    (folder / "a.txt").write_bytes(b"<|endoftext|>".join(told))
    return {"skip_bad": True}


def json_lines(folder: Path) -> dict:
    rows = [{"story": told} if n < 3 else {"text": "no", "story": told} for n, told in enumerate(stories(300))]  # the first row chooses
    (folder / "a.jsonl").write_text("\n\n".join(map(json.dumps, rows)), encoding="utf-8")
    return {}


def bad_json(folder: Path) -> dict:
    rows = [json.dumps({"text": told}) for told in stories(300)]
    for n in (100, 101, 180, 181, 182, 183, 250):
        rows[n] = rows[n][:-1]
    (folder / "a.jsonl").write_text("\n".join(rows), encoding="utf-8")
    return {"skip_bad": True}


def records(folder: Path) -> dict:
    told = [record(story) if n % 70 else story for n, story in enumerate(stories(300))]
    (folder / "a.txt").write_text("\n<|endoftext|>\n\n<|endoftext|>".join(told), encoding="utf-8")
    return {"as_records": True, "skip_bad": True}


def json_records(folder: Path) -> dict:
    rows = [{"story": told, "words": [told.split()[1]]} for told in stories(300)]
    (folder / "a.jsonl").write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    (folder / "b.json").write_text(json.dumps(rows, indent=1), encoding="utf-8")
    return {"as_records": True}


def tables(folder: Path) -> dict:
    parquet.write_table(pyarrow.table({"text": stories(300)}), folder / "a.parquet", row_group_size=20)
    (folder / "b.csv").write_text("text\n" + "".join(f'"{story}"\n' for story in stories(300, 1)), encoding="utf-8")
    (folder / "c.json").write_text(json.dumps([{"text": story} for story in stories(300, 2)], indent=1), encoding="utf-8")
    return {}


def raw_bytes(folder: Path) -> dict:
    (folder / "a.bin").write_bytes(random.Random(0).randbytes(50_003))
    return {"as_bytes": True, "record_bytes": 16, "skip_bad": True}


def many_files(folder: Path) -> dict:
    for n, story in enumerate(stories(200)):
        (folder / f"{n:03}.txt").write_text(story, encoding="utf-8")
    (folder / "010.txt").write_text("")
    (folder / "020.txt").write_text("<html>tags</html>")
    (folder / "111.txt.gz").write_bytes(gzip.compress("<|endoftext|>".join(stories(50, 3)).encode()))
    (folder / "112.txt.gz").write_bytes(gzip.compress("<|endoftext|>".join(stories(900, 4)).encode())[:-40])
    return {"skip_bad": True}


KINDS: list[Callable[[Path], dict]] = [
    text,
    text_with_a_mark_and_crlf,
    classic_mac,
    lines,
    bad_bytes,
    json_lines,
    bad_json,
    records,
    json_records,
    tables,
    raw_bytes,
    many_files,
]


def in_small_parts(monkeypatch: pytest.MonkeyPatch, num_bytes: int = 3000, *, number: int = 1) -> None:
    monkeypatch.setattr(ranges, "PART_BYTES", num_bytes)
    monkeypatch.setattr(ranges, "PART_TALES", 30)
    monkeypatch.setattr(processes, "num_processes", lambda: number)


def contents(corpus: Corpus) -> dict[str, bytes]:
    return {file.name: file.read_bytes() for file in corpus.folder.iterdir()}


@pytest.mark.parametrize("kind", KINDS)
def test_the_corpus_is_the_same_whatever_the_parts_and_processes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind) -> None:
    (tmp_path / "text").mkdir()
    data = DataConfig((str(tmp_path / "text"), "tales:100") if kind is text else (str(tmp_path / "text"),), **kind(tmp_path / "text"))
    as_one = build_corpus(data, cache_dir=tmp_path / "one")
    for number in (1, 3):
        in_small_parts(monkeypatch, number=number)
        seen: list[tuple[int, int | None]] = []
        in_parts = build_corpus(data, cache_dir=tmp_path / str(number), progress=lambda done, total, seen=seen: seen.append((done, total)))
        assert contents(in_parts) == contents(as_one) and in_parts.report == as_one.report
        assert seen == sorted(seen) and (kind is text or seen[-1][0] == seen[-1][1])


def test_what_is_read_in_parts_is_in_several(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    in_small_parts(monkeypatch)
    for kind in (text, lines, bad_json, records, raw_bytes):  # otherwise the law above says nothing
        folder = tmp_path / kind.__name__
        folder.mkdir()
        options = kind(folder)
        (file,) = folder.iterdir()
        parts = ranges.parts_of_file(file, DataConfig((str(file),), **options))
        assert len(parts) > 4 and sum(part.num_bytes for part in parts) == file.stat().st_size
    tables(folder)
    assert len(ranges.parts_of_file(folder / "a.parquet", DataConfig())) > 4
    assert len(ranges.parts_of_file(folder / "b.csv", DataConfig())) == len(ranges.parts_of_file(folder / "c.json", DataConfig())) == 1


@pytest.mark.parametrize("kind", [bad_bytes, bad_json, records, raw_bytes, many_files])
def test_the_first_error_in_order_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind) -> None:
    (tmp_path / "text").mkdir()
    data = DataConfig((str(tmp_path / "text"),), **(kind(tmp_path / "text") | {"skip_bad": False}))
    told = []
    for number in (0, 1, 3):
        if number:
            in_small_parts(monkeypatch, number=number)
        with pytest.raises(TavuError) as raised:
            build_corpus(data, cache_dir=tmp_path / "cache")
        told.append(str(raised.value))
    assert told[0] == told[1] == told[2]
    assert list((tmp_path / "cache").iterdir()) == []


def test_a_file_that_cannot_be_read_on_ends_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    told = [json.dumps({"text": story}) for story in stories(300)]
    told[150] = json.dumps({"text": "x" * 20_000})  # a line that is too long ends the file
    (tmp_path / "a.jsonl").write_text("\n".join(told))
    monkeypatch.setattr("tavu.data.rows.MAX_ROW_BYTES", 10_000)
    data = DataConfig((str(tmp_path / "a.jsonl"),), skip_bad=True)
    as_one = build_corpus(data, cache_dir=tmp_path / "one")
    in_small_parts(monkeypatch)
    assert contents(build_corpus(data, cache_dir=tmp_path / "parts")) == contents(as_one)
    assert as_one.report.documents + as_one.report.duplicates <= 150


def test_the_limit_for_what_a_file_unpacks_to_counts_all_its_parts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    answers = [{"role": role, "content": "x" * 50} for _ in range(150) for role in ("user", "assistant")]
    rows = [json.dumps({"messages": [*answers, {"role": "user", "content": str(n)}, answers[1]]}) for n in range(20)]
    (tmp_path / "a.jsonl").write_text("\n".join(rows))  # each answer repeats all messages before it
    monkeypatch.setattr("tavu.data.parts.HONEST_RATIO", 1)
    data = DataConfig((str(tmp_path / "a.jsonl"),), as_records=True, skip_bad=True, max_unpacked_mb=10)
    as_one = build_corpus(data, cache_dir=tmp_path / "one")
    assert "unpacks to more than 10 MB" in as_one.report.notes[-1]
    in_small_parts(monkeypatch, 40_000)
    assert contents(build_corpus(data, cache_dir=tmp_path / "parts")) == contents(as_one)


@settings(max_examples=100, deadline=None)
@given(
    st.lists(st.text(st.sampled_from("ab \n\r|<>ä😀"), max_size=30), min_size=1, max_size=30),
    st.integers(1, 60),
    st.sampled_from([None, "lines", "blank", "a"]),
)
def test_any_text_is_the_same_in_parts(tmp_path_factory, documents: list[str], part_bytes: int, split: str | None) -> None:
    path = tmp_path_factory.mktemp("parts") / "a.txt"
    path.write_bytes(b"<|endoftext|>".join(document.encode() for document in documents))
    data = DataConfig((str(path),), split=split)

    def read(documents) -> tuple[list[bytes], str]:
        try:
            return list(documents), ""
        except TavuError as error:
            return [], str(error)

    whole = read(read_documents(str(path), data, SourceReport()))
    with pytest.MonkeyPatch.context() as monkeypatch:
        in_small_parts(monkeypatch, part_bytes)
        in_parts = read(read_parts(ranges.parts_of_file(path, data), data, SourceReport()))
    assert in_parts[0] == whole[0] or whole[1]


@pytest.mark.parametrize("split", [None, "lines", "blank"])
def test_documents_that_are_too_long_are_cut_at_the_same_places(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, split: str | None) -> None:
    line = "The little train went up the hill, ja kärpänen lensi perässä. " * 40
    long = "".join(f"{n} {line}\n" + "\n" * (n % 3) for n in range(8_000))
    path = tmp_path / "a.txt"
    path.write_text("first<|endoftext|>second<|endoftext|>" + long + "ä" * 10_000_000 + "\nend\n<|endoftext|>" + long[:18_000_000], encoding="utf-8")
    data = DataConfig((str(path),), split=split)
    whole = [(len(document), hash(document)) for document in read_documents(str(path), data, SourceReport())]
    in_small_parts(monkeypatch, 1 << 20)
    parts = ranges.parts_of_file(path, data)
    assert [(len(document), hash(document)) for document in read_parts(parts, data, SourceReport())] == whole
    assert len(parts) >= (2 if split == "blank" else 4)


# The processes.

BUILD = """
import os, signal, sys
from pathlib import Path
from tavu.config import DataConfig
from tavu.data import processes, ranges
from tavu.data.corpus import build_corpus
print("begins", flush=True)
ranges.PART_BYTES = 1 << 20
processes.num_processes = lambda: 2
def children():
    return [int(pid) for task in Path("/proc/self/task").iterdir() for pid in (task / "children").read_text().split()]
def build(progress=None):
    return build_corpus(DataConfig((sys.argv[1],)), cache_dir=Path(sys.argv[2]), progress=progress)
def when_reading(act):
    def progress(done, total):
        if children() and done > 3e6 and not acted:
            acted.append(True)
            print(*children(), flush=True)
            act()
    acted = []
    return progress
"""
needs_proc = pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="children are counted in /proc")


@pytest.fixture
def large_text(tmp_path: Path) -> Path:
    path = tmp_path / "large.txt"
    path.write_text("<|endoftext|>".join(stories(60_000)), encoding="utf-8")
    return path


def python(*arguments: str | Path, stdin: str | None = None) -> subprocess.CompletedProcess[str]:
    path = os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])
    environment = {**os.environ, "PYTHONPATH": path}
    return subprocess.run([sys.executable, *map(str, arguments)], env=environment, input=stdin, capture_output=True, text=True, timeout=120)


def are_gone(pids: list[int]) -> bool:
    deadline = time.monotonic() + 20
    while any(Path(f"/proc/{pid}").exists() for pid in pids) and time.monotonic() < deadline:
        time.sleep(0.05)
    return not any(Path(f"/proc/{pid}").exists() for pid in pids)


@needs_proc
@pytest.mark.parametrize("way", ["a script", "-c", "standard input"])
def test_a_script_without_a_guard_is_run_once(tmp_path: Path, large_text: Path, way: str) -> None:
    code = BUILD + "corpus = build(when_reading(lambda: None))\nprint(corpus.report.documents)"
    (tmp_path / "script.py").write_text(code)
    (tmp_path / "json.py").write_text("raise SystemExit('the json of the folder of work was imported')")  # where the script is not
    os.mkdir(tmp_path / "scripts")
    (tmp_path / "scripts" / "script.py").write_text(code)
    where = {"a script": [tmp_path / "scripts" / "script.py"], "-c": ["-P", "-c", code], "standard input": ["-P", "-"]}[way]
    done = python(*where, large_text, tmp_path / "cache", stdin=code if way == "standard input" else None)
    begins, pids, documents = done.stdout.splitlines()
    assert (begins, documents, done.stderr) == ("begins", "59980", ""), done
    assert len(pids.split()) == 2 and are_gone([int(pid) for pid in pids.split()])


@needs_proc
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_no_process_outlives_the_one_that_started_it(tmp_path: Path, large_text: Path, number: signal.Signals) -> None:
    code = BUILD + f"try:\n build(when_reading(lambda: os.kill(os.getpid(), {int(number)})))\nexcept KeyboardInterrupt: print('interrupted')"
    done = python("-c", code, large_text, tmp_path / "cache")
    _, pids, *rest = done.stdout.splitlines()
    assert len(pids.split()) == 2 and are_gone([int(pid) for pid in pids.split()])
    assert done.stderr == "" and rest == (["interrupted"] if number == signal.SIGINT else [])
    if number == signal.SIGINT:
        assert list((tmp_path / "cache").iterdir()) == []


@needs_proc
@pytest.mark.parametrize("act", ["os.kill(children()[0], 9)", "[os.kill(child, 9) for child in children()]"])
def test_what_a_process_leaves_undone_when_it_dies_is_done_here(tmp_path: Path, large_text: Path, act: str) -> None:
    done = python("-c", BUILD + f"print(build(when_reading(lambda: {act})).digest)", large_text, tmp_path / "cache")
    assert done.stdout.splitlines()[-1] == build_corpus(DataConfig((str(large_text),)), cache_dir=tmp_path / "one").digest, done.stderr


@pytest.mark.parametrize("executable", ["/no/such/python", "/bin/false", ""])
def test_where_no_process_can_be_started_this_one_reads(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, executable: str) -> None:
    text(tmp_path)
    data = DataConfig((str(tmp_path / "a.txt"),))
    as_one = build_corpus(data, cache_dir=tmp_path / "one")
    in_small_parts(monkeypatch, number=2)
    monkeypatch.setattr(sys, "executable", executable)
    assert contents(build_corpus(data, cache_dir=tmp_path / "two")) == contents(as_one)


def test_a_full_disk_is_one_sentence_from_a_process_too(tmp_path: Path, large_text: Path) -> None:
    limit = "import resource; resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 19,) * 2)\nfrom tavu.errors import TavuError\n"
    done = python("-c", BUILD + limit + "try: build()\nexcept TavuError as error: print(error)", large_text, tmp_path / "cache")
    assert f"could not be written to {tmp_path / 'cache'}: File too large. Building it takes" in done.stdout, done.stderr
    assert list((tmp_path / "cache").iterdir()) == []


def test_a_process_loads_no_torch() -> None:
    done = python("-c", "import sys, tavu.data.processes; print([name for name in ('torch', 'pyarrow', 'rich') if name in sys.modules])")
    assert done.stdout.strip() == "[]", done.stderr
