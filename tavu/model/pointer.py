"""The pointer: which words of the context the global model expects to come again, told byte by byte as they are spelled.

A name, or a word that a request asks for, need not be in any vocabulary to be written again: it is enough to know which one it is (pointer networks,
Vinyals et al. 2015, arXiv 1506.03134; the sentinel that stands for none of them: Merity et al. 2016, arXiv 1609.07843, section 2).

Shapes: B rows, K patches of the longest, M patches that are known, S patches of all rows, D global width, E pointer width, R repeats, V ids.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from tavu.config import WordPatchConfig
from tavu.model.lexicon import FLOOR, UNLIKELY
from tavu.model.repeats import Repeats
from tavu.model.rows import NUM_HINTS
from tavu.model.transformer import Linear
from tavu.vocabulary import NUM_IDS

SHARPNESS = 12.0
"""How far apart the scores of two words can be at first, in nats."""


class Pointer(nn.Module):
    """How much each word of the context is expected to come again, and what that says of the next byte."""

    def __init__(self, config: WordPatchConfig):
        super().__init__()
        self.query = Linear(config.levels[0].dim, config.pointer_dim)
        self.key = Linear(config.levels[0].dim, config.pointer_dim)
        self.sharpness = nn.Parameter(torch.ones(1))
        self.urge = Linear(config.levels[0].dim, NUM_HINTS * config.pointer_dim, zero=True)
        self.urge_bias = nn.Parameter(torch.full((NUM_HINTS,), 0.1))
        """How much each hint counts (see find_hints): for a word with this key, and for any."""
        self.strength = nn.Parameter(torch.full((2,), 0.25))
        """Of the share of a byte in all words of the context, and in those that begin as the word so far does."""

    def keys(self, global_out: Tensor) -> Tensor:
        """What is looked up of the word before each patch; the first patch has none, and stands for no word at all. (..., D) -> (..., E) float32"""
        return F.normalize(self.key(global_out).float(), dim=-1)

    def expect(self, global_out: Tensor, keys: Tensor, hints: Tensor, num_known: Tensor, insist: float = 1.0) -> Tensor:
        """How much the word of each key is expected, in shares of 1, by patches that know the first num_known keys of their row.

        What was asked for counts insist times as much as was learned, for who would rather have it than the likeliest text.
        Shapes: global_out (B, K, D), keys (B, M, E), hints (B, K, 2, M), num_known (B, K) or (K,), result (B, K, M) float32.
        """
        queries = F.normalize(self.query(global_out).float(), dim=-1)
        urges = self.urge(global_out).float().unflatten(-1, (NUM_HINTS, -1))  # (B, K, 2, E)
        of_hints = (urges.flatten(1, 2) @ keys.transpose(-1, -2)).view_as(hints) + self.urge_bias[:, None]
        weights = hints.new_tensor([1.0, insist])[:, None]
        scores = SHARPNESS * (queries @ keys.transpose(-1, -2) * self.sharpness + (hints * of_hints * weights).sum(-2))
        unknown = torch.arange(keys.size(-2), device=keys.device) >= num_known[..., None]
        return scores.masked_fill(unknown, float("-inf")).softmax(-1)

    def forward(self, expected: Tensor, patch: Tensor, repeats: Repeats) -> Tensor:
        """The scores of each next id, (..., V) float32. Shapes: expected (S, M), patch (...) which of S."""
        which = patch.flatten()[repeats.position]
        shares = expected.flatten().index_select(0, which * expected.size(1) + repeats.word + 1)
        mass = shares.new_zeros(patch.numel() * NUM_IDS).index_add(0, repeats.position * NUM_IDS + repeats.next_id, shares)
        mass = mass.view(*patch.shape, NUM_IDS)
        of_these = mass / (mass.sum(-1, keepdim=True) + UNLIKELY)
        return self.strength[0] * torch.log1p(mass / FLOOR) + self.strength[1] * torch.log1p(of_these / FLOOR)
