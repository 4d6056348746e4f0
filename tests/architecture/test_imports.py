"""Who may import whom: the contracts of pyproject.toml, and that they cover what exists."""

import sys
import tomllib
from typing import Any

import pytest
from importlinter.cli import lint_imports

from tests.architecture.sources import ROOT, imported, modules

# What the compiled packages may use beside themselves. The rest of the standard library does I/O, or is slow to start.
PURE = {
    "collections.abc",
    "collections",
    "decimal",
    "enum",
    "functools",
    "hashlib",
    "bisect",
    "heapq",
    "math",
    "re",
    "struct",
    "typing",
    "urllib.parse",
    "zlib",
    "base64",
    "lark",  # parses selectors; imported when the first one comes
    "lark.exceptions",
    "array",
    "cbor2",
    "crc32c",
}

# The store on disk, and what it needs for that.
ON_DISK = {
    "core/store/at_rest.py",
    "core/store/copying.py",
    "core/store/formats.py",
    "core/store/inspection.py",
    "core/store/migrating.py",
    "core/store/quarantine.py",
    "core/store/raw_pages.py",
    "core/store/salvage.py",
    "core/store/space.py",
    "core/store/sqlite.py",
    "core/store/sqlite_reader.py",
}
FOR_DISKS = {"apsw", "contextlib", "errno", "fcntl", "os", "pathlib", "shutil"}


def contracts() -> list[dict[str, Any]]:
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]
    found: list[dict[str, Any]] = settings["contracts"]
    return found


def test_the_import_contracts_hold(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.chdir(ROOT)
    monkeypatch.setattr(sys, "path", list(sys.path))
    broken = lint_imports(config_filename=str(ROOT / "pyproject.toml"), no_cache=True, no_logo=True)
    assert broken == 0, capsys.readouterr().out


def test_every_protocol_is_kept_apart_from_the_others() -> None:
    [apart] = [contract for contract in contracts() if contract["type"] == "independence"]
    folders = {f"protocols.{path.parent.name}" for path in (ROOT / "protocols").glob("*/__init__.py")}
    assert set(apart["modules"]) == folders


def test_every_layer_of_the_core_exists() -> None:
    """A layer that was renamed would be a contract about nothing."""
    for contract in contracts():
        for name in contract.get("layers", []):
            path = ROOT.joinpath(*name.split("."))
            assert path.is_dir() or path.with_suffix(".py").is_file(), name


@pytest.mark.parametrize("package", ["core", "protocols"])
def test_what_is_pure_imports_only_what_is_pure(package: str) -> None:
    allowed = {"core", "protocols", "mypy_extensions"}
    for path in modules(package):
        foreign = {name for name in imported(path) if name.split(".")[0] not in allowed} - PURE
        if str(path) in ON_DISK:
            foreign -= FOR_DISKS
        assert not foreign, f"{path} imports {', '.join(sorted(foreign))}"


def test_the_black_box_tests_know_nothing_of_the_inside() -> None:
    for path in modules("interop", "bench"):
        inside = {name for name in imported(path) if name.split(".")[0] in {"core", "protocols", "gateway", "tests"}}
        assert not inside, f"{path} imports {', '.join(sorted(inside))}"


def test_our_own_packages_do_not_import_tests() -> None:
    for path in modules("core", "protocols", "gateway"):
        assert not {name for name in imported(path) if name.split(".")[0] in {"tests", "interop", "bench"}}, path
