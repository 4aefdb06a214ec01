"""The pictures of a sweep's page, drawn by matplotlib as SVG: effects of a parameter, curves of all trials, and the frontier of two figures.

matplotlib's own state (pyplot) is never touched. Lengths are in points.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator, NullLocator

from tavu.planning.effects import Effect, frontier
from tavu.reports.curve import ACCENT, GRID, SOFT, TRAIN, WARM, svg
from tavu.reports.typeface import font

WIDTH, HEIGHT = 430, 280
LEFT, RIGHT, TOP, BOTTOM = 62, 14, 34, 50
FONT_POINTS = 13
WIDE = 880


@dataclass(frozen=True)
class Dot:
    x: float
    y: float
    label: str
    is_best: bool = False


def effect_picture(values: Sequence[str], effects: dict[int, Effect], dots: Sequence[Dot], title: str) -> Markup:
    """The mean of each value with its 95 % interval, cut where it is very wide, and a dot for each trial; the values at equal distances."""
    figure, axes = _axes(title)
    axes.set_xlim(-0.5, len(values) - 0.5)
    axes.set_xticks(range(len(values)), values)
    axes.plot([dot.x for dot in dots], [dot.y for dot in dots], "o", color=TRAIN, markersize=5, zorder=2)
    places = sorted(effects)
    means = [effects[place].mean for place in places]
    axes.plot(places, means, "o-", color=ACCENT, linewidth=2, markersize=7, zorder=4)
    ys = [*means, *(dot.y for dot in dots)]
    widest = max(ys) - min(ys) or math.inf
    margins = [min(margin, widest) if math.isfinite(margin := effects[place].margin) else 0.0 for place in places]
    lows, highs = ([mean + sign * margin for mean, margin in zip(means, margins, strict=True)] for sign in (-1, 1))
    axes.vlines(places, lows, highs, color=ACCENT, linewidth=2, zorder=3)
    _y_range(axes, [*lows, *highs, *ys])
    return svg(figure, title)


def frontier_picture(dots: Sequence[Dot], title: str, x_label: str, *, more_x_is_better: bool = False) -> Markup:
    """Bits per byte against a cost, each trial with its number; a line connects those that no other beats in both."""
    figure, axes = _axes(title)
    sign = -1 if more_x_is_better else 1
    best = frontier([(sign * dot.x, dot.y) for dot in dots])
    axes.step([dots[i].x for i in best], [dots[i].y for i in best], where="post" if sign > 0 else "pre", color=ACCENT, linewidth=1.5, zorder=2)
    for number, dot in enumerate(dots):
        axes.plot([dot.x], [dot.y], "o", color=ACCENT if number in best else TRAIN, markersize=7, zorder=3)
        axes.annotate(dot.label, (dot.x, dot.y), xytext=(0, 6), textcoords="offset points", ha="center", color=SOFT, fontproperties=font(FONT_POINTS))
    low, high = min(dot.x for dot in dots), max(dot.x for dot in dots)
    margin = (high - low) * 0.08 or abs(high) * 0.1 or 1.0
    axes.set_xlim(low - margin, high + margin)
    axes.xaxis.set_major_locator(MaxNLocator(4))
    _y_range(axes, [dot.y for dot in dots])
    axes.set_xlabel(x_label, fontproperties=font(FONT_POINTS), color=SOFT)
    return svg(figure, title)


def curves_picture(curves: Sequence[tuple[str, Sequence[tuple[float, float]], bool, bool]], title: str, x_label: str) -> Markup:
    """Curves of (x, bits per byte), each (name, points, is_best, was_pruned): the best in color, those that were stopped early dashed."""
    figure, axes = _axes(title, WIDE)
    for name, points, is_best, was_pruned in curves:
        color = ACCENT if is_best else WARM if was_pruned else TRAIN
        xs, ys = [x for x, _ in points], [y for _, y in points]
        axes.plot(xs, ys, color=color, linewidth=3 if is_best else 1.5, linestyle=(0, (3, 2)) if was_pruned else "-", zorder=4 if is_best else 2)
        axes.annotate(
            name,
            (xs[-1], ys[-1]),
            xytext=(5, -4),
            textcoords="offset points",
            color=color if is_best else SOFT,
            fontproperties=font(FONT_POINTS),
        )
    ends = [points[-1][1] for _, points, _, _ in curves]
    starts = [points[min(1, len(points) - 1)][1] for _, points, _, _ in curves]
    _y_range(axes, [*ends, *starts])
    axes.set_xlim(0, max(points[-1][0] for _, points, _, _ in curves) * 1.04)
    axes.xaxis.set_major_locator(MaxNLocator(6))
    axes.set_xlabel(x_label, fontproperties=font(FONT_POINTS), color=SOFT)
    return svg(figure, title)


def _axes(title: str, width: int = WIDTH) -> tuple[Figure, Axes]:
    figure = Figure(figsize=(width / 72, HEIGHT / 72), dpi=72)
    axes = figure.add_axes((LEFT / width, BOTTOM / HEIGHT, (width - LEFT - RIGHT) / width, (HEIGHT - TOP - BOTTOM) / HEIGHT))
    axes.set_facecolor("none")
    axes.set_title(title, fontproperties=font(FONT_POINTS), color=SOFT, loc="left", pad=12)
    axes.grid(visible=True, axis="y", color=GRID, linewidth=1)
    axes.set_axisbelow(True)
    axes.spines[["top", "right", "left"]].set_visible(False)
    axes.spines["bottom"].set(color=SOFT, linewidth=1)
    axes.tick_params(axis="y", length=0)
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_tick_params(color=SOFT, labelcolor=SOFT, labelsize=FONT_POINTS, labelfontfamily="DejaVu Sans")
    return figure, axes


def _y_range(axes: Axes, ys: Sequence[float]) -> None:
    finite = [y for y in ys if math.isfinite(y)]
    low, high = min(finite), max(finite)
    margin = (high - low) * 0.12 or abs(high) * 0.02 or 1.0
    axes.set_ylim(low - margin, high + margin)
    axes.yaxis.set_major_locator(MaxNLocator(5))
    axes.yaxis.set_minor_locator(NullLocator())
    axes.ticklabel_format(axis="y", useOffset=False, style="plain")
