"""The training loop: one visible `for`, which yields what happened and leaves it to others to show.

Shapes: B rows of a batch, T ids of a row.
"""

import itertools
import math
import time
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import nullcontext
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any, cast

import torch
import torch.nn.functional as F
from torch import Tensor

from tavu.config import Recipe, WordPatchConfig
from tavu.data.batches import Batches
from tavu.data.corpus import Corpus
from tavu.data.records import MARK
from tavu.errors import TavuError
from tavu.files import make_folder
from tavu.model.repeats import documents
from tavu.model.transformer import set_dropout
from tavu.model.words import WordModel
from tavu.model_file import Model, build_model, load_model
from tavu.recipe import to_model_config, to_tables
from tavu.run_folder import MODEL, RECIPE, STATE
from tavu.training.counting import begin_from_counts
from tavu.training.events import Event, Note, Overfitting, Progress, Started, Stopped, Stopping
from tavu.training.machine import Plan, keep_freed_memory, make_plan, resumed_plan, timed
from tavu.training.milestones import Milestones
from tavu.training.optimizer import Optimizer
from tavu.training.randomness import seeded
from tavu.training.run_log import RunLog, is_finished
from tavu.training.schedule import Stopwatch, budget_fraction, dropout_share, learning_rate_scale, milestones_reached, within_budget
from tavu.training.signals import StopRequest
from tavu.training.state import Counters, load_counters, load_state, save_state
from tavu.vocabulary import MARK_ID

MEASURING_SHARE = 0.15
"""Of a budget in time, about the most that milestones may take."""
HAS_RISEN = 1.01
"""Validation over the best so far, where it is no chance."""
COUNTED_BYTES_PER_MINUTE = 4_000_000
"""Of a short budget at most so much text is counted, or little time would be left to train."""
LOG_SECONDS = 2.0
"""Between two lines of progress."""

Loss = Callable[[Tensor, Tensor], Tensor]


def next_id_loss(logits: Tensor, ids: Tensor) -> Tensor:
    """Mean cost of the ids in nats. Shapes: logits (B, T, V), ids (B, T)."""
    return F.cross_entropy(logits.flatten(0, 1), ids.flatten())


def completion_loss(logits: Tensor, ids: Tensor) -> Tensor:
    """Mean cost in nats of the ids of completions, and of documents that are no records (data/records.py). Shapes: logits (B, T, V), ids (B, T)."""
    learned = ~in_prompt(ids)
    cost = F.cross_entropy(logits.flatten(0, 1), ids.flatten(), reduction="none")
    return (cost * learned.flatten()).sum() / learned.sum().clamp(min=1)


def in_prompt(ids: Tensor) -> Tensor:
    """Whether each id belongs to the prompt of a record, its mark included. A record cut off before its mark has none. Shapes: ids, result (B, T)."""
    B, T = ids.shape
    document, _ = documents(ids)
    mark_end = torch.where(ids == MARK_ID, torch.arange(T, device=ids.device) + len(MARK), 0)
    prompt_end = torch.zeros(B, T + 1, dtype=torch.long, device=ids.device).scatter_reduce_(1, document, mark_end, "amax").gather(1, document)
    return torch.arange(T, device=ids.device) < prompt_end


@dataclass
class Training:
    """All that the loop works with."""

    recipe: Recipe
    folder: Path
    batches: Batches
    counters: Counters
    plan: Plan
    model: Model
    optimizer: Optimizer
    log: RunLog
    milestones: Milestones
    notes: list[str]
    """What went otherwise than planned, to be told once."""

    @property
    def fraction(self) -> float:
        """How much of the budget is used, 0 to 1."""
        return budget_fraction(self.recipe.train, self.counters.step, self.counters.seconds, self.counters.aside)

    def can_afford(self, measuring: float) -> bool:
        """Whether there is time for a milestone after those that took so many seconds: a short budget has some of them later, or together."""
        if self.recipe.train.minutes is None:
            return True
        return measuring + self.counters.ending <= MEASURING_SHARE * max(self.counters.seconds, 60 * self.recipe.train.minutes / 4)

    def leave_out(self, share: float) -> None:
        """Go on with at least so much dropout."""
        self.counters.dropout = max(share, self.counters.dropout)
        set_dropout(self.model, self.counters.dropout)

    def guard(self) -> None:
        """Go on with all the dropout there is, and with tables at rest, where what is rare was learned by heart."""
        self.leave_out(self.recipe.train.dropout)
        self.optimizer.tables_rest = True


def begin(recipe: Recipe, corpus: Corpus, folder: Path, *, resume: bool, loss_of: Loss) -> Training:
    """A training at its start, or where its last save left it; from here on there is something to resume. Errors as train."""
    keep_freed_memory()
    config, begun = recipe.train, time.monotonic()
    rows = max(1, config.batch_bytes // recipe.model.max_seq_len)
    batches = Batches(corpus.train, seq_len=recipe.model.max_seq_len, rows=rows, seed=config.seed)
    counters = _where_it_stands(recipe, corpus, folder) if resume else Counters(corpus=corpus.digest, recipe=_fixed(recipe))
    has_ended = resume and is_finished(folder)
    if budget_fraction(config, counters.step, counters.seconds, counters.aside) >= 1 and has_ended:
        used = f"{counters.step:,} steps" if config.steps is not None else f"{counters.seconds / 60:.3g} minutes"
        raise TavuError(f"{folder} has trained {used}, its budget is {_budget(recipe)}. To train on, give a larger one, as --minutes or --steps.")
    if has_ended or counters.stopped != "early":
        counters.stopped = None  # else a kill came before the last measurement
    notes = []
    if not counters.corpus:
        notes.append("An earlier version began this run and kept nothing to recognize its text by: whether it is the same cannot be checked.")
    counters.corpus, counters.recipe = corpus.digest, _fixed(recipe)
    if counters.best_bpb is not None and not _holds_a_model(folder):
        counters.best_bpb = None
        notes.append(f"{folder / MODEL} is missing or damaged: the best model so far is lost, and the next milestone writes it anew.")

    def new_plan() -> Plan:
        same_shapes = not isinstance(recipe.model, WordPatchConfig)  # words fall otherwise in each batch
        speed = partial(_bytes_per_second, recipe, batches, loss_of)
        return make_plan(config, rows, recipe.model.max_seq_len, speed, same_shapes=same_shapes)

    plan = resumed_plan(Plan(**counters.plan), config, folder, new_plan) if resume else new_plan()
    counters.plan = asdict(plan)
    with seeded(config.seed):
        model = build_model(recipe.model)
        if config.begin_from is not None and not resume:
            model.load_state_dict(load_model(config.begin_from)[0].state_dict())
        elif isinstance(model, WordModel) and config.counted_bytes and not resume:
            begin_from_counts(model, corpus.train, within_budget(config, config.counted_bytes, COUNTED_BYTES_PER_MINUTE), config.min_word_count)
    model = model.to(plan.device)
    optimizer = Optimizer(model, config, plan.dtype)
    if resume:
        load_state(folder, model, optimizer)
    counters.preparation += time.monotonic() - begun
    counters.ending = counters.ending or max(2.0, counters.preparation)  # until a milestone tells better: a slow machine is slow at both
    make_folder(folder / STATE)
    log = RunLog(folder, from_step=counters.step)
    if not resume:
        save_state(folder, model, optimizer, counters)  # a full disk shows at once
    training = Training(recipe, folder, batches, counters, plan, model, optimizer, log, Milestones(recipe, corpus, folder, log, plan), notes)
    training.leave_out(counters.dropout)
    if counters.overfits:
        training.guard()
    return training


def _where_it_stands(recipe: Recipe, corpus: Corpus, folder: Path) -> Counters:
    """The counters of the training in a folder. Raises TavuError when there is none, or it began with another recipe or on other text."""
    counters = load_counters(folder)
    if counters.recipe and not _is_fixed_to(recipe, counters.recipe):
        raise TavuError(f"{folder / RECIPE} is not the recipe that the training beside it began with. Restore it, or start a new run.")
    if counters.corpus not in ("", corpus.digest):
        moved = f"or, where it has moved, name its new place: tavu train NEW_PLACE --resume {folder}"
        raise TavuError(
            f"{folder} began on other text than {', '.join(recipe.data.sources)} holds now. Put that text back, {moved}. New text takes a new run."
        )
    return counters


def _fixed(recipe: Recipe) -> dict[str, Any]:
    """What of a recipe may not change while it trains, besides its text."""
    return {"model": to_tables(recipe.model), "batch_bytes": recipe.train.batch_bytes, "seed": recipe.train.seed}


def _is_fixed_to(recipe: Recipe, fixed: dict[str, Any]) -> bool:
    one = recipe.model, recipe.train.batch_bytes, recipe.train.seed
    return one == (to_model_config(fixed.get("model", {})), fixed.get("batch_bytes"), fixed.get("seed"))


def _holds_a_model(folder: Path) -> bool:
    try:
        load_model(folder / MODEL)
    except TavuError:
        return False
    return True


def train(recipe: Recipe, corpus: Corpus, folder: Path, *, resume: bool = False, loss_of: Loss | None = None) -> Generator[Event]:
    """Train until the budget is used, validation has stopped improving, or a signal comes; everything is left in `folder`.

    A resume goes on from the last save, bit by bit as if nothing had happened where the budget is in steps.
    Raises TavuError when the loss is not finite, when a file cannot be written, and when there is nothing to resume.
    """
    loss_of = loss_of or (completion_loss if recipe.data.as_records else next_id_loss)
    training = begin(recipe, corpus, folder, resume=resume, loss_of=loss_of)
    config, counters, plan, model = recipe.train, training.counters, training.plan, training.model
    forward = _forward(training, loss_of)
    reached = milestones_reached(training.fraction, config)
    last_save, last_log, measuring = counters.seconds, counters.seconds, 0.0  # the last: seconds that the milestones took
    costs: list[float] = []  # bits per id of each step since the last line of progress
    stopped = cast(Stopped | None, counters.stopped)
    with StopRequest() as stop, Stopwatch(counters.seconds) as watch:
        yield Started(plan, model, counters.step, counters.preparation)
        yield from _notes(training)
        for step in itertools.count(counters.step) if stopped is None else ():
            counters.step, counters.seconds = step, watch.lap()
            fraction = training.fraction
            stopped = "budget" if fraction >= 1 and step else "interrupted" if stop.signal else None
            if stopped == "interrupted":
                save_state(folder, model, training.optimizer, counters)  # before the measurement, which a second signal may end
                yield Stopping(stop.signal)
            if stopped or (milestones_reached(fraction, config) > reached and training.can_afford(measuring)):
                reached = milestones_reached(fraction, config)
                yield from _measured(training, fraction)
                stopped = stopped or ("early" if _has_stalled(training) else None)
                took = watch.lap() - counters.seconds
                measuring += took
                last_log += took  # the speed told is that of training alone
                counters.ending = max(counters.ending, took + training.milestones.seconds_of_the_end)
            if stopped:
                break
            if counters.seconds - last_save >= config.save_every_seconds or (
                config.save_every_steps and step and step % config.save_every_steps == 0
            ):
                save_state(folder, model, training.optimizer, counters)
                last_save = counters.seconds

            scale = learning_rate_scale(fraction, config)
            ids = torch.from_numpy(training.batches.batch(step)).to(plan.device)
            with seeded(config.seed + step) if counters.dropout else nullcontext():  # so that a resume leaves out the same
                cost = accumulate(forward, ids, plan, loss_of)
            if not math.isfinite(cost):
                raise TavuError(_not_finite(cost, step, folder))
            training.optimizer.step(scale)

            costs.append(cost / math.log(2))
            seconds = watch.lap()
            if seconds - last_log >= LOG_SECONDS:
                progress = _progress(training, costs, ids.numel(), seconds, seconds - last_log)
                training.log.progress(progress, learning_rate=scale)
                yield progress
                last_log, costs = seconds, []
        assert stopped is not None
        counters.stopped = stopped
        save_state(folder, model, training.optimizer, counters)
        yield training.milestones.finish(counters, stopped, lambda: counters.preparation + watch.lap())


def _progress(training: Training, costs: Sequence[float], ids_per_step: int, seconds: float, since_last: float) -> Progress:
    counters = training.counters
    step = counters.step + 1
    done = budget_fraction(training.recipe.train, step, seconds, counters.aside)
    left = seconds * (1 / done - 1) + counters.ending
    return Progress(step, seconds, done, step * ids_per_step, sum(costs) / len(costs), len(costs) * ids_per_step / since_last, left)


def _notes(training: Training) -> Iterator[Event]:
    for text in training.notes:
        training.log.note(training.counters.step, training.counters.seconds, text)
        yield Note(text)


def _measured(training: Training, fraction: float) -> Iterator[Event]:
    """A milestone, and what it says of dropout; and where validation has risen while the text is read again, the way back to the best model, once."""
    counters, milestones, config = training.counters, training.milestones, training.recipe.train
    milestone = milestones.measure(training.model, counters, fraction)
    yield milestone
    num_bytes = training.batches.num_bytes
    if fraction >= config.warmup_fraction > 0:
        training.leave_out(dropout_share(milestone.bytes_seen / fraction / num_bytes, num_bytes, config.dropout))
    assert counters.best_bpb is not None
    has_risen = milestone.validation.bits_per_byte > HAS_RISEN * counters.best_bpb and milestone.bytes_seen >= num_bytes
    if has_risen and config.dropout and not counters.overfits and fraction < 1:
        training.model.load_state_dict(load_model(milestones.model_path, training.plan.device)[0].state_dict())
        counters.overfits = True
        training.guard()
        yield Overfitting(counters.best_seconds)


def accumulate(forward: Callable[[Tensor, torch.dtype], Tensor], ids: Tensor, plan: Plan, loss_of: Loss) -> float:
    """Add the gradients of the mean loss of ids (B, T), a few rows at a time, and return that loss in nats."""
    total = 0.0
    for rows in ids.split(plan.micro_batch_rows):
        loss = loss_of(forward(rows, plan.dtype), rows) * (len(rows) / len(ids))
        loss.backward()
        total += loss.item()
    return total


def _forward(training: Training, loss_of: Loss) -> Callable[[Tensor, torch.dtype], Tensor]:
    """The model, compiled where the plan says so and that works here: a run may go on where there is no compiler."""
    model, plan = training.model, training.plan
    if not plan.compile:
        return model
    compiled = _compiled(model)
    try:
        with seeded(training.recipe.train.seed):
            accumulate(compiled, torch.from_numpy(training.batches.batch(training.counters.step)).to(plan.device), plan, loss_of)
    except Exception as fault:  # whatever a compiler fails with
        reason = (str(fault).strip() or type(fault).__name__).splitlines()[0][:200]
        training.notes.append(f"Training goes on without torch.compile, which failed here: {reason}")
        compiled = model
    model.zero_grad()
    return compiled


def _compiled(model: Model) -> Callable[[Tensor, torch.dtype], Tensor]:
    """The model compiled; with word patches the number of patches differs from batch to batch."""
    return torch.compile(model, dynamic=isinstance(model.config, WordPatchConfig))


def _bytes_per_second(recipe: Recipe, batches: Batches, loss_of: Loss, plan: Plan) -> float:
    """How fast training goes on a plan, tried on a model of its own."""
    with seeded(recipe.train.seed):
        model = build_model(recipe.model).to(plan.device)
    forward = _compiled(model) if plan.compile else model

    def steps() -> Iterator[int]:
        for step in itertools.count():
            ids = torch.from_numpy(batches.batch(step)).to(plan.device)
            accumulate(forward, ids, plan, loss_of)
            model.zero_grad()
            yield ids.numel()

    return timed(steps())


def _has_stalled(training: Training) -> bool:
    """Whether the last `patience` of the budget went by without a better validation, now that there is a new one."""
    config, counters = training.recipe.train, training.counters
    best = budget_fraction(config, counters.best_step, counters.best_seconds, counters.aside)
    return training.fraction - best > config.patience


def _budget(recipe: Recipe) -> str:
    return f"{recipe.train.steps:,} steps" if recipe.train.steps is not None else f"{recipe.train.minutes:g} minutes"


def _not_finite(cost: float, step: int, folder: Path) -> str:
    lower = "lower the learning rates, as --set train.muon_learning_rate=0.01 --set train.adamw_learning_rate=0.001"
    way_out = f"Go on from the last save with `tavu train --resume {folder}` and {lower}."
    return f"The loss became {cost} at step {step:,}, expected a finite number: training diverged. What was saved before is untouched. {way_out}"
