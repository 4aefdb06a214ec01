"""tavu explain: a page and its figures."""

import math


def test_a_page(answer, tavu, run_folder, tmp_path):
    told = answer("explain", run_folder, "--prompt", "Once upon", "--write", 10, "--out", tmp_path / "new" / "page.html")
    assert 9 < len(told["bytes"]) <= 20 and told["bytes"][0]["id"] == ord("O")
    assert math.isclose(told["bits_per_byte"], sum(byte["bits"] for byte in told["bytes"]) / (len(told["bytes"]) - 1))
    assert (tmp_path / "new" / "page.html").read_text().count("<span") >= 10
    status, out, _ = tavu("explain", run_folder, "--prompt", "Once", "--out", tmp_path / "page.html")
    assert status == 0 and out.startswith(f"{tmp_path / 'page.html'}: ") and "bits per byte" in out


def test_errors(refused, run_folder, tmp_path):
    assert refused("explain", run_folder, "--prompt", "").startswith("The text has 0 bytes, expected 1 to 62")
    assert "is a folder, expected the name of a file" in refused("explain", run_folder, "--prompt", "x", "--out", tmp_path)
    assert refused("explain", run_folder, "--prompt", "x", "--write", -1) == "write is -1, expected 0 or more."
