"""Waiting for what nobody tells a test of: a log, a file, what other threads have seen."""

import time
from collections.abc import Callable
from typing import Final

POLL_S: Final = 0.05


def wait_until(true: Callable[[], bool], complaint: Callable[[], str], limit_s: float) -> None:
    """Return once it is true; fail with the complaint of that moment when it is not in time."""
    give_up = time.monotonic() + limit_s
    while not true():
        assert time.monotonic() < give_up, complaint()
        time.sleep(POLL_S)
