"""tavu export --to web: an ES module that writes with the model in any browser, with its types and an example page."""

import json
from pathlib import Path
from typing import Literal

from tavu.export.exported import Exported, new_folder, open_for_engine, size_of
from tavu.export.prompts import reads_as_json

_TEMPLATES = Path(__file__).with_name("templates")
_READS = "const READS = {};"
ENGINE = Path(__file__).with_name("tavu.wasm")
"""The engine, as `make wasm` builds it."""


def script(end: Literal["module", "worker"]) -> str:
    """The class Model in JavaScript, and what makes a module or a worker of it."""
    model = (_TEMPLATES / "js" / "model.js").read_text(encoding="utf-8")
    assert model.count(_READS) == 1
    filled = model.replace(f"{_READS} // filled in by tavu export", f"const READS = {json.dumps(reads_as_json())};")
    return filled + (_TEMPLATES / "js" / f"{end}.js").read_text(encoding="utf-8")


def export_web(model: Path, out: Path) -> Exported:
    """Write the folder `out`. Raises TavuError when it exists, cannot be written, or the engine cannot run the model."""
    stored = open_for_engine(model)
    with new_folder(out) as folder:
        (folder / "tavu.js").write_text(script("module"), encoding="utf-8")
        for name in ("tavu.d.ts", "index.html"):
            (folder / name).write_bytes((_TEMPLATES / "web" / name).read_bytes())
        (folder / "tavu.wasm").write_bytes(ENGINE.read_bytes())
        (folder / "model.safetensors").write_bytes(stored.content.data)
    return Exported(out, size_of(out), f"Try it: python -m http.server -d {out}, then open http://localhost:8000 in a browser.")
