"""A publisher and a subscriber with persistent sessions, which may lose their connection at any point of any exchange.

Both behave as the specification asks of clients (MQTT 3.1.1 §4.3, §4.4). Whatever is lost on the way: QoS 2 arrives
exactly once and in order, QoS 1 at least once and in order.
"""

from collections import deque
from typing import Final

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from tests.protocols.mqtt.peer import (
    RESUMED,
    Answer,
    Client,
    Publish,
    Said,
    puback,
    pubcomp,
    publish,
    pubrec,
    pubrel,
)
from tests.protocols.world import World

PACKET_IDS: Final = range(1, 6)


class Sending:
    """One message of the publisher that has not come to its end."""

    def __init__(self, body: bytes, qos: int) -> None:
        self.body = body
        self.qos = qos
        self.received = False  # PUBREC has come


class Exchanges(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.world = World()
        self.publisher = Client(self.world, "publisher", clean=False)
        self.subscriber = Client(self.world, "subscriber", clean=False)
        self.subscriber.subscribe(("t", 2))
        self.answers: deque[Said] = deque()  # to the publisher, on the wire
        self.sending: dict[int, Sending] = {}
        self.deliveries: deque[Said] = deque()  # to the subscriber, on the wire
        self.held: set[int] = set()  # packet ids that the subscriber has received and not seen released
        self.published: dict[int, list[bytes]] = {1: [], 2: []}
        self.got: dict[int, list[bytes]] = {1: [], 2: []}
        self.repeated: set[bytes] = set()  # QoS 1 bodies that came twice for a reason
        self.count = 0

    def pump(self) -> None:
        self.deliveries += self.subscriber.take()
        self.answers += self.publisher.take()

    @precondition(lambda self: len(self.sending) < len(PACKET_IDS))
    @rule(qos=st.integers(1, 2), lost=st.booleans())
    def publish(self, qos: int, lost: bool) -> None:
        """Publish; a message that is lost on the way comes with the next connection."""
        packet_id = next(number for number in PACKET_IDS if number not in self.sending)
        self.count += 1
        body = b"%d" % self.count
        self.sending[packet_id] = Sending(body, qos)
        self.published[qos].append(body)
        if lost:
            self.publisher_comes_back()
        else:
            self.answers += self.publisher.send(publish("t", body, qos, packet_id))
        self.pump()

    @precondition(lambda self: self.answers)
    @rule()
    def publisher_reads(self) -> None:
        answer = self.answers.popleft()
        assert isinstance(answer, Answer)
        if answer.name == "PUBREC":
            self.sending[answer.packet_id].received = True
            self.answers += self.publisher.send(pubrel(answer.packet_id))
        else:
            sending = self.sending.pop(answer.packet_id)
            assert answer.name == ("PUBACK" if sending.qos == 1 else "PUBCOMP")
        self.pump()

    @rule()
    def publisher_comes_back(self) -> None:
        """[MQTT-4.4.0-1], [MQTT-4.6.0-1]"""
        self.publisher.hang_up()
        self.publisher = Client(self.world, "publisher", clean=False)
        assert self.publisher.connack == RESUMED
        self.answers.clear()
        for packet_id, sending in self.sending.items():
            if sending.received:
                self.answers += self.publisher.send(pubrel(packet_id))
            else:
                again = publish("t", sending.body, sending.qos, packet_id, dup=True)
                self.answers += self.publisher.send(again)
                self.repeated.add(sending.body)
        self.pump()

    @precondition(lambda self: self.deliveries)
    @rule(answers=st.booleans())
    def subscriber_reads(self, answers: bool) -> None:
        """Read one packet; the answer to it may be lost with the connection."""
        said = self.deliveries.popleft()
        answer = b""
        if isinstance(said, Publish):
            if said.qos == 1:
                self.got[1].append(said.body)
                if said.dup:
                    self.repeated.add(said.body)
                answer = puback(said.packet_id)
            else:
                if said.packet_id not in self.held:
                    self.got[2].append(said.body)
                    self.held.add(said.packet_id)
                answer = pubrec(said.packet_id)
        elif said.name == "PUBREL":
            self.held.discard(said.packet_id)
            answer = pubcomp(said.packet_id)
        if answers:
            self.deliveries += self.subscriber.send(answer)
            self.pump()
        else:
            self.subscriber_comes_back()

    @rule()
    def subscriber_comes_back(self) -> None:
        self.subscriber.hang_up()
        self.subscriber = Client(self.world, "subscriber", clean=False)
        assert self.subscriber.connack == RESUMED
        self.deliveries = deque(self.subscriber.greeted)
        self.pump()

    @invariant()
    def exactly_once_is_in_order_and_without_repetition(self) -> None:
        assert self.got[2] == self.published[2][: len(self.got[2])]

    @invariant()
    def at_least_once_is_in_order_and_repeated_for_a_reason_only(self) -> None:
        seen = list(dict.fromkeys(self.got[1]))
        assert seen == self.published[1][: len(seen)]
        assert {body for body in seen if self.got[1].count(body) > 1} <= self.repeated

    def teardown(self) -> None:
        """Play everything to its end: all has arrived and nothing is held."""
        while self.answers or self.deliveries:
            if self.answers:
                self.publisher_reads()
            if self.deliveries:
                self.subscriber_reads(answers=True)
        self.exactly_once_is_in_order_and_without_repetition()
        assert len(self.got[2]) == len(self.published[2])
        assert set(self.got[1]) == set(self.published[1])
        assert self.world.broker.surroundings.usage.held_bytes == 0
        assert not self.publisher.closed
        assert not self.subscriber.closed


Exchanges.TestCase.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)
TestExchanges = Exchanges.TestCase
