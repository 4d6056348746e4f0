"""What of a session outlives the process, told to the journal as it changes (MQTT 3.1.1 §4.1, 5.0 §4.1).

The session and each of its subscriptions are definitions; what waits is on the shelf of its queue. Packet ids change with every
message, so they are stated once for each batch, in pages of 256: which entry was sent under which id, which of QoS 2 is released,
and which ids of the client's own are. Who must wait for that:

    PUBLISH of QoS 2 to the client    its packet id, or the client could get the message under another one too
    PUBREL to the client              that it has the message
    PUBREC, PUBCOMP to the client     that its id is taken, or free again

QoS 1 waits for nothing. An id that was given since the last commit is given again, in the order of the queue, after a failure.
"""

from typing import TYPE_CHECKING, Final

from core.store.shelf import Shelf
from core.store.stating import Line, Standing, Statement, Stating
from core.vhost import VirtualHost

if TYPE_CHECKING:
    from protocols.mqtt.deliveries import Deliveries
    from protocols.mqtt.received import Received

LAST_PACKET_ID: Final = 65_535
PAGE_BITS: Final = 8  # of packet ids that are stated together
PAGE_IDS: Final = 1 << PAGE_BITS
SENT: Final = "sent"  # to the client; directions, as the store has them
RECEIVED: Final = "received"
NO_PAGE: Final = -1

# States of a line, as the store has them.
UNDER_WAY: Final = 0
RELEASED: Final = 1  # the client has it; only sent ones
OF_GROUP: Final = 2  # a flag: lent by a group, with the QoS and the option of the subscription that it came by
QOS_SHIFT: Final = 2
AS_PUBLISHED: Final = 16


class Lasting(Stating):
    """Tells the journal about one session."""

    def __init__(
        self, vhost: VirtualHost, client_id: str, user: str, deliveries: "Deliveries", received: "Received"
    ) -> None:
        self._vhost = vhost
        self._journal = vhost.surroundings.journal
        self._client_id = client_id
        self._user = user
        self._deliveries = deliveries
        self._received = received
        self._queue_number = 0
        self._expiry_s = 0
        self._ended_at = 0.0  # of its last connection, in seconds since the epoch; 0 while there is one
        self._ended = False
        self._marked = NO_PAGE  # the last page that was marked as changed
        self._sent_pages: dict[int, None] = {}  # changed in the batch that collects
        self._received_pages: dict[int, None] = {}
        self._kept: dict[tuple[str, int], Standing] = {}  # pages that the store may have

    # The session

    def state(self, expiry_s: int, ended_at: float) -> None:
        """Keep what the session is."""
        self._expiry_s = expiry_s
        self._ended_at = ended_at
        self._state()

    def _state(self) -> None:
        stated = [self._user, self._expiry_s, self._queue_number, self._ended_at]
        self._vhost.keeping.session(self._client_id, stated)

    def new_shelf(self) -> Shelf:
        """Return a shelf for the session's queue, or raise Limit."""
        shelf = self._journal.new_shelf()
        self._queue_number = shelf.number
        self._state()
        return shelf

    def old_shelf(self, queue_number: int) -> Shelf:
        """Return the shelf that the session's queue had in an earlier process."""
        self._queue_number = queue_number
        return Shelf(queue_number)

    def subscribed(self, text: str, options: int, identifier: int) -> None:
        """Keep a subscription."""
        self._vhost.keeping.subscription(self._client_id, text, [options, identifier])

    def unsubscribed(self, text: str) -> None:
        """Forget a subscription."""
        self._vhost.keeping.subscription(self._client_id, text, None)

    def end(self, texts: list[str], shelf: Shelf | None) -> None:
        """Forget everything: the session, its subscriptions and what waits."""
        self._ended = True
        for text in texts:
            self.unsubscribed(text)
        for direction, page in self._kept:
            self._vhost.keeping.no_page(self._client_id, direction, page)
        if shelf is not None:
            self._journal.end_queue(shelf, self._client_id)
        self._vhost.keeping.session(self._client_id, None)

    def restore(self, expiry_s: int, ended_at: float) -> None:
        """Learn what the store has of the session."""
        self._expiry_s = expiry_s
        self._ended_at = ended_at

    # Packet ids

    def sent(self, packet_id: int) -> None:
        """Note that an id is in use, or is no more. Nobody need wait for that."""
        page = packet_id >> PAGE_BITS
        if page != self._marked:
            self._marked = page
            self._sent_pages[page] = None
            self._journal.changed(self, promised=False)
            self._journal.expect_settlements()

    def released(self, packet_id: int) -> None:
        """Note that the client has the message of an id."""
        self._sent_pages[packet_id >> PAGE_BITS] = None
        self._journal.changed(self, promised=True)

    def received(self, packet_id: int) -> None:
        """Note that an id of the client's own is taken, or is free again."""
        self._received_pages[packet_id >> PAGE_BITS] = None
        self._journal.changed(self, promised=True)

    def statements(self) -> list[Statement]:
        found: list[Statement] = []
        if not self._ended:
            for page in self._sent_pages:
                self._state_page(found, SENT, page, self._deliveries.in_flight(page))
            for page in self._received_pages:
                self._state_page(found, RECEIVED, page, self._received.taken(page))
        self._sent_pages.clear()
        self._received_pages.clear()
        self._marked = NO_PAGE
        return found

    def _state_page(self, found: list[Statement], direction: str, page: int, lines: list[Line]) -> None:
        key = direction, page
        standing = self._kept.get(key)
        if standing is None:
            if not lines:
                return  # it began and ended in this batch
            standing = self._kept[key] = Standing(stored=False)
        elif not lines:
            del self._kept[key]
        statement = self._vhost.keeping.in_flight(self._client_id, direction, page, lines)
        statement.standing = standing
        found.append(statement)

    # From the store

    def restored_page(self, direction: str, packet_id: int) -> None:
        """Learn of an id that the store has: its page is stated anew, for the store may know of ids that are not in use."""
        page = packet_id >> PAGE_BITS
        self._kept[direction, page] = Standing(stored=True)
        (self._sent_pages if direction == SENT else self._received_pages)[page] = None

    def restored(self) -> None:
        """State anew what the store has."""
        if self._kept:
            self._journal.changed(self, promised=False)
