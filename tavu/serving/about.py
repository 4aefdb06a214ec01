"""The facts about the served model that the studio shows."""

from pathlib import Path
from typing import Any

from tavu.evaluation.obedience import SEED_STRIDE, TRIES
from tavu.generation.writing import Writer
from tavu.reports.model_facts import model_facts
from tavu.run_folder import MODEL, REPORT
from tavu.serving.examples import examples
from tavu.stored_model import StoredModel


def report_of(stored: StoredModel) -> Path | None:
    """The training report in the run folder of a model, if there is one."""
    path = stored.file.with_name(REPORT)
    return path if stored.file.name == MODEL and path.is_file() else None


def about(stored: StoredModel, writer: Writer) -> dict[str, Any]:
    """The facts as the page expects them."""
    return model_facts(stored) | examples(stored, writer) | {"tries": TRIES, "seeds_apart": SEED_STRIDE}
