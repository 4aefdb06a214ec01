"""Against a local endpoint that is good, busy, slow, broken or killed in the middle: nothing is asked twice, and no answer is lost."""

import json
import os
import signal
import time
from collections import Counter

import pytest

from tavu.synthesis import run
from tests.synthesis.conftest import KEY, completion, good, rows, story


def numbers_in(folder):
    """The numbers of the requests that were answered, from both files."""
    return [row["number"] for row in (*rows(folder / "out.jsonl"), *rows(folder / "out.rejected.jsonl")[1:])]


def test_a_run_keeps_as_many_texts_as_asked_for_and_asks_each_request_once(serve, ask, tmp_path):
    server = serve()
    status, out, err = ask(server, "--count", 12, "--concurrency", 4, "--json")
    assert status == 0, err
    answer = json.loads(out.splitlines()[-1])
    assert answer["kept"] == len(rows(tmp_path / "out.jsonl")) == 12
    assert answer["tokens_read"] == 100 * server.asked.total() and answer["tokens_are_counted"]
    assert set(server.asked.values()) == {1} and server.most_under_way <= 4
    assert sorted(numbers_in(tmp_path)) == sorted(server.asked)
    assert "12 of 12 texts" in err and "tokens read" in err


def test_requests_are_under_way_at_once(serve, ask):
    def slow(prompt, seed, nth):
        time.sleep(0.1)
        return good(prompt, seed, nth)

    server = serve(slow)
    assert ask(server, "--count", 8, "--concurrency", 4)[0] == 0
    assert 2 <= server.most_under_way <= 4


def test_the_records_are_read_by_train_as_they_are(serve, ask, tavu, small, tmp_path):
    assert ask(serve(), "--count", 30)[0] == 0
    for extra in ([], ["--records"]):
        status, _, err = tavu("train", tmp_path / "out.jsonl", "--steps", 1, "--out", tmp_path / f"run{len(extra)}", *small, *extra)
        assert status == 0 and "in 28 documents" in err, err


def test_a_subject_replaces_stories(serve, ask, tavu, small, tmp_path):
    (tmp_path / "weather.toml").write_text('text = "a short weather report"\ntopics = ["frost", "a storm"]', encoding="utf-8")
    server = serve()
    assert ask(server, "--count", 30, "--subject", tmp_path / "weather.toml")[0] == 0
    assert all("a short weather report" in body["messages"][0]["content"] for body in server.bodies)
    assert {row["summary"] for row in rows(tmp_path / "out.jsonl")} == {"frost", "a storm"}
    for extra in ([], ["--records"]):
        assert tavu("train", tmp_path / "out.jsonl", "--steps", 1, "--out", tmp_path / f"run{len(extra)}", *small, *extra)[0] == 0


def test_rejected_texts_are_recorded_with_the_reason_and_replaced_by_new_requests(serve, ask, tmp_path):
    bad = {1: completion("I'm sorry, but I can't."), 2: completion("Cut", finish_reason="length"), 3: completion(""), 4: completion(None)}
    bad |= {5: completion("Sure! Here is a story:\n" + story("", 5)), 6: completion("Short.")}
    server = serve(lambda prompt, seed, nth: (200, {}, bad[seed]) if seed in bad else good(prompt, seed, nth))
    status, out, _ = ask(server, "--count", 5, "--concurrency", 3, "--json")
    assert status == 0
    expected = {"refusal": 1, "cut off": 1, "empty": 2, "preamble or title": 1, "too short": 1}
    assert json.loads(out.splitlines()[-1])["rejected"] == expected
    assert Counter(row["reason"] for row in rows(tmp_path / "out.rejected.jsonl")[1:]) == expected
    assert set(server.asked.values()) == {1} and server.asked.total() == 11


def test_a_near_duplicate_is_rejected_also_after_a_resume(serve, ask, tmp_path):
    same = story('the verb "run"', 0)

    def say(prompt, seed, nth):
        text = f"{same} {prompt.split('verb ')[1][:90]}" if seed < 3 else story(prompt, seed)
        return 200, {}, completion(text)

    server = serve(say)
    words = tmp_path / "words.toml"
    words.write_text('verbs = "said said Ada remember"\nnouns = "the said Ada"\nadjectives = "the said Ada"', encoding="utf-8")
    assert ask(server, "--count", 1, "--concurrency", 1, "--words", words)[0] == 0
    assert ask(server, "--count", 3, "--concurrency", 1, "--words", words)[0] == 0
    assert [row["reason"] for row in rows(tmp_path / "out.rejected.jsonl")[1:]] == ["near-duplicate"] * 2


def test_a_busy_endpoint_is_waited_for_as_long_as_it_says(serve, ask):
    def say(prompt, seed, nth):
        return (429, {"Retry-After": "0.4"}, {"error": {"message": "slow down"}}) if seed == 0 and nth == 0 else good(prompt, seed, nth)

    server = serve(say)
    assert ask(server, "--count", 3, "--concurrency", 1)[0] == 0
    assert server.times[1] - server.times[0] >= 0.4
    assert server.asked == {0: 2, 1: 1, 2: 1} and server.answered == {0: 1, 1: 1, 2: 1}


FAULTS = {
    "429": (429, {}, {"error": {"message": "slow down"}}),
    "500": (500, {}, b"oops"),
    "503 with a date": (503, {"Retry-After": "Wed, 21 Oct 2099 07:28:00 GMT"}, b""),
    "garbage": (200, {}, b"{not json"),
    "html": (200, {"Content-Type": "text/html"}, b"<html>login</html>"),
    "another object": (200, {}, {"hello": 1}),
    "no choices": (200, {}, completion("x") | {"choices": []}),
    "truncated": (200, {"Content-Length": 5000}, b'{"id": "1", "choices": [{"mess'),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_is_followed_by_the_same_request(serve, ask, fault):
    server = serve(lambda prompt, seed, nth: FAULTS[fault] if seed == 1 and nth < 2 else good(prompt, seed, nth))
    status, _, err = ask(server, "--count", 4, "--concurrency", 2)
    assert status == 0, err
    assert server.asked[1] == 3 and all(server.asked[seed] == 1 for seed in server.asked if seed != 1)


def test_a_slow_answer_is_asked_for_again(serve, ask):
    def say(prompt, seed, nth):
        time.sleep(0.6 if seed == 0 and nth == 0 else 0)
        return good(prompt, seed, nth)

    server = serve(say)
    assert ask(server, "--count", 2, "--timeout", 0.3)[0] == 0
    assert server.asked[0] == 2


@pytest.mark.parametrize("fault", ["500", "garbage"])
def test_an_endpoint_that_keeps_failing_ends_the_run_and_a_resume_completes_it(serve, ask, tmp_path, monkeypatch, fault):
    monkeypatch.setattr(run, "TRIES", 3)
    broken = [True]
    server = serve(lambda prompt, seed, nth: FAULTS[fault] if seed >= 4 and broken else good(prompt, seed, nth))
    status, out, err = ask(server, "--count", 8, "--concurrency", 2)
    assert status == 2 and out == "" and "Traceback" not in err
    assert err.splitlines()[-1].endswith(f"3 times. 4 texts are kept in {tmp_path / 'out.jsonl'}: repeat the command to continue.")
    before = Counter(server.answered)
    broken.clear()
    assert ask(server, "--count", 8, "--concurrency", 2)[0] == 0
    assert sorted(numbers_in(tmp_path)) == list(range(8))
    assert all(server.asked[seed] == 1 for seed in range(4)) and (fault == "garbage" or before == Counter(range(4)))


@pytest.mark.parametrize(("status", "advice"), [(401, "Set OPENAI_API_KEY to a valid key."), (404, "/v1"), (400, "Change the options")])
def test_a_refusal_for_good_ends_the_run_at_once(serve, ask, status, advice):
    server = serve(lambda prompt, seed, nth: (status, {}, {"error": {"message": "no such thing"}}))
    code, _, err = ask(server, "--count", 3, "--concurrency", 1)
    assert code == 2 and f"refused with status {status}" in err and advice in err
    assert server.asked.total() == 1


def test_an_endpoint_that_is_not_there(tavu, tmp_path, serve, monkeypatch):
    monkeypatch.setattr(run, "TRIES", 2)
    code, _, err = tavu("synthesize", "--endpoint", "http://127.0.0.1:9/v1", "--model", "stub", "--out", tmp_path / "a.jsonl")
    assert code == 2 and "http://127.0.0.1:9/v1 cannot be reached, or closed the connection, 2 times. 0 texts are kept" in err


def test_a_model_whose_texts_are_all_rejected_ends_the_run(serve, ask, monkeypatch):
    monkeypatch.setattr(run, "MOST_REJECTED_IN_A_ROW", 5)
    server = serve(lambda prompt, seed, nth: (200, {}, completion("As an AI, I cannot.")))
    status, _, err = ask(server, "--count", 3, "--concurrency", 1)
    assert status == 2 and "5 texts in a row were rejected, most often for: refusal." in err


def test_the_key_is_sent_and_nowhere_else(serve, ask, tmp_path, monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    server = serve(lambda prompt, seed, nth: good(prompt, seed, nth) if seed else (200, {}, completion(f"{story(prompt, seed)} {KEY}")))
    status, out, err = ask(server, "--count", 3)
    assert status == 0 and all(headers["Authorization"] == f"Bearer {KEY}" for headers in server.headers_seen)
    server.say = lambda prompt, seed, nth: (401, {}, {"error": {"message": f"Incorrect API key provided: {KEY}"}})
    code, more_out, more_err = ask(server, "--count", 5, "--traceback")
    assert code == 2 and "[key]" in more_err
    written = b"".join(path.read_bytes() for path in tmp_path.rglob("*") if path.is_file())
    assert KEY not in out + err + more_out + more_err and KEY.encode() not in written


@pytest.mark.parametrize("key", [f"{KEY}\n{KEY}", f"{KEY}ä", f"{KEY} x"])
def test_a_key_that_cannot_be_sent_is_refused_without_showing_it(serve, ask, monkeypatch, key):
    monkeypatch.setenv("OPENAI_API_KEY", key)
    status, _, err = ask(serve(), "--count", 3)
    assert status == 2 and "OPENAI_API_KEY contains a space" in err and KEY not in err


def test_other_options_do_not_continue_a_file(serve, ask, tmp_path):
    server = serve()
    assert ask(server, "--count", 2)[0] == 0
    status, _, err = ask(server, "--count", 4, "--seed", 1)
    assert status == 2 and "was begun with another model, language, seed, subject, temperature or words" in err
    (tmp_path / "out.rejected.jsonl").unlink()
    assert "out.rejected.jsonl beside it does not, so it cannot be continued" in ask(server, "--count", 4)[2]


def test_a_line_cut_short_is_asked_again(serve, ask, tmp_path):
    server = serve()
    assert ask(server, "--count", 3, "--concurrency", 1)[0] == 0
    out = tmp_path / "out.jsonl"
    out.write_bytes(out.read_bytes()[:-40])
    assert ask(server, "--count", 3)[0] == 0
    assert server.asked == {0: 1, 1: 1, 2: 2} and len(rows(out)) == 3


def started(process, server, folder, count):
    """A run in a process of its own, of which some texts are kept already."""
    out = folder / "out.jsonl"
    running = process("synthesize", "--endpoint", server.url, "--model", "stub", "--out", out, "--count", count, "--concurrency", 3)
    until = time.monotonic() + 120
    while not out.exists() or out.read_bytes().count(b"\n") < 4:
        assert time.monotonic() < until and running.poll() is None, running.communicate()
        time.sleep(0.01)
    return running


def unhurried(prompt, seed, nth):
    time.sleep(0.05)
    return good(prompt, seed, nth)


def test_after_a_kill_nothing_that_was_kept_is_asked_again(serve, ask, process, tmp_path):
    server = serve(unhurried)
    running = started(process, server, tmp_path, 60)
    running.send_signal(signal.SIGKILL)
    running.communicate()
    kept, under_way = Counter(server.asked), {seed for seed in server.asked if seed not in numbers_in(tmp_path)}
    assert 4 <= len(numbers_in(tmp_path)) < 60 and len(under_way) <= 3
    assert ask(server, "--count", 20)[0] == 0
    assert len(set(numbers_in(tmp_path))) == len(numbers_in(tmp_path)) and len(rows(tmp_path / "out.jsonl")) == 20
    assert {seed for seed, times in server.asked.items() if times > 1} <= under_way and under_way <= set(numbers_in(tmp_path)) and kept


def test_ctrl_c_waits_for_the_answers_under_way_and_keeps_them(serve, process, tmp_path):
    server = serve(unhurried)
    running = started(process, server, tmp_path, 1000)
    os.kill(running.pid, signal.SIGINT)
    _, err = running.communicate(timeout=60)
    assert running.returncode == 130 and b"Traceback" not in err and b"of 1,000 texts" in err
    assert sorted(numbers_in(tmp_path)) == sorted(server.asked)
