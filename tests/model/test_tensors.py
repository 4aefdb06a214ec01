"""The table of tensors is that of the torch modules, for every preset and every kind of model; old names are read and written."""

import pytest
import torch
from torch import nn

from tavu.config import ModelConfig
from tavu.model.designs import build_model, tensor_specs
from tavu.model.layers import MLP
from tavu.model.tensors import TensorSpec, stored_name
from tavu.model.transformer import Block
from tavu.recipe import preset_names, read_preset, to_recipe
from tavu.stored_model import GROUP, SHIPPED, open_model
from tests.conftest import CONFIGS

ALL_CONFIGS = CONFIGS | {name: to_recipe(read_preset(name)).model for name in preset_names()}
DTYPES = {torch.float32: "F32", torch.int64: "I64", torch.int32: "I32", torch.uint8: "U8"}


def specs_of_modules(model: nn.Module) -> dict[str, TensorSpec]:
    """Every tensor of a model's state, its role by the module that it belongs to."""
    parameters = dict(model.named_parameters())
    in_block = {f"{name}.{p}" for name, module in model.named_modules() if isinstance(module, (Block, MLP)) for p, _ in module.named_parameters()}
    sparse = {f"{name}.weight" for name, module in model.named_modules() if isinstance(module, nn.Embedding) and module.sparse}
    specs = {}
    for name, tensor in model.state_dict().items():
        role = "buffer" if name not in parameters else "matrix" if name in in_block else "table" if name in sparse else "dense"
        specs[name] = TensorSpec(tuple(tensor.shape), role, DTYPES[tensor.dtype])
    return specs


@pytest.mark.parametrize("config", ALL_CONFIGS.values(), ids=list(ALL_CONFIGS))
def test_the_table_is_that_of_the_modules(config: ModelConfig):
    with torch.device("meta"):
        assert tensor_specs(config) == specs_of_modules(build_model(config))


def test_files_keep_the_names_of_every_version():
    for file in SHIPPED.glob("*.safetensors"):
        stored = open_model(file)
        names = {stored_name(name) for name in tensor_specs(stored.config)}
        assert names <= stored.tensors.keys() and {"pointer.urge.weight", "pointer.urge_bias"} <= names
    words = tensor_specs(CONFIGS["words"])
    assert len({stored_name(name) for name in words}) == len(words)
    assert stored_name("byte_embedder.phrase_fingerprints") == "byte_embedder.phrase_names"
    assert stored_name("pointer.hint_bias.mean") == "pointer.urge_bias.mean"  # of an optimizer's state


def test_only_matrices_of_whole_groups_are_quantized():
    assert TensorSpec((1, GROUP), "dense").can_be_quantized and TensorSpec((5, 2 * GROUP), "table").can_be_quantized
    for shape in ((GROUP,), (2, GROUP + 1), (2, 3, GROUP)):
        assert not TensorSpec(shape, "dense").can_be_quantized
    assert not TensorSpec((5, GROUP), "buffer", "U8").can_be_quantized
