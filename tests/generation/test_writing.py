"""Texts consist of whole characters, are equal alone and in a batch, streamed or not, and stop where they should."""

import codecs
import dataclasses

import pytest
import torch

from tavu.config import SamplingConfig
from tavu.generation.decoder import TorchWriter, prompt_ids
from tavu.generation.writing import Written, stream, write
from tavu.model.interface import Model
from tavu.vocabulary import END

WILD = SamplingConfig(temperature=1.5, max_bytes=150)
GREEDY = SamplingConfig(temperature=0, max_bytes=40)
PROMPTS = (b"", b"Once", "yö".encode(), "yö".encode()[:-1], "日".encode()[:1], "日".encode()[:2], "🐻".encode()[:3], b"\xff\xe6", b"\x00")


def with_(config: SamplingConfig, **changes) -> SamplingConfig:
    return dataclasses.replace(config, **changes)


def same(a: Written, b: Written) -> bool:
    return (a.content, a.stopped) == (b.content, b.stopped)


def open_character(prompt: bytes) -> bytes:
    """The bytes of an incomplete character at the end of a prompt."""
    decoder = codecs.getincrementaldecoder("utf-8")(errors="ignore")
    decoder.decode(prompt)
    return decoder.getstate()[0]


@torch.inference_mode()
def most_likely_ending(model: Model, prompt: bytes) -> bytes:
    """Greedy text, computed with forward passes only."""
    ids = prompt_ids(prompt)
    while ids.size(1) < model.config.max_seq_len:
        logits = model(torch.cat((ids, torch.zeros(1, 1, dtype=torch.long)), dim=1))[0, -1]
        if logits.argmax() == END:
            break
        ids = torch.cat((ids, logits.argmax()[None, None]), dim=1)
    return bytes(ids[0, 1 + len(prompt) :].tolist())


def test_a_text_in_a_batch_equals_the_text_of_its_seed(model):
    texts = write(TorchWriter(model), b"Once", with_(WILD, seed=7, max_bytes=90), count=4)
    assert len({text.content for text in texts}) == 4
    for i, text in enumerate(texts):
        assert same(text, write(TorchWriter(model), b"Once", with_(WILD, seed=7 + i, max_bytes=90))[0])


@pytest.mark.parametrize("prompt", PROMPTS)
def test_texts_are_whole_characters_even_after_half_of_one(either_model, prompt):
    begun = open_character(prompt)
    for text in write(TorchWriter(either_model), prompt, WILD, count=8):
        (begun + text.content).decode()  # raises for anything that is not UTF-8
        assert text.stopped in ("end", "length") and len(text.content) <= WILD.max_bytes
        if text.stopped == "length":
            assert len(text.content) > WILD.max_bytes - 4


@pytest.mark.parametrize("max_bytes", [1, 2, 3, 4])
def test_a_character_that_max_bytes_cuts_is_dropped(either_model, max_bytes):
    for text in write(TorchWriter(either_model), b"", with_(WILD, max_bytes=max_bytes, temperature=3), count=40):
        text.content.decode()


@pytest.mark.parametrize("prompt", PROMPTS)
def test_a_stream_joined_is_the_text(either_model, prompt):
    for seed in range(4):
        config = with_(WILD, seed=seed, max_bytes=40, stop=("a", "e\n", "\x07"))
        pieces = list(stream(TorchWriter(either_model), prompt, config))
        assert all(pieces) and "\ufffd" not in "".join(pieces)
        text = write(TorchWriter(either_model), prompt, config)[0]
        begun = open_character(prompt) if text.content else b""
        assert "".join(pieces) == (begun + text.content).decode()


def test_a_stream_of_raw_bytes_is_the_text_too(either_model):
    for seed in range(6):
        config = with_(WILD, seed=seed, max_bytes=60, valid_utf8=False)
        (text,) = write(TorchWriter(either_model), b"", config)
        assert "".join(stream(TorchWriter(either_model), b"", config)) == text.text


def test_raw_bytes_are_all_kept_and_need_not_be_text(either_model):
    texts = write(TorchWriter(either_model), b"", with_(WILD, valid_utf8=False, max_bytes=100), count=6)
    assert all(len(text.content) == 100 for text in texts if text.stopped == "length")
    assert any("\ufffd" in text.text for text in texts)
    assert len({byte for text in texts for byte in text.content}) > 100


def test_writing_continues_past_the_context(either_model):
    config = with_(GREEDY, max_bytes=3 * either_model.config.max_seq_len, valid_utf8=False)
    first, again = write(TorchWriter(either_model), b"Once upon a time", config)[0], write(TorchWriter(either_model), b"Once upon a time", config)[0]
    assert same(first, again)
    assert first.stopped == "end" or len(first.content) == config.max_bytes


def test_greedy_text_is_the_argmax_of_forward(trained_model, either_model):
    for prompt in (b"hel", b"tick to", b""):
        assert write(TorchWriter(trained_model), prompt, GREEDY)[0].content == most_likely_ending(trained_model, prompt)[: GREEDY.max_bytes]
    expected = most_likely_ending(either_model, b"Once")[: GREEDY.max_bytes]
    assert write(TorchWriter(either_model), b"Once", with_(GREEDY, valid_utf8=False))[0].content == expected


def test_greedy_does_not_depend_on_the_seed(trained_model):
    texts = write(TorchWriter(trained_model), b"tick", GREEDY, count=3)
    assert same(texts[0], texts[1]) and same(texts[0], texts[2])
    assert same(texts[0], write(TorchWriter(trained_model), b"tick", with_(GREEDY, seed=99))[0])


def test_end_ends_a_text(trained_model):
    (text,) = write(TorchWriter(trained_model), b"hel", GREEDY)
    assert (text.content, text.stopped, text.text) == (b"lo there.", "end", "lo there.")
    assert "".join(stream(TorchWriter(trained_model), b"hel", GREEDY)) == "lo there."
    assert text.seconds > 0 and text.bytes_per_second > 0


def test_max_bytes_ends_a_text(trained_model):
    (text,) = write(TorchWriter(trained_model), b"tick ", with_(GREEDY, max_bytes=9))
    assert (text.content, text.stopped) == (b"tock tick", "length")


@pytest.mark.parametrize(
    ("stop", "content", "stopped"),
    [
        (("there",), b"lo ", "stop"),
        (("l",), b"", "stop"),
        (("re.", "ere"), b"lo th", "stop"),
        (("there!",), b"lo there.", "end"),
        (("here..",), b"lo there.", "end"),
        (("x", "e."), b"lo ther", "stop"),
        (("hello",), b"lo there.", "end"),  # the prompt is not searched
    ],
)
def test_a_stop_string_ends_a_text_before_it(trained_model, stop, content, stopped):
    config = with_(GREEDY, stop=stop)
    (text,) = write(TorchWriter(trained_model), b"hel", config)
    assert (text.content, text.stopped) == (content, stopped)
    assert "".join(stream(TorchWriter(trained_model), b"hel", config)) == content.decode()


def test_half_of_a_stop_string_at_the_length_is_text(trained_model):
    (text,) = write(TorchWriter(trained_model), b"hel", with_(GREEDY, stop=("there",), max_bytes=5))
    assert (text.content, text.stopped) == (b"lo th", "length")
    (text,) = write(TorchWriter(trained_model), b"hel", with_(GREEDY, stop=("there",), max_bytes=8))
    assert (text.content, text.stopped) == (b"lo ", "stop")


def test_rows_that_end_at_different_times(trained_model):
    config = SamplingConfig(temperature=1.0, max_bytes=30, seed=3)
    texts = write(TorchWriter(trained_model), b"", config, count=5)
    assert {text.stopped for text in texts} == {"end", "length"} and len({len(text.content) for text in texts}) > 1
    for i, text in enumerate(texts):
        assert same(text, write(TorchWriter(trained_model), b"", with_(config, seed=3 + i))[0])


def test_a_repetition_penalty_ends_a_loop(trained_model):
    loop = write(TorchWriter(trained_model), b"tick", with_(GREEDY, max_bytes=200))[0].content
    assert (b" tock tick" * 20).startswith(loop[:150])
    other = write(TorchWriter(trained_model), b"tick", with_(GREEDY, max_bytes=200, repetition_penalty=10.0))[0].content
    assert other != loop
    (text,) = write(TorchWriter(trained_model), b"tick tock tick tock", with_(GREEDY, repetition_penalty=1e6))
    assert not text.content.startswith(b" tick")  # the prompt counts as written


def test_a_stream_yields_text_as_it_is_written(trained_model):
    pieces = stream(TorchWriter(trained_model), b"tick", with_(GREEDY, max_bytes=1000))
    assert [next(pieces) for _ in range(5)] == list(" tock")
    pieces.close()


def test_bfloat16_writes_too(either_model):
    for text in write(TorchWriter(either_model, torch.bfloat16), b"Once", WILD, count=3):
        text.content.decode()


def test_writing_does_not_change_the_model_or_torchs_generator(either_model):
    before, state = {name: p.clone() for name, p in either_model.named_parameters()}, torch.get_rng_state()
    write(TorchWriter(either_model), b"Once", with_(WILD, max_bytes=20))
    assert all(torch.equal(p, before[name]) for name, p in either_model.named_parameters())
    assert torch.equal(torch.get_rng_state(), state)
    assert not torch.is_inference_mode_enabled()


def test_an_abandoned_stream_leaves_torch_as_it_was(trained_model):
    pieces = stream(TorchWriter(trained_model), b"tick", GREEDY)
    next(pieces)
    assert not torch.is_inference_mode_enabled()
    pieces.close()
    assert not torch.is_inference_mode_enabled()
