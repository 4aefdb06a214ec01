"""What tavu synthesize says before it asks anything."""

import pytest

from tavu.data.tales import tell

ADDRESS = "http://127.0.0.1:9/v1"


def command(out, *arguments, endpoint=ADDRESS):
    return ("synthesize", "--endpoint", endpoint, "--model", "stub", "--out", out, *arguments)


def test_a_dry_run_shows_three_requests_and_asks_nothing(tavu, answer, tmp_path):
    status, out, _ = tavu(*command(tmp_path / "a.jsonl", "--dry-run", "--count", 1000))
    assert status == 0 and out.count("Write a short story") == 3 and "1,000 such requests: about" in out
    result = answer(*command(tmp_path / "a.jsonl", "--dry-run", "--count", 1000))
    assert len(result["requests"]) == 3 and result["tokens_to_read"] > 50_000
    assert not list(tmp_path.iterdir())


def test_another_language_takes_its_words_from_text(tavu, answer, tmp_path):
    text = tmp_path / "tales.txt"
    text.write_text("\n<|endoftext|>\n".join(tell(0, number).text for number in range(300)), encoding="utf-8")
    requests = answer(*command(tmp_path / "a.jsonl", "--dry-run", "--language", "fi", "--words-from", text))["requests"]
    assert all("Write in Finnish." in request and request.count('the word "') == 3 for request in requests)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--language", "fi"), "There are no words for Finnish, only for English. Give text with --words-from SOURCE, or a list with --words FILE."),
        (("--count", 0), "--count is 0, expected 1 or more."),
        (("--concurrency", 0), "--concurrency is 0, expected 1 or more."),
        (("--min-bytes", 500, "--max-bytes", 400), "--max-bytes is 400, expected 500 or more."),
        (("--temperature", 3), "--temperature is 3 and --timeout 300, expected 0 to 2 and more than 0 seconds."),
    ],
)
def test_options_out_of_range(refused, tmp_path, arguments, said):
    assert refused(*command(tmp_path / "a.jsonl", *arguments)) == said


@pytest.mark.parametrize(
    ("endpoint", "said"),
    [
        ("localhost:11434", "--endpoint is 'localhost:11434', expected an address such as http://localhost:11434/v1."),
        ("https://me:secret@host/v1", "--endpoint has a user, a password or a query, expected a plain address."),
        ("https://host/v1?key=secret", "--endpoint has a user, a password or a query, expected a plain address."),
    ],
)
def test_addresses_that_are_none_or_hold_a_key(refused, tmp_path, endpoint, said):
    message = refused(*command(tmp_path / "a.jsonl", endpoint=endpoint))
    assert message.startswith(said) and "secret" not in message
