"""Torch's random numbers in training: initial weights and dropout, which takes no generator of its own."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

import torch

_LOCK = threading.Lock()


@contextmanager
def seeded(seed: int) -> Iterator[None]:
    """Let torch draw from this seed. The default generator belongs to the whole process, so another thread that trains waits meanwhile."""
    with _LOCK:
        torch.manual_seed(seed)
        yield
