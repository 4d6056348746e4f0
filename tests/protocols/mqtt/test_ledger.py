"""The ledger of normative statements: all that bind a server are in it, with tests that exist or with a reason."""

import ast
import json
import re
import tomllib
from collections import Counter
from pathlib import Path
from typing import Any, Final

import pytest

ROOT: Final = Path(__file__).parents[3]
VECTORS: Final = ROOT / "tests" / "vectors" / "mqtt"
LEDGER: Final[list[dict[str, Any]]] = tomllib.loads((VECTORS / "ledger.toml").read_text())["statement"]
TAG: Final = re.compile(r"\bMQTT-\d+\.\d+\.\d+-\d+\b")
STATEMENTS: Final[dict[str, dict[str, Any]]] = {
    "3.1.1": tomllib.loads((VECTORS / "statements_3_1_1.toml").read_text()),
    "5.0": tomllib.loads((VECTORS / "statements_5_0.toml").read_text()),
}
COUNTS: Final = {  # of statements by chapter, in the appendices B of both specifications
    "3.1.1": {1: 3, 2: 9, 3: 95, 4: 26, 6: 4, 7: 4},
    "5.0": {1: 5, 2: 7, 3: 175, 4: 60, 6: 4},
}
BINDS: Final = {"server", "client", "both"}
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


@pytest.mark.parametrize("version", COUNTS)
def test_the_statements_are_all_there(version: str) -> None:
    """What the appendix of the specification counts, and each with the part that it binds and in other words."""
    statements = STATEMENTS[version]
    assert all(TAG.fullmatch(tag) for tag in statements)
    chapters = Counter(int(tag.removeprefix("MQTT-").partition(".")[0]) for tag in statements)
    assert chapters == COUNTS[version]
    assert all(said["binds"] in BINDS and said["says"] and len(said) == 2 for said in statements.values())


@pytest.mark.parametrize("version", COUNTS)
def test_every_statement_that_binds_a_server_is_in_the_ledger(version: str) -> None:
    binding = {tag for tag, said in STATEMENTS[version].items() if said["binds"] != "client"}
    assert binding - {statement["tag"] for statement in LEDGER if statement["version"] == version} == set()


def test_the_ledger_knows_no_statement_that_is_none() -> None:
    assert [row["tag"] for row in LEDGER if row["tag"] not in STATEMENTS[row["version"]]] == []


def test_every_tag_that_is_named_is_in_the_ledger() -> None:
    known = {statement["tag"] for statement in LEDGER}
    missing = {(path.name, tag) for path in sources() for tag in TAG.findall(path.read_text()) if tag not in known}
    assert missing == set()


def test_every_statement_is_there_once_and_has_a_test_or_a_reason() -> None:
    keys = [(statement["version"], statement["tag"]) for statement in LEDGER]
    assert len(set(keys)) == len(keys)
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
