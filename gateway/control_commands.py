"""How the commands about users and policies ask: a running broker by its control socket, or the store that no broker has open."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from gateway.command_store import FAILED, MISTAKEN, complain, directory_of, said

if TYPE_CHECKING:
    from gateway.control_client import Asking


@contextmanager
def asked(store: Path | None, config: Path | None, *, creates: bool = False) -> Iterator["Asking"]:
    """Ask whoever answers for a store; an error of theirs is said, and ends the command. With `creates` a store is made."""
    from gateway.config import load
    from gateway.control_client import Refused, asking

    directory = directory_of(store, config)
    with said(), _without_a_log():
        read = load(config) if config is not None else None
        named = str(config) if config is not None else "the configuration of the broker"
        with asking(directory, read, named, creates=creates) as (asking_one, damage):
            for sentence in damage:
                complain(f"damaged: {sentence}")
            try:
                yield asking_one
            except Refused as refused:
                complain(str(refused))
                raise typer.Exit(MISTAKEN if refused.mistaken else FAILED) from None


def told(answer: dict[str, Any]) -> None:
    """Print what else has come of a change."""
    from gateway.escaping import printable

    for sentence in answer["said"]:
        typer.echo(printable(sentence))


def as_json(value: object) -> str:
    """Return a value as it is printed: JSON on one line, with the escapes of JSON where something is not printable."""
    text = json.dumps(value, ensure_ascii=False)
    return text if text.isprintable() else json.dumps(value)


@contextmanager
def _without_a_log() -> Iterator[None]:
    """Keep what a broker would log to itself: a command says by itself what it has done."""
    import logging

    import structlog

    before = structlog.get_config()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    try:
        yield
    finally:
        structlog.configure(**before)
