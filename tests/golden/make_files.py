"""Writes small files of today's format into a folder, as those in format-2/ were written: one model file of each kind, and a run folder.

They are not to be written anew: test_files.py reads files of each format for ever. A new format gets a folder of its own beside the others:

    python -m tests.golden.make_files tests/golden/format-3
"""

import json
import shutil
import sys
import tempfile
from pathlib import Path

import torch

import tavu
from tavu.compression.quantize import quantize_file
from tests.golden.test_files import ORDER, PROMPTS, RUN_STEPS, SEPARATOR, cost, resumed
from tests.golden.test_texts import clear_text

HERE = Path(__file__).parent
LONGEST = 200
TRAIN = (
    "model.max_seq_len=96",
    "train.batch_bytes=1024",
    "train.milestones=2",
    "train.valid_bytes=2000",
    "train.device=cpu",
    "train.precision=fp32",
    "train.compile=off",
    "sample.max_bytes=40",
)
BY_HEART = ("train.milestones=1", "train.dropout=0", "train.patience=1", "train.muon_every=1")
"""Models learn three tales by heart, so that their greedy texts are long and the likeliest byte is far ahead."""


def levels(*sizes: str) -> tuple[str, ...]:
    return ("model.levels=[" + ", ".join(f"{{num_layers = 1, mlp_dim = 64, {size}}}" for size in sizes) + "]",)


def tables(rows: int) -> tuple[str, ...]:
    return tuple(f"model.{name}={rows}" for name in ("word_rows", "prefix_rows", "ngram_rows", "phrase_rows", "lexicon_words"))


WORDS = (*levels("dim = 32, num_heads = 2", "dim = 32, num_heads = 0"), *tables(128))
SMALL = (*levels("dim = 16, num_heads = 2", "dim = 16, num_heads = 0"), *tables(32), "model.pointer_dim=16")
ALL_PARTS = ("model.pair_rows=32", "model.phrase_orders=[1, 2]", "model.pointer_dim=32")
NO_PARTS = ("model.lexicon_words=0", "model.pointer_dim=0", "model.ngram_orders=[]", "model.max_patch_size=6")
MODELS = {
    "words-all-parts": ("words", *WORDS, *ALL_PARTS, "data.as_records=true"),
    "words-no-parts": ("words", *WORDS, *NO_PARTS),
    "fixed-2-levels": ("megabyte", *levels("dim = 32, num_heads = 2, patch_size = 4", "dim = 32, num_heads = 2")),
    "fixed-3-levels": (
        "megabyte-3-levels",
        *levels("dim = 32, num_heads = 2, patch_size = 8", "dim = 32, num_heads = 2, patch_size = 2", "dim = 32, num_heads = 2"),
    ),
    "fixed-convolutions": ("megabyte", *levels("dim = 32, num_heads = 2, patch_size = 4", "dim = 32, num_heads = 2"), "model.conv_encoder=true"),
}
QUANTIZED = ("words-all-parts", "fixed-2-levels")


def tales_file(folder: Path, which: slice) -> Path:
    path = folder / f"tales-{which.start}.txt"
    path.write_text(SEPARATOR.join((HERE / "tales.txt").read_text(encoding="utf-8").split(SEPARATOR)[which]), encoding="utf-8")
    return path


def records_file(folder: Path, which: slice) -> Path:
    """Tales, each with two words of it that are asked for."""
    path, tales = folder / f"records-{which.start}.jsonl", tales_file(folder, which).read_text(encoding="utf-8").split(SEPARATOR)
    rows = ({"words": sorted({word for word in tale.split() if word.isalpha()}, key=len)[-2:], "story": tale} for tale in tales)
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


def train(source: Path, out: Path, steps: int, preset: str, *settings: str, valid: Path | None = None) -> None:
    tavu.train([str(source)], valid=[str(valid)] if valid else (), preset=preset, steps=steps, out=out, settings=[*TRAIN, *settings], quiet=True)


@torch.inference_mode()
def expected(path: Path) -> dict[str, object]:
    """What test_files.py holds a file against."""
    model = tavu.load(path, engine="torch")
    prompts = {prompt: prompt.encode() for prompt in PROMPTS} | ({"to order": model.read_before(ORDER)} if model.records else {})
    return {"bits_per_byte": cost(path), "texts": {name: clear_text(model.network, prompt, LONGEST) for name, prompt in prompts.items()}}


def make(out: Path) -> None:
    torch.set_num_threads(1)
    out.mkdir()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for model, (preset, *settings) in MODELS.items():
            text_file = records_file if "data.as_records=true" in settings else tales_file
            known, unseen = text_file(folder, slice(0, 3)), text_file(folder, slice(3, 4))
            train(known, folder / model, 500, preset, *settings, *BY_HEART, valid=unseen)
            shutil.copy(folder / model / "model.safetensors", out / f"{model}.safetensors")
        for model in QUANTIZED:
            for bits in (8, 4):
                quantize_file(folder / model, out / f"{model}-{bits}-bits.safetensors", bits)
        source = Path(shutil.copy(HERE / "tales.txt", folder / "stories.txt"))
        train(source, out / "run", RUN_STEPS, "words", *SMALL)
        for lost in ("report.html", "progress.png"):  # both are drawn anew
            (out / "run" / lost).unlink()
        recipe = out / "run" / "recipe.toml"
        recipe.write_text(recipe.read_text().replace(str(source), "/home/mia/stories.txt"))
        environment = out / "run" / "environment.json"
        environment.write_text(json.dumps(json.loads(environment.read_text()) | {"platform": "Linux", "processor": "a processor"}, indent=2) + "\n")
        known = {path.stem: expected(path) for path in sorted(out.glob("*.safetensors"))} | {"run": expected(out / "run")}
        known["run"] |= {"resumed": resumed(Path(shutil.copytree(out / "run", folder / "run")))}
    (out / "expected.json").write_text(json.dumps(known, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


if __name__ == "__main__":
    make(Path(sys.argv[1]))
