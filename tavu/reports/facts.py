"""What the run was made of, for the foot of the page: model, data, machine, speeds, recipe, every measurement."""

import html
import math
from pathlib import Path
from typing import Any, TypeGuard

from tavu.data.split import FEW_VALID_BYTES
from tavu.reports.run_folder import RunRecord
from tavu.reports.wording import bpb, duration, scaled, showable


def key_figures(record: RunRecord) -> str:
    """The few figures worth a large print, as a `<dl>`."""
    size = record.environment.get("num_parameters")
    figures = [
        ("trained", duration(record.latest.seconds)),
        ("read", scaled(record.latest.bytes_seen, "B")),
        ("speed", scaled(speed, "B/s") if (speed := _speed(record)) else None),
        ("parameters", scaled(size) if _is_number(size) else None),
    ]
    return f'<dl class="figures">{_pairs(figures)}</dl>'


def facts(record: RunRecord) -> str:
    """The section "How it was made"."""
    machine = record.environment
    panels = [
        _panel("Model", _model_facts(machine)),
        _panel("Data", _data_facts(record)),
        _panel("Run", _run_facts(record)),
        _panel("Machine", _machine_facts(machine)),
    ]
    return (
        f'<section id="made"><h2>How it was made</h2><div class="panels">{"".join(panels)}{_probe(machine)}</div>'
        f"{_command(machine)}{_recipe(record.recipe)}{_measurements(record)}</section>"
    )


def _model_facts(machine: dict[str, Any]) -> list[tuple[str, Any]]:
    flops = machine.get("flops_per_byte")
    return [
        ("parameters", machine.get("num_parameters")),
        ("work per byte", scaled(flops, "FLOP") if _is_number(flops) else flops),
        ("tavu", machine.get("tavu")),
    ]


def _data_facts(record: RunRecord) -> list[tuple[str, Any]]:
    machine = record.environment
    size = machine.get("train_bytes")
    passes = record.latest.bytes_seen / size if _is_number(size) and size > 0 else None
    return [
        ("to train on", _corpus(machine, "train")),
        ("to validate on", _corpus(machine, "valid")),
        ("read through", f"{passes:.2f} times" if passes is not None else None),
    ]


def _corpus(machine: dict[str, Any], part: str) -> str | None:
    size, documents = machine.get(f"{part}_bytes"), machine.get(f"{part}_documents")
    if not _is_number(size):
        return None
    few = ", too few to trust" if part == "valid" and size < FEW_VALID_BYTES else ""
    return scaled(size, "B") + (f" in {documents:,} documents" if _is_number(documents) else "") + few


def _run_facts(record: RunRecord) -> list[tuple[str, Any]]:
    memory = record.outcome.peak_memory_mb if record.outcome else math.nan
    return [
        ("steps", record.latest.step),
        ("time", duration(record.latest.seconds)),
        ("speed", scaled(speed, "B/s") if (speed := _speed(record)) else None),
        ("peak memory", scaled(memory * 1e6, "B") if math.isfinite(memory) else None),
    ]


def _speed(record: RunRecord) -> float | None:
    """Bytes per second of the whole run where it is over, of the last line where it is not."""
    told = record.outcome or (record.train[-1] if record.train else None)
    return told.bytes_per_second if told and math.isfinite(told.bytes_per_second) else None


def _machine_facts(machine: dict[str, Any]) -> list[tuple[str, Any]]:
    memory, compiled = machine.get("memory_gb"), machine.get("compile")
    return [
        *((name, machine.get(name)) for name in ("processor", "cores")),
        ("memory", f"{memory:g} GB" if _is_number(memory) else memory),
        *((name, machine.get(name)) for name in ("device", "precision")),
        ("compiled", "yes" if compiled is True else "no" if compiled is False else compiled),
        ("rows at once", machine.get("micro_batch_rows")),
        *((name, machine.get(name)) for name in ("platform", "python", "torch")),
    ]


def _probe(machine: dict[str, Any]) -> str:
    """How fast each setting ran before the training chose one, as bars."""
    told = machine.get("probe")
    tried = [row for row in told if isinstance(row, dict)] if isinstance(told, list) else []
    speeds = [(row.get("setting", "?"), row.get("bytes_per_second")) for row in tried]
    speeds = [(setting, speed) for setting, speed in speeds if _is_number(speed)]
    if not speeds:
        return ""
    fastest = max(max(speed for _, speed in speeds), 1e-9)
    rows = [
        f'<div class="bar" style="--share:{speed / fastest:.1%}"><dt>{_words(setting)}</dt><dd>{scaled(speed, "B/s")}</dd></div>'
        for setting, speed in speeds
    ]
    return f'<div class="panel"><h3>Settings tried</h3><dl>{"".join(rows)}</dl></div>'


def _command(machine: dict[str, Any]) -> str:
    command = machine.get("command")
    if not command:
        return ""
    return (
        f'<h3>To make it again</h3><pre class="command" tabindex="0" aria-label="Command"><code>{_words(command)}</code>'
        f'</pre><p class="hint">One click selects the whole command.</p>'
    )


def _without_paths(table: dict[str, Any]) -> dict[str, Any]:
    """Where files lie is nobody else's business: a report may be shown to others."""
    named = {key: [Path(str(one)).name for one in table[key]] for key in ("sources", "valid") if isinstance(table.get(key), list)}
    return table | named


def _recipe(recipe: dict[str, Any]) -> str:
    """Each table of recipe.toml as a panel, values as TOML would write them."""
    loose = {name: value for name, value in recipe.items() if not isinstance(value, dict)}
    tables = {**({"": loose} if loose else {}), **{name: value for name, value in recipe.items() if name not in loose}}
    panels = [_panel(f"[{name}]" if name else "recipe", _flat(_without_paths(table))) for name, table in tables.items()]
    return f'<h3>Recipe</h3><div class="panels recipe">{"".join(panels)}</div>' if panels else ""


def _flat(table: dict[str, Any]) -> list[tuple[str, Any]]:
    pairs: list[tuple[str, Any]] = []
    for name, value in table.items():
        if isinstance(value, dict):
            pairs += [(f"{name}.{below}", inner) for below, inner in _flat(value)]
        elif isinstance(value, list) and any(isinstance(item, dict) for item in value):
            numbered = {f"{name}.{index}": item for index, item in enumerate(value)}
            pairs += _flat(numbered)
        else:
            pairs.append((name, value if value != "" else '""'))
    return pairs


def _measurements(record: RunRecord) -> str:
    """Every validation as a table: the same as the curve, for those who read figures or cannot see it."""
    rows = [
        f"<tr><td>{point.step:,}</td><td>{duration(point.seconds)}</td><td>{scaled(point.bytes_seen, 'B')}</td>"
        f"<td>{bpb(point.val_bpb, point.standard_error)}</td></tr>"
        for point in record.curve
    ]
    if not rows:
        return ""
    heads = "".join(f'<th scope="col">{head}</th>' for head in ("step", "time", "read", "bits per byte"))
    return (
        f'<details id="measurements"><summary>All {len(rows)} validations as figures</summary><div class="scroll"><table>'
        f"<thead><tr>{heads}</tr></thead><tbody>{''.join(rows)}</tbody></table></div></details>"
    )


def _panel(title: str, pairs: list[tuple[str, Any]]) -> str:
    rows = _pairs(pairs)
    return f'<div class="panel"><h3>{html.escape(title)}</h3><dl>{rows}</dl></div>' if rows else ""


def _pairs(pairs: list[tuple[str, Any]]) -> str:
    return "".join(
        f"<div><dt>{html.escape(str(name))}</dt><dd>{_words(value)}</dd></div>" for name, value in pairs if value is not None and value != ""
    )


def _words(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, list):
        return ", ".join(f"“{_words(item)}”" if isinstance(item, str) else _words(item) for item in value)
    return html.escape(showable(f"{value:g}" if isinstance(value, float) else str(value)))


def _is_number(value: Any) -> TypeGuard[float]:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
