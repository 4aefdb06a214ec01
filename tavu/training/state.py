"""The training state: everything a resume needs, in one file that is replaced atomically."""

import json
import typing
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor

from tavu.checksum import CHECKSUM, checksum
from tavu.errors import TavuError
from tavu.model.interface import Model
from tavu.model.tensors import stored_name
from tavu.run_folder import STATE, STATE_FILE
from tavu.tensor_file import bytes_of, write_tensors
from tavu.training.distributed import Ranks
from tavu.training.machine import PRECISIONS, Plan
from tavu.training.optimizer import Optimizer

_KEY = "tavu_training"


@dataclass
class Counters:
    """The progress of a training run. All values are plain, so that they can be saved as JSON and compared."""

    step: int = 0
    seconds: float = 0.0
    """Training time, milestones included."""
    preparation: float = 0.0
    """Seconds of setup before the first step: counting n-grams, measuring the machine."""
    ending: float = 0.0
    """Seconds reserved for the final validation."""
    best_bpb: float | None = None
    best_step: int = 0
    best_seconds: float = 0.0
    dropout: float = 0.0
    """The current dropout rate."""
    overfits: bool = False
    """Whether the model has overfit; see Training.handle_overfitting."""
    plan: dict[str, Any] = field(default_factory=dict)
    stopped: str | None = None
    """Why training ended, if only the final validation is missing; None while it trains."""
    corpus: str = ""
    """The digest of the training text. This and `recipe` are empty if an earlier version started the run."""
    recipe: dict[str, Any] = field(default_factory=dict)
    """The parts of the recipe that must not change: model, batch_bytes, seed."""

    @property
    def overhead(self) -> float:
        return self.preparation + self.ending


def save_state(folder: Path, model: Model, optimizer: Optimizer, counters: Counters) -> None:
    """Write everything to folder/state. Raises TavuError when it cannot be written; the previous state is then kept."""
    tensors = _stored(model, optimizer)
    path = folder / STATE / STATE_FILE
    write_tensors(path, tensors, {_KEY: json.dumps(asdict(counters))})


def load_counters(folder: Path) -> Counters:
    """The counters of a run folder. Raises TavuError when there is no training to resume, or its state is damaged."""
    path = folder / STATE / STATE_FILE
    if not path.is_file():
        raise TavuError(f"{folder} holds no training to resume (no {path.relative_to(folder)}). Start one with `tavu train SOURCE --out {folder}-2`.")
    try:
        with safe_open(path, framework="pt") as file:
            return _counters(json.loads(file.metadata()[_KEY]))
    except (SafetensorError, OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        raise TavuError(f"{path} is damaged ({error}). Train again in another folder: `tavu train SOURCE --out {folder}-2`.") from None


def _counters(values: dict[str, Any]) -> Counters:
    """The counters from the values in a file. Raises ValueError, KeyError or TypeError for a value that cannot have been saved."""
    counters = Counters(**values)
    for name, kind in typing.get_type_hints(Counters).items():
        if not isinstance(getattr(counters, name), dict if typing.get_origin(kind) is dict else kind):
            raise TypeError(f"{name} is {getattr(counters, name)!r}")
    plan = Plan(**counters.plan)
    if counters.step < 0 or plan.precision not in PRECISIONS or not (isinstance(plan.micro_batch_rows, int) and plan.micro_batch_rows > 0):
        raise ValueError(f"step is {counters.step}, plan is {plan}")
    return counters


def load_state(folder: Path, model: Model, optimizer: Optimizer) -> None:
    """Load the saved weights and moments into a new model and optimizer. Raises TavuError when they do not fit."""
    path = folder / STATE / STATE_FILE
    targets = _stored(model, optimizer)
    try:
        with safe_open(path, framework="pt") as file, torch.no_grad():
            if others := set(file.keys()) - set(targets):
                raise RuntimeError(f"it holds an unexpected tensor, {min(others)}")
            if file.metadata().get(CHECKSUM) not in (None, checksum(bytes_of(file.get_tensor(name)) for name in targets)):  # earlier versions: none
                raise TavuError(f"{path} is damaged: its checksum does not match. Restore it from a copy, or train again in another folder.")
            model.load_state_dict({name: file.get_tensor(f"model.{stored_name(name)}") for name in model.state_dict()})
            for name, target in optimizer.state.items():
                target.copy_(file.get_tensor(f"optimizer.{stored_name(name)}"))
    except (SafetensorError, OSError, RuntimeError, ValueError) as error:
        raise TavuError(
            f"{path} does not fit the recipe beside it ({error}). Train again in another folder: `tavu train SOURCE --out {folder}-2`."
        ) from None
    optimizer.step_count = load_counters(folder).step


def copy_from_first(ranks: Ranks, model: Model, optimizer: Optimizer, counters: Counters) -> None:
    """Give every rank the weights and moments of the first."""
    weights = model.state_dict()
    ranks.copy_from_first([*weights.values(), *optimizer.state.values()])
    if not ranks.is_first:
        model.load_state_dict(weights)  # so that it derives from them what is not stored
        optimizer.step_count = counters.step


def _stored(model: Model, optimizer: Optimizer) -> dict[str, Tensor]:
    """All tensors by the names that they have in the file."""
    parts = (("model", model.state_dict()), ("optimizer", optimizer.state))
    return {f"{part}.{stored_name(name)}": tensor for part, tensors in parts for name, tensor in tensors.items()}
