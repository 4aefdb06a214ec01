"""A local judge that is good, down, slow or answers nonsense: no answer is lost, and failures are reported."""

import contextlib
import json
import re
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from tavu.errors import TavuError
from tavu.evaluation import judge as judging
from tavu.evaluation.judge import BY_MODEL, OTHER, SHUFFLED, TRUE, cases_of, grades_of, judge, measures_of, token_estimate
from tavu.evaluation.stories import Story

STORIES = [
    Story(f"Tom has {n} hens. ", "They all ran away.", "end", f"He feeds them. They eat. They sleep. {n} is not many.", {}) for n in range(2, 8)
]
GOOD = "Grammar: {0}/10\nCreativity: {0}/10\nConsistency: {0}/10\nPlot: {0}/10\nAge group: B"


class Judge(ThreadingHTTPServer):
    """Answers chat requests by `say(messages) -> (status, text)`, and counts them."""

    daemon_threads = True

    def __init__(self, say):
        self.say, self.asked, self.keys = say, [], set()
        super().__init__(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.serve_forever, daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/v1"


class Handler(BaseHTTPRequestHandler):
    def do_POST(self):
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.server.asked.append(body)
        self.server.keys.add(self.headers.get("Authorization"))
        status, text = self.server.say(body["messages"])
        message = {"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": text}}
        answer = {"id": "1", "object": "chat.completion", "created": 0, "model": body["model"], "choices": [message]}
        content = json.dumps(answer if status == 200 else {"error": {"message": text}}).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        with contextlib.suppress(ConnectionError):  # the client may have timed out
            self.wfile.write(content)

    def log_message(self, *arguments):
        pass


@pytest.fixture
def serve(monkeypatch):
    monkeypatch.setattr(judging, "MAX_RETRIES", 0)
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    servers = []

    def start(say):
        servers.append(Judge(say))
        return servers[-1]

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()


def fair(messages):
    """A judge that knows the true endings."""
    if len(messages) == 1:
        return 200, "It is well written."
    is_true = any(f"{s.beginning}***{s.true_end}" in messages[0]["content"] for s in STORIES)
    return 200, GOOD.format(9 if is_true else 4)


def test_every_ending_is_graded_after_an_assessment(serve, tmp_path, monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", "secret")
    server, cases = serve(fair), cases_of(STORIES, 3)
    assert sorted(case.by for case in cases) == sorted([BY_MODEL] * 6 + [TRUE, SHUFFLED, OTHER] * 3)
    verdicts = judge(server.url, "m", cases, tmp_path / "new" / "kept.jsonl")
    assert len(server.asked) == 2 * len(cases) and server.keys == {"Bearer secret"}
    assert all(body["model"] == "m" and body["temperature"] == 0 for body in server.asked)
    assert [len(body["messages"]) for body in server.asked[:2]] == [1, 3]
    values = {m.name: m.value for m in measures_of(verdicts)}
    assert values["grammar of the model"] == 4 and values["plot of true ending"] == 9 and values["age of the model"] == 4.5
    assert values["true ending above shuffled ending (half: it cannot judge)"] == values["answers that could be read"] == 1
    rows = [json.loads(line) for line in (tmp_path / "new" / "kept.jsonl").read_text().splitlines()]
    assert len(rows) == len(cases) and {row["assessment"] for row in rows} == {"It is well written."} and "secret" not in json.dumps(rows)


def test_a_second_run_continues(serve, tmp_path):
    cases, kept, left = cases_of(STORIES, 1), tmp_path / "kept.jsonl", [5]

    def say(messages):
        left[0] -= 1
        return fair(messages) if left[0] >= 0 else (500, "out of memory")

    server = serve(say)
    with pytest.raises(TavuError, match=r"refused with status 500: .*out of memory.* are kept: run the command again"):
        judge(server.url, "m", cases, kept)
    assert len(kept.read_text().splitlines()) == 2
    kept.write_text(kept.read_text() + '{"key": "cut')
    kept.write_text(kept.read_text() + "\n")
    left[0] = 1000
    judge(server.url, "m", cases, kept)
    assert len(server.asked) == 6 + 2 * (len(cases) - 2)
    asked = len(server.asked)
    judge(server.url, "m", cases, kept)
    assert len(server.asked) == asked
    judge(server.url, "other model", cases[:1], kept)
    assert len(server.asked) == asked + 2


def test_nonsense_is_asked_again_and_counted(serve, tmp_path):
    server, cases = serve(lambda messages: (200, "I like stories.")), cases_of(STORIES[:1], 0)
    verdicts = judge(server.url, "m", cases, tmp_path / "kept.jsonl")
    assert len(server.asked) == 3 and verdicts[0].grades is None and verdicts[0].answer == "I like stories."
    assert {m.name: m.value for m in measures_of(verdicts)} == {"answers that could be read": 0}


def test_reference_endings_expose_a_judge_that_cannot_judge(serve, tmp_path):
    server = serve(lambda messages: (200, GOOD.format(7)))
    values = {m.name: m.value for m in measures_of(judge(server.url, "m", cases_of(STORIES, 6), tmp_path / "kept"))}
    assert values["true ending above shuffled ending (half: it cannot judge)"] == 0.5


def test_a_judge_that_is_down_or_slow_or_refuses(serve, tmp_path, monkeypatch):
    cases = cases_of(STORIES[:1], 0)
    with pytest.raises(TavuError, match=r"at http://127\.0\.0\.1:9/v1 cannot be reached\. Is it running"):
        judge("http://127.0.0.1:9/v1", "m", cases, tmp_path / "a")
    monkeypatch.setattr(judging, "TIMEOUT_SECONDS", 0.2)
    slow = serve(lambda messages: time.sleep(1) or (200, "x"))
    with pytest.raises(TavuError, match=r"did not answer within 0\.2 s, 1 times"):
        judge(slow.url, "m", cases, tmp_path / "b")
    monkeypatch.setattr(judging, "TIMEOUT_SECONDS", 20.0)
    with pytest.raises(TavuError, match="refused with status 501: .*no such thing"):
        judge(serve(lambda messages: (501, "no such thing")).url, "m", cases, tmp_path / "c")


@pytest.mark.parametrize("answer", ["", "Grammar: 8/10", GOOD.format(11), GOOD.format(7).replace("B", "?"), "8 8 8 8 B"])
def test_grades_that_cannot_be_parsed(answer):
    assert grades_of(answer) is None


def test_the_cost_is_reported():
    assert re.fullmatch(r"9 endings, 18 questions, at most about [\d,]+ tokens to read and 7,200 to write", token_estimate(cases_of(STORIES, 1)))


def test_answers_with_line_separators_are_kept(serve, tmp_path):
    server, cases = serve(lambda messages: (200, GOOD.format(7) + "\u2028\x85")), cases_of(STORIES[:1], 0)
    first = judge(server.url, "m", cases, tmp_path / "kept.jsonl")
    asked = len(server.asked)
    assert judge(server.url, "m", cases, tmp_path / "kept.jsonl") == first and len(server.asked) == asked
