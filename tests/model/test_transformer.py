"""Rotary positions are relative, and the ways to attend agree with a slow, obvious one."""

import copy

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from tavu.model.attention import causal_attention, cross_patch_attention, rotary_table, rotate
from tavu.model.layers import RowDropout, norm, set_dropout, soft_cap


def slow_attention(q, k, v, allowed):
    """Shapes: q, k, v (B, H, N, F); allowed(n, m) says whether unit n reads unit m."""
    out = torch.zeros_like(q)
    for n in range(q.size(2)):
        read = [m for m in range(k.size(2)) if allowed(n, m)]
        scores = torch.einsum("bhf,bhmf->bhm", q[:, :, n], k[:, :, read]) / q.size(-1) ** 0.5
        out[:, :, n] = torch.einsum("bhm,bhmf->bhf", scores.softmax(-1), v[:, :, read])
    return out


def random_heads(num_units: int, seed: int = 0):
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(3, 2, 3, num_units, 8, generator=generator, dtype=torch.float64).unbind(0)


@given(st.integers(0, 40), st.integers(0, 40), st.integers(0, 200))
def test_rotary_scores_depend_on_relative_positions_only(query_at, key_at, shift):
    table = rotary_table(256, 16).double()
    q, k = (x[:1, :, :1].reshape(1, 1, 1, -1)[..., :16] for x in random_heads(4, seed=1)[:2])

    def score(i, j):
        return (rotate(q[:, :, None], table[:, i : i + 1, None, None]) * rotate(k[:, :, None], table[:, j : j + 1, None, None])).sum().item()

    assert score(query_at, key_at) == pytest.approx(score(query_at + shift, key_at + shift), abs=1e-4)


def test_rotary_positions_differ_and_keep_lengths():
    table = rotary_table(64, 16)[:, :, None, None]
    x = torch.randn(1, 64, 1, 1, 16, generator=torch.Generator().manual_seed(0))
    turned = rotate(x, table)
    assert torch.allclose(turned.norm(dim=-1), x.norm(dim=-1), atol=1e-5)
    assert torch.equal(turned[:, 0], x[:, 0])
    same = rotate(x[:, :1].expand_as(x), table)
    assert same.flatten(2)[0].unique(dim=0).size(0) == 64


@pytest.mark.parametrize("num_units", [1, 2, 7, 32, 33, 520])
def test_causal_attention_reads_itself_and_what_came_before(num_units):
    q, k, v = random_heads(num_units)
    assert torch.allclose(causal_attention(q, k, v), slow_attention(q, k, v, lambda n, m: m <= n), atol=1e-6)


@pytest.mark.parametrize("cross", [0, 1, 3, 4])
@pytest.mark.parametrize("num_units", [1, 3, 4, 5, 11, 12])
def test_cross_patch_attention_reads_its_patch_and_a_few_bytes_before(num_units, cross):
    q, k, v = random_heads(num_units)
    expected = slow_attention(q, k, v, lambda n, m: n // 4 * 4 - cross <= m <= n)
    assert torch.allclose(cross_patch_attention(q, k, v, 4, cross), expected, atol=1e-6)


def test_the_norm_has_no_scale_and_the_soft_cap_bends():
    x = torch.randn(5, 32, generator=torch.Generator().manual_seed(0))
    assert torch.allclose(norm(x * 7), norm(x), atol=1e-4)
    capped = soft_cap(torch.tensor([-1e4, -0.01, 0.0, 0.01, 1e4]))
    assert torch.allclose(capped, torch.tensor([-15.0, -0.01, 0.0, 0.01, 15.0]), atol=1e-5)
    assert soft_cap(torch.zeros(1, dtype=torch.bfloat16)).dtype == torch.float32


def test_dropout_leaves_out_whole_rows_and_the_mean_stays():
    rows, dropout = torch.randn(20000, 3), RowDropout(0.25)
    kept = dropout(rows)
    is_kept = (kept != 0).any(-1)
    torch.testing.assert_close(kept[is_kept], rows[is_kept] / 0.75)
    assert 0.24 < 1 - is_kept.float().mean() < 0.26
    assert dropout.eval()(rows) is rows and RowDropout(0.0)(rows) is rows


def test_dropout_is_set_in_every_part_and_is_of_training_alone(model, make_ids):
    model, ids = copy.deepcopy(model).eval(), make_ids(2, model.config.max_seq_len)
    before = model(ids)
    set_dropout(model, 0.5)
    assert torch.equal(model(ids), before)
    torch.manual_seed(0)
    assert not torch.equal(model.train()(ids), before)
    set_dropout(model, 0.0)
    assert torch.equal(model(ids), before)
