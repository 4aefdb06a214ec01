"""The bytes of every token of a Hugging Face tokenizer, or a sentence that says why it has none.

Two kinds of tokenizers keep every byte of a text: byte-level BPE (Radford et al. 2019, section 2.2), whose tokens are written in an alphabet of 256
characters, and SentencePiece with byte fallback (Kudo & Richardson 2018, arXiv 1808.06226), which writes a space as U+2581 and a byte as <0xAB>.
"""

import json
import re
import unicodedata
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from tavu.errors import TavuError, shortened

UTF8_BYTES = frozenset([*range(0xC0), *range(0xC2, 0xF5)])
"""The byte values that UTF-8 text can have."""
SAMPLES = (
    *map(chr, range(256)),
    "Once upon a time, There was a GIRL.",
    "a  b   c\n\n d\r\ne\t\tf ",
    "Hyvää yötä! Ça va? Straße, ĳ, ﬁ, Å, e\u0301, \u00a0, \u200b",
    "日本語 ｱＡ한글 Привет שלום 🐻👩‍🚀 \U0010ffff",
)
"""Texts that show what a tokenizer loses: case, accents, compatibility characters, white space, rare characters."""
ADVICE = "A teacher needs a tokenizer that keeps every byte: byte-level BPE, or SentencePiece with byte fallback. Choose another model."
SPACE_PIECE = "\u2581"
_BYTE_PIECE = re.compile("<0x([0-9A-F]{2})>")
_NOT_UTF8 = re.compile("([\udc80-\udcff]+)")


@dataclass(frozen=True)
class TokenBytes:
    """The tokens of a model as bytes."""

    name: str
    """The model, as errors call it."""
    spellings: dict[int, bytes]
    """The bytes of each token, none of them empty. Tokens that are not here stand for no text, and are given no probability."""
    start: int
    """The token that every document starts with."""
    end: int
    """The token that ends a document."""
    prefix: bytes
    """What the tokenizer puts before every text: a space or nothing."""
    encode_text: Callable[[str], list[int]]
    serialized: str
    """The tokenizer in full."""

    def encode(self, document: bytes) -> list[int]:
        """Tokens whose bytes are those of prefix + document: the tokenizer's own, except where it loses bytes; those are read one by one.

        Raises TavuError for a byte that no token can spell.
        """
        tokens: list[int] = []
        if self.prefix and not document:
            return self._single_bytes(self.prefix)
        for piece in _NOT_UTF8.split(document.decode("utf-8", errors="surrogateescape")):
            text = piece.encode("utf-8", errors="surrogateescape")
            wanted = text if tokens else self.prefix + text
            found = [] if _NOT_UTF8.match(piece) else self.encode_text(piece)
            spelled = b"".join(self.spellings.get(token, b"") for token in found)
            tokens += found if spelled == wanted else self._single_bytes(wanted)
        return tokens

    def _single_bytes(self, text: bytes) -> list[int]:
        single = {spelling[0]: token for token, spelling in self.spellings.items() if len(spelling) == 1}
        for value in text:
            if value not in single:
                raise TavuError(f"{self.name}: a document has byte 0x{value:02x}, which no token spells. {ADVICE}")
        return [single[value] for value in text]


def read_tokenizer(tokenizer: Any, name: str) -> TokenBytes:
    """The tokens of a tokenizer of transformers as bytes.

    Raises TavuError for a tokenizer that loses bytes: one of another kind, one that lacks bytes of UTF-8, or one that changes a sample text.
    """
    if not tokenizer.is_fast:
        raise TavuError(f"{name}: its tokenizer has no tokenizer.json, which says what bytes its tokens have. Convert it with transformers first.")
    backend = tokenizer.backend_tokenizer
    backend.encode_special_tokens = True  # <|endoftext|> within a text is text
    backend.no_truncation()
    backend.no_padding()
    if tokenizer.eos_token_id is None:
        raise TavuError(f"{name}: its tokenizer has no token for the end of a text (eos_token), so it cannot teach where a document ends. {ADVICE}")
    serialized = backend.to_str()
    spellings = _spellings(json.loads(serialized), tokenizer.get_vocab(), set(tokenizer.all_special_ids), name)
    end = tokenizer.eos_token_id
    start = end if tokenizer.bos_token_id is None else tokenizer.bos_token_id
    found = {spelling[0] for spelling in spellings.values() if len(spelling) == 1}
    if missing := sorted(UTF8_BYTES - found):
        listed = ", ".join(f"0x{value:02x}" for value in missing[:3])
        raise TavuError(f"{name}: its tokenizer has no token for {len(missing)} of the bytes that text can have ({listed} ...). {ADVICE}")

    def encode_text(text: str) -> list[int]:
        return backend.encode(text, add_special_tokens=False).ids

    def spelled(text: str) -> bytes:
        return b"".join(spellings.get(token, b"") for token in encode_text(text))

    prefix = b" " if spelled("a") == b" a" else b""
    for sample in SAMPLES:
        if spelled(sample) != prefix + sample.encode():
            became = spelled(sample)[len(prefix) :].decode(errors="replace")
            shown = unicodedata.name(sample, repr(sample)) if len(sample) == 1 and not sample.isascii() else repr(sample)
            raise TavuError(f"{name}: its tokenizer loses bytes: {shown} becomes {shortened(became)!r}. {ADVICE}")
    return TokenBytes(name, spellings, start, end, prefix, encode_text, serialized)


def _spellings(parts: dict[str, Any], vocabulary: dict[str, int], special: set[int], name: str) -> dict[int, bytes]:
    """The bytes of each token, by the kind of tokenizer that the parts of its tokenizer.json tell."""
    steps = _steps(parts["decoder"])
    added = {token["id"]: token["content"] for token in parts["added_tokens"] if not token["special"]}
    special = special | {token["id"] for token in parts["added_tokens"] if token["special"]}
    if "ByteLevel" in steps:
        read_piece = _read_byte_level
    elif "ByteFallback" in steps and parts["model"].get("byte_fallback"):
        read_piece = _read_sentencepiece
    else:
        raise TavuError(f"{name}: its tokenizer is {parts['model']['type']} without a rule from tokens to bytes. {ADVICE}")
    spellings = {token: read_piece(piece) for piece, token in vocabulary.items() if token not in special}
    spellings |= {token: content.encode() for token, content in added.items() if token not in special and read_piece is _read_byte_level}
    return {token: spelling for token, spelling in spellings.items() if spelling}


def _steps(decoder: dict[str, Any] | None) -> set[str]:
    """The types of the steps of a decoder."""
    if decoder is None:
        return set()
    return {step["type"] for step in decoder["decoders"]} if decoder["type"] == "Sequence" else {decoder["type"]}


def _byte_characters() -> dict[str, int]:
    """The alphabet of byte-level BPE: printable bytes are themselves, the others follow from U+0100 on (encoder.py of GPT-2)."""
    printable = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    others = [value for value in range(256) if value not in printable]
    return {chr(value): value for value in printable} | {chr(256 + i): value for i, value in enumerate(others)}


_BYTE_CHARACTERS = _byte_characters()


def _read_byte_level(piece: str) -> bytes:
    """The bytes of a token; none if it has characters of no byte."""
    return bytes(_BYTE_CHARACTERS[character] for character in piece) if set(piece) <= _BYTE_CHARACTERS.keys() else b""


def _read_sentencepiece(piece: str) -> bytes:
    byte = _BYTE_PIECE.fullmatch(piece)
    return bytes([int(byte[1], 16)]) if byte else piece.replace(SPACE_PIECE, " ").encode()
