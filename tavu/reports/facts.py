"""What a run was made of, as names and values in words: model, data, run, machine, speeds, recipe."""

import math
from pathlib import Path
from typing import Any, TypeGuard

from tavu.data.split import FEW_VALID_BYTES
from tavu.reports.run_folder import RunRecord
from tavu.reports.wording import counted, duration, scaled

Facts = list[tuple[str, str]]


def key_figures(record: RunRecord) -> Facts:
    """The few figures worth a large print."""
    size = record.environment.get("num_parameters")
    return _known(
        [
            ("trained", duration(record.latest.seconds)),
            ("read", scaled(record.latest.bytes_seen, "B")),
            ("speed", scaled(speed, "B/s") if (speed := _speed(record)) else None),
            ("parameters", scaled(size) if _is_number(size) else None),
        ]
    )


def facts(record: RunRecord) -> list[tuple[str, Facts]]:
    """The panels of "How it was made": each has a title and what is known of it; those of which nothing is known are left out."""
    panels = [
        ("Model", _model_facts(record.environment)),
        ("Data", _data_facts(record)),
        ("Teachers, in bits per byte", _teacher_facts(record)),
        ("Run", _run_facts(record)),
        ("Machine", _machine_facts(record.environment)),
    ]
    return [(title, known) for title, pairs in panels if (known := _known(pairs))]


def recipe_tables(record: RunRecord) -> list[tuple[str, Facts]]:
    """Each table of recipe.toml, nested ones flattened to dotted names."""
    tables = {f"[{name}]": table for name, table in record.recipe.items() if isinstance(table, dict)}
    loose = {name: value for name, value in record.recipe.items() if not isinstance(value, dict)}
    return [(title, known) for title, table in ({"recipe": loose} | tables).items() if (known := _known(_flat(_without_paths(table))))]


def speeds_tried(record: RunRecord) -> list[tuple[str, str, str]]:
    """Each setting that was tried before the training chose one: its name, its speed, and that as a share of the fastest's."""
    rows = record.environment.get("probe")
    tried = [row for row in rows if isinstance(row, dict)] if isinstance(rows, list) else []
    speeds = [(row.get("setting", "?"), row.get("bytes_per_second")) for row in tried]
    speeds = [(setting, speed) for setting, speed in speeds if _is_number(speed)]
    fastest = max([speed for _, speed in speeds], default=0.0) or 1.0
    return [(_in_words(setting), scaled(speed, "B/s"), f"{speed / fastest:.1%}") for setting, speed in speeds]


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
    return scaled(size, "B") + (f" in {counted(documents, 'document')}" if _is_number(documents) else "") + few


def _teacher_facts(record: RunRecord) -> list[tuple[str, Any]]:
    """The bits per byte of each teacher, of the mean of their distributions, and of the student; nothing for a run without teachers."""
    rows, mean = record.teachers.get("teachers"), record.teachers.get("ensemble_bpb")
    teachers = [row for row in rows if isinstance(row, dict)] if isinstance(rows, list) else []
    if not teachers:
        return []
    figures = [(row.get("name", "?"), row.get("val_bpb")) for row in teachers]
    figures += [("the mean of their distributions", mean)] if len(teachers) > 1 else []
    figures += [("this student", record.result.val_bpb)] if record.result else []
    return [(name, f"{bpb:.4f}") for name, bpb in figures if _is_number(bpb)]


def _run_facts(record: RunRecord) -> list[tuple[str, Any]]:
    memory = record.outcome.peak_memory_mb if record.outcome else math.nan
    return [
        ("steps", record.latest.step),
        ("time", duration(record.latest.seconds)),
        ("speed", scaled(speed, "B/s") if (speed := _speed(record)) else None),
        ("peak memory", scaled(memory * 1e6, "B") if math.isfinite(memory) else None),
    ]


def _speed(record: RunRecord) -> float | None:
    """Bytes per second: of the whole run once it is over, until then of the last log line."""
    latest = record.outcome or (record.train[-1] if record.train else None)
    return latest.bytes_per_second if latest and math.isfinite(latest.bytes_per_second) else None


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


def _without_paths(table: dict[str, Any]) -> dict[str, Any]:
    """The table with the names of its files alone: a report may be shown to others, and where files lie is private."""
    names = {key: [Path(str(one)).name for one in table[key]] for key in ("sources", "valid") if isinstance(table.get(key), list)}
    return table | names


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


def _known(pairs: list[tuple[str, Any]]) -> Facts:
    return [(str(name), _in_words(value)) for name, value in pairs if value is not None and value != ""]


def _in_words(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, float):
        return f"{value:g}"
    if isinstance(value, list):
        return ", ".join(f"“{item}”" if isinstance(item, str) else _in_words(item) for item in value)
    return str(value)


def _is_number(value: Any) -> TypeGuard[float]:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
