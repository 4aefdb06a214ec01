"""Quantized weights lie near the ones they stand for, and quantizing what is quantized changes nothing that matters."""

import pytest
import torch

from tavu.quantized import GROUP, LIMITS, dequantize, fits, quantize


@pytest.fixture
def weight() -> torch.Tensor:
    weight = torch.randn(50, 3 * GROUP, generator=torch.Generator().manual_seed(0)) * torch.logspace(-8, 8, 50)[:, None]
    weight[3] = 0
    weight[4, 7] = 1e30
    return weight


@pytest.mark.parametrize("bits", [8, 4])
def test_no_weight_moves_by_more_than_half_a_step(weight, bits):
    numbers, scales = quantize(weight, bits)
    assert fits(numbers, scales, weight.shape) and scales.dtype == torch.bfloat16
    step = scales.float().repeat_interleave(weight.size(1) // scales.size(1), dim=1)
    assert ((dequantize(numbers, scales) - weight).abs() <= 0.5001 * step).all()
    groups = weight.unflatten(1, (scales.size(1), -1)).abs().amax(-1)
    assert (scales.float() * LIMITS[bits] >= groups).all()  # nothing was cut off
    assert (scales.float() * LIMITS[bits] <= groups * 1.01).all()  # and no range is wasted


@pytest.mark.parametrize("bits", [8, 4])
def test_every_number_is_told_apart(bits):
    limit = LIMITS[bits]
    numbers = (torch.arange(4 * GROUP) % (2 * limit + 1) - limit).float()[None]
    assert torch.equal(dequantize(*quantize(numbers, bits)), numbers)
    assert quantize(numbers, bits)[0].nbytes == numbers.numel() * bits // 8


def test_what_does_not_fit_is_seen(weight):
    for bits in (8, 4):
        numbers, scales = quantize(weight, bits)
        for numbers_seen, scales_seen, shape in (
            (numbers[1:], scales, weight.shape),
            (numbers, scales[1:], weight.shape),
            (numbers.int(), scales, weight.shape),
            (numbers, scales.float(), weight.shape),
            (numbers, scales, torch.Size((50, 2 * GROUP))),
            (numbers.flatten(), scales, weight.shape),
        ):
            assert not fits(numbers_seen, scales_seen, shape)
