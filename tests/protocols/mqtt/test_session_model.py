"""A publisher and a subscriber with persistent sessions, which may lose their connection at any point of any exchange.

Both behave as the specification asks of clients (MQTT 3.1.1 §4.3, §4.4; MQTT 5.0 the same). Whatever is lost on the way:
QoS 2 arrives exactly once and in order, QoS 1 at least once and in order. With MQTT 5.0 the subscriber takes a few messages
at a time and not one more, refuses some, and stays away for so long that its session may end.
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
from tests.protocols.mqtt.peer5 import Client5, Packet, ack, disconnect5, publish5
from tests.protocols.world import World

PACKET_IDS: Final = range(1, 6)
EXPIRY_S: Final = 1_000  # of the sessions of MQTT 5.0
AWHILE_S: Final = 5_000


class Sending:
    """One message of the publisher that has not come to its end."""

    def __init__(self, body: bytes, qos: int) -> None:
        self.body = body
        self.qos = qos
        self.received = False  # PUBREC has come


class Talker:
    """A client of either version, with a session that lasts."""

    def __init__(self, world: World, name: str, version: int, window: int) -> None:
        self.client: Client | Client5
        self.greeted: list[Said]
        if version == 5:
            newer = Client5(world, name, clean=False, session_expiry=EXPIRY_S, receive_maximum=window)
            self.client, self.resumed = newer, newer.connack.present
            self.greeted = [_as_older(said) for said in newer.greeted]
        else:
            older = Client(world, name, clean=False)
            self.client, self.greeted, self.resumed = older, older.greeted, older.connack == RESUMED

    def send(self, data: bytes) -> list[Said]:
        return [_as_older(said) for said in self.client.send(data)]

    def publish(self, body: bytes, qos: int, packet_id: int, *, dup: bool = False) -> list[Said]:
        make = publish5 if isinstance(self.client, Client5) else publish
        return self.send(make("t", body, qos, packet_id, dup=dup))

    def subscribe(self) -> None:
        self.client.subscribe(("t", 2))

    def take(self) -> list[Said]:
        return [_as_older(said) for said in self.client.take()]

    def hang_up(self) -> None:
        self.client.hang_up()

    @property
    def closed(self) -> bool:
        return self.client.closed


def _as_older(said: Packet | Said) -> Said:
    if not isinstance(said, Packet):
        return said
    assert said.codes in {b"", b"\0"}
    if said.name == "PUBLISH":
        return Publish(said.topic, said.body, said.qos, said.packet_id, said.dup, said.retain)
    return Answer(said.name, said.packet_id)


class Exchanges(RuleBasedStateMachine):
    version = 4
    window = 1_024

    def __init__(self) -> None:
        super().__init__()
        self.world = self.new_world()
        self.publisher = self.talker("publisher")
        self.subscriber = self.talker("subscriber")
        self.subscriber.subscribe()
        self.answers: deque[Said] = deque()  # to the publisher, on the wire
        self.sending: dict[int, Sending] = {}
        self.deliveries: deque[Said] = deque()  # to the subscriber, on the wire
        self.held: set[int] = set()  # packet ids that the subscriber has received and not seen released
        self.published: dict[int, list[bytes]] = {1: [], 2: []}
        self.got: dict[int, list[bytes]] = {1: [], 2: []}
        self.repeated: set[bytes] = set()  # QoS 1 bodies that came twice for a reason
        self.count = 0

    def new_world(self) -> World:
        return World()

    def talker(self, name: str) -> Talker:
        return Talker(self.world, name, self.version, self.window)

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
            self.answers += self.publisher.publish(body, qos, packet_id)
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
        self.publisher = self.talker("publisher")
        assert self.publisher.resumed
        self.answers.clear()
        for packet_id, sending in self.sending.items():
            if sending.received:
                self.answers += self.publisher.send(pubrel(packet_id))
            else:
                self.answers += self.publisher.publish(sending.body, sending.qos, packet_id, dup=True)
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
        self.subscriber = self.talker("subscriber")
        assert self.subscriber.resumed
        self.deliveries = deque(self.subscriber.greeted)
        self.pump()

    @invariant()
    def exactly_once_is_in_order_and_without_repetition(self) -> None:
        assert self.got[2] == self.published[2][: len(self.got[2])]

    @invariant()
    def no_more_is_under_way_than_the_subscriber_takes(self) -> None:
        under_way = {said.packet_id for said in self.deliveries if isinstance(said, Publish)} | self.held
        assert len(under_way) <= self.window

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


class Exchanges5(Exchanges):
    """With MQTT 5.0 the subscriber may also ask for another window, refuse, stay away too long, or change its expiry."""

    version = 5
    window = 2

    @rule(window=st.integers(1, 4))
    def subscriber_comes_back_with_another_window(self, window: int) -> None:
        self.subscriber.hang_up()
        self.window = window
        self.subscriber = self.talker("subscriber")
        assert self.subscriber.resumed
        self.deliveries = deque(self.subscriber.greeted)
        self.pump()

    @precondition(lambda self: self.deliveries and isinstance(self.deliveries[0], Publish))
    @rule()
    def subscriber_refuses(self) -> None:
        """[MQTT-4.4.0-2]: what is refused is not sent again, and makes room for the next."""
        said = self.deliveries.popleft()
        assert isinstance(said, Publish)
        if said.packet_id in self.held:
            answer = pubrec(said.packet_id)  # it was taken before, which cannot be taken back
        else:
            self.got[said.qos].append(said.body)
            if said.dup:
                self.repeated.add(said.body)
            answer = ack(0x40 if said.qos == 1 else 0x50, said.packet_id, 0x97)
        self.deliveries += self.subscriber.send(answer)
        self.pump()

    @rule(
        away_s=st.sampled_from([1, EXPIRY_S - 1, EXPIRY_S, 2 * EXPIRY_S]), asked_s=st.sampled_from([None, 0, AWHILE_S])
    )
    def subscriber_stays_away(self, away_s: int, asked_s: int | None) -> None:
        """[MQTT-3.1.2-23], [MQTT-4.1.0-2]: its session lasts as long as it asked for, last by its DISCONNECT."""
        while self.answers:
            self.publisher_reads()
        if asked_s is None:
            self.subscriber.hang_up()
        else:
            assert self.subscriber.send(disconnect5(session_expiry=asked_s)) == []
            self.subscriber.hang_up()
        self.world.advance(away_s)
        self.subscriber = self.talker("subscriber")
        lasts_s = EXPIRY_S if asked_s is None else asked_s
        assert self.subscriber.resumed is (away_s < lasts_s)
        self.deliveries = deque(self.subscriber.greeted)
        if not self.subscriber.resumed:
            assert not self.deliveries
            self.held.clear()
            self.subscriber.subscribe()
            self.published = {
                qos: [body for body in bodies if body in self.got[qos]] for qos, bodies in self.published.items()
            }
        self.pump()

    @invariant()
    def no_more_is_under_way_than_the_subscriber_takes(self) -> None:
        """[MQTT-3.3.4-9]; what was released before counts too, until it is complete."""
        new = {said.packet_id for said in self.deliveries if isinstance(said, Publish)} - self.held
        assert not new or len(new | self.held) <= self.window


Exchanges.TestCase.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)
Exchanges5.TestCase.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)
TestExchanges = Exchanges.TestCase
TestExchanges5 = Exchanges5.TestCase
