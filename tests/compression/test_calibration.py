"""Calibrated rounding changes the outputs for real inputs less than rounding each weight to the nearest."""

import pytest
import torch

from tavu.compression.calibration import calibrate, rounded
from tavu.generation.decoder import TorchWriter
from tavu.model_file import load_model, save_model
from tavu.quantized import GROUP, dequantize, fits, quantize
from tests.compression.test_quantize import WIDE


@pytest.mark.parametrize("seed", range(3))
def test_outputs_of_correlated_inputs_change_less(seed):
    torch.manual_seed(seed)
    weight, x = torch.randn(48, 2 * GROUP), torch.randn(500, 6) @ torch.randn(6, 2 * GROUP) + 0.1 * torch.randn(500, 2 * GROUP)
    whole = x @ weight.T
    numbers, scales = rounded(weight, x.T @ x / len(x))
    assert fits(numbers, scales, weight.shape)
    errors = [(x @ dequantize(*pair).T - whole).square().mean() for pair in ((numbers, scales), quantize(weight, 4))]
    assert errors[0] < 0.5 * errors[1]


def test_inputs_that_are_always_zero_work():
    weight, moments = torch.randn(4, GROUP), torch.zeros(GROUP, GROUP)
    for pair in (rounded(weight, moments), rounded(torch.zeros(4, GROUP), torch.eye(GROUP))):
        assert dequantize(*pair).isfinite().all()
    assert (dequantize(*rounded(weight, moments)) - weight).abs().max() < 0.6


def test_every_matrix_is_rounded_and_stored_unchanged(make_model, tmp_path):
    model = make_model(WIDE, noise=0.05)
    pairs = calibrate(model, TorchWriter(model))
    assert all(name.endswith(".weight") for name in pairs) and "global_model.blocks.0.mlp.down.weight" in pairs
    save_model(tmp_path / "a", model, {}, bits=4, rounded=pairs)
    loaded = dict(load_model(tmp_path / "a")[0].named_parameters())
    for name, pair in pairs.items():
        assert torch.equal(loaded[name], dequantize(*pair))
