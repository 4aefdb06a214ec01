"""Saving a model to its file and loading it (stored_model.py describes the file)."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.nn import init
from torch.overrides import TorchFunctionMode

from tavu.errors import TavuError
from tavu.model.designs import build_model, tensor_specs
from tavu.model.interface import Model
from tavu.model.layers import store_by_column
from tavu.model.tensors import TensorSpec, stored_name
from tavu.quantized import dequantize, fits, quantize
from tavu.recipe import to_tables
from tavu.stored_model import FORMAT, KEY, SCALES, UNFIT, StoredModel, StoredTensor, open_model
from tavu.tensor_file import write_tensors

_DTYPES = {"F32": torch.float32, "I64": torch.int64, "I32": torch.int32, "U8": torch.uint8}


def save_model(
    path: Path, model: Model, facts: Mapping[str, Any], *, bits: int = 16, rounded: Mapping[str, tuple[Tensor, Tensor]] | None = None
) -> None:
    """Write the model and its training facts (anything JSON holds), whole or not at all, each weight in 16, 8 or 4 bits.

    Weights that are `rounded` already, to numbers and scales, are stored as these. Raises TavuError when it cannot be written.
    """
    specs, weights = tensor_specs(model.config), dict[str, Tensor]()
    for name, tensor in model.state_dict().items():
        stored = stored_name(name)
        if bits < 16 and specs[name].can_be_quantized:
            weights[stored], weights[stored + SCALES] = (rounded or {}).get(name) or quantize(tensor, bits)
        else:
            weights[stored] = tensor.to(torch.bfloat16) if tensor.is_floating_point() else tensor
    header = {"format": FORMAT, "model": to_tables(model.config), "facts": dict(facts)}
    write_tensors(path, weights, {KEY: json.dumps(header, ensure_ascii=False)})


def load_model(path: str | Path, device: str | torch.device = "cpu") -> tuple[Model, dict[str, Any]]:
    """The model that a file or run folder holds, in float32, and its training facts.

    Raises TavuError when the file is missing, damaged, another program's, of a newer format, or its weights do not fit its config.
    """
    stored = open_model(path)
    specs = tensor_specs(stored.config)
    _check_names(stored, [stored_name(name) for name in specs])
    weights = {name: _weight(stored, stored_name(name), spec).to(device) for name, spec in specs.items()}
    with torch.device("meta"), _WithoutInitialWeights():
        model = build_model(stored.config)
    try:
        model.load_state_dict(weights, assign=True)
    except ValueError as fault:
        raise TavuError(f"{stored.file}: {fault}. The file is damaged.") from None
    store_by_column(model)
    return model.eval(), stored.facts


def _check_names(stored: StoredModel, expected: Sequence[str]) -> None:
    scales = {name + SCALES for name in expected if name + SCALES in stored.tensors}
    if odd := sorted(stored.tensors.keys() ^ (set(expected) | scales)):
        said = "unknown" if odd[0] in stored.tensors else "missing"
        raise TavuError(f"{stored.file}: the weights do not fit its config ({odd[0]} is {said}). {UNFIT}")


def _weight(stored: StoredModel, name: str, spec: TensorSpec) -> Tensor:
    """A tensor of a file as the model uses it, with memory of its own."""
    weight, scales = _as_torch(stored.tensors[name]), stored.tensors.get(name + SCALES)
    if scales is not None and spec.can_be_quantized and fits(weight, _as_torch(scales), spec.shape):
        return dequantize(weight, _as_torch(scales))
    if weight.shape != spec.shape or weight.is_floating_point() != (spec.role != "buffer"):
        raise TavuError(f"{stored.file}: {name} has shape {list(weight.shape)}, expected {list(spec.shape)}. The file is damaged.")
    return weight.to(_DTYPES[spec.dtype], copy=True)


class _WithoutInitialWeights(TorchFunctionMode):
    """Weights as torch.empty leaves them: to draw them on the meta device costs the import of torch's compiler, two seconds and 80 MB."""

    def __torch_function__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if function in (init.normal_, init.uniform_):
            return kwargs["tensor"]
        return function(*args, **(kwargs or {}))


def _as_torch(stored: StoredTensor) -> Tensor:
    numbers = torch.from_numpy(stored.numbers)
    return numbers.view(torch.bfloat16) if stored.dtype == "BF16" else numbers
