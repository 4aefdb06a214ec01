"""Echoed prompts with log-probabilities, as evaluation harnesses use them, equal the model's."""

import json
import threading
import time

import numpy as np
import pytest

from tavu.language_model import load
from tavu.serving.limits import Limits
from tests.conftest import TEXT
from tests.serving.conftest import COMPLETIONS, ask, completion, serving

torch = pytest.importorskip("torch")
DOCUMENT = TEXT[:40] + "yö".encode()


@pytest.fixture(scope="module")
def expected(model_file):
    """(log-probabilities, the likeliest id) at each byte of DOCUMENT."""
    logs = load(model_file).logits(torch.tensor([list(DOCUMENT)])).log_softmax(-1)[0]
    return [float(logs[i, byte]) for i, byte in enumerate(DOCUMENT)], logs


def scored(address, prompt, **asked):
    choice = completion(address, prompt=prompt, echo=True, logprobs=1, temperature=0, **asked)["choices"][0]
    told = choice["logprobs"]
    assert len(told["tokens"]) == len(told["token_logprobs"]) == len(told["top_logprobs"]) == len(told["text_offset"])
    return choice, told


def test_a_text_is_scored_without_generating(server, expected):
    choice, told = scored(server, DOCUMENT.decode(), max_tokens=0)
    assert choice["text"] == DOCUMENT.decode() and choice["finish_reason"] == "length"
    assert told["token_logprobs"] == pytest.approx(expected[0], abs=2e-3)
    assert [max(top.values()) for top in told["top_logprobs"]] == pytest.approx(expected[1].max(-1).values.tolist(), abs=2e-3)
    assert told["text_offset"] == [i for i, character in enumerate(DOCUMENT.decode()) for _ in character.encode()]


def test_texts_ids_and_lists_have_the_same_scores(server):
    alone = scored(server, DOCUMENT.decode(), max_tokens=0)[1]
    assert scored(server, list(DOCUMENT), max_tokens=0)[1] == alone == scored(server, [list(DOCUMENT)], max_tokens=0)[1]
    for prompt in ([256, *DOCUMENT], "<|endoftext|>" + DOCUMENT.decode()):
        _, told = scored(server, prompt, max_tokens=0)
        assert told["tokens"] == ["<end>", *alone["tokens"]] and told["token_logprobs"] == [None, *alone["token_logprobs"]], "as long as its ids"
        assert told["top_logprobs"] == [None, *alone["top_logprobs"]] and told["text_offset"] == [0, *alone["text_offset"]]
    whole = completion(server, prompt=[DOCUMENT.decode(), "Once"], echo=True, logprobs=1, max_tokens=0)
    assert [choice["index"] for choice in whole["choices"]] == [0, 1] and whole["choices"][0]["logprobs"] == alone
    assert whole["usage"] == {"prompt_tokens": len(DOCUMENT) + 4, "completion_tokens": 0, "total_tokens": len(DOCUMENT) + 4}


@pytest.mark.parametrize("max_tokens", [1, 7])
def test_each_id_of_prompt_and_completion_has_one_entry(server, max_tokens):
    """Including ids without text: half a character, and END. Harnesses remove the last entries by count."""
    for seed in range(12):
        asked = {"prompt": DOCUMENT.decode(), "echo": True, "logprobs": 1, "max_tokens": max_tokens, "temperature": 2, "seed": seed}
        choice = completion(server, **asked)["choices"][0]
        drawn = choice["logprobs"]["tokens"][len(DOCUMENT) :]
        assert len(drawn) == max_tokens or (drawn[-1] == "<end>" and choice["finish_reason"] == "stop")
        assert choice["text"].startswith(DOCUMENT.decode()) and len(choice["text"].encode()) <= len(DOCUMENT) + max_tokens
        told = ask(server, COMPLETIONS, asked | {"stream": True})[2]
        chunks = [json.loads(chunk.removeprefix("data: "))["choices"][0] for chunk in told.split("\n\n")[:-2]]
        assert "".join(chunk["text"] for chunk in chunks) == choice["text"]
        assert [token for chunk in chunks if chunk["logprobs"] for token in chunk["logprobs"]["tokens"]] == choice["logprobs"]["tokens"]


def test_a_prompt_is_echoed_without_logprobs_too(server):
    told = completion(server, prompt="Once", echo=True, seed=3, n=2)
    alone = completion(server, prompt="Once", seed=3, n=2)
    assert [choice["text"] for choice in told["choices"]] == ["Once" + choice["text"] for choice in alone["choices"]]
    assert told["usage"] == alone["usage"] and told["choices"][0]["logprobs"] is None


def test_an_empty_prompt_has_no_entries(server):
    assert scored(server, "", max_tokens=0)[1] == {"tokens": [], "token_logprobs": [], "top_logprobs": [], "text_offset": []}
    assert scored(server, [256], max_tokens=0)[1] == {"tokens": ["<end>"], "token_logprobs": [None], "top_logprobs": [None], "text_offset": [0]}


def test_scoring_does_not_block_others_and_is_never_partial(model_file):
    document = TEXT.decode() * 40
    with serving(model_file, limits=Limits(seconds=0.0)) as address:
        assert ask(address, COMPLETIONS, {"prompt": document, "echo": True, "logprobs": 1, "max_tokens": 0})[0] == 503, "half a score is none"
    with serving(model_file) as address:
        answers = []
        long = threading.Thread(target=lambda: answers.append(scored(address, [document] * 4, max_tokens=0)))
        begun = time.monotonic()
        long.start()
        time.sleep(0.1)
        _, told = scored(address, "Once", max_tokens=1)
        waited = time.monotonic() - begun
        long.join(60)
        assert len(told["tokens"]) == 5 and waited < (time.monotonic() - begun) / 2
        assert len(answers[0][1]["tokens"]) == len(document.encode())


def test_every_byte_can_be_scored(server):
    _, told = scored(server, [*range(256)], max_tokens=0)
    assert np.isfinite(told["token_logprobs"]).all()


def test_a_long_document_is_scored_to_its_end(server):
    document = TEXT * 5  # several times the context
    _, told = scored(server, document.decode(), max_tokens=0)
    assert len(told["tokens"]) == len(document) and np.isfinite(told["token_logprobs"]).all()
