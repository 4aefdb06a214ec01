"""The next-token distributions of a causal transformers model after many token sequences that share prefixes: a tree of tokens.

Nodes are numbered in the order in which they are added, from the root, 0, which is the start token. Shapes: N nodes, M nodes so far, V tokens.
"""

import inspect
from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor

ROOT = -1
"""The parent of the root."""
_MAX_LOGITS = 1 << 23
_MAX_NODES = 1024


class TokenTree(Protocol):
    """A tree of tokens that a model reads. A new tree has no node."""

    def add(self, parents: Sequence[int], tokens: Sequence[int]) -> np.ndarray:
        """Add nodes, each after its parent, and return what follows each: (N, V) natural logarithms of probabilities."""
        ...


def nodes_at_once(num_tokens: int) -> int:
    """How many nodes to add in one call, so that their logits fit in memory."""
    return max(1, min(_MAX_NODES, _MAX_LOGITS // num_tokens))


class CachedTree:
    """Each node is read once: its keys and values are kept, and a mask lets it attend to its ancestors alone (Miao et al. 2023, arXiv 2305.09781)."""

    def __init__(self, model: Any, allowed: Tensor):
        from transformers import DynamicCache

        self.model, self.allowed = model, allowed
        self.cache = DynamicCache()
        self.cache_name = "cache" if "cache" in inspect.signature(model.forward).parameters else "past_key_values"  # before transformers 5.24
        self.depths: list[int] = []
        self.ancestors: list[np.ndarray] = []
        """For each node (node + 1,) bool: its ancestors and itself."""

    def add(self, parents: Sequence[int], tokens: Sequence[int]) -> np.ndarray:
        """See TokenTree."""
        first, total = len(self.depths), len(self.depths) + len(parents)
        for node, parent in enumerate(parents, first):
            reach = np.zeros(node + 1, dtype=bool)
            if parent != ROOT:
                reach[: parent + 1] = self.ancestors[parent]
            reach[node] = True
            self.ancestors.append(reach)
            self.depths.append(0 if parent == ROOT else self.depths[parent] + 1)
        mask = torch.full((len(parents), total), torch.finfo(self.model.dtype).min, dtype=self.model.dtype)
        for row, reach in zip(mask, self.ancestors[first:], strict=True):
            row[: len(reach)][torch.from_numpy(reach)] = 0.0
        device = self.model.device
        with torch.inference_mode():
            logits = self.model(
                input_ids=torch.tensor([tokens], device=device),  # (1, N)
                position_ids=torch.tensor([self.depths[first:]], device=device),  # (1, N)
                attention_mask=mask[None, None].to(device),  # (1, 1, N, M + N)
                use_cache=True,
                **{self.cache_name: self.cache},
            ).logits
        return _log_probs(logits[0], self.allowed)


class UncachedTree:
    """Each path is read from its start: slow, but right for any causal model, also one that has no masks or positions, such as a recurrent one."""

    def __init__(self, model: Any, allowed: Tensor):
        self.model, self.allowed = model, allowed
        self.paths: list[list[int]] = []

    def add(self, parents: Sequence[int], tokens: Sequence[int]) -> np.ndarray:
        """See TokenTree."""
        first = len(self.paths)
        for parent, token in zip(parents, tokens, strict=True):
            self.paths.append([*([] if parent == ROOT else self.paths[parent]), token])
        row_of: dict[int, int] = {}  # a node is read with its last child, if it has any here
        for node in reversed(range(first, len(self.paths))):
            row_of.setdefault(node, node)
            row_of.setdefault(parents[node - first], row_of[node])
        result = np.empty((len(parents), len(self.allowed)), dtype=np.float64)
        for row in sorted({row_of[node] for node in range(first, len(self.paths))}):
            nodes = [node for node in range(first, len(self.paths)) if row_of[node] == row]
            with torch.inference_mode():
                logits = self.model(input_ids=torch.tensor([self.paths[row]], device=self.model.device), use_cache=False).logits[0]
            result[[node - first for node in nodes]] = _log_probs(logits[[len(self.paths[node]) - 1 for node in nodes]], self.allowed)
        return result


def reads_trees(model: Any, allowed: Tensor, tokens: Sequence[int]) -> bool:
    """Whether the model gives the same distributions with a CachedTree as with an UncachedTree, tried on a small tree of `tokens`."""
    length = len(tokens)
    parents = [ROOT, *range(length - 1), *range(0, length - 1, 2)]
    spelled = [*tokens, *tokens[: len(parents) - length]]
    tree = CachedTree(model, allowed)
    try:
        found = np.concatenate([tree.add(parents[:length], spelled[:length]), tree.add(parents[length:], spelled[length:])])
    except Exception:  # a model without positions, masks or a cache of this form fails in a way of its own
        return False
    expected = UncachedTree(model, allowed).add(parents, spelled)
    return bool(np.allclose(np.exp(found), np.exp(expected), atol=1e-4, rtol=1e-2))


def _log_probs(logits: Tensor, allowed: Tensor) -> np.ndarray:
    """Log-probabilities over the allowed tokens, -inf elsewhere. Shapes: logits (N, at least V), allowed (V,) bool, result (N, V)."""
    logits = logits[:, : len(allowed)]
    if logits.dtype != torch.float64:
        logits = logits.float()
    return logits.masked_fill(~allowed, -torch.inf).log_softmax(-1).cpu().numpy()
