"""One file holds a model: a .safetensors of its weights, whose metadata holds its config and training facts as JSON.

Weights are stored as bfloat16, the precision they are trained in where the processor has it, or quantized: matrices and tables then as whole
numbers, with a tensor `<name>.scales` beside each (quantized.py). Nothing is guessed from a name, nothing is pickled.
"""

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor

from tavu.config import FixedPatchConfig, ModelConfig
from tavu.errors import TavuError
from tavu.model.lexicon import Lexicon
from tavu.model.megabyte import Megabyte
from tavu.model.transformer import Linear, Transformer
from tavu.model.words import WordModel
from tavu.quantized import can_quantize, dequantize, fits, quantize
from tavu.recipe import to_model_config, to_tables
from tavu.tensor_file import write_tensors

FORMAT = 2
"""Raised by one when files change so that older versions of tavu would misread them. 2: weights may be quantized; 1 is read as it is."""
MODEL_NAME = "model.safetensors"
SHIPPED = Path(__file__).parent / "models"
"""Models that come with tavu, by name."""
SCALES = ".scales"
_KEY = "tavu"

Model = Megabyte | WordModel


def build_model(config: ModelConfig) -> Model:
    """A fresh model, its weights drawn from torch's default generator."""
    return Megabyte(config) if isinstance(config, FixedPatchConfig) else WordModel(config)


def save_model(path: Path, model: Model, facts: Mapping[str, Any], *, bits: int = 16) -> None:
    """Write the model and its training facts (anything JSON holds), whole or not at all, each weight in 16, 8 or 4 bits.

    Raises TavuError when it cannot be written.
    """
    weights: dict[str, Tensor] = {}
    for name, tensor in model.state_dict().items():
        if bits < 16 and can_quantize(tensor):
            weights[name], weights[name + SCALES] = quantize(tensor, bits)
        else:
            weights[name] = tensor.to(torch.bfloat16) if tensor.is_floating_point() else tensor
    header = {"format": FORMAT, "model": to_tables(model.config), "facts": dict(facts)}
    write_tensors(path, weights, {_KEY: json.dumps(header, ensure_ascii=False)})


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


def load_model(path: str | Path, device: str | torch.device = "cpu") -> tuple[Model, dict[str, Any]]:
    """The model that a file or run folder holds, in float32, and its training facts.

    Raises TavuError when the file is missing, damaged, another program's, of a newer format, or its weights do not fit its config.
    """
    file = find_model(path)
    try:
        with safe_open(file, framework="pt") as opened:
            header = _header(file, opened.metadata() or {})
            config = _config(file, header["model"])
            with torch.device("meta"):
                model = build_model(config)
            names = set(opened.keys())
            wanted = model.state_dict()
            quantized = {name for name in wanted if name + SCALES in names}
            expected = set(wanted) | {name + SCALES for name in quantized}
            if names != expected:
                odd = sorted(names ^ expected)[0]
                raise TavuError(
                    f"{file}: the weights do not fit its config ({odd} is {'unknown' if odd in names else 'missing'}). The file is damaged."
                )
            weights = {name: opened.get_tensor(name) for name in names}
    except (SafetensorError, OSError, UnicodeDecodeError) as error:
        raise TavuError(f"{file} is not a whole model file ({error}). Copy or train it again.") from None
    for name, tensor in wanted.items():
        if name in quantized and fits(weights[name], weights[name + SCALES], tensor.shape):
            weights[name] = dequantize(weights[name], weights[name + SCALES])
        elif weights[name].shape != tensor.shape or weights[name].is_floating_point() != tensor.is_floating_point():
            raise TavuError(f"{file}: {name} has shape {list(weights[name].shape)}, expected {list(tensor.shape)}. The file is damaged.")
    model.load_state_dict({name: weights[name].to(device, tensor.dtype) for name, tensor in wanted.items()}, assign=True)
    for module in model.modules():
        if isinstance(module, Lexicon) and not module.is_sound():
            raise TavuError(f"{file}: its lexicon has words longer than its patches. The file is damaged.")
        if isinstance(module, Transformer):
            module.make_rotations(device)  # derived, and not in the file
        if isinstance(module, Linear):
            module.lay_out_for_vectors()
    return model.eval(), header["facts"]


def _header(file: Path, metadata: Mapping[str, str]) -> dict[str, Any]:
    if _KEY not in metadata:
        raise TavuError(f"{file} was not written by tavu: it has no tavu config. Train a model with `tavu train`.")
    try:
        header = json.loads(metadata[_KEY])
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
        raise TavuError(f"{file}: its config is not one of this version ({error}) The file is damaged; copy or train it again.") from None
