"""Quantize a model file to 8 or 4 bits per weight, and measure the loss in bits per byte."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from tavu.compression.calibration import calibrate
from tavu.config import check
from tavu.errors import TavuError
from tavu.evaluation.bits_per_byte import BitsPerByte, bits_per_byte
from tavu.evaluation.torch_scorer import TorchScorer
from tavu.files import make_folder
from tavu.generation.decoder import TorchWriter
from tavu.model_file import load_model, save_model
from tavu.quantized import LIMITS
from tavu.stored_model import find_model


@dataclass(frozen=True)
class Quantization:
    """File sizes before and after, and bits per byte if there was text to measure on."""

    out: Path
    bits: int
    file_bytes_before: int
    file_bytes: int
    before: BitsPerByte | None
    after: BitsPerByte | None


def quantize_file(model: str | Path, out: Path, bits: int, documents: Sequence[bytes] = (), *, note: str | None = None) -> Quantization:
    """Write the model of a file or run folder to `out` with `bits` per weight, and measure both on documents. `note` is stored in the file's facts.

    Raises TavuError if bits is not 8 or 4, the model cannot be read, or `out` is the model itself or cannot be written.
    """
    check(bits in LIMITS, "bits", bits, " or ".join(map(str, LIMITS)) + ".")
    file = find_model(model)
    if out.exists() and out.samefile(file):
        raise TavuError(f"{out} is the model itself, which would be overwritten. Choose another --out.")
    if out.is_dir():
        raise TavuError(f"{out} is a folder, expected the name of a new file, e.g. {out / f'{file.stem}-{bits}bit.safetensors'}.")
    network, facts = load_model(file)
    make_folder(out.parent)
    rounded = calibrate(network, TorchWriter(network)) if bits == 4 else None
    save_model(out, network, facts | {"weight_bits": bits} | ({"note": note} if note else {}), bits=bits, rounded=rounded)
    arrays = [np.frombuffer(document, dtype=np.uint8) for document in documents]
    before = bits_per_byte(TorchScorer(network), arrays) if arrays else None
    after = bits_per_byte(TorchScorer(load_model(out)[0]), arrays) if arrays else None
    return Quantization(out, bits, file.stat().st_size, out.stat().st_size, before, after)
