"""The curve of the page: one small inline SVG, drawn by hand so that it stays crisp and follows light and dark.

Coordinates are in units of the viewBox; colours and the sizes of the words belong to report.css.
"""

import html

from tavu.reports.axes import Against, Axis, bpb_axis, error_bar, progress_axis, train_curve
from tavu.reports.run_folder import RunRecord, ValidPoint
from tavu.reports.wording import UNIFORM_BPB, bpb, duration, scaled, showable

WIDTH, HEIGHT = 860, 400
LEFT, RIGHT, TOP, BOTTOM = 66, 18, 18, 58
MAX_DOTS = 120
"""More validations than this make a line without gaps: only some of them keep a dot."""


def curve_svg(record: RunRecord, against: Against) -> str:
    """An `<svg>` of train and validation bits per byte against seconds or bytes seen."""
    across, up = progress_axis(record, against), bpb_axis(record)
    texts = _first_texts(record)
    every = len(record.curve) // MAX_DOTS + 1
    label = f"Validation bits per byte against {across.title}. {_told(record)}"
    parts = [
        _grid(across, up),
        _notes(record, against, across),
        _line("train", [(_x(across, far), _y(up, value)) for far, value in train_curve(record, against)]),
        _line("valid", [(_x(across, getattr(point, against)), _y(up, point.val_bpb)) for point in record.curve]),
        *(
            _point(point, against, across, up, linked=texts.get(point.step))
            for index, point in enumerate(record.curve)
            if index % every == 0 or point.step in texts
        ),
    ]
    return f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="group" aria-label="{html.escape(label)}">' + "".join(parts) + "</svg>"


def milestone_id(prompt_number: int, step: int) -> str:
    """The name of the card that a point of the curve leads to."""
    return f"text-{prompt_number}-{step}"


def _told(record: RunRecord) -> str:
    points = record.curve
    if not points:
        return "Nothing measured yet."
    told = [f"{bpb(point.val_bpb)} after {duration(point.seconds)}" for point in dict.fromkeys((points[0], points[-1]))]
    return "It reads " + ", then ".join(told) + "."


def _x(axis: Axis, value: float) -> float:
    return LEFT + axis.place(value) * (WIDTH - LEFT - RIGHT)


def _y(axis: Axis, value: float) -> float:
    return HEIGHT - BOTTOM - axis.place(value) * (HEIGHT - TOP - BOTTOM)


def _grid(across: Axis, up: Axis) -> str:
    floor = HEIGHT - BOTTOM
    parts = []
    for value, words in up.ticks:
        y = _y(up, value)
        parts.append(
            f'<line class="grid" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y:.1f}" y2="{y:.1f}"/>'
            f'<text class="tick" x="{LEFT - 10}" y="{y:.1f}" dy=".35em" text-anchor="end">{words}</text>'
        )
    for value, words in across.ticks:
        x = _x(across, value)
        parts.append(
            f'<line class="axis" x1="{x:.1f}" x2="{x:.1f}" y1="{floor}" y2="{floor + 5}"/>'
            f'<text class="tick" x="{x:.1f}" y="{floor + 10}" dy=".8em" text-anchor="middle">{words}</text>'
        )
    if up.low < UNIFORM_BPB < up.high:
        y = _y(up, UNIFORM_BPB)
        parts.append(
            f'<line class="uniform" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y:.1f}" y2="{y:.1f}"/>'
            f'<text class="tick" x="{WIDTH - RIGHT}" y="{y:.1f}" dy="1.1em" text-anchor="end">blind guess</text>'
        )
    parts.append(
        f'<line class="axis" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{floor}" y2="{floor}"/>'
        f'<text class="title" x="{(LEFT + WIDTH - RIGHT) / 2}" y="{floor + 10}" dy="2.3em" '
        f'text-anchor="middle">{across.title}</text>'
    )
    return f'<g aria-hidden="true">{"".join(parts)}</g>'


def _notes(record: RunRecord, against: Against, across: Axis) -> str:
    """A dashed line where something was noted. A note knows its seconds; its bytes are those of the nearest step."""
    measured = [*record.train, *record.curve]
    parts = []
    for note in record.notes:
        far = note.seconds
        if against == "bytes_seen":
            far = min(measured, key=lambda point: abs(point.step - note.step)).bytes_seen if measured else 0
        x = _x(across, far)
        parts.append(
            f'<line class="note" x1="{x:.1f}" x2="{x:.1f}" y1="{TOP}" y2="{HEIGHT - BOTTOM}">'
            f"<title>{html.escape(duration(note.seconds))}: {html.escape(showable(note.text))}</title></line>"
        )
    return "".join(parts)


def _line(kind: str, points: list[tuple[float, float]]) -> str:
    if len(points) < 2:
        return ""
    return f'<polyline class="{kind}" points="{" ".join(f"{x:.1f},{y:.1f}" for x, y in points)}"/>'


def _point(point: ValidPoint, against: Against, across: Axis, up: Axis, *, linked: str | None) -> str:
    """A validation with its error bar and what it says under the mouse; one with a text leads to it."""
    x, y = _x(across, getattr(point, against)), _y(up, point.val_bpb)
    bottom, top = (_y(up, bound) for bound in error_bar(point.val_bpb, point.standard_error))
    words = (
        f"{bpb(point.val_bpb, point.standard_error)} bits per byte after {duration(point.seconds)}, "
        f"{scaled(point.bytes_seen, 'B')} read, step {point.step:,}"
    )
    dot = (
        f"<title>{words}{' (to its text)' if linked else ''}</title>"
        f'<line class="error" x1="{x:.1f}" x2="{x:.1f}" y1="{top:.1f}" y2="{bottom:.1f}"/>'
        f'<circle class="hit" cx="{x:.1f}" cy="{y:.1f}" r="14"/>'
        f'<circle class="{"milestone" if linked else "dot"}" cx="{x:.1f}" cy="{y:.1f}" r="{6 if linked else 3}"/>'
    )
    return f'<a href="#{linked}">{dot}</a>' if linked else f"<g>{dot}</g>"


def _first_texts(record: RunRecord) -> dict[int, str]:
    """For each step with a text, the card of its first prompt."""
    return {
        sample.step: milestone_id(number, sample.step)
        for number, prompt in reversed([*enumerate(record.prompts, start=1)])
        for sample in record.samples_of(prompt)
    }
