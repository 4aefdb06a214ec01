"""The settings of a run: frozen dataclasses that check their values, one file per subject (model, data, train, sampling).

recipe.py reads them from TOML, applies overrides, and writes them back.
"""

from dataclasses import dataclass

from tavu.config.check import check
from tavu.config.data import DataConfig, RecordKind
from tavu.config.distill import DistillConfig
from tavu.config.model import FixedPatchConfig, LevelConfig, MLPStackConfig, ModelConfig, TransformerConfig, WordPatchConfig
from tavu.config.sampling import INSIST, MAX_INSIST, ProgressConfig, SamplingConfig
from tavu.config.train import TrainConfig

__all__ = [
    "INSIST",
    "MAX_INSIST",
    "DataConfig",
    "DistillConfig",
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
    """All settings of a training run. Saved in the run folder, so that the run can be reproduced."""

    model: ModelConfig
    data: DataConfig
    train: TrainConfig
    sample: ProgressConfig
    distill: DistillConfig | None = None
    """The teachers; None without any."""
