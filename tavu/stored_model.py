"""What a model file holds, read without torch: its config and training facts, and its tensors where they lie in the file.

One file holds a model: a .safetensors of its weights, whose metadata holds its config and training facts as JSON. Weights are stored as bfloat16,
the precision they are trained in where the processor has it, or quantized: matrices and tables then as whole numbers, with a tensor
`<name>.scales` beside each (quantized.py). Nothing is guessed from a name, nothing is pickled.
"""

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from safetensors import SafetensorError, safe_open

from tavu.config import ModelConfig
from tavu.errors import TavuError
from tavu.recipe import to_model_config

UNFIT = "The file is damaged, or another version of tavu wrote it: copy it again, train it again, or use that version."
FORMAT = 2
"""Raised by one when files change so that older versions of tavu would misread them. 2: weights may be quantized; 1 is read as it is."""
MODEL_NAME = "model.safetensors"
SHIPPED = Path(__file__).parent / "models"
"""Models that come with tavu, by name."""
SCALES = ".scales"
GROUP = 32
"""Columns that share a scale with 4 bits."""
KEY = "tavu"
"""Of the metadata of a .safetensors: tavu's own part."""

_DTYPES = {"BF16": np.uint16, "F32": np.float32, "I64": np.int64, "I32": np.int32, "I8": np.int8, "U8": np.uint8}


@dataclass(frozen=True)
class StoredTensor:
    """One tensor of a file: its dtype by safetensors' name, and its numbers, those of bfloat16 as the uint16 that they are stored as."""

    dtype: str
    numbers: np.ndarray


@dataclass(frozen=True)
class StoredModel:
    file: Path
    config: ModelConfig
    facts: dict[str, Any]
    tensors: dict[str, StoredTensor]
    """By name; parts of the file itself, read as they are used."""

    @property
    def name(self) -> str:
        """What people call it: its run folder's name, or its file's."""
        return self.file.parent.name if self.file.name == MODEL_NAME else self.file.stem

    @property
    def records(self) -> str | None:
        """What records it was fine-tuned on (data/records.py, Kind); None: on none."""
        known = self.facts.get("records")
        return known if isinstance(known, str) else None


def find_model(path: str | Path) -> Path:
    """The model file that a name means: itself, the one in a run folder, or one that comes with tavu. Raises TavuError when there is none."""
    path = Path(path)
    shipped = {file.stem: file for file in SHIPPED.glob("*.safetensors")}
    if os.path.isfile(path):  # Path.is_file would raise for a name that is too long, as a prompt in the wrong place is
        return path
    if os.path.isfile(path / MODEL_NAME):
        return path / MODEL_NAME
    if str(path) in shipped:
        return shipped[str(path)]
    if os.path.isdir(path):
        raise TavuError(f"{path} holds no {MODEL_NAME}. Name a run folder or a model file, as `tavu train` leaves them under runs/.")
    runs = sorted(str(p.parent) for p in Path("runs").glob(f"*/{MODEL_NAME}"))
    here = f" Here are: {', '.join(runs)}." if runs else " `tavu train` makes one."
    with_tavu = f" With tavu come: {', '.join(sorted(shipped))}." if shipped else ""
    raise TavuError(f"There is no model {str(path)!r}.{here}{with_tavu}")


def open_model(path: str | Path) -> StoredModel:
    """The model that a file or run folder holds, its tensors not yet held against its config.

    Raises TavuError when the file is missing, damaged, another program's, or of a newer format.
    """
    file = find_model(path)
    try:
        with safe_open(file, framework="np") as opened:  # it checks that all parts lie where they should
            metadata = opened.metadata() or {}
        content = np.memmap(file, dtype=np.uint8, mode="c")
        length = int.from_bytes(content[:8].tobytes(), "little")
        entries = json.loads(content[8 : 8 + length].tobytes())
    except (SafetensorError, OSError, ValueError) as error:
        raise TavuError(f"{file} is not a whole model file ({error}). Copy or train it again.") from None
    header = _header(file, metadata)
    entries.pop("__metadata__", None)
    return StoredModel(
        file, _config(file, header["model"]), header["facts"], {name: _tensor(file, name, content[8 + length :], e) for name, e in entries.items()}
    )


def _tensor(file: Path, name: str, content: np.ndarray, entry: Mapping[str, Any]) -> StoredTensor:
    if entry["dtype"] not in _DTYPES:
        raise TavuError(f"{file}: {name} is of type {entry['dtype']}, expected one of {', '.join(_DTYPES)}. The file is damaged.")
    begin, end = entry["data_offsets"]
    numbers = np.ndarray(entry["shape"], _DTYPES[entry["dtype"]], content[begin:end])
    return StoredTensor(entry["dtype"], np.require(numbers, requirements=["C", "A"]))


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
        raise TavuError(f"{file}: its config is not one of this version ({error}) {UNFIT}") from None
