"""Laws of the three updates."""

import pytest
import torch

from tavu.config import TrainConfig
from tavu.model.designs import build_model, tensor_specs
from tavu.training.optimizer import Optimizer, iterated, iterated_on_gram, orthogonalized


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("shape", [(2, 16, 16), (3, 48, 16), (1, 16, 64)])
def test_muon_updates_have_singular_values_near_one(shape, dtype):
    torch.manual_seed(0)
    update = orthogonalized(torch.randn(shape), dtype)
    values = torch.linalg.svdvals(update.float())
    assert update.dtype == dtype and values.min() > 0.3 and values.max() < 1.5


@pytest.mark.parametrize("rank", [2, 16])
def test_iterating_on_the_gram_matrix_is_the_same_iteration(rank):
    """Even when most singular values are tiny, as in gradients."""
    torch.manual_seed(0)
    x = torch.randn(3, 16, rank) @ torch.randn(3, rank, 64) + 1e-4 * torch.randn(3, 16, 64)
    x = x / x.norm(dim=(1, 2), keepdim=True)
    assert torch.allclose(iterated(x), iterated_on_gram(x), atol=1e-4)


@pytest.fixture
def model(tiny):
    torch.manual_seed(0)
    return build_model(tiny().model)


def optimizer_of(model, config: TrainConfig) -> Optimizer:
    return Optimizer(model, {name: spec.role for name, spec in tensor_specs(model.config).items()}, config)


def backward(model, ids):
    model(ids).square().mean().backward()


def test_every_parameter_has_exactly_one_kind(model):
    optimizer = optimizer_of(model, TrainConfig())
    kinds = [set(kind) for kind in (optimizer.matrices, optimizer.rest, optimizer.tables)]
    assert set.union(*kinds) == {name for name, _ in model.named_parameters()} and sum(map(len, kinds)) == len(set.union(*kinds))
    assert all("embedder" in name or "nodes" in name for name in optimizer.tables) and all(p.ndim == 2 for p in optimizer.matrices.values())


def test_a_step_moves_only_the_table_rows_that_were_read(model):
    optimizer = optimizer_of(model, TrainConfig())
    before = {name: p.detach().clone() for name, p in optimizer.tables.items()}
    model.local_model.head.weight.data.normal_()
    backward(model, torch.randint(0, 256, (1, 8), generator=torch.Generator().manual_seed(0)))
    touched = {name: p.grad.coalesce().indices()[0] for name, p in optimizer.tables.items()}
    optimizer.step(1.0)
    for name, p in optimizer.tables.items():
        moved = (p != before[name]).any(dim=1).nonzero()[:, 0]
        assert set(moved.tolist()) <= set(touched[name].tolist()) and len(touched[name]) < len(p)
    assert any((p != before[name]).any() for name, p in optimizer.tables.items())


def test_gradients_are_clipped_together_and_cleared(model):
    optimizer = optimizer_of(model, TrainConfig(clip_norm=1e-3))
    model.local_model.head.weight.data.normal_()
    backward(model, torch.randint(0, 256, (2, 16)))
    optimizer.clip_gradients()
    gradients = [p.grad.values() if p.grad.is_sparse else p.grad for p in model.parameters()]
    assert torch.nn.utils.get_total_norm(gradients).item() == pytest.approx(1e-3, rel=1e-2)
    optimizer.step(1.0)
    assert all(p.grad is None for p in model.parameters())


def test_a_scale_of_zero_changes_nothing(model):
    optimizer = optimizer_of(model, TrainConfig())
    before = {name: p.detach().clone() for name, p in model.named_parameters()}
    backward(model, torch.randint(0, 256, (2, 16)))
    optimizer.step(0.0)
    assert all(torch.equal(p, before[name]) for name, p in model.named_parameters())


def test_adam_follows_torch(model):
    """The dense update is torch.optim.Adam's."""
    optimizer = optimizer_of(model, TrainConfig(clip_norm=1e9))
    copy = torch.nn.Parameter(model.local_model.head.weight.detach().clone())
    reference = torch.optim.Adam([copy], lr=3e-3, betas=(0.9, 0.95))
    for seed in range(4):
        backward(model, torch.randint(0, 256, (2, 16), generator=torch.Generator().manual_seed(seed)))
        copy.grad = torch.randn(copy.shape, generator=torch.Generator().manual_seed(seed))
        model.local_model.head.weight.grad = copy.grad.clone()
        optimizer.step(1.0)
        reference.step()
    torch.testing.assert_close(model.local_model.head.weight.detach(), copy.detach())


def test_matrices_are_updated_every_few_steps_and_all_others_at_each(model):
    optimizer = optimizer_of(model, TrainConfig(muon_every=3))
    model.local_model.head.weight.data.normal_()
    for step in range(1, 7):
        before = {name: p.detach().clone() for name, p in model.named_parameters()}
        backward(model, torch.randint(0, 256, (2, 16), generator=torch.Generator().manual_seed(step)))
        optimizer.step(1.0)
        assert any(not torch.equal(p, before[name]) for name, p in optimizer.matrices.items()) == (step % 3 == 0)
        assert not torch.equal(model.global_to_local.weight, before["global_to_local.weight"])
