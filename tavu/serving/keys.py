"""API keys: generated, shown once, stored as hashes, compared in constant time."""

import hashlib
import hmac
import os
import secrets
import stat
from dataclasses import dataclass
from pathlib import Path

from tavu.errors import TavuError

PREFIX = "sha256:"
"""Starts each line of a key file. A fast hash is enough: keys have 256 random bits and cannot be guessed."""


@dataclass(frozen=True)
class Keys:
    """The hashes of the valid keys. Without any, no key is needed."""

    hashes: tuple[str, ...] = ()

    def opens(self, key: str | None) -> bool:
        """Whether a key is valid. All hashes are compared, so that timing reveals nothing."""
        offered = _hash(key or "")
        return any([hmac.compare_digest(offered, known) for known in self.hashes]) or not self.hashes


def new_key() -> str:
    return f"tavu-{secrets.token_urlsafe(32)}"


def keys_of(*keys: str) -> Keys:
    return Keys(tuple(map(_hash, keys)))


def make_key_file(path: Path, key: str) -> None:
    """Write the hash of a key to a new file that only its owner can read. Raises TavuError when it cannot be written."""
    try:
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="ascii") as file:
            file.write(f"{PREFIX}{_hash(key)}\n")
    except OSError as error:
        raise TavuError(f"The key file {path} cannot be written: {error.strerror}. Name another with --api-key-file.") from None


def read_key_file(path: Path) -> Keys:
    """Read a key file with one hash per line. Raises TavuError when it is not readable, not a key file, or writable by others."""
    try:
        mode = path.stat().st_mode
        lines = path.read_text(encoding="utf-8").split()
    except (OSError, UnicodeDecodeError) as error:
        raise TavuError(f"The key file {path} cannot be read ({error}). Name a file that `tavu serve --api-key-file` made.") from None
    if os.name == "posix" and mode & (stat.S_IWGRP | stat.S_IWOTH):
        raise TavuError(
            f"The key file {path} may be written by others, who could add keys of their own. Run `chmod 600 {path}`, and look at its lines."
        )
    hashes = [line.removeprefix(PREFIX) for line in lines]
    wrong = [n for n, (line, hash) in enumerate(zip(lines, hashes, strict=True), 1) if not _is_hash(line, hash)]
    if wrong or not lines:
        found = f"entry {wrong[0]} is not a hash" if wrong else "it is empty"
        advice = "Name a file that does not exist yet: a key is generated, shown once, and its hash stored there"
        raise TavuError(f"The key file {path}: {found}, expected {PREFIX} and 64 hexadecimal digits on each line. {advice}.")
    return Keys(tuple(hashes))


def _is_hash(line: str, hash: str) -> bool:
    return line.startswith(PREFIX) and len(hash) == 64 and not set(hash) - set("0123456789abcdef")


def _hash(key: str) -> str:
    return hashlib.sha256(key.encode(errors="surrogateescape")).hexdigest()
