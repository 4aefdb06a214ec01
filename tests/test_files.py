"""File writes are atomic, whatever goes wrong, and leave no temporary files."""

import errno
import multiprocessing
import os
from pathlib import Path

import pytest

from tavu.errors import TavuError
from tavu.files import replace_file, unwritable


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_a_file_is_made_and_replaced(tmp_path):
    path = tmp_path / "a.txt"
    for content in (b"", b"first", b"second\x00" * 1000):
        replace_file(path, content)
        assert path.read_bytes() == content
    assert names(tmp_path) == ["a.txt"]


def test_a_write_that_fails_halfway_leaves_the_old_file_and_no_temporary_files(tmp_path, files_of_at_most):
    path = tmp_path / "a.txt"
    replace_file(path, b"old")
    with files_of_at_most(1000), pytest.raises(TavuError, match=r"a\.txt could not be written: File too large\."):
        replace_file(path, b"new" * 1000)
    assert path.read_bytes() == b"old" and names(tmp_path) == ["a.txt"]


def test_errors_of_unwritable_places(tmp_path):
    (tmp_path / "file").write_text("")
    for path in (tmp_path / "missing" / "a.txt", tmp_path / "file" / "a.txt", Path("/proc/a.txt"), tmp_path / ("x" * 300)):
        with pytest.raises(TavuError, match=r"could not be written: .*\. Choose another place"):
            replace_file(path, b"new")
    with pytest.raises(TavuError):
        replace_file(tmp_path, b"a folder stands here")
    assert names(tmp_path) == ["file"]


def test_the_error_of_a_full_disk():
    sentence = unwritable(Path("a.txt"), OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)))
    assert sentence.startswith("a.txt could not be written: the disk is full.")


def _replace_for_ever(path: Path) -> None:
    while True:
        for letter in b"ab":
            replace_file(path, bytes([letter]) * 100_000)


def test_a_reader_and_a_kill_see_a_whole_file(tmp_path):
    path = tmp_path / "a.txt"
    replace_file(path, b"a" * 100_000)
    process = multiprocessing.get_context("spawn").Process(target=_replace_for_ever, args=(path,))
    process.start()
    seen = {path.read_bytes() for _ in range(2000)}
    while len(seen) < 2:
        seen.add(path.read_bytes())
    process.kill()
    process.join()
    assert seen | {path.read_bytes()} == {b"a" * 100_000, b"b" * 100_000}
