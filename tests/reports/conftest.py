"""A plausible run folder without a training: thirty minutes, twelve milestones, two prompts."""

import json
from pathlib import Path

import pytest

PROMPTS = ("Once upon a time", "")
NUM_MILESTONES = 12
SECONDS, BYTES_PER_SECOND = 1800.0, 61_000
RECIPE = """
[model]
kind = "words"
max_seq_len = 1024
global_dim = 256
levels = [{dim = 256, num_layers = 6}, {dim = 128, num_layers = 2}]

[data]
source = "tales"

[train]
minutes = 30.0
batch_bytes = 65536

[sample]
temperature = 0.8
prompts = ["Once upon a time", ""]
"""
ENVIRONMENT = {
    "command": "tavu train stories.txt --minutes 30 --out runs/stories --set train.seed=7",
    "tavu": "0.1.0",
    "python": "3.11.7",
    "torch": "2.13.0",
    "platform": "Linux-6.1-x86_64",
    "processor": "Intel(R) Xeon(R) Platinum 8481C",
    "cores": 2,
    "memory_gb": 15.6,
    "device": "cpu",
    "precision": "bf16",
    "compile": False,
    "micro_batch_rows": 8,
    "probe": [{"setting": "fp32", "bytes_per_second": 14200}, {"setting": "bf16", "bytes_per_second": 61300}],
    "num_parameters": 3_412_480,
    "flops_per_byte": 4.1e6,
    "train_bytes": 27_431_000,
    "train_documents": 31_204,
    "valid_bytes": 274_310,
    "valid_documents": 312,
}
TEXTS = (
    "\x07q%e\ufffdt  a~ioe\x00nh  rdtlaw,e \x1bs\ufffdhehaet oniso  t.ed,arh  nsteloia eh twdn os,ie\nrae  htd lwo nes ait heo" * 2,
    "e the sand ang to he was and the tor sher wand ithe he saind and. The wast the shing sor and he to the ind the and "
    "sed to and the litt was the he and wash the she and to the.",
    ", there was a litter to the boy. She said the was and happy the bird. The mom was so the ball and to the park and "
    'the little said, "I want the ball." The boy and the was happy.',
    ", there was a little girl named Lily. She liked to play with her toys in the park. One day, she saw a big ball and "
    'wanted to play with it. But the ball was the ball and it was sad. "I want to help the ball," said Lily.',
    ", there was a little fox who lived at the edge of the forest. Every morning he walked down to the river to look at "
    'the boats.\n\nOne day a small boat came by with nobody in it. "Whose boat is this?" asked the fox. The heron, who '
    'knew everything, said: "It belongs to whoever brings it home." So the fox tied it to a birch and waited. When '
    "evening came, an old woman walked along the bank, and she smiled so widely that the fox smiled too.\n\nFrom then on "
    "they went fishing together, and the fox was never lonely again.",
)


@pytest.fixture(name="write_run")
def _write_run():
    return write_run


@pytest.fixture
def finished(tmp_path):
    return write_run(tmp_path / "stories")


@pytest.fixture
def half(tmp_path):
    """Still training, or killed: no outcome, the last lines cut in half."""
    folder = write_run(tmp_path / "half", num_milestones=5, is_done=False)
    for name, cut in (("metrics.jsonl", b'{"event": "valid", "st'), ("samples.jsonl", '{"step": 9, "text": "ä'.encode()[:-1])):
        with (folder / name).open("ab") as file:
            file.write(cut)
    return folder


def write_run(folder: Path, *, num_milestones: int = NUM_MILESTONES, is_done: bool = True) -> Path:
    """A run folder that has come as far as `num_milestones`, and to its end where `is_done`."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "recipe.toml").write_text(RECIPE)
    (folder / "environment.json").write_text(json.dumps(ENVIRONMENT))
    times = [SECONDS * 0.55 ** (NUM_MILESTONES - 1 - index) for index in range(NUM_MILESTONES)][:num_milestones]
    metrics, last = _train_events(times[-1]), valid_event(times[-1])
    metrics += [valid_event(seconds) for seconds in [*times, *range(120, int(times[-1]), 120)]]
    metrics.sort(key=lambda row: row["seconds"])
    if is_done:
        metrics.append({"event": "note", "step": last["step"], "seconds": last["seconds"], "text": "the weights are averaged"})
        metrics.append({**last, "event": "done", "bytes_per_second": BYTES_PER_SECOND, "peak_memory_mb": 1483.2, "stopped": "budget"})
    samples = [sample(seconds, prompt, TEXTS[index * len(TEXTS) // NUM_MILESTONES]) for index, seconds in enumerate(times) for prompt in PROMPTS]
    write_lines(folder / "metrics.jsonl", metrics)
    write_lines(folder / "samples.jsonl", samples)
    return folder


def write_lines(path: Path, rows: list[dict]) -> None:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))


def progress(seconds: float) -> dict:
    return {"step": round(seconds * 0.93), "seconds": round(seconds, 3), "bytes_seen": round(seconds * BYTES_PER_SECOND)}


def val_bpb(seconds: float) -> float:
    return round(0.86 + 4.3 / (1 + seconds / 9) ** 0.62, 4)


def valid_event(seconds: float) -> dict:
    return {"event": "valid", **progress(seconds), "val_bpb": val_bpb(seconds), "standard_error": 0.011}


def sample(seconds: float, prompt: str, text: str) -> dict:
    text = text if prompt or not text.startswith(", there") else "There" + text[7:]
    return {
        **progress(seconds),
        "val_bpb": val_bpb(seconds),
        "prompt": prompt,
        "text": text,
        "stopped": "end" if text.endswith("again.") else "length",
    }


def _train_events(until: float) -> list[dict]:
    events = []
    for index in range(int(until / 2)):
        seconds = 1 + 2.0 * index
        noise = ((index * 7919) % 101 - 50) / 1200
        events.append(
            {
                "event": "train",
                **progress(seconds),
                "train_bpb": round(val_bpb(seconds) * (0.985 + noise), 4),
                "learning_rate": min(1.0, 2 - seconds / 900),
                "bytes_per_second": BYTES_PER_SECOND + index % 13 * 90,
            }
        )
    return events
