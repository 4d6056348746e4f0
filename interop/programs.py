"""Test programs in other languages: built in a temporary folder, run against the broker under test.

A language whose tools are not on the machine is skipped; a program that cannot be built is a failure.
"""

import os
import shutil
import subprocess
from pathlib import Path
from typing import Final

import pytest

from interop.broker import CHECKOUT, Endpoint

BUILD_LIMIT_S: Final = 300.0  # the first build fetches the client library
RUN_LIMIT_S: Final = 60.0
FETCH_TRIES: Final = 3
WITHOUT: Final = ("node_modules", "target")


def needed(*tools: str) -> None:
    """Skip the test when one of the tools is not here."""
    for tool in tools:
        if shutil.which(tool) is None:
            pytest.skip(f"{tool} is not installed")


def copied(language: str, folder: Path) -> Path:
    """Copy the program's sources, so that nothing is built in the checkout."""
    target = folder / language
    shutil.copytree(CHECKOUT / "interop" / language, target, ignore=shutil.ignore_patterns(*WITHOUT))
    return target


def run(*command: str, folder: Path, endpoint: Endpoint | None = None) -> str:
    """Run a command to its end and return what it printed; AssertionError with all of it unless it went well."""
    environment = dict(os.environ)
    if endpoint is not None:
        environment["AMQP_URL"] = amqp_url(endpoint)
    done = subprocess.run(
        command,
        cwd=folder,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=BUILD_LIMIT_S if endpoint is None else RUN_LIMIT_S,
        check=False,
    )
    assert done.returncode == 0, done.stdout
    return done.stdout


def fetch(*command: str, folder: Path) -> None:
    """Run a command that fetches the client library; a registry that does not answer is asked again."""
    for _ in range(FETCH_TRIES - 1):
        try:
            run(*command, folder=folder)
        except (AssertionError, subprocess.TimeoutExpired):
            continue
        return
    run(*command, folder=folder)


def amqp_url(endpoint: Endpoint) -> str:
    """Return the address that every client library understands."""
    return f"amqp://{endpoint.user}:{endpoint.password}@{endpoint.host}:{endpoint.ports['amqp']}"
