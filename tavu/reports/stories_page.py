"""The page of a story evaluation: every figure with its error, and every story with its own figures."""

import math
from pathlib import Path

from tavu.evaluation.obedience import Obedience
from tavu.evaluation.stories import Measure, StoryEvaluation
from tavu.files import replace_file
from tavu.reports.page import render

BETTER = {"more": "more is better", "less": "less is better", "": ""}


def write_stories_page(evaluation: StoryEvaluation, model: str, path: Path) -> None:
    """Write the page, whole or not at all. Raises TavuError when it cannot be written."""
    replace_file(path, stories_page(evaluation, model).encode())


def stories_page(evaluation: StoryEvaluation, model: str) -> str:
    """The whole page as HTML."""
    groups: dict[str, list[Measure]] = {}
    for measure in evaluation.measures:
        groups.setdefault(measure.group, []).append(measure)
    return render(
        "stories.html",
        {
            "model": model,
            "groups": groups,
            "stories": evaluation.stories,
            "num_choices": len(evaluation.choices),
            "wrong_choices": [one.choice for one in evaluation.choices if not one.is_right],
            "seconds": evaluation.seconds,
            "with_error": with_error,
            "checks": _checks,
            "better": BETTER,
        },
    )


def with_error(measure: Measure) -> str:
    """A figure with its standard error, in the digits that it deserves.

    >>> with_error(Measure("", "", 0.1234, 0.02, 9)), with_error(Measure("", "", 153.2, 7.0, 9)), with_error(Measure("", "", 0.5, math.nan, 1))
    ('0.123 ± 0.020', '153 ± 7', '0.500')
    """
    digits = 0 if abs(measure.value) >= 20 else 3
    error = f" ± {measure.standard_error:.{digits}f}" if math.isfinite(measure.standard_error) else ""
    return f"{measure.value:.{digits}f}{error}"


def _checks(obeyed: Obedience) -> list[tuple[str, bool]]:
    """Each thing that a request asked for, and whether the story has it."""
    sentence = [("the sentence", obeyed.sentence)] if obeyed.sentence is not None else []
    return [*obeyed.words.items(), *obeyed.features.items(), *sentence]
