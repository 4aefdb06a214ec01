"""The page of a story evaluation: every figure with its error, and every story beside what is told of it."""

import html
import math
from pathlib import Path

from tavu.evaluation.choices import Chosen
from tavu.evaluation.stories import Measure, Story, StoryEvaluation
from tavu.files import replace_file
from tavu.reports.page import page
from tavu.reports.wording import duration, showable

BETTER = {"more": "more is better", "less": "less is better", "": ""}


def write_stories_page(evaluation: StoryEvaluation, model: str, path: Path) -> None:
    """Write the page, whole or not at all. Raises TavuError when it cannot be written."""
    replace_file(path, stories_page(evaluation, model).encode())


def stories_page(evaluation: StoryEvaluation, model: str) -> str:
    """The whole page as HTML."""
    header = (
        f'<p class="kind">tavu evaluate --stories</p><h1>{html.escape(showable(model))}</h1>'
        f'<p class="state done">{len(evaluation.stories)} stories, {len(evaluation.choices)} choices, measured in {duration(evaluation.seconds)}</p>'
    )
    groups = dict.fromkeys(measure.group for measure in evaluation.measures)
    tables = "".join(_table(group, [measure for measure in evaluation.measures if measure.group == group]) for group in groups)
    stories = "".join(_story(number, story) for number, story in enumerate(evaluation.stories, 1))
    choices = "".join(map(_choice, [one for one in evaluation.choices if not one.is_right]))
    return page(
        f"{showable(model)}: stories",
        header,
        f'<section id="figures"><h2>The figures</h2>{tables}</section><section id="stories"><h2>The stories</h2>{stories}</section>'
        f'<section id="choices"><h2>Endings that it chose wrongly</h2><ul>{choices}</ul></section>',
    )


def told(measure: Measure) -> str:
    """A figure with its standard error, in the digits that it deserves.

    >>> told(Measure("", "", 0.1234, 0.02, 9)), told(Measure("", "", 153.2, 7.0, 9)), told(Measure("", "", 0.5, math.nan, 1))
    ('0.123 ± 0.020', '153 ± 7', '0.500')
    """
    digits = 0 if abs(measure.value) >= 20 else 3
    error = f" ± {measure.standard_error:.{digits}f}" if math.isfinite(measure.standard_error) else ""
    return f"{measure.value:.{digits}f}{error}"


def _table(group: str, measures: list[Measure]) -> str:
    rows = "".join(f"<tr><th scope=row>{html.escape(m.name)}</th><td>{told(m)}</td><td>{m.n}</td><td>{BETTER[m.better]}</td></tr>" for m in measures)
    return f'<h3>{html.escape(group)}</h3><table class="measures"><thead><tr><th></th><th>mean</th><th>of</th><th></th></tr></thead>{rows}</table>'


def _story(number: int, story: Story) -> str:
    scores = "".join(f"<div><dt>{html.escape(name)}</dt><dd>{value:.3g}</dd></div>" for name, value in story.scores.items())
    asked = f'<p class="asked">{html.escape(showable(story.request.prompt()))}</p>' if story.request else ""
    obeyed = ""
    if story.obeyed:
        checks = [*story.obeyed.words.items(), *story.obeyed.features.items()]
        checks += [("the sentence", story.obeyed.sentence)] if story.obeyed.sentence is not None else []
        obeyed = '<p class="checks">' + " ".join(f"{'✓' if ok else '✗'} {html.escape(name)}" for name, ok in checks) + "</p>"
    return (
        f'<article class="written"><h3>{number}</h3>{asked}<p class="text"><span class="given">{html.escape(showable(story.beginning))}</span>'
        f'{html.escape(showable(story.written))}</p><p class="waiting">stopped by {html.escape(story.stopped)}</p>{obeyed}'
        f'<dl class="figures small">{scores}</dl></article>'
    )


def _choice(one: Chosen) -> str:
    beginning = one.choice.beginning[-200:]
    return (
        f"<li><b>{html.escape(one.choice.kind)}</b> …{html.escape(showable(beginning))}<ins>{html.escape(one.choice.right)}</ins> "
        f"<del>{html.escape(one.choice.wrong)}</del></li>"
    )
