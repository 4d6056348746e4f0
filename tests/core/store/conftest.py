"""Fixtures for tests that open thousands of stores."""

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest


@pytest.fixture
def quick_path() -> Iterator[Path]:
    """A folder in memory where the system has a place for that, else any: a sync costs nothing there."""
    memory = Path("/dev/shm")
    with tempfile.TemporaryDirectory(prefix="store-", dir=memory if memory.is_dir() else None) as folder:
        yield Path(folder)
