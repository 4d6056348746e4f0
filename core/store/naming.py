"""Whose entries a queue number stands for, as the definitions tell it."""

from typing import Any

from core.store import kinds
from core.store.errors import Damaged
from core.store.values import load


class Owner:
    """A queue of a virtual host, or one of a session or of a group of MQTT, and its number in the store."""

    def __init__(self, number: int, what: str, vhost: str, name: str) -> None:
        self.number = number
        self.what = what
        self.vhost = vhost
        self.name = name


def owner_of(kind: int, key: str, content: bytes) -> Owner | None:
    """Return the queue that a definition makes, if it makes one."""
    if kind not in {kinds.QUEUE, kinds.SESSION, kinds.GROUP, kinds.VOLATILE}:
        return None
    parts = [*kinds.parts_of(key), "", ""]
    try:
        if kind == kinds.VOLATILE:
            (name,) = load(content)
            return Owner(int(parts[1]), kinds.NAMES[kind], "", name if isinstance(name, str) else "")
        if kind == kinds.GROUP:
            number: Any = int(parts[2])
        else:
            stated: Any = load(content)
            number = stated[0 if kind == kinds.QUEUE else 2]
    except (Damaged, ValueError, TypeError, LookupError):
        return None
    if not isinstance(number, int) or number <= 0:  # a session has none before something waits for it
        return None
    return Owner(number, kinds.NAMES[kind], parts[0], parts[1])
