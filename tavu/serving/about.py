"""The facts about the served model that the studio shows."""

from pathlib import Path
from typing import Any

from tavu.config import INSIST, SamplingConfig
from tavu.evaluation.obedience import SEED_STRIDE, TRIES
from tavu.generation.writing import Writer
from tavu.run_folder import MODEL, REPORT
from tavu.serving.examples import examples
from tavu.stored_model import StoredModel


def report_of(stored: StoredModel) -> Path | None:
    """The training report in the run folder of a model, if there is one."""
    path = stored.file.with_name(REPORT)
    return path if stored.file.name == MODEL and path.is_file() else None


def about(stored: StoredModel, writer: Writer) -> dict[str, Any]:
    """The facts as the page expects them. Facts of a wrong type, which a third-party file may contain, are ignored."""
    facts, features = stored.facts, stored.facts.get("features")
    numbers = {key: _number(facts.get(key)) for key in ("val_bpb", "seconds", "train_bytes", "train_documents", "weight_bits")}
    return (
        numbers
        | examples(stored, writer)
        | {
            "kind": "bytes" if facts.get("kind") == "bytes" else "text",
            "tries": TRIES,
            "temperature": SamplingConfig.temperature,
            "insist": INSIST,
            "seeds_apart": SEED_STRIDE,
            "note": facts["note"] if isinstance(facts.get("note"), str) else None,
            "name": stored.name,
            "records": stored.records,
            "features": [feature for feature in features if isinstance(feature, str)] if isinstance(features, list) else [],
            "parameters": stored.num_parameters,
            "file_bytes": stored.file.stat().st_size,
            "context_bytes": stored.config.max_seq_len,
        }
    )


def _number(fact: Any) -> float | None:
    return fact if isinstance(fact, (int, float)) and abs(fact) < 1e300 else None  # excludes NaN and infinity, which JSON lacks
