"""What this machine is, and how training uses it: device, precision, micro-batch size and compilation."""

import ctypes
import os
import platform
import shutil
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import torch

from tavu.config import TrainConfig
from tavu.errors import TavuError

PRECISIONS = {"fp32": torch.float32, "bf16": torch.bfloat16}
M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3  # of mallopt(3)
MICRO_BATCH_IDS = {"cpu": 16_384, "gpu": 131_072}
"""The most ids per micro-batch. More are no faster, and take more memory."""
MIN_BF16_SPEEDUP = 1.5
BATCH_BYTES = {"cpu": 8192, "gpu": 32_768}
"""Of a step, where the recipe leaves it to the device. A GPU takes as long for a step of a word model, whatever its size up to this."""
MUON_EVERY = {"cpu": 4, "gpu": 1}
COMPILE_FROM_SECONDS = 1200
"""Compiling takes a minute or so, and a few where shapes differ from batch to batch. Shorter budgets do not make up for it."""


@dataclass(frozen=True)
class Plan:
    """How training uses this machine. A resume keeps the plan it was started with, so that it is bit-equal, unless the config overrides it."""

    device: str
    precision: str
    micro_batch_rows: int
    compile: bool
    probe: list[dict[str, Any]] = field(default_factory=list, compare=False)
    """What was measured: [{"setting": ..., "bytes_per_second": ...}, ...]."""

    @property
    def dtype(self) -> torch.dtype:
        return PRECISIONS[self.precision]


def best_device() -> str:
    if torch.cuda.is_available():
        return "cuda"
    return "mps" if torch.backends.mps.is_available() else "cpu"


def pick_device(wanted: str, name: str = "train.device") -> str:
    """The requested device, or the best one for "auto". Raises TavuError when it is not available."""
    available = available_devices()
    if wanted not in ("auto", *available):
        raise TavuError(f"{name} is {wanted!r}, which this machine (or this build of torch) lacks. Expected auto, or one of {', '.join(available)}.")
    return best_device() if wanted == "auto" else wanted


def for_device(config: TrainConfig) -> TrainConfig:
    """The config with the batch size and muon_every that suit the device, where they are 0. Raises TavuError when the device is not available."""
    if config.batch_bytes and config.muon_every:
        return config
    kind = "cpu" if pick_device(config.device) == "cpu" else "gpu"
    return replace(config, batch_bytes=config.batch_bytes or BATCH_BYTES[kind], muon_every=config.muon_every or MUON_EVERY[kind])


def resumed_plan(plan: Plan, config: TrainConfig, folder: Path, new_plan: Callable[[], Plan]) -> Plan:
    """The plan for a resumed run: the one it was started with, with the overrides of the config, or a new plan if the config names another device.

    Raises TavuError when the device is not available and the config names no other.
    """
    if config.device not in ("auto", plan.device):
        return new_plan()
    if plan.device not in available_devices():
        way_out = f"continue here from its last save: tavu train --resume {folder} --set train.device=cpu"
        raise TavuError(
            f"{folder} was training on {plan.device}, which this machine (or this build of torch) lacks. Resume it on such a machine, or {way_out}"
        )
    return replace(
        plan,
        precision=plan.precision if config.precision == "auto" else config.precision,
        micro_batch_rows=config.micro_batch_rows or plan.micro_batch_rows,
        compile=plan.compile if config.compile == "auto" else config.compile == "on",
    )


def available_devices() -> list[str]:
    return ["cpu", *(["cuda"] if torch.cuda.is_available() else []), *(["mps"] if torch.backends.mps.is_available() else [])]


def keep_freed_memory() -> None:
    """Make glibc keep freed memory for reuse. Returning it after each step, and faulting it in again page by page, takes a tenth of the time.

    Does nothing on other systems.
    """
    if sys.platform != "linux":
        return
    change = getattr(ctypes.CDLL(None), "mallopt", None)
    if change is not None:
        change(M_MMAP_THRESHOLD, 32 << 20)  # the largest value that glibc accepts
        change(M_TRIM_THRESHOLD, (1 << 31) - 1)


def make_plan(config: TrainConfig, rows: int, seq_len: int, bytes_per_second: Callable[[Plan], float], *, same_shapes: bool = True) -> Plan:
    """Decide what the config leaves open. The same machine decides the same however busy it is, so that a seed gives the same model again.

    The micro-batch size follows from the number of ids that suits the device. Whether to compile is measured with `bytes_per_second`, if the time
    budget is long enough to pay for it. `same_shapes`: whether all batches take tensors of the same shapes.
    """
    device = pick_device(config.device)
    precision = config.precision if config.precision != "auto" else best_precision(device)
    plan = Plan(device, precision, config.micro_batch_rows or pick_micro_batch_rows(rows, seq_len, device), config.compile == "on")
    if config.compile != "auto" or not _worth_compiling(plan, config, same_shapes):
        return plan
    speeds = {choice: _speed(choice, bytes_per_second) for choice in (plan, replace(plan, compile=True))}
    probe = [{"setting": _name(choice), "bytes_per_second": round(speed)} for choice, speed in speeds.items()]
    return replace(max(speeds, key=speeds.__getitem__), probe=probe)


def pick_micro_batch_rows(rows: int, seq_len: int, device: str) -> int:
    """The largest number of rows that divides the batch and stays within MICRO_BATCH_IDS.

    >>> pick_micro_batch_rows(8, 1024, "cpu"), pick_micro_batch_rows(32, 1024, "cpu"), pick_micro_batch_rows(1, 65536, "cpu")
    (8, 16, 1)
    """
    most = max(1, MICRO_BATCH_IDS["cpu" if device == "cpu" else "gpu"] // seq_len)
    return next(fewer for fewer in range(min(rows, most), 0, -1) if rows % fewer == 0)


def best_precision(device: str) -> str:
    """bf16 if its matrix products are clearly faster, else fp32. The ratio is far from 1: hardware either supports bf16 or emulates it slowly."""
    return "bf16" if MIN_BF16_SPEEDUP * _matmul_seconds(device, torch.bfloat16) < _matmul_seconds(device, torch.float32) else "fp32"


def _matmul_seconds(device: str, dtype: torch.dtype, size: int = 512) -> float:
    """The shortest of a few timings of a product of two square matrices, in seconds."""
    a, b = torch.ones(2, size, size, dtype=dtype, device=device)
    taken = []
    for _ in range(12):
        begun = time.perf_counter()
        (a @ b)[0, 0].item()  # waits for an asynchronous device
        taken.append(time.perf_counter() - begun)
    return min(taken)


def _worth_compiling(plan: Plan, config: TrainConfig, same_shapes: bool) -> bool:
    """Whether to measure if compiled steps are faster. In float32 on a CPU those of a word model are not: products take most of their time
    (records/LOG.md)."""
    if plan.device == "cpu" and plan.precision == "fp32" and not same_shapes:
        return False
    compiler = plan.device == "cuda" or any(shutil.which(name) for name in ("g++", "clang++", "c++"))
    return bool(compiler) and config.minutes is not None and config.minutes * 60 >= COMPILE_FROM_SECONDS * (1 if same_shapes else 3)


def _name(plan: Plan) -> str:
    return f"{plan.precision}, {plan.micro_batch_rows} rows at a time" + (", compiled" if plan.compile else "")


def _speed(plan: Plan, bytes_per_second: Callable[[Plan], float]) -> float:
    """Bytes per second; 0 if the plan does not run here: out of memory, or dtype or compiler missing."""
    try:
        return bytes_per_second(plan)
    except (RuntimeError, torch.OutOfMemoryError, NotImplementedError):
        return 0.0


def best_rate(steps: Iterator[int], seconds: float = 0.7) -> float:
    """Best units per second over a few items, after two for warm-up. Each item of the iterator does some work and yields its number of units."""
    for _ in range(2):
        next(steps)
    best, begun = 0.0, time.perf_counter()
    while True:
        start = time.perf_counter()
        units = next(steps)
        best = max(best, units / (time.perf_counter() - start))
        if time.perf_counter() - begun > seconds:
            return best


def describe(plan: Plan) -> dict[str, Any]:
    """The machine, its software and the plan, for environment.json."""
    import tavu

    return {
        "tavu": tavu.__version__,
        "python": platform.python_version(),
        "torch": torch.__version__,
        "platform": platform.platform(),
        "processor": processor_name(),
        "cores": torch.get_num_threads(),
        "memory_gb": round(_memory_bytes() / 2**30, 1),
        "device": torch.cuda.get_device_name() if plan.device == "cuda" else plan.device,
        "precision": plan.precision,
        "compile": plan.compile,
        "micro_batch_rows": plan.micro_batch_rows,
        "probe": plan.probe,
    }


def processor_name() -> str:
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as file:
            return next(line.split(":", 1)[1].strip() for line in file if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.processor() or platform.machine()


def _memory_bytes() -> int:
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (ValueError, OSError, AttributeError):
        return 0
