"""The pointer: the probability that each word of the context is copied next, passed on to each byte as the word is spelled.

A name, or a word that a request asks for, need not be in any vocabulary to be copied: it is enough to know which one it is (pointer networks,
Vinyals et al. 2015, arXiv 1506.03134; the sentinel, a key that stands for none of the words: Merity et al. 2016, arXiv 1609.07843, section 2).

Shapes: B rows, K patches of the longest, M patches whose keys are known, S patches of all rows, D global width, E pointer width, R repeats, V ids.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from tavu.config import WordPatchConfig
from tavu.model.layers import Linear
from tavu.model.words.lexicon import PROB_FLOOR, PROB_UNLIKELY
from tavu.model.words.repeats import Repeats
from tavu.model.words.rows import NUM_HINTS
from tavu.vocabulary import NUM_IDS

POINTER_SHARPNESS = 12.0
"""Factor from cosine to attention score, in nats; the learned sharpness multiplies it."""


class Pointer(nn.Module):
    """The probability that each word of the context is copied, and the scores of the next byte that follow from it."""

    def __init__(self, config: WordPatchConfig):
        super().__init__()
        self.query = Linear(config.levels[0].dim, config.pointer_dim)
        self.key = Linear(config.levels[0].dim, config.pointer_dim)
        self.sharpness = nn.Parameter(torch.ones(1))
        self.hint_gate = Linear(config.levels[0].dim, NUM_HINTS * config.pointer_dim, zero=True)
        self.hint_bias = nn.Parameter(torch.full((NUM_HINTS,), 0.1))
        """The weight of each hint (see find_hints): hint_gate gives the part that depends on the word's key, hint_bias the part that does not."""
        self.strength = nn.Parameter(torch.full((2,), 0.25))
        """Two weights: of a byte's probability among all words of the context, and among those that match the prefix."""

    def keys(self, global_out: Tensor) -> Tensor:
        """The keys by which the word before each patch is found; the first patch's key is the sentinel. (..., D) -> (..., E) float32"""
        return F.normalize(self.key(global_out).float(), dim=-1)

    def copy_probs(self, global_out: Tensor, keys: Tensor, hints: Tensor, num_known: Tensor, insist: float = 1.0) -> Tensor:
        """The probability, at each patch, that the word of each key comes next; a patch knows the first num_known keys of its row.

        The learned gate of requested words is multiplied by insist.
        Shapes: global_out (B, K, D), keys (B, M, E), hints (B, K, 2, M), num_known (B, K) or (K,), result (B, K, M) float32.
        """
        queries = F.normalize(self.query(global_out).float(), dim=-1)
        gates = self.hint_gate(global_out).float().unflatten(-1, (NUM_HINTS, -1))  # (B, K, 2, E)
        of_hints = (gates.flatten(1, 2) @ keys.transpose(-1, -2)).view_as(hints) + self.hint_bias[:, None]
        weights = hints.new_tensor([1.0, insist])[:, None]
        scores = POINTER_SHARPNESS * (queries @ keys.transpose(-1, -2) * self.sharpness + (hints * of_hints * weights).sum(-2))
        unknown = torch.arange(keys.size(-2), device=keys.device) >= num_known[..., None]
        return scores.masked_fill(unknown, float("-inf")).softmax(-1)

    def forward(self, copy_probs: Tensor, patch: Tensor, repeats: Repeats) -> Tensor:
        """The scores of each next id, (..., V) float32. Shapes: copy_probs (S, M), patch (...), the index of each position's patch among the S."""
        which = patch.flatten()[repeats.position]
        probs = copy_probs.flatten().index_select(0, which * copy_probs.size(1) + repeats.word + 1)
        of_byte = probs.new_zeros(patch.numel() * NUM_IDS).index_add(0, repeats.position * NUM_IDS + repeats.next_id, probs)
        of_byte = of_byte.view(*patch.shape, NUM_IDS)
        given_prefix = of_byte / (of_byte.sum(-1, keepdim=True) + PROB_UNLIKELY)
        return self.strength[0] * torch.log1p(of_byte / PROB_FLOOR) + self.strength[1] * torch.log1p(given_prefix / PROB_FLOOR)
