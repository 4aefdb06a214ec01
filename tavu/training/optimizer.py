"""The optimizer: Muon for the matrices of blocks, row-wise Adam for hashed tables, AdamW for all other roles (model/tensors.py).

Shapes: matrices (out, in); tables (rows, D). The gradients of tables are sparse: they hold only the rows that the step read.
"""

# pyright: reportPrivateImportUsage=false
# torch has no public name for its operations on lists of tensors.

from collections.abc import Mapping, Sequence
from functools import partial

import torch
from torch import Tensor, nn
from torch.optim.adam import adam as torch_adam

from tavu.config import TrainConfig
from tavu.model.tensors import Role
from tavu.training.distributed import ALONE, Ranks

MUON_MOMENTUM = 0.95
BETAS = (0.9, 0.95)
EPSILON = 1e-8


NEWTON_SCHULZ = (3.4445, -4.7750, 2.0315)
NUM_ITERATIONS = 5


def orthogonalized(matrices: Tensor, dtype: torch.dtype = torch.float32) -> Tensor:
    """Matrices (N, out, in) with all singular values near 1: five Newton-Schulz steps in dtype (Jordan et al. 2024, Muon)."""
    tall = matrices.size(1) > matrices.size(2)
    x = (matrices.transpose(1, 2) if tall else matrices).to(dtype)
    x = (x / (x.norm(dim=(1, 2), keepdim=True) + 1e-7)).contiguous()
    x = iterated_on_gram(x) if dtype == torch.float32 and x.size(2) > x.size(1) else iterated(x)
    return x.transpose(1, 2) if tall else x


def iterated(x: Tensor) -> Tensor:
    """x <- a x + (b X + c X X) x with X = x x', five times."""
    a, b, c = NEWTON_SCHULZ
    for _ in range(NUM_ITERATIONS):
        gram = x @ x.transpose(1, 2)
        x = torch.baddbmm(x, torch.baddbmm(gram, gram, gram, beta=b, alpha=c), x, beta=a)
    return x


def iterated_on_gram(x: Tensor) -> Tensor:
    """The same for x (N, n, m), n < m, using only n x n products: each step multiplies x by p = a + b X + c X X, and X by p p.

    About half the work for m = 4 n. But the product of all p grows to a ** 5 = 485, too large to keep the precision of 1 in bfloat16.
    """
    a, b, c = NEWTON_SCHULZ
    gram = x @ x.transpose(1, 2)
    product = None
    for i in range(NUM_ITERATIONS):
        p = torch.baddbmm(gram, gram, gram, beta=b, alpha=c)
        p.diagonal(dim1=1, dim2=2).add_(a)
        product = p if product is None else p @ product
        if i < NUM_ITERATIONS - 1:
            gram = p @ (gram @ p)
    assert product is not None
    return product @ x


def gradient(parameter: nn.Parameter) -> Tensor:
    assert parameter.grad is not None  # every parameter takes part in every step
    return parameter.grad


class Optimizer:
    """Updates all parameters of a model, each by the rule for its role. `state` holds every tensor that a resume needs.

    Several ranks share the work of Muon; all else is cheap, and each does it for itself.
    """

    def __init__(self, model: nn.Module, roles: Mapping[str, Role], config: TrainConfig, dtype: torch.dtype = torch.float32, ranks: Ranks = ALONE):
        self.config, self.dtype, self.ranks = config, dtype, ranks
        self.tables, self.matrices, self.rest = (
            {name: p for name, p in model.named_parameters() if roles[name] == role} for role in ("table", "matrix", "dense")
        )
        self.step_count = 0
        self.freeze_tables = False
        """If True, tables are not updated."""
        self.state: dict[str, Tensor] = {}
        for name, p in self.matrices.items():
            self.state[f"{name}.momentum"] = torch.zeros_like(p)
        for name, p in (self.rest | self.tables).items():
            self.state[f"{name}.mean"] = torch.zeros_like(p)
            self.state[f"{name}.square"] = torch.zeros_like(p)

    @torch.no_grad()
    def step(self, scale: float) -> None:
        """Update all parameters from their gradients, then clear the gradients. All learning rates are multiplied by scale."""
        self.step_count += 1
        self.clip_gradients()
        self.step_matrices(scale * self.config.muon_learning_rate)
        self.step_rest(scale * self.config.adamw_learning_rate)
        if not self.freeze_tables:
            self.step_tables(scale * self.config.table_learning_rate)
        for p in (self.matrices | self.rest | self.tables).values():
            p.grad = None

    def clip_gradients(self) -> None:
        """Clip the global gradient norm to clip_norm."""
        for p in self.tables.values():
            p.grad = gradient(p).coalesce()
        gradients = [gradient(p) for p in (self.matrices | self.rest).values()] + [gradient(p).values() for p in self.tables.values()]
        norm = nn.utils.get_total_norm(gradients)
        torch._foreach_mul_(gradients, (self.config.clip_norm / (norm + 1e-6)).clamp(max=1.0))

    def step_matrices(self, rate: float) -> None:
        by_shape: dict[torch.Size, list[str]] = {}
        for name, p in self.matrices.items():
            by_shape.setdefault(p.shape, []).append(name)
        for (out_dim, in_dim), names in by_shape.items():
            parameters: list[Tensor] = [self.matrices[name] for name in names]
            gradients = [gradient(self.matrices[name]) for name in names]
            momenta = [self.state[f"{name}.momentum"] for name in names]
            torch._foreach_lerp_(momenta, gradients, 1 - MUON_MOMENTUM)
            if self.step_count % self.config.muon_every:
                continue
            torch._foreach_lerp_(gradients, momenta, MUON_MOMENTUM)  # Nesterov
            updates = self.ranks.shared(partial(orthogonalized, dtype=self.dtype), torch.stack(gradients)) * max(1, out_dim / in_dim) ** 0.5
            torch._foreach_mul_(parameters, 1 - rate * self.config.weight_decay)
            torch._foreach_add_(parameters, list(updates.float().unbind()), alpha=-rate)

    def step_rest(self, rate: float) -> None:
        updated = [(p, self.state[f"{name}.mean"], self.state[f"{name}.square"]) for name, p in self.rest.items()]
        adam(updated, [gradient(p) for p in self.rest.values()], self.step_count, rate)

    def step_tables(self, rate: float) -> None:
        """Update only the rows that the step read. They are gathered, updated and written back."""
        for name, p in self.tables.items():
            rows, whole = gradient(p).indices()[0], (p, self.state[f"{name}.mean"], self.state[f"{name}.square"])
            touched = [tensor.index_select(0, rows) for tensor in whole]
            adam([touched], [gradient(p).values()], self.step_count, rate)
            for tensor, new in zip(whole, touched, strict=True):
                tensor[rows] = new


def adam(updated: Sequence[Sequence[Tensor]], gradients: list[Tensor], step_count: int, rate: float) -> None:
    """One Adam step (Kingma & Ba 2015, arXiv 1412.6980), in place. `updated` holds (parameter, mean, square), one per gradient."""
    parameters, means, squares = map(list, zip(*updated, strict=True))
    steps = torch.full((len(parameters),), step_count - 1.0, device=parameters[0].device).unbind()  # torch increments it
    torch_adam(
        *(parameters, gradients, means, squares, [], list(steps)),
        fused=True,
        amsgrad=False,
        maximize=False,
        lr=rate,
        beta1=BETAS[0],
        beta2=BETAS[1],
        weight_decay=0.0,
        eps=EPSILON,
    )
