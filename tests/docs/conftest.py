"""What the pages of the documentation take for given: the files that their commands find."""

import csv
import itertools
import json
import random
import shutil
from collections.abc import Callable, Iterable
from pathlib import Path

import pytest

from tavu.data.tales import tell_many

NUM = 40
NAMES = "Tom", "Ann", "Lily", "Ben", "Mia", "Sue"


def _tales(num: int, seed: int) -> list[str]:
    return [tale.text for tale in itertools.islice(tell_many(seed), num)]


def _finnish(num: int, seed: int) -> str:
    """Little stories that share some words."""
    dice = random.Random(seed)
    animals, places = ("kettu", "karhu", "jänis", "siili", "orava", "hiiri", "susi"), ("metsään", "järvelle", "pellolle", "kylään", "mäelle")
    stories = []
    for _ in range(num):
        one, other = dice.sample(animals, 2)
        stories.append(f"Olipa kerran {one}. Eräänä päivänä {one} lähti {dice.choice(places)}. Siellä istui {other}, joka sanoi: ”Hyvää päivää!”")
    return "\n<|endoftext|>\n".join(stories)


def _records(rows: list[dict]) -> str:
    return "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)


def _joined(texts: Iterable[str]) -> str:
    return "\n<|endoftext|>\n".join(texts)


def _turns(i: int) -> list[dict]:
    return [{"role": "user", "content": f"Say {i}."}, {"role": "assistant", "content": f"{i}."}]


TALES = _tales(NUM, 5)
TEXTS = {
    "valid.txt": _joined([*_tales(12, 7), *(f"{name} had a dog. The dog ran. {name} was sad." for name in NAMES)]),
    "suomi.txt": _finnish(120, 1),
    "suomi-valid.txt": _finnish(12, 2),
    "novel.txt": "\n".join(f"CHAPTER {i}\n\n{tale}\n" for i, tale in enumerate(TALES)),
    "chat.log": "\n".join(f"Ann: {tale.splitlines()[0]}" for tale in TALES),
    "notes.jsonl": _records([{"note": tale} for tale in TALES]),
    "qa.jsonl": _records([{"prompt": f"How much is {i} and 1?", "completion": f"It is {i + 1}."} for i in range(NUM)]),
    "chats.jsonl": _records([{"messages": _turns(i)} for i in range(NUM)]),
    "own.jsonl": _records([{"story": tale, "summary": tale.split(".")[0], "features": ["Twist"]} for tale in TALES]),
}


@pytest.fixture(scope="session")
def give(stories: Path, run_folder: Path) -> Callable[[str, Path], None]:
    """give("stories.txt", folder) puts the file or folder of that name there."""

    def make(name: str, folder: Path) -> None:
        path = folder / name
        if name in TEXTS:
            path.write_text(TEXTS[name], encoding="utf-8")
        elif name == "stories.txt":
            shutil.copy(stories, path)
        elif name == "runs/stories":
            shutil.copytree(run_folder, path)
        elif name == "letters.csv":
            with path.open("w", encoding="utf-8", newline="") as file:
                csv.writer(file).writerows([("subject", "body"), *((f"Letter {i}", tale) for i, tale in enumerate(TALES))])
        elif name == "images.bin":
            path.write_bytes(random.Random(0).randbytes(12 * 784))
        else:
            assert name == "corpus/", f"nobody knows what {name} is"
            path.mkdir()
            for i, tale in enumerate(TALES):
                (path / f"{i}.md").write_text(tale, encoding="utf-8")

    return make
