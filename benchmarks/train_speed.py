"""Training speed of the same two-level model in tavu and in MEGABYTE-pytorch, or of a preset, plain and compiled; in one run, alternating.

The two-level models have the same size: 512 x 8 layers over 256 x 6, patches of 8 bytes, context 1,024. MEGABYTE-pytorch uses the optimizer of its
train.py (Adam), in fp32, its default, and under bf16 autocast; tavu uses Muon and AdamW. With --preset there is no peer, and the precision is the one
that suits this machine. Complete steps are timed: forward, backward, optimizer. Every contender gets the batch sizes of --rows and reports the best;
its share of the ceiling is that of this machine's largest matrix product in its precision. The last line is JSON.

    pip install -e '.[benchmarks]'
    python benchmarks/train_speed.py --text stories.txt
    python benchmarks/train_speed.py --text stories.txt --preset words --rows 8 --rounds 15
"""

import argparse
import json
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import torch

from tavu.config import DataConfig, FixedPatchConfig, LevelConfig, ModelConfig, TrainConfig
from tavu.data.batches import Batches
from tavu.data.corpus import build_corpus
from tavu.data.documents import DocumentFile
from tavu.model.designs import build_model, cost, initialize_from_counts, tensor_specs
from tavu.recipe import read_preset, to_recipe
from tavu.training.losses import next_id_loss
from tavu.training.machine import PRECISIONS, best_precision, for_device, keep_freed_memory
from tavu.training.optimizer import Optimizer
from tavu.training.randomness import seeded
from tavu.training.step import compile_model

CONTEXT, PATCH = 1024, 8
SHAPE = FixedPatchConfig(levels=(LevelConfig(512, 8, 8, 2048, PATCH), LevelConfig(256, 6, 4, 1024)), max_seq_len=CONTEXT)

Step = Callable[[torch.Tensor], None]


def ours(model_config: ModelConfig, config: TrainConfig, precision: str, text: DocumentFile, *, compiled: bool) -> Step:
    with seeded(0):
        model = build_model(model_config)
    initialize_from_counts(model, text, 4_000_000, config.min_word_count)
    optimizer = Optimizer(model, {name: spec.role for name, spec in tensor_specs(model_config).items()}, config, PRECISIONS[precision])
    forward = compile_model(model) if compiled else model

    def step(ids: torch.Tensor) -> None:
        next_id_loss(forward(ids, PRECISIONS[precision]), ids).backward()
        optimizer.step(0.1)

    return step


def theirs(autocast: bool) -> Step:
    from MEGABYTE_pytorch import MEGABYTE

    model = MEGABYTE(num_tokens=256, dim=(512, 256), depth=(8, 6), max_seq_len=(CONTEXT // PATCH, PATCH), heads=8, dim_head=64, flash_attn=False)
    optimizer = torch.optim.Adam(model.parameters(), lr=2e-4)

    def step(ids: torch.Tensor) -> None:
        with torch.autocast("cpu", dtype=torch.bfloat16, enabled=autocast):
            loss = model(ids, return_loss=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 0.5)
        optimizer.step()
        optimizer.zero_grad()

    return step


def contenders(preset: str | None, precision: str, text: DocumentFile) -> dict[str, Callable[[], Step]]:
    recipe = None if preset is None else to_recipe(read_preset(preset))
    model, config = (SHAPE, TrainConfig()) if recipe is None else (recipe.model, for_device(recipe.train))
    name = f"tavu {preset or ''}".strip()
    peers = {"MEGABYTE-pytorch, fp32": lambda: theirs(autocast=False), "MEGABYTE-pytorch, bf16 autocast": lambda: theirs(autocast=True)}
    return (peers if preset is None else {}) | {
        f"{name}, {precision}": lambda: ours(model, config, precision, text, compiled=False),
        f"{name}, {precision}, compiled": lambda: ours(model, config, precision, text, compiled=True),
    }


def ceiling_flops(precision: str, seconds: float = 1.0) -> float:
    """FLOP/s of a large matrix product on this machine."""
    a, b = torch.randn(2, 2048, 2048).to(PRECISIONS[precision])
    best, begun = 0.0, time.perf_counter()
    while time.perf_counter() - begun < seconds:
        start = time.perf_counter()
        a @ b
        best = max(best, 2 * 2048**3 / (time.perf_counter() - start))
    return best


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--text", required=True, help="any text file of 1 MB or more")
    parser.add_argument("--rows", type=int, nargs="+", default=[16, 32])
    parser.add_argument("--rounds", type=int, default=3, help="timed steps of each contender at each batch size, alternating")
    parser.add_argument("--only", default="", help="only contenders whose name contains this, such as bf16")
    parser.add_argument("--preset", help="time this preset instead, without a peer")
    arguments = parser.parse_args()
    keep_freed_memory()
    precision = best_precision("cpu")
    with tempfile.TemporaryDirectory() as folder:
        measure(arguments, precision, build_corpus(DataConfig((arguments.text,)), cache_dir=Path(folder)).train)


def measure(arguments: argparse.Namespace, precision: str, text: DocumentFile) -> None:
    makers = contenders(arguments.preset, precision, text)
    steps = {name: make() for name, make in makers.items() if arguments.only in name}
    seconds: dict[tuple[str, int], list[float]] = {(name, rows): [] for name in steps for rows in arguments.rows}
    for rows in arguments.rows:
        batches = Batches(text, seq_len=CONTEXT, rows=rows, seed=0)
        for round_number in range(arguments.rounds + 2):  # the first two are a warm-up
            ids = torch.from_numpy(batches.batch(round_number))
            for name, step in steps.items():
                begun = time.perf_counter()
                step(ids)
                if round_number >= 2:
                    seconds[name, rows].append(time.perf_counter() - begun)
    speeds = {name: max(rows * CONTEXT / statistics.median(seconds[name, rows]) for rows in arguments.rows) for name in steps}

    flops = 3 * cost(to_recipe(read_preset(arguments.preset)).model if arguments.preset else SHAPE).flops_per_byte
    ceiling = ceiling_flops(precision)
    best = max(speed for name, speed in speeds.items() if name.startswith("tavu"))
    for name, speed in speeds.items():
        print(f"{name:34} {speed:8,.0f} bytes/s  {best / speed:5.2f} x slower than tavu's best")
    print(
        f"tavu: {flops / 1e6:.1f} MFLOP a byte trained, {best * flops / 1e9:.0f} of {ceiling / 1e9:.0f} GFLOP/s, {100 * best * flops / ceiling:.0f} %"
    )
    shares = {"ceiling_flops": ceiling, "share_of_ceiling": best * flops / ceiling}
    print(json.dumps({"bytes_per_second": speeds, **shares, "precision": precision, "threads": torch.get_num_threads()}))


if __name__ == "__main__":
    main()
