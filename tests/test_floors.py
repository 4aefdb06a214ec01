"""The house has floors: code imports from its own floor and the ones below it, never from above."""

import ast
from pathlib import Path

import tavu

FLOORS = [
    {"errors"},
    {"vocabulary", "memory"},
    {"config"},
    {"checksum", "files", "recipe", "tensor_file", "quantized", "stored_model", "run_folder", "hub"},
    {"model", "data"},
    {"model_file"},
    {"generation"},
    {"evaluation"},
    {"training", "distillation", "compression", "engine", "synthesis"},
    {"planning", "reports", "export"},
    {"runs", "run_recipes", "training_display", "language_model"},
    {"serving"},
    {"cli", "__main__"},
]
HOUSE = Path(tavu.__file__).parent


def test_no_import_goes_up():
    floor_of = {part: number for number, parts in enumerate(FLOORS) for part in parts}
    for path in HOUSE.rglob("*.py"):
        part = path.relative_to(HOUSE).parts[0].removesuffix(".py")
        if part == "__init__":
            continue  # the shop window: names of every floor, loaded when asked for
        assert part in floor_of, f"{part} is on no floor"
        for imported in _imports(path):
            assert floor_of[imported] <= floor_of[part], f"{path.relative_to(HOUSE)} imports tavu.{imported}, which is above it"


def _imports(path: Path) -> set[str]:
    """The parts of tavu that a file imports."""
    names = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.module and node.module.startswith("tavu."):
            names.add(node.module.split(".")[1])
        if isinstance(node, ast.ImportFrom) and node.module == "tavu":
            names |= {alias.name for alias in node.names if (HOUSE / alias.name).exists() or (HOUSE / f"{alias.name}.py").exists()}
        if isinstance(node, ast.Import):
            names |= {alias.name.split(".")[1] for alias in node.names if alias.name.startswith("tavu.")}
    return names
