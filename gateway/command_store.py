"""Which store a command is about, and how a command says what cannot be done. Exit codes are those of gateway/cli.py."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Final

import typer

from gateway.version import NAME

FAILED: Final = 1
MISTAKEN: Final = 2

DirectoryOption = Annotated[
    Path | None, typer.Option("--store", metavar="DIR", help="The data directory of the store.")
]
ConfigOption = Annotated[
    Path | None, typer.Option("--config", "-c", metavar="FILE", help="The configuration that names the store.")
]


def directory_of(directory: Path | None, config: Path | None) -> Path:
    """Return the data directory that was named, one way or the other."""
    if (directory is None) == (config is None):
        complain("name the data directory of the store, or with --config the configuration that has it")
        raise typer.Exit(MISTAKEN)
    if directory is not None:
        return directory
    from gateway.config import load
    from gateway.config_errors import ConfigError

    assert config is not None
    try:
        found = load(config).store.directory
    except ConfigError as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(MISTAKEN) from None
    if found is None:
        complain(f"{config} has no store: `directory` in [store] is not set")
        raise typer.Exit(MISTAKEN)
    return found


@contextmanager
def said() -> Iterator[None]:
    """Say on standard error what a store cannot do."""
    from core.store.errors import StoreError

    try:
        yield
    except StoreError as error:
        complain(str(error))
        raise typer.Exit(FAILED) from None
    except OSError as error:
        complain(f"{error.filename}: {error.strerror}")
        raise typer.Exit(FAILED) from None


def show_table(rows: list[tuple[str, ...]]) -> None:
    """Print rows, the heads first, in columns."""
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    for row in rows:
        typer.echo("  ".join(text.ljust(width) for text, width in zip(row, widths, strict=True)).rstrip())


def complain(text: str) -> None:
    """Say on standard error what is wrong, on one line."""
    from gateway.escaping import printable

    typer.echo(f"{NAME}: {printable(text)}", err=True)
