"""What one step computes: the gradients of a batch, by a model that may be compiled; and how fast that goes on a plan.

Shapes: B rows of a batch, T ids of a row.
"""

import itertools
from collections.abc import Callable, Iterator

import numpy as np
import torch
from torch import Tensor

from tavu.config import Recipe
from tavu.data.batches import Batches
from tavu.model.designs import build_model, has_fixed_shapes
from tavu.model.interface import Model
from tavu.training.losses import Loss
from tavu.training.machine import Plan, timed
from tavu.training.randomness import seeded


def accumulate(forward: Callable[[Tensor, torch.dtype], Tensor], ids: Tensor, plan: Plan, loss_of: Loss) -> float:
    """Add the gradients of the mean loss of ids (B, T), a few rows at a time, and return that loss in nats."""
    total = 0.0
    for rows in ids.split(plan.micro_batch_rows):
        loss = loss_of(forward(rows, plan.dtype), rows) * (len(rows) / len(ids))
        loss.backward()
        total += loss.item()
    return total


def forward_of(model: Model, plan: Plan, ids: np.ndarray, seed: int, loss_of: Loss, notes: list[str]) -> Callable[[Tensor, torch.dtype], Tensor]:
    """The model, compiled where the plan says so and that works here, tried on ids (B, T). Where the compiler fails, a note says so."""
    if not plan.compile:
        return model
    compiled = _compiled(model)
    try:
        with seeded(seed):
            accumulate(compiled, torch.from_numpy(ids).to(plan.device), plan, loss_of)
    except Exception as fault:  # whatever a compiler fails with
        reason = (str(fault).strip() or type(fault).__name__).splitlines()[0][:200]
        notes.append(f"Training goes on without torch.compile, which failed here: {reason}")
        compiled = model
    model.zero_grad()
    return compiled


def _compiled(model: Model) -> Callable[[Tensor, torch.dtype], Tensor]:
    """The model compiled; with word patches the number of patches differs from batch to batch."""
    return torch.compile(model, dynamic=not has_fixed_shapes(model.config))


def bytes_per_second(recipe: Recipe, batches: Batches, loss_of: Loss, plan: Plan) -> float:
    """How fast training goes on a plan, tried on a model of its own."""
    with seeded(recipe.train.seed):
        model = build_model(recipe.model).to(plan.device)
    forward = _compiled(model) if plan.compile else model

    def steps() -> Iterator[int]:
        for step in itertools.count():
            ids = torch.from_numpy(batches.batch(step)).to(plan.device)
            accumulate(forward, ids, plan, loss_of)
            model.zero_grad()
            yield ids.numel()

    return timed(steps())
