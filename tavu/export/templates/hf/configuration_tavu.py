"""The configuration of a tavu model for transformers.

SPDX-License-Identifier: MIT
Copyright (c) 2026 The tavu authors
"""

from typing import Any

from transformers import PreTrainedConfig


class TavuConfig(PreTrainedConfig):
    """The design of a model, as tavu_model.py takes it, and which bytes it may write."""

    model_type = "tavu"

    def __init__(self, design: dict[str, Any] | None = None, valid_utf8: bool = True, used_bytes: list[int] | None = None, **settings: Any):
        self.design = design
        """The fields of FixedPatchConfig or WordPatchConfig."""
        self.valid_utf8 = valid_utf8
        """Whether `generate` writes only bytes that keep the text valid UTF-8."""
        self.used_bytes = used_bytes
        """With valid_utf8, `generate` writes only these bytes, unless none of them is valid next. None: all."""
        super().__init__(**settings)
