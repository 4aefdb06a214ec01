"""A training that a launcher, as torchrun, started as several processes: the first reads the command and reports, the others follow it."""

import os
import socket
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from tavu.errors import TavuError
from tavu.run_folder import RECIPE

if TYPE_CHECKING:  # slow to import
    from tavu.training.distributed import Ranks


def num_processes() -> int:
    """How many processes a launcher, as torchrun, started to train together."""
    is_launched = all(name in os.environ for name in ("RANK", "WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT"))
    return int(os.environ["WORLD_SIZE"]) if is_launched else 1


def follows(arguments: Sequence[str]) -> bool:
    """Whether this command is a training that another process leads: the first one, which reads the arguments."""
    return arguments[:1] in (["train"], ["finetune"], ["distill"]) and "--help" not in arguments and num_processes() > 1 and os.environ["RANK"] != "0"


def follow() -> None:
    """Take part in the training that the first process leads. Prints nothing, except its own error."""
    from tavu import runs
    from tavu.training.distributed import joined

    who = f"Process {os.environ['RANK']} of {num_processes()}, on {socket.gethostname()}"

    def on_lost(rank: int) -> None:
        if rank == 0:
            print(f"tavu: {who}: the first process has not answered for too long, so this one ends.", file=sys.stderr, flush=True)
        os._exit(1)

    try:
        with joined(on_lost) as ranks:
            runs.follow(ranks)
    except TavuError as error:
        raise TavuError(f"{who}: {error}") from None


@contextmanager
def first_of_several(folder: Path) -> "Iterator[Ranks]":
    """The ranks, of which this process is the first. What is lost with one of them, and what is not, becomes part of the error."""
    from tavu.training.distributed import Disconnected, joined

    def what_now() -> str:
        if not (folder / RECIPE).exists():
            return "Nothing was saved yet: start the training again."
        return f"What was saved is kept. Resume, with as many processes as you like: torchrun ... -m tavu train --resume {folder}"

    def on_lost(rank: int) -> None:
        print(f"tavu: Process {rank} of {num_processes()} has not answered for too long. {what_now()}", file=sys.stderr, flush=True)
        os._exit(2)

    try:
        with joined(on_lost) as ranks:
            yield ranks
    except Disconnected as error:
        raise TavuError(f"{error} {what_now()}") from None
