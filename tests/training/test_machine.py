"""The probe tries what may pay, and nothing that would take minutes to find out."""

import pytest
import torch

from tavu.config import TrainConfig
from tavu.training import machine


@pytest.mark.parametrize(("bf16_seconds", "tried"), [(9.0, {"fp32"}), (0.1, {"fp32", "bf16"})])
def test_bf16_is_tried_only_where_its_products_are_faster(monkeypatch, bf16_seconds, tried):
    monkeypatch.setattr(machine, "_product_seconds", lambda device, dtype: bf16_seconds if dtype == torch.bfloat16 else 1.0)
    plan = machine.make_plan(TrainConfig(device="cpu", compile="off"), 4, lambda plan: 2.0 if plan.precision == "bf16" else 1.0)
    assert {entry["setting"].split(",")[0] for entry in plan.probe} == tried
    assert plan.precision == ("bf16" if "bf16" in tried else "fp32")


@pytest.mark.parametrize("same_shapes", [True, False])
def test_only_models_whose_batches_have_the_same_shapes_are_compiled(monkeypatch, same_shapes):
    monkeypatch.setattr(machine, "_worth_compiling", lambda config, device: True)
    config = TrainConfig(device="cpu", precision="fp32", micro_batch_rows=4)
    plan = machine.make_plan(config, 4, lambda plan: 2.0 if plan.compile else 1.0, same_shapes=same_shapes)
    assert plan.compile == same_shapes == any("compiled" in entry["setting"] for entry in plan.probe)
