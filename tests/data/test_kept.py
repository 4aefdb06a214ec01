"""A large corpus is found and opened again without reading its sources or itself, and only while both are as they were."""

import os
import time
from pathlib import Path

import pytest

from tavu.config import DataConfig
from tavu.data import corpus as corpus_module
from tavu.data import kept
from tavu.data.corpus import Corpus, build_corpus

TOLD = "<|endoftext|>".join(f"Story {n} of a dragon and a lake." for n in range(300))


@pytest.fixture(autouse=True)
def small_files_count_as_large(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kept, "LARGE_BYTES", 0)
    monkeypatch.setattr(kept, "_TICK_SECONDS", 0.0)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "a.txt"
    path.write_text(TOLD)
    time.sleep(0.05)  # longer than a tick of the clock of any system that runs this test
    return path


def build(path: Path, **options) -> Corpus:
    return build_corpus(DataConfig((str(path),), **options), cache_dir=path.parent / "cache")


def read_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (kept, corpus_module):
        monkeypatch.setattr(module, "file_digest", None)
    monkeypatch.setattr(corpus_module, "read_sources", None)


def test_the_second_start_reads_neither_the_sources_nor_the_corpus(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = build(path)
    read_nothing(monkeypatch)
    again = build(path)
    assert (again.folder, again.digest, again.report, again.used_ids) == (first.folder, first.digest, first.report, first.used_ids)


def test_a_folder_with_valid_sources_is_found_too(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (path.parent / "texts").mkdir()
    for n in range(3):
        (path.parent / "texts" / f"{n}.txt").write_text(f"Another story, number {n}.")
    time.sleep(0.05)
    data = DataConfig((str(path),), (str(path.parent / "texts"),))
    first = build_corpus(data, cache_dir=path.parent / "cache")
    reverse = build_corpus(DataConfig(data.valid, data.sources), cache_dir=path.parent / "cache")
    read_nothing(monkeypatch)
    assert build_corpus(data, cache_dir=path.parent / "cache").folder == first.folder != reverse.folder


def test_other_options_are_another_corpus(path: Path) -> None:
    assert build(path).folder != build(path, skip_bad=True).folder


def test_a_source_that_changes_is_read_again_even_with_its_old_size_and_time(path: Path) -> None:
    first, times = build(path), path.stat()
    path.write_text(TOLD.replace("dragon", "kitten"))
    os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))
    changed = build(path)
    assert changed.folder != first.folder and b"kitten" in bytes(changed.train.document(0))


def test_a_source_that_moves_is_read_once_more_and_then_remembered(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = build(path)
    moved = path.rename(path.with_name("moved.txt"))
    time.sleep(0.05)
    assert build(moved).folder == first.folder
    read_nothing(monkeypatch)
    assert build(moved).folder == first.folder


def test_a_source_that_was_changed_just_now_is_not_relied_on(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kept, "_TICK_SECONDS", 3600.0)  # the clock of the file system ticks once an hour
    first = build(path)
    monkeypatch.setattr(corpus_module, "read_sources", None)
    assert build(path).folder == first.folder  # found by its content
    monkeypatch.setattr(corpus_module, "file_digest", None)
    with pytest.raises(TypeError):
        build(path)


@pytest.mark.parametrize("name", ["train.bin", "train.npy", "valid.bin", "valid.npy", "meta.json", "last_seen.json"])
def test_a_corpus_that_was_changed_is_verified(path: Path, name: str) -> None:
    first = build(path)
    told, held = bytes(first.train.document(0)), (first.folder / name).read_bytes()
    (first.folder / name).write_bytes(held[:-1] + bytes([held[-1] ^ 1]))
    again = build(path)
    notes = [] if name == "last_seen.json" else [f"the cached copy of this text in {path.parent / 'cache'} was damaged, so it was rebuilt"]
    assert [note for note in again.report.notes if "damaged" in note] == notes
    assert bytes(again.train.document(0)) == told and again.digest == first.digest


@pytest.mark.parametrize("content", ["", "[]", "3", "{", '{"sources": 3, "files": []}', "[" * 100_000])
def test_any_last_seen_file_is_survived(path: Path, content: str) -> None:
    first = build(path)
    (first.folder / "last_seen.json").write_text(content)
    assert build(path).folder == first.folder


def test_small_corpora_are_verified_at_every_start(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kept, "LARGE_BYTES", 1 << 26)
    assert not (build(path).folder / "last_seen.json").exists()
    read_nothing(monkeypatch)
    with pytest.raises(TypeError):
        build(path)
