"""A run folder: the names of its files, and how its logs are read and written, one JSON object a line.

model.safetensors     the best model so far
recipe.toml           what the run is made from
environment.json      the machine, the text and the command
metrics.jsonl         progress, milestones, notes, the end
samples.jsonl         what the model wrote at each milestone
teachers.json         the teachers of a student and their bits per byte; teachers/ has those that the run trained itself
report.html           the page, and progress.png the picture, of all that
state/                what a resume needs
.lock                 held by the process that trains in it
"""

import json
from pathlib import Path
from typing import Any

from tavu.errors import TavuError
from tavu.files import unwritable

MODEL, RECIPE, ENVIRONMENT = "model.safetensors", "recipe.toml", "environment.json"
METRICS, SAMPLES = "metrics.jsonl", "samples.jsonl"
TEACHERS, OWN_TEACHERS = "teachers.json", "teachers"
REPORT, PICTURE = "report.html", "progress.png"
STATE, STATE_FILE = "state", "training.safetensors"
LOCK = ".lock"
"""Stays in the folder: a lock file that is removed could be held by one process and made anew by the next."""


def read_lines(path: Path) -> tuple[list[dict[str, Any]], list[int]]:
    """The objects of a log, and the numbers of its damaged lines; a last line that a kill has cut is neither. Empty where there is no file.

    Lines end at LF alone: a text may hold U+2028 and its like.
    """
    objects, damaged = [], []
    *lines, tail = path.read_bytes().split(b"\n") if path.is_file() else [b""]
    for number, line in enumerate([*lines, tail], start=1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except (ValueError, RecursionError):
            row = None
        if isinstance(row, dict):
            objects.append(row)
        elif number <= len(lines):
            damaged.append(number)
    return objects, damaged


def append_line(path: Path, line: dict[str, Any]) -> None:
    """Raises TavuError where it cannot be written."""
    try:
        with path.open("a", encoding="utf-8") as file:
            file.write(to_line(line))
    except OSError as error:
        raise TavuError(unwritable(path, error)) from None


def to_line(line: dict[str, Any]) -> str:
    return json.dumps(line, ensure_ascii=False) + "\n"
