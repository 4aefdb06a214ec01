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
