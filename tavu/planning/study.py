"""The study of a sweep, in Optuna: which trial is next, whether one is hopeless, and how each ended.

It is kept in SQLite: a transaction is whole or not there after a kill at any moment, and several processes may write. Which process works on a trial
is told by a lock file, which the system releases when that process ends: a trial that runs in the study, but whose lock is free, was killed and is
taken up again.

A grid is planned as a queue of all its combinations. (Optuna's GridSampler stops a study through `Study.optimize`, which cannot take up a trial
that was killed.) The rest is proposed by TPESampler and stopped early by MedianPruner.
"""

import random
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import optuna
from optuna.importance import FanovaImportanceEvaluator, get_param_importances
from optuna.pruners import MedianPruner, NopPruner
from optuna.samplers import RandomSampler, TPESampler
from optuna.storages import RDBStorage
from optuna.trial import FrozenTrial, TrialState
from sqlalchemy.pool import NullPool

from tavu.files import make_folder
from tavu.planning.ranges import combinations
from tavu.planning.sweep import Sweep
from tavu.planning.trial import State, Trial, read_figures, read_record
from tavu.run_folder import LOCK
from tavu.training.run_lock import lock_file

NAME, FILE = "sweep", "study.db"
RANDOM_TRIALS = 6
"""TPE begins with so many random trials."""
UNPRUNED_TRIALS = 4
"""So many trials must be complete before others are stopped early, and none is before a third of its milestones."""
FANOVA_TRIALS = 4
_STATES: dict[TrialState, State] = {
    TrialState.WAITING: "waiting",
    TrialState.RUNNING: "running",
    TrialState.COMPLETE: "complete",
    TrialState.PRUNED: "pruned",
    TrialState.FAIL: "failed",
}
_REASON, _WRITING, _SECONDS = "reason", "writing_bytes_per_second", "seconds"

optuna.logging.set_verbosity(optuna.logging.ERROR)


class Study:
    """The trials of a sweep, shared by all processes that work on it."""

    def __init__(self, sweep: Sweep):
        self.sweep = sweep
        self._storage = RDBStorage(f"sqlite:///{sweep.folder / FILE}", engine_kwargs={"poolclass": NullPool, "connect_args": {"timeout": 60}})
        warmup = max(1, sweep.recipe.train.milestones // 3)
        pruner = MedianPruner(UNPRUNED_TRIALS, n_warmup_steps=warmup) if sweep.stops_early else NopPruner()
        with self._alone():
            self._study = optuna.create_study(
                study_name=NAME,
                storage=self._storage,
                direction="maximize" if sweep.more_is_better else "minimize",
                pruner=pruner,
                sampler=RandomSampler(seed=sweep.recipe.train.seed),
                load_if_exists=True,
            )
            if sweep.is_grid:
                self._plan_grid()

    def _plan_grid(self) -> None:
        """Put every combination into the queue, in random order, so that a sweep that is stopped has covered all of the grid evenly."""
        planned = list(combinations(self.sweep.varied))
        random.Random(self.sweep.recipe.train.seed).shuffle(planned)
        for chosen in planned:
            self._study.enqueue_trial({one.key: one.values.index(chosen[one.key]) for one in self.sweep.varied}, skip_if_exists=True)

    @contextmanager
    def claimed(self) -> Iterator["Claim | None"]:
        """A trial for this process alone: one that was killed, or else the next. None when nothing is left to begin."""
        with ExitStack() as held:
            with self._alone():
                claim = self._claim(held)
            yield claim

    def _claim(self, held: ExitStack) -> "Claim | None":
        for frozen in self._study.get_trials(deepcopy=False, states=(TrialState.RUNNING,)):
            if held.enter_context(lock_file(self._lock(frozen.number))):
                study_id = self._storage.get_study_id_from_name(NAME)
                trial_id = self._storage.get_trial_id_from_study_id_trial_number(study_id, frozen.number)
                return self._begin(optuna.Trial(self._study, trial_id), is_resumed=self._folder(frozen.number).exists())
        begun = [trial for trial in self._study.get_trials(deepcopy=False) if trial.state != TrialState.WAITING]
        if len(begun) >= self.sweep.num_trials:
            return None
        if not self.sweep.is_grid:
            self._study.sampler = TPESampler(seed=self.sweep.recipe.train.seed + len(begun), n_startup_trials=RANDOM_TRIALS)
        trial = self._study.ask()
        assert held.enter_context(lock_file(self._lock(trial.number))), "the lock of a trial that no process knows yet"
        return self._begin(trial, is_resumed=False)

    def _begin(self, trial: optuna.Trial, *, is_resumed: bool) -> "Claim":
        chosen = {one.key: one.values[trial.suggest_int(one.key, 0, len(one.values) - 1)] for one in self.sweep.varied}
        before = self._study.get_trials(deepcopy=False)[: trial.number]
        repeats = sum(other.params == trial.params for other in before)
        return Claim(self._study, trial, chosen, self._folder(trial.number), repeats, is_resumed)

    def trials(self) -> list[Trial]:
        """All trials, those included that wait and those that other processes train."""
        return [self._trial(frozen) for frozen in self._study.get_trials(deepcopy=False)]

    def trial(self, number: int) -> Trial:
        return self._trial(self._study.get_trials(deepcopy=False)[number - 1])

    def seconds_left(self) -> float | None:
        """The mean time of a trial times those that are left, all in one process; None before the first has ended."""
        frozen = self._study.get_trials(deepcopy=False)
        took = [trial.user_attrs[_SECONDS] for trial in frozen if _SECONDS in trial.user_attrs]
        left = self.sweep.num_trials - sum(trial.state.is_finished() for trial in frozen)
        return sum(took) / len(took) * left if took else None

    def importances(self) -> dict[str, float]:
        """The share of each setting in what differs between complete trials (fANOVA, Hutter et al. 2014); empty with too few trials."""
        complete = self._study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,))
        if len(complete) < FANOVA_TRIALS or len({trial.value for trial in complete}) < 2:
            return {}
        return get_param_importances(self._study, evaluator=FanovaImportanceEvaluator(seed=0))

    def _trial(self, frozen: FrozenTrial) -> Trial:
        folder, begun = self._folder(frozen.number), frozen.state != TrialState.WAITING
        indices = frozen.params or frozen.system_attrs.get("fixed_params", {})
        record = read_record(folder) if begun else None
        return Trial(
            number=frozen.number + 1,
            chosen={one.key: one.values[indices[one.key]] for one in self.sweep.varied if one.key in indices},
            state=_STATES[frozen.state],
            folder=folder,
            reason=frozen.user_attrs.get(_REASON, ""),
            record=record,
            figures=read_figures(record) if record else None,
            writing_bytes_per_second=frozen.user_attrs.get(_WRITING),
        )

    def _folder(self, number: int) -> Path:
        return self.sweep.folder / f"trial-{number + 1:02}"

    def _lock(self, number: int) -> Path:
        return self.sweep.folder / f".trial-{number + 1:02}.lock"

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """Only one process at a time plans or claims trials."""
        make_folder(self.sweep.folder)
        while True:
            with lock_file(self.sweep.folder / LOCK) as is_mine:
                if is_mine:
                    yield
                    return
            time.sleep(0.05)


class Claim:
    """A trial that this process works on, until it tells how it ended. A process that ends before leaves it to be taken up again."""

    def __init__(self, study: optuna.Study, trial: optuna.Trial, chosen: dict[str, str], folder: Path, repeats: int, is_resumed: bool):
        self._study, self._trial = study, trial
        self.number, self.chosen, self.folder, self.is_resumed = trial.number + 1, chosen, folder, is_resumed
        self.repeats = repeats
        """How many earlier trials have the same values."""

    def is_hopeless(self, milestone: int, bits_per_byte: float) -> bool:
        """Whether the trial is worse at this milestone than the median of the complete ones was. Tells the study its bits per byte."""
        reported = self._study.get_trials(deepcopy=False)[self._trial.number].intermediate_values
        if milestone not in reported:  # it is when a trial was killed after this milestone
            self._trial.report(bits_per_byte, milestone)
        return self._trial.should_prune()

    def complete(self, value: float, seconds: float, writing_bytes_per_second: float | None) -> None:
        if writing_bytes_per_second is not None:
            self._trial.set_user_attr(_WRITING, writing_bytes_per_second)
        self._tell(TrialState.COMPLETE, seconds, value)

    def prune(self, seconds: float) -> None:
        self._tell(TrialState.PRUNED, seconds)

    def fail(self, reason: str, seconds: float) -> None:
        self._trial.set_user_attr(_REASON, reason)
        self._tell(TrialState.FAIL, seconds)

    def _tell(self, state: TrialState, seconds: float, value: float | None = None) -> None:
        self._trial.set_user_attr(_SECONDS, seconds)
        self._study.tell(self._trial, value, state=state)
