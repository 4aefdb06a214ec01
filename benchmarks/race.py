"""The race: bits per byte after the same training time, tavu against other ways to train a small model from scratch.

Every contender gets the same text and the same time on this machine, in a separate process. They run one after another, round by round. The result
is bits per byte over the same whole documents, END included: the bits of a subword model are divided by the same bytes. For rivals, validation and
the training of tokenizers do not count as training time; for tavu, validation does. Finished runs are saved in records/race.json, so that an
interrupted race can be continued. records/RACE.md and records/race.png are generated from it. The last line is JSON.

    pip install -e '.[benchmarks]'
    python benchmarks/race.py --train train.txt --valid valid.txt --minutes 2 10
"""

import argparse
import json
import math
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import rivals
import torch
from matplotlib import colormaps
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from rivals import Rival

from tavu.config import DataConfig, TrainConfig
from tavu.data.sources import SourceReport, read_documents
from tavu.evaluation.bits_per_byte import BitsPerByte, bits_per_byte, summarize, windows
from tavu.evaluation.ngram import ngram_floors
from tavu.evaluation.torch_scorer import TorchScorer, id_bits
from tavu.files import replace_file
from tavu.language_model import load
from tavu.model.layers import set_dropout
from tavu.run_recipes import new_recipe
from tavu.runs import run
from tavu.training.events import Finished, Milestone
from tavu.training.machine import keep_freed_memory, processor_name
from tavu.training.overfitting import dropout_rate
from tavu.training.schedule import learning_rate_scale

RECORDS = Path(__file__).parent.parent / "records"
MEASURED_AT = (0.1, 0.25, 0.5, 0.75)
"""Fractions of the budget at which rivals are measured on some of the documents, for the curve."""
CURVE_DOCUMENTS = 64
SCHEDULE = TrainConfig(decay_fraction=0.5)
"""The schedule of rivals: constant, then linear decay to zero over the last half. Decay over the last nine tenths, like tavu's, was no better."""

Documents = list[bytes]
Curve = list[tuple[float, float]]
"""(minutes, bits per byte), all on the same subset of the documents."""


@dataclass(frozen=True)
class Result:
    """The result of one run of one contender."""

    bpb: BitsPerByte
    curve: Curve
    num_parameters: int
    bytes_seen: float


Contender = Callable[[float, int, Path, Path], Result]
"""A function that trains for some minutes with a seed on one file, and measures on another."""


def race_tavu(preset: str, *settings: str) -> Contender:
    """tavu with its default settings, but fewer milestones."""

    def train(minutes: float, seed: int, train_file: Path, valid_file: Path) -> Result:
        fewer = ("train.milestones=5", "sample.max_bytes=1")
        recipe = new_recipe([str(train_file)], valid=[str(valid_file)], preset=preset, minutes=minutes, seed=seed, settings=fewer + settings)
        with tempfile.TemporaryDirectory() as folder:
            *events, finished = run(recipe, Path(folder) / "run")
            assert isinstance(finished, Finished)
            model = load(finished.model)
            bpb = bits_per_byte(TorchScorer(model.network), [np.frombuffer(document, dtype=np.uint8) for document in documents_of(valid_file)])
            curve = [(event.seconds / 60, event.validation.bits_per_byte) for event in events if isinstance(event, Milestone)]
            num_parameters = sum(p.numel() for p in model.network.parameters())
            return Result(bpb, curve, num_parameters, finished.bytes_seen)

    return train


def race_rival(build: Callable[[Documents], Rival]) -> Contender:
    """Train a rival for the same time, with warmup, constant rate and decay to zero."""

    def train(minutes: float, seed: int, train_file: Path, valid_file: Path) -> Result:
        torch.manual_seed(seed)
        keep_freed_memory()  # like tavu
        training, held_out = documents_of(train_file), documents_of(valid_file)
        rival = build(training)
        batches = rows_of([rival.encode(document) for document in training], rival, seed)
        encoded = [rival.encode(document) for document in held_out]
        part = slice(None, None, max(1, len(encoded) // CURVE_DOCUMENTS))  # sampled evenly, like tavu's
        num_bytes = sum(map(len, training))
        bytes_per_id = sum(len(d) for d in training) / sum(len(rival.encode(d)) + 1 for d in training[:1000]) / (len(training) / 1000)
        rival.loss(next(batches)).backward()  # warm-up
        rival.model.zero_grad()

        spent, due, curve, ids_seen = 0.0, list(MEASURED_AT), Curve(), 0
        while spent < 60 * minutes:
            if due and spent >= due[0] * 60 * minutes:
                curve.append((spent / 60, score(rival, encoded[part], held_out[part]).bits_per_byte))
                due.pop(0)
                fraction = spent / (60 * minutes)
                set_dropout(rival.model, dropout_rate(ids_seen * bytes_per_id / fraction / num_bytes, num_bytes, SCHEDULE.dropout))  # like tavu
            begun = time.monotonic()
            ids = next(batches)
            rival.loss(ids).backward()
            rival.step(learning_rate_scale(spent / (60 * minutes), SCHEDULE))
            spent += time.monotonic() - begun
            ids_seen += ids.numel()
        curve.append((minutes, score(rival, encoded[part], held_out[part]).bits_per_byte))
        num_parameters = sum(p.numel() for p in rival.model.parameters())
        return Result(score(rival, encoded, held_out), curve, num_parameters, ids_seen * bytes_per_id)

    return train


def race_ngram(minutes: float, seed: int, train_file: Path, valid_file: Path) -> Result:
    """The baseline: a byte n-gram model of order 5, counted in seconds."""
    bpb = ngram_floors(documents_of(train_file), documents_of(valid_file))[5]
    return Result(BitsPerByte(bpb, math.nan, 0, 0), [(0.0, bpb), (minutes, bpb)], 0, train_file.stat().st_size)


def documents_of(file: Path) -> Documents:
    return list(read_documents(str(file), DataConfig(), SourceReport()))


def rows_of(encoded: Sequence[Sequence[int]], rival: Rival, seed: int) -> Iterator[torch.Tensor]:
    """An endless iterator over batches (rows, context). A row starts at the END before a document, as in tavu, or a context later in a long one."""
    stream = np.concatenate([np.array([rival.end, *ids]) for ids in encoded])
    lengths = [len(ids) + 1 for ids in encoded]
    starts = np.cumsum([0, *lengths[:-1]])
    begins = np.concatenate([np.arange(start, start + length, rival.context) for start, length in zip(starts, lengths, strict=True)])
    begins = begins[begins + rival.context <= len(stream)]
    generator = np.random.default_rng(seed)
    while True:
        order = generator.permutation(begins)
        for first in range(0, len(order) - rival.rows + 1, rival.rows):
            yield torch.from_numpy(np.stack([stream[b : b + rival.context] for b in order[first : first + rival.rows]]))


@torch.no_grad()
def score(rival: Rival, encoded: Sequence[Sequence[int]], documents: Documents) -> BitsPerByte:
    """The bits of whole documents over their bytes. Long ones are read in windows that overlap by half, as in tavu."""
    rival.model.eval()
    totals = np.zeros(len(encoded))
    waiting = sorted(windows([len(ids) for ids in encoded], [0] * len(encoded), rival.context), key=lambda w: w.start - w.stop)
    while waiting:
        longest = waiting[0].stop - waiting[0].start
        num = max(1, 4096 // longest)
        batch, waiting = waiting[:num], waiting[num:]
        ids = np.full((len(batch), longest), rival.end)
        for row, window in zip(ids, batch, strict=True):
            row[: window.stop - window.start] = [rival.end, *encoded[window.document], rival.end][window.start : window.stop]
        bits = id_bits(rival.logits(torch.from_numpy(ids)), torch.from_numpy(ids)).numpy()
        for row, window in zip(bits, batch, strict=True):
            totals[window.document] += row[window.first_counted - window.start : window.stop - window.start].sum(dtype=np.float64)
    rival.model.train()
    return summarize(totals.tolist(), [len(document) for document in documents])


SMALL = (
    *("model.levels.0.dim=128", "model.levels.0.num_layers=3", "model.levels.0.num_heads=2", "model.levels.0.mlp_dim=512", "model.levels.1.dim=64"),
    *("model.levels.1.mlp_dim=256", "model.word_rows=1024", "model.prefix_rows=1024", "model.ngram_rows=512", "model.lexicon_words=800"),
    "model.pointer_dim=32",
)
"""Settings that reduce the default preset to about a million parameters."""
CONTENDERS: dict[str, Contender] = {
    "tavu": race_tavu("words"),
    "tavu, megabyte": race_tavu("megabyte"),
    "tavu, a million": race_tavu("words", *SMALL),
    "BPE transformer of our blocks, 1k": race_rival(partial(rivals.bpe_ours, vocabulary=1024, dim=256, layers=4, rows=4)),
    "BPE transformer of our blocks, 4k": race_rival(partial(rivals.bpe_ours, vocabulary=4096, dim=256, layers=4, rows=4)),
    "BPE transformer of our blocks, 1k, batches of 10 kB": race_rival(partial(rivals.bpe_ours, vocabulary=1024, dim=256, layers=4, rows=16)),
    "BPE transformer of our blocks, 1k, batches of 10 kB, a million": race_rival(
        partial(rivals.bpe_ours, vocabulary=1024, dim=128, layers=4, rows=16)
    ),
    "BPE transformer of our blocks, 4k, batches of 10 kB": race_rival(partial(rivals.bpe_ours, vocabulary=4096, dim=256, layers=4, rows=10)),
    "BPE transformer of our blocks, 8k": race_rival(partial(rivals.bpe_ours, vocabulary=8192, dim=256, layers=4, rows=4)),
    "BPE Llama as users build it": race_rival(partial(rivals.bpe_llama, vocabulary=4096, dim=256, layers=6, rows=16, rate=1e-3)),
    "flat bytes, our blocks": race_rival(lambda _: rivals.flat_bytes(dim=256, layers=4, rows=16, context=256)),
    "flat bytes, our blocks, each attending to 256 of 1,024": race_rival(
        lambda _: rivals.flat_bytes(dim=256, layers=4, rows=4, context=1024, window=256)
    ),
    **{
        f"MEGABYTE-pytorch at our size{name}": race_rival(
            lambda _, rate=rate: rivals.megabyte_pytorch((256, 128), (6, 3), (256, 4), rows=4, rate=rate, fast=True)
        )
        for name, rate in (("", 1e-3), (", Adam 3e-4", 3e-4), (", Adam 3e-3", 3e-3))
    },
    "MEGABYTE-pytorch as its train.py": race_rival(
        lambda _: rivals.megabyte_pytorch((768, 512, 256), (6, 4, 2), (512, 4, 4), rows=4, rate=2e-4, fast=False),
    ),
    "byte n-grams, order 5": race_ngram,
}


def run_in_process(name: str, minutes: float, seed: int, arguments: argparse.Namespace) -> dict[str, object]:
    """Start one run of this program in a separate process."""
    command = [sys.executable, __file__, "--run", name, "--minutes", f"{minutes:g}", "--seeds", str(seed)]
    command += ["--train", str(arguments.train), "--valid", str(arguments.valid)]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    return json.loads(done.stdout.splitlines()[-1])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--train", type=Path, required=True, help="documents separated by <|endoftext|>")
    parser.add_argument("--valid", type=Path, required=True)
    parser.add_argument("--minutes", type=float, nargs="+", default=[2, 10, 60])
    parser.add_argument("--seeds", type=int, nargs="+", default=[0])
    parser.add_argument("--only", nargs="+", default=list(CONTENDERS), help="names of contenders; all of them by default")
    parser.add_argument("--out", type=Path, default=RECORDS)
    parser.add_argument("--run", help="run one contender in this process, for the first of --minutes and --seeds")
    arguments = parser.parse_args()
    unknown = sorted({*arguments.only, *filter(None, [arguments.run])} - set(CONTENDERS))
    if unknown:
        parser.error(f"there is no contender {unknown[0]!r}, expected one of {', '.join(CONTENDERS)}")

    if arguments.run:
        minutes, seed = arguments.minutes[0], arguments.seeds[0]
        result = CONTENDERS[arguments.run](minutes, seed, arguments.train, arguments.valid)
        print(json.dumps({"name": arguments.run, "minutes": minutes, "seed": seed, "machine": machine(), **as_record(result)}))
        return

    file = arguments.out / "race.json"
    records = json.loads(file.read_text()) if file.exists() else []
    for minutes in arguments.minutes:
        for seed in arguments.seeds:
            for name in arguments.only:
                if not any((r["name"], r["minutes"], r["seed"], r["machine"]) == (name, minutes, seed, machine()) for r in records):
                    records.append(run_in_process(name, minutes, seed, arguments))
                    print(f"{minutes:g} minutes, seed {seed}, {name}: {records[-1]['bpb']:.4f}", file=sys.stderr)
                    replace_file(file, ("[\n" + ",\n".join(json.dumps(record) for record in records) + "\n]\n").encode())
    replace_file(arguments.out / "RACE.md", table(records).encode())
    draw(records, arguments.out / "race.png")
    print(json.dumps(records))


def as_record(result: Result) -> dict[str, object]:
    return {
        "bpb": result.bpb.bits_per_byte,
        "standard_error": result.bpb.standard_error,
        "num_parameters": result.num_parameters,
        "bytes_seen": round(result.bytes_seen),
        "curve": [(round(minutes, 3), round(bpb, 4)) for minutes, bpb in result.curve],
    }


def machine() -> str:
    """The name of this machine. Only records of the same machine are compared."""
    precision = "bf16" if rivals.best_precision() == torch.bfloat16 else "fp32"
    return f"{processor_name()}, {torch.get_num_threads()} threads, {precision}"


def table(records: list[dict]) -> str:
    """The results as Markdown, with one table per machine and budget, best first."""
    lines = ["# The race", "", "Generated by `benchmarks/race.py`, which describes the measurement. Bits per byte, averaged over seeds."]
    for where, minutes in sorted({(r["machine"], r["minutes"]) for r in records}):
        runs = [r for r in records if (r["machine"], r["minutes"]) == (where, minutes)]
        by_name = {name: [r for r in runs if r["name"] == name] for name in {r["name"] for r in runs}}
        means = {name: float(np.mean([r["bpb"] for r in group])) for name, group in by_name.items()}
        lines += ["", f"## {minutes:g} minutes on {where}", ""]
        lines += ["| contender | bits per byte | against tavu | seeds | parameters | text read |", "| --- | ---: | ---: | ---: | ---: | ---: |"]
        for name in sorted(means, key=means.__getitem__):
            group = by_name[name]
            spread = f" ± {np.std([r['bpb'] for r in group], ddof=1):.4f}" if len(group) > 1 else ""
            against = f"{means[name] / means['tavu']:.3f}" if "tavu" in means else ""
            size, seen = group[0]["num_parameters"] / 1e6, np.mean([r["bytes_seen"] for r in group]) / 1e6
            lines.append(f"| {name} | {means[name]:.4f}{spread} | {against} | {len(group)} | {size:.1f} M | {seen:.2f} MB |")
    return "\n".join(lines) + "\n"


def draw(records: list[dict], path: Path) -> None:
    """Plot bits per byte against minutes, for the machine with the most runs: dots for final results on all documents, and the curve of each
    contender's longest run on some of them."""
    where = Counter(r["machine"] for r in records).most_common(1)[0][0]
    records = [r for r in records if r["machine"] == where]
    figure = Figure(figsize=(14, 6.5), dpi=130, layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot(title=where, xscale="log", yscale="log", xlabel="minutes of training", ylabel="bits per byte of unseen text")
    ends = {name: {r["minutes"]: r["bpb"] for r in records if r["name"] == name} for name in CONTENDERS}
    for index, (name, by_minutes) in enumerate((name, e) for name, e in ends.items() if e):
        color, is_ours = colormaps["tab20"](index * 2 % 20 + index // 10), name.startswith("tavu")
        longest = max((r for r in records if r["name"] == name), key=lambda r: r["minutes"])
        curve = [(minutes, bpb) for minutes, bpb in longest["curve"] if minutes > 0]
        axes.plot(
            *zip(*curve, strict=True),
            color=color,
            linewidth=3 if is_ours else 1.5,
            label=f"{name}: {longest['bpb']:.3f} after {longest['minutes']:g} min",
        )
        axes.plot(list(by_minutes), list(by_minutes.values()), "o", color=color)
    low, high = axes.get_ylim()
    ticks = [tick for tick in (0.5, 0.6, 0.7, 0.8, 0.9, 1, 1.1, 1.2, 1.3, 1.5, 1.7, 2, 2.5, 3, 4, 5, 6, 8) if low <= tick <= high]
    axes.set_yticks(ticks, [f"{tick:g}" for tick in ticks])
    axes.yaxis.set_minor_formatter("")
    axes.xaxis.set_major_formatter("{x:g}")
    axes.grid(alpha=0.3)
    axes.legend(frameon=False, loc="center left", bbox_to_anchor=(1.0, 0.5))
    figure.savefig(path)


if __name__ == "__main__":
    main()
