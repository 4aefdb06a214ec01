"""What a model costs, part by part: parameters, FLOPs per byte of a forward pass, bytes of cache while it writes. From its config, without torch.

FLOPs are those of matrix products, two for each multiplication and addition, attention counted over a full context, as
torch.utils.flop_counter counts them. Training costs about three times as many. Each design's parts are in cost.py of its folder.
"""

from dataclasses import dataclass
from typing import Any

from tavu.config import TransformerConfig
from tavu.model.tensors import Specs

BYTES_PER_WORD = 5.0
"""Of English words with the space after them; a trained model's facts have the average of its text."""


@dataclass(frozen=True)
class Part:
    """One part of a model, its own parts, and their totals."""

    name: str
    num_parameters: int
    flops_per_byte: float = 0.0
    cache_bytes: int = 0
    """Of one text of full context, in float32."""
    parts: tuple["Part", ...] = ()

    def to_dict(self) -> dict[str, Any]:
        own = {"name": self.name, "num_parameters": self.num_parameters, "flops_per_byte": self.flops_per_byte, "cache_bytes": self.cache_bytes}
        return own | ({"parts": [part.to_dict() for part in self.parts]} if self.parts else {})


def whole(name: str, *parts: Part) -> Part:
    """A part made of these parts."""
    flops = sum(part.flops_per_byte for part in parts)
    return Part(name, sum(part.num_parameters for part in parts), flops, sum(part.cache_bytes for part in parts), parts)


def num_parameters(specs: Specs, start: str, inside: str = "", *, ndim: int | None = None) -> int:
    """Parameters in the tensors whose names start with `start` and contain `inside`, of ndim dimensions where that is given."""
    found = (spec for name, spec in specs.items() if name.startswith(start) and inside in name)
    return sum(spec.size for spec in found if spec.role != "buffer" and ndim in (None, len(spec.shape)))


def transformer_cost(specs: Specs, name: str, config: TransformerConfig, *, bytes_per_unit: float, attended: int, cached: int) -> Part:
    """A transformer whose units each attend to `attended` units, and whose cache holds `cached` units."""
    attention, mlp = (num_parameters(specs, f"{name}.blocks.", inside) for inside in (".attention.", ".mlp."))
    scores = 4 * attended * config.dim * config.num_layers
    cache = 4 * 2 * config.num_layers * config.dim * cached
    return whole(
        "transformer",
        Part(f"attention x {config.num_layers}", attention, (2 * attention + scores) / bytes_per_unit, cache),
        Part(f"mlp x {config.num_layers}", mlp, 2 * mlp / bytes_per_unit),
    )
