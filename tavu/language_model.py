"""The Python API of a trained model. The command line uses it too."""

import math
import secrets
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Literal, get_args

import numpy as np

from tavu.config import RecordKind, SamplingConfig, check
from tavu.data.records import Request
from tavu.engine.native import NativeEngine, is_built, why_not
from tavu.errors import TavuError
from tavu.evaluation.obedience import SEED_STRIDE, has_word, obedience, words_of
from tavu.generation import reads
from tavu.generation.reads import text_bytes
from tavu.generation.writing import Writer, Written, stream, write
from tavu.stored_model import StoredModel, open_model
from tavu.vocabulary import END, NUM_BYTES

if TYPE_CHECKING:  # torch takes seconds to import, and the native engine does not need it
    from torch import Tensor

    from tavu.evaluation.bits_per_byte import BitsPerByte, Scorer
    from tavu.model.interface import Model

Engine = Literal["native", "torch"]


def load(path: str | Path, *, device: str = "cpu", engine: Engine | None = None) -> "LanguageModel":
    """Load the model of a file or run folder. Raises TavuError when there is none, or it is damaged.

    By default the native engine is used if it can run the model, else PyTorch. Raises TavuError when a named engine cannot run it.

    >>> model = load("runs/stories")                      # doctest: +SKIP
    >>> print(model.generate("Once upon a time"))         # doctest: +SKIP
    """
    return LanguageModel(open_model(path), device=device, engine=engine)


class LanguageModel:
    """A trained model: generates text, and computes the bits per byte of text.

    It is thread-safe. When it is pickled, copied or sent to another process, it is loaded again from its file.
    """

    def __init__(self, stored: StoredModel, *, device: str = "cpu", engine: Engine | None = None):
        self.path, self.config, self.facts, self.name = stored.file, stored.config, stored.facts, stored.name
        """Its file, model config, facts about its training and display name."""
        self.records: RecordKind | None = stored.records
        """The kind of records it was fine-tuned on, if any."""
        self.used_bytes = stored.used_bytes
        """The byte values of its training text, the only ones it writes as text (SamplingConfig). None if not known."""
        self.device = device
        reason = why_not(stored) if device == "cpu" else None
        self.fallback = reason if engine is None and not is_built() else None
        """Why PyTorch is used where the native engine is expected; None if it is not."""
        check(engine in (None, *get_args(Engine)), "engine", engine, "native or torch.")
        if engine is None:
            engine = "torch" if device != "cpu" or reason else "native"
        self.engine: Engine = engine
        if engine == "native":
            if device != "cpu":
                raise TavuError(f"The native engine runs on the CPU, not on {device}. Omit --device, or --engine.")
            self.writer: Writer = NativeEngine(stored)
            self.scorer: Scorer = self.writer
        else:
            import torch

            from tavu.evaluation.torch_scorer import TorchScorer
            from tavu.generation.decoder import TorchWriter

            try:
                torch.device(device)
            except RuntimeError:
                raise TavuError(f"device is {device!r}, expected cpu, cuda or mps.") from None
            self.writer, self.scorer = TorchWriter(self.network), TorchScorer(self.network)

    def __reduce__(self) -> tuple[object, ...]:
        return _reopen, (self.path.absolute(), self.device, self.engine)

    @cached_property
    def network(self) -> "Model":
        """The torch module, loaded on first access."""
        from tavu.model_file import load_model

        return load_model(self.path, self.device)[0]

    @property
    def is_text(self) -> bool:
        """Whether it was trained on text, and so should write valid UTF-8."""
        return self.facts.get("kind") != "bytes"

    @property
    def record_bytes(self) -> int | None:
        """The fixed length of its training documents in bytes; None if they have no fixed length."""
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
        """The continuation of a prompt, without the prompt, up to END, a stop string or max_bytes. With seed=None it differs each time.

        Raises TavuError for a value out of range, or text that cannot be encoded as UTF-8.
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
        """The text of `generate`, in pieces as it is written, never half a character."""
        config = SamplingConfig(temperature, top_k, top_p, min_p, repetition_penalty, max_bytes, _seed(seed), _strings(stop), self.is_text)
        return stream(self.writer, self.read_for(text_bytes(prompt)), replace(config, used_bytes=self.used_bytes))

    def write(self, prompt: str | bytes, config: SamplingConfig, *, count: int = 1) -> list[Written]:
        """`count` continuations, each with its stop reason and speed. Text i equals a single text with seed config.seed + i."""
        return write(self.writer, text_bytes(prompt), replace(config, used_bytes=self.used_bytes), count=count)

    def read_for(self, prompt: bytes) -> bytes:
        """The bytes that the model reads for a prompt."""
        return reads.of_prompt(prompt, self.records)

    def read_for_messages(self, messages: Sequence[Mapping[str, str]]) -> bytes:
        """The bytes that the model reads for a conversation. Each message has a role and a content."""
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
        """`count` stories that follow a request, each continuing `opening`; see `write`.

        tries: a story that fails a check of the request is generated again, up to this many attempts in all, and the best one is kept.
        best_of: each story is the best of this many by the checks; ties are broken by bits per byte.
        force_words: words that do not occur by themselves are inserted where they cost the fewest bits. Raises TavuError like read_before.
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
        """The bytes that the model reads for a request. Raises TavuError when it was not fine-tuned on story requests."""
        if self.records != "stories":
            teach = f"Fine-tune it with `tavu finetune {self.path} DATA`"
            raise TavuError(
                f'{self.path} was not fine-tuned to follow requests. {teach}, or give it a beginning instead, such as "Once upon a time".'
            )
        return reads.of_request(request)

    def _bits_per_byte(self, prompt: bytes, draft: Written) -> float:
        """Bits per byte of a text written after a prompt."""
        from tavu.evaluation.bits_per_byte import bits_per_byte

        document = np.frombuffer(prompt + draft.content, dtype=np.uint8)
        return bits_per_byte(self.scorer, [document], as_records=True).bits_per_byte if draft.content else math.inf

    def bits_per_byte(self, text: str | bytes | Sequence[str | bytes]) -> "BitsPerByte":
        """Bits per byte of one or several documents, each with its END. Raises TavuError when they are all empty."""
        from tavu.evaluation.bits_per_byte import bits_per_byte

        if not isinstance(text, Iterable):
            raise TavuError(f"The text is of type {type(text).__name__}, expected str, bytes, or a list of these.")
        documents = [text] if isinstance(text, (str, bytes)) else text
        return bits_per_byte(self.scorer, [np.frombuffer(text_bytes(document), dtype=np.uint8) for document in documents])

    def logits(self, ids: "Tensor") -> "Tensor":
        """Logits at each position, given the ids before it in the document. Shapes: ids (B, T) int64 of bytes, result (B, T, 257).

        END is prepended here. Raises TavuError when ids have another shape, are not bytes, or are longer than the context.
        """
        import torch

        longest = self.config.max_seq_len - 1
        if ids.ndim != 2 or ids.dtype != torch.long:
            raise TavuError(f"ids have shape {tuple(ids.shape)} and dtype {ids.dtype}, expected (B, T) int64.")
        if ids.size(1) > longest:
            raise TavuError(f"ids have {ids.size(1):,} positions, expected at most {longest:,}, the context without END at the start.")
        if ids.numel() and (int(ids.min()) < 0 or int(ids.max()) >= NUM_BYTES):
            raise TavuError(f"ids range from {int(ids.min())} to {int(ids.max())}, expected bytes, 0 to {NUM_BYTES - 1}.")
        start = torch.full_like(ids[:, :1], END) if ids.size(1) else ids.new_full((ids.size(0), 1), END)
        with torch.inference_mode():
            return self.network(torch.cat((start, ids), dim=1))[:, 1:]


def _reopen(file: Path, device: str, engine: Engine) -> LanguageModel:
    return load(file, device=device, engine=engine)


def _seed(seed: int | None) -> int:
    return secrets.randbits(63) if seed is None else seed


def _strings(stop: str | Sequence[str]) -> tuple[str, ...]:
    return (stop,) if isinstance(stop, str) else tuple(stop)  # a str is also a Sequence[str]
