"""The tensors of a model from its config alone, without torch: the name, shape and role of each.

Each design has a table of them, tensors.py of its folder. The parts of a model that are counted (cost.py), trained (training/optimizer.py), quantized
and stored (model_file.py) are those of the table; the torch modules are tested equal to it. Matrices are (out, in), tables (rows, width).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from math import prod
from typing import Literal

from tavu.config import TransformerConfig
from tavu.stored_model import GROUP

Role = Literal["matrix", "table", "dense", "buffer"]
"""matrix: of attention and MLPs, trained with Muon. table: hashed, of which a step reads few rows, trained with row-wise Adam. dense: any other
parameter, trained with AdamW. buffer: not trained, but chosen from counts of the training text."""


@dataclass(frozen=True)
class TensorSpec:
    shape: tuple[int, ...]
    role: Role
    dtype: str = "F32"
    """In memory, as safetensors names it. Files hold parameters, which are F32, as BF16 or quantized, and buffers as they are."""

    @property
    def size(self) -> int:
        return prod(self.shape)

    @property
    def can_be_quantized(self) -> bool:
        """Matrices and tables can where their rows are whole groups; the few vectors are too small to matter."""
        return self.role != "buffer" and len(self.shape) == 2 and self.shape[1] % GROUP == 0


Specs = Mapping[str, TensorSpec]


_STORED_NAMES = (("pointer.hint_gate", "pointer.urge"), ("pointer.hint_bias", "pointer.urge_bias"), ("phrase_fingerprints", "phrase_names"))
"""Parts of names in the code, and what files of every version call them."""


def stored_name(name: str) -> str:
    """The name that a tensor, or an optimizer's state of it, has in files.

    >>> stored_name("pointer.hint_gate.weight")
    'pointer.urge.weight'
    """
    for own, stored in _STORED_NAMES:
        name = name.replace(own, stored)
    return name


def transformer_tensors(name: str, config: TransformerConfig) -> dict[str, TensorSpec]:
    """The tensors of the transformer of this name."""
    D, specs = config.dim, dict[str, TensorSpec]()
    for i in range(config.num_layers):
        block = f"{name}.blocks.{i}"
        specs[f"{block}.attention.query_key_value.weight"] = TensorSpec((3 * D, D), "matrix")
        specs[f"{block}.attention.out.weight"] = TensorSpec((D, D), "matrix")
        specs |= mlp_tensors(f"{block}.mlp", D, config.mlp_dim)
    return specs


def mlp_tensors(name: str, dim: int, mlp_dim: int) -> dict[str, TensorSpec]:
    return {f"{name}.up.weight": TensorSpec((mlp_dim, dim), "matrix"), f"{name}.down.weight": TensorSpec((dim, mlp_dim), "matrix")}
