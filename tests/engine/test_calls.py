"""A loaded model may be called from anywhere: threads, tasks, forked and spawned processes, with either writer."""

import asyncio
import copy
import multiprocessing
import pickle
from concurrent.futures import ThreadPoolExecutor

import pytest

import tavu
from tavu.config import SamplingConfig
from tavu.data.records import Request
from tavu.engine import native
from tavu.errors import TavuError
from tavu.model_file import save_model
from tests.conftest import CONFIGS

PROMPTS = ["The cat", "A big red bus", "Once upon a time, there was", "Hyvää yötä"]
MANY = SamplingConfig(max_bytes=20)


@pytest.fixture(scope="module", params=["native", "torch"])
def model(request, make_model, tmp_path_factory):
    if request.param == "native" and not native.is_built():
        pytest.skip("the native engine was not built: no C compiler")
    path = tmp_path_factory.mktemp("models") / "model.safetensors"
    save_model(path, make_model(CONFIGS["words"], noise=0.1), {"kind": "text"})
    return tavu.load(path, engine=request.param)


@pytest.fixture(scope="module")
def alone(model):
    return [tell(model, prompt) for prompt in PROMPTS]


def tell(model, prompt):
    return model.generate(prompt, max_bytes=60, temperature=1.0)


def test_threads_get_the_texts_that_they_get_alone(model, alone):
    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(lambda prompt: tell(model, prompt), 4 * PROMPTS)) == 4 * alone


def test_threads_that_write_many_texts_at_once_get_theirs(model):
    alone = [[text.content for text in model.write(prompt, MANY, count=16)] for prompt in PROMPTS]
    with ThreadPoolExecutor(4) as pool:
        together = list(pool.map(lambda prompt: [text.content for text in model.write(prompt, MANY, count=16)], PROMPTS))
    assert together == alone


def test_streams_in_turns_and_one_left_half_way_are_the_texts_alone(model, alone):
    streams, texts = [model.stream(prompt, max_bytes=60, temperature=1.0) for prompt in PROMPTS], ["" for _ in PROMPTS]
    left = model.stream(PROMPTS[0], max_bytes=60)
    next(left)
    del left
    going = set(range(len(PROMPTS)))
    while going:
        for i in sorted(going):
            piece = next(streams[i], None)
            if piece is None:
                going.remove(i)
            else:
                texts[i] += piece
    assert texts == alone


def test_tasks_get_the_texts_that_they_get_alone(model, alone):
    async def listen(prompt):
        text = ""
        for piece in model.stream(prompt, max_bytes=60, temperature=1.0):
            text += piece
            await asyncio.sleep(0)
        return text

    async def listen_to_all():
        return await asyncio.gather(*map(listen, PROMPTS))

    assert asyncio.run(listen_to_all()) == alone


@pytest.mark.parametrize("copied", [copy.copy, copy.deepcopy, lambda model: pickle.loads(pickle.dumps(model))], ids=["copy", "deepcopy", "pickle"])
def test_a_copy_writes_the_same_with_the_same_engine(model, alone, copied):
    other = copied(model)
    assert other.engine == model.engine and [tell(other, prompt) for prompt in PROMPTS] == alone


@pytest.mark.skipif("fork" not in multiprocessing.get_all_start_methods(), reason="this system does not fork")
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_a_forked_child_writes_many_texts_as_its_parent_did(model):
    if model.engine == "torch":
        pytest.skip("PyTorch's own threads do not outlive a fork")
    model.write("Once", MANY, count=16)
    child = multiprocessing.get_context("fork").Process(target=model.write, args=("Once", MANY), kwargs={"count": 16})
    child.start()
    child.join(20)
    if child.is_alive():
        child.kill()
    assert child.exitcode == 0


def test_no_seed_is_another_text_each_time(model):
    assert len({model.generate("Once", max_bytes=40, temperature=1.0, seed=None) for _ in range(3)}) > 1


def test_half_a_surrogate_pair_gets_a_sentence_wherever_text_is_given(model):
    bad = "Once \ud800"
    calls = [
        lambda: model.generate(bad),
        lambda: list(model.stream(bad)),
        lambda: model.write(bad, MANY),
        lambda: model.bits_per_byte(bad),
        lambda: model.bits_per_byte(["Once", bad]),
        lambda: model.generate("Once", stop=bad),
        lambda: model.read_for_messages([{"role": "user", "content": bad}]),
    ]
    for call in calls:
        with pytest.raises(TavuError, match=r"\\ud800'.*which UTF-8 cannot encode"):
            call()


def test_half_a_surrogate_pair_in_a_request_gets_a_sentence(make_model, tmp_path):
    save_model(tmp_path / "a", make_model(CONFIGS["words"]), {"kind": "text", "records": "stories"})
    model = tavu.load(tmp_path / "a")
    with pytest.raises(TavuError, match="which UTF-8 cannot encode"):
        model.write_to_order(Request(words=("\ud800",)), MANY)
    with pytest.raises(TavuError, match="which UTF-8 cannot encode"):
        model.write_to_order(Request(words=("oak",)), MANY, opening="\ud800")
