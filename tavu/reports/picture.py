"""progress.png, a picture to share: the curve, and below it what the model wrote from the same prompt at four points of it.

Lengths are in pixels of the picture, from its top left corner; matplotlib's own state (pyplot) is never touched.
"""

import io
import math
import re
from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.text import Text

from tavu.files import replace_file
from tavu.reports.curve import ACCENT, PAPER, SOFT, draw_curve, unit_of
from tavu.reports.run_folder import RunRecord, Sample
from tavu.reports.typeface import DPI, drawable, font, length
from tavu.reports.wording import WAITING, bpb, duration, scaled, showable

WIDTH, HEIGHT = 1600, 900
MARGIN = 64
CURVE_TOP, CURVE_BOTTOM = 150, 392
TEXT_TOP, LINE_HEIGHT, NUM_LINES = 580, 28, 11
COLUMN_GAP = 44
TEXT_POINTS = 14.0
INK = "#1d2226"

Run = tuple[str, bool]
"""A stretch of text and whether it is bold."""


def write_progress_png(record: RunRecord, path: Path) -> None:
    """Write the picture of the run so far, WIDTH by HEIGHT pixels, whole or not at all."""
    figure = Figure(figsize=(WIDTH / DPI, HEIGHT / DPI), dpi=DPI, facecolor=PAPER)
    FigureCanvasAgg(figure)
    milestones = _chosen(record)
    _headline(figure, record)
    _curve(figure, record, milestones)
    _texts(figure, milestones)
    png = io.BytesIO()
    figure.savefig(png, format="png", facecolor=PAPER)
    replace_file(path, png.getvalue())


def _chosen(record: RunRecord) -> list[Sample]:
    """The first milestone, two between and the last, of the prompt that has most of them; an empty prompt only if it has more."""
    if not record.prompts:
        return []
    samples = max((record.samples_of(prompt) for prompt in record.prompts), key=lambda samples: (len(samples), bool(samples[0].prompt)))
    last = len(samples) - 1
    return [samples[index] for index in sorted({0, round(last / 3), round(last * 2 / 3), last})]


def _headline(figure: Figure, record: RunRecord) -> None:
    result = record.result
    score = bpb(result.val_bpb) if result else "…"
    so_far = "" if record.outcome else "so far: "
    size = record.environment.get("num_parameters")
    facts = [f"{scaled(size)} parameters"] if isinstance(size, int | float) else []
    facts += [f"{duration(record.latest.seconds)} of training", f"{scaled(record.latest.bytes_seen, 'B')} read"]
    name = record.name if len(record.name) <= 50 else f"{record.name[:49]}…"
    _write(figure, MARGIN, 78, showable(name), 25, is_bold=True)
    _write(figure, MARGIN, 114, so_far + ", ".join(facts), 14, color=SOFT)
    _write(figure, WIDTH - MARGIN, 78, score, 27, color=ACCENT, is_bold=True, ha="right")
    _write(figure, WIDTH - MARGIN, 114, "bits per byte of unseen text; a blind guess costs 8", 14, color=SOFT, ha="right")


def _curve(figure: Figure, record: RunRecord, milestones: list[Sample]) -> None:
    """The curve across the picture, with the number of each text that stands below it."""
    left = MARGIN + 44
    axes = figure.add_axes((_x(left), _y(CURVE_BOTTOM), _x(WIDTH - MARGIN - left), (CURVE_BOTTOM - CURVE_TOP) / HEIGHT))
    draw_curve(axes, record, "seconds")
    size, _ = unit_of(record, "seconds")
    for number, sample in enumerate(milestones, start=1):
        if math.isfinite(sample.seconds) and math.isfinite(sample.val_bpb) and sample.val_bpb > 0:
            x = sample.seconds / size
            _badge(axes, number, (x, sample.val_bpb), offset=(14, 14) if x < 0.97 * axes.get_xlim()[1] else (0, 18))


def _badge(axes: Axes, number: int, place: tuple[float, float], offset: tuple[float, float]) -> None:
    """The number that connects a point of the curve with its text."""
    axes.annotate(
        str(number),
        place,
        xytext=offset,
        textcoords="offset points",
        ha="center",
        va="center_baseline",
        color=PAPER,
        zorder=5,
        fontproperties=font(12, is_bold=True),
        bbox={"boxstyle": "circle,pad=0.25", "facecolor": ACCENT, "edgecolor": PAPER, "linewidth": 1.5},
    )


def _texts(figure: Figure, milestones: list[Sample]) -> None:
    """One column for each milestone: its number, its time, its bits per byte, and what the model wrote."""
    if not milestones:
        _write(figure, MARGIN, 520, WAITING, 16, color=SOFT)
        return
    num_columns = max(len(milestones), 2)
    width = (WIDTH - 2 * MARGIN - COLUMN_GAP * (num_columns - 1)) / num_columns
    board = figure.add_axes((0, 0, 1, 1), facecolor="none", zorder=2)
    board.set(xlim=(0, WIDTH), ylim=(HEIGHT, 0))
    board.set_axis_off()
    for number, sample in enumerate(milestones, start=1):
        left = MARGIN + (number - 1) * (width + COLUMN_GAP)
        _badge(board, number, (left + 13, 496), offset=(0, 0))
        _write(figure, left + 36, 503, f"after {duration(sample.seconds)}", 16, is_bold=True)
        if math.isfinite(sample.val_bpb):
            _write(figure, left + 36, 532, f"{bpb(sample.val_bpb)} bits per byte", 13, color=SOFT)
        for index, line in enumerate(_wrapped([(sample.prompt, True), (sample.text.rstrip(), False)], width, NUM_LINES)):
            _write_line(figure, left, TEXT_TOP + index * LINE_HEIGHT, line)


def _wrapped(runs: list[Run], width: float, num_lines: int) -> list[list[Run]]:
    """The runs as at most `num_lines` lines no wider than `width`; the last ends in "…" where more was to come."""
    lines: list[list[Run]] = [[]]
    used = 0.0
    for text, is_bold in runs:
        for piece in _pieces(text, width):
            wide = _wide((piece, is_bold))
            if piece == "\n" or (used + wide > width and not piece.isspace()):
                lines.append([])
                used = 0.0
            if piece != "\n" and not (piece.isspace() and not lines[-1]):
                lines[-1].append((piece, is_bold))
                used += wide
        if len(lines) > num_lines:
            break
    if len(lines) > num_lines:
        lines = lines[:num_lines]
        kept = lines[-1] or [("", False)]
        while len(kept) > 1 and sum(map(_wide, kept)) > width - 18:
            kept.pop()
        lines[-1] = [*kept, ("…", False)]
    return [_joined(line) for line in lines]


def _pieces(text: str, width: float) -> list[str]:
    """Words, the spaces between them and line breaks; what is too wide for a line in parts. Blank lines close up."""
    text = re.sub(r"\n\s*\n", "\n", showable(text).replace("\t", " "))
    pieces: list[str] = []
    for word in re.findall(r"\n|[^\S\n]+|\S+", text):
        while _wide((word, True)) > width and len(word) > 1:
            fits = max(int(len(word) * width / _wide((word, True))) - 1, 1)
            pieces.append(word[:fits])
            word = word[fits:]
        pieces.append(word)
    return pieces


def _wide(run: Run) -> float:
    words, is_bold = run
    return length(words, TEXT_POINTS, is_bold=is_bold, is_serif=True)


def _joined(line: list[Run]) -> list[Run]:
    """The line with neighboring runs of one weight joined, so that they are drawn at once."""
    whole: list[Run] = []
    for words, is_bold in line:
        if whole and whole[-1][1] == is_bold:
            whole[-1] = (whole[-1][0] + words, is_bold)
        else:
            whole.append((words, is_bold))
    return whole


def _write_line(figure: Figure, x: float, y: float, line: list[Run]) -> None:
    for words, is_bold in line:
        drawn = _write(figure, x, y, words, TEXT_POINTS, is_bold=is_bold, is_serif=True)
        if len(line) > 1:  # as drawn, for kerning and hinting make it narrower than the sum of its letters
            x += drawn.get_window_extent().width + _wide((words[len(words.rstrip()) :], is_bold))


def _write(
    figure: Figure,
    x: float,
    y: float,
    words: str,
    points: float,
    *,
    color: str = INK,
    is_bold: bool = False,
    is_serif: bool = False,
    ha: str = "left",
) -> Text:
    return figure.text(
        _x(x),
        _y(y),
        drawable(words, is_bold=is_bold, is_serif=is_serif),
        color=color,
        ha=ha,
        va="baseline",
        parse_math=False,
        fontproperties=font(points, is_bold=is_bold, is_serif=is_serif),
    )


def _x(pixels: float) -> float:
    return pixels / WIDTH


def _y(pixels: float) -> float:
    return 1 - pixels / HEIGHT
