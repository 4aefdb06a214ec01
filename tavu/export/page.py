"""tavu export --to page: one HTML file that writes with the model, offline: the engine, the model and a page around them.

The page can make no request: its Content-Security-Policy forbids all of them, and allows one script and one style, which it names by their hashes.
"""

import base64
import hashlib
import json
from functools import cache
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from tavu.errors import TavuError
from tavu.export.exported import Exported, open_for_engine, refuse_existing
from tavu.export.web import ENGINE, script
from tavu.files import check_writable, replace_file
from tavu.reports.model_facts import model_facts
from tavu.stored_model import StoredModel

_TEMPLATES = Path(__file__).with_name("templates") / "page"
MAX_BYTES = 300_000_000
"""The largest model for a page: browsers hold no string of more than half a gigabyte, and base64 takes a third more than the file."""


def export_page(model: Path, out: Path) -> Exported:
    """Write the file `out`. Raises TavuError when it exists, cannot be written, or the page could not run the model."""
    stored = open_for_engine(model)
    if stored.content.size > MAX_BYTES:
        size = f"{stored.file} has {stored.content.size:,} bytes"
        raise TavuError(f"{size}, and a page holds {MAX_BYTES:,} at most. Use --to web, or make it smaller with `tavu quantize`.")
    refuse_existing(out)
    check_writable(out, ".html")
    content = render_page(stored).encode()
    replace_file(out, content)
    return Exported(out, len(content), "Open it in a browser.")


def render_page(stored: StoredModel) -> str:
    style, page = _text("page.css"), _text("words.js") + _text("page.js")
    values = {"style": Markup(style), "script": Markup(page), "worker": Markup(script("worker")), "about": _json(model_facts(stored))}
    packed = {"engine": _base64(ENGINE.read_bytes()), "model": _base64(stored.content)}
    return _template().render(name=stored.name, policy=_policy(page, style), **values, **packed)


def _policy(script: str, style: str) -> str:
    """A worker made here may run, and WebAssembly; nothing may be fetched, from anywhere."""
    rules = {
        "default-src": "'none'",
        "script-src": f"'sha256-{_hash(script)}' 'wasm-unsafe-eval'",
        "worker-src": "blob:",
        "style-src": f"'sha256-{_hash(style)}'",
        "img-src": "data:",
        "base-uri": "'none'",
        "form-action": "'none'",
    }
    return "; ".join(f"{name} {sources}" for name, sources in rules.items())


def _hash(text: str) -> str:
    return base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()


def _base64(content: Any) -> Markup:
    return Markup(base64.b64encode(content).decode())


def _json(value: object) -> Markup:
    """JSON within a script element, which no text in it can end."""
    return Markup(json.dumps(value).replace("<", "\\u003c"))


def _text(name: str) -> str:
    return (_TEMPLATES / name).read_text(encoding="utf-8")


@cache
def _template() -> Any:
    return Environment(loader=FileSystemLoader(_TEMPLATES), autoescape=True, undefined=StrictUndefined).get_template("page.html")
