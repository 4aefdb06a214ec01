"""Other ways to train a small model from scratch, each as a `Rival` that race.py can train and score.

Shapes: B rows, T ids of a row, V ids. Alignment as in tavu: logits[:, t] is the distribution of ids[:, t] given ids[:, :t], END first.
`encode` converts the bytes of a document to ids. Learning rates are given here and are not tuned.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from tavu.config import TrainConfig, TransformerConfig
from tavu.model.layers import Linear, norm, soft_cap
from tavu.model.tensors import Role, transformer_tensors
from tavu.model.transformer import Transformer
from tavu.training.machine import usable_precisions
from tavu.training.optimizer import Optimizer

CONTEXT_BYTES = 1024


@dataclass
class Rival:
    """A model in training. `step(scale)` updates it from its gradients, every learning rate multiplied by scale, and clears them."""

    encode: Callable[[bytes], Sequence[int]]
    end: int
    context: int
    rows: int
    model: nn.Module
    loss: Callable[[Tensor], Tensor]
    """Mean cost in nats of ids (B, T)."""
    logits: Callable[[Tensor], Tensor]
    """(B, T) -> (B, T, V)"""
    step: Callable[[float], None]


def plain_step(model: nn.Module, optimizer: torch.optim.Optimizer, clip_norm: float) -> Callable[[float], None]:
    """The `step` of a Rival for a torch optimizer."""
    rates = [group["lr"] for group in optimizer.param_groups]

    def step(scale: float) -> None:
        nn.utils.clip_grad_norm_(model.parameters(), clip_norm)
        for group, rate in zip(optimizer.param_groups, rates, strict=True):
            group["lr"] = rate * scale
        optimizer.step()
        optimizer.zero_grad()

    return step


def best_precision() -> torch.dtype:
    return torch.bfloat16 if "bf16" in usable_precisions("cpu") else torch.float32


def megabyte_pytorch(dims: tuple[int, ...], depths: tuple[int, ...], lengths: tuple[int, ...], *, rows: int, rate: float, fast: bool) -> Rival:
    """MEGABYTE-pytorch with Adam and the clipping of its train.py; in float32, its default, or in this machine's best precision."""
    from MEGABYTE_pytorch import MEGABYTE

    pad = 257  # its default, 0, would never be learned
    model = MEGABYTE(num_tokens=258, dim=dims, depth=depths, max_seq_len=lengths, pad_id=pad, flash_attn=False)
    precision = best_precision() if fast else torch.float32

    def run(ids: Tensor, return_loss: bool) -> Tensor:
        with torch.autocast("cpu", dtype=torch.bfloat16, enabled=precision == torch.bfloat16):
            return model(ids, return_loss=return_loss)

    return Rival(
        encode=list,
        end=256,
        context=int(np.prod(lengths)),
        rows=rows,
        model=model,
        loss=lambda ids: run(ids, return_loss=True),
        logits=lambda ids: F.pad(run(ids, return_loss=False)[:, :-1].float(), (0, 0, 1, 0)),  # its first prediction is for the second id
        step=plain_step(model, torch.optim.Adam(model.parameters(), lr=rate), clip_norm=0.5),
    )


def bpe(documents: Sequence[bytes], vocabulary: int) -> tuple[Callable[[bytes], Sequence[int]], int]:
    """A byte-level BPE of the `tokenizers` library, trained on all documents, and its END. Its training time is not counted."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=vocabulary, special_tokens=["<end>"], initial_alphabet=pre_tokenizers.ByteLevel.alphabet(), show_progress=False
    )
    tokenizer.train_from_iterator((document.decode() for document in documents), trainer)
    return (lambda document: tokenizer.encode(document.decode()).ids), 0


def bpe_llama(documents: Sequence[bytes], *, vocabulary: int, dim: int, layers: int, rows: int, rate: float) -> Rival:
    """A standard setup: a Llama of the transformers library on BPE tokens, AdamW in float32."""
    from transformers import LlamaConfig, LlamaForCausalLM

    encode, end = bpe(documents, vocabulary)
    context = CONTEXT_BYTES // 4
    model = LlamaForCausalLM(
        LlamaConfig(
            vocab_size=vocabulary,
            hidden_size=dim,
            intermediate_size=round(dim * 8 / 3 / 32) * 32,
            num_hidden_layers=layers,
            num_attention_heads=dim // 64,
            max_position_embeddings=2 * context,
            tie_word_embeddings=True,
            use_cache=False,
        )
    )

    def logits(ids: Tensor) -> Tensor:
        return F.pad(model(input_ids=ids).logits[:, :-1], (0, 0, 1, 0))

    def loss(ids: Tensor) -> Tensor:
        return F.cross_entropy(model(input_ids=ids).logits[:, :-1].flatten(0, 1), ids[:, 1:].flatten())

    optimizer = torch.optim.AdamW(model.parameters(), lr=rate, betas=(0.9, 0.95), weight_decay=0.1)
    return Rival(encode, end, context, rows, model, loss, logits, plain_step(model, optimizer, clip_norm=1.0))


class FlatTransformer(nn.Module):
    """tavu's own blocks over a sequence of ids."""

    def __init__(self, num_ids: int, end: int, level: TransformerConfig, context: int, window: int | None):
        super().__init__()
        self.end = end
        self.embedding = nn.Embedding(num_ids, level.dim)
        nn.init.normal_(self.embedding.weight, std=0.5)
        self.transformer = Transformer(level, context, (window, window) if window else None)
        self.head = Linear(level.dim, num_ids, zero=True)

    def forward(self, ids: Tensor, dtype: torch.dtype) -> Tensor:
        before = F.pad(ids[:, :-1], (1, 0), value=self.end)
        return soft_cap(self.head(norm(self.transformer(norm(self.embedding(before).to(dtype))))))


def _flat(
    encode: Callable[[bytes], Sequence[int]], num_ids: int, end: int, level: TransformerConfig, context: int, rows: int, window: int | None = None
) -> Rival:
    model, precision = FlatTransformer(num_ids, end, level, context, window), best_precision()
    of_blocks = transformer_tensors("transformer", level)
    roles: dict[str, Role] = {name: of_blocks[name].role if name in of_blocks else "dense" for name, _ in model.named_parameters()}
    optimizer = Optimizer(model, roles, TrainConfig(), precision)
    return Rival(
        encode,
        end,
        context,
        rows,
        model,
        loss=lambda ids: F.cross_entropy(model(ids, precision).flatten(0, 1), ids.flatten()),
        logits=lambda ids: model(ids, precision),
        step=optimizer.step,
    )


def bpe_ours(documents: Sequence[bytes], *, vocabulary: int, dim: int, layers: int, rows: int) -> Rival:
    """tavu's own blocks, optimizer and precision over BPE tokens."""
    encode, end = bpe(documents, vocabulary)
    return _flat(encode, vocabulary, end, TransformerConfig(dim, layers, dim // 64, 4 * dim), CONTEXT_BYTES // 4, rows)


def flat_bytes(*, dim: int, layers: int, rows: int, context: int, window: int | None = None) -> Rival:
    """tavu's own blocks over bytes, with no patches, in contexts of `context` bytes.

    With a window each byte attends to its own stretch of that length and to the one before (Longformer's, Beltagy et al. 2020, arXiv 2004.05150).
    """
    return _flat(list, 257, 256, TransformerConfig(dim, layers, dim // 64, 4 * dim), context, rows, window)
