"""What happens before a student trains: its teachers read the corpus, and are measured on the validation text.

What they are and how good goes into teachers.json of the run folder. A resume finds the soft targets by that file, so it needs no teacher again.
"""

import json
from collections.abc import Generator
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from tavu.config import Recipe
from tavu.data.corpus import Corpus
from tavu.distillation.ensemble import measure
from tavu.distillation.model_teacher import open_teacher
from tavu.distillation.targets import Progress, SoftTargets, find_targets, make_targets, targets_name
from tavu.distillation.teacher import Teacher
from tavu.errors import TavuError
from tavu.files import replace_file
from tavu.run_folder import TEACHERS
from tavu.training.events import Taught, TeacherReads
from tavu.training.machine import pick_device
from tavu.training.milestones import final_documents


@dataclass(frozen=True)
class TeacherFacts:
    """What a run folder knows of one of its teachers."""

    name: str
    digest: str
    val_bpb: float


def teach(
    recipe: Recipe, corpus: Corpus, folder: Path, *, resume: bool, cache_dir: Path, progress: Progress
) -> Generator[TeacherReads | Taught, None, SoftTargets]:
    """Make the soft targets of a run, or find them again, and return them. `progress` is called while a teacher reads.

    Raises TavuError when a teacher is missing, has changed since the run started, or learned another kind of data, and as make_targets does.
    """
    distill = recipe.distill
    assert distill is not None, "a run without teachers"
    known = read_teachers(folder)[0] if resume else []

    def find(digest: str) -> np.ndarray | None:
        return find_targets(cache_dir, targets_name(digest, corpus.digest, distill.top_k), corpus.train, distill.top_k)

    found = [rows for facts in known if (rows := find(facts.digest)) is not None]
    if known and len(found) == len(known):
        return SoftTargets(found, corpus.train)
    device = pick_device(recipe.train.device)
    try:
        teachers = [open_teacher(name, as_bytes=recipe.data.as_bytes, as_records=recipe.data.as_records, device=device) for name in distill.teachers]
    except TavuError as error:
        if not known:
            raise
        gone = f"The soft targets of this run are no longer in {cache_dir}, so that its teachers have to read the text again."
        raise TavuError(f"{gone} {error}") from None
    for name, teacher, facts in zip(distill.teachers, teachers, known, strict=bool(known)):
        if teacher.digest != facts.digest:
            raise TavuError(f"The teacher {name} has changed since this run started. Put back the model that it was, or start a new run.")
    found = []
    for number, teacher in enumerate(teachers, start=1):
        if (rows := find(teacher.digest)) is None:
            yield TeacherReads(teacher.name, number, len(teachers))
            rows = make_targets(teacher, corpus.train, corpus.digest, distill.top_k, cache_dir, progress)
        found.append(rows)
    if not known:
        yield _measured(teachers, recipe, corpus, folder)
    return SoftTargets(found, corpus.train)


def _measured(teachers: list[Teacher], recipe: Recipe, corpus: Corpus, folder: Path) -> Taught:
    """Measure the teachers on the text on which their student is measured at the end, and write teachers.json."""
    documents = [document.tobytes() for document in final_documents(recipe, corpus)]
    each, mean = measure(teachers, documents, as_records=recipe.data.as_records)
    facts = [TeacherFacts(teacher.name, teacher.digest, result.bits_per_byte) for teacher, result in zip(teachers, each, strict=True)]
    content = {"teachers": [asdict(teacher) for teacher in facts], "ensemble_bpb": mean.bits_per_byte}
    replace_file(folder / TEACHERS, json.dumps(content, indent=1, ensure_ascii=False).encode(errors="backslashreplace"))
    return Taught(tuple(teacher.name for teacher in teachers), tuple(result.bits_per_byte for result in each), mean.bits_per_byte)


def read_teachers(folder: Path) -> tuple[list[TeacherFacts], float]:
    """The teachers of a run, and the bits per byte of the mean of their distributions. Raises TavuError when the file is missing or damaged."""
    path = folder / TEACHERS
    try:
        content = json.loads(path.read_bytes())
        return [TeacherFacts(**facts) for facts in content["teachers"]], float(content["ensemble_bpb"])
    except (OSError, ValueError, TypeError, KeyError):
        raise TavuError(f"{path} is missing or damaged, so the run cannot find its teachers. Restore it from a copy, or start a new run.") from None
