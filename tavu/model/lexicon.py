"""The lexicon: what the global model expects the next word to be, out of some thousand common words, told byte by byte as a word is spelled.

A subword model scores whole words at once; so does this, and a byte's share is the part of the expected words that go on with it. Words that are
not in the lexicon lose nothing: their bytes are left to the local model.

Shapes: S patches, V words, D global width, M nodes of the tree of beginnings, N the most bytes that follow one.
"""

from typing import Any

import torch
from torch import Tensor, nn

from tavu.config import WordPatchConfig
from tavu.model.patching import NUM_NAMES, read_words
from tavu.model.transformer import Linear
from tavu.vocabulary import NUM_IDS

MAX_FOLLOWING = 32
FLOOR = 1e-3
"""A byte that this share of the expected words goes on with gets a score of log 2; one that none does, 0."""
UNLIKELY = 1e-5
"""A beginning that less than this share of the expected words has: what follows it is left to the local model."""


def beginning_key(row: Tensor, name: Tensor) -> Tensor:
    """One number for the beginning of a word, of its row and name in Words."""
    return row * NUM_NAMES + name


class SumsUpTo(torch.autograd.Function):
    """The sum of the first n shares of a row s, for each place s V + n - 1 of many, n > 0. Shapes: shares (S, V), places any.

    Summed in float64, since beginnings are differences of two sums near 1; Apple's GPUs have none. Written out with its gradient because
    autograd's own way copies all (S, V) several times over.
    """

    @staticmethod
    def forward(context: Any, shares: Tensor, places: Tensor) -> Tensor:
        context.save_for_backward(places)
        context.shape = shares.shape
        sums = shares.cumsum(1, dtype=torch.float32 if shares.device.type == "mps" else torch.float64)
        return sums.flatten().index_select(0, places.flatten()).view(places.shape)

    @staticmethod
    def backward(context: Any, *gradients: Tensor) -> tuple[Tensor, None]:
        (gradient,), (places,) = gradients, context.saved_tensors
        of_sums = gradient.new_zeros(context.shape)
        of_sums.view(-1).index_add_(0, places.flatten(), gradient.flatten())
        of_earlier_sums = of_sums.cumsum(1)
        total = of_earlier_sums[:, -1:].clone()
        return of_sums.sub_(of_earlier_sums).add_(total).float(), None  # a share is in its own sum and all later ones


class Lexicon(nn.Module):
    """Words, how much each is expected, and what that says of the next byte.

    training/counting.py decides which words there are; without it there are none.
    """

    def __init__(self, config: WordPatchConfig):
        super().__init__()
        self.config = config
        num_words = config.lexicon_words
        self.words = Linear(config.levels[0].dim, num_words, zero=True)
        self.bias = nn.Parameter(torch.zeros(num_words))
        self.strength = nn.Parameter(torch.full((1,), 0.5))
        self.register_buffer("spellings", torch.zeros(num_words, config.max_patch_size, dtype=torch.uint8))
        """In the order of their bytes; rows that are not used come last."""
        self.register_buffer("lengths", torch.zeros(num_words, dtype=torch.uint8))
        """Bytes of each word; 0: there is none."""
        self.make_tree()
        self.register_load_state_dict_post_hook(lambda lexicon, _: lexicon.make_tree())

    def make_tree(self) -> None:
        """(Re)compute the tree of all beginnings of words, which is derived and in no file."""
        device = self.spellings.device
        words = self.spelled() if device.type != "meta" else []
        nodes: dict[bytes, dict[int, list[int]]] = {}  # of each beginning, by the byte that follows: the first such word, and one past the last
        for i, word in enumerate(words):
            for j in range(len(word)):
                following = nodes.setdefault(word[:j], {})
                following[word[j]] = [following.get(word[j], (i,))[0], i + 1]
        ranges = torch.zeros(1 + len(nodes), MAX_FOLLOWING, 3, dtype=torch.int32)  # node 0 is of beginnings that are none
        for node, following in enumerate(nodes.values(), 1):
            most = sorted(following.items(), key=lambda item: item[1][0] - item[1][1])[:MAX_FOLLOWING]
            ranges[node, : len(most)] = torch.tensor([[byte, *words_of_it] for byte, words_of_it in most], dtype=torch.int32)
        whole = torch.tensor([[0, 0], *([min(f for f, _ in x.values()), max(p for _, p in x.values())] for x in nodes.values())], dtype=torch.int32)
        keys, node_of_key = torch.full((1,), -1), torch.zeros(1, dtype=torch.int32)
        if nodes:
            longest = max(map(len, words))
            read = read_words(torch.tensor([[*word, *bytes(longest - len(word))] for word in words]), self.config)
            place = {word[:j]: (i, j) for i, word in enumerate(words) for j in range(len(word))}
            i, j = torch.tensor([place[beginning] for beginning in nodes]).T
            keys = beginning_key(read.byte_rows[i, j, 0], read.byte_names[i, j, 0])
            order = (whole[1:, 0] - whole[1:, 1]).argsort(stable=True)  # of equal keys, that of most words is found
            order = order[keys[order].argsort(stable=True)]
            keys, node_of_key = keys[order], order.int() + 1
        for name, tensor in (("ranges", ranges), ("whole", whole), ("keys", keys), ("node_of_key", node_of_key)):
            self.register_buffer(name, tensor.to(device), persistent=False)

    def spelled(self) -> list[bytes]:
        """The words, in the order of their bytes."""
        return [bytes(row[:n]) for row, n in zip(self.spellings.tolist(), self.lengths.tolist(), strict=True) if n]

    def expect(self, global_out: Tensor) -> Tensor:
        """How much each word is expected, in shares of 1. (..., D) -> (..., V) float32"""
        return (self.words(global_out).float() + self.bias).softmax(-1)

    def forward(self, expected: Tensor, patch: Tensor, beginning: Tensor, name: Tensor) -> Tensor:
        """The scores of each next id, (..., 257) float32. Shapes: expected (S, V), others (...): which of S, row and name of the word so far."""
        key = beginning_key(beginning, name)
        place = torch.searchsorted(self.keys, key).clamp(max=len(self.keys) - 1)
        node = torch.where(self.keys[place] == key, self.node_of_key[place], 0)
        byte, first, past = self.ranges[node].long().unbind(-1)  # (..., N)
        begin, end = self.whole[node].long().unbind(-1)  # (...)
        words = torch.cat((first, past, begin[..., None], end[..., None]), dim=-1)
        places = (words - 1).clamp(min=0) + (patch * expected.size(-1))[..., None]
        before, up_to, begin, end = (SumsUpTo.apply(expected, places) * (words > 0)).split((MAX_FOLLOWING, MAX_FOLLOWING, 1, 1), dim=-1)
        share = (up_to - before) / (end - begin + UNLIKELY)
        scores = self.strength * torch.log1p(share / FLOOR).float()
        return scores.new_zeros(*patch.shape, NUM_IDS).scatter_add(-1, byte, scores)

    def is_sound(self) -> bool:
        """Whether words are no longer than a patch may be, different, and in order; those of a file may be anything."""
        words, used = self.spelled(), self.lengths > 0
        return int(self.lengths.max()) <= self.config.max_patch_size and bool(used[: len(words)].all()) and words == sorted(set(words))
