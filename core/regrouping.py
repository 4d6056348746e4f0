"""Groups at a start: their members have come back with the sessions, and what waited or was lent comes back from the store.

Members without a lasting session are gone. A group that had no other is at its end, and so is one that had ended before and of
which some session still had an entry.
"""

from core.broker import Broker
from core.model.message import Message
from core.queueing.group import Group
from core.queueing.session import Session
from core.refilling import Claims, Refilling
from core.store.batch import QUEUE_SHIFT
from core.store.shelf import Shelf
from core.vhost import VirtualHost


class Regrouping:
    """The groups that a store has."""

    def __init__(self, broker: Broker) -> None:
        self._broker = broker
        self._groups: list[tuple[Group, Shelf]] = []
        self._ended: list[Group] = []

    def define(self, vhost: VirtualHost, name: str, number: int, key: str, *, ended: bool) -> None:
        """Learn of a group, behind the sessions and their subscriptions."""
        group = None if ended else vhost.groups.get(name)
        if group is None:
            group = Group(name, self._broker.surroundings)
            self._ended.append(group)
        shelf = Shelf(number)
        group.recover(shelf, key)
        self._groups.append((group, shelf))

    def fill(self, refilling: Refilling, sessions: list[Session]) -> None:
        """Give each group its entries back, and each session those that groups had lent to it."""
        lent: dict[int, dict[int, Session]] = {}
        for session in sessions:
            for row in session.lent_rows():
                lent.setdefault(row >> QUEUE_SHIFT, {})[row] = session
        for group, shelf in self._groups:
            refilling.fill(group.queue, shelf, _Lent(group, lent.get(shelf.number, {})))

    def go_on(self) -> None:
        """Tell the journal, which has begun, what is different now."""
        for group in self._ended:
            group.end()
        for vhost in self._broker.vhosts.values():
            for group in vhost.groups.values():
                if group.queue.shelf is None and group.lasts:  # its definition is missing or damaged
                    vhost.keeping.began_group(group)


class _Lent(Claims):
    """What sessions have of a group's entries."""

    def __init__(self, group: Group, sessions: dict[int, Session]) -> None:
        self._group = group
        self._sessions = sessions  # by row

    def last_in_flight(self) -> int:
        return max(self._sessions, default=0)

    def restore_entry(self, message: Message, row: int, note: bytes, *, redelivered: bool) -> None:
        session = self._sessions.get(row)
        if session is None:
            self._group.queue.recover(message, row, redelivered=redelivered)
        else:
            session.restore_lent(self._group, message, row)
