"""A model of tavu as a Teacher, in the native engine or in PyTorch, and how teachers are named.

Shapes: T ids of a window, V = 257 ids.
"""

from collections.abc import Callable, Iterator, Sequence

import numpy as np
import torch

from tavu.data.kept import file_digest
from tavu.distillation.subword import PREFIX as SUBWORD_PREFIX
from tavu.distillation.subword import open_subword_teacher
from tavu.distillation.teacher import Teacher
from tavu.engine.native import NativeEngine, why_not
from tavu.errors import TavuError
from tavu.evaluation.bits_per_byte import batches_of_windows
from tavu.evaluation.torch_scorer import TorchScorer
from tavu.model_file import load_model
from tavu.stored_model import StoredModel, open_model
from tavu.vocabulary import NUM_IDS

GROUP_IDS = 1 << 16
"""About how many ids are read together. Their distributions are in memory at once: 67 MB."""

Logits = Callable[[Sequence[np.ndarray], Sequence[int]], list[np.ndarray]]
"""From sequences of ids (T,) and the first counted id of each to the logits (T - first, V) that predict these."""


def open_teacher(name: str, *, as_bytes: bool, as_records: bool = False, device: str = "cpu") -> Teacher:
    """The teacher with this name: a model file, a run folder, or hf: and a model of transformers.

    Raises TavuError if there is none, or it was trained on another kind of data.
    """
    if learned_bytes(name) != as_bytes:
        got, expected = ("text", "raw bytes") if as_bytes else ("raw bytes", "text")
        raise TavuError(f"{name} is a model of {got}, expected one of {expected}, like the data. Name another model, or data like its own.")
    if not name.startswith(SUBWORD_PREFIX):
        return ModelTeacher(open_model(name), device)
    if as_records:
        raise TavuError(f"{name} is a model of plain text, expected one of records, like the data. Omit --records, or name a model of tavu.")
    return open_subword_teacher(name, device)


def learned_bytes(name: str) -> bool:
    """Whether the model with this name was trained on raw bytes, not on text."""
    return not name.startswith(SUBWORD_PREFIX) and open_model(name).facts.get("kind") == "bytes"


class ModelTeacher:
    """A model file or run folder as a Teacher: in the native engine on a CPU if that can run it (three times as fast), else in PyTorch."""

    def __init__(self, stored: StoredModel, device: str = "cpu"):
        self.name, self.digest = stored.name, file_digest(stored.file)
        self.context = stored.config.max_seq_len
        self._logits = _native_logits(stored) if device == "cpu" and why_not(stored) is None else _torch_logits(stored, device)

    def log_probs(self, documents: Sequence[bytes]) -> Iterator[np.ndarray]:
        """See Teacher."""
        arrays = [np.frombuffer(document, dtype=np.uint8) for document in documents]
        group, num_ids = list[np.ndarray](), 0
        for array in arrays:
            group.append(array)
            num_ids += len(array) + 1
            if num_ids >= GROUP_IDS:
                yield from self._of_group(group)
                group, num_ids = [], 0
        yield from self._of_group(group)

    def _of_group(self, documents: Sequence[np.ndarray]) -> list[np.ndarray]:
        results = [np.empty((len(document) + 1, NUM_IDS), dtype=np.float32) for document in documents]
        for batch in batches_of_windows([len(document) for document in documents], [0] * len(documents), self.context):
            sequences = [window.ids(documents[window.document]) for window in batch]
            logits = self._logits(sequences, [window.first_counted - window.start for window in batch])
            for window, rows in zip(batch, logits, strict=True):
                results[window.document][window.first_counted - 1 : window.stop - 1] = log_softmax(rows)  # without the END at the start
        return results


def log_softmax(logits: np.ndarray) -> np.ndarray:
    """Logarithms of probabilities from logits, both (N, V) float32.

    >>> np.exp(log_softmax(np.log(np.array([[1, 3]], dtype=np.float32)))).round(2).tolist()
    [[0.25, 0.75]]
    """
    shifted = logits - logits.max(axis=1, keepdims=True)
    return shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))


def _native_logits(stored: StoredModel) -> Logits:
    return NativeEngine(stored).logits


def _torch_logits(stored: StoredModel, device: str) -> Logits:
    return TorchScorer(load_model(stored.file, torch.device(device))[0]).logits
