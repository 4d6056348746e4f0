"""A group of a shared subscription whose members come, go, lose their connections and their sessions at any point.

One member has a session that lasts, so the group does. Whatever happens: what is delivered with QoS 1 is acknowledged
exactly once, by one member; what is sent with QoS 2 is sent to one session and to no other, also when that one ends; and
each member gets in the order of publishing what nobody was sent before.
"""

from collections import deque
from typing import Final

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from core.model.names import DEFAULT_VHOST
from tests.protocols.mqtt.peer5 import Client5, Packet, ack, unsubscribe5
from tests.protocols.world import World

SHARED: Final = "$share/g/t"
ANCHOR: Final = "anchor"  # the member that stays
NAMES: Final = (ANCHOR, "b", "c", "d")
PUBACK, PUBREC, PUBCOMP = 0x40, 0x50, 0x70

names = st.sampled_from(NAMES)
others = st.sampled_from(NAMES[1:])


class Box:
    """A client as it knows itself."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.client: Client5 | None = None
        self.persistent = name == ANCHOR
        self.has_session = False
        self.subscribed = False
        self.inbox: deque[Packet] = deque()  # sent and not read
        self.latest = -1  # the latest message that was sent here and to nobody before
        self.unreceived: dict[int, int] = {}  # by packet id, with QoS 2: sent to this session and not received


class Group(RuleBasedStateMachine):
    window = 2

    def __init__(self) -> None:
        super().__init__()
        self.world = World()
        self.publisher = Client5(self.world, "publisher")
        self.boxes = {name: Box(name) for name in NAMES}
        self.count = 0
        self.sent: set[int] = set()
        self.done: dict[
            int, int
        ] = {}  # by message: how often acknowledged, plus sessions that it was sent to with QoS 2
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

    @rule(name=names, persistent=st.booleans())
    def comes(self, name: str, persistent: bool) -> None:
        box = self.boxes[name]
        if box.client is None:
            self.connect(box, persistent=persistent or box.has_session or name == ANCHOR)

    @rule(name=names, qos=st.integers(1, 2))
    def subscribes(self, name: str, qos: int) -> None:
        box = self.boxes[name]
        if box.client is not None:
            self.subscribe(box, qos)

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

    @rule(name=names)
    def is_taken_over(self, name: str) -> None:
        box = self.boxes[name]
        if box.client is not None and box.persistent:
            box.inbox.clear()
            self.connect(box, persistent=True)

    @rule(name=others)
    def loses_its_session(self, name: str) -> None:
        box = self.boxes[name]
        if box.client is None and box.has_session:
            self.session_ends(box)
            Client5(self.world, name).hang_up()
            self.pump()

    @precondition(lambda self: any(box.inbox for box in self.boxes.values()))
    @rule(name=names, times=st.integers(1, 3))
    def reads(self, name: str, times: int) -> None:
        for _ in range(times):
            self.read(self.boxes[name])

    # What that means

    def connect(self, box: Box, *, persistent: bool) -> None:
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

    def subscribe(self, box: Box, qos: int) -> None:
        assert box.client is not None
        self.note(box, box.client.subscribe((SHARED, qos)))
        box.subscribed = True
        self.pump()

    def disconnected(self, box: Box) -> None:
        box.client = None
        box.inbox.clear()
        box.latest = -1
        if not box.persistent:
            self.session_ends(box)
        self.pump()

    def session_ends(self, box: Box) -> None:
        self.lost += len(box.unreceived)
        box.unreceived.clear()
        box.has_session = box.subscribed = False

    def pump(self) -> None:
        for box in self.boxes.values():
            if box.client is not None:
                self.note(box, box.client.take())

    def note(self, box: Box, said: list[Packet]) -> None:
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

    def read(self, box: Box) -> None:
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
    def no_more_is_under_way_than_a_member_takes(self) -> None:
        assert all(len(box.inbox) <= self.window for box in self.boxes.values())

    @invariant()
    def only_what_a_session_took_with_it_is_lost(self) -> None:
        assert self.world.broker.counters.dropped.get("session_ended", 0) == self.lost

    def teardown(self) -> None:
        """Have everybody come back and read to the end: everything was done once."""
        for box in self.boxes.values():
            if box.client is None and box.has_session:
                self.connect(box, persistent=True)
        while any(box.inbox for box in self.boxes.values()):
            for box in self.boxes.values():
                self.read(box)
        assert self.done == dict.fromkeys(range(self.count), 1)
        assert self.world.broker.surroundings.usage.held_bytes == 0
        assert self.world.broker.counters.dropped.keys() <= {"session_ended"}
        for box in self.boxes.values():
            if box.client is not None:
                assert not box.client.closed
                box.client.send(b"\xe0\x02\x00\x00")  # DISCONNECT
        self.world.advance(1_001)
        vhost = self.world.broker.vhosts[DEFAULT_VHOST]
        assert (vhost.groups, vhost.exchange("amq.topic").bindings) == ({}, {})


class WideGroup(Group):
    window = 100


Group.TestCase.settings = settings(max_examples=80, stateful_step_count=50, deadline=None)
WideGroup.TestCase.settings = settings(max_examples=60, stateful_step_count=50, deadline=None)
TestGroup = Group.TestCase
TestWideGroup = WideGroup.TestCase
