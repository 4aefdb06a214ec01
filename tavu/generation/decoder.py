"""A model as a machine that takes ids one at a time and tells what may come next, for as long as one likes.

Shapes: N rows, all of the same length; t ids read; V ids.
"""

import torch
from torch import Tensor

from tavu.model_file import Model


class Decoder:
    """Rows of ids read so far, and the logits of the next id in each.

    A model's context is max_seq_len ids. When that is full, the later half of it is read again and the text goes on from there:
    a reader of the text sees no seam, and a byte costs the same on average however long the text is.
    """

    def __init__(self, model: Model, ids: Tensor, dtype: torch.dtype = torch.float32):
        """Read ids (N, t), t >= 1; of more than the context holds, the last ones."""
        self.model, self.dtype = model, dtype
        self.logits = self._read(ids[:, -(model.config.max_seq_len - 1) :])

    def feed(self, new: Tensor) -> Tensor:
        """The logits (N, V) of the next id, after one more id (N,) in each row."""
        if self.ids.size(1) + 1 < self.model.config.max_seq_len:
            self.ids = torch.cat((self.ids, new[:, None]), dim=1)
            self.logits = self.model.step(new, self.cache)
        else:
            keep = self.model.config.max_seq_len // 2
            self.logits = self._read(torch.cat((self.ids, new[:, None]), dim=1)[:, -keep:])
        return self.logits

    def _read(self, ids: Tensor) -> Tensor:
        self.ids = ids
        self.cache = self.model.empty_cache(len(ids), self.dtype)
        return self.model.prefill(ids, self.cache)
