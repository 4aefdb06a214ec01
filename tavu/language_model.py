"""A trained model as Python programs use it; the command line uses the same."""

import math
import secrets
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np

from tavu.config import SamplingConfig
from tavu.data.records import Request
from tavu.engine.native import NativeEngine, is_built, why_not
from tavu.errors import TavuError
from tavu.evaluation.bits_per_byte import BitsPerByte, Scorer, bits_per_byte
from tavu.evaluation.obedience import SEED_STRIDE, has_word, obedience, words_of
from tavu.generation import reads
from tavu.generation.reads import text_bytes
from tavu.generation.writing import Writer, Written, stream, write
from tavu.stored_model import StoredModel, open_model
from tavu.vocabulary import END, NUM_BYTES

if TYPE_CHECKING:  # torch takes seconds to load, and the native engine does without
    from torch import Tensor

    from tavu.model.interface import Model

Engine = Literal["native", "torch"]


def load(path: str | Path, *, device: str = "cpu", engine: Engine | None = None) -> "LanguageModel":
    """The model of a file or run folder. Raises TavuError when there is none, or it is damaged.

    `engine` is what writes: the native one where it can, unless said otherwise; named, it must.

    >>> model = load("runs/stories")                      # doctest: +SKIP
    >>> print(model.generate("Once upon a time"))         # doctest: +SKIP
    """
    return LanguageModel(open_model(path), device=device, engine=engine)


class LanguageModel:
    """A trained model: writes text, and tells what text costs it.

    Any number of threads may call it at once. Pickled, copied or sent to another process it is opened again from its file.
    """

    def __init__(self, stored: StoredModel, *, device: str = "cpu", engine: Engine | None = None):
        self.path, self.config, self.facts, self.name, self.records = stored.file, stored.config, stored.facts, stored.name, stored.records
        """Its file, what is known of its training, what people call it, and on what records it was fine-tuned, if on any."""
        self.used_bytes = stored.used_bytes
        """Those of its training text, which alone it writes as text (SamplingConfig); None: not known."""
        self.device = device
        reason = why_not(stored) if device == "cpu" else None
        self.fallback = reason if engine is None and not is_built() else None
        """Why PyTorch writes where the native engine was to be expected."""
        if engine is None:
            engine = "torch" if device != "cpu" or reason else "native"
        self.engine: Engine = engine
        if engine == "native":
            if device != "cpu":
                raise TavuError(f"The native engine runs on the processor, not on {device}. Leave out --device, or --engine.")
            self.writer: Writer = NativeEngine(stored)
            self.scorer: Scorer = self.writer
        else:
            from tavu.evaluation.torch_scorer import TorchScorer
            from tavu.generation.decoder import TorchWriter

            self.writer, self.scorer = TorchWriter(self.network), TorchScorer(self.network)

    def __reduce__(self) -> tuple[object, ...]:
        return _reopen, (self.path.absolute(), self.device, self.engine)

    @cached_property
    def network(self) -> "Model":
        """The torch module, loaded when it is first asked for."""
        from tavu.model_file import load_model

        return load_model(self.path, self.device)[0]

    @property
    def is_text(self) -> bool:
        """Whether it was trained on text, and so should write valid UTF-8."""
        return self.facts.get("kind") != "bytes"

    @property
    def record_bytes(self) -> int | None:
        """How many bytes each document of its training was, where that was said."""
        known = self.facts.get("record_bytes")
        return known if isinstance(known, int) else None

    def generate(
        self,
        prompt: str | bytes = "",
        *,
        max_bytes: int = SamplingConfig.max_bytes,
        temperature: float = SamplingConfig.temperature,
        top_k: int | None = None,
        top_p: float | None = None,
        min_p: float | None = None,
        repetition_penalty: float = SamplingConfig.repetition_penalty,
        stop: str | Sequence[str] = (),
        seed: int | None = 0,
    ) -> str:
        """The text that goes on from a prompt, without it, up to END, a stop string or max_bytes. With seed=None another each time.

        Raises TavuError for a value out of range, or text that UTF-8 cannot spell.
        """
        config = SamplingConfig(temperature, top_k, top_p, min_p, repetition_penalty, max_bytes, _seed(seed), _strings(stop), self.is_text)
        return self.write(self.read_for(text_bytes(prompt)), config)[0].text

    def stream(
        self,
        prompt: str | bytes = "",
        *,
        max_bytes: int = SamplingConfig.max_bytes,
        temperature: float = SamplingConfig.temperature,
        top_k: int | None = None,
        top_p: float | None = None,
        min_p: float | None = None,
        repetition_penalty: float = SamplingConfig.repetition_penalty,
        stop: str | Sequence[str] = (),
        seed: int | None = 0,
    ) -> Iterator[str]:
        """What `generate` returns, piece by piece as it is written; never half a character."""
        config = SamplingConfig(temperature, top_k, top_p, min_p, repetition_penalty, max_bytes, _seed(seed), _strings(stop), self.is_text)
        return stream(self.writer, self.read_for(text_bytes(prompt)), replace(config, used_bytes=self.used_bytes))

    def write(self, prompt: str | bytes, config: SamplingConfig, *, count: int = 1) -> list[Written]:
        """`count` texts with how each ended and how fast it was; text i is what seed config.seed + i writes alone."""
        return write(self.writer, text_bytes(prompt), replace(config, used_bytes=self.used_bytes), count=count)

    def read_for(self, prompt: bytes) -> bytes:
        """What the model reads where somebody gives it a prompt."""
        return reads.of_prompt(prompt, self.records)

    def read_for_messages(self, messages: Sequence[Mapping[str, str]]) -> bytes:
        """What the model reads before its answer in a conversation; each message has a role and a content."""
        return reads.of_conversation(messages)

    def write_to_order(
        self,
        request: Request,
        config: SamplingConfig,
        *,
        opening: str = "",
        count: int = 1,
        tries: int = 1,
        best_of: int = 1,
        force_words: bool = False,
    ) -> list[Written]:
        """`count` stories that a request asks for, each going on from an opening of its own; see `write`.

        With tries, each that lacks something of the request that a rule can see is written anew, so many times in all at most, and the one that obeys
        most is kept. With best_of, each is the one of so many that obeys most, and of these the likeliest by bits per byte.
        With force_words its words come for sure, put in where they cost least. Raises TavuError as read_before.
        """
        prompt = self.read_before(request) + text_bytes(opening)

        def draw(seed: int, count: int) -> list[Written]:
            if not force_words:
                return self.write(prompt, replace(config, seed=seed), count=count)
            from tavu.evaluation.forced_words import write_with_words

            missing = [word for word in request.words if not has_word(words_of(opening), word)]
            return [write_with_words(self.writer, self.scorer, prompt, missing, replace(config, seed=seed + i)) for i in range(count)]

        def share_obeyed(draft: Written) -> float:
            return obedience(request, opening + draft.text).share

        drafts = draw(config.seed, count * best_of)
        if best_of > 1:
            scores = [(share_obeyed(draft), -self._bits_per_byte(prompt, draft)) for draft in drafts]
            drafts = [drafts[max(range(i, i + best_of), key=scores.__getitem__)] for i in range(0, len(drafts), best_of)]
        for number in range(1, tries):
            for i, draft in enumerate(drafts):
                if share_obeyed(draft) < 1:
                    drafts[i] = max(draft, *draw(config.seed + number * SEED_STRIDE + i, 1), key=share_obeyed)
        return drafts

    def read_before(self, request: Request) -> bytes:
        """What the model reads before a story that a request asks for. Raises TavuError when it was not fine-tuned on such."""
        if self.records != "stories":
            teach = f"Teach it with `tavu finetune {self.path} DATA`"
            raise TavuError(f'{self.path} was not taught to follow requests. {teach}, or give it a beginning instead, as "Once upon a time".')
        return reads.of_request(request)

    def _bits_per_byte(self, prompt: bytes, draft: Written) -> float:
        """Bits per byte of what was written after a prompt."""
        document = np.frombuffer(prompt + draft.content, dtype=np.uint8)
        return bits_per_byte(self.scorer, [document], as_records=True).bits_per_byte if draft.content else math.inf

    def bits_per_byte(self, text: str | bytes | Sequence[str | bytes]) -> BitsPerByte:
        """What a document, or several, cost this model: each with its END, divided by their bytes. Raises TavuError when there is no byte."""
        documents = [text] if isinstance(text, (str, bytes)) else text
        return bits_per_byte(self.scorer, [np.frombuffer(text_bytes(document), dtype=np.uint8) for document in documents])

    def logits(self, ids: "Tensor") -> "Tensor":
        """For each position the logits of its id given the ids before it in the document. Shapes: ids (B, T) int64 of bytes, result (B, T, 257).

        The document's start is supplied here. Raises TavuError when ids are of another shape, not bytes, or longer than the context.
        """
        import torch

        longest = self.config.max_seq_len - 1
        if ids.ndim != 2 or ids.dtype != torch.long:
            raise TavuError(f"ids have shape {tuple(ids.shape)} and dtype {ids.dtype}, expected (B, T) int64.")
        if ids.size(1) > longest:
            raise TavuError(f"ids have {ids.size(1):,} positions, expected at most {longest:,}, the model's context less its start.")
        if ids.numel() and (int(ids.min()) < 0 or int(ids.max()) >= NUM_BYTES):
            raise TavuError(f"ids lie from {int(ids.min())} to {int(ids.max())}, expected bytes, 0 to {NUM_BYTES - 1}.")
        start = torch.full_like(ids[:, :1], END) if ids.size(1) else ids.new_full((ids.size(0), 1), END)
        with torch.inference_mode():
            return self.network(torch.cat((start, ids), dim=1))[:, 1:]


def _reopen(file: Path, device: str, engine: Engine) -> LanguageModel:
    return load(file, device=device, engine=engine)


def _seed(seed: int | None) -> int:
    return secrets.randbits(63) if seed is None else seed


def _strings(stop: str | Sequence[str]) -> tuple[str, ...]:
    return (stop,) if isinstance(stop, str) else tuple(stop)  # a string is a sequence too: of its characters
