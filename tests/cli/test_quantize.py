"""tavu quantize: its messages, and where it writes the file."""


def test_a_file_next_to_the_model(tavu, run_folder, answer, stories, tmp_path):
    out = tmp_path / "small.safetensors"
    told = answer("quantize", run_folder, "--bits", 8, "--out", out, "--valid", stories)
    assert told["out"] == str(out) and told["file_bytes"] == out.stat().st_size and told["bits"] == 8
    assert abs(told["after"]["bits_per_byte"] / told["before"]["bits_per_byte"] - 1) < 0.01
    status, text, _ = tavu("quantize", run_folder, "--out", out, "--note", "MIT licence")
    assert status == 0 and text.startswith(f"{out}: {out.stat().st_size:,} bytes, ") and "give a text with --valid" in text
    facts = answer("info", out)["facts"]
    assert (facts["weight_bits"], facts["note"]) == (8, "MIT licence")


def test_validation_text_is_read_like_other_text(tavu, refused, run_folder, tmp_path):
    (tmp_path / "a.jsonl").write_text('{"body": "Once there was a cat."}\n{"body": 3}\n')
    command = ("quantize", run_folder, "--out", tmp_path / "x", "--valid", tmp_path / "a.jsonl")
    assert refused(*command).endswith("it has 'body'. Pass --text-field NAME.")
    status, out, _ = tavu(*command, "--text-field", "body")
    assert status == 0 and "Skipped 1, for example: " in out


def test_bad_bits(refused, run_folder, tmp_path):
    assert refused("quantize", run_folder, "--bits", 3, "--out", tmp_path / "x") == "bits is 3, expected 8 or 4."
    assert not (tmp_path / "x").exists()


def test_a_shipped_model_is_quantized_into_the_working_folder(refused, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "stories-4bit.safetensors").mkdir()  # in the way of what would be written
    assert refused("quantize", "stories", "--bits", 4).startswith("stories-4bit.safetensors is a folder")


def test_quantizing_to_the_same_bits_is_refused(refused, tmp_path):
    assert "has 8 bits per weight already" in refused("quantize", "stories", "--bits", 8, "--out", tmp_path / "x")
    assert not list(tmp_path.iterdir())
