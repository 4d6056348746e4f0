"""SEND: from a head to where the message goes and what it says, remembered by the bytes of the head.

Most publishers send the same head again and again, or one that differs only in `receipt`, `content-length` and
`transaction`. So the head before it is tried first, then all that are remembered, whole or but for the receipt, then the
head without those three lines, and only then is it read. Nothing is remembered for heads that are not likely to come again.
"""

from typing import Final

from core.client import Client
from core.publisher import Target
from core.queueing.grouping import CLOSES, GROUP, SEQUENCE
from core.queueing.queue import Queue
from protocols.stomp.destinations import (
    TEMPORARY_QUEUE,
    TEMPORARY_TOPIC,
    Kind,
    StompDestination,
    destination_of,
    parse,
    parse_all,
    reply_text,
)
from protocols.stomp.errors import PeerError
from protocols.stomp.frames import NO_LENGTH
from protocols.stomp.headers import body_length, decoded, decoded_headers, number, unescaped, unfolded
from protocols.stomp.repeats import RECEIPT, Form, form_of, is_plain
from protocols.stomp.scheduling import is_scheduled
from protocols.stomp.speaker import Speaker
from protocols.stomp.subscription_queues import queue_arguments
from protocols.stomp.subscriptions import Subscriptions
from protocols.stomp.translate import StompNative

COMMAND: Final = b"SEND"
SEQUENCE_MOST: Final = (1 << 31) - 1  # of a message group: an int of Java
REMEMBERED: Final = 256  # heads, and destinations, of one connection; beyond it the memory starts anew
REMEMBERED_BYTES: Final = 1024  # of one head or destination


class Place:
    """One destination, authorised. `queue` is the queue that was found or declared there, if there must be one."""

    def __init__(self, target: Target, queue: Queue | None) -> None:
        self.exchange = target.exchange
        self.address = target.address
        self.queue = queue

    @property
    def gone(self) -> bool:
        """Whether it has to be looked for again."""
        return self.exchange.deleted or (self.queue is not None and self.queue.deleted)


class Plan:
    """What becomes of the messages with the same headers."""

    def __init__(self, places: list[Place], native: StompNative) -> None:
        self.places = places
        self.native = native
        self.qos = native.qos
        self.expiration_ms = native.expiration_ms

    @property
    def gone(self) -> bool:
        """Whether one of its places has to be looked for again."""
        return any(place.gone for place in self.places)


class Head:
    """A head of SEND, taken apart. Heads without `transaction` are remembered with their plan and form."""

    def __init__(self, lines: bytes) -> None:
        self.lines = lines  # the header lines without the three below
        self.length = NO_LENGTH
        self.receipt: bytes | None = None  # as it was escaped
        self.transaction: str | None = None
        self.plan: Plan | None = None
        self.form: Form | None = None


class Sends:
    """The heads and destinations that one connection has sent to."""

    def __init__(self, speaker: Speaker, client: Client, subscriptions: Subscriptions) -> None:
        self.known: dict[bytes, Head] = {}  # whole heads, with a plan
        self.likely: Head | None = None  # what came twice in a row, with a plan and a form
        self._known_but_for_receipt: dict[bytes, Head] = {}  # heads that had one, without its line
        self._last: Head | None = None  # what was found or remembered last
        self._plans: dict[bytes, Plan] = {}  # by the lines of `Head`
        self._places: dict[str, list[Place]] = {}
        self._speaker = speaker
        self._client = client
        self._subscriptions = subscriptions

    def forget(self) -> None:
        """Ask anew what the client may send to."""
        self.likely = self._last = None
        self.known.clear()
        self._known_but_for_receipt.clear()
        self._plans.clear()
        self._places.clear()

    def read(self, head: bytes) -> Head:
        """Take a head apart; its plan is for when the body is there."""
        version = self._speaker.version
        found = Head(unfolded(head, version)[len(COMMAND) :])
        length = _cut(found, b"\ncontent-length:")
        if length is not None:
            found.length = body_length(length)
        receipt = _cut(found, RECEIPT)
        if receipt is not None:
            if b"\\" in receipt or not receipt.isascii():
                unescaped(decoded(receipt), version)
            found.receipt = receipt
        transaction = _cut(found, b"\ntransaction:")
        if transaction is not None:
            found.transaction = unescaped(decoded(transaction), version)
        found.lines = found.lines[1:]
        return found

    def find(self, head: bytes) -> Head | None:
        """Return what is remembered of a head, taken apart."""
        known = self.known.get(head)
        if known is not None:
            self._seen(known)
        return known

    def _seen(self, known: Head) -> None:
        # Not after the first time, so that heads in turn cost no comparison in vain.
        self.likely = known if known is self._last else None
        self._last = known

    def read_again(self, head: bytes) -> Head | None:
        """Take apart a head that is one known but for its receipt, as publishers that ask for one each time send them."""
        at = head.find(RECEIPT)
        if at < 0:
            return None
        end = head.find(b"\n", at + len(RECEIPT))
        if end < 0:
            end = len(head)
        known = self._known_but_for_receipt.get(head[:at] + head[end:])
        receipt = head[at + len(RECEIPT) : end]
        if known is None or not is_plain(receipt):
            return None
        self._seen(known)
        found = Head(known.lines)
        found.length = known.length
        found.plan = known.plan
        found.receipt = receipt
        return found

    def plan(self, head: bytes, found: Head) -> Plan:
        """Return the plan of a head that `read` has taken apart."""
        plan = self._plans.get(found.lines)
        if plan is None or plan.gone:
            plan = self._made(found.lines)
            if plan.native.singular or len(found.lines) > REMEMBERED_BYTES:
                return plan
            if len(self._plans) >= REMEMBERED:
                self._plans.clear()
            self._plans[found.lines] = plan
        if found.transaction is None and found.plan is not plan and len(head) <= REMEMBERED_BYTES:
            found.plan = plan
            self._remember(head, found)
        return plan

    def _remember(self, head: bytes, found: Head) -> None:
        known, key = self.known, head
        if found.receipt is not None:
            known = self._known_but_for_receipt
            before, receipt, after = head.partition(RECEIPT)
            _, end, rest = after.partition(b"\n")
            key = before + end + rest
            if not receipt or RECEIPT in key:  # 1.0 allows spaces before the name; of two, the first counts
                return
        if len(known) >= REMEMBERED:
            known.clear()
        found.form = form_of(head, found.length)
        known[key] = self._last = found

    def plan_again(self, head: bytes, known: Head) -> Plan:
        """Return the plan of a head that is remembered, made anew when one of its places is gone."""
        plan = known.plan
        return self.plan(head, known) if plan is None or plan.gone else plan

    def _made(self, lines: bytes) -> Plan:
        speaker = self._speaker
        headers = decoded_headers(lines, speaker.version)
        text = destination_of(headers)
        if text is None:
            raise PeerError("Missing destination", "\"SEND\" must include the 'destination' header")
        now_ms = int(speaker.broker.clock.wall * 1000)
        native = StompNative(lines, speaker.version, speaker.dialect, headers, self._client.user, now_ms)
        native.origin = speaker.session_id
        places = self._to(text, headers)
        if is_scheduled(headers):
            schedule = self._client.vhost.schedule
            places = [Place(Target(schedule, place.address), place.queue) for place in places]
        if headers.get(GROUP):
            if SEQUENCE in headers and headers[SEQUENCE] != CLOSES:
                number(SEQUENCE, headers[SEQUENCE], SEQUENCE_MOST)
            for place in places:
                if place.queue is not None:
                    self._client.vhost.honour_groups(place.queue)
        self._name_reply_queue(native, headers)
        return Plan(places, native)

    def _to(self, text: str, headers: dict[str, str]) -> list[Place]:
        places = self._places.get(text)
        if places is None or any(place.gone for place in places):
            places = [self._place(destination, headers) for destination in parse_all(text, self._speaker.dialect)]
            if len(text) <= REMEMBERED_BYTES:
                if len(self._places) >= REMEMBERED:
                    self._places.clear()
                self._places[text] = places
        return places

    def _place(self, destination: StompDestination, headers: dict[str, str]) -> Place:
        client = self._client
        key = destination.key
        queue: Queue | None = None
        match destination.kind:
            case Kind.QUEUE:
                # One that exists is used as it is, as AMQP clients do: an answer may go to anybody's queue.
                queue = client.vhost.queues.get(key)
                if queue is None:
                    queue = client.declare_queue(key, durable=True, arguments=queue_arguments(headers))
            case Kind.EXISTING:
                queue = client.vhost.queue(key)
            case Kind.TEMPORARY_QUEUE:
                queue = self._subscriptions.temporaries.queue(key)
                key = queue.name
            case Kind.TEMPORARY_TOPIC:
                key = self._subscriptions.temporaries.topic(key)
            case Kind.REPLY | Kind.TOPIC | Kind.EXCHANGE:
                pass
        return Place(client.target(destination.exchange, key), queue)

    def _name_reply_queue(self, native: StompNative, headers: dict[str, str]) -> None:
        reply_to = headers.get("reply-to", "")
        if reply_to.startswith(TEMPORARY_QUEUE):
            name = parse(reply_to, self._speaker.dialect).key
            native.reply_to(reply_text(self._subscriptions.answered_at(name).name))
        elif reply_to.startswith(TEMPORARY_TOPIC):
            name = parse(reply_to, self._speaker.dialect).key
            native.reply_to(reply_text(self._subscriptions.temporaries.topic(name)))


def _cut(head: Head, start: bytes) -> bytes | None:
    """Take the first line with that start out of the head's lines and return its value."""
    lines = head.lines
    at = lines.find(start)
    if at < 0:
        return None
    value_at = at + len(start)
    end = lines.find(b"\n", value_at)
    if end < 0:
        end = len(lines)
    head.lines = lines[:at] + lines[end:]
    return lines[value_at:end]
