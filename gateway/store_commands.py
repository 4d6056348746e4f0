"""The commands about a store: `dragoman store verify|stats|migrate`, `dragoman backup` and `dragoman restore`.

Exit codes are those of the other commands (gateway/cli.py). A store is named by its directory, or by the configuration whose
`[store]` names it.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from gateway.command_store import FAILED, ConfigOption, DirectoryOption, directory_of, said

if TYPE_CHECKING:
    from core.store.inspection import Inspection, QueueStats, Verified
    from core.store.record import Codec
    from core.store.salvage import Salvaged

DAMAGE_LINES: Final = 1_000  # printed; the rest is counted

DirectoryArgument = Annotated[Path | None, typer.Argument(metavar="DIR", help="The data directory of the store.")]

store_app = typer.Typer(no_args_is_help=True, rich_markup_mode=None, help="Look at a store, and check it.")


@store_app.command(short_help="Read everything, and say what is damaged.")
def verify(directory: DirectoryArgument = None, config: ConfigOption = None) -> None:
    """Read everything in a store that is not in use, and say what is damaged: exit code 1 if anything is."""
    from gateway.waiting import Waiting

    path = directory_of(directory, config)
    with said(), _opened(path, alone=True) as inspection:
        with Waiting(f"reading {inspection.path}") as waiting:
            found = inspection.verify(_codec(), waiting.step)
        _show_damage(found)
        typer.echo(
            f"{inspection.path}: {_count(found.definitions, 'definition')} and {_count(found.messages, 'message')} read, "
            f"{_count(len(found.damage), 'fault') if found.damage else 'no damage'}"
        )
        if found.set_aside:
            typer.echo(f"{_count(found.set_aside, 'record')} in quarantine, set aside by earlier starts")
        if found.damage:
            raise typer.Exit(FAILED)


@store_app.command(short_help="Print what each queue has.")
def stats(directory: DirectoryArgument = None, config: ConfigOption = None) -> None:
    """Print what each durable queue has in a store, also in that of a running broker, and how old its oldest message is."""
    import time

    from gateway.waiting import Waiting

    path = directory_of(directory, config)
    with said(), _opened(path, alone=False) as inspection:
        with Waiting(f"reading {inspection.path}") as waiting:
            queues = inspection.queues(waiting.step)
        _show_queues(queues, time.time())


@store_app.command()
def migrate(
    directory: DirectoryArgument = None,
    config: ConfigOption = None,
    check: Annotated[bool, typer.Option("--check", help="Try it, and change nothing.")] = False,
) -> None:
    """Bring a store that is not in use to this version's format, as a start of the broker does. There is no way back."""
    from core.store.formats import FORMAT
    from core.store.migrating import migrate as bring_up
    from gateway.waiting import Waiting

    path = directory_of(directory, config)
    with said():
        with Waiting(f"migrating {path}") as waiting:
            done = bring_up(path, waiting.step, check=check)
        if done.found_format == FORMAT:
            typer.echo(f"{path}: format {FORMAT}, which is this version's; there is nothing to migrate")
            return
        what = "can be migrated" if check else "migrated"
        typer.echo(
            f"{path}: {what} from format {done.found_format} to {FORMAT}, {_count(done.definitions, 'definition')}"
            f"{'; nothing was changed' if check else ''}"
        )
        if done.damaged:
            typer.echo(f"{_count(done.damaged, 'definition')} damaged, and left so")


@store_app.command(short_help="Make a new store of what is readable in a damaged one.")
def salvage(
    into: Annotated[Path, typer.Option("--into", metavar="DIR", help="An empty directory, for the new store.")],
    directory: Annotated[
        Path | None, typer.Argument(metavar="DIR", help="The data directory of the damaged store, or a backup.")
    ] = None,
    config: ConfigOption = None,
) -> None:
    """Take what is readable out of a store whose structure is damaged, and say what each queue has lost.

    The damaged one is left as it is.
    """
    from core.store.salvage import salvage as take_out
    from gateway.waiting import Waiting

    path = directory_of(directory, config)
    with said():
        with Waiting(f"reading {path}") as waiting:
            found = take_out(path, into, waiting.step)
        _show_salvaged(found)
        typer.echo(f"{into}: {_count(found.definitions, 'definition')}; the broker may be started on it")


def backup(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A file that does not exist yet.")],
    store: DirectoryOption = None,
    config: ConfigOption = None,
) -> None:
    """Copy a store to one file, as it is at this moment, also that of a running broker."""
    from core.store.copying import back_up
    from gateway.waiting import Waiting

    path = directory_of(store, config)
    with said():
        with Waiting(f"copying {path}") as waiting:
            size = back_up(path, file, waiting.step)
        typer.echo(f"{file}: {size:,} bytes")


def restore(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="What `dragoman backup` has made.")],
    store: DirectoryOption = None,
    config: ConfigOption = None,
) -> None:
    """Make a store of a backup, in an empty data directory. Its messages will be delivered as redelivered."""
    from core.store.copying import restore as make_of
    from gateway.waiting import Waiting

    path = directory_of(store, config)
    with said():
        with Waiting(f"restoring {path}") as waiting:
            size = make_of(file, path, waiting.step)
        typer.echo(f"{path}: restored from {file}, {size:,} bytes; the broker may be started")


def add_to(app: typer.Typer) -> None:
    """Make these commands of `dragoman`."""
    app.add_typer(store_app, name="store")
    app.command(short_help="Copy a store to one file.")(backup)
    app.command(short_help="Make a store of a backup.")(restore)


@contextmanager
def _opened(directory: Path, *, alone: bool) -> Iterator["Inspection"]:
    """Open a store to read; with `alone` nobody else may have it meanwhile."""
    import os

    from core.store.errors import StoreRefused
    from core.store.inspection import Inspection
    from core.store.sqlite import lock_directory

    inspection = Inspection(directory)
    lock: int | None = None
    try:
        if alone:
            try:
                lock = lock_directory(directory)
            except StoreRefused as refused:
                raise StoreRefused(
                    f"{refused}; stop it, or make a backup and restore it elsewhere to verify that"
                ) from None
        yield inspection
    finally:
        inspection.close()
        if lock is not None:
            os.close(lock)


def _codec() -> "Codec":
    from core.store.natives import Natives
    from core.store.record import Codec
    from core.timers import Clock
    from gateway.durability import NATIVES

    return Codec(Natives(NATIVES), Clock())


def _show_damage(found: "Verified") -> None:
    from gateway.escaping import printable

    for sentence in found.damage[:DAMAGE_LINES]:
        typer.echo(f"damaged: {printable(sentence)}")
    if len(found.damage) > DAMAGE_LINES:
        typer.echo(f"damaged: {len(found.damage) - DAMAGE_LINES:,} more")


def _show_queues(queues: "list[QueueStats]", now: float) -> None:
    from gateway.escaping import escaped

    heads = ("vhost", "queue", "messages", "bytes", "first", "oldest")
    rows = [
        (
            escaped(queue.vhost),
            _title(queue.what, queue.name, queue.number),
            f"{queue.messages:,}",
            f"{queue.bytes:,}",
            f"{queue.oldest:,}" if queue.messages else "",
            _age(now - queue.oldest_at) if queue.oldest_at else "",
        )
        for queue in queues
    ]
    _show_table(
        heads, rows, ("", "all", f"{sum(q.messages for q in queues):,}", f"{sum(q.bytes for q in queues):,}", "", "")
    )


def _show_table(heads: tuple[str, ...], rows: Sequence[tuple[str, ...]], total: tuple[str, ...]) -> None:
    widths = [max(len(row[column]) for row in (heads, *rows, total)) for column in range(len(heads))]
    for row in (heads, *rows, total):
        cells = [
            text.ljust(width) if at < 2 else text.rjust(width)
            for at, (text, width) in enumerate(zip(row, widths, strict=True))
        ]
        typer.echo("  ".join(cells).rstrip())


def _show_salvaged(found: "Salvaged") -> None:
    from gateway.escaping import escaped

    queues = found.queues()
    heads = ("vhost", "queue", "messages", "lost")
    rows = [
        (
            escaped(queue.owner.vhost) if queue.owner else "",
            _title(queue.owner.what, queue.owner.name, queue.number) if queue.owner else _title("", "", queue.number),
            f"{queue.messages:,}",
            _lost(queue.lost),
        )
        for queue in queues
    ]
    _show_table(heads, rows, ("", "all", f"{sum(q.messages for q in queues):,}", _lost(found.lost)))
    for count, what in (
        (found.broken_pages, "page"),
        (found.broken_cells, "record"),
        (found.broken_definitions, "definition"),
    ):
        if count:
            typer.echo(f"{_count(count, what)} could not be read")
    if found.named_anew:
        typer.echo(
            f"{_count(found.named_anew, 'queue')} without a definition: salvaged-…, of no arguments, in vhost '/'"
        )
    if found.broken_messages:
        typer.echo(f"{_count(found.broken_messages, 'message')} with a wrong checksum, in quarantine")


def _lost(count: int | None) -> str:
    return "unknown" if count is None else f"{count:,}"


def _title(what: str, name: str, number: int) -> str:
    from gateway.escaping import escaped

    if not name:
        return f"number {number}, not defined"
    return escaped(name) if what == "queue" else f"{what} {escaped(name)}"


def _age(seconds: float) -> str:
    """Say how long ago something was, in its two largest units."""
    left = max(0, int(seconds))
    parts: list[str] = []
    for unit, size in (("d", 86_400), ("h", 3_600), ("min", 60), ("s", 1)):
        count, left = divmod(left, size)
        if count or parts:
            parts.append(f"{count} {unit}")
    return " ".join(parts[:2]) or "0 s"


def _count(number: int, thing: str) -> str:
    return f"{number:,} {thing}{'' if number == 1 else 's'}"
