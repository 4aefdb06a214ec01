"""What the word model reads of ids: the patch of each position, and the table rows that are looked up at each patch and each byte.

Shapes: B rows, T positions, K patches of the longest row, O table rows read at each position: one for the prefix of its word, one for each n-gram
and phrase that ends there.
All of it is causal: what is said of position t, and of the patch that begins there, depends on ids[:, :t] alone. The native engine reads the same
id by id (engine/hashing.c); tests hold the two equal.
"""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from tavu.config import WordPatchConfig
from tavu.model.words.cut import begins_patch, is_letter
from tavu.model.words.hashing import bucket, mix, run_hashes
from tavu.model.words.rows import row_ranges
from tavu.vocabulary import NUM_IDS

BEGIN = NUM_IDS
"""Stands for the id before the first one of a row."""
NUM_FINGERPRINTS = 1 << 16
FINGERPRINT_SHIFT = 40
PAIR_MULTIPLIER = 31
PATCH_STEP = 16
"""Padded, the number of patches is a multiple of this."""


@dataclass(frozen=True)
class WordFeatures:
    """Which patch each position falls in, and the table rows that the model reads there.

    Shapes: start, first_letter (B, K), T where a row has fewer patches; patch, prefix (B, T); last_word, pair_row, last_id (B, K);
    byte_rows, byte_fingerprints (B, T, O).
    """

    patch: Tensor
    start: Tensor
    """Position at which each patch begins."""
    last_word: Tensor
    """The hash of the patch before: of its letters, so that `cat,` equals `cat `, or of all its bytes if it has no letters."""
    pair_row: Tensor
    """The table row of the two words before."""
    last_id: Tensor
    """The last id of the patch before, BEGIN at the start of the row."""
    byte_rows: Tensor
    """Table rows, by hash, of the ids of the patch before this position, of the last n ids for each n of ngram_orders, and of the patch so far
    together with the n patches before for each n of phrase_orders; all in one table (see RowRanges)."""
    byte_fingerprints: Tensor
    """More bits of these hashes, 0 to NUM_FINGERPRINTS - 1, which tell apart most of the runs that share a row."""
    first_letter: Tensor
    """Position of the first letter of each patch, T where it has none."""
    prefix: Tensor
    """The hash of the letters of the patch before this position."""


def word_features(ids: Tensor, config: WordPatchConfig, *, patch_step: int = 1) -> WordFeatures:
    """The patches of ids (B, T), and what the model reads at each position and patch, from the ids before it.

    K is rounded up to a multiple of patch_step, as if the longest row had that many patches.
    """
    B, T = ids.shape
    position = torch.arange(T, device=ids.device)
    letter = is_letter(ids)
    patch = begins_patch(ids, letter, config.max_patch_size).cumsum(1) - 1
    num_patches = -(-(int(patch[:, -1].max()) + 1) // patch_step) * patch_step
    start = torch.full((B, num_patches), T, device=ids.device).scatter_reduce_(1, patch, position.expand(B, T), "amin")
    run_hash = run_hashes(ids, longest=max(config.ngram_orders, default=0))

    num_letters = torch.zeros_like(start).scatter_add_(1, patch, letter.long())
    first_letter = torch.full_like(start, T).scatter_reduce_(1, patch, torch.where(letter, position, T), "amin")
    has_letters = (num_letters > 0)[:, :-1]
    word_start = F.pad(torch.where(has_letters, first_letter[:, :-1], start[:, :-1]), (1, 0))
    word_stop = torch.where(F.pad(has_letters, (1, 0)), word_start + F.pad(num_letters[:, :-1], (1, 0)), start)
    last_word = run_hash(word_start, word_stop)
    word_before = torch.cat((torch.zeros_like(last_word[:, :1]), last_word[:, :-1]), dim=1)
    previous = torch.cat((torch.full_like(ids[:, :1], BEGIN), ids), dim=1)  # the id before each position
    here = position.expand(B, T)

    def start_before(order: int) -> Tensor:
        """Where the patch `order` patches before each one begins."""
        return F.pad(start, (order, 0))[:, :num_patches]

    runs = [run_hash(start.gather(1, patch), here)]
    runs += [run_hash(here - order, here) for order in config.ngram_orders]
    runs += [run_hash(start_before(order).gather(1, patch), here) for order in config.phrase_orders]
    ranges = row_ranges(config)
    salts, masks, starts = (torch.tensor(x, device=ids.device) for x in (ranges.salts, ranges.masks, ranges.starts))
    hashes = mix(torch.stack(runs, dim=-1) + salts)
    return WordFeatures(
        patch=patch,
        start=start,
        last_word=last_word,
        pair_row=bucket(last_word * PAIR_MULTIPLIER + mix(word_before), config.pair_rows) if config.pair_rows else torch.zeros_like(last_word),
        last_id=previous.gather(1, start),
        byte_rows=(hashes & masks) + starts,
        byte_fingerprints=hashes >> FINGERPRINT_SHIFT & NUM_FINGERPRINTS - 1,
        first_letter=first_letter,
        prefix=run_hash(torch.minimum(first_letter.gather(1, patch), here), here),
    )


def pad_to_size(*lists: Tensor) -> list[Tensor]:
    """Lists of one length (R, ...), padded by zeros to one of a few lengths: at most eight between a power of two and the next.

    >>> [len(pad_to_size(torch.ones(n))[0]) for n in (3, 100, 130, 1030)]
    [64, 104, 144, 1152]
    """
    length = max(64, len(lists[0]))
    step = 1 << max(0, (length - 1).bit_length() - 4)
    padding = -(-length // step) * step - len(lists[0])
    return [F.pad(each, (*(0, 0) * (each.dim() - 1), 0, padding)) for each in lists]
