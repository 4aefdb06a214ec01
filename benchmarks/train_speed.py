"""Training speed of the same two-level model in tavu and in MEGABYTE-pytorch, in one run, alternating.

Both have the same size: 512 x 8 layers over 256 x 6, patches of 8 bytes, context 1,024. Complete steps are timed: forward, backward, optimizer.
MEGABYTE-pytorch uses the optimizer of its train.py (Adam), in fp32, its default, and under bf16 autocast; tavu uses Muon and AdamW.
Every contender gets the batch sizes of --rows and reports the best. The last line is JSON.

    pip install -e '.[benchmarks]'
    python benchmarks/train_speed.py --text stories.txt
"""

import argparse
import json
import statistics
import time
from collections.abc import Callable, Iterator

import numpy as np
import torch
import torch.nn.functional as F

from tavu.config import FixedPatchConfig, LevelConfig, TrainConfig
from tavu.model.designs import cost, tensor_specs
from tavu.model.megabyte.model import Megabyte
from tavu.training.optimizer import Optimizer

CONTEXT, PATCH = 1024, 8
SHAPE = FixedPatchConfig(levels=(LevelConfig(512, 8, 8, 2048, PATCH), LevelConfig(256, 6, 4, 1024)), max_seq_len=CONTEXT)

Step = Callable[[torch.Tensor], None]


def ours(compiled: bool) -> Step:
    model = Megabyte(SHAPE)
    optimizer = Optimizer(model, {name: spec.role for name, spec in tensor_specs(SHAPE).items()}, TrainConfig())
    forward = torch.compile(model, dynamic=False) if compiled else model

    def step(ids: torch.Tensor) -> None:
        F.cross_entropy(forward(ids, torch.bfloat16).flatten(0, 1), ids.flatten()).backward()
        optimizer.step(1.0)

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


CONTENDERS: dict[str, Callable[[], Step]] = {
    "MEGABYTE-pytorch, fp32": lambda: theirs(autocast=False),
    "MEGABYTE-pytorch, bf16 autocast": lambda: theirs(autocast=True),
    "tavu, bf16": lambda: ours(compiled=False),
    "tavu, bf16, compiled": lambda: ours(compiled=True),
}


def batches(text: bytes, rows: int) -> Iterator[torch.Tensor]:
    data = torch.from_numpy(np.frombuffer(text, dtype=np.uint8).astype(np.int64))
    generator = torch.Generator().manual_seed(0)
    while True:
        starts = torch.randint(0, len(data) - CONTEXT, (rows,), generator=generator)
        yield torch.stack([data[start : start + CONTEXT] for start in starts.tolist()])


def bf16_ceiling(seconds: float = 1.0) -> float:
    """FLOP/s of a large bf16 matrix product on this machine."""
    a, b = torch.randn(2, 2048, 2048).bfloat16()
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
    arguments = parser.parse_args()
    with open(arguments.text, "rb") as file:
        text = file.read(4_000_000)

    steps = {name: make() for name, make in CONTENDERS.items() if arguments.only in name}
    seconds: dict[tuple[str, int], list[float]] = {(name, rows): [] for name in steps for rows in arguments.rows}
    for rows in arguments.rows:
        source = batches(text, rows)
        for round_number in range(arguments.rounds + 1):  # the first is a warm-up
            for name, step in steps.items():
                ids = next(source)
                begun = time.perf_counter()
                step(ids)
                if round_number:
                    seconds[name, rows].append(time.perf_counter() - begun)
    speeds = {name: max(rows * CONTEXT / statistics.median(seconds[name, rows]) for rows in arguments.rows) for name in steps}

    flops = 3 * cost(SHAPE).flops_per_byte
    ceiling = bf16_ceiling()
    best = max(speeds["tavu, bf16"], speeds["tavu, bf16, compiled"])
    for name, speed in speeds.items():
        print(f"{name:34} {speed:8,.0f} bytes/s  {best / speed:5.2f} x slower than tavu's best")
    print(
        f"tavu: {flops / 1e6:.1f} MFLOP a byte trained, {best * flops / 1e9:.0f} of {ceiling / 1e9:.0f} GFLOP/s, {100 * best * flops / ceiling:.0f} %"
    )
    print(
        json.dumps(
            {"bytes_per_second": speeds, "ceiling_flops": ceiling, "share_of_ceiling": best * flops / ceiling, "threads": torch.get_num_threads()}
        )
    )


if __name__ == "__main__":
    main()
