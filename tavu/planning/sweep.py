"""A sweep: one recipe, the settings that are varied, and the trials, each an ordinary run folder within the sweep's folder.

sweep.toml       the recipe, what is varied, how many trials
study.db         which trials there are and how each ended (study.py)
trial-01/ ...    the run folders
sweep.html       the page (reports/sweep_page.py); best.toml, the recipe of the best trial
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, cast, get_args

import tomli_w

from tavu.config import Recipe
from tavu.errors import TavuError
from tavu.files import make_folder, replace_file
from tavu.planning.ranges import Varied, as_settings, num_combinations
from tavu.planning.trial import Trial
from tavu.recipe import Tables, override, parse_toml, to_recipe, to_tables

SWEEP, PAGE, BEST = "sweep.toml", "sweep.html", "best.toml"
Metric = Literal["val_bpb", "bytes_per_second"]
TRIALS = 20
"""The default number of trials."""


@dataclass(frozen=True)
class Sweep:
    folder: Path
    recipe: Recipe
    """What all trials share."""
    varied: tuple[Varied, ...]
    num_trials: int
    metric: Metric

    @property
    def is_grid(self) -> bool:
        """Whether every combination of the values is tried, each once."""
        return num_combinations(self.varied) <= self.num_trials

    @property
    def stops_early(self) -> bool:
        """Whether hopeless trials are stopped. Not in a grid: each of its trials tells something of its parameters."""
        return not self.is_grid and self.metric == "val_bpb"

    @property
    def more_is_better(self) -> bool:
        return self.metric == "bytes_per_second"

    def trial_recipe(self, chosen: dict[str, str], repeats: int = 0) -> Recipe:
        """The recipe of a trial. One that repeats earlier ones has another seed, which shows how far chance moves the result."""
        seed = {"train.seed": str(self.recipe.train.seed + repeats)} if repeats else {}
        return to_recipe(override(to_tables(self.recipe), as_settings(seed | chosen)))

    def best(self, trials: Sequence[Trial]) -> Trial | None:
        """The complete trial with the best metric; None before there is one."""
        sign = -1 if self.more_is_better else 1
        complete = [(sign * value, trial) for trial in trials if trial.state == "complete" and (value := self.value(trial)) is not None]
        return min(complete, key=lambda pair: pair[0])[1] if complete else None

    def value(self, trial: Trial) -> float | None:
        """The metric of a trial; None where it is not known."""
        return getattr(trial.figures, self.metric) if trial.figures else None


def new_sweep(folder: Path, recipe: Recipe, varied: tuple[Varied, ...], *, trials: int | None, metric: str) -> Sweep:
    """Plan a sweep and write its sweep.toml. Raises TavuError for an unknown metric, too few trials, or a folder that has a sweep already."""
    if metric not in get_args(Metric):
        raise TavuError(f"--metric is {metric}, expected one of {', '.join(get_args(Metric))}.")
    num_trials = TRIALS if trials is None else trials
    if num_trials < 2:
        raise TavuError(f"--trials is {num_trials}, expected 2 or more.")
    if (folder / SWEEP).exists():
        raise TavuError(f"{folder} already has a sweep. Continue it with --resume {folder}, or choose another --out.")
    if folder.is_file():
        raise TavuError(f"{folder} is a file, expected a folder for the sweep. Choose another --out.")
    sweep = Sweep(folder, recipe, varied, min(num_trials, num_combinations(varied)), cast(Metric, metric))
    make_folder(folder)
    _save(sweep)
    return sweep


def old_sweep(folder: Path, *, trials: int | None = None) -> Sweep:
    """The sweep of a folder, with a larger number of trials if given. Raises TavuError if there is none, or its file is damaged."""
    path = folder / SWEEP
    if not path.is_file():
        raise TavuError(f"{folder} is not the folder of a sweep: it has no {SWEEP}. Name one that `tavu sweep` made, e.g. runs/stories-sweep.")
    tables = parse_toml(path.read_text(encoding="utf-8", errors="surrogateescape"), str(path))
    try:
        varied = tuple(Varied(key, tuple(values)) for key, values in tables["vary"].items())
        sweep = Sweep(folder, to_recipe(tables["recipe"]), varied, tables["trials"], tables["metric"])
    except (KeyError, AttributeError, TypeError) as error:
        raise TavuError(f"{path} is damaged: {error} is missing or of the wrong kind. Restore it from a copy, or start a new sweep.") from None
    if trials is None or trials == sweep.num_trials:
        return sweep
    if sweep.is_grid:
        whole = f"{folder} is a grid of {sweep.num_trials} trials, each combination once"
        raise TavuError(f"{whole}, but --trials is {trials}. Omit --trials, or start a new sweep with more values.")
    if trials < sweep.num_trials:
        raise TavuError(f"--trials is {trials}, but {folder} was planned with {sweep.num_trials}. A sweep can only grow: give more, or omit it.")
    grown = Sweep(folder, sweep.recipe, varied, min(trials, num_combinations(varied) - 1), sweep.metric)
    _save(grown)
    return grown


def write_best(sweep: Sweep, best: Trial) -> Path:
    """Write the recipe of the best trial, without its text, for `tavu train SOURCE --preset best.toml`."""
    tables = to_tables(sweep.trial_recipe(best.chosen))
    tables["data"] = {key: value for key, value in tables["data"].items() if key not in ("sources", "valid")}
    chosen = " ".join(as_settings(best.chosen))
    comment = f"# The best of a sweep, by {sweep.metric}: trial {best.number}, {chosen}\n"
    path = sweep.folder / BEST
    replace_file(path, (comment + tomli_w.dumps(tables)).encode(errors="surrogateescape"))
    return path


def _save(sweep: Sweep) -> None:
    vary = {one.key: list(one.values) for one in sweep.varied}
    tables: Tables = {"trials": sweep.num_trials, "metric": sweep.metric, "vary": vary, "recipe": to_tables(sweep.recipe)}
    replace_file(sweep.folder / SWEEP, tomli_w.dumps(tables).encode(errors="surrogateescape"))
