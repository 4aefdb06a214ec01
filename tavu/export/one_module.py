"""Parts of tavu as one Python module that needs no tavu: definitions, and all that they use, in the order of their dependencies."""

import ast
from functools import cache
from pathlib import Path

from tavu import __version__

_SOURCES = Path(__file__).parent.parent
_TITLE = '''\
"""Parts of tavu {version}, in one file that needs only {needs}. Made by `tavu export`; the sources are in the folder tavu of tavu.

SPDX-License-Identifier: MIT
Copyright (c) 2026 The tavu authors
"""
'''

Definition = tuple[str, str]
"""A module and a name that it defines at its top level."""


def one_module(*roots: Definition) -> str:
    """The text of a module that defines the roots, e.g. ("tavu.model.words.model", "WordModel").

    >>> "def bucket(" in one_module(("tavu.model.words.hashing", "bucket"))
    True
    """
    needed: dict[str, set[int]] = {}
    imports: set[str] = set()
    for module, name in roots:
        _need(module, name, needed, imports)
    _check_distinct(needed)
    order: list[str] = []
    for module in needed:
        _put_in_order(module, needed, order)
    pieces = [_text(module, number) for module in order for number in sorted(needed[module])]
    needs = " and ".join(sorted({line.split()[1].split(".")[0] for line in imports} & {"numpy", "torch"})) or "Python"
    title = _TITLE.format(version=__version__, needs=needs) + "\n" + "\n".join(sorted(imports))
    return "\n\n\n".join([title, *pieces]) + "\n"


def _need(module: str, name: str, needed: dict[str, set[int]], imports: set[str]) -> None:
    """Add a definition and all that it uses: statements of tavu, by module, to `needed`; other packages to `imports`."""
    own, imported, external = _names(module)
    if name in external:
        imports.add(external[name])
    elif name in imported:
        _need(*imported[name], needed, imports)
    elif name in own and own[name] not in needed.setdefault(module, set()):
        needed[module].add(own[name])
        for node in ast.walk(_body(module)[own[name]]):
            if isinstance(node, ast.Name):
                _need(module, node.id, needed, imports)


def _check_distinct(needed: dict[str, set[int]]) -> None:
    owner: dict[str, str] = {}
    for module, numbers in needed.items():
        for name, number in _names(module)[0].items():
            assert number not in numbers or owner.setdefault(name, module) == module, f"{module} and {owner[name]} both define {name}"


def _put_in_order(module: str, needed: dict[str, set[int]], order: list[str]) -> None:
    """Append a module to `order`, after those that it imports from."""
    if module in order:
        return
    for source, _ in _names(module)[1].values():
        if source in needed:
            _put_in_order(source, needed, order)
    order.append(module)


@cache
def _names(module: str) -> tuple[dict[str, int], dict[str, Definition], dict[str, str]]:
    """What the names at the top of a module stand for: its own statements, definitions of other modules of tavu, imports of other packages."""
    own: dict[str, int] = {}
    imported: dict[str, Definition] = {}
    external: dict[str, str] = {}
    for number, node in enumerate(_body(module)):
        if isinstance(node, ast.Import | ast.ImportFrom):
            for alias in node.names:
                name, source = alias.asname or alias.name, node.module if isinstance(node, ast.ImportFrom) else None
                if source and source.partition(".")[0] == "tavu":
                    imported[name] = _names(source)[1].get(alias.name, (source, alias.name))
                else:
                    external[name] = ast.unparse(ast.ImportFrom(source, [alias], 0) if source else ast.Import([alias]))
        elif isinstance(node, ast.ClassDef | ast.FunctionDef):
            own[node.name] = number
        elif isinstance(node, ast.Assign | ast.AnnAssign):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            own |= {each.id: number for target in targets for each in ast.walk(target) if isinstance(each, ast.Name)}
    return own, imported, external


@cache
def _body(module: str) -> list[ast.stmt]:
    return ast.parse(_source(module)).body


@cache
def _source(module: str) -> str:
    path = _SOURCES.joinpath(*module.split(".")[1:])
    return (path / "__init__.py" if path.is_dir() else path.with_suffix(".py")).read_text(encoding="utf-8")


def _text(module: str, number: int) -> str:
    """A statement with its decorators, and the text after it that describes it."""
    body, lines = _body(module), _source(module).splitlines()
    node = body[number]
    first = min([node.lineno, *(decorator.lineno for decorator in getattr(node, "decorator_list", []))])
    described = number + 1 < len(body) and isinstance(body[number + 1], ast.Expr) and isinstance(node, ast.Assign | ast.AnnAssign)
    last = body[number + 1].end_lineno if described else node.end_lineno
    return "\n".join(lines[first - 1 : last])
