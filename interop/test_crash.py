"""Nothing that was confirmed is lost, whenever the broker is killed or its disk loses power; and the test of that test.

A few rounds of `make crash`, which runs as many as one likes.
"""

import os
import shlex
import sys
from pathlib import Path
from typing import Final

import pytest

from interop.crash import mutant
from interop.crash.__main__ import INTERRUPTIONS
from interop.crash.ledger import Verdict
from interop.crash.power import LoopDisk, unavailable
from interop.crash.record import Record
from interop.crash.rounds import Harness, Kill, PowerLoss

pytestmark = pytest.mark.skipif(bool(os.environ.get("DRAGOMAN_HOST")), reason="a broker of somebody else is not killed")

KILLS: Final = 4
POWER_LOSSES: Final = 3
MUTANT_ROUNDS: Final = 30  # at most, in which a mistake must show; most do in the first three
POWER: Final = unavailable()


def verdict_of(folder: Path, rounds: int, *, power: bool = False, until_bad: bool = False) -> Verdict:
    """Run rounds and judge; with `until_bad` after each of them, until something is lost."""
    if not power:
        with Record(folder / "run", 7) as record, Harness(record, Kill()) as harness:
            return judged(harness, rounds, until_bad=until_bad)
    with (
        LoopDisk(folder) as disk,
        Record(folder / "run", 7) as record,
        Harness(record, PowerLoss(disk)) as harness,
    ):
        return judged(harness, rounds, until_bad=until_bad)


def judged(harness: Harness, rounds: int, *, until_bad: bool) -> Verdict:
    for _ in harness.rounds(rounds):
        if until_bad and (verdict := harness.verdict()).lost:
            return verdict
    return harness.verdict()


def test_nothing_confirmed_is_lost_when_the_broker_is_killed(tmp_path: Path) -> None:
    verdict = verdict_of(tmp_path, KILLS)
    assert verdict.good, str(verdict)
    assert verdict.confirmed > 100 * KILLS
    assert all(verdict.ways.values()), str(verdict)  # or a client that publishes nothing would go unseen


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="what a process has open is read from /proc")
def test_nothing_confirmed_is_lost_when_recoveries_are_killed_three_deep(tmp_path: Path) -> None:
    with (
        Record(tmp_path / "run", 7) as record,
        Harness(record, Kill(), interruptions=INTERRUPTIONS) as harness,
    ):
        verdict = judged(harness, KILLS, until_bad=False)
    assert verdict.good, str(verdict)
    assert harness.interruptions.hits, "no kill came before the broker listened"


@pytest.mark.skipif(bool(POWER), reason=POWER)
def test_nothing_confirmed_is_lost_when_the_disk_loses_its_power(tmp_path: Path) -> None:
    verdict = verdict_of(tmp_path, POWER_LOSSES, power=True)
    assert verdict.good, str(verdict)
    assert verdict.confirmed > 100 * POWER_LOSSES


def test_a_run_is_resumed_with_its_seed_its_store_and_its_ledger(tmp_path: Path) -> None:
    with Record(tmp_path / "run", 7) as record, Harness(record, Kill()) as harness:
        assert list(harness.rounds(1)) == [0]
    confirmed = record.ledger.confirmed  # now: sessions that came back may have had something to confirm
    with (tmp_path / "run").open("a") as file:
        file.write("c half-writ")
    with Record(tmp_path / "run", 8) as record, Harness(record, Kill()) as harness:
        assert (record.seed, record.done, record.starts) == (7, 1, 2)
        assert record.ledger.confirmed == confirmed
        assert list(harness.rounds(1)) == [1]
        verdict = harness.verdict()
    assert verdict.good, str(verdict)
    assert verdict.confirmed > confirmed


def start_mutant(monkeypatch: pytest.MonkeyPatch, mistake: str) -> None:
    if os.environ.get("DRAGOMAN_COMMAND"):
        pytest.skip("a mistake can be made in the interpreted build only, and DRAGOMAN_COMMAND names another")
    monkeypatch.setenv("DRAGOMAN_COMMAND", shlex.join([sys.executable, mutant.__file__, mistake]))


@pytest.mark.parametrize("mistake", ["confirm-before-commit", "acknowledge-before-deliver"])
def test_a_broker_with_a_mistake_is_found_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, mistake: str) -> None:
    start_mutant(monkeypatch, mistake)
    assert verdict_of(tmp_path, MUTANT_ROUNDS, until_bad=True).lost


def test_a_slow_disk_alone_is_no_mistake(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    start_mutant(monkeypatch, "nothing")
    verdict = verdict_of(tmp_path, 2)
    assert verdict.good, str(verdict)


@pytest.mark.skipif(bool(POWER), reason=POWER)
def test_a_broker_that_never_syncs_is_found_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    start_mutant(monkeypatch, "never-sync")
    try:
        found = verdict_of(tmp_path, MUTANT_ROUNDS, power=True, until_bad=True).lost
    except AssertionError as complaint:  # a session is gone, or the file is broken: more than messages is lost
        found = [str(complaint)]
    assert found
