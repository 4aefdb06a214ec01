"""Torch's default generator in training, for initial weights and for dropout, which does not accept a generator."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

import torch

_LOCK = threading.Lock()


@contextmanager
def seeded(seed: int) -> Iterator[None]:
    """Seed torch's default generator. It belongs to the whole process, so a lock keeps out other threads that train."""
    with _LOCK:
        torch.manual_seed(seed)
        yield
