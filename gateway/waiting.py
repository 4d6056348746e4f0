"""What somebody sees who waits: a bar on a terminal for what takes longer than a second, and nothing for what does not."""

import threading
from typing import Final

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

PATIENCE_S: Final = 1.0


class Waiting:
    """A bar on standard error, from the second on. Without a total it only moves."""

    def __init__(self, what: str, patience_s: float = PATIENCE_S, console: Console | None = None) -> None:
        self._progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            TaskProgressColumn(),
            TimeRemainingColumn(),
            console=console or Console(stderr=True),
            transient=True,
        )
        self._task = self._progress.add_task(what, total=None)
        self._timer = threading.Timer(patience_s, self._progress.start)
        self._timer.daemon = True

    def __enter__(self) -> "Waiting":
        self._timer.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._timer.cancel()
        self._timer.join()
        if self._progress.live.is_started:
            self._progress.stop()

    def step(self, done: int, total: int) -> None:
        """Say how far it is."""
        self._progress.update(self._task, completed=done, total=total)
