"""The source files that the rules of this folder apply to."""

import ast
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parents[2]
PACKAGES: Final = ("core", "protocols", "gateway")


def modules(*packages: str) -> list[Path]:
    """Return the Python files of packages, relative to the root."""
    found = [path.relative_to(ROOT) for package in packages for path in (ROOT / package).rglob("*.py")]
    assert found, f"no sources in {packages}"
    return sorted(path for path in found if ".build" not in path.parts)


def parsed(path: Path) -> ast.Module:
    return ast.parse((ROOT / path).read_text(), str(path))


def imported(path: Path) -> set[str]:
    """Return the full names of the modules that a file imports, wherever in it."""
    names: set[str] = set()
    for node in ast.walk(parsed(path)):
        if isinstance(node, ast.Import):
            names.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path} imports relative to itself"
            names.add(node.module or "")
    return names
