"""The lexicon: the probability of each of some thousand common words, passed on to each byte as the word is spelled.

A subword model scores whole words at once; so does the global model here. The score of a byte comes from its share of the probability of the words
that start with the prefix so far. Where no word of the lexicon does, all scores are 0 and the byte is left to the local model.

Shapes: S patches, W words, D global width, M nodes of the tree of prefixes, N the most bytes that follow one.
"""

from typing import Any

import torch
from torch import Tensor, nn

from tavu.config import WordPatchConfig
from tavu.model.layers import Linear
from tavu.model.words.read import NUM_FINGERPRINTS, word_features
from tavu.vocabulary import NUM_IDS

MAX_NEXT_BYTES = 32
PROB_FLOOR = 1e-3
"""A byte of probability p scores log(1 + p / PROB_FLOOR), times a learned strength: one of probability 0 scores 0."""
PROB_UNLIKELY = 1e-5
"""Added to the denominator, the probability of the prefix, so that an improbable prefix gives no score."""


def prefix_key(row: Tensor, fingerprint: Tensor) -> Tensor:
    """One number for a prefix, from its row and fingerprint in WordFeatures."""
    return row * NUM_FINGERPRINTS + fingerprint


class SumsUpTo(torch.autograd.Function):
    """Place s W + n - 1 gives the sum of the first n probabilities of row s, n >= 1. Shapes: probs (S, W), places any.

    Summed in float64, since the probability of a prefix is the difference of two sums near 1; Apple's GPUs have none. Written out with its gradient
    because autograd's own way copies all (S, W) several times.
    """

    @staticmethod
    def forward(context: Any, probs: Tensor, places: Tensor) -> Tensor:
        context.save_for_backward(places)
        context.shape = probs.shape
        sums = probs.cumsum(1, dtype=torch.float32 if probs.device.type == "mps" else torch.float64)
        return sums.flatten().index_select(0, places.flatten()).view(places.shape)

    @staticmethod
    def backward(context: Any, *gradients: Tensor) -> tuple[Tensor, None]:
        (gradient,), (places,) = gradients, context.saved_tensors
        of_sums = gradient.new_zeros(context.shape)
        of_sums.view(-1).index_add_(0, places.flatten(), gradient.flatten())
        of_earlier_sums = of_sums.cumsum(1)
        total = of_earlier_sums[:, -1:].clone()
        return of_sums.sub_(of_earlier_sums).add_(total).float(), None  # a probability is in its own sum and all later ones


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
        """The probability that each word comes next. (..., D) -> (..., W) float32"""
        return (self.words(global_out).float() + self.bias).softmax(-1)

    def forward(self, word_probs: Tensor, patch: Tensor, row: Tensor, fingerprint: Tensor) -> Tensor:
        """The scores of each next id, (..., 257) float32, given the prefix so far.

        Shapes: word_probs (S, W); patch (...), the index of each position's patch among the S; row, fingerprint (...) of the prefix.
        """
        key = prefix_key(row, fingerprint)
        place = torch.searchsorted(self.keys, key).clamp(max=len(self.keys) - 1)
        node = torch.where(self.keys[place] == key, self.node_of_key[place], 0)
        byte, first, past = self.ranges[node].long().unbind(-1)  # (..., N)
        begin, end = self.whole[node].long().unbind(-1)  # (...)
        words = torch.cat((first, past, begin[..., None], end[..., None]), dim=-1)
        places = (words - 1).clamp(min=0) + (patch * word_probs.size(-1))[..., None]
        sums = SumsUpTo.apply(word_probs, places) * (words > 0)
        before, up_to, begin, end = sums.split((MAX_NEXT_BYTES, MAX_NEXT_BYTES, 1, 1), dim=-1)
        prob = (up_to - before) / (end - begin + PROB_UNLIKELY)
        scores = self.strength * torch.log1p(prob / PROB_FLOOR).float()
        return scores.new_zeros(*patch.shape, NUM_IDS).scatter_add(-1, byte, scores)
