"""The lexicon: the probability of each of some thousand common words, passed on to each byte as the word is spelled.

A subword model scores whole words at once; so does the global model here. The score of a byte comes from its share of the probability of the words
that start with the prefix so far. Where no word of the lexicon does, all scores are 0 and the byte is left to the local model.

Shapes: S patches, W words, D global width, M nodes of the tree of prefixes, N the most bytes that follow one, V ids.
"""

from dataclasses import dataclass, replace
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from tavu.config import WordPatchConfig
from tavu.model.layers import Linear
from tavu.model.words.read import NUM_FINGERPRINTS, pad_to_size, word_features
from tavu.vocabulary import NUM_IDS

MAX_NEXT_BYTES = 32
BLOCK = 16
"""Words whose probabilities are summed at once."""
PROB_FLOOR = 1e-3
"""A byte of probability p scores log(1 + p / PROB_FLOOR), times a learned strength: one of probability 0 scores 0."""
PROB_UNLIKELY = 1e-5
"""Added to the denominator, the probability of the prefix, so that an improbable prefix gives no score."""


def prefix_key(row: Tensor, fingerprint: Tensor) -> Tensor:
    """One number for a prefix, from its row and fingerprint in WordFeatures."""
    return row * NUM_FINGERPRINTS + fingerprint


@dataclass(frozen=True)
class NextBytes:
    """The bytes that words of the lexicon allow next, after the prefix that stands at each of some positions.

    Shapes: C pairs of a position and a byte, P positions. Ranges of words are [first, past).
    """

    patch: Tensor
    """(P,): the index of each position's patch among the S."""
    prefix: Tensor
    """(P, 2): the range of words with the prefix; empty where the lexicon has none."""
    position: Tensor
    """(C,): which of the positions; a pair of zeros alone is padding, and adds 0 to a score."""
    next_id: Tensor
    """(C,): the byte."""
    words: Tensor
    """(C, 2): the range of words with the prefix and the byte."""

    def padded(self) -> "NextBytes":
        """The same, with pairs of zeros up to one of a few sizes."""
        return replace(self, **dict(zip(("position", "next_id", "words"), pad_to_size(self.position, self.next_id, self.words), strict=True)))


class RangeSums(torch.autograd.Function):
    """The sum of probs[row, first:past] for each range of words. Shapes: probs (S, W), W a multiple of BLOCK; row (R,), ranges (R, 2), sums (R,).

    Whole blocks are summed by the difference of two cumulative sums, in float64 since these are near 1 (Apple's GPUs have none); the words of a block
    that is not whole one by one. So few sums are cumulative, which is slow. Written out with its gradient because autograd's own way adds up several
    (S, W).
    """

    @staticmethod
    def forward(context: Any, probs: Tensor, row: Tensor, ranges: Tensor) -> Tensor:
        blocks = probs.unflatten(1, (-1, BLOCK))  # (S, N, BLOCK)
        N = blocks.size(1)
        first_block, last_block = (ranges // BLOCK).unbind(-1)
        begin, end = row * (N + 1) + torch.minimum(first_block + 1, last_block), row * (N + 1) + last_block
        up_to = F.pad(blocks.sum(-1).cumsum(1, dtype=cumulative_dtype(probs)), (1, 0)).flatten()  # (S (N + 1),)
        whole = up_to.index_select(0, end) - up_to.index_select(0, begin)
        lane = torch.arange(BLOCK, device=probs.device)
        after_first, before_past = (lane >= (ranges[:, :1] % BLOCK)), (lane < (ranges[:, 1:] % BLOCK))  # (R, BLOCK)
        is_one_block = (first_block == last_block)[:, None]
        in_first, in_last = after_first & (before_past | ~is_one_block), before_past & ~is_one_block
        ends = torch.stack((row * N + first_block, row * N + last_block)).clamp(max=probs.size(0) * N - 1)  # (2, R)
        inside = torch.stack((in_first, in_last)).float()  # (2, R, BLOCK)
        context.save_for_backward(begin, end, ends, inside)
        context.shape = blocks.shape
        of_ends = blocks.flatten(0, 1).index_select(0, ends.flatten()).view_as(inside)
        return whole.float() + (of_ends * inside).sum((0, 2))

    @staticmethod
    def backward(context: Any, *gradients: Tensor) -> tuple[Tensor, None, None]:
        (gradient,), (begin, end, ends, inside) = gradients, context.saved_tensors
        S, N, _ = context.shape
        of_sums = torch.zeros(S * (N + 1), dtype=cumulative_dtype(gradient), device=gradient.device)
        of_sums = of_sums.index_add_(0, end, gradient.to(of_sums.dtype)).index_add_(0, begin, -gradient.to(of_sums.dtype)).view(S, N + 1)
        of_blocks = of_sums.sum(1, keepdim=True) - of_sums.cumsum(1)[:, :-1]  # a block is in all later sums
        of_probs = of_blocks.float().unsqueeze(-1).repeat(1, 1, BLOCK).view(S * N, BLOCK)
        of_probs.index_add_(0, ends.flatten(), (gradient[:, None] * inside).flatten(0, 1))
        return of_probs.view(S, N * BLOCK), None, None


def cumulative_dtype(x: Tensor) -> torch.dtype:
    return torch.float32 if x.device.type == "mps" else torch.float64


class Lexicon(nn.Module):
    """A softmax over words, and the scores of the next byte that follow from it.

    counts.py chooses the words; before that there are none.
    """

    spellings: Tensor
    """In the order of their bytes; unused rows come last."""
    lengths: Tensor
    """Bytes of each word; 0: the row is unused."""
    ranges: Tensor
    whole: Tensor
    keys: Tensor
    node_of_key: Tensor

    def __init__(self, config: WordPatchConfig):
        super().__init__()
        self.config = config
        num_words = config.lexicon_words
        self.num_probs = -(-num_words // BLOCK) * BLOCK
        self.words = Linear(config.levels[0].dim, num_words, zero=True)
        self.bias = nn.Parameter(torch.zeros(num_words))
        self.strength = nn.Parameter(torch.full((1,), 0.5))
        self.register_buffer("spellings", torch.zeros(num_words, config.max_patch_size, dtype=torch.uint8))
        self.register_buffer("lengths", torch.zeros(num_words, dtype=torch.uint8))
        self.build_tree()
        self.register_load_state_dict_post_hook(lambda lexicon, _: lexicon.build_tree())

    def build_tree(self) -> None:
        """(Re)build the tree of the prefixes of all words, which is derived and not stored.

        As words are sorted, those with a given prefix are a range of rows; `whole` (M, 2) is that range, and `ranges` (M, N, 3) has a byte and a
        range for each byte that follows. `keys`, sorted, and `node_of_key` find the node of a prefix.
        """
        device = self.spellings.device
        words = self.vocabulary() if device.type != "meta" else []
        nodes: dict[bytes, dict[int, list[int]]] = {}  # of each prefix, by the byte that follows: the first such word, and one past the last
        for i, word in enumerate(words):
            for j in range(len(word)):
                following = nodes.setdefault(word[:j], {})
                following[word[j]] = [following.get(word[j], (i,))[0], i + 1]
        ranges = torch.zeros(1 + len(nodes), MAX_NEXT_BYTES, 3, dtype=torch.int32)  # node 0 stands for what is no prefix
        for node, following in enumerate(nodes.values(), 1):
            most = sorted(following.items(), key=lambda item: item[1][0] - item[1][1])[:MAX_NEXT_BYTES]
            ranges[node, : len(most)] = torch.tensor([[byte, *words_of_it] for byte, words_of_it in most], dtype=torch.int32)
        whole = torch.tensor([[0, 0], *([min(f for f, _ in x.values()), max(p for _, p in x.values())] for x in nodes.values())], dtype=torch.int32)
        keys, node_of_key = torch.full((1,), -1), torch.zeros(1, dtype=torch.int32)
        if nodes:
            longest = max(map(len, words))
            features = word_features(torch.tensor([[*word, *bytes(longest - len(word))] for word in words]), self.config)
            place = {word[:j]: (i, j) for i, word in enumerate(words) for j in range(len(word))}
            i, j = torch.tensor([place[prefix] for prefix in nodes]).T
            keys = prefix_key(features.byte_rows[i, j, 0], features.byte_fingerprints[i, j, 0])
            order = (whole[1:, 0] - whole[1:, 1]).argsort(stable=True)  # where keys collide, the prefix with most words is found
            order = order[keys[order].argsort(stable=True)]
            keys, node_of_key = keys[order], order.int() + 1
        for name, tensor in (("ranges", ranges), ("whole", whole), ("keys", keys), ("node_of_key", node_of_key)):
            self.register_buffer(name, tensor.to(device), persistent=False)

    def vocabulary(self) -> list[bytes]:
        """The words, in the order of their bytes. Raises ValueError for those of a bad file: longer than a patch, not sorted, or repeated."""
        words = [bytes(row[:n]) for row, n in zip(self.spellings.tolist(), self.lengths.tolist(), strict=True) if n]
        is_sound = int(self.lengths.max()) <= self.config.max_patch_size and bool((self.lengths[: len(words)] > 0).all())
        if not is_sound or words != sorted(set(words)):
            raise ValueError("the words of its lexicon are too long or out of order")
        return words

    def word_probs(self, global_out: Tensor) -> Tensor:
        """The probability that each word comes next, and zeros up to a multiple of BLOCK. (..., D) -> (..., W) float32"""
        padding = self.num_probs - len(self.bias)
        logits = F.linear(global_out, F.pad(self.words.weight, (0, 0, 0, padding)).to(global_out.dtype))
        return (logits.float() + F.pad(self.bias, (0, padding), value=float("-inf"))).softmax(-1)

    def next_bytes(self, patch: Tensor, row: Tensor, fingerprint: Tensor) -> NextBytes:
        """What may come next at P positions. Shapes: all (P,): the index of each one's patch among the S; row and fingerprint of its prefix."""
        key = prefix_key(row, fingerprint)
        place = torch.searchsorted(self.keys, key).clamp(max=len(self.keys) - 1)
        node = torch.where(self.keys[place] == key, self.node_of_key[place], 0)
        ranges = self.ranges[node]  # (P, N, 3)
        position, which = (ranges[..., 2] > 0).nonzero(as_tuple=True)
        found = ranges[position, which].long()
        return NextBytes(patch, self.whole[node].long(), position, found[:, 0], found[:, 1:])

    def forward(self, word_probs: Tensor, next_bytes: NextBytes) -> Tensor:
        """The scores of each next id, (P, V) float32. Shapes: word_probs (S, W)."""
        P = len(next_bytes.patch)
        row = torch.cat((next_bytes.patch, next_bytes.patch[next_bytes.position]))
        sums = RangeSums.apply(word_probs, row, torch.cat((next_bytes.prefix, next_bytes.words)))
        prob = sums[P:] / (sums[:P][next_bytes.position] + PROB_UNLIKELY)
        scores = self.strength * torch.log1p(prob / PROB_FLOOR)
        return scores.new_zeros(P * NUM_IDS).index_add(0, next_bytes.position * NUM_IDS + next_bytes.next_id, scores).view(P, NUM_IDS)
