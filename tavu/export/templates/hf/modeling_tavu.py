"""A tavu model for transformers: the model of tavu_model.py with the inputs, outputs and cache that `generate`, Trainer and lm-eval expect.

Shapes: B rows, T positions, V = 257 ids: the 256 bytes, and END (256), which starts and ends a document and is also the padding.
Alignment: logits[:, t] is the distribution of the id after position t, as everywhere in transformers; tavu_model.py numbers them one later.

SPDX-License-Identifier: MIT
Copyright (c) 2026 The tavu authors
"""

from dataclasses import fields
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from transformers import GenerationMixin, LogitsProcessor, LogitsProcessorList, PreTrainedModel
from transformers.modeling_outputs import CausalLMOutputWithPast

from .configuration_tavu import TavuConfig
from .tavu_model import (
    BETWEEN_CHARACTERS,
    END,
    NEXT_STATE,
    Decoder,
    FixedPatchConfig,
    LevelConfig,
    Lexicon,
    Megabyte,
    MLPStackConfig,
    Model,
    Transformer,
    TransformerConfig,
    WordModel,
    WordPatchConfig,
    allowed_ids,
)

_CACHE = "cache" if "cache" in {field.name for field in fields(CausalLMOutputWithPast)} else "past_key_values"
"""What this version of transformers calls the cache."""
_LONGEST_CHARACTER = 4
"""Bytes, in UTF-8."""


def build_network(config: TavuConfig) -> Model:
    design = dict(config.design or {})
    levels = design.pop("levels")
    if design["patching"] == "words":
        orders = {name: tuple(design.pop(name)) for name in ("ngram_orders", "phrase_orders")}
        return WordModel(WordPatchConfig((TransformerConfig(**levels[0]), MLPStackConfig(**levels[1])), **orders, **design))
    return Megabyte(FixedPatchConfig(tuple(LevelConfig(**level) for level in levels), **design))


class TavuCache:
    """What decoding keeps of the ids read so far. Rows that begin at the same column, behind the same padding, share a Decoder."""

    is_compileable = False

    def __init__(self, network: Model, ids: Tensor, starts: Tensor, dtype: torch.dtype):
        self.network, self.dtype, self.num_columns = network, dtype, ids.size(1)
        self.groups = []
        for start in starts.unique().tolist():
            rows = (starts == start).nonzero()[:, 0]
            self.groups.append((rows, Decoder(network, ids[rows, start:], dtype)))

    @property
    def logits(self) -> Tensor:
        """Of the next id, (B, V)."""
        rows = torch.cat([rows for rows, _ in self.groups])
        return torch.cat([decoder.logits for _, decoder in self.groups])[rows.argsort()]

    def feed(self, new: Tensor) -> None:
        """Append one id to each row. Shape (B,)."""
        self.num_columns += 1
        for rows, decoder in self.groups:
            decoder.feed(new[rows])

    def get_seq_length(self, layer_idx: int = 0) -> int:
        return self.num_columns

    def reorder_cache(self, beam_idx: Tensor) -> None:
        """Row i becomes the former row beam_idx[i], for beam search, whose beams all begin at the same column. Changed rows are read again."""
        for i, (rows, decoder) in enumerate(self.groups):
            before = torch.searchsorted(rows, beam_idx[rows])
            if not torch.equal(rows[before], rows):
                self.groups[i] = rows, Decoder(self.network, decoder.ids[before], self.dtype)


class ValidText(LogitsProcessor):
    """Only ids that keep the text valid UTF-8, made of the bytes of the training text where these are known."""

    def __init__(self, used_bytes: list[int] | None):
        self.allowed = torch.from_numpy(allowed_ids(None if used_bytes is None else frozenset(used_bytes)).copy())

    def __call__(self, input_ids: Tensor, scores: Tensor) -> Tensor:  # (B, T), (B, V) -> (B, V)
        states = []
        for row in input_ids[:, -_LONGEST_CHARACTER:].tolist():
            state = BETWEEN_CHARACTERS
            for id in row:
                state = int(NEXT_STATE[state, id])
            states.append(state)
        return scores.masked_fill(~self.allowed[states].to(scores.device), float("-inf"))


class TavuForCausalLM(PreTrainedModel, GenerationMixin):
    """ids (B, T) -> logits (B, T, V)."""

    config_class = TavuConfig
    base_model_prefix = "network"
    main_input_name = "input_ids"
    _is_stateful = True  # the cache cannot be cut back, which assisted generation needs

    def __init__(self, config: TavuConfig):
        super().__init__(config)
        self.network = build_network(config)
        for module in self.modules():
            if isinstance(module, nn.Embedding):
                module.sparse = False  # tavu's own optimizer uses sparse gradients, which Trainer cannot clip
        self.post_init()

    def _init_weights(self, module: nn.Module) -> None:
        """Compute what is derived from weights and config, and not stored; parameters are drawn as modules are built."""
        if isinstance(module, Lexicon):
            module.build_tree()
        elif isinstance(module, Transformer):
            module.make_rotations(next(module.parameters()).device)

    @classmethod
    def _supports_default_dynamic_cache(cls) -> bool:
        return False

    @property
    def max_positions(self) -> int:
        return self.network.config.max_seq_len - 1

    def forward(
        self,
        input_ids: Tensor,
        attention_mask: Tensor | None = None,
        labels: Tensor | None = None,
        use_cache: bool = False,
        cache: TavuCache | None = None,
        past_key_values: TavuCache | None = None,
        logits_to_keep: int = 0,
        return_dict: bool = True,
    ) -> CausalLMOutputWithPast | tuple[Tensor, ...]:
        """Logits, float32; the loss in nats where there are labels, -100 where none counts; and the cache where one is used.

        Shapes: input_ids (B, T) int64, with a cache only the new ids; attention_mask (B, T), 0 for padding on either side; labels (B, T), unshifted;
        logits (B, T, V), or of the last logits_to_keep positions. Raises ValueError for a mask with gaps, for more ids than the context
        has room for, and for padding on the right where the text goes on.
        """
        cache = cache if cache is not None else past_key_values
        if cache is not None:
            logits = self._continue(input_ids, cache)
        else:
            starts = _starts(input_ids, attention_mask, on_the_right=not use_cache)
            cache = TavuCache(self.network, input_ids, starts, self.dtype) if use_cache else None
            only_last = cache is not None and logits_to_keep == 1 and labels is None
            logits = cache.logits[:, None] if only_last else self._all_logits(input_ids, starts)
        loss = None
        if labels is not None:
            loss = F.cross_entropy(logits[:, :-1].flatten(0, 1), labels[:, 1:].flatten(), ignore_index=-100)
        output = CausalLMOutputWithPast(loss=loss, logits=logits[:, -logits_to_keep:], **{_CACHE: cache})
        return output if return_dict else output.to_tuple()

    def _continue(self, new: Tensor, cache: TavuCache) -> Tensor:
        logits = []
        for ids in new.unbind(1):
            cache.feed(ids)
            logits.append(cache.logits)
        return torch.stack(logits, dim=1)

    def _all_logits(self, ids: Tensor, starts: Tensor) -> Tensor:
        """The logits of every position, 0 in the padding on the left. Shapes: ids (B, T), starts (B,), result (B, T, V)."""
        if ids.size(1) > self.max_positions:
            raise ValueError(
                f"input_ids have {ids.size(1):,} positions, expected at most {self.max_positions:,}, the context of this model. "
                "Cut them into shorter rows; only `generate` with its cache goes past the context."
            )
        if not starts.any():
            return self._shifted(ids)
        logits = torch.zeros(*ids.shape, self.config.vocab_size, device=ids.device)
        for start in starts.unique().tolist():
            rows = (starts == start).nonzero()[:, 0]
            if start < ids.size(1):
                logits[rows, start:] = self._shifted(ids[rows, start:])
        return logits

    def _shifted(self, ids: Tensor) -> Tensor:
        return self.network(F.pad(ids, (0, 1), value=END), self.dtype)[:, 1:]

    def generate(self, *args: Any, logits_processor: list[LogitsProcessor] | None = None, **settings: Any) -> Any:
        """As GenerationMixin.generate; writes valid text unless config.valid_utf8 is False."""
        processors = LogitsProcessorList(logits_processor or [])
        if self.config.valid_utf8:
            processors.append(ValidText(self.config.used_bytes))
        return super().generate(*args, logits_processor=processors, **settings)


def _starts(ids: Tensor, mask: Tensor | None, *, on_the_right: bool) -> Tensor:
    """The column at which each row begins, T where it is all padding, (B,)."""
    if mask is None:
        return torch.zeros(len(ids), dtype=torch.long, device=ids.device)
    if mask.shape != ids.shape:
        raise ValueError(f"attention_mask has shape {tuple(mask.shape)}, expected that of input_ids, {tuple(ids.shape)}.")
    is_text = mask.bool()
    column = torch.arange(ids.size(1), device=ids.device)
    first = torch.where(is_text, column, ids.size(1)).amin(1)
    last = torch.where(is_text, column, -1).amax(1)
    if bool((is_text.sum(1) != (last - first + 1).clamp(min=0)).any()):
        raise ValueError("attention_mask has zeros between ones, expected padding before or after the text alone.")
    if not on_the_right and bool((last < 0).any()):
        raise ValueError("A row of attention_mask is all zeros, expected at least one id to continue: the tokenizer puts END first.")
    if not on_the_right and bool((last < ids.size(1) - 1).any()):
        raise ValueError('attention_mask has padding on the right, where the text is to go on. Pad on the left: tokenizer.padding_side = "left".')
    return first
