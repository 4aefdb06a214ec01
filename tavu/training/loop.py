"""The training loop: one visible `for` that yields events. Displaying them is left to the caller."""

import itertools
import math
from collections.abc import Generator, Iterator, Sequence
from contextlib import nullcontext
from functools import partial
from pathlib import Path
from typing import cast

import torch
from torch import Tensor

from tavu.config import Recipe
from tavu.data.corpus import Corpus
from tavu.distillation.targets import SoftTargets
from tavu.errors import TavuError
from tavu.model_file import load_model
from tavu.training.begin import Training, begin
from tavu.training.distributed import ALONE, Ranks
from tavu.training.events import Event, Note, Overfitting, Progress, Started, Stopping, StopReason
from tavu.training.losses import Loss, completion_loss, distillation_loss, next_id_loss, num_learned
from tavu.training.overfitting import dropout_rate, has_overfit
from tavu.training.randomness import seeded
from tavu.training.schedule import Stopwatch, budget_fraction, learning_rate_scale, milestones_reached
from tavu.training.signals import StopRequest
from tavu.training.step import Forward, accumulate, make_forward

LOG_SECONDS = 2.0
"""Between two progress events."""


def train(
    recipe: Recipe,
    corpus: Corpus,
    folder: Path,
    *,
    resume: bool = False,
    loss_fn: Loss | None = None,
    targets: SoftTargets | None = None,
    preparation: float = 0.0,
    ranks: Ranks = ALONE,
) -> Generator[Event]:
    """Train until the budget is used up, validation stops improving, or a signal arrives. All files are written to `folder`.

    A resume continues from the last save. With a budget in steps the result is bit-equal to an uninterrupted run. With soft targets of the corpus,
    the model also learns from them as recipe.distill says. `preparation` is the seconds that they took, which count as setup.
    Several ranks train together when each calls this; only the first reports what it measured, and writes.
    Raises TavuError when the loss is not finite, a file cannot be written, or there is nothing to resume.
    """
    text_loss = completion_loss if recipe.data.as_records else next_id_loss
    loss_fn = loss_fn or (_student_loss(recipe, targets, text_loss) if targets else text_loss)
    training = begin(recipe, corpus, folder, resume=resume, loss_fn=text_loss, preparation=preparation, ranks=ranks)
    config, counters, plan, model = training.recipe.train, training.counters, training.plan, training.model
    forward = make_forward(model, plan, training.batches.batch(counters.step), config.seed, text_loss, training.notes)
    reached = milestones_reached(training.fraction, config)
    last_save, last_log, measuring = counters.seconds, counters.seconds, 0.0  # measuring: seconds that milestones took
    bits: list[float] = []  # bits per id of each step since the last progress event
    stopped = cast(StopReason | None, counters.stopped)
    with StopRequest() as stop, Stopwatch(counters.seconds) as watch:
        yield Started(plan, model, counters.step, counters.preparation, ranks.size)
        yield from _report_notes(training)
        for step in itertools.count(counters.step) if stopped is None else ():
            counters.step = step
            counters.seconds, signal = ranks.agree(watch.lap(), stop.signal)
            fraction = training.fraction
            stopped = "budget" if fraction >= 1 and step else "interrupted" if signal else None
            if stopped == "interrupted" and signal is not None:
                training.save()  # before validation, which a second signal may interrupt
                yield Stopping(signal)
            if stopped or (milestones_reached(fraction, config) > reached and training.can_afford(measuring)):
                reached = milestones_reached(fraction, config)
                took = yield from _run_milestone(training, fraction, watch)
                stopped = stopped or ("early" if _has_stalled(training) else None)
                measuring += took
                last_log += took  # the reported speed excludes milestones
            if stopped:
                break
            if counters.seconds - last_save >= config.save_every_seconds or (
                config.save_every_steps and step and step % config.save_every_steps == 0
            ):
                training.save()
                last_save = counters.seconds

            scale = learning_rate_scale(fraction, config)
            loss = _accumulate_batch(training, forward, step, loss_fn, targets)
            if not math.isfinite(loss):
                raise TavuError(_not_finite(loss, step, folder))
            training.optimizer.step(scale)

            bits.append(loss / math.log(2))
            seconds = watch.lap()
            if ranks.is_first and seconds - last_log >= LOG_SECONDS:
                progress = _progress(training, bits, seconds, seconds - last_log)
                training.log.progress(progress, learning_rate=scale)
                yield progress
                last_log, bits = seconds, []
        assert stopped is not None
        counters.stopped = stopped
        training.save()
        ranks.part()
        if ranks.is_first:
            yield training.milestones.finish(counters, stopped, lambda: counters.preparation + watch.lap())


def _student_loss(recipe: Recipe, targets: SoftTargets, text_loss: Loss) -> Loss:
    distill = recipe.distill
    assert distill is not None, "soft targets without a [distill]"
    settings = {"share": distill.share, "temperature": distill.temperature, "as_records": recipe.data.as_records}
    return partial(distillation_loss, text_loss=text_loss, frequencies=torch.from_numpy(targets.frequencies), **settings)


def _target_rows(training: Training, targets: SoftTargets | None, step: int) -> Sequence[Tensor]:
    """The soft targets of a step's ids, two tensors (B, T, N, k); none without teachers."""
    if targets is None:
        return ()
    arrays = targets.batch(training.batches.row_starts(step), training.recipe.model.max_seq_len)
    return [torch.from_numpy(array).to(training.plan.device) for array in arrays]


def _accumulate_batch(training: Training, forward: Forward, step: int, loss_fn: Loss, targets: SoftTargets | None) -> float:
    """Accumulate the gradients of the batch of a step, which all ranks share, and return its mean loss in nats."""
    recipe, ranks = training.recipe, training.ranks
    ids = torch.from_numpy(training.batches.batch(step)).to(training.plan.device)
    seed = ranks.seed(recipe.train.seed + step)
    with seeded(seed) if training.counters.dropout else nullcontext():  # so that a resume draws the same dropout masks
        loss = accumulate(forward, ids, training.plan, loss_fn, targets=_target_rows(training, targets, step))
    return ranks.average(list(training.model.parameters()), loss, partial(num_learned, ids, as_records=recipe.data.as_records))


def _progress(training: Training, bits: Sequence[float], seconds: float, since_last: float) -> Progress:
    counters, ids_per_step = training.counters, training.batches.num_ids
    step = counters.step + 1
    done = budget_fraction(training.recipe.train, step, seconds, counters.overhead)
    left = seconds * (1 / done - 1) + counters.ending
    return Progress(step, seconds, done, step * ids_per_step, sum(bits) / len(bits), len(bits) * ids_per_step / since_last, left)


def _report_notes(training: Training) -> Iterator[Event]:
    for text in training.notes if training.ranks.is_first else ():
        training.log.note(training.counters.step, training.counters.seconds, text)
        yield Note(text)


def _run_milestone(training: Training, fraction: float, watch: Stopwatch) -> Generator[Event, None, float]:
    """Run a milestone on the first rank, and return the seconds that it took. All continue with its weights and decisions."""
    counters, took = training.counters, 0.0
    if training.ranks.is_first:
        yield from _measure(training, fraction)
        took = watch.lap() - counters.seconds
        counters.ending = max(counters.ending, took + training.milestones.final_validation_seconds)
    training.follow_first()
    return training.ranks.from_first(took)


def _measure(training: Training, fraction: float) -> Iterator[Event]:
    """Run a milestone and adjust dropout. The first time the model overfits, return to the best model so far."""
    counters, milestones, config = training.counters, training.milestones, training.recipe.train
    milestone = milestones.measure(training.model, counters, fraction)
    yield milestone
    num_bytes = training.batches.num_bytes
    if fraction >= config.warmup_fraction > 0:
        training.raise_dropout(dropout_rate(milestone.bytes_seen / fraction / num_bytes, num_bytes, config.dropout))
    assert counters.best_bpb is not None
    if not counters.overfits and has_overfit(milestone, counters.best_bpb, num_bytes, config):
        training.model.load_state_dict(load_model(milestones.model_path, training.plan.device)[0].state_dict())
        counters.overfits = True
        training.handle_overfitting()
        overfitting = Overfitting(counters.best_seconds)
        training.log.note(counters.step, counters.seconds, overfitting.text)
        yield overfitting


def _has_stalled(training: Training) -> bool:
    """Whether validation has not improved for more than `patience` of the budget."""
    config, counters = training.recipe.train, training.counters
    best = budget_fraction(config, counters.best_step, counters.best_seconds, counters.overhead)
    return training.fraction - best > config.patience


def _not_finite(loss: float, step: int, folder: Path) -> str:
    lower = "lower the learning rates, as --set train.muon_learning_rate=0.01 --set train.adamw_learning_rate=0.001"
    way_out = f"Continue from the last save with `tavu train --resume {folder}` and {lower}."
    return f"The loss became {loss} at step {step:,}, expected a finite number: training diverged. Earlier saves are intact. {way_out}"
