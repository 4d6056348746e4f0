"""What `dragoman serve` says once it listens: what runs, where, how to connect, how to stop.

Pure text: people read it first, and with `format = "json"` the same facts are the fields of one event of the log.
"""

from collections.abc import Sequence
from typing import Any

from gateway.config import GUEST, Config
from gateway.console import BOLD, DIM, RESET
from gateway.door import Listening, is_loopback, shown
from gateway.escaping import printable
from gateway.values import reached_at
from gateway.version import NAME, VERSION


def banner(config: Config, listening: Sequence[Listening], build: str, stored_users: int = 0, *, coloured: bool) -> str:
    """Return the lines to print at the start, with a line break at their end."""
    bold, dim, reset = (BOLD, DIM, RESET) if coloured else ("", "", "")
    guest = config.has_default_guest and not stored_users
    rows = [(item.protocol, shown(item.host, item.port), _hint(config, item, guest=guest)) for item in listening]
    widths = [max((len(row[column]) for row in rows), default=0) for column in (0, 1)]
    lines = [
        f"{bold}{NAME} {VERSION}{reset} ({build})",
        "",
        *[
            f"  {protocol:<{widths[0]}}  {bold}{address:<{widths[1]}}{reset}  {dim}{hint}{reset}"
            for protocol, address, hint in rows
        ],
        "",
        *[f"  {line}" for line in _remarks(listening, stored_users, guest=guest)],
        f"  {_kept(config)}",
        "  Ctrl-C stops it.",
    ]
    return "\n".join(lines) + "\n\n"


def facts(config: Config, listening: Sequence[Listening], build: str, stored_users: int = 0) -> dict[str, Any]:
    """Return the same for a log that programs read."""
    places = [
        {"protocol": item.protocol, "address": shown(item.host, item.port), "encrypted": item.encrypted}
        for item in listening
    ]
    directory = config.store.directory
    return {
        "version": VERSION,
        "build": build,
        "listening": places,
        "store": str(directory) if directory is not None else None,
        "stored_users": stored_users,
    }


def _hint(config: Config, item: Listening, *, guest: bool) -> str:
    """Return how to connect, ready to be copied when the user is the well-known one."""
    host = reached_at(item.host)
    user, password = (GUEST, GUEST) if guest else ("USER", "PASSWORD")
    if item.protocol == "amqp":
        scheme = "amqps" if item.encrypted else "amqp"
        return f"{scheme}://{user}:{password}@{shown(host, item.port)}/"
    if item.protocol == "mqtt":
        trust = " --cafile CA.pem" if item.encrypted else ""
        anonymous = config.anonymous_user if guest or config.user else ""
        login = "" if anonymous else f" -u {user} -P {password}"
        return f"mosquitto_sub -h {host} -p {item.port}{trust}{login} -t 'demo/#' -v"
    if item.protocol == "stomp":
        trust = " --ssl --ssl-ca-file CA.pem" if item.encrypted else ""
        return f"stomp -H {host} -P {item.port}{trust} -U {user} -W {password}"
    if item.protocol == "websocket":
        scheme = "wss" if item.encrypted else "ws"
        at = f"{scheme}://{shown(host, item.port)}"
        return f"{at}/mqtt or {at}/stomp"
    return "any of the three, and WebSocket: the first bytes tell which"


def _kept(config: Config) -> str:
    """Return where messages are, for those who expect them to be there tomorrow."""
    directory = config.store.directory
    if directory is None:
        return "Everything is in memory and ends with the broker; with `directory` in [store] it is kept."
    return f"Durable messages are kept in {printable(str(directory))}."


def _remarks(listening: Sequence[Listening], stored_users: int = 0, *, guest: bool) -> list[str]:
    """Return what somebody who wonders why a login fails would want to have read."""
    if stored_users:
        return [
            f"{stored_users:,} user{'s' if stored_users > 1 else ''} in the store: `dragoman user list` names them."
        ]
    if not guest:
        return []
    remarks = [f"User {GUEST}, password {GUEST}, from this machine only."]
    if not all(is_loopback(item.host) for item in listening):
        remarks.append("No other user is configured, so nobody can log in from another machine.")
    return remarks
