"""The commands about the users of a store: `dragoman user add|password|tag|remove|list|show|permit|forbid`.

They ask the running broker, or change the store that no broker has open. A password becomes a hash here: it is never sent.
"""

import sys
from pathlib import Path
from typing import Annotated, Final

import typer

from gateway.command_store import MISTAKEN, ConfigOption, DirectoryOption, complain, directory_of, said, show_table
from gateway.control_commands import asked, told
from gateway.scram_secret import ITERATIONS

PASSWORD_LIMIT_BYTES: Final = 4_096  # more than any client can send in STOMP's or AMQP's first frame, and a mistake
PERMISSION_KEYS: Final = ("vhost", "configure", "write", "read", "write_topics", "read_topics")

NameArgument = Annotated[str, typer.Argument(metavar="NAME", help="The user.")]
TagOption = Annotated[
    list[str] | None,
    typer.Option("--tag", metavar="T", help="administrator, monitoring, policymaker, management or impersonator."),
]
FileOption = Annotated[
    Path | None,
    typer.Option(
        "--password-file", metavar="FILE", help="A file whose first line is the password; - for standard input."
    ),
]
ScramOption = Annotated[bool, typer.Option("--scram", help="Keep a secret for SCRAM-SHA-256 too (MQTT 5.0).")]
VhostOption = Annotated[str, typer.Option("--vhost", "-p", help="The virtual host.")]
Pattern = Annotated[str, typer.Option(metavar="P", help="Regular expression on names; empty allows nothing.")]
TopicPattern = Annotated[str, typer.Option(metavar="P", help="Regular expression on keys in topic exchanges.")]

user_app = typer.Typer(no_args_is_help=True, rich_markup_mode=None, help="Users and what they may do.")


@user_app.command(short_help="Make a user.")
def add(
    name: NameArgument,
    tag: TagOption = None,
    password_file: FileOption = None,
    scram: ScramOption = False,
    loopback_only: Annotated[bool, typer.Option("--loopback-only", help="Only from the broker's machine.")] = False,
    store: DirectoryOption = None,
    config: ConfigOption = None,
) -> None:
    """Make a user, who may do nothing yet. The password is asked for, or is the first line of standard input or of a file."""
    directory_of(store, config)  # nobody types a password in vain
    password_hash, secret = _hashed(_password(password_file), scram=scram)
    with asked(store, config, creates=True) as asking:
        answer = asking.ask(
            "user add",
            name=name,
            password_hash=password_hash,
            scram=secret,
            tags=tag or [],
            loopback_only=loopback_only,
        )
        typer.echo(f"user '{_shown(name)}' added, who may enter no vhost yet: see `dragoman user permit`")
        told(answer)


@user_app.command(short_help="Change a password.")
def password(
    name: NameArgument,
    password_file: FileOption = None,
    scram: ScramOption = False,
    store: DirectoryOption = None,
    config: ConfigOption = None,
) -> None:
    """Give a user another password. Clients that are connected stay."""
    directory_of(store, config)
    password_hash, secret = _hashed(_password(password_file), scram=scram)
    with asked(store, config) as asking:
        answer = asking.ask("user password", name=name, password_hash=password_hash, scram=secret)
        typer.echo(f"user '{_shown(name)}' has another password")
        told(answer)


@user_app.command(short_help="Change tags.")
def tag(
    name: NameArgument,
    tags: Annotated[
        list[str] | None, typer.Argument(metavar="[T]...", help="All tags; without any it has none.")
    ] = None,
    store: DirectoryOption = None,
    config: ConfigOption = None,
) -> None:
    """Give a user these tags in place of those it has."""
    with asked(store, config) as asking:
        told(asking.ask("user tag", name=name, tags=tags or []))
        typer.echo(f"user '{_shown(name)}' has {', '.join(tags) if tags else 'no tags'}")


@user_app.command(short_help="Remove a user.")
def remove(name: NameArgument, store: DirectoryOption = None, config: ConfigOption = None) -> None:
    """Remove a user with its permissions; its connections are closed."""
    with asked(store, config) as asking:
        answer = asking.ask("user remove", name=name)
        typer.echo(f"user '{_shown(name)}' removed")
        told(answer)


@user_app.command("list", short_help="Print the users.")
def list_users(store: DirectoryOption = None, config: ConfigOption = None) -> None:
    """Print the users, where each comes from, and which virtual hosts it may enter."""
    rows: list[tuple[str, ...]] = [("name", "tags", "from", "vhosts")]
    with asked(store, config) as asking:
        after, more = "", True
        while more:
            answer = asking.ask("user list", after=after)
            more = answer["more"]
            for user in answer["users"]:
                after = user["name"]
                tags = [*user["tags"], *(["(loopback only)"] if user["loopback_only"] else [])]
                rows.append(
                    (_shown(after), _shown(" ".join(tags)), _shown(user["from"]), _shown(" ".join(user["vhosts"])))
                )
    show_table(rows)


@user_app.command(short_help="Print a user and what it may do.")
def show(name: NameArgument, store: DirectoryOption = None, config: ConfigOption = None) -> None:
    """Print a user, where it comes from, and what it may do in which virtual host. A password is never shown, nor its hash."""
    rows: list[tuple[str, ...]] = [("vhost", "configure", "write", "read", "write topics", "read topics")]
    with asked(store, config) as asking:
        after, more = "", True
        while more:
            answer = asking.ask("user show", name=name, after=after)
            more = answer["more"]
            for permission in answer["permissions"]:
                after = permission["vhost"]
                rows.append(tuple(_shown(permission[key]) for key in PERMISSION_KEYS))
    user = answer["user"]
    facts = (
        ("name", user["name"]),
        ("tags", " ".join(user["tags"])),
        ("loopback only", _yes_or_no(user["loopback_only"])),
        ("from", user["from"]),
        ("password", _yes_or_no(user["password"])),
        ("SCRAM secret", _yes_or_no(user["scram"])),
    )
    show_table([(what, _shown(text)) for what, text in facts])
    typer.echo()
    if len(rows) > 1:
        show_table(rows)
    else:
        typer.echo(f"user '{_shown(name)}' may enter no vhost")


@user_app.command(short_help="Say what a user may do in a virtual host.")
def permit(
    name: NameArgument,
    configure: Pattern = "",
    write: Pattern = "",
    read: Pattern = "",
    write_topics: TopicPattern = ".*",
    read_topics: TopicPattern = ".*",
    vhost: VhostOption = "/",
    store: DirectoryOption = None,
    config: ConfigOption = None,
) -> None:
    """Say what a user may do in a virtual host, in place of what was said before. It holds for connected clients too."""
    with asked(store, config) as asking:
        answer = asking.ask(
            "user permit",
            name=name,
            vhost=vhost,
            configure=configure,
            write=write,
            read=read,
            write_topics=write_topics,
            read_topics=read_topics,
        )
        typer.echo(f"user '{_shown(name)}' may enter vhost '{_shown(vhost)}'")
        told(answer)


@user_app.command(short_help="Let a user into a virtual host no more.")
def forbid(
    name: NameArgument, vhost: VhostOption = "/", store: DirectoryOption = None, config: ConfigOption = None
) -> None:
    """Let a user into a virtual host no more; its connections there are closed."""
    with asked(store, config) as asking:
        answer = asking.ask("user forbid", name=name, vhost=vhost)
        typer.echo(f"user '{_shown(name)}' may enter vhost '{_shown(vhost)}' no more")
        told(answer)


def add_to(app: typer.Typer) -> None:
    """Make these commands of `dragoman`."""
    app.add_typer(user_app, name="user")


def _password(file: Path | None) -> bytes:
    if file is not None and str(file) != "-":
        with said(), file.open("rb") as opened:
            line = opened.readline(PASSWORD_LIMIT_BYTES + 2)
    elif file is None and sys.stdin.isatty():
        line = str(typer.prompt("Password", hide_input=True, confirmation_prompt=True, err=True)).encode()
    else:
        line = sys.stdin.buffer.readline(PASSWORD_LIMIT_BYTES + 2)
    password = line.removesuffix(b"\n").removesuffix(b"\r")
    if not password:
        complain("an empty password is never right for anybody")
        raise typer.Exit(MISTAKEN)
    if len(password) > PASSWORD_LIMIT_BYTES:
        complain(f"a password of more than {PASSWORD_LIMIT_BYTES} bytes cannot be right")
        raise typer.Exit(MISTAKEN)
    return password


def _hashed(password: bytes, *, scram: bool) -> tuple[str, str]:
    from gateway.accounts import hash_password

    secret = ""
    if scram:
        from gateway.scram import new_secret
        from protocols.exchange import Failure

        try:
            secret = str(new_secret(password, ITERATIONS))
        except Failure as failure:
            complain(failure.text)
            raise typer.Exit(MISTAKEN) from None
    return hash_password(password), secret


def _yes_or_no(value: bool) -> str:
    return "yes" if value else "no"


def _shown(text: str) -> str:
    from gateway.escaping import printable

    return printable(text)
