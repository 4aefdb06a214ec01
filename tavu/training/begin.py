"""Set up a training run: build the model, or restore the training state that was saved last."""

import time
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

from tavu.config import Recipe
from tavu.data.batches import Batches
from tavu.data.corpus import Corpus
from tavu.errors import TavuError
from tavu.files import make_folder
from tavu.model.designs import build_model, has_fixed_shapes, initialize_from_counts, tensor_specs
from tavu.model.interface import Model
from tavu.model.layers import set_dropout
from tavu.model_file import load_model
from tavu.recipe import to_model_config, to_tables
from tavu.run_folder import MODEL, RECIPE, STATE
from tavu.training.distributed import Ranks
from tavu.training.losses import Loss
from tavu.training.machine import Plan, for_device, keep_freed_memory, make_plan, resumed_plan
from tavu.training.milestones import Milestones
from tavu.training.optimizer import Optimizer
from tavu.training.randomness import seeded
from tavu.training.run_log import RunLog, is_finished
from tavu.training.schedule import budget_fraction, within_budget
from tavu.training.state import Counters, copy_from_first, load_counters, load_state, save_state
from tavu.training.step import bytes_per_second

MEASURING_SHARE = 0.15
"""The largest share of a time budget that milestones may take, roughly."""
COUNTED_BYTES_PER_MINUTE = 4_000_000
"""Limits how much text is counted when the time budget is short, so that enough time is left to train."""


@dataclass
class Training:
    """Everything the training loop works with."""

    recipe: Recipe
    folder: Path
    batches: Batches
    counters: Counters
    plan: Plan
    model: Model
    optimizer: Optimizer
    log: RunLog
    milestones: Milestones
    ranks: Ranks
    """The processes that train together. Each does its part of a step, but only the first measures, reports and writes."""
    notes: list[str]
    """Things that did not go as planned, each reported once."""

    @property
    def fraction(self) -> float:
        """The fraction of the budget that is used, 0 to 1."""
        return budget_fraction(self.recipe.train, self.counters.step, self.counters.seconds, self.counters.overhead)

    def save(self) -> None:
        """Save the training state, so that a resume continues from here."""
        if self.ranks.is_first:
            save_state(self.folder, self.model, self.optimizer, self.counters)

    def can_afford(self, measuring: float) -> bool:
        """Whether there is time for another milestone, given the seconds that milestones took so far. A short budget delays or merges some."""
        if self.recipe.train.minutes is None:
            return True
        return measuring + self.counters.ending <= MEASURING_SHARE * max(self.counters.seconds, 60 * self.recipe.train.minutes / 4)

    def raise_dropout(self, share: float) -> None:
        """Raise the dropout rate to `share`, unless it is already higher."""
        self.counters.dropout = max(share, self.counters.dropout)
        set_dropout(self.model, self.counters.dropout)

    def follow_first(self) -> None:
        """Take over the weights and decisions of the first rank."""
        vars(self.counters).update(self.ranks.from_first(asdict(self.counters)))
        copy_from_first(self.ranks, self.model, self.optimizer, self.counters)
        self.raise_dropout(self.counters.dropout)
        if self.counters.overfits:
            self.handle_overfitting()

    def handle_overfitting(self) -> None:
        """Use maximum dropout and freeze the tables, which memorize rare n-grams."""
        self.raise_dropout(self.recipe.train.dropout)
        self.optimizer.freeze_tables = True


def begin(recipe: Recipe, corpus: Corpus, folder: Path, *, resume: bool, loss_fn: Loss, preparation: float = 0.0, ranks: Ranks) -> Training:
    """Set up a new training run, or restore one from its saved state. Afterwards the folder can be resumed. Raises the same errors as train.

    The first rank does it, and the others copy what it has.
    """
    keep_freed_memory()
    recipe = replace(recipe, train=for_device(recipe.train))
    config, begun = recipe.train, time.monotonic()
    rows = max(1, config.batch_bytes // recipe.model.max_seq_len)
    batches = Batches(corpus.train, seq_len=recipe.model.max_seq_len, rows=rows, seed=config.seed, rank=ranks.rank, num_ranks=ranks.size)
    counters, notes = Counters(), list[str]()
    if ranks.is_first:
        counters, notes = _first_counters(recipe, corpus, folder, resume=resume)
        counters.plan = asdict(_plan(recipe, counters, batches, folder, resume=resume, loss_fn=loss_fn, rows=_rows_of_rank(rows, recipe, ranks)))
    counters = Counters(**ranks.from_first(asdict(counters)))
    if counters.corpus != corpus.digest:
        raise TavuError(f"{', '.join(recipe.data.sources)} holds other text here than for the first process. Give all processes the same text.")
    plan = Plan(**counters.plan)
    ranks.use(plan.device)
    with seeded(config.seed):
        model = build_model(recipe.model)
        if config.begin_from is not None and not resume and ranks.is_first:
            model.load_state_dict(load_model(config.begin_from)[0].state_dict())
        elif config.counted_bytes and not resume and ranks.is_first:
            initialize_from_counts(model, corpus.train, within_budget(config, config.counted_bytes, COUNTED_BYTES_PER_MINUTE), config.min_word_count)
    model = model.to(plan.device)
    optimizer = Optimizer(model, {name: spec.role for name, spec in tensor_specs(recipe.model).items()}, config, plan.dtype, ranks)
    if resume and ranks.is_first:
        load_state(folder, model, optimizer)
    setup = time.monotonic() - begun
    counters.preparation += preparation + setup
    counters.ending = counters.ending or max(2.0, setup)  # an estimate until the first milestone
    log = RunLog(folder)
    training = Training(recipe, folder, batches, counters, plan, model, optimizer, log, Milestones(recipe, corpus, folder, log, plan), ranks, notes)
    if ranks.is_first:
        make_folder(folder / STATE)
        log.begin(counters.step)
    if not resume:
        training.save()  # so that a full disk is noticed at once
    training.follow_first()
    return training


def _rows_of_rank(rows: int, recipe: Recipe, ranks: Ranks) -> int:
    """The most rows of a batch that a rank has. Raises TavuError where some would have none."""
    if rows < ranks.size:
        larger = f"--set train.batch_bytes={ranks.size * recipe.model.max_seq_len}"
        raise TavuError(f"A batch has fewer rows ({rows}) than there are processes ({ranks.size}). Start at most {rows}, or a new run with {larger}")
    return -(-rows // ranks.size)


def _first_counters(recipe: Recipe, corpus: Corpus, folder: Path, *, resume: bool) -> tuple[Counters, list[str]]:
    """The counters of a new run or those that were saved, and notes about them. Raises TavuError if there is nothing left to train."""
    config = recipe.train
    counters = _saved_counters(recipe, corpus, folder) if resume else Counters(corpus=corpus.digest, recipe=_fixed_settings(recipe))
    has_ended = resume and is_finished(folder)
    if budget_fraction(config, counters.step, counters.seconds, counters.overhead) >= 1 and has_ended:
        used = f"{counters.step:,} steps" if config.steps is not None else f"{counters.seconds / 60:.3g} minutes"
        raise TavuError(f"{folder} has trained {used}, its budget is {_budget(recipe)}. To train on, give a larger one, as --minutes or --steps.")
    if has_ended or counters.stopped != "early":
        counters.stopped = None  # otherwise the process was killed before the final validation
    notes = []
    if not counters.corpus:
        notes.append("An earlier version started this run and saved no digest of its text, so whether the text is still the same cannot be checked.")
    counters.corpus, counters.recipe = corpus.digest, _fixed_settings(recipe)
    if counters.best_bpb is not None and not _holds_a_model(folder):
        counters.best_bpb = None
        notes.append(f"{folder / MODEL} is missing or damaged: the best model so far is lost. The next milestone writes a new one.")
    return counters, notes


def _plan(recipe: Recipe, counters: Counters, batches: Batches, folder: Path, *, resume: bool, loss_fn: Loss, rows: int) -> Plan:
    """A new plan, or the one of the run that is resumed, for `rows` rows at each step."""
    config = recipe.train

    def new_plan() -> Plan:
        speed = partial(bytes_per_second, recipe, batches, loss_fn)
        return make_plan(config, rows, recipe.model.max_seq_len, speed, same_shapes=has_fixed_shapes(recipe.model))

    return resumed_plan(Plan(**counters.plan), config, folder, new_plan) if resume else new_plan()


def _saved_counters(recipe: Recipe, corpus: Corpus, folder: Path) -> Counters:
    """The counters saved in a run folder. Raises TavuError when there are none, or the run was started with another recipe or on other text."""
    counters = load_counters(folder)
    if counters.recipe and not _matches(recipe, counters.recipe):
        raise TavuError(f"{folder / RECIPE} is not the recipe that this run was started with. Restore it, or start a new run.")
    if counters.corpus not in ("", corpus.digest):
        moved = f"or, if it has moved, give its new path: tavu train NEW_PATH --resume {folder}"
        raise TavuError(
            f"{folder} was started on other text than {', '.join(recipe.data.sources)} holds now. Restore it, {moved}. New text needs a new run."
        )
    return counters


def _fixed_settings(recipe: Recipe) -> dict[str, Any]:
    """The settings that must stay the same when a run is resumed. Its text must too."""
    return {"model": to_tables(recipe.model), "batch_bytes": recipe.train.batch_bytes, "seed": recipe.train.seed}


def _matches(recipe: Recipe, fixed: dict[str, Any]) -> bool:
    one = recipe.model, recipe.train.batch_bytes, recipe.train.seed
    return one == (to_model_config(fixed.get("model", {})), fixed.get("batch_bytes"), fixed.get("seed"))


def _holds_a_model(folder: Path) -> bool:
    try:
        load_model(folder / MODEL)
    except TavuError:
        return False
    return True


def _budget(recipe: Recipe) -> str:
    return f"{recipe.train.steps:,} steps" if recipe.train.steps is not None else f"{recipe.train.minutes:g} minutes"
