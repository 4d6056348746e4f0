"""A run on disk: its seed, the rounds that are done and all lines of its ledger, so that it goes on where it was ended.

One file of lines, only ever appended to; the broker's files are in a folder beside it. A round that was cut short is done again
under other names, and what it had published is judged like the rest.
"""

from pathlib import Path
from typing import Self

from interop.crash.ledger import Ledger

SEED, START, DONE = "seed", "start", "done"


class Record:
    """A run that is kept in `path`, new or begun before."""

    def __init__(self, path: Path, seed: int) -> None:
        self.seed = seed
        self.done = 0  # rounds
        self.starts = 1  # of this run, this one included
        self.folder = path.with_name(f"{path.name}.data")
        self.folder.mkdir(parents=True, exist_ok=True)
        lines = path.read_text().splitlines(keepends=True) if path.exists() else []
        self._file = path.open("a", buffering=1 << 16)
        self.ledger = Ledger(self._file.write)
        for line in lines:
            if line.endswith("\n"):
                self._read(*line.split())
        if lines and not lines[-1].endswith("\n"):
            self._file.write("\n")
        if not lines:
            self._write(SEED, seed)
        self._write(START, self.starts)

    def _read(self, word: str = "", value: str = "") -> None:
        if word == SEED:
            self.seed = int(value)
        elif word == START:
            self.starts = int(value) + 1
        elif word == DONE:
            self.done = int(value)
        elif word:
            self.ledger.enter(word, value)

    def _write(self, word: str, value: int) -> None:
        self._file.write(f"{word} {value}\n")
        self._file.flush()

    def end_round(self) -> None:
        """Note that another round is done."""
        self.done += 1
        self._write(DONE, self.done)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()
