"""tavu sweep: train many small runs that differ in a few settings, and show what each setting does."""

from pathlib import Path
from typing import Annotated, Any

import typer


def sweep(
    source: Annotated[list[str] | None, typer.Argument(help="The text to learn from, as for `tavu train`.")] = None,
    vary: Annotated[
        list[str] | None,
        typer.Option(
            metavar="KEY=A,B,C",
            help="A setting and the values to try. Several may be given. `--vary KEY` alone takes the values that `--list` shows.",
        ),
    ] = None,
    trials: Annotated[
        int | None,
        typer.Option(
            help="At most this many trainings. If they cover all combinations, each is tried; else TPE chooses, and stops hopeless ones early.",
            show_default="20",
        ),
    ] = None,
    metric: Annotated[str, typer.Option(help="What makes a trial the best: val_bpb, or bytes_per_second of training.")] = "val_bpb",
    minutes: Annotated[float | None, typer.Option(help="The minutes of each training.", show_default="10", rich_help_panel="Budget")] = None,
    hours: Annotated[float | None, typer.Option(help="The hours of each training.", rich_help_panel="Budget")] = None,
    steps: Annotated[int | None, typer.Option(help="The steps of each training instead.", rich_help_panel="Budget")] = None,
    out: Annotated[
        Path | None, typer.Option(help="The folder of the sweep.", show_default="runs/<name of SOURCE>-sweep", rich_help_panel="Run")
    ] = None,
    resume: Annotated[
        Path | None,
        typer.Option(
            "--resume",
            "--join",
            help="Continue the sweep in this folder. Several processes may work on one at the same time.",
            rich_help_panel="Run",
        ),
    ] = None,
    valid: Annotated[
        list[str] | None, typer.Option(help="Text to validate on. By default, part of SOURCE is held out.", rich_help_panel="Text")
    ] = None,
    preset: Annotated[
        str | None,
        typer.Option(help="What the trials share: words (for text), megabyte (for --bytes), another preset, or a .toml file.", rich_help_panel="Run"),
    ] = None,
    seed: Annotated[
        int | None, typer.Option(help="Random seed, of the trainings and of the choice of trials.", show_default="0", rich_help_panel="Run")
    ] = None,
    setting: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="SECTION.KEY=VALUE", help="Change any setting that the trials share.", rich_help_panel="Run"),
    ] = None,
    as_bytes: Annotated[bool, typer.Option("--bytes", help="Read files as raw bytes: images, audio, anything.", rich_help_panel="Text")] = False,
    as_list: Annotated[bool, typer.Option("--list", help="Show the settings that matter most, and values to try, and end.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the result as JSON on the last line.")] = False,
) -> None:
    """Train many short runs that differ in a few settings, and write a page that shows what each setting does.

    Example: tavu sweep stories.txt --vary train.batch_bytes=4096,8192 --vary model.levels.0.dim --minutes 2
    """
    from tavu.cli.training import budget_of
    from tavu.errors import TavuError
    from tavu.recipe import to_tables
    from tavu.run_recipes import new_recipe

    given = {"preset": preset, "seed": seed, "settings": setting or (), "as_bytes": as_bytes, **budget_of(minutes, hours, steps)}
    if as_list:
        _print_ranges(to_tables(new_recipe(source or ["tales"], valid=valid or (), **given)), as_json=as_json)
        return
    _need_optuna()
    from tavu.planning.ranges import read_varied
    from tavu.planning.sweep import new_sweep, old_sweep

    if resume is not None:
        fixed = (source, vary, out, valid, preset, setting, as_bytes, minutes, hours, steps)
        if any(fixed) or seed is not None or metric != "val_bpb":
            raise TavuError("--resume continues a sweep unchanged: it allows only --trials, to make the sweep larger. Omit the rest.")
        planned = old_sweep(resume, trials=trials)
    elif not source:
        raise TavuError("There is nothing to train on. Name a text, as in `tavu sweep stories.txt --vary train.batch_bytes --minutes 2`.")
    else:
        recipe = new_recipe(source, valid=valid or (), **given)
        varied = read_varied(vary or (), to_tables(recipe))
        planned = new_sweep(_folder(out, source[0]), recipe, varied, trials=trials, metric=metric)
    _work_and_print(planned, as_json=as_json)


def _work_and_print(planned: Any, *, as_json: bool) -> None:
    import sys

    from tavu import runs
    from tavu.cli.json_line import print_json_line
    from tavu.cli.sweep_display import SweepDisplay, summary, to_json
    from tavu.planning.study import Study
    from tavu.planning.sweep import write_best
    from tavu.planning.work import TrialEnds, work
    from tavu.reports.sweep_page import write_sweep_page
    from tavu.run_folder import RECIPE
    from tavu.run_recipes import old_recipe

    def train(recipe: Any, folder: Path) -> Any:
        command = ["tavu", *sys.argv[1:]]
        if (folder / RECIPE).exists():
            return runs.run(old_recipe(folder), folder, resume=True, command=command)
        return runs.run(recipe, folder, command=command)

    def write() -> None:
        trials = study.trials()
        if best := planned.best(trials):
            write_best(planned, best)
        write_sweep_page(planned, trials, study.importances())

    study = Study(planned)
    display = SweepDisplay(study)
    display.begin()
    for event in work(study, train):
        display.tell(event)
        if isinstance(event, TrialEnds):
            write()
    write()  # also what other processes have done
    trials = study.trials()
    print(summary(planned, trials))
    if as_json:
        print_json_line(to_json(planned, trials))


def _folder(out: Path | None, source: str) -> Path:
    """The folder of a new sweep: `out`, or runs/<name of its first source>-sweep, with a number if that exists."""
    import itertools

    from tavu.runs import RUNS

    if out is not None:
        return out
    name = Path(source.partition(":")[0].rstrip("/*")).name.split(".")[0] or "run"
    names = (f"{name}-sweep" if n == 1 else f"{name}-sweep-{n}" for n in itertools.count(1))
    return next(RUNS / one for one in names if not (RUNS / one).exists())


def _need_optuna() -> None:
    from importlib.util import find_spec

    from tavu.errors import TavuError

    if find_spec("optuna") is None:
        raise TavuError("tavu sweep needs optuna, which is not installed. Install it with: pip install 'tavu[sweep]'")


def _print_ranges(tables: Any, *, as_json: bool) -> None:
    from tavu.cli.json_line import print_json_line
    from tavu.planning.ranges import ranges_of

    ranges = ranges_of(tables)
    if as_json:
        print_json_line({"ranges": [{"key": one.varied.key, "values": one.varied.values, "meaning": one.meaning} for one in ranges]})
        return
    keys, values = [one.varied.key for one in ranges], [",".join(one.varied.values) for one in ranges]
    for one, key, text in zip(ranges, keys, values, strict=True):
        print(f"{key:{max(map(len, keys))}}  {text:{max(map(len, values))}}  {one.meaning}")
    print("\nVary one with `tavu sweep SOURCE --vary KEY`, or give values of your own: --vary KEY=A,B,C. Any other setting can be varied, too.")
