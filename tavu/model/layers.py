"""The layers that every part of a model is made of.

Weights are kept in float32 and used in the dtype of what they are applied to, so the dtype of the first embedding is the precision of the model.
"""

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn


def norm(x: Tensor) -> Tensor:
    """x with mean 0 and variance 1 along its last dimension (a layer norm, which CPU kernels do several times faster than an RMS norm)."""
    return torch.layer_norm(x, (x.size(-1),))


def soft_cap(logits: Tensor, cap: float = 15.0) -> Tensor:
    """Logits capped smoothly at +-cap, float32 (Gemma 2, arXiv 2408.00118, section 2)."""
    return cap * torch.tanh(logits.float() / cap)


class Linear(nn.Module):
    """x @ weight.T, the weight used in x's dtype. Initialized uniformly with variance 1 / (3 in_dim), or to zero."""

    def __init__(self, in_dim: int, out_dim: int, *, zero: bool = False):
        super().__init__()
        self.weight = nn.Parameter(torch.empty(out_dim, in_dim))
        bound = 0.0 if zero else in_dim**-0.5
        nn.init.uniform_(self.weight, -bound, bound)

    def forward(self, x: Tensor) -> Tensor:  # (..., in_dim) -> (..., out_dim)
        return F.linear(x, self.weight.to(x.dtype))


def store_by_column(model: nn.Module) -> None:
    """Store matrices with more outputs than inputs column by column, which halves the time to multiply one vector, as decoding does."""
    for module in model.modules():
        if isinstance(module, Linear) and module.weight.size(0) > module.weight.size(1):
            module.weight.data = module.weight.data.t().contiguous().t()


class SquaredReLU(torch.autograd.Function):
    """max(x, 0) ** 2 (So et al. 2021, arXiv 2109.08668), with a gradient that takes one pass over memory; autograd's own takes three."""

    @staticmethod
    def forward(context: Any, x: Tensor) -> Tensor:
        positive = x.relu()
        context.save_for_backward(positive)
        return positive.square()

    @staticmethod
    def backward(context: Any, *gradients: Tensor) -> Tensor:
        (positive,) = context.saved_tensors
        return (gradients[0] * positive).mul_(2)


class MLP(nn.Module):
    """Two linear maps with a squared ReLU between them."""

    def __init__(self, dim: int, mlp_dim: int):
        super().__init__()
        self.up = Linear(dim, mlp_dim)
        self.down = Linear(mlp_dim, dim, zero=True)

    def forward(self, x: Tensor) -> Tensor:  # (..., dim) -> (..., dim)
        return self.down(SquaredReLU.apply(self.up(x)))


class RowDropout(nn.Dropout):
    """Drops whole rows that were read from a table, (..., D), so that no prediction relies on one of them alone."""

    def forward(self, rows: Tensor) -> Tensor:
        kept = super().forward(rows.new_ones(rows.shape[:-1])) if self.training and self.p else None
        return rows if kept is None else rows * kept[..., None]


def set_dropout(model: nn.Module, share: float) -> None:
    """Set the dropout rate of every part of a model; it applies in training only (Srivastava et al. 2014, JMLR 15)."""
    for module in model.modules():
        if isinstance(module, nn.Dropout):
            module.p = share
