"""report.html: complete in itself, safe whatever the model wrote, and sensible at any moment of a run."""

import json
import os
import re
import time
from html.parser import HTMLParser

import pytest

from tavu.errors import TavuError
from tavu.reports.report import SILENT_SECONDS, report_page, write_report
from tavu.reports.run_folder import read_run

VOID = {"meta", "input"}


class Page(HTMLParser):
    """Elements and attributes of a page, checked to be closed in the order in which they were opened."""

    def __init__(self, text):
        super().__init__()
        self.elements, self.open = [], []
        self.feed(text)
        self.close()
        assert not self.open

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def values(self, name):
        return [attributes[name] for _, attributes in self.elements if name in attributes]


def page_of(folder, now=None):
    return report_page(read_run(folder), now=time.time() if now is None else now)


def add_sample(folder, **changed):
    sample = {"step": 9999, "seconds": 1801, "bytes_seen": 5, "val_bpb": 1.0, "prompt": "Hi", "text": "there", "stopped": "end"}
    with (folder / "samples.jsonl").open("a") as file:
        file.write(json.dumps({**sample, **changed}) + "\n")


def test_a_finished_run_tells_its_result(finished):
    text = page_of(finished)
    page = Page(text)
    assert "1.020 ± 0.011" in text
    assert "the model now needs 4.5 times fewer bits than at first" in text
    assert "guessing every byte blindly costs 8.0" in text
    assert "tavu train stories.txt --minutes 30 --out runs/stories --set train.seed=7" in text
    assert 'http-equiv="refresh"' not in text
    assert [tag for tag, _ in page.elements].count("svg") == 2
    assert len(page.values("id")) == len(set(page.values("id")))
    assert {link[1:] for link in page.values("href")} <= set(page.values("id"))
    for told in ("3,412,480", "31,204 documents", "1.48 GB", "bf16", "Xeon", "global_dim", "levels.1.num_layers", "65,536"):
        assert told in text, told


def test_a_half_finished_run_says_so_and_reloads(half):
    text = page_of(half)
    Page(text)
    assert "Training…" in text
    assert '<meta http-equiv="refresh" content="20">' in text


def test_a_run_that_went_silent_is_not_called_training(half):
    text = page_of(half, now=time.time() + SILENT_SECONDS + 60)
    assert "Stopped before its end: nothing was measured since" in text
    assert 'http-equiv="refresh"' not in text


def test_one_validation_and_no_samples_yet(tmp_path, write_run):
    folder = write_run(tmp_path / "early", num_milestones=1, is_done=False)
    (folder / "samples.jsonl").unlink()
    text = page_of(folder)
    Page(text)
    assert "After 2.5 s of training the model needs 4.55 bits to tell each byte" in text
    assert "The first text appears with the first milestone." in text


@pytest.mark.parametrize("changed", [{}, {"train_bpb": float("nan")}, {"seconds": 0, "bytes_seen": 0}])
def test_training_alone_without_a_validation(tmp_path, changed):
    row = {"event": "train", "step": 1, "seconds": 0.2, "bytes_seen": 512, "train_bpb": 7.9, "learning_rate": 0.1, "bytes_per_second": None}
    (tmp_path / "metrics.jsonl").write_text(json.dumps({**row, **changed}) + "\n")
    write_report(tmp_path)
    assert "is still to come" in (tmp_path / "report.html").read_text(encoding="utf-8")


def test_a_diverged_run_is_told(finished):
    lines = (finished / "metrics.jsonl").read_text().splitlines()
    lines[-1] = json.dumps({**json.loads(lines[-1]), "val_bpb": float("nan")})
    (finished / "metrics.jsonl").write_text("\n".join(lines))
    text = page_of(finished)
    assert "not a number" in text
    assert "the training diverged" in text


def test_what_the_model_wrote_is_shown_not_run(finished):
    add_sample(finished, prompt='<img src="//evil.example/x">', text="</p><script>alert(1)</script>\x00\x1b[31m\ud800\r'\" $name ${style} &amp;")
    text = page_of(finished)
    page = Page(text)
    assert not {"script", "img", "iframe", "object", "link"} & {tag for tag, _ in page.elements}
    assert "&lt;/p&gt;&lt;script&gt;alert(1)&lt;/script&gt;␀␛[31m\ufffd␍&#39;&#34; $name ${style} &amp;amp;" in text
    assert not re.search("[\x00-\x08\x0b-\x1f\x7f-\x9f]", text)


def test_names_notes_and_facts_are_escaped_too(tmp_path, write_run):
    folder = write_run(tmp_path / "<b>&run")
    environment = json.loads((folder / "environment.json").read_text())
    environment |= {"command": "tavu <u>", "processor": "<u>", "num_parameters": "<u>", "probe": [{"setting": "<u>", "bytes_per_second": 1}]}
    (folder / "environment.json").write_text(json.dumps(environment))
    (folder / "recipe.toml").write_text('["<u>"]\n"<u>" = "<u>"')
    with (folder / "metrics.jsonl").open("a") as file:
        file.write('{"event": "note", "step": 1, "seconds": 1, "text": "<u>"}\n')
    tags = {tag for tag, _ in Page(page_of(folder)).elements}
    assert "u" not in tags
    assert "&lt;b&gt;&amp;run" in page_of(folder)


def test_the_page_needs_nothing_but_itself(finished):
    text = page_of(finished)
    page = Page(text)
    assert {name for _, attributes in page.elements for name in attributes} & {"src", "srcset", "action", "data", "poster"} == set()
    assert all(link.startswith("#") for link in page.values("href"))
    assert not re.search(r"url\((?!#)|@import|https?://|\bon\w+=", text)
    assert "default-src 'none'" in text


def test_both_files_are_written_whole_or_not_at_all(finished, monkeypatch):
    write_report(finished)
    before = {path.name: path.read_bytes() for path in finished.iterdir()}
    assert {"progress.png", "report.html"} <= before.keys()
    assert not [name for name in before if name.endswith(".tmp")]

    def full(source, target):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", full)
    with pytest.raises(TavuError, match=r"progress\.png could not be written: the disk is full\. Free some space"):
        write_report(finished)
    assert {path.name: path.read_bytes() for path in finished.iterdir()} == before


def test_making_the_report_again_changes_nothing(finished):
    write_report(finished)
    before = (finished / "report.html").read_bytes(), (finished / "progress.png").read_bytes()
    write_report(finished)
    assert before == ((finished / "report.html").read_bytes(), (finished / "progress.png").read_bytes())
