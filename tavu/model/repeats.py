"""Which words of a document may come again: those that go on as the patch so far, and what hints at each of them.

Shapes: B rows, T positions, K patches of the longest row, M words, each known to the patches after it: word i is the one before patch i, M = K.
All of it is causal, as in patching.py: `find_repeats` and `find_hints` tell it of whole rows, `SpelledWords` goes on id by id; tests hold them equal.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from tavu.config import WordPatchConfig
from tavu.model.rows import NUM_HINTS
from tavu.model.transformer import FIRST_ROOM
from tavu.vocabulary import END, MARK_ID

if TYPE_CHECKING:
    from tavu.model.patching import Words


@dataclass(frozen=True)
class Repeats:
    """Words of a document before a position whose letters begin as those of its own patch so far: what follows if one of them comes again.

    Shapes: all (R,), one for each such position and word.
    """

    position: Tensor
    """Of all B T positions, or of the rows where there is one position in each."""
    word: Tensor
    """Which patch of the row it is."""
    next_id: Tensor
    """Its next letter, or the id after its letters."""


def find_repeats(ids: Tensor, words: "Words") -> Repeats:
    """The repeats of ids (B, T), from what read_words says of them."""
    T, first, first_letter = ids.size(1), words.first, words.first_letter
    num_letters = (torch.arange(T, device=ids.device) - first_letter.gather(1, words.patch)).clamp(min=0)  # (B, T), of the patch so far
    place = first_letter[:, None] + num_letters[..., None]  # (B, T, K): where each word would go on
    inside = place.clamp(max=T - 1)
    end = F.pad(first[:, 1:], (0, 1), value=T)
    begins_so = words.letters.gather(1, inside.flatten(1)).view(place.shape) == words.letters[..., None]
    is_before = torch.arange(first.size(1), device=ids.device) < words.patch[..., None]
    document, _ = documents(ids)
    is_same = document.gather(1, first.clamp(max=T - 1))[:, None] == document[..., None]
    row, t, word = (begins_so & is_before & is_same & (place < end[:, None])).nonzero(as_tuple=True)
    return Repeats(row * T + t, word, ids[row, inside[row, t, word]])


def find_hints(ids: Tensor, words: "Words") -> Tensor:
    """What speaks for each word before a patch to come next: 1 or 0, (B, K, 2, M), of NUM_HINTS:

    - It stands after the same word as the one that was just written, earlier in the document (what induction heads look for, Olsson et al. 2022,
      arXiv 2209.11895).
    - It was asked for, standing before the last MARK_ID of the document (data/records.py), and has not been written since.
    """
    T, first = ids.size(1), words.first
    begin = first.clamp(max=T - 1)
    position = torch.arange(T, device=ids.device)
    document, document_begin = documents(ids)
    mark = torch.where(ids == MARK_ID, position, -1).cummax(1).values  # the last one up to each position
    mark = F.pad(mark[:, :-1], (1, 0), value=-1).gather(1, begin)  # (B, K): before each patch
    mark = torch.where(mark >= document_begin.gather(1, begin), mark, -1)
    document = document.gather(1, begin)  # (B, K): of each patch
    of_word, began = F.pad(document[:, :-1], (1, 0), value=-1), F.pad(first[:, :-1], (1, 0), value=-1)  # (B, M): of the word before each patch
    is_same = (document[:, :, None] == of_word[:, None]).tril()  # (B, K, M): of the document, and before the patch
    equal = words.word[:, :, None] == words.word[:, None]
    after = F.pad(equal[:, :, :-1] & (of_word[:, None, 1:] == of_word[:, None, :-1]), (1, 0))
    asked = began[:, None] <= mark[:, :, None]
    told = (began > mark) & (mark >= 0)  # (B, K): the word before each patch is a part of the answer
    written = (equal & told[:, :, None] & (of_word[:, :, None] == of_word[:, None])).tril(-1).byte().cummax(1).values.bool()
    return (torch.stack((after, asked & ~written), dim=2) & is_same[:, :, None]).float()


def documents(ids: Tensor) -> tuple[Tensor, Tensor]:
    """Which document of its row each position belongs to, and where that begins. An END belongs to the document that it ends. All (B, T)."""
    is_end = (ids == END).long()
    past_end = is_end * torch.arange(1, ids.size(1) + 1, device=ids.device)
    return is_end.cumsum(1) - is_end, F.pad(past_end[:, :-1], (1, 0)).cummax(1).values


class SpelledWords:
    """The patches of each row from their first letter on, which of them begin as the unfinished one does, and what hints at them."""

    def __init__(self, config: WordPatchConfig, rows: int):
        num_patches = min(config.max_seq_len + 1, FIRST_ROOM)
        self.ids = np.zeros((rows, num_patches, config.max_patch_size), dtype=np.int16)
        self.sizes = np.zeros((rows, num_patches), dtype=np.int64)
        self.num_patches = np.zeros(rows, dtype=np.int64)
        """Without the unfinished one."""
        self.begin_document = np.zeros(rows, dtype=np.int64)
        """The first of them that is of the same document."""
        self.begin_so = np.zeros((rows, num_patches), dtype=bool)
        self.words = np.zeros((rows, num_patches), dtype=np.uint64)
        """Their hashes (Words.word)."""
        self.asked, self.written = np.zeros((2, rows, num_patches), dtype=bool)
        """Which of them stand before the document's last mark, and which have come again after a mark."""
        self.has_mark, self.is_answer = np.zeros((2, rows), dtype=bool)
        """Whether the unfinished patch holds a mark, and whether one came before it in the document."""

    def grow(self, more: int) -> None:
        """Make room for so many more patches in each row."""
        self.ids = np.pad(self.ids, ((0, 0), (0, more), (0, 0)))
        for name in ("sizes", "begin_so", "words", "asked", "written"):
            setattr(self, name, np.pad(getattr(self, name), ((0, 0), (0, more))))

    def feed(self, new: np.ndarray, letter: np.ndarray, num_letters: np.ndarray) -> None:
        """Go on by one id in each row, after so many letters of its patch. Shapes: all (B,)."""
        rows = np.arange(len(new))
        goes_on = (self.sizes > num_letters[:, None]) & (self.ids[rows, :, num_letters] == new[:, None])
        self.begin_so &= goes_on | ~letter[:, None]
        self.has_mark |= new == MARK_ID
        kept = rows[letter | (num_letters > 0)]
        patches = self.num_patches[kept]
        self.ids[kept, patches, self.sizes[kept, patches]] = new[kept]
        self.sizes[kept, patches] += 1

    def begin_patches(self, begins: np.ndarray, ended: np.ndarray, word: np.ndarray) -> None:
        """Begin a new patch in some rows, and a new document in some of these, after a word. Shapes: all (B,)."""
        for row in np.flatnonzero(begins):
            patch, document = self.num_patches[row], slice(self.begin_document[row], self.num_patches[row] + 1)
            self.words[row, patch] = word[row]
            if self.has_mark[row]:
                self.asked[row, document] = True
            elif self.is_answer[row]:
                self.written[row, document] |= (self.words[row, document] == word[row]) & (np.arange(document.start, document.stop) < patch)
            self.is_answer[row] = (self.is_answer[row] | self.has_mark[row]) & ~ended[row]
            self.has_mark[row] = False
        self.num_patches = self.num_patches + begins
        self.begin_document = np.where(ended, self.num_patches, self.begin_document)
        patch = np.arange(self.sizes.shape[1])
        of_document = (patch < self.num_patches[:, None]) & (patch >= self.begin_document[:, None])
        self.begin_so = np.where(begins[:, None], of_document, self.begin_so)

    def hints(self, rows: list[int]) -> np.ndarray:
        """As WordReader.hints."""
        hints = np.zeros((len(rows), NUM_HINTS, self.words.shape[1]), dtype=np.float32)
        for hint, row in zip(hints, rows, strict=True):
            begin, now = self.begin_document[row], self.num_patches[row]
            if now > begin:
                hint[0, begin + 2 : now + 1] = self.words[row, begin : now - 1] == self.words[row, now - 1]
                hint[1, begin + 1 : now + 1] = (self.asked & ~self.written)[row, begin:now]
        return hints

    def going_on(self, num_letters: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        row, word = np.nonzero(self.begin_so & (self.sizes > num_letters[:, None]))
        return row, word, self.ids[row, word, num_letters[row]].astype(np.int64)
