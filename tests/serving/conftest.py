"""Servers of tiny models, in threads of the test process, on a free port."""

import contextlib
import json
import threading
import time
import urllib.request
from pathlib import Path

import pytest

pytest.importorskip("fastapi")
pytest.importorskip("uvicorn")

import uvicorn

from tavu.engine import native
from tavu.model_file import save_model
from tavu.stored_model import open_model
from tests.conftest import CONFIGS, noisy_model

collect_ignore = [] if native.is_built() else [path.name for path in Path(__file__).parent.glob("test_*.py")]

COMPLETIONS, CHAT = "/v1/completions", "/v1/chat/completions"


@pytest.fixture(scope="session")
def model_file(tmp_path_factory):
    """A run folder's model that follows requests (in form: its parameters are noise), with a report beside it."""
    folder = tmp_path_factory.mktemp("served") / "tales"
    folder.mkdir()
    save_model(folder / "model.safetensors", noisy_model(CONFIGS["words"]), {"records": "stories", "features": ["Dialogue", "Twist"], "bits": 16})
    (folder / "report.html").write_text("<!doctype html><style>p { color: green }</style><p>How it learned</p>", encoding="utf-8")
    return folder / "model.safetensors"


@pytest.fixture(scope="session")
def chat_file(tmp_path_factory):
    """A model that converses, in form."""
    file = tmp_path_factory.mktemp("served") / "talker.safetensors"
    save_model(file, noisy_model(CONFIGS["words"]), {"records": "chat", "bits": 16})
    return file


@pytest.fixture(scope="session")
def plain_file(tmp_path_factory):
    """A model of plain text, in form."""
    file = tmp_path_factory.mktemp("served") / "plain.safetensors"
    save_model(file, noisy_model(CONFIGS["words"]), {"kind": "text", "bits": 16})
    return file


@contextlib.contextmanager
def serving(path, **options):
    """The address of a server, while it lasts."""
    from tavu.serving.api import create_app
    from tavu.serving.limits import Limits
    from tavu.serving.server import listen, make_server

    limits = options.setdefault("limits", Limits())
    listener = listen("127.0.0.1", 0)
    server: uvicorn.Server = make_server(create_app(open_model(path), **options), limits)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
    thread.start()
    deadline = time.monotonic() + 10
    while not server.started and time.monotonic() < deadline:
        time.sleep(0.01)
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join(30)
        assert not thread.is_alive()


@pytest.fixture(scope="session")
def server(model_file):
    with serving(model_file) as address:
        yield address


@pytest.fixture(scope="session")
def chat_server(chat_file):
    with serving(chat_file) as address:
        yield address


def ask(address, path, body=None, headers=None, method=None):
    """(status, headers, JSON or text) of one request; a body that is not bytes is sent as JSON."""
    data = body if body is None or isinstance(body, bytes) else json.dumps(body).encode()
    request = urllib.request.Request(address + path, data, {"Content-Type": "application/json"} | (headers or {}), method=method)
    try:
        with urllib.request.urlopen(request, timeout=30) as response:
            status, told, content = response.status, response.headers, response.read()
    except urllib.error.HTTPError as error:
        status, told, content = error.code, error.headers, error.read()
    return status, told, json.loads(content) if "json" in told.get("content-type", "") else content.decode()


def completion(address, **asked):
    status, _, told = ask(address, COMPLETIONS, {"max_tokens": 60} | asked)
    assert status == 200, told
    return told
