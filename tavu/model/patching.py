"""Where words begin, and names (hashes) for runs of ids: how the word model cuts and reads its patches.

Shapes: B rows, T positions, K patches of the longest row, O names of a position: its word so far, n-grams and phrases.
A patch begins at the first byte after a run of letters and one non-letter (the SpaceByte rule, Slagle 2024, arXiv 2404.14408, section 2), after
an END, and after max_patch_size bytes of one patch. Letters are ASCII letters and digits, and every byte from 128 on, so words of any script hold
together. All of it is causal: what is said of position t depends on ids[:, :t] alone.

A run of ids has the hash sum over i of (id_i + 1) * MULTIPLIER ** i modulo 2 ** 64, i counted from its first id (ids before the row count as -1),
so that differences of one cumulative sum give the hash of every run of a row at once. `read_words` does that for whole rows, `WordReader` goes on
id by id; tests hold them equal.
"""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from tavu.config import WordPatchConfig
from tavu.model.repeats import SpelledWords
from tavu.model.rows import row_ranges
from tavu.vocabulary import END, NUM_IDS

BEGIN = NUM_IDS
"""Stands for the id before the first one of a row."""

_IS_LETTER = np.array([chr(i).isalnum() if i < 128 else i < 256 for i in range(NUM_IDS)])
_MULTIPLIER = 0x9E3779B97F4A7C15
_INVERSE = pow(_MULTIPLIER, -1, 1 << 64)
_MIX = 0xBF58476D1CE4E5B9
_PAIR = 31
_NAME_SHIFT = 40
NUM_NAMES = 1 << 16


@dataclass(frozen=True)
class Words:
    """Which patch each position falls in, and the table rows that the model reads there.

    Shapes: first, first_letter (B, K), T where a row has fewer patches; patch, letters (B, T); word, pair_row, last_id (B, K);
    byte_rows, byte_names (B, T, O).
    """

    patch: Tensor
    first: Tensor
    """Position at which each patch begins."""
    word: Tensor
    """The hash of the letters of the patch before, or of all of it where it has none: a word is the same word before a comma."""
    pair_row: Tensor
    """The row of the two words before."""
    last_id: Tensor
    """The last id of the patch before, BEGIN at the start of the row."""
    byte_rows: Tensor
    """Of the ids of the patch before this position, of the last n ids for each order n of n-grams, and of the patch so far together with the n
    patches before for each order n of phrases; all rows of one table (see RowRanges)."""
    byte_names: Tensor
    """More of the hashes behind byte_rows, 0 to NUM_NAMES - 1, to tell most of the runs apart that share a row."""
    first_letter: Tensor
    """Position of the first letter of each patch, T where it has none."""
    letters: Tensor
    """The hash of the letters of the patch before this position."""


def read_words(ids: Tensor, config: WordPatchConfig) -> Words:
    """The patches of ids (B, T), and what the model reads at each position and patch, from the ids before it."""
    B, T = ids.shape
    position = torch.arange(T, device=ids.device)
    longest = max(config.ngram_orders, default=0)
    powers, inverses = _power_tables(_next_power_of_two(longest + T + 1), ids.device)
    letter = torch.from_numpy(_IS_LETTER).to(ids.device)[ids]
    begins = _begins(ids, letter, config.max_patch_size)
    patch = begins.cumsum(1) - 1
    num_patches = int(patch[:, -1].max()) + 1
    first = torch.full((B, num_patches), T, device=ids.device).scatter_reduce_(1, patch, position.expand(B, T), "amin")

    # sums[:, i] is of what comes before position i - longest: the ids, and before a row as many zeros as the longest n-gram has ids
    sums = torch.zeros(B, longest + T + 1, dtype=torch.long, device=ids.device)
    torch.cumsum((ids + 1) * powers[longest : longest + T], dim=1, out=sums[:, longest + 1 :])

    def run_hash(start: Tensor, stop: Tensor) -> Tensor:
        start, stop = start + longest, stop + longest
        return (sums.gather(1, stop) - sums.gather(1, start)) * inverses[start]

    def begin_of(order: int) -> Tensor:
        """Where the patch `order` patches before each one begins."""
        return F.pad(first, (order, 0))[:, :num_patches]

    num_letters = torch.zeros_like(first).scatter_add_(1, patch, letter.long())
    first_letter = torch.full_like(first, T).scatter_reduce_(1, patch, torch.where(letter, position, T), "amin")
    has_letters = (num_letters > 0)[:, :-1]
    start = F.pad(torch.where(has_letters, first_letter[:, :-1], first[:, :-1]), (1, 0))
    stop = torch.where(F.pad(has_letters, (1, 0)), start + F.pad(num_letters[:, :-1], (1, 0)), first)
    word = run_hash(start, stop)
    word_before = torch.cat((torch.zeros_like(word[:, :1]), word[:, :-1]), dim=1)
    previous = torch.cat((torch.full_like(ids[:, :1], BEGIN), ids), dim=1)  # the id before each position
    here = position.expand(B, T)
    ranges = row_ranges(config)
    salts, masks, starts = (torch.tensor(x, device=ids.device) for x in (ranges.salts, ranges.masks, ranges.starts))
    runs = [run_hash(first.gather(1, patch), here)]
    runs += [run_hash(here - order, here) for order in config.ngram_orders]
    runs += [run_hash(begin_of(order).gather(1, patch), here) for order in config.phrase_orders]
    hashes = _mix(torch.stack(runs, dim=-1) + salts)
    return Words(
        patch=patch,
        first=first,
        word=word,
        pair_row=bucket(word * _PAIR + _mix(word_before), config.pair_rows) if config.pair_rows else torch.zeros_like(word),
        last_id=previous.gather(1, first),
        byte_rows=(hashes & masks) + starts,
        byte_names=hashes >> _NAME_SHIFT & NUM_NAMES - 1,
        first_letter=first_letter,
        letters=run_hash(torch.minimum(first_letter.gather(1, patch), here), here),
    )


def _begins(ids: Tensor, letter: Tensor, max_patch_size: int) -> Tensor:
    """Whether a patch begins at each position, from ids and whether each is a letter. Shapes: all (B, T)."""
    B, T = ids.shape
    begins = torch.zeros(B, T, dtype=torch.bool, device=ids.device)
    begins[:, 0] = True
    begins[:, 1:] = ids[:, :-1] == END
    begins[:, 2:] |= ~letter[:, 1:-1] & letter[:, :-2]
    position = torch.arange(T, device=ids.device)
    word_start = torch.where(begins, position, 0).cummax(1).values
    return (position - word_start) % max_patch_size == 0


def _mix(x: Tensor) -> Tensor:
    """x with every bit spread over the low ones (int64, shifts as if unsigned)."""
    x = x ^ ((x >> 29) & ((1 << 35) - 1))
    x = x * _signed(_MIX)
    return x ^ ((x >> 32) & ((1 << 32) - 1))


def bucket(run_hash: Tensor, num_rows: int) -> Tensor:
    """The row, of a power of two, that a hash falls in."""
    return _mix(run_hash) & (num_rows - 1)


def _signed(x: int) -> int:
    return x - (1 << 64) if x >> 63 else x


def _next_power_of_two(n: int) -> int:
    return 1 << (n - 1).bit_length()


@lru_cache(maxsize=8)
def _power_tables(length: int, device: torch.device) -> tuple[Tensor, Tensor]:
    """MULTIPLIER ** i and MULTIPLIER ** -i modulo 2 ** 64 for i in 0..length - 1, int64."""
    tables = []
    for base in (_MULTIPLIER, _INVERSE):
        powers = [1]
        for _ in range(length - 1):
            powers.append(powers[-1] * base % (1 << 64))
        tables.append(torch.tensor([_signed(p) for p in powers], device=device))
    return tables[0], tables[1]


class WordReader:
    """What read_words says of the next position, kept up to date as each row grows by one id."""

    def __init__(self, config: WordPatchConfig, rows: int):
        self.config = config
        orders, phrases = config.ngram_orders, config.phrase_orders
        self.window = max(orders, default=0)
        longest = max(self.window, (1 + max(phrases, default=0)) * config.max_patch_size)
        self.powers = np.array([pow(_MULTIPLIER, i, 1 << 64) for i in range(longest + 1)], dtype=np.uint64)
        self.ngram_powers = np.zeros((len(orders), self.window), dtype=np.uint64)
        for powers, order in zip(self.ngram_powers, orders, strict=True):
            powers[self.window - order :] = self.powers[:order]
        ranges = row_ranges(config)
        self.salts, self.masks, self.starts = (np.array(x, dtype=np.uint64) for x in (ranges.salts, ranges.masks, ranges.starts))
        self.begins = np.ones(rows, dtype=bool)
        """Whether a patch begins at the next position."""
        self.last_id = np.full(rows, BEGIN)
        self.after_letter = np.zeros(rows, dtype=bool)
        self.sizes = np.zeros((1 + max(phrases, default=0), rows), dtype=np.int64)
        """Ids in the unfinished patch and the n patches before it, n = 0, 1, ...; at a beginning, sizes[0] is 0."""
        self.runs = np.zeros(self.sizes.shape, dtype=np.uint64)
        """The hashes of these ids."""
        self.num_letters = np.zeros(rows, dtype=np.int64)
        self.letters, self.word, self.word_before = np.zeros((3, rows), dtype=np.uint64)
        """Of the letters of the unfinished patch, how many and their hash; the words of the two patches before."""
        self.recent = np.zeros((rows, self.window), dtype=np.uint64)
        """The last ids + 1, oldest first; 0 before the row began."""
        self.spelled = SpelledWords(config, rows) if config.pointer_dim else None

    def feed(self, new: np.ndarray) -> None:
        """Go on by one id in each row, new (B,)."""
        letter = _IS_LETTER[new]
        if self.spelled is not None:
            self.spelled.feed(new, letter, self.num_letters)
        values = new.astype(np.uint64) + np.uint64(1)
        self.runs = self.runs + values * self.powers[self.sizes]
        self.sizes = self.sizes + 1
        self.letters = self.letters + letter * values * self.powers[self.num_letters]
        self.num_letters = self.num_letters + letter
        if self.window:
            self.recent = np.concatenate((self.recent[:, 1:], values[:, None]), axis=1)
        self.begins = (new == END) | (~letter & self.after_letter) | (self.sizes[0] == self.config.max_patch_size)
        self.word_before = np.where(self.begins, self.word, self.word_before)
        self.word = np.where(self.begins, np.where(self.num_letters > 0, self.letters, self.runs[0]), self.word)
        self.letters, self.num_letters = np.where(self.begins, 0, self.letters), np.where(self.begins, 0, self.num_letters)
        self.runs = np.where(self.begins, _one_patch_on(self.runs), self.runs)
        self.sizes = np.where(self.begins, _one_patch_on(self.sizes), self.sizes)
        self.after_letter, self.last_id = letter, new
        if self.spelled is not None:
            self.spelled.begin_patches(self.begins, new == END, self.word)

    def repeats(self) -> tuple[np.ndarray, np.ndarray, np.ndarray] | None:
        """The fields (R,) of Repeats, its positions being rows."""
        return None if self.spelled is None else self.spelled.going_on(self.num_letters)

    def hints(self, rows: list[int]) -> np.ndarray | None:
        """find_hints for the patches that begin next, or last began, in some rows, (R, 2, M) float32."""
        return None if self.spelled is None else self.spelled.hints(rows)

    def patch_rows(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """word, pair_row and last_id (B,) of the patch that begins at the next position."""
        pair = _mix_unsigned(self.word * np.uint64(_PAIR) + _mix_unsigned(self.word_before)) & np.uint64(max(0, self.config.pair_rows - 1))
        return self.word.view(np.int64), pair.view(np.int64), self.last_id

    def byte_rows(self) -> tuple[np.ndarray, np.ndarray]:
        """byte_rows and byte_names (B, O) of the next position."""
        ngrams = (self.recent[:, None] * self.ngram_powers).sum(axis=2, dtype=np.uint64)
        runs = np.concatenate((self.runs[:1].T, ngrams, self.runs[list(self.config.phrase_orders)].T), axis=1)
        hashes = _mix_unsigned(runs + self.salts)
        names = hashes >> np.uint64(_NAME_SHIFT) & np.uint64(NUM_NAMES - 1)
        return ((hashes & self.masks) + self.starts).astype(np.int64), names.astype(np.int64)


def _one_patch_on(runs: np.ndarray) -> np.ndarray:
    """What is told of n = 0, 1, ... patches before, once the unfinished one is the first of them."""
    return np.concatenate((np.zeros_like(runs[:1]), runs[:-1]))


def _mix_unsigned(x: np.ndarray) -> np.ndarray:
    x = (x ^ (x >> np.uint64(29))) * np.uint64(_MIX)
    return x ^ (x >> np.uint64(32))
