"""Mosquitto's 1,826 packet cases: all are answered alike, but for those of `mosquitto.toml`, which says why."""

import tomllib
from pathlib import Path
from typing import Any, Final

import pytest

from tests.protocols.mqtt.mosquitto import COUNT, Case, Play, cases

FILE: Final = Path(__file__).parents[2] / "vectors" / "mqtt" / "mosquitto.toml"
DIFFERENCES: Final[list[dict[str, Any]]] = tomllib.loads(FILE.read_text())["difference"]
JUSTIFIED: Final = [name for difference in DIFFERENCES for name in difference["cases"]]


@pytest.fixture(scope="module")
def everything() -> list[Case]:
    found = cases()
    if not found:
        pytest.skip("Mosquitto's cases are not here (MOSQUITTO_CASES)")
    return found


def test_every_case_is_there(everything: list[Case]) -> None:
    assert len(everything) == len({case.name for case in everything}) == COUNT


def test_every_case_is_answered_alike_or_the_difference_is_justified(everything: list[Case]) -> None:
    different = {case.name: Play(case).difference() for case in everything}
    unexplained = {name: how for name, how in different.items() if how and name not in JUSTIFIED}
    assert unexplained == {}


def test_every_justified_difference_is_one(everything: list[Case]) -> None:
    justified = [case for case in everything if case.name in JUSTIFIED]
    assert len(justified) == len(JUSTIFIED)
    assert [case.name for case in justified if not Play(case).difference()] == []


def test_every_difference_says_why() -> None:
    assert all(difference["statement"] and difference["why"] for difference in DIFFERENCES)
    assert len(set(JUSTIFIED)) == len(JUSTIFIED)
