"""The settings of a run, as frozen values that check themselves, one file per subject: model, data, train, sampling.

How they are read from TOML, overridden and written back is recipe.py's subject; what each does is told where it is used.
"""

from dataclasses import dataclass

from tavu.config.check import check
from tavu.config.data import DataConfig, RecordKind
from tavu.config.model import FixedPatchConfig, LevelConfig, MLPStackConfig, ModelConfig, TransformerConfig, WordPatchConfig
from tavu.config.sampling import INSIST, MAX_INSIST, ProgressConfig, SamplingConfig
from tavu.config.train import TrainConfig

__all__ = [
    "INSIST",
    "MAX_INSIST",
    "DataConfig",
    "FixedPatchConfig",
    "LevelConfig",
    "MLPStackConfig",
    "ModelConfig",
    "ProgressConfig",
    "Recipe",
    "RecordKind",
    "SamplingConfig",
    "TrainConfig",
    "TransformerConfig",
    "WordPatchConfig",
    "check",
]


@dataclass(frozen=True)
class Recipe:
    """Everything that a training run is made from; saved beside it, it makes the run again."""

    model: ModelConfig
    data: DataConfig
    train: TrainConfig
    sample: ProgressConfig
