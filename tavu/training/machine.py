"""What this machine is and does best: device, precision, rows at a time and compilation, by measurement."""

import ctypes
import itertools
import os
import platform
import shutil
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import torch

from tavu.config import TrainConfig
from tavu.errors import TavuError

PRECISIONS = {"fp32": torch.float32, "bf16": torch.bfloat16}
M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3  # of mallopt(3)
COMPILE_FROM_SECONDS = 1200
"""Budgets shorter than this do not win back the minute or so that compiling takes."""


@dataclass(frozen=True)
class Plan:
    """How training uses this machine. A resume keeps the plan of its start, or it would not go on bit by bit."""

    device: str
    precision: str
    micro_batch_rows: int
    compile: bool
    probe: list[dict[str, Any]] = field(default_factory=list)
    """What was measured: [{"setting": ..., "bytes_per_second": ...}, ...]."""

    @property
    def dtype(self) -> torch.dtype:
        return PRECISIONS[self.precision]


def best_device() -> str:
    if torch.cuda.is_available():
        return "cuda"
    return "mps" if torch.backends.mps.is_available() else "cpu"


def pick_device(wanted: str, name: str = "train.device") -> str:
    """The device that was asked for, or the best one. Raises TavuError when it is not there."""
    available = ["cpu", *(["cuda"] if torch.cuda.is_available() else []), *(["mps"] if torch.backends.mps.is_available() else [])]
    if wanted not in ("auto", *available):
        raise TavuError(f"{name} is {wanted!r}, which this machine (or this build of torch) lacks. Expected auto, or one of {', '.join(available)}.")
    return best_device() if wanted == "auto" else wanted


def keep_freed_memory() -> None:
    """Let glibc keep what is freed for what comes next. To give it back after each step and fetch it anew page by page takes a tenth of the time.

    Elsewhere nothing is done.
    """
    if sys.platform != "linux":
        return
    change = getattr(ctypes.CDLL(None), "mallopt", None)
    if change is not None:
        change(M_MMAP_THRESHOLD, 32 << 20)  # the most that glibc takes
        change(M_TRIM_THRESHOLD, (1 << 31) - 1)


def make_plan(config: TrainConfig, rows: int, bytes_per_second: Callable[[Plan], float], *, same_shapes: bool = True) -> Plan:
    """The fastest plan that the config leaves open. `bytes_per_second` measures one; what is decided by the config is not measured.

    First the precision, then the rows at a time, then whether to compile: each with the best of what was settled before. A model whose shapes are
    not the same for every batch is not compiled unless the config says so: that takes minutes, again and again.
    """
    device = pick_device(config.device)
    precisions = [config.precision] if config.precision != "auto" else usable_precisions(device)
    plans = [Plan(device, precision, config.micro_batch_rows or rows, False) for precision in precisions]
    probe: list[dict[str, Any]] = []

    def fastest(plans: list[Plan]) -> Plan:
        if len(plans) == 1:
            return plans[0]
        for plan in plans:
            if not any(entry["setting"] == _name(plan) for entry in probe):
                probe.append({"setting": _name(plan), "bytes_per_second": round(_speed(plan, bytes_per_second))})
        speeds = {entry["setting"]: entry["bytes_per_second"] for entry in probe}
        return max(plans, key=lambda plan: speeds[_name(plan)])

    best = fastest(plans)
    if not config.micro_batch_rows:
        choices = [rows] + [fewer for fewer in (rows // 2, rows // 4) if fewer and rows % fewer == 0]
        best = fastest([Plan(device, best.precision, choice, False) for choice in choices])
    compiled = Plan(device, best.precision, best.micro_batch_rows, True)
    if config.compile == "on":
        best = compiled
    elif config.compile == "auto" and same_shapes and _worth_compiling(config, device):
        best = fastest([best, compiled])
    return Plan(best.device, best.precision, best.micro_batch_rows, best.compile, probe)


def usable_precisions(device: str) -> list[str]:
    """Without bf16 where its matrix products are slower: on processors that lack them a whole step of it would take half a minute."""
    seconds = {name: _product_seconds(device, dtype) for name, dtype in PRECISIONS.items()}
    return ["fp32", "bf16"] if seconds["bf16"] < seconds["fp32"] else ["fp32"]


def _product_seconds(device: str, dtype: torch.dtype, size: int = 512) -> float:
    """How long a product of two square matrices takes at least, of a few."""
    a, b = torch.ones(2, size, size, dtype=dtype, device=device)
    taken = []
    for _ in range(4):
        begun = time.perf_counter()
        (a @ b)[0, 0].item()  # waits for a device that works on its own
        taken.append(time.perf_counter() - begun)
    return min(taken)


def _worth_compiling(config: TrainConfig, device: str) -> bool:
    compiler = device == "cuda" or any(shutil.which(name) for name in ("g++", "clang++", "c++"))
    return bool(compiler) and config.minutes is not None and config.minutes * 60 >= COMPILE_FROM_SECONDS


def _name(plan: Plan) -> str:
    return f"{plan.precision}, {plan.micro_batch_rows} rows at a time" + (", compiled" if plan.compile else "")


def _speed(plan: Plan, bytes_per_second: Callable[[Plan], float]) -> float:
    """0 where the plan does not run here: out of memory, or a dtype or compiler that is missing."""
    try:
        return bytes_per_second(plan)
    except (RuntimeError, torch.OutOfMemoryError, NotImplementedError):
        return 0.0


def timed(steps: Iterator[int], seconds: float = 0.7) -> float:
    """Units per second of an iterator that does some work at each item and yields its units: the best of a few after two to warm up."""
    next(steps), next(steps)
    best, begun = 0.0, time.perf_counter()
    for _ in itertools.count():
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


def peak_memory_mb() -> float:
    """The most memory that this process has held, in MB (10**6 bytes); 0 where the system does not tell (Windows)."""
    if sys.platform == "win32":
        return 0.0
    import resource

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak * (1 if sys.platform == "darwin" else 1024) / 1e6
