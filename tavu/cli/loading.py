"""Load a model with the device and engine options of the commands that run one."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Literal, cast

if TYPE_CHECKING:
    from tavu.language_model import LanguageModel


def load(model: Path, device: str, engine: str | None) -> "LanguageModel":
    """The model of a file or run folder. Prints why if it must run with PyTorch. Raises TavuError if it cannot be loaded."""
    from tavu import language_model

    if device != "cpu":  # the CPU needs no check, so torch is not imported
        from tavu.training.machine import pick_device

        device = pick_device(device, "--device")
    loaded = language_model.load(model, device=device, engine=cast(Literal["native", "torch"] | None, engine))
    if loaded.fallback:
        print(f"Running with PyTorch, which is slower: {loaded.fallback}.", file=sys.stderr)
    return loaded
