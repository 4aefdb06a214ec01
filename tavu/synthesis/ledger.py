"""What is on disk of a synthesis: the kept texts in the output file, and beside it what was asked and rejected.

Every answer is one appended line, so that a kill at any moment loses none that was received, and a second run asks only for what is missing. A line
that a kill cut short is removed: its request counts as not answered.
"""

import json
import os
from collections import Counter
from pathlib import Path
from typing import Any

from tavu.errors import TavuError
from tavu.files import make_folder, unwritable

SUFFIX = ".rejected.jsonl"


class Ledger:
    """The two files of a synthesis, open for appending.

    Raises TavuError if they cannot be read or written, or were begun with another plan (`digest`).
    """

    def __init__(self, out: Path, digest: str):
        self.out, self.rejected_file = out, out.with_suffix(SUFFIX)
        self.answered: set[int] = set()
        """The numbers of the requests that need not be asked again."""
        self.rejects = Counter[str]()
        self.kept: list[str] = []
        """The kept texts of earlier runs."""
        make_folder(out.parent)
        rejected = _rows(self.rejected_file)
        if out.exists() and not rejected and out.stat().st_size:
            raise TavuError(f"{out} exists, but {self.rejected_file.name} beside it does not, so it cannot be continued. Choose another --out.")
        if rejected and rejected[0].get("plan") != digest:
            raise TavuError(
                f"{out} was begun with another model, language, seed, subject, temperature or words, expected the same. "
                "Repeat the options it was begun with, or choose another --out."
            )
        try:
            for row in _rows(out):
                self.answered.add(row["number"])
                self.kept.append(row["text"])
            for row in rejected[1:]:
                self.answered.add(row["number"])
                self.rejects[row["reason"]] += 1
        except (KeyError, TypeError):
            raise TavuError(f"{out} or {self.rejected_file.name} has a line without its number or text. Choose another --out.") from None
        if not rejected:
            _append(self.rejected_file, {"plan": digest})

    def keep(self, number: int, row: dict[str, Any]) -> None:
        """Record a kept text."""
        _append(self.out, row)
        self.answered.add(number)

    def reject(self, number: int, reason: str, text: str) -> None:
        """Record a rejected text with the reason."""
        _append(self.rejected_file, {"number": number, "reason": reason, "text": text})
        self.answered.add(number)
        self.rejects[reason] += 1


def _append(path: Path, row: dict[str, Any]) -> None:
    """Append a row in one write."""
    try:
        line = (json.dumps(row, ensure_ascii=False) + "\n").encode(errors="replace")  # half of a surrogate pair is no character
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | getattr(os, "O_BINARY", 0), 0o644)
        with open(descriptor, "wb") as file:
            file.write(line)
    except OSError as error:
        raise TavuError(unwritable(path, error)) from None


def _rows(path: Path) -> list[dict[str, Any]]:
    """The rows of a file, none if it does not exist. Removes a last line that was cut short."""
    try:
        content = path.read_bytes() if path.exists() else b""
        whole = content[: content.rfind(b"\n") + 1]
        if len(whole) < len(content):
            os.truncate(path, len(whole))
        rows = [json.loads(line) for line in whole.split(b"\n") if line.strip()]
    except OSError as error:
        raise TavuError(f"{path} cannot be read: {error.strerror or error}. Change its permissions, or choose another --out.") from None
    except ValueError:
        raise TavuError(f"{path} has a line that is not JSON, so it cannot be continued. Repair it, or choose another --out.") from None
    if not all(isinstance(row, dict) for row in rows):
        raise TavuError(f"{path} has a line that is not an object, so it cannot be continued. Repair it, or choose another --out.")
    return rows
