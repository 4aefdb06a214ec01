"""Clients do not block each other, however much they request or how slowly they read; and shutdown ends all texts in time."""

import contextlib
import http.client
import json
import logging
import socket
import threading
import time
from urllib.parse import urlsplit

from tavu.serving.limits import MAX_BYTES, Limits
from tests.serving.conftest import CHAT, COMPLETIONS, ask, completion, serving

ENDLESS = {"prompt": "Once", "max_tokens": MAX_BYTES, "temperature": 0}
"""The noise of the tests' model never draws END at this temperature, so such a text has all its bytes."""


@contextlib.contextmanager
def asking(address, path, body):
    """A connection on which a request was sent, and whose response is not read."""
    where, data = urlsplit(address), json.dumps(body).encode()
    with socket.create_connection((where.hostname, where.port), timeout=10) as client:
        client.sendall(b"POST %s HTTP/1.1\r\nHost: localhost\r\nContent-Length: %d\r\n\r\n" % (path.encode(), len(data)) + data)
        yield client


def read_all(client):
    with contextlib.suppress(OSError):
        while client.recv(65_536):
            pass


def measured(address, name):
    return next(float(line.split()[1]) for line in ask(address, "/metrics")[2].splitlines() if line.startswith(name))


def until(holds, seconds=10.0):
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_one_request_with_many_texts_leaves_rows_for_others(model_file):
    with serving(model_file, limits=Limits(streams=4)) as address, asking(address, COMPLETIONS, ENDLESS | {"n": 8, "stream": True}) as crowd:
        assert crowd.recv(100)
        reading = threading.Thread(target=read_all, args=(crowd,), daemon=True)
        reading.start()
        begun = time.monotonic()
        told = completion(address, prompt="One", max_tokens=100, temperature=0)
        assert told["usage"]["completion_tokens"] == 100
        waited = time.monotonic() - begun
        assert measured(address, "tavu_texts_writing") >= 4, "and the many go on"
        until(lambda: measured(address, "tavu_texts_writing") == 0, 30)
        assert waited < (time.monotonic() - begun) / 2


def test_a_text_that_is_interrupted_does_not_change(model_file):
    asked = {"prompt": "Once", "max_tokens": 400, "temperature": 0.9, "seed": 11}
    with serving(model_file, limits=Limits(streams=2)) as address:
        alone = [completion(address, **asked | {"seed": 11 + i})["choices"][0]["text"] for i in range(4)]
        answers = []
        crowd = threading.Thread(target=lambda: answers.append(completion(address, **asked, n=4)))
        crowd.start()
        for i in range(6):
            completion(address, prompt="One", max_tokens=10, seed=i)
        crowd.join(30)
        assert [choice["text"] for choice in answers[0]["choices"]] == alone


def test_a_client_that_never_reads_has_bounded_memory_and_no_row(model_file):
    deaf = {"messages": [{"role": "user", "content": "Once"}], "max_tokens": MAX_BYTES, "temperature": 0, "n": 8, "stream": True}
    with serving(model_file, limits=Limits(streams=8, write_seconds=1.5)) as address, contextlib.ExitStack() as open_ones:
        clients = [open_ones.enter_context(asking(address, CHAT, deaf | {"logprobs": True, "top_logprobs": 20})) for _ in range(4)]
        for _ in range(3):
            told = completion(address, prompt="One", max_tokens=50, temperature=0)
            assert told["usage"]["completion_tokens"] == 50
        written = measured(address, "tavu_written_bytes_total")
        assert written < 4 * 8 * MAX_BYTES / 10, "most is never written"
        until(lambda: measured(address, "tavu_texts_writing") + measured(address, "tavu_texts_waiting") == 0)
        begun = time.monotonic()
        for client in clients:
            client.close()
        assert ask(address, "/healthz")[0] == 200 and time.monotonic() - begun < 1


def test_a_slow_reader_gets_everything(model_file):
    with serving(model_file, limits=Limits(write_seconds=1.0)) as address, asking(address, COMPLETIONS, ENDLESS | {"stream": True, "n": 4}) as client:
        content = b""
        while part := client.recv(16_384):
            content += part
            if len(content) < 400_000:
                time.sleep(0.05)  # longer in total than a client may be paused
            if content.endswith(b"0\r\n\r\n"):
                break
        assert content.count(b'"finish_reason":"length"') == 4 and b"data: [DONE]" in content


def test_large_responses_are_complete(server):
    asked = {"max_tokens": 700, "temperature": 0, "n": 2}
    body = asked | {"messages": [{"role": "user", "content": "Once"}], "logprobs": True, "top_logprobs": 20}
    told = ask(server, CHAT, body)[2]
    assert [len(choice["logprobs"]["content"]) for choice in told["choices"]] == [700, 700]
    chat = told["choices"][0]["logprobs"]["content"]
    told = completion(server, prompt="Once", **asked, logprobs=5)["choices"][1]
    assert [entry["token"] for entry in chat] == told["logprobs"]["tokens"] and len(told["logprobs"]["text_offset"]) == 700
    assert [entry["logprob"] for entry in chat] == told["logprobs"]["token_logprobs"]
    assert all(
        {top["token"]: top["logprob"] for top in one["top_logprobs"][:5]} == five
        for one, five in zip(chat, told["logprobs"]["top_logprobs"], strict=True)
    )


def test_idle_connections_make_room_for_active_ones(model_file):
    with serving(model_file, limits=Limits(connections=40, connections_of_one=20)) as address, contextlib.ExitStack() as open_ones:
        where = urlsplit(address)
        busy = http.client.HTTPConnection(where.hostname, where.port, timeout=30)
        open_ones.callback(busy.close)
        busy.request("POST", COMPLETIONS, json.dumps(ENDLESS | {"n": 8}))
        for _ in range(50):
            open_ones.enter_context(contextlib.closing(socket.create_connection((where.hostname, where.port), timeout=5)))
        assert ask(address, "/healthz")[0] == 200
        told = json.loads(busy.getresponse().read())
        assert [choice["finish_reason"] for choice in told["choices"]] == ["length"] * 8, "what is under way is left alone"


def test_when_all_connections_are_busy_the_next_must_retry(model_file):
    with serving(model_file, limits=Limits(connections_of_one=3, streams=1)) as address, contextlib.ExitStack() as open_ones:
        busy = [open_ones.enter_context(asking(address, COMPLETIONS, ENDLESS | {"stream": True, "n": 8})) for _ in range(3)]
        assert all(client.recv(10) for client in busy[:1])
        time.sleep(0.1)
        status, headers, _ = ask(address, "/healthz")
        assert status == 503 and headers["retry-after"] == "1"


def test_shutdown_ends_every_text_in_time(model_file, caplog):
    """Each stream ends with a final event, each other request with a response, and no error is logged."""
    caplog.set_level(logging.INFO)
    ends, clients = [], []

    def client(address, stream):
        status, _, told = ask(address, COMPLETIONS, ENDLESS | {"n": 4, "stream": stream, "logprobs": 5})
        if stream:
            *_, last, done, rest = told.split("\n\n")
            last = json.loads(last.removeprefix("data: "))
            ends.append((status, done, rest, last["choices"][0]["finish_reason"] if "choices" in last else last["error"]["code"]))
        else:
            ends.append((status, told["choices"][0]["finish_reason"] if status == 200 else told["error"]["code"]))

    with (
        serving(model_file, limits=Limits(shutdown_seconds=2, streams=8)) as address,
        asking(address, COMPLETIONS, ENDLESS | {"n": 4, "stream": True}),
    ):
        clients = [threading.Thread(target=client, args=(address, i % 2 == 0)) for i in range(24)]
        for one in clients:
            one.start()
        until(lambda: measured(address, "tavu_texts_waiting") > 50)
    for one in clients:
        one.join(10)
    kinds = {(200, "data: [DONE]", "", "length"), (200, "data: [DONE]", "", "interrupted"), (200, "length"), (503, "interrupted")}
    assert len(ends) == 24 and set(ends) <= kinds and {(200, "data: [DONE]", "", "length"), (200, "length")} <= set(ends)
    assert "Traceback" not in caplog.text and "Exception" not in caplog.text and "ancel" not in caplog.text
