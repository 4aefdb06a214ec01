"""Hashes of runs of ids.

A run has the hash sum over i of (id_i + 1) * HASH_MULTIPLIER ** i modulo 2 ** 64, i counted from its first id (an id before the row's start
counts as -1), so that differences of one cumulative sum give the hash of every run of a row at once. The native engine computes the same
hashes id by id (engine/hashing.c).
"""

from collections.abc import Callable
from functools import lru_cache

import torch
from torch import Tensor

HASH_MULTIPLIER = 0x9E3779B97F4A7C15
_INVERSE = pow(HASH_MULTIPLIER, -1, 1 << 64)
HASH_MIX = 0xBF58476D1CE4E5B9


def run_hashes(ids: Tensor, longest: int) -> Callable[[Tensor, Tensor], Tensor]:
    """The function (start, stop) -> hashes of ids[b, start:stop], start >= -longest. Shapes: ids (B, T); start, stop and hashes (B, any), int64."""
    B, T = ids.shape
    powers, inverses = _power_tables(_next_power_of_two(longest + T + 1), ids.device)
    # sums[:, i] is of what comes before position i - longest: the ids, and before a row as many zeros as the longest n-gram has ids
    sums = torch.zeros(B, longest + T + 1, dtype=torch.long, device=ids.device)
    torch.cumsum((ids + 1) * powers[longest : longest + T], dim=1, out=sums[:, longest + 1 :])

    def run_hash(start: Tensor, stop: Tensor) -> Tensor:
        start, stop = start + longest, stop + longest
        return (sums.gather(1, stop) - sums.gather(1, start)) * inverses[start]

    return run_hash


def mix(x: Tensor) -> Tensor:
    """x with every bit spread over the low ones (int64, shifts as if unsigned)."""
    x = x ^ ((x >> 29) & ((1 << 35) - 1))
    x = x * _signed(HASH_MIX)
    return x ^ ((x >> 32) & ((1 << 32) - 1))


def bucket(run_hash: Tensor, num_rows: int) -> Tensor:
    """The row that a hash falls in, of a table whose number of rows is a power of two."""
    return mix(run_hash) & (num_rows - 1)


def _signed(x: int) -> int:
    return x - (1 << 64) if x >> 63 else x


def _next_power_of_two(n: int) -> int:
    return 1 << (n - 1).bit_length()


@lru_cache(maxsize=8)
def _power_tables(length: int, device: torch.device) -> tuple[Tensor, Tensor]:
    """HASH_MULTIPLIER ** i and HASH_MULTIPLIER ** -i modulo 2 ** 64 for i in 0..length - 1, int64."""
    tables = []
    for base in (HASH_MULTIPLIER, _INVERSE):
        powers = [1]
        for _ in range(length - 1):
            powers.append(powers[-1] * base % (1 << 64))
        tables.append(torch.tensor([_signed(p) for p in powers], device=device))
    return tables[0], tables[1]
