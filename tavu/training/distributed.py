"""Several processes that train one model: torch.distributed, with gloo between processors and NCCL between GPUs.

Each process, a rank, holds the whole model and reads its own rows of each batch. Gradients are averaged, so that all ranks make the same update. The
first rank also decides and writes: it prepares the model, measures it, saves it, and its clock is that of the budget. Every function here is an
identity for one process, so that the rest of training does not tell one process from many.

Shapes: N matrices (out, in) of one shape; tables (rows, D).
"""

# pyright: reportPrivateImportUsage=false
# torch.distributed does not export its stores in a way that pyright knows.

import json
import os
import re
import socket
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import timedelta
from typing import TypeVar, cast

import torch
import torch.distributed as dist
import torch.nn.functional as F
from torch import Tensor, nn

from tavu.errors import TavuError

T = TypeVar("T")

JOIN_TIMEOUT, WAIT_TIMEOUT = timedelta(minutes=5), timedelta(hours=12)
"""To wait for a rank that has not started; and for the first rank while it reads text or measures the model: a rank that ends is noticed sooner."""
BEAT_SECONDS, LOST_SECONDS = 2.0, 20.0
"""Between two signs of life of a rank; and how long one may be silent."""
OVER_SECONDS = 2.0
"""The first rank tells an error that all have; the others wait this long for it."""


class Disconnected(TavuError):
    """Another rank ended, or its machine cannot be reached."""


class Ranks:
    """The ranks of one training, seen from one of them. `Ranks()` is a process on its own."""

    def __init__(self, rank: int = 0, size: int = 1, *, local_rank: int = 0, pulse: "Pulse | None" = None):
        self.rank, self.size, self.local_rank = rank, size, local_rank
        self._pulse = pulse
        self._gpus: dist.ProcessGroup | None = None
        """The group for tensors on GPUs; processors have the default group."""

    @property
    def is_first(self) -> bool:
        return self.rank == 0

    def use(self, device: str) -> None:
        """Prepare for tensors on a device; with several GPUs, each rank of a machine takes its own. Raises TavuError where a rank has none."""
        if self.size == 1 or device == "cpu":
            return
        if device != "cuda":
            raise TavuError(f"Several processes train on processors or on CUDA GPUs, not on {device}. Start one, or add --set train.device=cpu.")
        if self.local_rank >= torch.cuda.device_count():
            raise TavuError(
                f"{socket.gethostname()} has {torch.cuda.device_count()} GPUs, fewer than the processes that were started on it. "
                "Start one for each GPU with --nproc-per-node, or add --set train.device=cpu."
            )
        torch.cuda.set_device(self.local_rank)
        with _connected():
            self._gpus = cast(dist.ProcessGroup, dist.new_group(backend="nccl", timeout=WAIT_TIMEOUT))

    def seed(self, seed: int) -> int:
        """A seed of this rank's own."""
        return seed ^ (self.rank << 40)

    def agree(self, seconds: float, signal: int | None) -> tuple[float, int | None]:
        """The seconds of the first rank, and the number of a signal that any rank has received."""
        if self.size == 1:
            return seconds, signal
        both = torch.tensor([seconds if self.is_first else 0.0, signal or 0], dtype=torch.float64)
        with _connected():
            dist.all_reduce(both, dist.ReduceOp.MAX)
        return float(both[0]), int(both[1]) or None

    def from_first(self, value: T) -> T:
        """The value of the first rank. JSON must be able to hold it."""
        if self.size == 1:
            return value
        text = torch.frombuffer(bytearray(json.dumps(value).encode()), dtype=torch.uint8)
        num_bytes = torch.tensor([len(text)])
        with _connected():
            dist.broadcast(num_bytes, src=0)
            text = text if self.is_first else torch.empty(int(num_bytes), dtype=torch.uint8)
            dist.broadcast(text, src=0)
        return json.loads(text.numpy().tobytes())

    def copy_from_first(self, tensors: Iterable[Tensor]) -> None:
        """Overwrite tensors with those of the first rank."""
        if self.size == 1:
            return
        with _connected():
            for tensor in tensors:
                dist.broadcast(tensor, src=0, group=self._group(tensor))

    def in_turn(self, make: Callable[[], T]) -> T:
        """make() on the first rank, then on the first rank of each other machine, then on the rest: the later ones find what the earlier cached."""
        if self.size == 1:
            return make()
        turns = [self.is_first, self.local_rank == 0 and not self.is_first, self.local_rank > 0 and not self.is_first]
        made = []
        for is_mine in turns:
            made += [make()] if is_mine else []
            with _connected():
                dist.barrier()
        return made[0]

    def average(self, parameters: Sequence[nn.Parameter], loss: float, num_learned: Callable[[], int]) -> float:
        """Replace the gradients by their mean over all ranks, and return the mean loss. Each counts as much as it has ids that are learned.

        Dense gradients are reduced in one piece. Those of tables stay sparse, so that only rows that were read are exchanged: this is faster, the
        more so the larger the table (records/LOG.md).
        """
        if self.size == 1:
            return loss
        weight = num_learned()
        gradients = [p.grad for p in parameters if p.grad is not None]
        dense = [gradient for gradient in gradients if not gradient.is_sparse]
        flat = torch.cat([*(gradient.flatten() for gradient in dense), dense[0].new_tensor([loss, 1.0])]).mul_(weight)
        with _connected():
            dist.all_reduce(flat, group=self._group(flat))
        total = flat[-1:].clamp(min=1)
        flat.div_(total)
        reduced = iter(flat[:-2].split([gradient.numel() for gradient in dense]))
        for p in parameters:
            if p.grad is not None and p.grad.is_sparse:
                p.grad = p.grad.coalesce()
                p.grad.values().mul_(weight / total)
                with _connected():
                    dist.all_reduce(p.grad)  # with gloo on GPUs too: NCCL has no sparse tensors
            elif p.grad is not None:
                p.grad = next(reduced).view_as(p.grad)
        return float(flat[-2])

    def shared(self, work: Callable[[Tensor], Tensor], stack: Tensor) -> Tensor:
        """work(stack), both (N, out, in), of which each rank does its part and receives the others'."""
        if self.size == 1:
            return work(stack)
        most = -(-len(stack) // self.size)
        padded = F.pad(stack, (0, 0, 0, 0, 0, self.size * most - len(stack)))  # so that all have as many
        done = work(padded[self.rank * most : (self.rank + 1) * most]).contiguous()
        parts = [torch.empty_like(done) for _ in range(self.size)]
        with _connected():
            dist.all_gather(parts, done, group=self._group(done))
        return torch.cat(parts)[: len(stack)]

    def part(self) -> None:
        """Wait for all, then let each go its own way."""
        if self._pulse is None:
            return
        self._pulse.watches = False
        with _connected():
            dist.barrier()
        self._pulse.end()
        self._pulse = None
        dist.destroy_process_group()

    def _group(self, tensor: Tensor) -> "dist.ProcessGroup | None":
        return self._gpus if tensor.is_cuda else None


ALONE = Ranks()


@contextmanager
def _connected() -> Iterator[None]:
    try:
        yield
    except RuntimeError as error:
        reason = re.sub(r"^\[[^]]*\] ", "", str(error)).splitlines()[0].split(". ")[0]  # without the line of C++ that it begins with
        raise Disconnected(f"Another process of this training ended, or its machine cannot be reached ({reason}).") from None


class Pulse:
    """A thread that shows the others that this rank lives, and calls on_lost(rank) when another has been silent for LOST_SECONDS.

    A connection that breaks is noticed at once, by the next function that uses it. This is for what breaks no connection, as a machine without
    power, and for a rank that is busy. Only time in which this process runs counts, so a machine that sleeps loses nobody.
    """

    def __init__(self, rank: int, size: int, on_lost: Callable[[int], None]):
        host, port = os.environ["MASTER_ADDR"], int(os.environ["MASTER_PORT"])
        attempt = os.environ.get("TORCHELASTIC_RESTART_COUNT", "0")
        self._store = dist.PrefixStore(f"tavu/{attempt}", dist.TCPStore(host, port, is_master=False, timeout=JOIN_TIMEOUT))
        self._keys = [f"alive/{other}" for other in range(size)]
        self._rank, self._on_lost = rank, on_lost
        self._ended = threading.Event()
        self.watches = True
        """Whether it looks at the others, too."""
        self._store.set(self._keys[rank], "0")
        self._thread = threading.Thread(target=self._beat, daemon=True)
        self._thread.start()

    def _beat(self) -> None:
        last, silent = [b""] * len(self._keys), [0.0] * len(self._keys)
        count = 0
        while not self._ended.wait(BEAT_SECONDS):
            count += 1
            try:
                self._store.set(self._keys[self._rank], str(count))
                now = self._store.multi_get(self._keys)
            except RuntimeError:  # the store is gone, and with it the rank or the launcher that held it
                now, silent = last, [LOST_SECONDS, *silent[1:]]
            silent = [0.0 if new != old else so_far + BEAT_SECONDS for new, old, so_far in zip(now, last, silent, strict=True)]
            last = now
            if self.watches and not self._ended.is_set() and max(silent) > LOST_SECONDS:
                self._on_lost(silent.index(max(silent)))
                return

    def say_over(self) -> None:
        """Leave word for the others that this rank ended with an error that it has told."""
        with suppress(RuntimeError):
            self._store.set("over", "1")

    def is_over(self, wait: float) -> bool:
        """Whether another rank leaves that word within some seconds."""
        deadline = time.monotonic() + wait
        try:
            while not self._store.check(["over"]):
                if time.monotonic() >= deadline:
                    return False
                time.sleep(0.1)
        except RuntimeError:
            return False
        return True

    def end(self) -> None:
        self._ended.set()
        self._thread.join()


@contextmanager
def joined(on_lost: Callable[[int], None]) -> Iterator[Ranks]:
    """The ranks that a launcher started together, as torchrun does: it sets RANK, WORLD_SIZE, LOCAL_RANK, MASTER_ADDR and MASTER_PORT.

    on_lost is called in a thread when a rank has been silent for LOST_SECONDS. Raises TavuError when not all of them start.
    """
    if not dist.is_available():
        raise TavuError("This build of torch has no torch.distributed, which several processes need. Start one process, or install another build.")
    try:
        store, rank, size = next(dist.rendezvous("env://", timeout=JOIN_TIMEOUT))
        dist.init_process_group("gloo", store=store, rank=rank, world_size=size, timeout=WAIT_TIMEOUT)
        pulse = Pulse(rank, size, on_lost)
    except (RuntimeError, ValueError) as error:
        where = f"{os.environ['MASTER_ADDR']}:{os.environ['MASTER_PORT']}"
        raise TavuError(f"The processes of this training could not meet at {where} ({str(error).splitlines()[0]}).") from None
    ranks = Ranks(rank, size, local_rank=int(os.environ.get("LOCAL_RANK", "0")), pulse=pulse)
    try:
        yield ranks
        ranks.part()
    except BaseException as error:
        if isinstance(error, TavuError) and pulse.is_over(wait=0.0 if ranks.is_first else OVER_SECONDS):
            raise SystemExit(1) from None  # another rank has said why
        pulse.say_over()
        raise
