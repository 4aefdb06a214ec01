"""What a page tells about a model, from its file: numbers and names that an interface puts into words."""

from typing import Any

from tavu.config import INSIST, SamplingConfig
from tavu.stored_model import StoredModel


def model_facts(stored: StoredModel) -> dict[str, Any]:
    """The facts, as JSON holds them. Facts of a wrong type, which a third-party file may contain, are ignored."""
    facts, features = stored.facts, stored.facts.get("features")
    numbers = {key: _number(facts.get(key)) for key in ("val_bpb", "seconds", "train_bytes", "train_documents", "weight_bits")}
    return numbers | {
        "kind": "bytes" if facts.get("kind") == "bytes" else "text",
        "temperature": SamplingConfig.temperature,
        "insist": INSIST,
        "note": facts["note"] if isinstance(facts.get("note"), str) else None,
        "name": stored.name,
        "records": stored.records,
        "features": [feature for feature in features if isinstance(feature, str)] if isinstance(features, list) else [],
        "parameters": stored.num_parameters,
        "file_bytes": stored.content.size,
        "context_bytes": stored.config.max_seq_len,
    }


def _number(fact: Any) -> float | None:
    return fact if isinstance(fact, (int, float)) and abs(fact) < 1e300 else None  # excludes NaN and infinity, which JSON lacks
