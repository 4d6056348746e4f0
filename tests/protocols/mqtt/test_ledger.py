"""The ledger of normative statements: every tag that code and tests name is in it, and every test that it names exists."""

import ast
import json
import re
import tomllib
from pathlib import Path
from typing import Any, Final

import pytest

ROOT: Final = Path(__file__).parents[3]
VECTORS: Final = ROOT / "tests" / "vectors" / "mqtt"
LEDGER: Final[list[dict[str, Any]]] = tomllib.loads((VECTORS / "ledger.toml").read_text())["statement"]
TAG: Final = re.compile(r"\bMQTT-\d+\.\d+\.\d+-\d+\b")
VERSIONS: Final = {"3.1.1", "5.0"}
FOLDERS: Final = ("core", "protocols", "gateway", "tests", "interop")


def sources() -> list[Path]:
    found = [path for folder in FOLDERS for path in sorted((ROOT / folder).rglob("*.py"))]
    return [*found, VECTORS / "packets.json", VECTORS / "mosquitto.toml"]


def functions_of(path: Path) -> set[str]:
    """Return the names of the tests in a file."""
    found: set[str] = set()
    for node in ast.parse(path.read_text()).body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            found.add(node.name)
    return found


def test_every_tag_that_is_named_is_in_the_ledger() -> None:
    known = {statement["tag"] for statement in LEDGER}
    missing = {(path.name, tag) for path in sources() for tag in TAG.findall(path.read_text()) if tag not in known}
    assert missing == set()


def test_every_statement_is_there_once_and_has_a_test_or_a_reason() -> None:
    keys = [(statement["version"], statement["tag"]) for statement in LEDGER]
    assert len(set(keys)) == len(keys)
    assert {version for version, _ in keys} == VERSIONS
    assert all(TAG.fullmatch(tag) for _, tag in keys)
    bare = [statement["tag"] for statement in LEDGER if bool(statement.get("tests")) is bool(statement.get("reason"))]
    assert bare == []


@pytest.mark.parametrize("file", sorted({name.partition("::")[0] for line in LEDGER for name in line.get("tests", [])}))
def test_every_test_of_the_ledger_exists(file: str) -> None:
    named = {
        name.partition("::")[2] for line in LEDGER for name in line.get("tests", []) if name.startswith(f"{file}::")
    }
    assert named - functions_of(ROOT / file) == set()


def test_the_vectors_name_tags_as_the_specification_writes_them() -> None:
    names = [vector["name"] for vector in json.loads((VECTORS / "packets.json").read_text())]
    assert [name for name in names if "MQTT-" in name and not TAG.search(name)] == []
