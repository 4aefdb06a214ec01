"""A teacher that reads subwords: any causal model of the transformers library whose tokenizer keeps every byte. Extra `hf`.

A document starts with the tokenizer's bos_token (eos_token if it has none), and END is its eos_token. Other special tokens are given no probability.
"""

import hashlib
import importlib
import json
from collections.abc import Iterator, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch

from tavu.distillation.covers import TokenTrie, next_byte_log_probs
from tavu.distillation.token_bytes import TokenBytes, read_tokenizer
from tavu.distillation.token_tree import CachedTree, UncachedTree, reads_trees
from tavu.errors import TavuError

PREFIX = "hf:"
EPSILON = 2e-3
MAX_TOKENS = 1024
"""The most tokens in a window: the masks of a tree grow with its square."""
_VERSION = 1
"""Part of the digest: to be raised when distributions change."""


class SubwordTeacher:
    """See Teacher (teacher.py): the exact next-byte probabilities of a model over tokens, but for token strings of a share below epsilon (covers.py).

    A document whose tokens exceed the context is read in windows of the tokenizer's tokens. Each begins with the start token. Each after the first
    begins half a context before the rows that it contributes. Within a window, token strings longer than the context are dropped.
    """

    def __init__(self, model: Any, tokens: TokenBytes, *, name: str, epsilon: float = EPSILON):
        self.name, self.model, self.tokens, self.epsilon = name, model.eval(), tokens, epsilon
        config = model.config.get_text_config()
        limits = (getattr(config, limit, None) for limit in ("max_position_embeddings", "sliding_window"))  # not every kind of model has them
        self.max_tokens = min([MAX_TOKENS, *(limit for limit in limits if limit)])
        self.trie = TokenTrie({token: spelling for token, spelling in tokens.spellings.items() if token < config.vocab_size}, tokens.end)
        self.allowed = torch.zeros(config.vocab_size, dtype=torch.bool, device=model.device)
        self.allowed[torch.from_numpy(self.trie.tokens)] = True
        self.allowed[tokens.end] = True
        sample = [tokens.start, *tokens.encode(b"Once upon a time, there was a bear.")][: self.max_tokens]
        self.new_tree = CachedTree if reads_trees(model, self.allowed, sample) else UncachedTree

    def log_probs(self, documents: Sequence[bytes]) -> Iterator[np.ndarray]:
        """See Teacher. Raises TavuError for a byte that no token of the model spells."""
        for document in documents:
            yield self._document_log_probs(document).astype(np.float32)

    def _document_log_probs(self, document: bytes) -> np.ndarray:
        trunk = self.tokens.encode(document)
        text = self.tokens.prefix + document
        ends = np.cumsum([0, *(len(self.trie.spelling[token]) for token in trunk)])
        parts = []
        for start, stop, first_new in windows(len(trunk), self.max_tokens):
            window = text[ends[start] : ends[stop]]
            tree = self.new_tree(self.model, self.allowed)
            rows = next_byte_log_probs(
                window, trunk[start:stop], self.tokens.start, self.trie, tree, epsilon=self.epsilon, max_tokens=self.max_tokens
            )
            parts.append(rows if start == 0 else rows[ends[first_new] - ends[start] + 1 :])
        return np.concatenate(parts)[len(self.tokens.prefix) :]

    @property
    def digest(self) -> str:
        """See Teacher."""
        return self._digest

    @cached_property
    def _digest(self) -> str:
        digest = hashlib.sha256(json.dumps([_VERSION, self.epsilon, self.max_tokens, self.tokens.serialized, str(self.model.config)]).encode())
        for name, tensor in sorted(self.model.state_dict().items()):
            digest.update(name.encode())
            digest.update(tensor.detach().cpu().contiguous().flatten().view(torch.uint8).numpy())
        return digest.hexdigest()


def windows(num_tokens: int, max_tokens: int) -> Iterator[tuple[int, int, int]]:
    """For each window its tokens [start, stop), and the token after which it is the first to say what follows. Each has a start token besides.

    >>> list(windows(9, 5))
    [(0, 4, 0), (2, 6, 4), (4, 8, 6), (6, 9, 8)]
    """
    start, stop, first_new = 0, min(num_tokens, max_tokens - 1), 0
    yield start, stop, first_new
    while stop < num_tokens:
        start, first_new = stop - (max_tokens - 1) // 2, stop
        stop = min(num_tokens, start + max_tokens - 1)
        yield start, stop, first_new


def open_subword_teacher(model: str, device: str = "cpu") -> SubwordTeacher:
    """The teacher that `hf:PATH` or `hf:NAME` names: a folder, or a model of the Hugging Face hub, which is downloaded once. In float32.

    Raises TavuError without transformers, for a model that cannot be opened or is not causal, and for a tokenizer that loses bytes.
    """
    try:
        importlib.import_module("transformers")
    except ImportError:
        raise TavuError(f'{model} is a model of transformers, which is not installed. Install it: pip install "tavu[hf]"') from None
    path = model.removeprefix(PREFIX)
    try:
        tokenizer, network = _from_pretrained(path, local_only=Path(path).exists())
    except Exception as fault:  # transformers raises errors of many types for what it cannot open
        reason = str(fault).strip().split("\n")[0]
        raise TavuError(
            f"{model}: transformers cannot open it ({reason}). "
            "Give a folder with config.json, model.safetensors and tokenizer.json, or a name on the hub."
        ) from None
    tokens = read_tokenizer(tokenizer, model)
    network = network.to(device)
    _check_causal(network, tokens, model)
    return SubwordTeacher(network, tokens, name=model)


def _from_pretrained(path: str, *, local_only: bool) -> tuple[Any, Any]:
    """A tokenizer and a model of transformers, without its progress bars: there are others on the screen."""
    from transformers import AutoModelForCausalLM, AutoTokenizer
    from transformers.utils import logging

    had_bars = logging.is_progress_bar_enabled()
    logging.disable_progress_bar()
    try:
        tokenizer = AutoTokenizer.from_pretrained(path, local_files_only=local_only)
        return tokenizer, AutoModelForCausalLM.from_pretrained(path, local_files_only=local_only, dtype=torch.float32)
    finally:
        if had_bars:
            logging.enable_progress_bar()


def _check_causal(network: Any, tokens: TokenBytes, name: str) -> None:
    """Raise TavuError if what a model says after a token depends on the token that follows."""
    first, *others = tokens.encode(b"a b")[:1] + list(tokens.spellings)[:2]
    ids = torch.tensor([[tokens.start, first, other] for other in others], device=network.device)
    with torch.inference_mode():
        logits = network(input_ids=ids).logits[:, :2]
    if not torch.allclose(logits[0], logits[1], atol=1e-3, rtol=1e-3):
        raise TavuError(f"{name} reads in both directions, expected a causal language model, which reads from left to right. Choose another model.")
