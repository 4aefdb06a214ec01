"""The engine as one C file, for programs that compile it in: tavu.c, beside tavu.h, its public header.

Functions become static, except those named tavu_*, so that no name collides with one of the program. Static names that several sources have get the
name of their source in front.
"""

import re
from collections import Counter
from pathlib import Path

from tavu import __version__

ENGINE = Path(__file__).parent.parent / "engine"
PUBLIC_HEADER = "tavu.h"
_TITLE = f"""\
/* The engine of tavu {__version__}, all of it in one file: see tavu.h. Made by `tavu export`; the sources are in the folder tavu/engine of tavu.

   SPDX-License-Identifier: MIT
   Copyright (c) 2026 The tavu authors */
"""
_STANDARD = re.compile(r"^#include (<(?:math|std\w+|string)\.h>)\n", re.MULTILINE)
_OWN = re.compile(r'^#include "(\w+\.h)"\n', re.MULTILINE)
_GUARD = re.compile(r"^#ifndef (TAVU_\w+_H)\n#define \1\n(.*)^#endif\n", re.MULTILINE | re.DOTALL)
_PROTOTYPE = re.compile(r"^(?=(?:LIKE_PRINTF\([\d, ]+\) )?(?!static|typedef|extern|TAVU_PUBLIC)\w+[\w *]*\b\w+\([^;{]*\);)", re.MULTILINE)
_STATIC = re.compile(r"^(?:(?:FOR_\w+ )?static |INLINE )[^;={(]*?\b(\w+)\(", re.MULTILINE)


def public_header() -> str:
    return _read(PUBLIC_HEADER)


def amalgamation() -> str:
    """The text of tavu.c."""
    sources = {path.stem: path.read_text(encoding="utf-8") for path in sorted(ENGINE.glob("*.c"))}
    counts = Counter(name for text in sources.values() for name in set(_STATIC.findall(text)))
    shared = [name for name, count in counts.items() if count > 1]
    included = {PUBLIC_HEADER}
    body = "".join(_with_headers(_own_names(stem, text, shared), included) for stem, text in sources.items())
    standard = "".join(f"#include {name}\n" for name in sorted({*_STANDARD.findall(body)}))
    return f'{_TITLE}#include "{PUBLIC_HEADER}"\n\n{standard}\n{_STANDARD.sub("", body)}'


def _own_names(stem: str, text: str, shared: list[str]) -> str:
    for name in shared:
        text = re.sub(rf"(?<![.>\w]){name}\b", f"{stem}_{name}", text) if name in _STATIC.findall(text) else text
    return re.sub(r"^(?=const (?:Kernels|Architecture) )", "static ", text, flags=re.MULTILINE)


def _with_headers(text: str, included: set[str]) -> str:
    """A source or header with the headers that it includes in their place, each where it is first needed."""

    def header(found: re.Match[str]) -> str:
        name = found[1]
        if name in included:
            return ""
        included.add(name)
        inner = _GUARD.sub(r"\2", _read(name))
        return _with_headers(_PROTOTYPE.sub("static ", inner.replace("extern const", "static const")), included)

    return _OWN.sub(header, text)


def _read(name: str) -> str:
    return (ENGINE / name).read_text(encoding="utf-8")
