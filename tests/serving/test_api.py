"""The HTTP API: the same texts as the command line, in OpenAI's format, and correct errors."""

import http.client
import json
import logging
import socket
import time
import urllib.request
from dataclasses import asdict
from urllib.parse import urlsplit

import pytest

from tavu.config import SamplingConfig
from tavu.data.records import Request
from tavu.evaluation.obedience import obedience
from tavu.language_model import load
from tavu.model_file import save_model
from tavu.serving.callers import Callers
from tavu.serving.keys import keys_of
from tavu.serving.limits import Limits
from tests.serving.conftest import ask, completion, serving

PROMPT = "Once upon a time, there was a little girl"


@pytest.fixture(scope="module")
def local(model_file):
    return load(model_file)


def events(address, path, **asked):
    """The chunks of a stream, and that it says when it is done."""
    _, _, text = ask(address, path, {"stream": True, "max_tokens": 60} | asked)
    *chunks, last, rest = text.split("\n\n")
    assert (last, rest) == ("data: [DONE]", "")
    return [json.loads(chunk.removeprefix("data: ")) for chunk in chunks]


@pytest.mark.parametrize("options", [{}, {"temperature": 0}, {"top_p": 0.7, "top_k": 20, "repetition_penalty": 1.3, "temperature": 1.2}])
@pytest.mark.parametrize("prompt", ["", PROMPT, "yö" * 40])
def test_the_server_writes_what_the_command_line_writes(server, local, prompt, options):
    written = local.write(prompt, SamplingConfig(max_bytes=60, seed=5, **options), count=3)
    told = completion(server, prompt=prompt, seed=5, n=3, **options)
    assert [choice["text"] for choice in told["choices"]] == [one.text for one in written]
    chunks = events(server, "/v1/completions", prompt=prompt, seed=5, n=3, **options)
    streamed = ["".join(c["text"] for chunk in chunks for c in chunk["choices"] if c["index"] == i) for i in range(3)]
    assert streamed == [one.text for one in written]


def test_stop_strings_length_and_usage(server, local):
    whole = local.write(PROMPT, SamplingConfig(max_bytes=60, seed=1))[0].text
    stop = whole[20:23]
    told = completion(server, prompt=PROMPT, seed=1, stop=[stop])
    assert told["choices"][0]["text"] == whole[: whole.index(stop)] and told["choices"][0]["finish_reason"] == "stop"
    num = len(told["choices"][0]["text"].encode())
    assert told["usage"] == {"prompt_tokens": len(PROMPT), "completion_tokens": num, "total_tokens": len(PROMPT) + num}
    *_, last = events(server, "/v1/completions", prompt=PROMPT, seed=1, stream_options={"include_usage": True})
    assert last["choices"] == [] and last["usage"]["prompt_tokens"] == len(PROMPT)


def test_log_probabilities_equal_the_models(server, local):
    torch = pytest.importorskip("torch")
    told = completion(server, prompt=PROMPT[:10], seed=2, max_tokens=20, temperature=0, logprobs=2)["choices"][0]
    document = (PROMPT[:10] + told["text"]).encode()
    logs = local.logits(torch.tensor([list(document)])).log_softmax(-1)[0]
    expected = [float(logs[i, byte]) for i, byte in enumerate(document)][10:]
    assert told["logprobs"]["token_logprobs"] == pytest.approx(expected, abs=1e-3)
    offsets, text = told["logprobs"]["text_offset"], told["text"]
    assert offsets == [i for i, character in enumerate(text) for _ in character.encode()]
    assert all(len(top) == 2 for top in told["logprobs"]["top_logprobs"])


def test_a_story_to_order(server, local):
    written = local.write_to_order(
        Request(words=("oak", "key"), features=("Dialogue",)), SamplingConfig(max_bytes=60, seed=3, insist=2), opening="Once"
    )
    told = completion(server, prompt="Once", seed=3, request={"words": ["oak", "key"], "features": ["Dialogue"], "insist": 2})
    assert told["choices"][0]["text"] == written[0].text


def test_a_finished_story_reports_what_it_obeys(server):
    asked = {"prompt": "Keys in the wood.", "request": {"words": ["key", "oak"], "features": ["Dialogue", "Twist"], "insist": 0}, "seed": 3, "n": 2}
    whole = completion(server, **asked)["choices"]
    for choice in whole:
        story = asked["prompt"] + choice["text"]
        wanted = Request(words=("key", "oak"), features=("Dialogue", "Twist"))
        assert {name: choice["obeyed"][name] for name in ("words", "features", "sentence")} == asdict(obedience(wanted, story))
        assert next(story[begin:end] for begin, end in choice["obeyed"]["places"]) == "Keys"
    chunks = [choice for chunk in events(server, "/v1/completions", **asked) for choice in chunk["choices"]]
    assert all(("obeyed" in choice) == (choice["finish_reason"] is not None) for choice in chunks)
    assert {choice["index"]: choice["obeyed"] for choice in chunks if "obeyed" in choice} == {one["index"]: one["obeyed"] for one in whole}
    assert "obeyed" not in completion(server, prompt="Once")["choices"][0]


def test_max_tokens_0_checks_an_existing_text(server):
    told = completion(server, prompt="An oak tree fell.", request={"words": ["oak", "key"]}, max_tokens=0)["choices"][0]
    assert told["text"] == "" and told["obeyed"] == {"words": {"oak": True, "key": False}, "features": {}, "sentence": None, "places": [[3, 6]]}


def test_the_official_client(server):
    openai = pytest.importorskip("openai")
    client = openai.OpenAI(base_url=f"{server}/v1", api_key="any", max_retries=0)
    name = client.models.list().data[0].id
    assert name == client.models.retrieve(name).id == "tales"
    one = client.completions.create(model=name, prompt=PROMPT, max_tokens=40, seed=1, n=2, logprobs=1, stop=["zzz"], top_p=0.9, temperature=0.5)
    pieces = client.completions.create(model=name, prompt=PROMPT, max_tokens=40, seed=1, top_p=0.9, temperature=0.5, stream=True)
    assert one.choices[0].text == "".join(piece.choices[0].text for piece in pieces) and one.usage.completion_tokens <= 80
    said = [{"role": "system", "content": "Be kind."}, {"role": "user", "content": PROMPT}]
    chat = client.chat.completions.create(model=name, messages=said, max_tokens=40, seed=1, logprobs=True, top_logprobs=3)
    told = client.chat.completions.create(model=name, messages=said, max_tokens=40, seed=1, stream=True, stream_options={"include_usage": True})
    chunks = list(told)
    assert chat.choices[0].message.content == "".join(c.choices[0].delta.content or "" for c in chunks if c.choices)
    assert len(chat.choices[0].logprobs.content) == chat.usage.completion_tokens == chunks[-1].usage.completion_tokens
    with pytest.raises(openai.NotFoundError, match="no model of that name"):
        client.completions.create(model="gpt", prompt="")
    with pytest.raises(openai.BadRequestError, match="temperature is too large, expected at most 2"):
        client.completions.create(model=name, prompt="", temperature=9)
    client.close()


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b"{bad", "not valid JSON"),
        (b'{"prompt": "\xff\xfe"}', "UTF-8"),
        (b'{"prompt": "secret \\ud800"}', "prompt"),
        (b"[]", "The body"),
        (b"[" * 100_000, "JSON"),
        ({"prompt": 5}, "prompt"),
        ({"prompt": "secret" * 15_000}, "prompt: it has 90,000 bytes"),
        ({"a secret": 1}, "a field that this server does not know"),
        ({"max_tokens": -2}, "max_tokens"),
        (b'{"temperature": NaN}', "temperature"),
        ({"n": True}, "n is not a whole number"),
        ({"stop": ""}, "stop"),
    ],
)
def test_errors_never_echo_what_was_sent(server, caplog, body, said):
    caplog.set_level(logging.INFO)
    status, headers, told = ask(server, "/v1/completions", body)
    assert status == 400 and said in told["error"]["message"] and told["error"]["type"] == "invalid_request_error"
    assert "content-security-policy" in headers
    time.sleep(0.02)
    assert "POST /v1/completions 400" in caplog.text and "secret" not in caplog.text + str(told)


def test_other_paths_methods_and_sites(server):
    assert ask(server, "/nothing")[0] == 404
    status, headers, _ = ask(server, "/v1/completions", method="DELETE")
    assert status == 405 and headers["allow"] == "POST"
    got, asked = (urllib.request.urlopen(urllib.request.Request(server + "/healthz", method=method), timeout=10) for method in ("GET", "HEAD"))
    assert asked.status == 200 and asked.read() == b"" and asked.headers["content-length"] == got.headers["content-length"]
    assert ask(server, "/v1/models", headers={"Origin": "https://elsewhere.example"})[0] == 403
    assert ask(server, "/v1/models", headers={"Host": "elsewhere.example"})[0] == 403
    assert ask(server, "/v1/models", headers={"Origin": server})[0] == 200
    status, _, told = ask(server, "/metrics")
    assert status == 200 and "tavu_written_bytes_total" in told
    assert ask(server, "/healthz")[2] == {"status": "ok"}


def test_large_and_slow_bodies(model_file):
    with serving(model_file, limits=Limits(head_seconds=0.3, body_bytes=10_000)) as address:
        assert ask(address, "/v1/completions", b"x" * 20_000)[0] == 413
        for begin in (b"", b"GET / HT", b"POST /v1/completions HTTP/1.1\r\nHost: localhost\r\nContent-Length: 50\r\n\r\n{"):
            with socket.create_connection((urlsplit(address).hostname, urlsplit(address).port), timeout=5) as client:
                client.sendall(begin)
                assert b" 408 " in client.recv(4096).split(b"\r\n")[0]


def test_keys_open_the_server(model_file):
    with serving(model_file, keys=keys_of("right", "also"), callers=Callers(any_host=True)) as address:
        for key, expected in (("right", 200), ("also", 200), ("wrong", 401), ("", 401), ("\xff", 401)):
            status, _, told = ask(address, "/v1/models", headers={"Authorization": f"Bearer {key}"})
            assert status == expected and (status == 200 or told["error"]["code"] == "invalid_api_key")
        assert [ask(address, path)[0] for path in ("/", "/page/studio.js", "/healthz", "/metrics", "/studio/facts", "/v1/models")] == [200] * 3 + [
            401
        ] * 3


def test_a_full_queue_says_when_to_retry_and_disconnecting_frees_a_row(model_file):
    with serving(model_file, limits=Limits(streams=1, queue=7)) as address:
        where = urlsplit(address)
        stream = {"stream": True, "max_tokens": 4096, "temperature": 0, "logprobs": 5, "n": 8}
        client = http.client.HTTPConnection(where.hostname, where.port)
        client.request("POST", "/v1/completions", json.dumps(stream), {"Content-Type": "application/json"})
        response = client.getresponse()
        response.read(10)
        status, headers, told = ask(address, "/v1/completions", {"max_tokens": 1, "n": 8})
        assert status == 429 and int(headers["retry-after"]) >= 1 and told["error"]["type"] == "rate_limit_error"
        client.sock.close()
        response.close()
        deadline = time.monotonic() + 5
        while ask(address, "/v1/completions", {"max_tokens": 1, "n": 8})[0] != 200:
            assert time.monotonic() < deadline
            time.sleep(0.02)
        written = next(line for line in ask(address, "/metrics")[2].splitlines() if line.startswith("tavu_written_bytes_total"))
        assert float(written.split()[1]) < 8 * 4096


def test_prompts_are_logged_only_when_asked(model_file, caplog):
    caplog.set_level(logging.INFO)
    for log_prompts in (False, True):
        with serving(model_file, log_prompts=log_prompts) as address:
            completion(address, prompt="a secret", max_tokens=1)
        assert ("a secret" in caplog.text) == log_prompts


def test_time_is_limited(model_file):
    with serving(model_file, limits=Limits(seconds=0.0)) as address:
        told = completion(address, max_tokens=4096)
        assert told["choices"][0]["finish_reason"] == "length" and told["usage"]["completion_tokens"] < 4096


@pytest.mark.parametrize(
    "facts", [{"features": 5}, {"features": [1, "Twist"]}, {"val_bpb": float("nan")}, {"val_bpb": "low", "note": 7}, {"seconds": 10**400}]
)
def test_facts_of_a_wrong_type_are_ignored(model_file, tmp_path, facts):
    file = tmp_path / "odd.safetensors"
    save_model(file, load(model_file).network, {"records": "stories"} | facts)
    with serving(file) as address:
        status, _, told = ask(address, "/studio/facts")
    assert status == 200 and all(told[name] in (None, [], ["Twist"]) for name in facts)
