"""What every format of `tavu export` has in common: which models can be exported, and files written whole or not at all."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tavu.engine.native import NativeEngine, is_built, unsupported
from tavu.errors import TavuError
from tavu.files import make_folder, unwritable
from tavu.stored_model import StoredModel, open_model


@dataclass(frozen=True)
class Exported:
    """An export: the file or folder, its size in bytes, and how to try it, as a sentence."""

    out: Path
    num_bytes: int
    next_step: str


def open_for_engine(model: Path) -> StoredModel:
    """The model of a file or run folder, for a format that carries the engine. Raises TavuError where the engine cannot run it."""
    stored = open_model(model)
    if reason := unsupported(stored.config):
        raise TavuError(f"{stored.file} cannot be exported in this format, which carries the native engine: {reason}.")
    if is_built():
        NativeEngine(stored)  # its tensors fit its config
    return stored


def refuse_existing(out: Path) -> None:
    """Raise TavuError if there is a file, or a folder with anything in it, where the export would go."""
    if out.is_dir() and not any(out.iterdir()):
        return
    if out.exists() or out.is_symlink():
        kind = "folder that is not empty" if out.is_dir() else "file"
        raise TavuError(f"{out} is a {kind} already, and export replaces nothing. Remove it, or give another name with --out.")


@contextmanager
def new_folder(out: Path) -> Iterator[Path]:
    """A folder to write into, which becomes `out` at the end, whole; nothing is left after an error. Raises TavuError if it cannot be written."""
    refuse_existing(out)
    make_folder(out.parent)
    temporary = out.with_name(f".{out.name}.{os.getpid()}.tmp")
    try:
        temporary.mkdir()
        yield temporary
        os.replace(temporary, out)
    except OSError as error:
        raise TavuError(unwritable(out, error)) from None
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def size_of(folder: Path) -> int:
    """The bytes of all files in a folder."""
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
