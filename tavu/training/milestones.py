"""Milestones: measure validation, generate samples from the prompts, and save the model if it is the best so far."""

import os
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from tavu.config import Recipe, SamplingConfig
from tavu.data.corpus import Corpus
from tavu.data.documents import DocumentFile
from tavu.data.records import MARK, kind_of_records, requested_features, split_document
from tavu.errors import TavuError
from tavu.evaluation.bits_per_byte import BitsPerByte, bits_per_byte
from tavu.evaluation.torch_scorer import TorchScorer
from tavu.generation.decoder import TorchWriter
from tavu.generation.reads import of_record
from tavu.generation.writing import write
from tavu.memory import peak_memory_mb
from tavu.model.interface import Model
from tavu.model_file import load_model, save_model
from tavu.run_folder import MODEL
from tavu.stored_model import open_model
from tavu.training.events import Finished, Milestone, StopReason
from tavu.training.machine import Plan
from tavu.training.run_log import RunLog
from tavu.training.schedule import within_budget
from tavu.training.state import Counters
from tavu.vocabulary import END

FINAL_VALID_BYTES = 1_000_000
"""The final validation reads at most about this much of the validation text."""
VALID_BYTES_PER_MINUTE, FINAL_BYTES_PER_MINUTE = 25_000, 100_000
"""Limits for short budgets, per minute of the budget: at each milestone, and for the final validation."""
MAX_RECORDS_READ, MAX_FEATURES = 20_000, 100


class Milestones:
    """Measures the model of a run at each milestone, always on the same documents and prompts."""

    def __init__(self, recipe: Recipe, corpus: Corpus, folder: Path, log: RunLog, plan: Plan):
        self.recipe, self.corpus, self.folder, self.log, self.plan = recipe, corpus, folder, log, plan
        self.bytes_per_patch: float | None = None
        self.validation_seconds = 0.0
        """Duration of the latest validation."""
        self.records: dict[str, Any] = record_facts(corpus.train) if recipe.data.as_records else {}
        self.documents = sample_documents(corpus.valid, within_budget(recipe.train, recipe.train.valid_bytes, VALID_BYTES_PER_MINUTE))
        self.final_documents = final_documents(recipe, corpus)
        self.used_bytes = _used_bytes(corpus, recipe.train.begin_from)
        self.sampling = SamplingConfig(
            temperature=recipe.sample.temperature,
            max_bytes=recipe.sample.max_bytes,
            seed=recipe.train.seed,
            valid_utf8=not recipe.data.as_bytes,
            used_bytes=self.used_bytes,
        )

    @property
    def model_path(self) -> Path:
        return self.folder / MODEL

    def measure(self, model: Model, counters: Counters, fraction: float) -> Milestone:
        """Measure validation and generate samples. Save the model if it is the best so far."""
        model.eval()
        begun = time.monotonic()
        validation = bits_per_byte(TorchScorer(model, self.plan.dtype), self.documents, as_records=self.recipe.data.as_records)
        self.validation_seconds = time.monotonic() - begun
        samples = tuple((prompt, write(TorchWriter(model), self.read(prompt), self.sampling)[0]) for prompt in self.recipe.sample.prompts)
        model.train()
        self.bytes_per_patch = bytes_per_patch(model, self.documents)
        is_best = counters.best_bpb is None or validation.bits_per_byte < counters.best_bpb
        if is_best:
            counters.best_bpb, counters.best_step, counters.best_seconds = validation.bits_per_byte, counters.step, counters.seconds
            save_model(self.model_path, model, self.facts(counters, validation))
        seen = self.bytes_seen(counters)
        milestone = Milestone(counters.step, counters.seconds, fraction, seen, validation, is_best, samples, counters.dropout)
        self.log.milestone(milestone)
        return milestone

    @property
    def final_validation_seconds(self) -> float:
        """Estimated duration of the final validation, from that of the latest one."""
        return self.validation_seconds * sum(map(len, self.final_documents)) / max(1, sum(map(len, self.documents)))

    def finish(self, counters: Counters, stopped: StopReason, whole_seconds: Callable[[], float]) -> Finished:
        """Load the model file, measure it on the final validation documents, and write the result to its facts."""
        model, _ = load_model(self.model_path, self.plan.device)
        self.bytes_per_patch = bytes_per_patch(model, self.documents)
        documents = self.documents if stopped == "interrupted" else self.final_documents
        validation = bits_per_byte(TorchScorer(model, self.plan.dtype), documents, as_records=self.recipe.data.as_records)
        save_model(self.model_path, model, self.facts(counters, validation))
        seen = self.bytes_seen(counters)
        finished = Finished(
            self.model_path,
            counters.step,
            counters.seconds,
            seen,
            seen / max(counters.seconds, 1e-9),
            validation,
            peak_memory_mb(),
            stopped,
            counters.best_seconds,
            whole_seconds(),
        )
        self.log.finished(finished)
        return finished

    def read(self, prompt: str) -> bytes:
        """The bytes that the model reads for a prompt. With records they include the mark."""
        return of_record(prompt) if self.recipe.data.as_records else prompt.encode()

    def bytes_seen(self, counters: Counters) -> int:
        rows = max(1, self.recipe.train.batch_bytes // self.recipe.model.max_seq_len)
        return counters.step * rows * self.recipe.model.max_seq_len

    def facts(self, counters: Counters, validation: BitsPerByte) -> dict[str, Any]:
        """The facts about its training that a model file stores."""
        return {
            "kind": "bytes" if self.recipe.data.as_bytes else "text",
            **self.records,
            "sources": [_readable(Path(source).name) for source in self.recipe.data.sources],  # names only: paths are private
            "bytes_per_patch": self.bytes_per_patch,
            "train_bytes": self.corpus.train.num_bytes,
            "record_bytes": self.recipe.data.record_bytes,
            "used_bytes": sorted(self.used_bytes) if self.used_bytes is not None else None,
            "train_documents": self.corpus.train.num_documents,
            "step": counters.best_step,
            "seconds": round(counters.best_seconds, 1),
            "bytes_seen": self.bytes_seen(replace(counters, step=counters.best_step)),
            "val_bpb": validation.bits_per_byte,
            "val_standard_error": validation.standard_error if validation.num_documents > 1 else None,
            "val_bytes": validation.num_bytes,
        }


def _used_bytes(corpus: Corpus, begin_from: str | None) -> frozenset[int] | None:
    """The byte values in the training text, and in that of the model that is fine-tuned. None if the latter is not known."""
    used = frozenset(corpus.used_ids - {END})
    if begin_from is None:
        return used
    try:
        before = open_model(begin_from).used_bytes
    except TavuError:  # a resume does not need that model any more
        return None
    return None if before is None else used | before


def record_facts(documents: DocumentFile) -> dict[str, Any]:
    """The facts about fine-tuning records that a model file stores: their kind, and the requested features, most frequent first."""
    read = (split_document(documents.document(i).tobytes())[0] for i in range(min(MAX_RECORDS_READ, documents.num_documents)))
    prompts = [prompt.removesuffix(MARK).decode() for prompt in read if prompt]
    counts = Counter(feature for prompt in prompts for feature in requested_features(prompt))
    return {"records": kind_of_records(prompts), "features": [feature for feature, count in counts.most_common(MAX_FEATURES) if count > 1]}


def bytes_per_patch(model: Model, documents: Sequence[np.ndarray]) -> float:
    """Mean number of bytes per patch, over the first hundred documents, each cut to the context."""
    places = [model.places_in_patch(torch.from_numpy(d[: model.config.max_seq_len].astype(np.int64))[None]) for d in documents[:100]]
    return round(sum(p.numel() for p in places) / sum(int((p == 0).sum()) for p in places), 2)


def final_documents(recipe: Recipe, corpus: Corpus) -> Sequence[np.ndarray]:
    """The documents on which a run is measured at its end."""
    return sample_documents(corpus.valid, within_budget(recipe.train, FINAL_VALID_BYTES, FINAL_BYTES_PER_MINUTE))


def sample_documents(documents: DocumentFile, num_bytes: int) -> Sequence[np.ndarray]:
    """About num_bytes of documents, sampled evenly. All of them if they have no more."""
    every = max(1, round(documents.num_bytes / num_bytes))
    return [documents.document(i) for i in range(0, documents.num_documents, every)]


def _readable(name: str) -> str:
    """A file name as text. Bytes that are not UTF-8 are escaped."""
    return os.fsencode(name).decode(errors="backslashreplace")
