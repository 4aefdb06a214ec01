"""One training step: the gradients of a batch, with gradient accumulation and optional compilation. Also the training speed of a plan.

Shapes: B rows of a batch, T ids of a row.
"""

import itertools
import os
import warnings
from collections.abc import Callable, Iterator, Sequence

import numpy as np
import torch
from torch import Tensor

from tavu.config import Recipe
from tavu.data.batches import Batches
from tavu.data.kept import default_cache_dir
from tavu.model.designs import build_model, has_fixed_shapes
from tavu.model.interface import Model
from tavu.training.losses import Loss
from tavu.training.machine import Plan, best_rate
from tavu.training.randomness import seeded

Forward = Callable[[Tensor, torch.dtype], Tensor]
"""From ids (B, T) to logits (B, T, V) computed in dtype: a model, or what was compiled of it."""


def accumulate(forward: Forward, ids: Tensor, plan: Plan, loss_fn: Loss, *, targets: Sequence[Tensor] = ()) -> float:
    """Accumulate the gradients of the mean loss of ids (B, T) over micro-batches, and return that loss in nats.

    The loss also gets the rows of the `targets` (B, ...), if there are any, as a student's loss does.
    """
    total = 0.0
    for rows, *target_rows in zip(*(tensor.split(plan.micro_batch_rows) for tensor in (ids, *targets)), strict=True):
        loss = loss_fn(forward(rows, plan.dtype), rows, *target_rows) * (len(rows) / len(ids))
        loss.backward()
        total += loss.item()
    return total


def make_forward(model: Model, plan: Plan, ids: np.ndarray, seed: int, loss_fn: Loss, notes: list[str]) -> Forward:
    """The model, compiled if the plan says so, with a trial step on ids (B, T). If the compiler fails, add a note and return the model as it is."""
    if not plan.compile:
        return model
    compiled = compile_model(model)
    try:
        with seeded(seed):
            accumulate(compiled, torch.from_numpy(ids).to(plan.device), plan, loss_fn)
    except Exception as fault:  # a compiler may raise anything
        reason = (str(fault).strip() or type(fault).__name__).splitlines()[0][:200]
        notes.append(f"Training continues without torch.compile, which failed here: {reason}")
        compiled = model
    model.zero_grad()
    return compiled


def compile_model(model: Model) -> Forward:
    """The model with its `predict` compiled. What it reads, and its tables' sparse gradients, stay as they are.

    On a GPU launches take the time, so inputs are padded and each shape becomes one CUDA graph. On a CPU arithmetic does, so nothing is padded, and
    the number of words of a batch is a variable of the compiled code.
    """
    os.environ.setdefault("TORCHINDUCTOR_CACHE_DIR", str(default_cache_dir() / "compiled"))  # so that the next run need not compile again
    warnings.filterwarnings("ignore", message="The .grad attribute of a Tensor")  # the compiler looks for gradients of what was read
    on_gpu = next(model.parameters()).device.type == "cuda"
    same_shapes = on_gpu or has_fixed_shapes(model.config)
    predict = torch.compile(model.predict, dynamic=not same_shapes, mode="reduce-overhead" if on_gpu else None)
    return lambda ids, dtype: predict(model.read(ids, padded=on_gpu), dtype)


def bytes_per_second(recipe: Recipe, batches: Batches, loss_fn: Loss, plan: Plan) -> float:
    """Training speed under a plan in bytes per second, measured on a separate model."""
    with seeded(recipe.train.seed):
        model = build_model(recipe.model).to(plan.device)
    forward = compile_model(model) if plan.compile else model

    def steps() -> Iterator[int]:
        for step in itertools.count():
            ids = torch.from_numpy(batches.batch(step)).to(plan.device)
            accumulate(forward, ids, plan, loss_fn)
            model.zero_grad()
            yield ids.numel()

    return best_rate(steps())
