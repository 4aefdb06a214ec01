"""Laws of several processes: two that share each batch do what one does, and one that dies takes nothing with it.

Run as a program, this is one of two ranks: `python -m tests.training.test_distributed FOLDER PORT...`.
"""

import json
import math
import os
import signal
import socket
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest
import torch
import torch.distributed as dist

from tavu import run_recipes, runs
from tavu.config import DataConfig, DistillConfig, Recipe
from tavu.data.batches import Batches
from tavu.data.corpus import Corpus, build_corpus
from tavu.data.records import MARK
from tavu.errors import TavuError
from tavu.evaluation.bits_per_byte import bits_per_byte
from tavu.evaluation.torch_scorer import TorchScorer
from tavu.model_file import load_model, save_model
from tavu.recipe import override, read_preset, to_recipe
from tavu.training import distributed, loop
from tavu.training.distributed import Pulse, Ranks, joined
from tavu.training.events import Finished
from tavu.training.milestones import final_documents
from tavu.training.state import load_counters
from tests.conftest import noisy_model
from tests.training.conftest import TINY

FIXED = tuple(setting for setting in TINY if not any(word in setting for word in ("rows=256", "phrase", "lexicon")))
KINDS = {
    "fixed patches": ("megabyte", *FIXED, "model.levels.1.num_heads=2"),
    "words": ("words", *TINY),
    "records": ("words", *TINY, "data.as_records=true"),
}
LEARNED_SLOWLY = ("train.dropout=0", "train.table_learning_rate=0.001", "train.adamw_learning_rate=0.001", "train.muon_every=2")
CLOSE = 1e-5


def recipe_of(kind: str, folder: Path) -> Recipe:
    preset, *settings = KINDS[kind]
    sources = [f"data.sources={json.dumps([str(folder / 'qa.jsonl') if kind == 'records' else 'tales:60'])}"]
    return to_recipe(override(read_preset(preset), [*settings, *LEARNED_SLOWLY, *sources, f"train.begin_from={folder / kind}.safetensors"]))


def corpus_of(recipe: Recipe, folder: Path) -> Corpus:
    return build_corpus(DataConfig(recipe.data.sources, as_records=recipe.data.as_records), cache_dir=folder / "corpora")


def environment(rank: int, port: int) -> dict[str, str]:
    return {"RANK": str(rank), "WORLD_SIZE": "2", "LOCAL_RANK": str(rank), "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port)}


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def start(*command: str) -> list[subprocess.Popen]:
    """Two processes of a Python program, as a launcher starts them."""
    port = free_port()
    environments = [os.environ | {"OMP_NUM_THREADS": "1"} | environment(rank, port) for rank in (0, 1)]
    return [subprocess.Popen([sys.executable, *command], env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) for env in environments]


def tavu(out: Path, *arguments: str) -> list[subprocess.Popen]:
    settings = [word for setting in (*TINY, "train.save_every_steps=2", "train.steps=100000") for word in ("--set", setting)]
    return start("-m", "tavu", "train", *arguments, *([] if "--resume" in arguments else ["--out", str(out), *settings]))


def wait_for_step(folder: Path, step: int) -> None:
    path = folder / "state" / "training.safetensors"
    for _ in range(1200):
        if path.exists() and load_counters(folder).step >= step:
            return
        time.sleep(0.05)
    raise AssertionError(f"{folder} was not saved at step {step} in a minute")


def losses(folder: Path) -> list[float]:
    lines = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    return [line["train_bpb"] for line in lines if line["event"] == "train"]


def train_as_rank(folder: Path, ports: list[int]) -> None:
    """What each of the two ranks does: train every kind of model, then with other text on the second rank."""
    torch.set_num_threads(1)
    loop.LOG_SECONDS = 0.0
    rank = int(os.environ["RANK"])
    for kind, port in zip(KINDS, ports, strict=False):
        os.environ["MASTER_PORT"] = str(port)
        recipe = recipe_of(kind, folder)
        with joined(lambda lost: os._exit(3)) as ranks:
            corpus = ranks.in_turn(lambda recipe=recipe: corpus_of(recipe, folder))
            events = list(loop.train(recipe, corpus, folder / f"{kind}, two", ranks=ranks))
        assert isinstance(events[-1], Finished) == (rank == 0)
    os.environ["MASTER_PORT"] = str(ports[-1])
    with joined(lambda lost: os._exit(3)) as ranks:
        list(loop.train(recipe, replace(corpus, digest=f"text of rank {rank}"), folder / "other text", ranks=ranks))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("ranks")


@pytest.fixture(scope="module")
def two(folder: Path) -> tuple[str, str]:
    """Trainings of every kind of model by two ranks, in `folder`; and what each rank wrote to standard error about the last one, which fails."""
    numbers = range(60)
    rows = [{"prompt": f"How much is {n} and 1?" + " Tell me." * (n % 5), "completion": f"It is {n + 1}." + "." * (n % 7)} for n in numbers]
    (folder / "qa.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    for kind in KINDS:
        save_model(folder / f"{kind}.safetensors", noisy_model(recipe_of(kind, folder).model, noise=0.1), {})
    ranks = start("-m", "tests.training.test_distributed", str(folder), *(str(free_port()) for _ in range(1 + len(KINDS))))
    first, second = (process.communicate(timeout=300)[1] for process in ranks)
    return first, second


@pytest.mark.parametrize("kind", KINDS)
def test_two_ranks_with_half_of_the_rows_each_equal_one_process(two, folder, monkeypatch, kind):
    monkeypatch.setattr(loop, "LOG_SECONDS", 0.0)
    recipe = recipe_of(kind, folder)
    corpus = corpus_of(recipe, folder)
    *_, finished = loop.train(recipe, corpus, folder / kind)
    one, other = losses(folder / kind), losses(folder / f"{kind}, two")
    assert len(one) == 20 and other == pytest.approx(one, rel=CLOSE)
    assert min(one) < 0.999 * one[0], "it learns"
    assert load_model(folder / f"{kind}, two")[1]["val_bpb"] == pytest.approx(finished.validation.bits_per_byte, rel=1e-3)  # of rounded weights


@pytest.mark.parametrize("kind", KINDS)
def test_what_the_first_rank_measures_is_what_one_process_measures(two, folder, kind):
    recipe = recipe_of(kind, folder)
    model, facts = load_model(folder / f"{kind}, two")
    documents = final_documents(recipe, corpus_of(recipe, folder))
    assert bits_per_byte(TorchScorer(model), documents, as_records=recipe.data.as_records).bits_per_byte == facts["val_bpb"]


def test_records_of_the_two_halves_differ_in_length(two, folder):
    """Otherwise a mean of means would do for the law above."""
    recipe = recipe_of("records", folder)
    ids = torch.from_numpy(Batches(corpus_of(recipe, folder).train, seq_len=64, rows=4, seed=0).batch(0))
    counts = [loop.num_learned(ids[half], as_records=True) for half in (slice(0, None, 2), slice(1, None, 2))]
    assert counts[0] != counts[1] and sum(counts) < ids.numel(), MARK


def test_a_rank_with_other_text_says_so_alone(two):
    first, second = two
    assert first == ""
    assert second.splitlines()[-1].endswith("qa.jsonl holds other text here than for the first process. Give all processes the same text.")


def test_a_killed_rank_ends_all_and_any_number_of_ranks_resume(tmp_path, folder):
    out = tmp_path / "run"
    first, second = tavu(out, "tales:60")
    wait_for_step(out, 4)
    second.kill()
    begun = time.monotonic()
    _, told = first.communicate(timeout=60)
    second.communicate()
    assert first.returncode == 2 and time.monotonic() - begun < 30
    assert "tavu: Another process of this training ended, or its machine cannot be reached" in told and "Traceback" not in told
    assert told.splitlines()[-1].endswith(f"Resume, with as many processes as you like: torchrun ... -m tavu train --resume {out}")
    assert json.loads((out / "environment.json").read_text())["world_size"] == 2
    saved = load_counters(out).step
    assert saved >= 4

    recipe = run_recipes.old_recipe(out, steps=saved + 4)
    *_, finished = runs.run(recipe, out, resume=True)
    assert finished.step == saved + 4

    first, second = tavu(out, "--resume", str(out), "--steps", "100000")
    wait_for_step(out, saved + 8)
    second.send_signal(signal.SIGTERM)  # to any rank
    (told, errors), (silence, _) = first.communicate(timeout=60), second.communicate(timeout=60)
    assert (first.returncode, second.returncode) == (0, 0), errors
    assert "Stopped after" in told and "Stopping: saving and measuring the model" in errors and silence == ""
    assert load_counters(out).step >= saved + 8


def test_rows_of_a_batch_are_shared_out(corpus):
    options = {"seq_len": 64, "rows": 5, "seed": 0}
    whole = Batches(corpus.train, **options).batch(3)
    parts = [Batches(corpus.train, **options, rank=rank, num_ranks=3).batch(3) for rank in range(3)]
    assert [len(part) for part in parts] == [2, 2, 1]
    assert sorted(map(bytes, whole)) == sorted(bytes(row) for part in parts for row in part)


def test_what_several_processes_cannot_do_is_a_sentence(tiny, corpus, folder, monkeypatch):
    with pytest.raises(
        TavuError, match=r"A batch has fewer rows \(4\) than there are processes \(5\). Start at most 4, or a new run with --set train"
    ):
        list(loop.train(tiny(), corpus, folder / "few rows", ranks=Ranks(0, 5)))
    with pytest.raises(TavuError, match="train on processors or on CUDA GPUs, not on mps. Start one, or add --set train.device=cpu."):
        Ranks(0, 2).use("mps")
    distilled = replace(tiny(), distill=DistillConfig(teachers=("stories",)))
    with pytest.raises(TavuError, match="A student learns from its teachers in one process. Start the command without torchrun."):
        list(runs.run(distilled, folder / "student", ranks=Ranks(0, 2)))
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    with pytest.raises(TavuError, match="has 1 GPUs, fewer than the processes that were started on it. Start one for each GPU with --nproc-per-node"):
        Ranks(1, 2, local_rank=1).use("cuda")
    monkeypatch.setattr(distributed, "JOIN_TIMEOUT", distributed.timedelta(seconds=1))
    for name, value in environment(0, free_port()).items():
        monkeypatch.setenv(name, value)
    with pytest.raises(TavuError, match="The processes of this training could not meet at 127.0.0.1:"), joined(lambda lost: None):
        pass


def test_a_silent_rank_is_noticed(monkeypatch):
    monkeypatch.setattr(distributed, "BEAT_SECONDS", 0.05)
    monkeypatch.setattr(distributed, "LOST_SECONDS", 0.3)
    port, lost = free_port(), list[int]()
    for name, value in environment(0, port).items():
        monkeypatch.setenv(name, value)
    store = dist.TCPStore("127.0.0.1", port, is_master=True, wait_for_workers=False)
    dist.PrefixStore("tavu/0", store).set("alive/1", "1")
    pulse = Pulse(0, 2, lost.append)
    deadline = time.monotonic() + 20
    while not lost and time.monotonic() < deadline:
        time.sleep(0.05)
    pulse.end()
    assert lost == [1]


def test_one_process_changes_nothing():
    parameter = torch.nn.Parameter(torch.ones(2))
    parameter.grad = torch.full((2,), math.pi)
    alone = Ranks()
    assert alone.agree(1.5, None) == (1.5, None) and alone.from_first("x") == "x" and alone.seed(7) == 7
    assert alone.average([parameter], 2.0, lambda: 1) == 2.0 and parameter.grad[0] == math.pi


if __name__ == "__main__":
    try:
        train_as_rank(Path(sys.argv[1]), [int(port) for port in sys.argv[2:]])
    except TavuError as error:
        print(error, file=sys.stderr)
