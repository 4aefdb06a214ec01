"""What cost.py says is what torch counts: parameters, FLOPs of a real forward pass, bytes of a full cache."""

import pytest
import torch
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

from tavu.config import FixedPatchConfig, LevelConfig, MLPStackConfig, TransformerConfig, WordPatchConfig
from tavu.model.cost import Part
from tavu.model.designs import cost
from tavu.model.words.read import word_features


def parts(part: Part):
    yield part
    for inner in part.parts:
        yield from parts(inner)


def counted_flops(model, ids) -> int:
    # torch counts nothing for its fused attention on a CPU, so attention runs as the matrix products that it stands for
    with FlopCounterMode(display=False) as counter, sdpa_kernel(SDPBackend.MATH), torch.inference_mode():
        model(ids)
    return counter.get_total_flops()


def fixed(context: int, **options) -> FixedPatchConfig:
    return FixedPatchConfig((LevelConfig(24, 2, 2, 32, 12), LevelConfig(16, 1, 2, 48, 4), LevelConfig(8, 3, 1, 16)), context, **options)


FIXED = {
    "three": fixed(48),
    "two": FixedPatchConfig((LevelConfig(16, 2, 2, 32, 4), LevelConfig(8, 1, 1, 16)), 192),
    "many patches, by torch's fused attention": FixedPatchConfig((LevelConfig(8, 1, 1, 8, 4), LevelConfig(8, 1, 1, 16)), 4 * 600),
    "large patches": FixedPatchConfig((LevelConfig(48, 1, 2, 32, 48), LevelConfig(8, 1, 1, 16)), 192),
    "conv": fixed(48, conv_encoder=True),
    "cross": fixed(48, cross_patch_bytes=3),
}


@pytest.mark.parametrize("name", FIXED)
def test_flops_of_fixed_patches(make_model, make_ids, name):
    model = make_model(FIXED[name])
    T = model.config.max_seq_len
    assert cost(model.config).flops_per_byte * 2 * T == pytest.approx(counted_flops(model, make_ids(2, T)))


@pytest.mark.parametrize("word", [b"ab ", b"never "])
def test_flops_of_words(make_model, word):
    T = 120  # each row is as many words of one length
    config = WordPatchConfig((TransformerConfig(16, 2, 2, 32), MLPStackConfig(8, 2, 16)), T, word_rows=64, prefix_rows=64, ngram_rows=64)
    model, ids = make_model(config), torch.tensor([[*word * (T // len(word))]] * 2)
    assert word_features(ids, config).start.shape == (2, T // len(word))
    assert cost(model.config, bytes_per_patch=len(word)).flops_per_byte * 2 * T == pytest.approx(counted_flops(model, ids))


def test_parameters_are_those_of_the_model(model):
    assert cost(model.config).num_parameters == sum(p.numel() for p in model.parameters())


def test_a_whole_is_the_sum_of_its_parts(model):
    for part in parts(cost(model.config)):
        if part.parts:
            assert part.num_parameters == sum(inner.num_parameters for inner in part.parts)
            assert part.flops_per_byte == pytest.approx(sum(inner.flops_per_byte for inner in part.parts))
            assert part.cache_bytes == sum(inner.cache_bytes for inner in part.parts)


@torch.inference_mode()
@pytest.mark.parametrize("name", FIXED)
def test_cache_bytes_of_fixed_patches_are_those_of_a_cache_of_one_row(make_model, name):
    model = make_model(FIXED[name])
    cache = model.empty_cache(1)
    assert cost(model.config).cache_bytes == sum(x.nbytes for kv in cache.key_values for x in (kv.keys, kv.values))


def test_longer_words_cost_less_a_byte(make_model, configs):
    model = make_model(configs["words"])
    short, long = cost(model.config, bytes_per_patch=4.0), cost(model.config, bytes_per_patch=8.0)
    assert long.flops_per_byte < short.flops_per_byte and long.cache_bytes < short.cache_bytes
    assert long.num_parameters == short.num_parameters


def test_to_dict_tells_the_whole_tree(model):
    tree = cost(model.config)
    told = tree.to_dict()
    assert told["num_parameters"] == tree.num_parameters and [p["name"] for p in told["parts"]] == [p.name for p in tree.parts]
    assert "parts" not in told["parts"][-1] or told["parts"][-1]["parts"]
