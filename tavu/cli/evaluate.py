"""tavu evaluate: bits per byte of a model, compared with n-gram baselines."""

import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

SEARCHED_BYTES = 100_000_000
"""About how much of the training text is searched for copied passages and similar stories."""
NUM_STORIES = 64
NUM_ANCHORS = 16
"""For this many stories, a judge also grades the true ending and two worse ones."""

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.progress import Progress

    from tavu.config import DataConfig
    from tavu.data.sources import SourceReport
    from tavu.evaluation.evaluate import Evaluation
    from tavu.evaluation.stories import Measure, Story
    from tavu.language_model import LanguageModel


def evaluate(
    model: Annotated[Path, typer.Argument(help="A model file or run folder.")],
    source: Annotated[
        list[str], typer.Argument(help="Text that the model has not seen: files, folders, globs. With --ensemble: more models, then one text.")
    ],
    ensemble: Annotated[bool, typer.Option("--ensemble", help="Measure several models, and the mean of their distributions.")] = False,
    text_field: Annotated[
        str | None, typer.Option(help="The field of .jsonl, .csv and .parquet rows that holds the text.", rich_help_panel="Text")
    ] = None,
    split: Annotated[
        str | None,
        typer.Option(
            metavar="lines|blank|REGEX", help="Split text into documents at newlines, blank lines, or matches of REGEX.", rich_help_panel="Text"
        ),
    ] = None,
    record_bytes: Annotated[
        int | None,
        typer.Option(
            help="For models of raw bytes: split files into documents of this many bytes.", show_default="as trained", rich_help_panel="Text"
        ),
    ] = None,
    records: Annotated[
        bool, typer.Option("--records", help="SOURCE has records, as for `tavu finetune`; only completions are measured.", rich_help_panel="Text")
    ] = False,
    stories: Annotated[
        bool,
        typer.Option("--stories", help="Generate stories and measure them: do they end, repeat, copy, follow requests?", rich_help_panel="Stories"),
    ] = False,
    count: Annotated[
        int | None, typer.Option(help="With --stories: the number of stories of each kind.", show_default=str(NUM_STORIES), rich_help_panel="Stories")
    ] = None,
    page: Annotated[
        Path | None,
        typer.Option(help="With --stories: the HTML page to write.", show_default="stories.html next to the model", rich_help_panel="Stories"),
    ] = None,
    seed: Annotated[int, typer.Option(help="With --stories: the random seed.")] = 0,
    judge: Annotated[
        str | None,
        typer.Option(
            metavar="URL",
            help="With --stories: also let a large model grade them, e.g. http://localhost:11434/v1 (Ollama).",
            rich_help_panel="Stories",
        ),
    ] = None,
    judge_model: Annotated[str | None, typer.Option(help="With --judge: the name of the model, e.g. llama3.1:8b.", rich_help_panel="Stories")] = None,
    skip_bad: Annotated[
        bool, typer.Option("--skip-bad", help="Skip documents that cannot be read, and report how many.", rich_help_panel="Text")
    ] = False,
    device: Annotated[str, typer.Option(help="cpu, cuda or mps.", rich_help_panel="Machine")] = "cpu",
    engine: Annotated[str | None, typer.Option(help="native or torch.", show_default="native if possible", rich_help_panel="Machine")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the result as JSON on the last line.")] = False,
) -> None:
    """Measure a model on unseen text: bits per byte (lower is better), compared with n-gram models.

    Example: tavu evaluate runs/stories valid.txt
    """
    from rich.console import Console
    from rich.progress import Progress

    from tavu.cli.json_line import print_json_line
    from tavu.cli.loading import load
    from tavu.config import DataConfig, check
    from tavu.data.sources import SourceReport
    from tavu.errors import TavuError
    from tavu.evaluation.evaluate import evaluate as evaluate_model
    from tavu.evaluation.ngram import MAX_TRAIN_BYTES
    from tavu.memory import peak_memory_mb

    if ensemble:
        if stories or engine is not None:
            raise TavuError("--ensemble excludes --stories and --engine. Omit them.")
        options = DataConfig(tuple(source[-1:]), text_field=text_field, record_bytes=None, skip_bad=skip_bad, as_records=records, split=split)
        _evaluate_ensemble([str(model), *source[:-1]], options, record_bytes, device, as_json)
        return
    loaded = load(model, device, engine)
    if record_bytes is not None and loaded.is_text:
        raise TavuError(f"--record-bytes is {record_bytes}, but {model} is a model of text: only models of raw bytes have it. Omit it.")
    if record_bytes is None:
        record_bytes = loaded.record_bytes
    if stories and not loaded.is_text:
        raise TavuError(f"--stories needs a model of text, but {model} is a model of raw bytes. Omit it.")
    for option, is_given in (("--count", count is not None), ("--page", page is not None), ("--judge", judge is not None)):
        if is_given and not stories:
            raise TavuError(f"{option} belongs to --stories. Pass --stories too, or omit it.")
    count = NUM_STORIES if count is None else count
    check(count >= 1, "count", count, "1 or more.")
    if (judge is None) != (judge_model is None):
        raise TavuError("A judge needs all three of --stories, --judge URL and --judge-model NAME.")
    data = DataConfig(
        tuple(source),
        text_field=text_field,
        as_bytes=not loaded.is_text,
        record_bytes=record_bytes,
        skip_bad=skip_bad,
        as_records=records,
        split=split,
    )
    report = SourceReport()
    with Progress(console=Console(stderr=True), transient=True, disable=not sys.stderr.isatty()) as bar:
        task = bar.add_task("reading", total=1.0)
        documents = list(_read(data, report, lambda share: bar.update(task, completed=share)))
        if stories:
            bar.stop()
            _evaluate_stories(loaded, documents, count, seed, page, (judge, judge_model) if judge and judge_model else None, as_json)
            return
        evaluation = evaluate_model(
            loaded.scorer,
            documents,
            train_documents=training_text(loaded.path.parent, MAX_TRAIN_BYTES),
            as_records=records,
            progress=lambda what, share: bar.update(task, description=what, completed=share),
        )
    if as_json:
        about = {"model": str(loaded.path), "skipped": report.skipped, "peak_memory_mb": peak_memory_mb()}
        print_json_line(evaluation.to_dict() | about)
        return
    print(_table(evaluation))
    for line in report.lines():
        print(line)
    print(f"Speed: {evaluation.bytes_per_second:,.0f} bytes/s. Peak memory: {peak_memory_mb():,.0f} MB.")


def _read(data: "DataConfig", report: "SourceReport", progress: Callable[[float], None]) -> Iterator[bytes]:
    """The documents of the sources; calls `progress` with the share of the files that was read."""
    from tavu.data.sources import locate, read_documents

    num_bytes = sum(file.stat().st_size for source in data.sources for file in locate(source, data).files)
    for source in data.sources:
        for document in read_documents(source, data, report):
            yield document
            progress(report.file_bytes_read / max(1, num_bytes))


def _evaluate_ensemble(models: list[str], data: "DataConfig", record_bytes: int | None, device: str, as_json: bool) -> None:
    """Measure several models and the mean of their distributions, and print the results."""
    from dataclasses import asdict, replace

    from rich.console import Console
    from rich.progress import Progress

    from tavu.cli.json_line import print_json_line
    from tavu.data.sources import SourceReport
    from tavu.distillation.ensemble import measure
    from tavu.distillation.model_teacher import learned_bytes, open_teacher
    from tavu.errors import TavuError
    from tavu.memory import peak_memory_mb
    from tavu.reports.wording import counted
    from tavu.training.machine import pick_device

    if len(models) < 2:
        raise TavuError("--ensemble needs several models, and a text after them, as in `tavu evaluate runs/a runs/b valid.txt --ensemble`.")
    as_bytes = learned_bytes(models[0])
    teachers = [open_teacher(name, as_bytes=as_bytes, device=pick_device(device, "--device")) for name in models]
    data, report = replace(data, as_bytes=as_bytes, record_bytes=record_bytes), SourceReport()
    with Progress(console=Console(stderr=True), transient=True, disable=not sys.stderr.isatty()) as bar:
        task = bar.add_task("measuring", total=1.0)
        documents = list(_read(data, report, lambda share: None))
        each, mean = measure(teachers, documents, as_records=data.as_records, progress=lambda share: bar.update(task, completed=share))
    if as_json:
        about = {"models": models, "model_bpb": [result.bits_per_byte for result in each], "skipped": report.skipped}
        print_json_line(asdict(mean) | about | {"peak_memory_mb": peak_memory_mb()})
        return
    print(f"Bits per byte over {mean.num_bytes:,} bytes in {counted(mean.num_documents, 'document')}. Lower is better.\n")
    for result, name in zip((*each, mean), (*models, "the mean of their distributions"), strict=True):
        error = f" ± {result.standard_error:.4f}" if result.num_documents > 1 else ""
        print(f"  {result.bits_per_byte:.4f}{error}  {name}")
    best, name = min(zip((result.bits_per_byte for result in each), models, strict=True))
    if best < mean.bits_per_byte:
        print(f"\n{name} alone is better than the mean. A mean gains most from models that are about equally good.")
    for line in report.lines():
        print(line)


def _evaluate_stories(
    loaded: "LanguageModel", documents: list[bytes], count: int, seed: int, page: Path | None, judge: tuple[str, str] | None, as_json: bool
) -> None:
    """Generate stories, measure them, print the results and write the page."""
    from dataclasses import asdict, replace

    from rich.console import Console
    from rich.progress import Progress

    from tavu.cli.json_line import print_json_line
    from tavu.config import SamplingConfig
    from tavu.evaluation.stories import evaluate_stories
    from tavu.files import check_writable
    from tavu.reports.stories_page import with_error, write_stories_page
    from tavu.stored_model import SHIPPED

    page = page or (loaded.path.with_name("stories.html") if loaded.path.parent != SHIPPED else Path("stories.html"))
    check_writable(page, ".html", "--page")
    with Progress(console=Console(stderr=True), transient=True, disable=not sys.stderr.isatty()) as bar:
        task = bar.add_task("", total=1.0)
        evaluation = evaluate_stories(
            loaded.scorer,
            loaded.writer,
            documents,
            training_text(loaded.path.parent, SEARCHED_BYTES),
            SamplingConfig(seed=seed, max_bytes=1024, used_bytes=loaded.used_bytes),
            follows_requests=loaded.records == "stories",
            num_stories=count,
            num_requests=count,
            progress=lambda what, share: bar.update(task, description=what, completed=share),
        )
        if judge is not None:
            evaluation = replace(
                evaluation, measures=evaluation.measures + _judged(evaluation.stories, *judge, page.with_suffix(".judge.jsonl"), bar)
            )
    write_stories_page(evaluation, loaded.name, page)
    if as_json:
        stories = [asdict(story) for story in evaluation.stories]
        about = {"model": str(loaded.path), "seconds": evaluation.seconds, "page": str(page)}
        print_json_line({"measures": [asdict(measure) for measure in evaluation.measures], "stories": stories} | about)
        return
    group = ""
    for measure in evaluation.measures:
        if measure.group != group:
            group = measure.group
            print(f"\n{group}")
        print(f"  {measure.name:56} {with_error(measure):>16}  of {measure.n}")
    print(f"\nThe stories with their scores: {page}")


def _judged(stories: "Sequence[Story]", url: str, name: str, answers_file: Path, bar: "Progress") -> "tuple[Measure, ...]":
    """The grades of a judge. Prints the expected cost first."""
    from tavu.evaluation import judge

    cases = judge.cases_of(stories, NUM_ANCHORS)
    print(f"Judge {name} at {url}: {judge.token_estimate(cases)}. Answers are saved in {answers_file}.", file=sys.stderr)
    task = bar.add_task("judging", total=len(cases))
    verdicts = judge.judge(url, name, cases, answers_file, lambda done: bar.update(task, completed=done))
    return tuple(judge.measures_of(verdicts))


def training_text(folder: Path, max_bytes: int) -> Iterator[bytes]:
    """About the first max_bytes of the training documents of a run; empty if its sources no longer exist."""
    from tavu.data.sources import SourceReport, read_documents
    from tavu.errors import TavuError
    from tavu.run_recipes import old_recipe

    report = SourceReport()
    try:
        recipe = old_recipe(folder)
        for source in recipe.data.sources:
            for document in read_documents(source, recipe.data, report):
                yield document
                if report.bytes > max_bytes:
                    return
    except TavuError:
        return


def _table(evaluation: "Evaluation") -> str:
    """The evaluation as a table of plain lines."""
    from tavu.data.split import FEW_VALID_BYTES

    result = evaluation.result
    error = f", standard error {result.standard_error:.4f}" if result.num_documents > 1 else ""
    documents = f"{result.num_documents:,} documents" if result.num_documents > 1 else "one document"
    lines = [
        f"{result.bits_per_byte:.4f} bits per byte{error}, over {result.num_bytes:,} bytes in {documents}. Lower is better.",
        *(["(This is too little text to compare models: give more.)"] if result.num_bytes < FEW_VALID_BYTES else []),
        "",
        "For comparison:",
        "  8.0000  a blind guess",
        *(f"  {bpb:.4f}  {order}-gram model of bytes" for order, bpb in evaluation.ngram_floors.items()),
        f"  {result.bits_per_byte:.4f}  this model",
        f"(The n-gram models were trained on {evaluation.floors_from}.)",
    ]
    for whole, means in (("patch", evaluation.by_place_in_patch), ("document", evaluation.by_place_in_document)):
        lines += ["", f"Mean bits per byte by position in the {whole}:"]
        lines += [f"  {place:>12}  {bits:.3f}  {'#' * min(64, round(8 * bits))}" for place, bits in means.items()]
    return "\n".join(lines)
