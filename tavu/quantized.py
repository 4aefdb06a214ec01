"""Weights as small whole numbers: 8 bits each and one scale a row, or 4 bits each and one scale for every GROUP of a row.

Shapes: R rows, C columns of a matrix or table, G groups of a row: 1 with 8 bits, C / GROUP with 4.
A weight is its whole number times the scale of its group. Two numbers of 4 bits share a byte: those of a group's first half lie in the low bits,
those of its second half in the high ones, each plus 8.
"""

import torch
from torch import Tensor

from tavu.stored_model import GROUP

LIMITS = {8: 127, 4: 7}
"""The largest whole number by bits."""


def quantize(weight: Tensor, bits: int) -> tuple[Tensor, Tensor]:
    """A weight (R, C) as numbers, (R, C) int8 or (R, C / 2) uint8, and bfloat16 scales (R, G), the largest of each group kept within its limit."""
    groups = weight.detach().float().unflatten(1, (-1, weight.size(1) if bits == 8 else GROUP))  # (R, G, C / G)
    limit = LIMITS[bits]
    scales = rounded_up(groups.abs().amax(-1) / limit)
    numbers = (groups / scales.float().clamp(min=torch.finfo(torch.float32).tiny)[..., None]).round().clamp(-limit, limit).to(torch.int8)
    return (numbers.flatten(1) if bits == 8 else packed(numbers)), scales


def dequantize(numbers: Tensor, scales: Tensor) -> Tensor:
    """The weight (R, C) float32 that numbers and scales stand for."""
    whole = numbers if numbers.dtype == torch.int8 else _unpacked(numbers)
    return (whole.unflatten(1, (scales.size(1), -1)) * scales.float()[..., None]).flatten(1)


def fits(numbers: Tensor, scales: Tensor, shape: tuple[int, ...]) -> bool:
    """Whether numbers and scales, of a file that may be damaged, stand for a weight of this shape (R, C), C a multiple of GROUP."""
    if scales.dtype != torch.bfloat16:
        return False
    R, C = shape
    if numbers.dtype == torch.int8:
        return numbers.shape == (R, C) and scales.shape == (R, 1)
    return numbers.dtype == torch.uint8 and numbers.shape == (R, C // 2) and scales.shape == (R, C // GROUP)


def rounded_up(scales: Tensor) -> Tensor:
    """The nearest bfloat16 that is not less."""
    rounded = scales.bfloat16()
    return torch.where(rounded.float() < scales, torch.nextafter(rounded, torch.full_like(rounded, float("inf"))), rounded)


def packed(numbers: Tensor) -> Tensor:  # (R, G, GROUP) int8 -> (R, G * GROUP / 2) uint8
    low, high = (numbers + 8).to(torch.uint8).chunk(2, dim=-1)
    return (low | high << 4).flatten(1)


def _unpacked(packed: Tensor) -> Tensor:  # (R, G * GROUP / 2) uint8 -> (R, G * GROUP) int8
    pairs = packed.unflatten(1, (-1, GROUP // 2))
    return (torch.cat((pairs & 15, pairs >> 4), dim=-1).to(torch.int8) - 8).flatten(1)
