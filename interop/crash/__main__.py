"""The command line of the crash test."""

import argparse
import secrets
import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path
from typing import Final

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from interop.crash.power import LoopDisk, unavailable
from interop.crash.record import Record
from interop.crash.rounds import Harness, Kill, PowerLoss

INTERRUPTIONS: Final = 3  # of recoveries in a row


def main() -> int:
    """Run the rounds that were asked for; 1 when anything confirmed was lost."""
    parser = argparse.ArgumentParser(prog="python -m interop.crash", description=__doc__)
    parser.add_argument("--rounds", type=int, default=25, help="in all, those that a resumed run has done included")
    parser.add_argument("--seed", type=int, default=secrets.randbelow(1_000_000), help="repeats the moments of a run")
    parser.add_argument(
        "--state", type=Path, metavar="FILE", help="keep the run here, and resume the one that is there"
    )
    parser.add_argument("--power", action="store_true", help="shut the file system down instead (root, loop devices)")
    parser.add_argument(
        "--recovery", action="store_true", help="kill each recovery too, one to three times, before one may end"
    )
    wanted = parser.parse_args()
    if wanted.power and wanted.state:
        parser.error("--power has a disk of its own, which is not kept: it cannot be resumed")
    if wanted.power and (reason := unavailable()):
        parser.error(reason)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with ExitStack() as stack:
        temporary = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="crash-")))
        record = stack.enter_context(Record(wanted.state or temporary / "run", wanted.seed))
        print(f"seed {record.seed}" + (f", {record.done} rounds done before" if record.done else ""))
        end = PowerLoss(stack.enter_context(LoopDisk(temporary))) if wanted.power else Kill()
        harness = stack.enter_context(Harness(record, end, interruptions=INTERRUPTIONS if wanted.recovery else 0))
        progress = stack.enter_context(Progress(*columns))
        task = progress.add_task(end.name, total=wanted.rounds, completed=record.done)
        for _ in harness.rounds(wanted.rounds - record.done):
            progress.update(task, advance=1, description=f"{end.name}, {record.ledger.confirmed} confirmed")
        verdict = harness.verdict()
    print(verdict)
    if wanted.recovery:
        print(f"  {harness.interruptions.hits} of {harness.interruptions.tries} more kills hit a recovery")
    return 0 if verdict.good else 1


if __name__ == "__main__":
    sys.exit(main())
