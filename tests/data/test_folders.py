"""Folders and globs: skipped files are reported, folders of tavu are never text, and loops of links end."""

from pathlib import Path

import pytest

from tavu.config import DataConfig
from tavu.data.sources import SourceReport, read_documents
from tavu.errors import TavuError


def read(source: Path | str, **options) -> tuple[list[str], list[str]]:
    """The documents of a source and its notes."""
    report = SourceReport()
    documents = list(read_documents(str(source), DataConfig(**options), report))
    return [document.decode() for document in documents], report.notes


def make(folder: Path, *names: str) -> None:
    """Make files that contain their own names."""
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(name)


RUN = ("recipe.toml", "environment.json", "samples.jsonl", "state/notes.txt")
CORPUS = ("meta.json", "train.bin", "valid.bin", "train.npy")


@pytest.mark.parametrize("source", ["book", "book/**", "book/**/*.*", "book/*", "bo*"])
def test_runs_and_corpora_below_a_source_are_never_text(tmp_path: Path, source: str) -> None:
    make(tmp_path, "book/a.txt", *(f"book/runs/one/{name}" for name in RUN), *(f"book/cache/corpora/1f/{name}" for name in CORPUS))
    documents, notes = read(tmp_path / source)
    assert documents == ["book/a.txt"]
    if source not in ("book/*",):  # this pattern does not match that deep
        assert len(notes) == 1 and "1 run folder" in notes[0] and "1 folder of the cache" in notes[0]


def test_a_run_folder_is_refused_as_text_but_a_file_in_it_may_be_named(tmp_path: Path) -> None:
    make(tmp_path, *(f"run/{name}" for name in RUN), "run/a.txt")
    for source in ("run", "run/*.txt"):
        with pytest.raises(TavuError, match=r"(is a run folder of tavu|matches only files in 1 run folder of tavu's own), expected text"):
            read(tmp_path / source)
    assert read(tmp_path / "run" / "a.txt") == (["run/a.txt"], [])


def test_a_recipe_file_alone_does_not_make_a_run_folder(tmp_path: Path) -> None:
    make(tmp_path, "recipe.toml", "a.txt")
    assert read(tmp_path)[0] == ["a.txt"]


def test_skipped_files_are_reported_and_the_advice_includes_them(tmp_path: Path) -> None:
    make(tmp_path, "p/README.md", "p/deep/1.srt", *(f"p/{n}.rst" for n in range(3)), "p/.hidden", "p/LICENSE", "q/other.txt")
    (tmp_path / "p" / "linked").symlink_to(tmp_path / "q")
    (tmp_path / "p" / "gone.txt").symlink_to(tmp_path / "nowhere")
    documents, notes = read(tmp_path / "p")
    assert documents == ["p/README.md"]
    assert notes == [
        f"skipped in {tmp_path}/p: 3 .rst, 1 without an ending, 1 .srt, 1 link to a folder, 1 link to nothing "
        f"(if they are text, name the files themselves, as in '{tmp_path}/p/**/*.rst'; name the target of a link)"
    ]
    assert read(f"{tmp_path}/p/**/*.rst")[0] == ["p/0.rst", "p/1.rst", "p/2.rst"]
    assert read(tmp_path / "p" / "linked") == (["q/other.txt"], [])
    assert len(read(tmp_path / "q")[1]) == 0
    make(tmp_path, "s/.hidden")
    (tmp_path / "s" / "link").symlink_to(tmp_path / "q")
    with pytest.raises(TavuError, match=r"without files \(skipped: 1 link to a folder\)\. Name the target of the link"):
        read(tmp_path / "s")


@pytest.mark.parametrize("source", ["loop", "loop/**", "loop/**/*.txt", "**", "loop/**/a/**/x.txt"])
def test_folders_with_link_loops_are_walked_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, source: str) -> None:
    make(tmp_path, "loop/a/x.txt")
    for name in "bcdef":
        (tmp_path / "loop" / name).symlink_to(".")
    (tmp_path / "loop" / "a" / "up").symlink_to("..")
    monkeypatch.chdir(tmp_path)
    documents, notes = read(source)
    assert documents == ["loop/a/x.txt"]
    assert "6 links to folders" in notes[0]


def test_names_that_begin_with_a_tilde_or_are_not_utf8(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    make(tmp_path, "~$notes.txt", "d/b.txt")
    Path(b"d/caf\xe9.txt".decode(errors="surrogateescape")).write_text("named in Latin-1")
    assert read("~$notes.txt") == (["~$notes.txt"], [])
    assert read("d")[0] == ["d/b.txt", "named in Latin-1"]
    assert read("d/caf*")[0] == ["named in Latin-1"]
    with pytest.raises(TavuError, match=r"~nosuch/x: there is no folder ~nosuch\. Check the path"):
        read("~nosuch/x")
