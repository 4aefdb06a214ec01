"""Every page that tavu writes is a template in templates/, filled in here: one file that loads nothing and runs nothing, light and dark."""

from functools import cache
from importlib.resources import files
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from tavu.reports.wording import bpb, duration, scaled, showable


def render(template: str, values: dict[str, Any]) -> str:
    """The page made from a template of the folder templates/. All but Markup is escaped, with control characters shown as pictures."""
    return _environment().get_template(template).render(values)


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("tavu.reports"),
        autoescape=True,
        finalize=lambda value: value if isinstance(value, Markup) else showable(str(value)),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(duration=duration, scaled=scaled, bpb=bpb)
    environment.globals["style"] = Markup(files("tavu.reports").joinpath("report.css").read_text(encoding="utf-8"))
    return environment
