"""The space that the file of the store and its log take: what is free goes back to the file system, in steps that nobody notices.

SQLite keeps pages that are free in a list and uses them again. `incremental_vacuum` takes the last pages off the file: one that is free
is looked for in the list, one that is in use moves to a free page further in front, which is looked for too. Where a backlog was
drained as it came, the pages are near the head of the list and cost some microseconds. Where many queues that grew together were
drained one after another they may be anywhere: 0.13 ms each among half a million (2 GB). So steps are as long as a time allows.
"""

import errno
from collections.abc import Callable
from contextlib import suppress
from typing import Final

import apsw

CHECKPOINT_PAGES: Final = 4_000  # of the log, until it is copied into the file: 16 MiB
LOG_LIMIT_BYTES: Final = 32 << 20  # that the log keeps on disk once it was longer
# What may be free: one page for so many in use, since those are not all full, and these for what comes next: 28 MiB, with the log less
# than 64 MB.
FREE_PARTS: Final = 2
KEPT_FREE_PAGES: Final = 7_168
SHORTENED_PAGES: Final = 4_096  # given back until the file is cut: 16 MiB, for 0.2 ms each on ext4, while commits wait
STEP_PAGES: Final = 128  # of a step at most, however quick: the next ones may be fifty times slower
LEAST_STEP_PAGES: Final = 8
FIRST_PAGE_S: Final = 1e-4  # that a page takes, before one is known
QUICKEST_PAGE_S: Final = 1e-6
LAST_STEP_PARTS: Final = 4  # what a page takes is an average, of which the last step is one of so many parts
COMMIT_STEP_S: Final = 0.002  # that a step may take within a commit
SPARE_PARTS: Final = 2  # and one in so many of the time since the commit before, so that whoever is busy stays quick
DRAINED_PAGES: Final = 8  # more free ones than after the commit before: a backlog is being drained
REST_STEP_S: Final = 0.003  # and where there is nothing to commit
# In use, or less: where the steps would take longer than so long, as so many of them in a row have found, the file is written anew
# while there is nothing to commit: 50 ms for 16 MiB, and 0.2 ms for each MiB that is cut off, 0.4 s for 2 GB.
REWRITTEN_PAGES: Final = 4_096
SLOW_S: Final = 60.0
SLOW_STEPS: Final = 100
COMMITS_WITHOUT: Final = 1_000  # steps, after there was no room on the disk for a commit that may have had one

Clock = Callable[[], float]  # monotonic seconds


def untimed() -> float:
    """Tell no time: every step is as long as the limits allow."""
    return 0.0


class Limits:
    """How much may be free, and how much goes at once; for tests with small files."""

    def __init__(
        self,
        checkpoint_pages: int = CHECKPOINT_PAGES,
        kept_free_pages: int = KEPT_FREE_PAGES,
        shortened_pages: int = SHORTENED_PAGES,
        step_pages: int = STEP_PAGES,
        slow_s: float = SLOW_S,
        slow_steps: int = SLOW_STEPS,
    ) -> None:
        self.checkpoint_pages = checkpoint_pages
        self.kept_free_pages = kept_free_pages
        self.shortened_pages = shortened_pages
        self.step_pages = step_pages
        self.slow_s = slow_s
        self.slow_steps = slow_steps


class Space:
    """Gives space back on the one connection that writes. What fails raises apsw.Error."""

    def __init__(self, db: apsw.Connection, limits: Limits, clock: Clock) -> None:
        self._db = db
        self._limits = limits
        self._clock = clock
        self.log_pages = 0
        self._cut_pages = 0  # given back, of which the file may still have the room
        self._page_s = FIRST_PAGE_S  # that one takes
        self._slow_steps = 0  # in a row
        self.giving = False
        self._free = 0  # pages behind the last commit that removed something
        self._committed_at = 0.0  # by the clock
        self._without = 0  # commits that are to have no step
        db.set_wal_hook(self._logged)

    def _logged(self, _db: apsw.Connection, _name: str, pages: int) -> int:
        self.log_pages = pages
        return apsw.SQLITE_OK

    # Beside commits

    def written(self) -> None:
        """Take a step, in a transaction that has removed something, or while `giving`.

        Not while a backlog is being drained, which each commit shows that leaves more free pages than the one before: the pages at
        the end of the file are in use then, and would be moved only to be free as well a moment later.
        """
        free, used = self._pages()
        grown = free > self._free + DRAINED_PAGES
        self._free = free
        if self._without:
            self._without -= 1
        elif self._is_too_much(free, used) and not grown:
            spare_s = (self._clock() - self._committed_at) / SPARE_PARTS
            self._free -= self._step(free, used, min(spare_s, COMMIT_STEP_S))

    def committed(self) -> None:
        """Copy the log into the file, where that is due."""
        if self.log_pages >= self._limits.checkpoint_pages or self._cut_pages >= self._limits.shortened_pages:
            self.checkpoint()
        if self.giving:
            self._committed_at = self._clock()

    def refused(self) -> None:
        """Note that the disk has had no room for a commit; a step may have taken it."""
        self._without = COMMITS_WITHOUT

    def checkpoint(self) -> None:
        """Copy the log into the file, and cut off what was given back.

        SQLite's own checkpoints hide their errors: a failed sync would only be known when the log has filled the disk. Where
        there is no space for the file, all is in the log, and the next commit tries again.
        """
        self._cut_pages = 0
        with suppress(apsw.FullError):
            self._db.wal_checkpoint("main", apsw.SQLITE_CHECKPOINT_PASSIVE)

    # While there is nothing to commit

    def tidy(self) -> bool:
        """Take a step; return whether there is another to take."""
        free, used = self._pages()
        if not self._is_too_much(free, used):
            self._end()
            return False
        if self._is_slow(free) and used <= REWRITTEN_PAGES:
            self._rewrite()
            return True
        with self._db:
            self._step(free, used, REST_STEP_S)
        self.committed()
        return True

    def _is_slow(self, free: int) -> bool:
        slow = free * self._page_s / 2 > self._limits.slow_s  # a half, since the list becomes shorter
        self._slow_steps = self._slow_steps + 1 if slow else 0
        return self._slow_steps > self._limits.slow_steps

    def _rewrite(self) -> None:
        """Write what is in use anew, and give everything else back."""
        self._slow_steps = 0
        self._page_s = FIRST_PAGE_S
        self._db.execute("vacuum").fetchall()
        self.checkpoint()

    def _end(self) -> None:
        self.checkpoint()
        if self.log_pages * 4_096 > LOG_LIMIT_BYTES:
            # The log is only cut when it is begun anew, which takes something to write: the format that the file has.
            self._db.execute(f"pragma user_version = {int(self._db.execute('pragma user_version').get)}")

    def lacks_room_for_the_index(self, error: apsw.Error) -> bool:
        """Tell whether only the log's index could not grow, which nothing is read from after a crash: SQLite calls it I/O."""
        return (
            getattr(error, "extendedresult", 0) == apsw.SQLITE_IOERR_SHMSIZE and self._db.system_errno == errno.ENOSPC
        )

    def _pages(self) -> tuple[int, int]:
        """Return how many pages of the file are free, and how many are in use."""
        free = int(self._db.execute("pragma freelist_count").get)
        return free, int(self._db.execute("pragma page_count").get) - free

    def _is_too_much(self, free: int, used: int) -> bool:
        """Tell whether steps are to be taken: once there is more free than may be, until there is some less."""
        allowed = used // FREE_PARTS + self._limits.kept_free_pages
        self.giving = free > (self._least(used) if self.giving else allowed)
        return self.giving

    def _least(self, used: int) -> int:
        return max(used // FREE_PARTS, self._limits.kept_free_pages // 2)

    def _step(self, free: int, used: int, time_s: float) -> int:
        """Give pages back, about as many as the time allows; return how many."""
        pages = max(LEAST_STEP_PAGES, int(time_s / self._page_s))
        pages = min(pages, self._limits.step_pages, free - self._least(used))
        began = self._clock()
        self._db.execute(f"pragma incremental_vacuum({pages})").fetchall()
        found_s = max((self._clock() - began) / pages, QUICKEST_PAGE_S)
        self._page_s += (found_s - self._page_s) / LAST_STEP_PARTS
        self._cut_pages += pages
        return pages
