"""A local endpoint that writes acceptable stories, or whatever a test makes it do."""

import json
import re
import socket
import threading
import time
from collections import Counter
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from tavu.data.tales import tell
from tavu.synthesis import run
from tests.cli.conftest import answer, process, refused, small, tavu  # noqa: F401

KEY = "sk-very-secret-0123456789"


def story(prompt: str, number: int) -> str:
    """A story that obeys a prompt: a tale, the words that it names, and dialogue."""
    words = re.findall(r'(?:verb|noun|adjective|word) "([^"]+)"', prompt)
    return f'{tell(1, number).text}\n"Remember the {", the ".join(words or ["oak"])}," said Ada.'


class Endpoint(ThreadingHTTPServer):
    """Answers the n-th question for a prompt by `say(prompt, seed, n) -> (status, headers, body)`, and keeps what it was asked."""

    daemon_threads = True

    def __init__(self, say):
        self.say, self.asked, self.answered = say, Counter(), Counter()
        self.bodies, self.headers_seen, self.times, self.under_way, self.most_under_way = [], [], [], 0, 0
        self.lock = threading.Lock()
        super().__init__(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/v1"

    def handle_error(self, request, client_address):
        pass  # killed clients close their connections


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self):
        server, body = self.server, json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        seed, prompt = body["seed"], body["messages"][0]["content"]
        with server.lock:
            nth = server.asked[seed]
            server.asked[seed] += 1
            server.bodies.append(body)
            server.headers_seen.append(self.headers)
            server.times.append(time.monotonic())
            server.under_way += 1
            server.most_under_way = max(server.most_under_way, server.under_way)
        try:
            status, headers, content = server.say(prompt, seed, nth)
            content = content if isinstance(content, bytes) else json.dumps(content).encode()
            self.send_response(status)
            for name, value in ({"Content-Type": "application/json", "Content-Length": len(content)} | headers).items():
                self.send_header(name, str(value))
            self.end_headers()
            self.wfile.write(content)
            self.wfile.flush()
            with server.lock:
                server.answered[seed] += status == 200
        finally:
            with server.lock:
                server.under_way -= 1
        if int(headers.get("Content-Length", 0)) > len(content):  # a truncated body
            self.connection.shutdown(socket.SHUT_RDWR)
            self.close_connection = True

    def log_message(self, *arguments):
        pass


def completion(text, *, finish_reason="stop", usage=True):
    """The body of a good answer."""
    choice = {"index": 0, "finish_reason": finish_reason, "message": {"role": "assistant", "content": text}}
    counts = {"usage": {"prompt_tokens": 100, "completion_tokens": 200, "total_tokens": 300}} if usage else {}
    return {"id": "1", "object": "chat.completion", "created": 0, "model": "stub", "choices": [choice]} | counts


def good(prompt, seed, nth):
    return 200, {}, completion(story(prompt, seed))


@pytest.fixture
def serve(monkeypatch):
    """serve(say) -> an Endpoint. Pauses are short, and there is no key."""
    monkeypatch.setattr(run, "FIRST_PAUSE", 0.01)
    monkeypatch.setattr(run, "LONGEST_PAUSE", 0.05)
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    servers = []

    def start(say=good):
        servers.append(Endpoint(say))
        return servers[-1]

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()


@pytest.fixture
def ask(tavu, tmp_path):  # noqa: F811
    """ask(server, "--count", 5) -> (exit status, standard output, standard error) of tavu synthesize."""

    def call(server, *arguments):
        return tavu("synthesize", "--endpoint", server.url, "--model", "stub", "--out", tmp_path / "out.jsonl", *arguments)

    return call


def rows(path):
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
