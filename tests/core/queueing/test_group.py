"""The group: members that share what one pattern selects."""

import pytest

from core.model.errors import Denied, Limit
from core.model.message import Address, Message, plain_message
from core.model.names import DEFAULT_VHOST, TOPIC_SPACE
from core.queueing.entry import Entry
from core.queueing.group import AWAY, BUSY, BUSY_TRIES, READY, Group, Member
from core.queueing.surroundings import Surroundings
from core.routing.pattern import parse_binding_key
from core.timers import Clock
from tests.core.parts import a_broker, a_client, powerless, run_queues

KEPT = 1


class Part(Member):
    """Keeps what it is lent, and remembers what was passed on to it."""

    def __init__(self, *, settles: bool = True, room: int = 1_000) -> None:
        super().__init__(settles=settles)
        self.held: list[Entry] = []
        self.passed: list[bytes] = []
        self.room = room
        self.failures: list[Exception] = []

    def deliver(self, entry: Entry) -> None:
        self.held.append(entry)

    def pass_on(self, message: Message) -> bool:
        if message.body == b"bug":
            raise RuntimeError("a bug")
        if len(self.passed) >= self.room:
            return False
        self.passed.append(message.body)
        return True

    def hand_back(self) -> None:
        held, self.held = self.held, []
        for entry in held:
            entry.queue.requeue(entry)

    def failed(self, error: Exception) -> None:
        self.failures.append(error)

    @property
    def bodies(self) -> list[bytes]:
        return [entry.message.body for entry in self.held]


class Rig:
    def __init__(self) -> None:
        self.surroundings = Surroundings(Clock())
        self.group = Group("g", self.surroundings)

    def member(self, place: int = READY, *, settles: bool = True, room: int = 1_000) -> Part:
        part = Part(settles=settles, room=room)
        self.group.add(part)
        self.group.move(part, place)
        return part

    def publish(self, *texts: bytes, qos: int = 0) -> None:
        for text in texts:
            assert self.group.take(plain_message(Address(TOPIC_SPACE, "t"), text, qos))
        self.run()

    def run(self) -> None:
        run_queues(self.surroundings)

    @property
    def dropped(self) -> dict[str, int]:
        return self.surroundings.counters.dropped


@pytest.fixture
def rig() -> Rig:
    return Rig()


@pytest.mark.parametrize("settles", [True, False])
def test_what_nobody_settles_is_passed_on_in_turn(rig: Rig, settles: bool) -> None:
    parts = [rig.member(settles=settles) for _ in range(3)]
    rig.publish(b"0", b"1", b"2", b"3")
    assert [part.passed for part in parts] == [[b"0", b"3"], [b"1"], [b"2"]]
    assert rig.group.queue.ready_count == 0


def test_members_with_a_full_output_are_passed_over_while_others_have_room(rig: Rig) -> None:
    busy, ready, away = rig.member(BUSY), rig.member(), rig.member(AWAY)
    rig.publish(b"0", b"1")
    rig.publish(b"2", b"3", qos=KEPT)
    assert (busy.passed, ready.passed, away.passed) == ([], [b"0", b"1"], [])
    assert (busy.bodies, ready.bodies, away.bodies) == ([], [b"2", b"3"], [])
    rig.group.move(ready, BUSY)
    rig.publish(b"4", b"5")
    rig.publish(b"6", qos=KEPT)
    assert (busy.passed, ready.passed) == ([b"4"], [b"0", b"1", b"5"])
    rig.group.move(busy, READY)
    rig.run()
    assert busy.bodies == [b"6"]


def test_what_finds_no_room_and_what_finds_nobody_is_dropped_and_counted(rig: Rig) -> None:
    parts = [rig.member(BUSY, room=0) for _ in range(BUSY_TRIES + 2)]
    rig.publish(b"0")
    assert rig.dropped == {"slow_subscriber": 1}
    for part in parts:
        rig.group.move(part, AWAY)
    rig.publish(b"1")
    assert rig.dropped == {"slow_subscriber": 1, "session_offline": 1}


def test_a_ready_member_whose_output_just_became_full_gives_way(rig: Rig) -> None:
    full, other = rig.member(room=0), rig.member(BUSY)
    rig.publish(b"0")
    assert (full.passed, other.passed) == ([], [b"0"])


def test_without_members_that_settle_nothing_waits(rig: Rig) -> None:
    part = rig.member(settles=False)
    rig.publish(b"0", qos=KEPT)
    rig.group.move(part, AWAY)
    rig.publish(b"1", qos=KEPT)
    assert part.passed == [b"0"]
    assert rig.group.queue.ready_count == 0
    assert rig.dropped == {"session_offline": 1}
    settling = rig.member(AWAY)
    rig.publish(b"2", qos=KEPT)
    rig.group.move(part, READY)
    rig.run()
    assert part.bodies == [b"2"]  # one of the two, and this one is there
    assert settling.held == []


def test_a_bug_in_one_member_costs_that_member_only(rig: Rig) -> None:
    one, other = rig.member(), rig.member()
    rig.publish(b"bug", b"1", b"2")
    assert [str(error) for error in one.failures] == ["a bug"]
    assert (one.passed, other.passed) == ([b"2"], [b"1"])


def test_what_a_member_holds_is_handed_back_when_another_comes_and_not_before(rig: Rig) -> None:
    one = rig.member()
    rig.publish(b"0", b"1", qos=KEPT)
    rig.group.move(one, AWAY)
    rig.member(settles=False)
    rig.run()
    assert one.bodies == [b"0", b"1"]
    other = rig.member(BUSY)
    assert one.bodies == []
    rig.group.move(other, READY)
    rig.run()
    assert b"1" in other.bodies  # in turn with the one that settles nothing
    rig.group.move(one, BUSY)
    assert one.bodies == []


def test_a_member_that_comes_back_first_keeps_what_it_holds(rig: Rig) -> None:
    one = rig.member()
    rig.publish(b"0", qos=KEPT)
    rig.group.move(one, AWAY)
    rig.group.move(one, READY)
    rig.member()
    rig.run()
    assert one.bodies == [b"0"]


def test_a_member_that_leaves_keeps_what_it_holds_and_gets_no_more(rig: Rig) -> None:
    one, other = rig.member(), rig.member()
    rig.publish(b"0", b"1", qos=KEPT)
    assert rig.group.remove(one)
    rig.publish(b"2", qos=KEPT)
    rig.publish(b"3")
    assert (one.bodies, one.passed) == ([b"0"], [])
    assert (other.bodies, other.passed) == ([b"1", b"2"], [b"3"])
    assert rig.group.redistributes
    assert not rig.group.remove(other)
    rig.group.end()
    assert not rig.group.redistributes


def test_a_group_of_a_virtual_host_begins_with_its_first_member_and_ends_with_its_last() -> None:
    broker = a_broker()
    client = a_client(broker)
    vhost = broker.vhosts[DEFAULT_VHOST]
    before = broker.surroundings.usage.defined_bytes
    pattern = parse_binding_key("t.#")
    one, other, elsewhere = Part(), Part(), Part()
    group = client.join("g t", pattern, "t.#", one)
    assert client.join("g t", pattern, "t.#", other) is group
    second = client.join("h t", pattern, "t.#", elsewhere)
    for joined, part in ((group, one), (group, other), (second, elsewhere)):
        joined.move(part, READY)
    target = client.target(TOPIC_SPACE, "t.a")
    for text in (b"0", b"1"):
        assert client.publish(target.exchange, plain_message(target.address, text, KEPT), None, 0)
    assert (one.bodies, other.bodies, elsewhere.bodies) == ([b"0"], [b"1"], [b"0", b"1"])
    vhost.leave(group, one)
    vhost.leave(group, other)
    vhost.leave(second, elsewhere)
    assert vhost.groups == {}
    assert vhost.queues == {}
    assert broker.surroundings.usage.defined_bytes == before


def test_a_group_that_there_is_no_room_for_leaves_nothing() -> None:
    broker = a_broker()
    client = a_client(broker)
    usage = broker.surroundings.usage
    pattern = parse_binding_key("t")
    before = usage.defined_bytes
    for room in range(0, 8_000, 500):
        usage.limit_bytes = before + room
        try:
            group = client.join("g", pattern, "t", part := Part())
        except Limit:
            assert usage.defined_bytes == before
            assert broker.vhosts[DEFAULT_VHOST].groups == {}
            assert broker.vhosts[DEFAULT_VHOST].exchange(TOPIC_SPACE).bindings == {}
        else:
            assert room > 0
            broker.vhosts[DEFAULT_VHOST].leave(group, part)
            break
    else:
        raise AssertionError("no group was ever made")


def test_whoever_may_not_read_the_topic_is_no_member() -> None:
    broker = a_broker()
    client = a_client(broker, powerless())
    with pytest.raises(Denied):
        client.join("g", parse_binding_key("t"), "t", Part())
    assert broker.vhosts[DEFAULT_VHOST].groups == {}
