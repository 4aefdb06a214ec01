"""The model file, read without torch: config, training facts, and tensors as views of the file's content.

A model is one .safetensors file. Its metadata has the config and training facts as JSON. Weights are stored as bfloat16, the training precision
where the processor supports it, or quantized: matrices and tables are then integers, each with a tensor `<name>.scales` (quantized.py).
Nothing is inferred from file names, nothing is pickled.
"""

import json
import math
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_args

import numpy as np

from tavu.checksum import CHECKSUM, checksum
from tavu.config import ModelConfig, RecordKind
from tavu.errors import TavuError, shortened
from tavu.hub import PUBLISHED, download, is_hub_name, repository_of
from tavu.recipe import to_model_config
from tavu.run_folder import MODEL
from tavu.vocabulary import NUM_BYTES

UNFIT = "The file is damaged, or another version of tavu wrote it: copy it again, train it again, or use that version."
FORMAT = 2
"""Incremented when older versions of tavu would misread new files. 2: weights may be quantized; format 1 is still read."""
SHIPPED = Path(__file__).parent / "models"
"""Models that come with tavu, by name."""
SCALES = ".scales"
GROUP = 32
"""Columns per scale with 4 bits."""
KEY = "tavu"
"""The metadata key of tavu in a .safetensors."""
_HEAD_BYTES = 64
MAX_HEADER_BYTES, MAX_DIMENSIONS = 1 << 22, 8
"""Far more than any model needs: a larger claim means a damaged or hostile file."""
FIRST_BYTES = {
    b"GGUF": "a GGUF, a model of llama.cpp",
    b"PK": "a ZIP archive, as PyTorch's .pt files are",
    b"\x80": "a pickle, as old .pt and .bin files are",
    b"\x08": "an ONNX model",
    b"version https://git-lfs": "a pointer of Git LFS, whose file was never fetched",
    b"<": "a web page",
}

_DTYPES = {"BF16": np.uint16, "F32": np.float32, "I64": np.int64, "I32": np.int32, "I8": np.int8, "U8": np.uint8}


@dataclass(frozen=True)
class StoredTensor:
    """One tensor of a file: its safetensors dtype and its numbers; bfloat16 as raw uint16."""

    dtype: str
    numbers: np.ndarray


@dataclass(frozen=True)
class StoredModel:
    file: Path
    config: ModelConfig
    facts: dict[str, Any]
    tensors: dict[str, StoredTensor]
    """By name; views of content."""
    content: np.ndarray
    """All bytes of the file."""

    @property
    def name(self) -> str:
        """The name of its repository on the hub, of its folder, or of its file."""
        return repository_of(self.file) or (self.file.parent.name if self.file.name in (MODEL, PUBLISHED) else self.file.stem)

    @property
    def num_parameters(self) -> int:
        """The learned parameters, as counted in the model built from the file; without stored words and names."""
        sizes = {name: tensor.numbers.size * (2 if tensor.dtype == "U8" else 1) for name, tensor in self.tensors.items()}  # U8: two in a byte
        quantized = sum(size for name, size in sizes.items() if name + SCALES in sizes)
        return quantized + sum(sizes[name] for name, tensor in self.tensors.items() if tensor.dtype in ("BF16", "F32") and not name.endswith(SCALES))

    @property
    def used_bytes(self) -> frozenset[int] | None:
        """The bytes that occur in its training text; None if unknown."""
        known = self.facts.get("used_bytes")
        if isinstance(known, list) and known and all(type(byte) is int and 0 <= byte < NUM_BYTES for byte in known):
            return frozenset(known)
        return None

    @property
    def records(self) -> RecordKind | None:
        """The kind of records it was fine-tuned on; None if none, or unknown to this version."""
        return next((kind for kind in get_args(RecordKind) if kind == self.facts.get("records")), None)


def find_model(path: str | Path) -> Path:
    """Resolve a name to a model file: a file, the model of a run folder or of an export for transformers, one that comes with tavu, or hf:OWNER/NAME
    on the hub, which is downloaded. Raises TavuError if there is none."""
    if not isinstance(path, (str, os.PathLike)):
        raise TavuError(f"The model is of type {type(path).__name__}, expected the name of a model file or run folder.")
    if is_hub_name(path):
        return download(os.fspath(path))
    path = Path(path)
    shipped = {file.stem: file for file in SHIPPED.glob("*.safetensors")}
    if os.path.isfile(path):  # Path.is_file raises for names that are too long, such as a misplaced prompt
        return path
    if os.path.isfile(path / PUBLISHED):
        return path / PUBLISHED
    if os.path.isfile(path / MODEL):
        return path / MODEL
    if str(path) in shipped:
        return shipped[str(path)]
    if os.path.isdir(path):
        raise TavuError(f"{path} has no {MODEL}. Name a run folder or a model file; `tavu train` puts them in runs/.")
    runs = sorted(str(p.parent) for p in Path("runs").glob(f"*/{MODEL}"))
    here = f" Runs here: {', '.join(runs)}." if runs else " Train one with `tavu train`."
    with_tavu = f" Models that come with tavu: {', '.join(sorted(shipped))}." if shipped else ""
    raise TavuError(f"There is no model {str(path)!r}.{here}{with_tavu}")


def open_model(path: str | Path) -> StoredModel:
    """The model of a file or run folder. Its tensors are not yet checked against its config.

    The whole file is read into memory, since it may be overwritten or truncated while the model is in use. Raises TavuError if the file is missing,
    damaged, of another program, or in a newer format.
    """
    file = find_model(path)
    try:
        content = np.fromfile(file, dtype=np.uint8, count=-1 if _may_be_whole(file) else _HEAD_BYTES)
    except OSError as error:
        raise TavuError(f"{file} cannot be read: {error.strerror or error}. Check its permissions.") from None
    try:
        entries, metadata, data = _parts(content)
    except (ValueError, TypeError, KeyError, RecursionError) as fault:
        raise TavuError(f"{file} is not a whole model file ({_known_kind(content) or shortened(fault)}). Copy or train it again.") from None
    header = _header(file, metadata)
    tensors = {name: _tensor(file, name, data, e) for name, e in entries.items()}
    return StoredModel(file, _config(file, header["model"]), header["facts"], tensors, content)


def _may_be_whole(file: Path) -> bool:
    """Whether the header fits in the file. Otherwise it is another program's file, and may be too large to read."""
    with file.open("rb") as opened:
        length = int.from_bytes(opened.read(8), "little")
    return length <= min(MAX_HEADER_BYTES, file.stat().st_size - 8)


def _parts(content: np.ndarray) -> tuple[dict[str, Any], dict[str, str], np.ndarray]:
    """The entries, metadata and data of a .safetensors. Raises ValueError, TypeError, KeyError or RecursionError if it violates the format.

    https://github.com/huggingface/safetensors, "Format": tensors follow each other without gaps.
    """
    length = int.from_bytes(content[:8].tobytes(), "little")
    if len(content) >= 8 and length > MAX_HEADER_BYTES:
        raise ValueError(f"its header has {length:,} bytes, expected {MAX_HEADER_BYTES:,} at most: it is no .safetensors, or damaged")
    if length > len(content) - 8:
        raise ValueError("it is cut off, or no .safetensors at all")
    entries, data = json.loads(content[8 : 8 + length].tobytes()), content[8 + length :]
    if not isinstance(entries, dict):
        raise ValueError("its header is no object")
    metadata = entries.pop("__metadata__", {})
    if not (isinstance(metadata, dict) and all(isinstance(value, str) for value in metadata.values())):
        raise ValueError("its metadata are no texts")
    end = 0
    for entry in sorted(entries.values(), key=lambda entry: entry["data_offsets"]):
        begin, stop = entry["data_offsets"]
        if not (type(begin) is type(stop) is int and begin == end <= stop <= len(data)):
            raise ValueError("its tensors overlap, or are cut off")
        end = stop
    if end != len(data):
        raise ValueError("it is longer than its tensors")
    if CHECKSUM in metadata and metadata[CHECKSUM] != checksum([data.data]):
        raise ValueError("its checksum is of other bytes: some have changed since it was written")
    return entries, metadata, data


def _known_kind(content: np.ndarray) -> str | None:
    """The type of another program's file, from its first bytes."""
    head = content[:64].tobytes()
    return next((f"it looks like {kind}" for start, kind in FIRST_BYTES.items() if head.startswith(start)), None)


def _tensor(file: Path, name: str, content: np.ndarray, entry: Mapping[str, Any]) -> StoredTensor:
    dtype, shape = entry.get("dtype"), entry.get("shape")
    if not isinstance(dtype, str) or dtype not in _DTYPES:
        raise TavuError(f"{file}: {shortened(name)} is of type {shortened(dtype)}, expected one of {', '.join(_DTYPES)}. The file is damaged.")
    begin, end = entry["data_offsets"]
    is_shape = isinstance(shape, list) and len(shape) <= MAX_DIMENSIONS and all(type(size) is int and size >= 0 for size in shape)
    if not isinstance(shape, list) or not is_shape or math.prod(shape) * np.dtype(_DTYPES[dtype]).itemsize != end - begin:
        raise TavuError(
            f"{file}: the shape of {shortened(name)} is {shortened(shape)}, which is not that of its {end - begin:,} bytes. The file is damaged."
        )
    numbers = np.ndarray(shape, _DTYPES[dtype], content[begin:end])
    return StoredTensor(dtype, np.require(numbers, requirements=["C", "A"]))


def _header(file: Path, metadata: Mapping[str, str]) -> dict[str, Any]:
    if KEY not in metadata:
        raise TavuError(f"{file} was not written by tavu: it has no tavu config. Train a model with `tavu train`.")
    try:
        header = json.loads(metadata[KEY])
        version = header["format"]
        config, facts = header["model"], header["facts"]
    except (ValueError, KeyError, TypeError, RecursionError):
        version = config = facts = None
    if isinstance(version, int) and version > FORMAT:
        raise TavuError(f"{file} was written by tavu format {version}; this version reads up to {FORMAT}. Upgrade with `pip install -U tavu`.")
    if not (version in range(1, FORMAT + 1) and isinstance(config, dict) and isinstance(facts, dict)):
        raise TavuError(f"{file}: its tavu config cannot be read. The file is damaged; copy or train it again.")
    return {"model": config, "facts": facts}


def _config(file: Path, table: dict[str, Any]) -> ModelConfig:
    try:
        return to_model_config(table)
    except TavuError as error:
        raise TavuError(f"{file}: its config is not one of this version ({shortened(error)}) {UNFIT}") from None
