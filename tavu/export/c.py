"""tavu export --to c: the engine as one C file, the model, and a program of one page that writes with them."""

from pathlib import Path

from tavu.export.amalgamation import PUBLIC_HEADER, amalgamation, public_header
from tavu.export.exported import Exported, new_folder, open_for_engine, size_of
from tavu.export.prompts import around_prompt

_TEMPLATES = Path(__file__).with_name("templates") / "c"


def export_c(model: Path, out: Path) -> Exported:
    """Write the folder `out`. Raises TavuError when it exists, cannot be written, or the engine cannot run the model."""
    stored = open_for_engine(model)
    before, after = around_prompt(stored.records)
    program = (_TEMPLATES / "main.c").read_text(encoding="utf-8")
    for name, text in (("BEFORE", before), ("AFTER", after)):
        program = program.replace(f'#define {name} ""', f"#define {name} {_c_string(text)}")
    with new_folder(out) as folder:
        (folder / "tavu.c").write_text(amalgamation(), encoding="utf-8")
        (folder / PUBLIC_HEADER).write_text(public_header(), encoding="utf-8")
        (folder / "main.c").write_text(program, encoding="utf-8")
        (folder / "Makefile").write_bytes((_TEMPLATES / "Makefile").read_bytes())
        (folder / "model.safetensors").write_bytes(stored.content.data)
    return Exported(out, size_of(out), f'Try it: cd {out} && make && ./story "Once upon a time"')


def _c_string(text: bytes) -> str:
    r"""A string literal of C.

    >>> print(_c_string(b"\nAssistant:\xff\n"))
    "\nAssistant:\377\n"
    """
    escapes = {ord("\n"): "\\n", ord('"'): '\\"', ord("\\"): "\\\\"}
    return '"' + "".join(escapes.get(byte, chr(byte) if 32 <= byte < 127 else f"\\{byte:03o}") for byte in text) + '"'
