"""What well-known clients send by their own defaults, as it was caught on its way from them; each is answered.

openai 2.54, langchain-openai 1.7 (ChatOpenAI and OpenAI), llama-index-llms-openai-like 0.8, llm 0.32 and lm-eval 0.4 (local-completions).
"""

import json

import pytest

from tests.serving.conftest import CHAT, COMPLETIONS, ask

USER = {"role": "user", "content": "Once"}
BODIES = {
    "openai, chat": (
        CHAT,
        {"messages": [{"role": "developer", "content": "Be kind."}, {"role": "user", "content": [{"type": "text", "text": "Once"}]}]},
    ),
    "openai, stream": (CHAT, {"messages": [USER], "max_completion_tokens": 16384, "stream": True, "stream_options": {"include_usage": True}}),
    "openai, completion": (COMPLETIONS, {"prompt": "Once upon a time", "logprobs": 2, "max_tokens": 20}),
    "langchain, ChatOpenAI": (CHAT, {"messages": [{"content": "Once", "role": "user"}], "stream": False}),
    "langchain, ChatOpenAI with a limit": (CHAT, {"messages": [USER], "max_completion_tokens": 8192, "stop": ["."], "stream": False}),
    "langchain, OpenAI": (
        COMPLETIONS,
        {"prompt": ["Once", "One day"], "frequency_penalty": 0, "logprobs": None, "max_tokens": 256, "n": 1, "presence_penalty": 0}
        | {"seed": None, "temperature": 0.7, "top_p": 1},
    ),
    "llama-index, complete": (COMPLETIONS, {"prompt": "Once", "stream": False, "temperature": 0.1}),
    "llama-index, chat": (CHAT, {"messages": [{"role": "system", "content": "Be kind"}, USER], "stream": False, "temperature": 0.1}),
    "llm": (CHAT, {"messages": [{"role": "system", "content": "Be kind"}, USER], "max_tokens": 60, "seed": 3, "stream": False}),
    "llm, a conversation": (
        CHAT,
        {"messages": [USER, {"role": "assistant", "content": ", there was"}, USER], "stream": True, "stream_options": {"include_usage": True}},
    ),
    "llm, completion": (COMPLETIONS, {"prompt": "Once", "max_tokens": 40, "stream": True, "stream_options": {"include_usage": True}}),
    "lm-eval, a choice scored": (
        COMPLETIONS,
        {"prompt": [[79, 110, 99, 101]], "temperature": 0, "max_tokens": 1, "logprobs": 1, "seed": 1234, "echo": True},
    ),
    "lm-eval, choices as texts": (
        COMPLETIONS,
        {"prompt": ["Tom was happy", "Tom was seven"], "temperature": 0, "max_tokens": 1, "logprobs": 1, "seed": 1234, "echo": True},
    ),
    "lm-eval, a document scored": (
        COMPLETIONS,
        {"prompt": [[256, 79, 110, 99, 101]], "temperature": 0, "max_tokens": 1, "logprobs": 1, "seed": 1234, "echo": True},
    ),
    "lm-eval, text": (
        COMPLETIONS,
        {"prompt": [[79, 110, 99, 101]], "max_tokens": 40, "temperature": 0, "stop": [".", "<|endoftext|>"], "seed": 1234},
    ),
    "lm-eval, tokenizer": ("/tokenize", {"prompt": "test", "add_special_tokens": False}),
}


@pytest.mark.parametrize("client", BODIES)
def test_default_requests_of_clients_are_answered(server, client):
    path, body = BODIES[client]
    status, headers, told = ask(server, path, ({} if path == "/tokenize" else {"model": "tales"}) | body)
    assert status == 200, told
    if not body.get("stream"):
        assert (
            told["tokens"] == [*b"test"] if path == "/tokenize" else all(choice["finish_reason"] in ("stop", "length") for choice in told["choices"])
        )
        return
    assert headers["content-type"].startswith("text/event-stream")
    *chunks, last, done, rest = told.split("\n\n")
    assert (done, rest) == ("data: [DONE]", "") and json.loads(last.removeprefix("data: "))["usage"]["total_tokens"] > 0 and chunks
