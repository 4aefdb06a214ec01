"""The error of a setting out of range starts with its name as in --set and says what was expected."""

import math

import pytest

from tavu.config import (
    DataConfig,
    DistillConfig,
    FixedPatchConfig,
    LevelConfig,
    MLPStackConfig,
    ProgressConfig,
    TrainConfig,
    TransformerConfig,
    WordPatchConfig,
)
from tavu.errors import TavuError

GLOBAL, LOCAL = LevelConfig(16, 1, 2, 32, 4), LevelConfig(8, 1, 1, 16)
WORD_GLOBAL, WORD_LOCAL = TransformerConfig(16, 1, 2, 32), MLPStackConfig(8, 1, 16)
HUGE = 10**9


def fixed(*, levels=(GLOBAL, LOCAL), max_seq_len=16, **options):
    return FixedPatchConfig(levels, max_seq_len, **options)


def words(*, levels=(WORD_GLOBAL, WORD_LOCAL), max_seq_len=16, **options):
    return WordPatchConfig(levels, max_seq_len, **options)


def global_level(**changes):
    return LevelConfig(**({"dim": 16, "num_layers": 1, "num_heads": 2, "mlp_dim": 32, "patch_size": 4} | changes))


WRONG = {
    "a single level": (lambda: fixed(levels=(LOCAL,)), "model.levels is '1 level(s)', expected two or more"),
    "bytes last": (lambda: fixed(levels=(global_level(patch_size=8), GLOBAL)), "model.levels.1.patch_size is 4, expected 1:"),
    "no layers": (lambda: fixed(levels=(global_level(num_layers=0), LOCAL)), "model.levels.0.num_layers is 0, expected 1 or more."),
    "negative width": (lambda: fixed(levels=(global_level(dim=-4), LOCAL)), "model.levels.0.dim is -4, expected 1 or more."),
    "no MLP": (lambda: fixed(levels=(GLOBAL, LevelConfig(8, 1, 1, 0))), "model.levels.1.mlp_dim is 0, expected 1 or more."),
    "width and heads": (lambda: fixed(levels=(global_level(dim=190, num_heads=4), LOCAL)), "model.levels.0.dim is 190, expected a multiple of twice"),
    "width and heads, what to try": (lambda: fixed(levels=(global_level(dim=190, num_heads=4), LOCAL)), "Try 192 or 184."),
    "narrower than its heads": (lambda: fixed(levels=(global_level(dim=4, num_heads=4), LOCAL)), "Try 8."),
    "no heads": (lambda: fixed(levels=(global_level(num_heads=0), LOCAL)), "model.levels.0.num_heads is 0, expected 1 or more."),
    "negative heads": (lambda: fixed(levels=(global_level(num_heads=-1), LOCAL)), "model.levels.0.num_heads is -1, expected 1 or more."),
    "patches of one byte": (lambda: fixed(levels=(global_level(patch_size=1), LOCAL)), "model.levels.0.patch_size is 1, expected a multiple"),
    "patches that do not nest": (
        lambda: fixed(levels=(LevelConfig(12, 1, 2, 8, 6), global_level(dim=16), LOCAL), max_seq_len=24),
        "model.levels.0.patch_size is 6, expected a multiple of the next level's 4",
    ),
    "width and patch": (
        lambda: fixed(levels=(global_level(dim=20, patch_size=8), LOCAL)),
        "model.levels.0.dim is 20, expected a multiple of patch_size 8. Try 24.",
    ),
    "half a patch of context": (lambda: fixed(max_seq_len=18), "model.max_seq_len is 18, expected a multiple of the patch_size 4."),
    "no context": (lambda: fixed(max_seq_len=0), "model.max_seq_len is 0, expected"),
    "far across": (lambda: fixed(cross_patch_bytes=5), "model.cross_patch_bytes is 5, expected 0 to the patch size, 4."),
    "three levels of words": (lambda: words(levels=(WORD_GLOBAL, WORD_GLOBAL, WORD_LOCAL)), "model.levels is '3 level(s)', expected two with"),
    "words, no heads": (lambda: words(levels=(TransformerConfig(16, 1, 0, 32), WORD_LOCAL)), "model.levels.0.num_heads is 0, expected 1 or more."),
    "words, no context": (lambda: words(max_seq_len=1), "model.max_seq_len is 1, expected 2 or more."),
    "short words": (lambda: words(max_patch_size=1), "model.max_patch_size is 1, expected 2 to 255."),
    "long words": (lambda: words(max_patch_size=256), "model.max_patch_size is 256, expected 2 to 255."),
    "rows of pairs": (lambda: words(pair_rows=100), "model.pair_rows is 100, expected a power of two"),
    "rows": (lambda: words(word_rows=1000), "model.word_rows is 1000, expected a power of two"),
    "no rows": (lambda: words(ngram_rows=0), "model.ngram_rows is 0, expected a power of two"),
    "orders": (lambda: words(ngram_orders=(3, 17)), "model.ngram_orders is [3, 17], expected different orders from 2 to 16."),
    "phrases of no word": (lambda: words(phrase_orders=(0, 1)), "model.phrase_orders is [0, 1], expected different orders from 1 to 4."),
    "no rows of phrases": (lambda: words(phrase_rows=3), "model.phrase_rows is 3, expected a power of two"),
    "less than no words": (lambda: words(lexicon_words=-1), "model.lexicon_words is -1, expected 0 (none) to 65536."),
    "a pointer of less than no width": (lambda: words(pointer_dim=-1), "model.pointer_dim is -1, expected 0 (none) to 65536."),
    "less than nothing counted": (lambda: TrainConfig(counted_bytes=-1), "train.counted_bytes is -1, expected 0 (random tables) or more."),
    "matrices at no step": (lambda: TrainConfig(muon_every=-1), "train.muon_every is -1, expected 0 (chosen for the device) or more."),
    "an order twice": (lambda: words(ngram_orders=(3, 3)), "model.ngram_orders is [3, 3], expected different orders"),
    "huge width": (lambda: fixed(levels=(global_level(dim=HUGE), LOCAL)), f"model.levels.0.dim is {HUGE}, expected 65536 or less."),
    "huge depth": (lambda: words(levels=(WORD_GLOBAL, MLPStackConfig(8, HUGE, 8))), f"model.levels.1.num_layers is {HUGE}, expected 256 or less."),
    "huge context": (lambda: words(max_seq_len=HUGE), f"model.max_seq_len is {HUGE}, expected"),
    "huge context of patches": (lambda: fixed(max_seq_len=HUGE), f"model.max_seq_len is {HUGE}, expected"),
    "huge tables": (lambda: words(prefix_rows=1 << 40), f"model.prefix_rows is {1 << 40}, expected"),
    "no source": (lambda: DataConfig(sources=()), "data.sources is [], expected at least one source"),
    "no teachers": (DistillConfig, "distill has neither of teachers and train_teachers, expected one of them."),
    "teachers of two kinds": (lambda: DistillConfig(("a",), 2), "distill has both of teachers and train_teachers, expected one of them."),
    "one teacher twice": (lambda: DistillConfig(("a", "a")), "distill.teachers is ['a', 'a'], expected different models."),
    "a share above one": (lambda: DistillConfig(("a",), share=1.5), "distill.share is 1.5, expected 0 (only the text) to 1 (only the teachers)."),
    "no temperature": (lambda: DistillConfig(("a",), temperature=0.0), "distill.temperature is 0.0, expected more than 0, at most 20."),
    "more ids than there are": (lambda: DistillConfig(("a",), top_k=258), "distill.top_k is 258, expected 1 to 257."),
    "two budgets": (lambda: TrainConfig(minutes=10, steps=5), "train.minutes is 10 and train.steps is 5, expected one budget."),
    "no budget": (lambda: TrainConfig(minutes=None), "train.minutes is None, expected a budget"),
    "no time": (lambda: TrainConfig(minutes=0.0), "train.minutes is 0.0, expected more than 0."),
    "endless": (lambda: TrainConfig(minutes=math.inf), "train.minutes is inf, expected more than 0."),
    "not a time": (lambda: TrainConfig(minutes=math.nan), "train.minutes is nan, expected more than 0."),
    "no steps": (lambda: TrainConfig(minutes=None, steps=0), "train.steps is 0, expected 1 or more."),
    "NaN rate": (lambda: TrainConfig(muon_learning_rate=math.nan), "train.muon_learning_rate is nan, expected a number from 0 to 10."),
    "negative rate": (lambda: TrainConfig(adamw_learning_rate=-0.1), "train.adamw_learning_rate is -0.1, expected"),
    "infinite rate": (lambda: TrainConfig(table_learning_rate=math.inf), "train.table_learning_rate is inf, expected"),
    "weight decay": (lambda: TrainConfig(weight_decay=-1.0), "train.weight_decay is -1.0, expected"),
    "dropout": (lambda: TrainConfig(dropout=1.0), "train.dropout is 1.0, expected 0 (none) to below 1."),
    "clip": (lambda: TrainConfig(clip_norm=0.0), "train.clip_norm is 0.0, expected more than 0."),
    "NaN clip": (lambda: TrainConfig(clip_norm=math.nan), "train.clip_norm is nan, expected more than 0."),
    "seed": (lambda: TrainConfig(seed=-1), "train.seed is -1, expected 0 or more"),
    "large seed": (lambda: TrainConfig(seed=1 << 63), "train.seed is"),
    "warm-up": (lambda: TrainConfig(warmup_fraction=0.6), "train.warmup_fraction is 0.6, expected 0 to 0.5."),
    "decay": (lambda: TrainConfig(warmup_fraction=0.5, decay_fraction=0.6), "train.decay_fraction is 0.6, expected 0 to 1 less the warm-up."),
    "batch": (lambda: TrainConfig(batch_bytes=-1), "train.batch_bytes is -1, expected 0 (chosen for the device) or more."),
    "milestones": (lambda: TrainConfig(milestones=0), "train.milestones is 0, expected 1 or more."),
    "validation": (lambda: TrainConfig(valid_bytes=-1), "train.valid_bytes is -1, expected 1 or more."),
    "patience": (lambda: TrainConfig(patience=1.5), "train.patience is 1.5, expected more than 0, at most 1."),
    "saving": (lambda: TrainConfig(save_every_seconds=0.0), "train.save_every_seconds is 0.0, expected more than 0."),
    "saving by steps": (lambda: TrainConfig(save_every_steps=-1), "train.save_every_steps is -1, expected 0"),
    "device": (lambda: TrainConfig(device="gpu"), "train.device is 'gpu', expected one of auto, cpu, cuda, mps."),
    "precision": (lambda: TrainConfig(precision="fp16"), "train.precision is 'fp16', expected one of auto, fp32, bf16."),
    "compile": (lambda: TrainConfig(compile="yes"), "train.compile is 'yes', expected one of auto, on, off."),
    "micro-batch": (lambda: TrainConfig(micro_batch_rows=-2), "train.micro_batch_rows is -2, expected 0"),
    "sample": (lambda: ProgressConfig(max_bytes=0), "sample.max_bytes is 0, expected 1 or more."),
    "NaN temperature": (lambda: ProgressConfig(temperature=math.nan), "sample.temperature is nan, expected 0 (greedy) or more."),
}


@pytest.mark.parametrize("case", WRONG)
def test_errors_of_settings_out_of_range(case):
    make, sentence = WRONG[case]
    with pytest.raises(TavuError) as raised:
        make()
    assert sentence in str(raised.value)
    assert str(raised.value).endswith(".") and "\n" not in str(raised.value)


def test_settings_in_range_are_accepted():
    fixed(cross_patch_bytes=4, conv_encoder=True)
    words(max_patch_size=255, ngram_orders=())
    TrainConfig(minutes=None, steps=1, decay_fraction=0.0, warmup_fraction=0.0, patience=1.0)
    ProgressConfig(prompts=(), temperature=0.0)


def test_configs_cannot_be_changed():
    with pytest.raises(AttributeError):
        TrainConfig().steps = 5  # pyright: ignore[reportAttributeAccessIssue]
