"""The registry of sessions: state of a client that may outlive its connection (MQTT 3.1.1 §3.1.2.4), and the process.

What a store holds of a session comes back in this order: the session, its subscriptions, the packet ids that were in use,
the entries of its queue, and those that groups had lent to it; then `restored` is called.
"""

from typing import Any

from mypy_extensions import mypyc_attr

from core.model.message import Message
from core.queueing.group import Group
from core.queueing.queue import Queue
from core.store.shelf import Shelf
from core.store.stating import Kept
from core.timers import Timed


@mypyc_attr(allow_interpreted_subclasses=True)
class Session(Timed):
    """What the virtual host knows of a session. The protocol's subclass holds its subscriptions and queue.

    `deadline` is the session's expiry while nobody is connected to it.
    """

    def __init__(self, client_id: str, user: str) -> None:
        super().__init__()
        self.client_id = client_id
        self.user = user

    def end(self) -> None:
        """Drop all state: subscriptions are unbound and queued messages are lost."""
        raise AssertionError("a session ends in its protocol")

    def own_queue(self) -> Queue | None:
        """Return the queue of what waits for the client, once it has one."""
        return None

    # From the store

    def restore_subscription(self, text: str, stated: list[Any]) -> None:
        """Take back a subscription, or raise Damaged or a BrokerError."""
        raise AssertionError("a subscription is restored in its protocol")

    def restore_in_flight(self, direction: str, lines: list[Kept]) -> None:
        """Take back packet ids that were in use, or raise Damaged."""
        raise AssertionError("packet ids are restored in their protocol")

    def restore_queue(self) -> Shelf | None:
        """Make the session's queue again, with the shelf that its entries are on; None when it had none."""
        raise AssertionError("the queue of a session is restored in its protocol")

    def last_in_flight(self) -> int:
        """Return the row of the last entry that the client may have: those up to it are given back one by one."""
        raise AssertionError("packet ids are restored in their protocol")

    def restore_entry(self, message: Message, row: int, note: bytes, *, redelivered: bool) -> None:
        """Take back an entry of the queue, behind those that came before, or raise Damaged."""
        raise AssertionError("an entry of a session is restored in its protocol")

    def lent_rows(self) -> list[int]:
        """Return the rows of entries that groups had lent to this session."""
        return []

    def restore_lent(self, group: Group, message: Message, row: int) -> None:
        """Take back an entry that a group had lent."""
        raise AssertionError("an entry that a group has lent is restored in its protocol")

    def restored(self) -> None:
        """Learn that there is nothing more to come."""
        raise AssertionError("a session is restored in its protocol")
