"""4-bit quantization of matrices that minimizes the error of their outputs, not that of each weight (GPTQ).

Columns are rounded one after another. The error of each is compensated by changing the columns that are not yet rounded, according to the second
moments of the inputs (Frantar et al. 2022, arXiv 2210.17323, section 3). The inputs are taken from texts that the model generates, so no data is
needed.

Shapes: R rows, C columns of a matrix, G = C / GROUP groups of a row.
"""

from collections.abc import Iterator

import torch
from torch import Tensor, nn

from tavu.config import SamplingConfig
from tavu.generation.decoder import prompt_ids
from tavu.generation.writing import Writer, write
from tavu.model.designs import tensor_specs
from tavu.model.interface import Model
from tavu.model.layers import Linear
from tavu.quantized import GROUP, LIMITS, packed, rounded_up
from tavu.vocabulary import END

NUM_TEXTS, TEXT_BYTES = 48, 800
DAMPING = 0.01
"""Share of the mean second moment that is added to the diagonal, so that constant inputs do not make it singular."""
CLIPS = (1.0, 0.95, 0.9, 0.85, 0.8)
"""Candidates for the range of a group's scale, relative to its largest weight; the one with the least squared error is used."""


def calibrate(model: Model, writer: Writer) -> dict[str, tuple[Tensor, Tensor]]:
    """4-bit numbers and scales (tavu/quantized.py) by name, for each matrix of the model that can be quantized."""
    specs = tensor_specs(model.config)
    linears = ((name, module) for name, module in model.named_modules() if isinstance(module, Linear))
    matrices = {name: module for name, module in linears if specs[f"{name}.weight"].can_be_quantized}
    moments = _second_moments(model, matrices, _texts(model, writer))
    return {f"{name}.weight": rounded(module.weight.detach().float(), moments[name]) for name, module in matrices.items()}


def _texts(model: Model, writer: Writer) -> Iterator[Tensor]:
    """ids (1, T) of texts that the model generates."""
    config = SamplingConfig(temperature=1.0, max_bytes=min(TEXT_BYTES, model.config.max_seq_len - 2), valid_utf8=False)
    for text in write(writer, b"", config, count=NUM_TEXTS):
        yield torch.cat((prompt_ids(text.content), torch.tensor([[END]])), dim=1)


@torch.inference_mode()
def _second_moments(model: Model, matrices: dict[str, Linear], texts: Iterator[Tensor]) -> dict[str, Tensor]:
    """The mean of x x' over the inputs x of each matrix, (C, C)."""
    moments = {name: torch.zeros(2 * (module.weight.size(1),)) for name, module in matrices.items()}
    counts = dict.fromkeys(matrices, 0)

    def watch(name: str, module: nn.Module) -> torch.utils.hooks.RemovableHandle:
        def add(_: nn.Module, inputs: tuple[Tensor]) -> None:
            x = inputs[0].flatten(0, -2).float()
            moments[name] += x.T @ x
            counts[name] += len(x)

        return module.register_forward_pre_hook(add)

    handles = [watch(name, module) for name, module in matrices.items()]
    try:
        for ids in texts:
            model(ids)
    finally:
        for handle in handles:
            handle.remove()
    return {name: moment / max(1, counts[name]) for name, moment in moments.items()}


def rounded(weight: Tensor, moments: Tensor) -> tuple[Tensor, Tensor]:
    """A matrix (R, C) as numbers (R, C / 2) uint8 and scales (R, G) bfloat16, rounded for inputs with these second moments (C, C)."""
    limit = LIMITS[4]
    weight, C = weight.clone(), weight.size(1)
    damped = moments + torch.eye(C) * (DAMPING * moments.diagonal().mean().clamp(min=1e-8))
    inverse = torch.linalg.cholesky(torch.cholesky_inverse(torch.linalg.cholesky(damped)), upper=True)
    numbers, scales = torch.zeros(weight.shape, dtype=torch.int8), list[Tensor]()
    for column in range(C):
        if column % GROUP == 0:
            scales.append(_best_scale(weight[:, column : column + GROUP], limit))  # (R, 1)
        step = scales[-1][:, 0].float()
        number = (weight[:, column] / step).round().clamp(-limit - 1, limit)
        error = (weight[:, column] - number * step) / inverse[column, column]
        weight[:, column + 1 :] -= error[:, None] * inverse[column, column + 1 :]
        numbers[:, column] = number.to(torch.int8)
    return packed(numbers.unflatten(1, (-1, GROUP))), torch.cat(scales, dim=1)


def _best_scale(group: Tensor, limit: int) -> Tensor:
    """The scale (R, 1) bfloat16 that rounds a group (R, GROUP) with the least squared error."""
    largest = group.abs().amax(1, keepdim=True).clamp(min=1e-30)
    scales = torch.stack([rounded_up(largest * (clip / limit)) for clip in CLIPS])  # (clips, R, 1)
    steps = scales.float()
    errors = ((group / steps).round().clamp(-limit - 1, limit) * steps - group).square().sum(-1)  # (clips, R)
    return scales.gather(0, errors.argmin(0)[None, :, None])[0]
