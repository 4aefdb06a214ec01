"""Writing .safetensors (https://github.com/huggingface/safetensors, "Format") without a copy of the tensors in memory.

The library's own functions copy all of them once or twice, which for a training state is most of what a training takes; reading is left to it.
"""

import json
from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor

from tavu.checksum import CHECKSUM, checksum
from tavu.files import replace_file

_DTYPES = {torch.float32: "F32", torch.bfloat16: "BF16", torch.int32: "I32", torch.int64: "I64", torch.int8: "I8", torch.uint8: "U8"}


def write_tensors(path: Path, tensors: Mapping[str, Tensor], metadata: Mapping[str, str]) -> None:
    """Put tensors (of the dtypes above) and their metadata in a file, whole or not at all. Raises TavuError when it cannot be written."""
    memory = [bytes_of(tensor) for tensor in tensors.values()]
    header: dict[str, object] = {"__metadata__": dict(metadata) | {CHECKSUM: checksum(memory)}}
    end = 0
    for name, tensor in tensors.items():
        start, end = end, end + tensor.numel() * tensor.element_size()
        header[name] = {"dtype": _DTYPES[tensor.dtype], "shape": list(tensor.shape), "data_offsets": [start, end]}
    encoded = json.dumps(header, ensure_ascii=False).encode()
    encoded += b" " * (-len(encoded) % 8)
    replace_file(path, len(encoded).to_bytes(8, "little"), encoded, *memory)


def bytes_of(tensor: Tensor) -> memoryview:
    """The bytes of a tensor, row by row."""
    return memoryview(tensor.detach().cpu().contiguous().view(-1).view(torch.uint8).numpy().data)
