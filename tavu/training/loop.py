"""The training loop: one visible `for`, which yields what happened and leaves it to others to show."""

import itertools
import math
from collections.abc import Generator, Iterator, Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import cast

import torch

from tavu.config import Recipe
from tavu.data.corpus import Corpus
from tavu.errors import TavuError
from tavu.model_file import load_model
from tavu.training.begin import Training, begin
from tavu.training.events import Event, Note, Overfitting, Progress, Started, Stopping, StopReason
from tavu.training.losses import Loss, completion_loss, next_id_loss
from tavu.training.overfitting import dropout_share, has_overfit
from tavu.training.randomness import seeded
from tavu.training.schedule import Stopwatch, budget_fraction, learning_rate_scale, milestones_reached
from tavu.training.signals import StopRequest
from tavu.training.state import save_state
from tavu.training.step import accumulate, forward_of

LOG_SECONDS = 2.0
"""Between two lines of progress."""


def train(recipe: Recipe, corpus: Corpus, folder: Path, *, resume: bool = False, loss_of: Loss | None = None) -> Generator[Event]:
    """Train until the budget is used, validation has stopped improving, or a signal comes; everything is left in `folder`.

    A resume goes on from the last save, bit by bit as if nothing had happened where the budget is in steps.
    Raises TavuError when the loss is not finite, when a file cannot be written, and when there is nothing to resume.
    """
    loss_of = loss_of or (completion_loss if recipe.data.as_records else next_id_loss)
    training = begin(recipe, corpus, folder, resume=resume, loss_of=loss_of)
    config, counters, plan, model = recipe.train, training.counters, training.plan, training.model
    forward = forward_of(model, plan, training.batches.batch(counters.step), config.seed, loss_of, training.notes)
    reached = milestones_reached(training.fraction, config)
    last_save, last_log, measuring = counters.seconds, counters.seconds, 0.0  # the last: seconds that the milestones took
    bits: list[float] = []  # per id of each step since the last line of progress
    stopped = cast(StopReason | None, counters.stopped)
    with StopRequest() as stop, Stopwatch(counters.seconds) as watch:
        yield Started(plan, model, counters.step, counters.preparation)
        yield from _notes(training)
        for step in itertools.count(counters.step) if stopped is None else ():
            counters.step, counters.seconds = step, watch.lap()
            fraction = training.fraction
            stopped = "budget" if fraction >= 1 and step else "interrupted" if stop.signal else None
            if stopped == "interrupted" and stop.signal is not None:
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
                loss = accumulate(forward, ids, plan, loss_of)
            if not math.isfinite(loss):
                raise TavuError(_not_finite(loss, step, folder))
            training.optimizer.step(scale)

            bits.append(loss / math.log(2))
            seconds = watch.lap()
            if seconds - last_log >= LOG_SECONDS:
                progress = _progress(training, bits, ids.numel(), seconds, seconds - last_log)
                training.log.progress(progress, learning_rate=scale)
                yield progress
                last_log, bits = seconds, []
        assert stopped is not None
        counters.stopped = stopped
        save_state(folder, model, training.optimizer, counters)
        yield training.milestones.finish(counters, stopped, lambda: counters.preparation + watch.lap())


def _progress(training: Training, bits: Sequence[float], ids_per_step: int, seconds: float, since_last: float) -> Progress:
    counters = training.counters
    step = counters.step + 1
    done = budget_fraction(training.recipe.train, step, seconds, counters.aside)
    left = seconds * (1 / done - 1) + counters.ending
    return Progress(step, seconds, done, step * ids_per_step, sum(bits) / len(bits), len(bits) * ids_per_step / since_last, left)


def _notes(training: Training) -> Iterator[Event]:
    for text in training.notes:
        training.log.note(training.counters.step, training.counters.seconds, text)
        yield Note(text)


def _measured(training: Training, fraction: float) -> Iterator[Event]:
    """A milestone, and what it says of dropout. The first time that the model overfits, training goes back to the best model."""
    counters, milestones, config = training.counters, training.milestones, training.recipe.train
    milestone = milestones.measure(training.model, counters, fraction)
    yield milestone
    num_bytes = training.batches.num_bytes
    if fraction >= config.warmup_fraction > 0:
        training.raise_dropout(dropout_share(milestone.bytes_seen / fraction / num_bytes, num_bytes, config.dropout))
    assert counters.best_bpb is not None
    if not counters.overfits and has_overfit(milestone, counters.best_bpb, num_bytes, config):
        training.model.load_state_dict(load_model(milestones.model_path, training.plan.device)[0].state_dict())
        counters.overfits = True
        training.answer_overfitting()
        overfitting = Overfitting(counters.best_seconds)
        training.log.note(counters.step, counters.seconds, overfitting.text)
        yield overfitting


def _has_stalled(training: Training) -> bool:
    """Whether the last `patience` of the budget went by without a better validation, now that there is a new one."""
    config, counters = training.recipe.train, training.counters
    best = budget_fraction(config, counters.best_step, counters.best_seconds, counters.aside)
    return training.fraction - best > config.patience


def _not_finite(loss: float, step: int, folder: Path) -> str:
    lower = "lower the learning rates, as --set train.muon_learning_rate=0.01 --set train.adamw_learning_rate=0.001"
    way_out = f"Go on from the last save with `tavu train --resume {folder}` and {lower}."
    return f"The loss became {loss} at step {step:,}, expected a finite number: training diverged. What was saved before is untouched. {way_out}"
