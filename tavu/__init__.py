"""tavu: tiny language models, trained from scratch on a laptop, from raw bytes.

>>> import tavu
>>> result = tavu.train(["stories.txt"], minutes=30)      # doctest: +SKIP
>>> model = tavu.load(result.model)                       # doctest: +SKIP
>>> print(model.generate("Once upon a time"))             # doctest: +SKIP
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from tavu.errors import TavuError

if TYPE_CHECKING:
    from tavu.language_model import LanguageModel, load
    from tavu.runs import train, train_events

__version__ = "0.1.0"
__all__ = ["LanguageModel", "TavuError", "load", "train", "train_events"]

_HOMES = {"LanguageModel": "tavu.language_model", "load": "tavu.language_model", "train": "tavu.runs", "train_events": "tavu.runs"}


def __getattr__(name: str) -> Any:
    """Public names come from their modules when first asked for, so that `import tavu` itself loads no torch."""
    if name in _HOMES:
        return getattr(import_module(_HOMES[name]), name)
    raise AttributeError(f"module 'tavu' has no attribute {name!r}")
