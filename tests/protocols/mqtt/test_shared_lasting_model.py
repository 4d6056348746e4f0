"""The model of a group whose broker dies at every point of every exchange, with a disk that is slow, and whose members come and go.

One member has a session that lasts, others may have. Whatever happens: what was confirmed to its publisher is acknowledged by
somebody, or was sent with QoS 2 to somebody; with QoS 2 it is sent to one session and to no other; and what somebody may have seen
before the process died says so when it comes again.
"""

from typing import Final

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import invariant, rule

from core.model.names import DEFAULT_VHOST
from core.store import kinds
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
from tests.protocols.mqtt.lasting_world import LastingWorld
from tests.protocols.mqtt.peer5 import Client5, Packet, ack, publish5, unsubscribe5

EXPIRY_S: Final = 1_000


class Member(Box):
    """A client as it knows itself, across the deaths of its broker."""

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.qos = 0  # of its subscription
        self.holds: dict[int, int] = {}  # messages of QoS 2 by packet id, until they are released


class DyingGroup(GroupMachine[Member]):
    def __init__(self) -> None:
        super().__init__()
        self.world = LastingWorld()
        self.boxes = {name: Member(name) for name in NAMES}
        self.count = 0
        self.published: dict[int, int] = {}  # QoS, by message
        self.confirmed: set[int] = set()
        self.acknowledged: set[int] = set()  # with QoS 1
        self.given: dict[int, int] = {}  # by message: sessions that it was sent to with QoS 2
        self.seen: set[int] = set()  # sent by this process
        self.seen_before: set[int] = set()  # sent by those that have died before it
        self.first = 0  # that was published to this process
        self.may_be_lost: set[int] = set()  # with sessions that have ended
        self.publisher_comes()
        self.connect(self.boxes[ANCHOR], persistent=True)
        self.subscribe(self.boxes[ANCHOR], 2)

    # What happens

    @rule(qos=st.integers(1, 2), times=st.integers(1, 3))
    def publish(self, qos: int, times: int) -> None:
        for _ in range(times):
            self.count += 1
            self.published[self.count] = qos
            said = self.publisher.send(publish5("t", b"%d" % self.count, qos, self.count))
            self.publisher_reads(said)
            self.pump()

    @rule(name=others)
    def unsubscribes(self, name: str) -> None:
        box = self.boxes[name]
        if box.client is not None and box.subscribed:
            slow = self.catch_up()
            self.note(box, [said for said in box.client.send(unsubscribe5(SHARED)) if said.name != "UNSUBACK"])
            box.subscribed = False
            self.go_on(slow)

    @rule(name=names)
    def loses_its_connection(self, name: str) -> None:
        box = self.boxes[name]
        if box.client is not None:
            box.client.hang_up()
            self.disconnected(box)
            self.world.turn()
            self.pump()

    @rule(name=others)
    def loses_its_session(self, name: str) -> None:
        box = self.boxes[name]
        if box.client is None and box.has_session:
            slow = self.catch_up()
            self.session_ends(box)
            Client5(self.world, name).hang_up()
            self.world.turn()
            self.go_on(slow)

    @rule(what=st.sampled_from(["is slow", "is slow", "has written a batch", "catches up"]))
    def disk(self, what: str) -> None:
        if what == "is slow":
            self.world.slow = True
        elif what == "catches up":
            self.world.catch_up()
        else:
            self.world.commit()
            self.world.turn()
        self.pump()

    @rule(how=st.sampled_from(["at once", "at once", "again and again", "in order"]))
    def broker_ends(self, how: str) -> None:
        if how == "in order":
            self.world.stop()
            self.pump()
        else:
            self.world.die()
            if how == "again and again":
                self.world.die()
                self.world.die()
        self.seen_before |= self.seen
        self.seen.clear()
        self.first = self.count + 1
        for box in self.boxes.values():
            if box.client is not None:
                self.disconnected(box)
        self.publisher_comes()

    # What that means

    def catch_up(self) -> bool:
        """Have the disk be fast, so that what is asked for is answered at once; return whether it was slow."""
        slow = self.world.slow
        self.world.catch_up()
        self.pump()
        return slow

    def go_on(self, slow: bool) -> None:
        self.world.slow = slow
        self.pump()

    def publisher_comes(self) -> None:
        self.publisher = Client5(self.world, "publisher")
        self.pump()

    def publisher_reads(self, said: list[Packet]) -> None:
        self.confirmed |= {packet.packet_id for packet in said}
        received = [packet.packet_id for packet in said if packet.name == "PUBREC"]
        if received:
            self.publisher.send(*[ack(0x62, number) for number in received])

    def connect(self, box: Member, *, persistent: bool) -> None:
        slow = self.catch_up()
        said = {"session_expiry": EXPIRY_S} if persistent else {}
        resumes = box.has_session
        box.persistent = persistent
        box.inbox.clear()
        box.latest = -1
        box.client = Client5(self.world, box.name, clean=not persistent, receive_maximum=self.window, **said)
        assert box.client.connack.present == resumes
        box.has_session = True
        if not resumes:
            box.subscribed = False
        self.note(box, box.client.greeted)
        self.go_on(slow)

    def subscribe(self, box: Member, qos: int) -> None:
        assert box.client is not None
        slow = self.catch_up()
        self.note(box, box.client.subscribe((SHARED, qos)))
        box.subscribed = True
        box.qos = qos
        self.go_on(slow)

    def disconnected(self, box: Member) -> None:
        box.client = None
        box.inbox.clear()
        box.latest = -1
        if not box.persistent:
            self.session_ends(box)

    def session_ends(self, box: Member) -> None:
        box.holds.clear()
        box.has_session = box.subscribed = False
        self.may_be_lost |= {number for number, qos in self.published.items() if qos == 2}

    def pump(self) -> None:
        self.publisher_reads([packet for packet in self.publisher.take() if packet.name in ("PUBACK", "PUBREC")])
        for box in self.boxes.values():
            if box.client is not None:
                self.note(box, box.client.take())

    def note(self, box: Member, said: list[Packet]) -> None:
        """Look at what the broker has sent."""
        for packet in said:
            if packet.name == "DISCONNECT":  # in order
                continue
            box.inbox.append(packet)
            if packet.name != "PUBLISH":
                assert packet.name == "PUBREL"
                continue
            number = int(packet.body)
            if packet.qos == 2:
                if packet.packet_id in box.holds:
                    assert box.holds[packet.packet_id] == number
                    assert packet.dup
                else:
                    box.holds[packet.packet_id] = number
                    self.given[number] = self.given.get(number, 0) + 1
            elif number in self.seen_before:
                assert packet.dup
            if number not in self.seen and number >= self.first and not packet.dup:  # else it was held back before
                assert number > box.latest
                box.latest = number
            self.seen.add(number)

    def read(self, box: Member) -> None:
        if not box.inbox:
            return
        packet = box.inbox.popleft()
        assert box.client is not None
        if packet.name == "PUBREL":
            box.holds.pop(packet.packet_id, None)
            answer = PUBCOMP
        elif packet.qos == 2:
            answer = PUBREC
        else:
            answer = PUBACK
            self.acknowledged.add(int(packet.body))
        self.note(box, box.client.send(ack(answer, packet.packet_id)))
        self.pump()

    # What always holds

    @invariant()
    def nothing_is_given_twice(self) -> None:
        assert {number: times for number, times in self.given.items() if times > 1} == {}

    def teardown(self) -> None:
        """Have everybody come back and read to the end, also in one more process; then nothing is left anywhere."""
        self.catch_up()
        self.world.stop()
        self.pump()
        for box in self.boxes.values():
            if box.client is not None:
                self.disconnected(box)
        self.publisher_comes()
        for box in self.boxes.values():
            if box.has_session:
                self.connect(box, persistent=True)
        self.read_to_the_end()
        assert self.confirmed <= self.acknowledged | self.given.keys() | self.may_be_lost
        assert not self.world.broker.counters.dropped
        assert not any(box.holds for box in self.boxes.values())
        self.say_good_bye()
        self.publisher.send(b"\xe0\x02\x00\x00")
        assert self.world.broker.surroundings.usage.held_bytes == 0
        assert self.world.store.queue_numbers() == []
        self.world.advance(EXPIRY_S + 1)
        assert self.world.broker.vhosts[DEFAULT_VHOST].groups == {}
        assert [kind for kind, _, _ in self.world.store.definitions() if kind >= kinds.SESSION] == []


class WideDyingGroup(DyingGroup):
    window = 100


DyingGroup.TestCase.settings = settings(max_examples=150, stateful_step_count=50, deadline=None)
WideDyingGroup.TestCase.settings = settings(max_examples=100, stateful_step_count=50, deadline=None)
TestDyingGroup = DyingGroup.TestCase
TestWideDyingGroup = WideDyingGroup.TestCase
