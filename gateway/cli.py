"""The command `dragoman`: what people type, what they read, and the exit code.

0: it did what was asked. 1: it could not, and standard error says why. 2: what was asked makes no sense: a wrong
configuration or command line. What a command needs is imported when it runs, so that `--version` is quick.
"""

import sys
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from gateway import policy_commands, store_commands, user_commands
from gateway.scram_secret import ITERATIONS, ITERATIONS_LEAST, ITERATIONS_MOST
from gateway.version import NAME, VERSION, build

if TYPE_CHECKING:
    from gateway.config import Config
    from gateway.door import Listening

FAILED: Final = 1
MISTAKEN: Final = 2

app = typer.Typer(
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,  # plain: what is wrong with a command line is never cut to fit a box
    context_settings={"help_option_names": ["-h", "--help"]},
    help="One broker for AMQP 0-9-1, MQTT and STOMP clients.",
)

ConfigOption = Annotated[
    Path | None,
    typer.Option("--config", "-c", metavar="FILE", help="Configuration (TOML). Without it: loopback, guest/guest."),
]


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"{NAME} {VERSION}")
        raise typer.Exit


@app.callback()
def _common(
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version and exit.")
    ] = False,
) -> None:
    """One broker for AMQP 0-9-1, MQTT and STOMP clients."""


@app.command()
def serve(config: ConfigOption = None) -> None:
    """Run the broker until Ctrl-C or SIGTERM."""
    try:
        code = _serve(_load(config), config)
    except KeyboardInterrupt:
        code = 0  # before the broker took over the signals
    raise typer.Exit(code)


def _serve(config: "Config", file: Path | None) -> int:
    import trio

    from core.store.errors import StoreError
    from gateway import logs, server
    from gateway.listeners import ListenError

    connection_log = logs.configure(config.log)
    try:
        return trio.run(server.serve, config, partial(_announce, config), connection_log, file)
    except (ListenError, StoreError) as error:
        _complain(str(error))
        return FAILED


def _announce(config: "Config", listening: "Sequence[Listening]", stored_users: int) -> None:
    import structlog

    from gateway import banner, logs
    from gateway.outflow import write_at_once

    if config.log.format == "json":
        structlog.get_logger().info("started", **banner.facts(config, listening, build(), stored_users))
        return
    stream = logs.standard_output()
    coloured = logs.wants_colour(stream)
    write_at_once(stream, banner.banner(config, listening, build(), stored_users, coloured=coloured))


@app.command("check-config", short_help="Check a configuration file.")
def check_config(file: Annotated[Path, typer.Argument(metavar="FILE", help="Configuration (TOML).")]) -> None:
    """Say whether a configuration can be used, and if not, everything that is wrong with it."""
    _load(file)
    typer.echo(f"{file}: ok")


@app.command("hash-password", short_help="Make the hash of a password.")
def hash_password(
    scram: Annotated[bool, typer.Option("--scram", help="Make the secret for `scram_sha_256` instead.")] = False,
    iterations: Annotated[
        int | None,
        typer.Option(min=ITERATIONS_LEAST, max=ITERATIONS_MOST, help=f"Cost of SCRAM to clients [{ITERATIONS}]."),
    ] = None,
) -> None:
    """Print the hash of a password for `password_hash`: asked for twice, or the first line of standard input."""
    if iterations is not None and not scram:
        _complain("--iterations is for --scram")
        raise typer.Exit(MISTAKEN)
    if sys.stdin.isatty():
        password = typer.prompt("Password", hide_input=True, confirmation_prompt=True, err=True).encode()
    else:
        password = sys.stdin.buffer.readline().removesuffix(b"\n").removesuffix(b"\r")
    if not password:
        _complain("an empty password is never right for anybody")
        raise typer.Exit(MISTAKEN)
    typer.echo(_scram_secret(password, iterations or ITERATIONS) if scram else _hashed(password))


def _hashed(password: bytes) -> str:
    from gateway.accounts import hash_password

    return hash_password(password)


def _scram_secret(password: bytes, iterations: int) -> str:
    from gateway.scram import new_secret
    from protocols.exchange import Failure

    try:
        return str(new_secret(password, iterations))
    except Failure as failure:
        _complain(failure.text)
        raise typer.Exit(MISTAKEN) from None


@app.command(short_help="Ask the broker whether it answers.")
def ping(config: ConfigOption = None) -> None:
    """Ask the broker on this machine whether it answers; for health checks."""
    from gateway.ping import most_telling
    from gateway.ping import ping as ask

    listener = most_telling(_load(config).listener)
    try:
        ask(listener)
    except OSError as error:
        _complain(f"{listener.protocol} at {listener.address} does not answer: {error.strerror or error}")
        raise typer.Exit(FAILED) from None
    typer.echo(f"{listener.protocol} at {listener.address} answers")


store_commands.add_to(app)
user_commands.add_to(app)
policy_commands.add_to(app)


def _load(path: Path | None) -> "Config":
    from gateway.config import Config, load
    from gateway.config_errors import ConfigError

    if path is None:
        return Config()
    try:
        return load(path)
    except ConfigError as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(MISTAKEN) from None


def _complain(text: str) -> None:
    typer.echo(f"{NAME}: {text}", err=True)


def main() -> None:
    """Run the command line of this process."""
    app(prog_name=NAME)
