"""A group of a shared subscription whose members come, go, lose their connections and their sessions at any point.

One member has a session that lasts, so the group does. Whatever happens: what is delivered with QoS 1 is acknowledged
exactly once, by one member; what is sent with QoS 2 is sent to one session and to no other, also when that one ends; and
each member gets in the order of publishing what nobody was sent before.
"""

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import invariant, rule

from core.model.names import DEFAULT_VHOST
from tests.protocols.mqtt.group_machine import (
    ANCHOR,
    NAMES,
    PUBACK,
    PUBCOMP,
    PUBREC,
    SHARED,
    Box,
    GroupMachine,
    names,
    others,
)
from tests.protocols.mqtt.peer5 import Client5, Packet, ack, unsubscribe5
from tests.protocols.world import World


class Taker(Box):
    """With what it has to receive."""

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.unreceived: dict[int, int] = {}  # by packet id, with QoS 2: sent to this session and not received


class Group(GroupMachine[Taker]):
    def __init__(self) -> None:
        super().__init__()
        self.world = World()
        self.publisher = Client5(self.world, "publisher")
        self.boxes = {name: Taker(name) for name in NAMES}
        self.count = 0
        self.sent: set[int] = set()
        # By message: how often acknowledged, plus sessions that it was sent to with QoS 2.
        self.done: dict[int, int] = {}
        self.lost = 0  # sent with QoS 2 to sessions that ended before they received it
        self.connect(self.boxes[ANCHOR], persistent=True)
        self.subscribe(self.boxes[ANCHOR], 2)

    # What happens

    @rule(qos=st.integers(1, 2), times=st.integers(1, 3))
    def publish(self, qos: int, times: int) -> None:
        for _ in range(times):
            self.done[self.count] = 0
            self.publisher.publish("t", b"%d" % self.count, qos)
            self.count += 1
            self.pump()

    @rule(name=others)
    def unsubscribes(self, name: str) -> None:
        box = self.boxes[name]
        if box.client is not None:
            said = box.client.send(unsubscribe5(SHARED))
            assert [packet.codes for packet in said if packet.name == "UNSUBACK"] == [
                b"\0" if box.subscribed else b"\x11"
            ]
            self.note(box, [packet for packet in said if packet.name != "UNSUBACK"])
            box.subscribed = False
            self.pump()

    @rule(name=names)
    def loses_its_connection(self, name: str) -> None:
        box = self.boxes[name]
        if box.client is not None:
            box.client.hang_up()
            self.disconnected(box)

    @rule(name=others)
    def loses_its_session(self, name: str) -> None:
        box = self.boxes[name]
        if box.client is None and box.has_session:
            self.session_ends(box)
            Client5(self.world, name).hang_up()
            self.pump()

    # What that means

    def connect(self, box: Taker, *, persistent: bool) -> None:
        said = {"session_expiry": 1_000} if persistent else {}
        resumes = box.has_session
        box.persistent = persistent
        box.client = Client5(self.world, box.name, clean=not persistent, receive_maximum=self.window, **said)
        assert box.client.connack.present == resumes
        box.has_session = True
        if not resumes:
            box.subscribed = False
        self.note(box, box.client.greeted)
        self.pump()

    def subscribe(self, box: Taker, qos: int) -> None:
        assert box.client is not None
        self.note(box, box.client.subscribe((SHARED, qos)))
        box.subscribed = True
        self.pump()

    def disconnected(self, box: Taker) -> None:
        box.client = None
        box.inbox.clear()
        box.latest = -1
        if not box.persistent:
            self.session_ends(box)
        self.pump()

    def session_ends(self, box: Taker) -> None:
        self.lost += len(box.unreceived)
        box.unreceived.clear()
        box.has_session = box.subscribed = False

    def pump(self) -> None:
        for box in self.boxes.values():
            if box.client is not None:
                self.note(box, box.client.take())

    def note(self, box: Taker, said: list[Packet]) -> None:
        """Look at what the broker has sent."""
        for packet in said:
            if packet.name != "PUBLISH":
                assert packet.name == "PUBREL"
                box.inbox.append(packet)
                continue
            number = int(packet.body)
            if packet.qos == 2:
                if packet.dup:
                    assert box.unreceived[packet.packet_id] == number
                else:
                    assert packet.packet_id not in box.unreceived
                    self.done[number] += 1
                    box.unreceived[packet.packet_id] = number
            if number not in self.sent:
                assert not packet.dup
                assert number > box.latest
                box.latest = number
            self.sent.add(number)
            box.inbox.append(packet)

    def read(self, box: Taker) -> None:
        if not box.inbox:
            return
        packet = box.inbox.popleft()
        assert box.client is not None
        if packet.name == "PUBREL":
            answer = PUBCOMP
        elif packet.qos == 2:
            answer = PUBREC
            box.unreceived.pop(packet.packet_id)
        else:
            answer = PUBACK
            self.done[int(packet.body)] += 1
        self.note(box, box.client.send(ack(answer, packet.packet_id)))
        self.pump()

    # What always holds

    @invariant()
    def nothing_is_done_twice(self) -> None:
        assert {number: times for number, times in self.done.items() if times > 1} == {}

    @invariant()
    def only_what_a_session_took_with_it_is_lost(self) -> None:
        assert self.world.broker.counters.dropped.get("session_ended", 0) == self.lost

    def teardown(self) -> None:
        """Have everybody come back and read to the end: everything was done once."""
        for box in self.boxes.values():
            if box.client is None and box.has_session:
                self.connect(box, persistent=True)
        self.read_to_the_end()
        assert self.done == dict.fromkeys(range(self.count), 1)
        assert self.world.broker.surroundings.usage.held_bytes == 0
        assert self.world.broker.counters.dropped.keys() <= {"session_ended"}
        self.say_good_bye()
        self.world.advance(1_001)
        vhost = self.world.broker.vhosts[DEFAULT_VHOST]
        assert (vhost.groups, vhost.exchange("amq.topic").bindings) == ({}, {})


class WideGroup(Group):
    window = 100


Group.TestCase.settings = settings(max_examples=80, stateful_step_count=50, deadline=None)
WideGroup.TestCase.settings = settings(max_examples=60, stateful_step_count=50, deadline=None)
TestGroup = Group.TestCase
TestWideGroup = WideGroup.TestCase
