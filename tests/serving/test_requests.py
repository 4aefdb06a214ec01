"""Requests in all their formats: equal meaning gives equal text, and unsupported fields are refused by name, in a sentence."""

import http.client
import json
from urllib.parse import urlsplit

import pytest

from tavu.language_model import load
from tavu.serving.limits import MAX_BYTES
from tests.serving.conftest import CHAT, COMPLETIONS, ask, completion, serving

TEXT = "Once upon a time"


def said(address, messages, **asked):
    status, _, told = ask(address, CHAT, {"messages": messages, "seed": 3, "max_tokens": 30} | asked)
    assert status == 200, told
    return told["choices"][0]["message"]["content"]


def refused(address, path, body):
    status, _, told = ask(address, path, body)
    assert status == 400 and told["error"]["type"] == "invalid_request_error", told
    return told["error"]["param"], told["error"]["message"]


# Conversations


def test_content_as_text_and_in_parts_is_the_same(server):
    plain = said(server, [{"role": "user", "content": TEXT}])
    assert said(server, [{"role": "user", "content": [{"type": "text", "text": TEXT}]}]) == plain
    parts = [{"type": "text", "text": "Once"}, {"type": "input_text", "text": "upon"}]
    assert said(server, [{"role": "user", "content": parts}]) == said(server, [{"role": "user", "content": "Once\nupon"}])


def test_other_fields_of_a_message_are_ignored(server):
    kept = {"name": "Ann", "refusal": None, "tool_calls": [{"id": "1"}], "annotations": []}
    messages = [{"role": "user", "content": "Hello"}, {"role": "assistant", "content": None} | kept, {"role": "user", "content": TEXT, "name": "Bo"}]
    assert said(server, messages) == said(server, [{"role": "user", "content": TEXT}])


def test_other_roles_are_mapped_to_trained_ones(chat_server):
    for role, taught in (("developer", "system"), ("tool", "user"), ("function", "user")):
        messages = [{"role": role, "content": "Be kind."}, {"role": "user", "content": TEXT}]
        assert said(chat_server, messages) == said(chat_server, [{"role": taught, "content": "Be kind."}, messages[1]])


def test_an_image_is_refused_with_its_position(server):
    picture = {"type": "image_url", "image_url": {"url": "data:,secret"}}
    param, message = refused(server, CHAT, {"messages": [{"role": "user", "content": [{"type": "text", "text": "What is it?"}, picture]}]})
    assert param == "messages.0.content" and message.startswith("messages: the first: content: it has a part that is not text")
    assert "secret" not in message


@pytest.mark.parametrize("count", [1, 65, 3001])
def test_a_conversation_may_have_any_length(chat_server, count):
    turns = [{"role": ("user", "assistant")[i % 2], "content": f"Hello {i}."} for i in range(count)]
    assert said(chat_server, turns) == said(chat_server, turns[-1:]), "the oldest messages are dropped if they do not fit"


# Fields


@pytest.mark.parametrize(
    ("path", "neutral"),
    [
        (COMPLETIONS, {"echo": False, "suffix": None, "best_of": 1, "logit_bias": {}, "frequency_penalty": 0, "presence_penalty": 0.0}),
        (CHAT, {"tools": [], "tool_choice": "none", "functions": [], "function_call": "auto", "response_format": {"type": "text"}}),
        (CHAT, {"modalities": ["text"], "audio": None, "web_search_options": None, "logit_bias": None, "response_format": None}),
        (CHAT, {"user": "me", "store": True, "metadata": {"a": "b"}, "service_tier": "auto", "parallel_tool_calls": True, "prediction": {"a": 1}}),
        (CHAT, {"safety_identifier": "x", "prompt_cache_key": "y", "reasoning_effort": "low", "verbosity": "low", "of_some_other_server": None}),
        (COMPLETIONS, {"ignore_eos": False, "guided_json": {}, "stop_token_ids": [], "grammar": "", "stream_options": {"include_obfuscation": True}}),
    ],
)
def test_fields_without_effect_are_ignored(server, path, neutral):
    body = {"prompt": TEXT} if path == COMPLETIONS else {"messages": [{"role": "user", "content": TEXT}]}
    body |= {"seed": 5, "max_tokens": 20}
    answers = [ask(server, path, one) for one in (body, body | neutral)]
    assert [status for status, _, _ in answers] == [200, 200]
    assert answers[0][2]["choices"] == answers[1][2]["choices"]


@pytest.mark.parametrize(
    ("path", "field", "value", "reason"),
    [
        (CHAT, "tools", [{"type": "function"}], "cannot call tools"),
        (CHAT, "tool_choice", "required", "cannot call tools"),
        (CHAT, "response_format", {"type": "json_object"}, "writes plain text"),
        (CHAT, "web_search_options", {}, "cannot search"),
        (CHAT, "echo", True, "only /v1/completions"),
        (COMPLETIONS, "logit_bias", {"50256": -100}, "cannot be set"),
        (COMPLETIONS, "best_of", 3, "request several with n"),
        (COMPLETIONS, "suffix", "The end.", "not fill a gap"),
        (COMPLETIONS, "frequency_penalty", 0.5, "repetition_penalty"),
        (COMPLETIONS, "max_token", 5, "Did you mean max_tokens?"),
        (COMPLETIONS, "grammar", "root ::= x", "/docs lists"),
    ],
)
def test_unsupported_fields_are_refused_by_name(server, path, field, value, reason):
    body = {"prompt": TEXT} if path == COMPLETIONS else {"messages": [{"role": "user", "content": TEXT}]}
    param, message = refused(server, path, body | {field: value})
    assert param == field and message.startswith(f"{field}: ") and reason in message


def test_max_tokens_is_limited(server):
    for asked in (MAX_BYTES, 8192, 32_768, 10**12, -1):
        told = completion(server, prompt=TEXT, temperature=0, max_tokens=asked)
        assert told["choices"][0]["finish_reason"] == "length" and told["usage"]["completion_tokens"] == MAX_BYTES
    cut = {"messages": [{"role": "user", "content": TEXT}], "temperature": 0, "max_tokens": 5}
    assert ask(server, CHAT, cut | {"max_completion_tokens": 7})[2]["usage"]["completion_tokens"] == 7
    assert ask(server, CHAT, cut | {"max_completion_tokens": None})[2]["usage"]["completion_tokens"] == 5
    assert completion(server, prompt=TEXT, max_tokens=None, temperature=0)["usage"]["completion_tokens"] == 1024
    assert completion(server, prompt=TEXT, max_tokens=0)["choices"][0] == {"index": 0, "finish_reason": "length", "text": "", "logprobs": None}


def test_no_prompt_is_an_empty_one(server):
    assert (
        completion(server, prompt=None, seed=1)["choices"]
        == completion(server, prompt="", seed=1)["choices"]
        == completion(server, seed=1)["choices"]
    )


def test_prompts_as_lists_and_as_ids_are_the_same(server):
    texts = ["Once", "yö", "The end"]
    told = completion(server, prompt=texts, seed=2)
    ids = completion(server, prompt=[list(text.encode()) for text in texts], seed=2)
    mixed = completion(server, prompt=["Once", [256, *"yö".encode()], list(b"The end")], seed=2)
    alone = [completion(server, prompt=text, seed=2)["choices"][0]["text"] for text in texts]
    for answer in (told, ids, mixed):
        assert [choice["text"] for choice in answer["choices"]] == alone
    assert completion(server, prompt=list(b"Once"), seed=2)["choices"][0]["text"] == alone[0]
    assert completion(server, prompt="<|endoftext|>Once", seed=2)["choices"][0]["text"] == alone[0], "the mark of a document's start is not text"


def test_ids_are_used_verbatim(chat_server, chat_file):
    told = completion(chat_server, prompt=list(b"User: Hi"), seed=2, max_tokens=20)
    from tavu.config import SamplingConfig

    assert told["choices"][0]["text"] == load(chat_file).write(b"User: Hi", SamplingConfig(max_bytes=20, seed=2))[0].text


def test_a_body_is_json_whatever_its_content_type(server):
    where = urlsplit(server)
    texts = []
    for headers in ({}, {"Content-Type": "application/x-www-form-urlencoded"}, {"Content-Type": "text/plain"}, {"Content-Type": "application/json"}):
        client = http.client.HTTPConnection(where.hostname, where.port, timeout=10)
        client.request("POST", COMPLETIONS, json.dumps({"prompt": TEXT, "seed": 4, "max_tokens": 20}), headers)
        response = client.getresponse()
        assert response.status == 200
        texts.append(json.loads(response.read())["choices"][0]["text"])
        client.close()
    assert len(set(texts)) == 1
    assert ask(server, COMPLETIONS, b"prompt=Once")[2]["error"]["message"].startswith("The body is not valid JSON. Send a JSON object")


@pytest.mark.parametrize(
    ("body", "param", "said"),
    [
        ({"request": {"words": ["x" * 201]}}, "request.words.0", "words: the first is longer than 200 characters"),
        ({"request": {"words": ["oak", "key", ""]}}, "request.words.2", "words: the third is empty"),
        ({"request": {"features": ["x"] * 9}}, "request.features", "features has too many entries, expected at most 8"),
        ({"request": {"insist": 99}}, "request.insist", "insist is too large"),
        ({"request": {"word": ["oak"]}}, "request.word", "word: this server does not know this field"),
        ({"stop": ["a", "b", "c", "d", "e"]}, "stop", "stop has too many entries, expected at most 4"),
        ({"temperature": 2.5}, "temperature", "temperature is too large, expected at most 2"),
        ({"top_p": 0}, "top_p", "top_p is too small, expected more than 0"),
        ({"seed": -1}, "seed", "seed is too small, expected at least 0"),
        ({"max_tokens": "20"}, "max_tokens", "max_tokens is not a whole number"),
        ({"prompt": [1, 2, 300]}, "prompt", "prompt: its ids are bytes, 0 to 255"),
        ({"prompt": [["a"]]}, "prompt", "prompt: a list of prompts must contain texts, or lists of ids of bytes"),
        ({"prompt": {"a": 1}}, "prompt", "prompt: it is neither text"),
        ({"prompt": ["a"] * 9, "n": 8}, "n", "n: with this many prompts it makes more than 32 texts"),
        ({"prompt": ["a"] * 33}, "prompt", "prompt: it has 33 prompts, at most 32"),
        ({"stream": "yes"}, "stream", "stream is neither true nor false"),
        ({"model": "gpt-4"}, "model", "It serves 'tales'"),
    ],
)
def test_an_error_is_a_sentence_with_its_field(server, body, param, said):
    status, _, told = ask(server, COMPLETIONS, body)
    assert status in (400, 404) and told["error"]["param"] == param and said in told["error"]["message"]
    assert told["error"]["message"].endswith((".", "?")) and "input" not in told["error"]["message"].lower()


def test_tokenize_and_detokenize_round_trip(server):
    status, _, info = ask(server, "/tokenizer_info")
    assert status == 200 and info["eos_token"] == "<|endoftext|>" and info["bos_token"] is None
    for text in ("", "Once", "yö 🐻", "one<|endoftext|>two<|endoftext|>"):
        ids = ask(server, "/tokenize", {"prompt": text, "add_special_tokens": False})[2]
        assert ids["count"] == len(ids["tokens"]) and ids["tokens"].count(256) == text.count("<|endoftext|>")
        assert ask(server, "/detokenize", {"tokens": ids["tokens"]})[2] == {"prompt": text}


def test_a_story_request_refuses_ids(server):
    assert refused(server, COMPLETIONS, {"prompt": [79], "request": {"words": ["oak"]}})[0] == "request"


def test_refused_requests_do_not_block_others(model_file):
    """Refused requests occupy no rows."""
    from tavu.serving.limits import Limits

    with serving(model_file, limits=Limits(streams=1, queue=0)) as address:
        for _ in range(5):
            assert ask(address, COMPLETIONS, {"tools": [1]})[0] == 400
        assert completion(address, prompt="Once")["usage"]["completion_tokens"] > 0
