"""The curve of a run, bits per byte against time or against bytes read: drawn by matplotlib, in progress.png and on the page.

matplotlib's own state (pyplot) is never touched. Lengths are in points.
"""

import io
import math
import re
from dataclasses import dataclass
from typing import Literal
from xml.etree import ElementTree

import matplotlib
from markupsafe import Markup
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator, NullLocator

from tavu.reports.run_folder import Note, RunRecord, ValidPoint
from tavu.reports.typeface import font
from tavu.reports.wording import UNIFORM_BPB, bpb, duration, scaled

Against = Literal["seconds", "bytes_seen"]

PAPER, SOFT, GRID, ACCENT, WARM, TRAIN = "#fbfaf7", "#5b6570", "#e5e1d8", "#0b6b75", "#b0481b", "#a9b3ba"
_VARIABLES = {PAPER: "--paper", SOFT: "--soft", GRID: "--grid", ACCENT: "--accent", WARM: "--warm", TRAIN: "--train"}
"""What report.css calls each color: on the page they follow light and dark."""
WIDTH, HEIGHT = 860, 400
LEFT, RIGHT, TOP, BOTTOM = 66, 18, 18, 70
FONT_POINTS = 13.5
MAX_DOTS = 120
"""With more validations than this, only some of them are marked by a dot."""
LOWEST, HIGHEST = 0.01, 100.0
"""Bits per byte. Values beyond, as of a training that diverges, are drawn at this border."""
_UNITS: dict[Against, tuple[tuple[float, str], ...]] = {
    "seconds": ((1, "seconds of training"), (60, "minutes of training"), (3600, "hours of training")),
    "bytes_seen": ((1, "bytes read"), (1e3, "kB read"), (1e6, "MB read"), (1e9, "GB read"), (1e12, "TB read")),
}


@dataclass(frozen=True)
class Spot:
    """A place of the curve to point at, x and y from the top left corner, and the id of the text that a click leads to."""

    x: float
    y: float
    tooltip: str
    link: str | None = None


@dataclass(frozen=True)
class Curve:
    """The curve as the page shows it: a drawing, and what can be pointed at."""

    title: str
    drawing: Markup
    """The elements within an `<svg>`."""
    points: tuple[Spot, ...]
    notes: tuple[Spot, ...]


def curve_of(record: RunRecord, against: Against) -> Curve:
    """The curve for the page, WIDTH by HEIGHT."""
    figure = Figure(figsize=(WIDTH / 72, HEIGHT / 72), dpi=72)
    axes = figure.add_axes((LEFT / WIDTH, BOTTOM / HEIGHT, (WIDTH - LEFT - RIGHT) / WIDTH, (HEIGHT - TOP - BOTTOM) / HEIGHT))
    draw_curve(axes, record, against)
    axes.xaxis.labelpad = 20  # its letters grow on a phone
    size, title = unit_of(record, against)

    def spot(value: float, bits: float, tooltip: str, link: str | None = None) -> Spot:
        x, y = axes.transData.transform((value / size, _within(bits)))
        return Spot(round(float(x), 1), round(HEIGHT - float(y), 1), tooltip, link)

    texts = _first_texts(record)
    return Curve(
        title=f"Validation bits per byte against {title}. {_summary(record)}",
        drawing=svg(figure, against),
        points=tuple(spot(getattr(point, against), point.val_bpb, _tooltip(point), texts.get(point.step)) for point in _marked(record, against)),
        notes=tuple(spot(far, UNIFORM_BPB, f"{duration(note.seconds)}: {note.text}") for note, far in _notes(record, against)),
    )


def draw_curve(axes: Axes, record: RunRecord, against: Against) -> None:
    """Draw train and validation bits per byte; a ring marks each validation at which the model wrote a text."""
    size, title = unit_of(record, against)
    low, high = _bpb_range(record)
    _draw_axes(axes, _reached(record, against) / size, title, low, high)
    train = _train_curve(record, against)
    axes.plot([far / size for far, _ in train], [value for _, value in train], color=TRAIN, linewidth=1.5, zorder=2)
    points, marked = _points(record, against), _marked(record, against)
    axes.plot(*_places(points, against, size), color=ACCENT, linewidth=2.5, zorder=3, clip_on=False)
    far, values = _places(marked, against, size)
    bars = [_error_bar(point) for point in marked]
    axes.vlines(far, [bottom for bottom, _ in bars], [top for _, top in bars], color=ACCENT, linewidth=1.5, zorder=3, clip_on=False)
    axes.plot(far, values, "o", color=ACCENT, markersize=5, zorder=3, clip_on=False)
    steps = {sample.step for sample in record.samples}
    axes.plot(
        *_places([point for point in marked if point.step in steps], against, size),
        "o",
        markersize=11,
        markerfacecolor=PAPER,
        markeredgecolor=ACCENT,
        markeredgewidth=2.5,
        zorder=4,
        clip_on=False,
    )


def _draw_axes(axes: Axes, right: float, title: str, low: float, high: float) -> None:
    """Bits per byte are logarithmic, so that an equal share of bits saved is an equal way down, early or late."""
    axes.set(xlim=(0, right), yscale="log", ylim=(low, high), facecolor="none")
    axes.xaxis.set_major_locator(MaxNLocator(6, steps=[1, 2, 5, 10]))
    if high / low < 2.2:
        axes.yaxis.set_major_locator(MaxNLocator(6, steps=[1, 2, 5, 10]))
    else:
        ticks = [digit * 10.0**power for power in range(-2, 3) for digit in (1, 1.5, 2, 3, 4, 6, 8)]
        axes.set_yticks([tick for tick in ticks if low <= tick <= high])
    axes.yaxis.set_minor_locator(NullLocator())
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_formatter("{x:g}")
        axis.set_tick_params(color=SOFT, pad=7, labelcolor=SOFT, labelsize=FONT_POINTS, labelfontfamily="DejaVu Sans")
    axes.tick_params(axis="y", length=0, pad=9)
    axes.set_xlabel(title, fontproperties=font(FONT_POINTS), color=SOFT, labelpad=13)
    axes.grid(visible=True, axis="y", color=GRID, linewidth=1)
    axes.set_axisbelow(True)
    axes.spines[["top", "right", "left"]].set_visible(False)
    axes.spines["bottom"].set(color=SOFT, linewidth=1)
    if low < UNIFORM_BPB < high:
        axes.axhline(UNIFORM_BPB, color=WARM, linewidth=1.5, linestyle=(0, (1, 3)), zorder=1)
        axes.annotate(
            "blind guess",
            (1, UNIFORM_BPB),
            xycoords=axes.get_yaxis_transform(),
            xytext=(0, -7),
            textcoords="offset points",
            ha="right",
            va="top",
            color=SOFT,
            fontproperties=font(FONT_POINTS),
        )


def milestone_id(prompt_number: int, step: int) -> str:
    """The name of the card that a point of the curve leads to."""
    return f"text-{prompt_number}-{step}"


def svg(figure: Figure, salt: str) -> Markup:
    """The figure as elements to put into an `<svg>` of a page, in the page's own colors and letters; the salt keeps the ids of two figures apart."""
    written = io.StringIO()
    with matplotlib.rc_context({"svg.fonttype": "none", "svg.hashsalt": salt}):
        figure.savefig(written, format="svg", transparent=True, metadata=dict.fromkeys(("Creator", "Date", "Format", "Type")))
    root = ElementTree.fromstring(written.getvalue())
    root.remove(root[0])  # a style sheet, which would hold for the whole page
    for marker in root.iterfind(".//{*}defs/{*}path"):
        del marker.attrib["style"]  # each place where it is used has the same
    for element in root.iter():
        element.tag = element.tag.rpartition("}")[2]  # HTML knows no namespaces
        element.attrib = {name.rpartition("}")[2]: value for name, value in element.attrib.items()}
        element.tail = None
        element.text = element.text.strip() if element.text else None
        if element.tag == "g":
            element.attrib.pop("id", None)  # nothing refers to it, and another figure has it too
        if element.tag == "text":
            anchor = re.search(r"text-anchor: (\w+)", element.get("style", ""))
            element.attrib = {"x": element.get("x", ""), "y": element.get("y", ""), "text-anchor": anchor[1] if anchor else "start"}
        if "d" in element.attrib:
            element.set("d", re.sub(r"\s+", " ", re.sub(r"(\.\d\d)\d+", r"\1", element.get("d", ""))).strip())
    drawing = "".join(ElementTree.tostring(element, encoding="unicode") for element in root)
    for color, variable in _VARIABLES.items():
        drawing = drawing.replace(color, f"var({variable})")
    return Markup(drawing)


def unit_of(record: RunRecord, against: Against) -> tuple[float, str]:
    """The largest unit of which the run has come through two or more: its size and its name."""
    return max((unit for unit in _UNITS[against] if unit[0] * 2 <= _reached(record, against)), default=_UNITS[against][0])


def _reached(record: RunRecord, against: Against) -> float:
    """How far the run has come, in seconds or bytes."""
    reached = [getattr(point, against) for point in (*record.train[-1:], *record.curve[-1:])]
    return max([value for value in reached if math.isfinite(value)], default=1) or 1


def _points(record: RunRecord, against: Against) -> list[ValidPoint]:
    """The validations that have a place on the curve."""
    return [point for point in record.curve if math.isfinite(getattr(point, against))]


def _marked(record: RunRecord, against: Against) -> list[ValidPoint]:
    """The validations that get a dot: those with a text, and of the others no more than about MAX_DOTS."""
    points, steps = _points(record, against), {sample.step for sample in record.samples}
    every = len(points) // MAX_DOTS + 1
    return [point for index, point in enumerate(points) if index % every == 0 or point.step in steps]


def _places(points: list[ValidPoint], against: Against, size: float) -> tuple[list[float], list[float]]:
    return [getattr(point, against) / size for point in points], [_within(point.val_bpb) for point in points]


def _train_curve(record: RunRecord, against: Against, at_most: int = 400) -> list[tuple[float, float]]:
    """(how far, train bits per byte): the numbers among the points, neighbors averaged until `at_most` are left."""
    pairs = [(getattr(point, against), point.train_bpb) for point in record.train]
    pairs = [pair for pair in pairs if math.isfinite(pair[0]) and math.isfinite(pair[1])]
    size = math.ceil(len(pairs) / at_most) or 1
    groups = [pairs[start : start + size] for start in range(0, len(pairs), size)]
    return [(sum(x for x, _ in group) / len(group), sum(y for _, y in group) / len(group)) for group in groups]


def _bpb_range(record: RunRecord) -> tuple[float, float]:
    """From a little below the lowest value to a little above the highest."""
    values = [bound for point in record.curve for bound in _error_bar(point)]
    values += [min(point.train_bpb, 8.5) for point in record.train if point.train_bpb > LOWEST]  # NaN fails the test too
    if max(values, default=UNIFORM_BPB) > UNIFORM_BPB / 2:  # a training from nothing: show where nothing is
        values.append(UNIFORM_BPB)
    low, high = min(values), max(values)
    if high / low < 1.1:
        low, high = low * 0.95, high * 1.05
    return low / (high / low) ** 0.05, high * (high / low) ** 0.05


def _error_bar(point: ValidPoint) -> tuple[float, float]:
    """One standard error down and up; the value itself where the error is unknown."""
    reach = point.standard_error if math.isfinite(point.standard_error) else 0.0
    return _within(point.val_bpb - reach), _within(point.val_bpb + reach)


def _within(bits: float) -> float:
    return min(max(bits, LOWEST), HIGHEST)


def _notes(record: RunRecord, against: Against) -> list[tuple[Note, float]]:
    """Each note and how far the run had come. A note knows its seconds; its bytes are those of the nearest step."""
    measured = [*record.train, *record.curve]
    if against == "seconds":
        places = [note.seconds for note in record.notes]
    else:
        places = [min(measured, key=lambda point: abs(point.step - note.step)).bytes_seen if measured else 0 for note in record.notes]
    reached = _reached(record, against)
    return [(note, min(place, reached)) for note, place in zip(record.notes, places, strict=True)]


def _first_texts(record: RunRecord) -> dict[int, str]:
    """For each step with a text, the id of its card under the first prompt that has one."""
    return {
        sample.step: milestone_id(number, sample.step)
        for number, prompt in reversed([*enumerate(record.prompts, start=1)])
        for sample in record.samples_of(prompt)
    }


def _tooltip(point: ValidPoint) -> str:
    return (
        f"{bpb(point.val_bpb, point.standard_error)} bits per byte after {duration(point.seconds)}, "
        f"{scaled(point.bytes_seen, 'B')} read, step {point.step:,}"
    )


def _summary(record: RunRecord) -> str:
    points = record.curve
    if not points:
        return "Nothing measured yet."
    first, last = (f"{bpb(point.val_bpb)} after {duration(point.seconds)}" for point in (points[0], points[-1]))
    return f"{first}, {last}." if first != last else f"{last}."
