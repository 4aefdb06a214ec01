"""The plan for a machine does not depend on how busy it is, and making one never takes minutes."""

from dataclasses import replace

import pytest
import torch

from tavu.config import TrainConfig
from tavu.training import machine


@pytest.mark.parametrize(("bf16_seconds", "precision"), [(9.0, "fp32"), (0.9, "fp32"), (0.1, "bf16")])
def test_bf16_is_chosen_only_if_clearly_faster(monkeypatch, bf16_seconds, precision):
    monkeypatch.setattr(machine, "_matmul_seconds", lambda device, dtype: bf16_seconds if dtype == torch.bfloat16 else 1.0)
    assert machine.make_plan(TrainConfig(device="cpu"), 4, 64, lambda plan: 1.0).precision == precision


def test_the_order_of_sums_does_not_depend_on_how_busy_the_machine_is():
    """With a budget in steps only matrix products are timed, and their threshold is a wide one."""

    def never(plan):
        raise AssertionError("measured")

    config = TrainConfig(minutes=None, steps=10, device="cpu")
    plans = [machine.make_plan(config, 8, 1024, never) for _ in range(3)]
    assert plans[0] == plans[1] == plans[2] and plans[0].micro_batch_rows == 8


@pytest.mark.parametrize(
    ("precision", "same_shapes", "minutes", "measured"),
    [("fp32", True, 20, True), ("fp32", True, 19, False), ("fp32", False, 600, False), ("bf16", False, 60, True), ("bf16", False, 59, False)],
)
def test_compiling_is_measured_only_where_it_can_pay(monkeypatch, precision, same_shapes, minutes, measured):
    monkeypatch.setattr(machine.shutil, "which", lambda name: name)
    config = TrainConfig(minutes=minutes, device="cpu", precision=precision, micro_batch_rows=4)
    plan = machine.make_plan(config, 4, 64, lambda plan: 2.0 if plan.compile else 1.0, same_shapes=same_shapes)
    assert plan.compile == measured == any("compiled" in entry["setting"] for entry in plan.probe)


def test_what_is_left_to_the_device_suits_it(monkeypatch):
    asked = TrainConfig(batch_bytes=0, muon_every=0)
    chosen = machine.for_device(replace(asked, device="cpu"))
    assert (chosen.batch_bytes, chosen.muon_every) == (8192, 4)
    monkeypatch.setattr(machine, "pick_device", lambda wanted: "cuda")
    assert machine.for_device(asked) == replace(asked, batch_bytes=32_768, muon_every=1)
    assert machine.for_device(replace(asked, batch_bytes=512)).batch_bytes == 512
