"""The page of a sweep: what each setting does to quality and speed, which pairs interact, what is worth its cost, and what each trial writes."""

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from tavu.files import replace_file
from tavu.planning.effects import Effect, cell_means, effects, interactions
from tavu.planning.ranges import as_settings
from tavu.planning.sweep import BEST, PAGE, Sweep
from tavu.planning.trial import Trial
from tavu.reports.page import render
from tavu.reports.run_folder import Sample
from tavu.reports.sweep_pictures import Dot, curves_picture, effect_picture, frontier_picture
from tavu.reports.wording import bpb, counted, scaled
from tavu.run_folder import REPORT

FEW_TRIALS = 3
"""Effects need as many complete trials."""
MAX_PAIRS = 3
LIKELY_CHANCE = 0.05
"""Effects of a pair that chance explains more often than this are not told as found."""

Figure = Callable[[Trial], float | None]


def write_sweep_page(sweep: Sweep, trials: Sequence[Trial], importances: Mapping[str, float]) -> None:
    """Write sweep.html, whole or not at all. Raises TavuError when it cannot be written."""
    replace_file(sweep.folder / PAGE, sweep_page(sweep, trials, importances).encode())


def sweep_page(sweep: Sweep, trials: Sequence[Trial], importances: Mapping[str, float]) -> str:
    """The whole page as HTML. `importances`: setting -> its share of the variance of the metric; empty if unknown."""
    complete = [trial for trial in trials if trial.state == "complete"]
    best = sweep.best(trials)
    return render(
        "sweep.html",
        {
            "name": sweep.folder.resolve().name,
            "state": _state(sweep, trials),
            "is_whole": sum(trial.is_over for trial in trials) >= sweep.num_trials,
            "how": "every combination of the values" if sweep.is_grid else "combinations chosen by TPE",
            "best": best,
            "best_settings": as_settings(best.chosen) if best else [],
            "parameters": _parameters(sweep, complete, importances),
            "has_error": len(complete) > 1 + sum(len(one.values) - 1 for one in sweep.varied),
            "is_one_seed": all(one.key != "train.seed" for one in sweep.varied),
            "pairs": _pairs(sweep, complete),
            "curves": _curves(trials, best),
            "frontiers": _frontiers(complete),
            "prompts": _texts(trials),
            "trials": [trial for trial in trials if trial.state != "waiting"],
            "varied": sweep.varied,
            "num_waiting": sweep.num_trials - sum(trial.state != "waiting" for trial in trials),
            "cells": _trial_cells,
            "report": REPORT,
            "preset": f"{sweep.folder}/{BEST}",
            "toml": (sweep.folder / BEST).read_text(encoding="utf-8", errors="replace") if (sweep.folder / BEST).is_file() else "",
        },
    )


def _state(sweep: Sweep, trials: Sequence[Trial]) -> str:
    words = {"complete": "complete", "pruned": "stopped early", "failed": "failed", "running": "not finished"}
    counts = [(sum(trial.state == state for trial in trials), word) for state, word in words.items()]
    return f"{counted(sweep.num_trials, 'trial')}: {', '.join(f'{count} {word}' for count, word in counts if count) or 'none begun'}"


def _val_bpb(trial: Trial) -> float | None:
    return trial.figures.val_bpb if trial.figures else None


def _speed(trial: Trial) -> float | None:
    return trial.figures.bytes_per_second if trial.figures else None


def _measured(sweep: Sweep, trials: Sequence[Trial], figure: Figure) -> tuple[list[Trial], np.ndarray, np.ndarray]:
    """The trials that have the figure, which value of each setting they have (N, K), and the figure (N,)."""
    pairs = [(trial, value) for trial in trials if (value := figure(trial)) is not None and math.isfinite(value)]
    levels = [[one.values.index(trial.chosen[one.key]) for one in sweep.varied] for trial, _ in pairs]
    return [trial for trial, _ in pairs], np.array(levels).reshape(len(pairs), len(sweep.varied)), np.array([value for _, value in pairs])


def _parameters(sweep: Sweep, complete: Sequence[Trial], importances: Mapping[str, float]) -> list[dict[str, Any]]:
    """For each setting: its pictures of bits per byte and of training speed, a row for each value, and how much it matters."""
    if len(complete) < FEW_TRIALS:
        return []
    figures: list[tuple[str, Figure, float]] = [("bits per byte", _val_bpb, 1.0), ("bytes a second in training, thousands", _speed, 1e3)]
    measured = [(title, *_measured(sweep, complete, figure), unit) for title, figure, unit in figures]
    found = [(title, levels, numbers / unit, effects(levels, numbers / unit)) for title, _, levels, numbers, unit in measured if len(numbers)]
    parameters = []
    for index, one in enumerate(sweep.varied):
        pictures = [
            effect_picture(one.values, of[index], [Dot(float(row[index]), float(y), "") for row, y in zip(levels, numbers, strict=True)], title)
            for title, levels, numbers, of in found
        ]
        rows = [
            (value, *(_with_margin(of[index].get(place), digits) for (_, _, _, of), digits in zip(found, (4, 2), strict=False)))
            for place, value in enumerate(one.values)
        ]
        share = importances.get(one.key)
        parameters.append({"key": one.key, "pictures": pictures, "rows": rows, "importance": f"{share:.0%}" if share is not None else ""})
    return parameters


def _with_margin(effect: Effect | None, digits: int) -> str:
    if effect is None:
        return "no trial"
    error = f" ± {effect.margin:.{digits}f}" if math.isfinite(effect.margin) else ""
    return f"{effect.mean:.{digits}f}{error}"


def _pairs(sweep: Sweep, complete: Sequence[Trial]) -> list[dict[str, Any]]:
    """The strongest pairs of settings, each with the mean bits per byte of every combination; empty with too few trials."""
    _, levels, figure = _measured(sweep, complete, _val_bpb)
    if len(figure) < FEW_TRIALS or len(sweep.varied) < 2:
        return []
    pairs = []
    for pair in interactions(levels, figure)[:MAX_PAIRS]:
        one, other = sweep.varied[pair.one], sweep.varied[pair.other]
        means = cell_means(levels, figure, pair.one, pair.other)
        lowest, highest = min(means.values()), max(means.values())
        cells = [[means.get((i, j)) for j in range(len(other.values))] for i in range(len(one.values))]
        pairs.append(
            {
                "one": one,
                "other": other,
                "share": f"{pair.share:.1%}",
                "verdict": _verdict(pair.p),
                "rows": [
                    (value, [(bpb(mean), (highest - mean) / ((highest - lowest) or 1.0)) if mean is not None else ("", 0.0) for mean in row])
                    for value, row in zip(one.values, cells, strict=True)
                ],
            }
        )
    return pairs


def _verdict(p: float) -> str:
    if not math.isfinite(p):
        return "There are too few trials to tell this from chance: repeat them with other seeds, as --vary train.seed=0,1."
    often = f"chance alone explains as much in {p:.1%} of cases" if p >= 0.001 else "chance alone hardly ever explains as much"
    return f"They interact: {often}." if p < LIKELY_CHANCE else f"No interaction was found: {often}."


def _curves(trials: Sequence[Trial], best: Trial | None) -> Any:
    """Validation against training time for all trials in one picture; nothing before the first validation."""
    curves = [
        (str(trial.number), [(point.seconds, point.val_bpb) for point in trial.record.curve], trial == best, trial.state == "pruned")
        for trial in trials
        if trial.record and trial.record.curve
    ]
    return curves_picture(curves, "bits per byte of unseen text", "seconds of training") if curves else None


def _frontiers(complete: Sequence[Trial]) -> list[Any]:
    """Bits per byte against training time, file size and writing speed, of the complete trials that have both."""
    costs: list[tuple[str, str, Figure, bool]] = [
        ("against training time", "seconds", lambda trial: trial.figures.seconds if trial.figures else None, False),
        ("against file size", "MB", lambda trial: trial.figures.file_bytes / 1e6 if trial.figures and trial.figures.file_bytes else None, False),
        ("against writing speed", "bytes a second", lambda trial: trial.writing_bytes_per_second, True),
    ]
    pictures = []
    for title, label, cost, more_is_better in costs:
        dots = [
            Dot(x, y, str(trial.number))
            for trial in complete
            if (x := cost(trial)) is not None and (y := _val_bpb(trial)) is not None and math.isfinite(x) and math.isfinite(y)
        ]
        if len(dots) > 1:
            pictures.append(frontier_picture(dots, f"bits per byte {title}", label, more_x_is_better=more_is_better))
    return pictures


def _texts(trials: Sequence[Trial]) -> list[tuple[str, list[tuple[Trial, Sample]]]]:
    """For each prompt, the last text of each trial, the best trial first."""
    prompts: dict[str, list[tuple[Trial, Sample]]] = {}
    for trial in trials:
        for prompt in trial.record.prompts if trial.record else ():
            prompts.setdefault(prompt, []).append((trial, trial.record.samples_of(prompt)[-1]))  # type: ignore[union-attr]
    return [(prompt, sorted(texts, key=lambda pair: pair[1].val_bpb)) for prompt, texts in prompts.items()]


def _trial_cells(trial: Trial) -> list[str]:
    """The figures of a trial in words: bits per byte, training speed, parameters, file size, writing speed."""
    figures = trial.figures
    if figures is None:
        return [""] * 5
    error = figures.standard_error if figures.standard_error is not None else math.nan
    numbers = [(figures.bytes_per_second, "B/s"), (figures.num_parameters, ""), (figures.file_bytes, "B"), (trial.writing_bytes_per_second, "B/s")]
    return [bpb(figures.val_bpb, error), *(scaled(number, unit) if number is not None else "" for number, unit in numbers)]
