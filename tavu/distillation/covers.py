"""The exact next-byte distributions of a model over tokens: sums over the token strings that cover each prefix of a document.

A token string covers a prefix if it spells at least that, and without its last token does not (Vieira et al. 2024, arXiv 2412.03719, section 3;
Phan et al. 2024, arXiv 2410.09303, the Byte-Token Representation Lemma). The probability of a prefix is the sum over its covers, and that of the
next byte is a ratio of two such sums. END after a document: the token strings that spell exactly the document, each followed by the end token.
Covers are all token strings, as in Vieira et al., not only those that the tokenizer writes, as in Phan et al.: a model gives the others some
probability too, and only the sum over all is a distribution over bytes.

A token string that spells exactly document[:i] is a node of a tree. It contributes to row i, and to the rows within the tokens that may follow it.
First the tokenizer's own tokens of the document, the trunk, are read in one pass, then all nodes one token away from it, and so on. A node that has
followed the trunk for some tokens is read together with as many more of them: after unusual tokens within one word, the usual ones go on for long.
The number of nodes is exponential in the length of the document. So a node is dropped, with all that follows it, if its share of the probability of
the prefix is below `epsilon`, times 1 + the tokens for which it has followed the trunk: after these it says nearly what the trunk says, so its share
can be left to the others. With epsilon 0 none is dropped. The prefix is two bytes longer than the node, so that a node is kept which may matter
after a surprising byte, and its probability is the sum so far, a lower bound: fewer nodes are dropped, never more. A row is off by at most the
total share of what was dropped, in total variation.

Shapes: n bytes of a document, V tokens, 257 ids.
"""

import bisect
import itertools
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from tavu.distillation.token_tree import ROOT, TokenTree, nodes_at_once
from tavu.vocabulary import END, NUM_IDS

LOOK_AHEAD = 2
"""How many bytes of the document after a node decide whether it is negligible."""
FLOOR = -80.0
"""The natural logarithm that stands for a probability of 0, so that sums over ids stay finite."""


@dataclass(frozen=True)
class Branching:
    """The tokens that start with a prefix, [first, last) of the sorted ones: [first, longer) are the prefix itself, and the rest go on."""

    first: int
    longer: int
    last: int
    next_bytes: np.ndarray
    """The bytes that follow the prefix in longer tokens, ascending."""
    starts: np.ndarray
    """Where the tokens with each of those bytes begin, counted from `longer`."""


class TokenTrie:
    """Tokens sorted by their bytes, so that those with a common prefix lie together."""

    def __init__(self, spellings: dict[int, bytes], end: int):
        pairs = sorted((spelling, token) for token, spelling in spellings.items())
        self.spelling = spellings
        self.spellings = [spelling for spelling, _ in pairs]
        self.token_list = [token for _, token in pairs]
        self.tokens = np.array(self.token_list)
        self.end = end
        self.longest = max(map(len, self.spellings))
        self._branchings: dict[bytes, Branching | None] = {}

    def after(self, prefix: bytes) -> Branching | None:
        """The tokens that start with the prefix; None if there are none."""
        if prefix not in self._branchings:
            self._branchings[prefix] = self._find(prefix)
        return self._branchings[prefix]

    def _find(self, prefix: bytes) -> Branching | None:
        first = bisect.bisect_left(self.spellings, prefix)
        last = self._end_of(prefix, first)
        if first == last:
            return None
        longer = bisect.bisect_right(self.spellings, prefix, first, last)
        next_bytes, starts, start = [], [], longer
        while start < last:
            value = self.spellings[start][len(prefix)]
            next_bytes.append(value)
            starts.append(start - longer)
            start = self._end_of(prefix + bytes([value]), start)
        return Branching(first, longer, last, np.array(next_bytes, dtype=np.int64), np.array(starts, dtype=np.int64))

    def _end_of(self, prefix: bytes, first: int) -> int:
        return bisect.bisect_right(self.spellings, prefix, first, key=lambda spelling: spelling[: len(prefix)])


class _Masses:
    """For each position the probability of each next id, times that of all bytes before it, on a scale of its own so that nothing underflows."""

    def __init__(self, num_bytes: int):
        self.masses = np.zeros((num_bytes + 1, NUM_IDS))
        self.scales = [-math.inf] * (num_bytes + 1)
        """Natural logarithms of what the rows of `masses` are to be multiplied by."""

    def add(self, position: int, log_weight: float, ids: np.ndarray | int, masses: np.ndarray | float) -> None:
        """Add the masses of what may follow, times that of what came before."""
        scale = self.scales[position]
        if log_weight > scale:
            self.masses[position] *= math.exp(scale - log_weight)
            self.scales[position] = scale = log_weight
        self.masses[position, ids] += math.exp(log_weight - scale) * masses

    def log_totals(self) -> np.ndarray:
        """The logarithm of the probability of each prefix (n + 1,), as far as it was added."""
        with np.errstate(divide="ignore"):
            return np.log(self.masses.sum(axis=1)) + self.scales


def next_byte_log_probs(
    document: bytes, trunk: list[int], start: int, trie: TokenTrie, tree: TokenTree, *, epsilon: float, max_tokens: int
) -> np.ndarray:
    """Natural logarithms of the distribution of each byte and of END, given the bytes before it: (n + 1, 257) float64, none below FLOOR.

    `trunk` is a token string that spells the document, `start` the token before it, and `tree` a new tree. Token strings of more than `max_tokens`,
    `start` included, are dropped; the trunk must not be longer.
    """
    boundaries = [0, *itertools.accumulate(len(trie.spelling[token]) for token in trunk)]
    assert boundaries[-1] == len(document) and len(boundaries) <= max_tokens
    trunk_index = {position: index for index, position in enumerate(boundaries)}
    nodes, masses = [_Node(ROOT, _Child(start, 0, 0.0), 1, 0)], _Masses(len(document))
    ahead = _chain(nodes, trunk)
    size, first = nodes_at_once(len(trie.tokens)), 0
    while first < len(nodes):
        found: list[_Node] = []
        for begin in range(first, len(nodes), size):
            part = nodes[begin : begin + size]
            rows = tree.add([node.parent for node in part], [node.last.token for node in part]).astype(np.float64)  # (N, V)
            ends, sorted_rows = np.exp(rows[:, trie.end]).tolist(), rows[:, trie.tokens]
            for number, (end, row, probs) in enumerate(zip(ends, sorted_rows, np.exp(sorted_rows), strict=True), begin):
                node = nodes[number]
                masses.add(node.last.position, node.last.log_weight, END, end)
                for child in _spread(document, node.last, row, probs, trie, masses):
                    if ahead.get(number) == child.token:
                        nodes[number + 1] = nodes[number + 1]._replace(last=child)
                    elif node.length < max_tokens:
                        index = trunk_index.get(node.last.position, len(trunk))
                        follows = trunk[index : index + 1] == [child.token]
                        found.append(_Node(number, child, node.length + 1, node.followed + 1 if follows else 0))
        first = len(nodes)
        for node in _drop_negligible(found, masses.log_totals(), epsilon):
            nodes.append(node)
            if node.followed:
                index = trunk_index[node.last.position]
                ahead |= _chain(nodes, trunk[index : index + min(node.followed, max_tokens - node.length)])
    with np.errstate(divide="ignore"):
        return np.maximum(np.log(masses.masses / masses.masses.sum(axis=1, keepdims=True)), FLOOR)


class _Child(NamedTuple):
    """A token after a token string, and the string that it makes."""

    token: int
    position: int
    """The number of bytes that the string spells."""
    log_weight: float
    """The logarithm of the string's probability."""


class _Node(NamedTuple):
    parent: int
    last: _Child
    length: int
    """The number of tokens, the start token included."""
    followed: int
    """How many of the last tokens are those of the trunk at the same place."""


def _chain(nodes: list[_Node], tokens: Sequence[int]) -> dict[int, int]:
    """Add nodes for tokens that follow the last node one after another, and return the next token of each node but the last.

    Their positions and weights become known when their parents are read, and are set then.
    """
    ahead = {}
    for token in tokens:
        ahead[len(nodes) - 1] = token
        nodes.append(_Node(len(nodes) - 1, _Child(token, -1, math.nan), nodes[-1].length + 1, nodes[-1].followed + 1))
    return ahead


def _spread(document: bytes, last: _Child, row: np.ndarray, probs: np.ndarray, trie: TokenTrie, masses: _Masses) -> list[_Child]:
    """Add the tokens that may follow a node to `masses`, and return those that end within the document. (V,): log-probabilities and probabilities."""
    children = []
    for stop in range(last.position, min(len(document), last.position + trie.longest) + 1):
        branching = trie.after(document[last.position : stop])
        if branching is None:
            break
        for index in range(branching.first, branching.longer):
            children.append(_Child(trie.token_list[index], stop, last.log_weight + float(row[index])))
        if branching.longer < branching.last:
            sums = np.add.reduceat(probs[branching.longer : branching.last], branching.starts)
            masses.add(stop, last.log_weight, branching.next_bytes, sums)
    return children


def _drop_negligible(found: Sequence[_Node], log_totals: np.ndarray, epsilon: float) -> Iterator[_Node]:
    """The nodes with a large enough share of the probability of the prefix. Their own is added to `log_totals` (n + 1,)."""
    np.logaddexp.at(log_totals, [node.last.position for node in found], [node.last.log_weight for node in found])
    for node in found:
        share = math.exp(min(0.0, node.last.log_weight - log_totals[min(node.last.position + LOOK_AHEAD, len(log_totals) - 1)]))
        if share > 0 and share >= epsilon * (1 + node.followed):
            yield node
