"""Writing speed, 512 bytes from nothing: tavu's decoder against MEGABYTE-pytorch's `generate`, the same shape, in one run, alternating.

MEGABYTE-pytorch always writes its whole context, reading the whole prefix again for every byte; so it gets a context of 512 here, which is in its
favor. Also tavu's presets. Weights are random: speed does not depend on them. The last line is JSON.

    pip install -e '.[benchmarks]'
    python benchmarks/decode_speed.py
"""

import argparse
import json
import statistics
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

from tavu.config import FixedPatchConfig, LevelConfig, ModelConfig, SamplingConfig
from tavu.generation.writing import draw
from tavu.model_file import build_model, load_model, save_model
from tavu.recipe import read_preset, to_recipe

NUM_BYTES, PATCH = 512, 8
SHAPE = FixedPatchConfig(levels=(LevelConfig(512, 8, 8, 2048, PATCH), LevelConfig(256, 6, 4, 1024)), max_seq_len=1024)


def ours(config: ModelConfig) -> Callable[[], None]:
    with tempfile.TemporaryDirectory() as folder:  # as users have it: from a file
        path = Path(folder) / "model.safetensors"
        save_model(path, build_model(config), {})
        model, _ = load_model(path)

    def run() -> None:
        for _, ids in zip(range(NUM_BYTES), draw(model, b"", replace(SamplingConfig(), temperature=1.0), 1, torch.float32), strict=False):
            assert ids.shape == (1,)

    return run


def theirs() -> Callable[[], None]:
    from MEGABYTE_pytorch import MEGABYTE

    model = MEGABYTE(
        num_tokens=256, dim=(512, 256), depth=(8, 6), max_seq_len=(NUM_BYTES // PATCH, PATCH), heads=8, dim_head=64, flash_attn=False
    ).eval()

    @torch.no_grad()
    def run() -> None:
        assert model.generate().numel() == NUM_BYTES

    return run


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()
    np.random.seed(0)
    torch.manual_seed(0)
    presets = {f"tavu, preset {name}": ours(to_recipe(read_preset(name)).model) for name in ("words", "megabyte", "megabyte-40m")}
    contenders = {"MEGABYTE-pytorch": theirs(), "tavu, the same shape": ours(SHAPE), **presets}
    speeds: dict[str, list[float]] = {name: [] for name in contenders}
    for _ in range(arguments.rounds):
        for name, run in contenders.items():
            begun = time.perf_counter()
            run()
            speeds[name].append(NUM_BYTES / (time.perf_counter() - begun))
    medians = {name: statistics.median(values) for name, values in speeds.items()}
    for name, speed in medians.items():
        print(f"{name:28} {speed:9,.1f} bytes/s  ({min(speeds[name]):,.1f} to {max(speeds[name]):,.1f})")
    ratio = medians["tavu, the same shape"] / medians["MEGABYTE-pytorch"]
    print(f"The same shape: {ratio:.0f} times.")
    print(json.dumps({"bytes_per_second": medians, "ratio": ratio, "threads": torch.get_num_threads()}))


if __name__ == "__main__":
    main()
