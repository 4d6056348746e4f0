"""Message groups: one consumer for each, in order, and nobody waits for anybody else's."""

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from core.model.errors import Unsupported
from core.model.message import Address, Message
from core.model.properties import Headers, Properties, Stated
from core.queueing.entry import Entry
from core.queueing.grouping import CLOSES, GROUP, GROUPS_LIMIT, LOOKED_AT_ONCE, NAME_LIMIT, SEQUENCE
from core.queueing.queue import Queue
from core.queueing.surroundings import Surroundings
from core.routing.selector import parse_selector
from core.timers import Clock
from tests.core.parts import Holder, run_queues

ADDRESS = Address("", "q")


class Scene:
    def __init__(self) -> None:
        self.surroundings = Surroundings(Clock(100.0))
        self.queue = Queue("q", self.surroundings)
        self.queue.honour_groups()

    def consumer(self, credit: int = 1_000_000) -> Holder:
        consumer = Holder(credit=credit)
        self.queue.add(consumer)
        self.run()
        return consumer

    def put(self, *groups: str, **headers: str) -> None:
        for group in groups:
            said: Headers = {GROUP: group, **headers} if group else dict(headers)
            assert self.queue.take(Message(ADDRESS, group.encode(), 0, Stated(Properties(said))))
        self.run()

    def run(self) -> None:
        run_queues(self.surroundings)

    def leave(self, consumer: Holder) -> None:
        self.queue.remove(consumer)
        for entry in consumer.held:
            self.queue.requeue(entry)
        consumer.held.clear()
        self.run()


def test_a_group_stays_with_the_consumer_that_has_its_first_message() -> None:
    scene = Scene()
    first, second = scene.consumer(), scene.consumer()
    scene.put("a", "b", "a", "b", "a", "", "")
    assert sorted(first.bodies + second.bodies) == [b"", b"", b"a", b"a", b"a", b"b", b"b"]
    assert {b"a", b"b"} & set(first.bodies) != {b"a", b"b"} != {b"a", b"b"} & set(second.bodies)


def test_a_full_consumer_holds_up_nobody_else() -> None:
    scene = Scene()
    full, other = scene.consumer(credit=1), scene.consumer()
    scene.put("a", "b", "a", "a", "b", "")
    assert (full.bodies, other.bodies) == ([b"a"], [b"b", b"b", b""])
    for left in (1, 0):
        scene.queue.accept(full.held[-1])
        scene.run()
        assert scene.queue.ready_count == left
    assert full.bodies == [b"a", b"a", b"a"]


def test_a_group_is_free_when_its_consumer_leaves_and_comes_in_order() -> None:
    scene = Scene()
    first = scene.consumer(credit=2)
    scene.put("a", "a", "a", "a")
    second = scene.consumer()
    assert second.bodies == []
    sequences = [entry.sequence for entry in first.held]
    scene.leave(first)
    assert [entry.sequence for entry in second.held] == [*sequences, 3, 4]


def test_minus_one_closes_a_group() -> None:
    """As ActiveMQ: the message that closes it is still for its consumer."""
    scene = Scene()
    first, second = scene.consumer(), scene.consumer()
    scene.put("a", "a")
    scene.put("a", **{SEQUENCE: CLOSES})
    assert (len(first.held), len(second.held)) == (3, 0)
    scene.put("a", "a")
    assert (len(first.held), len(second.held)) == (3, 2)


def test_more_groups_than_the_limit_forget_the_oldest() -> None:
    scene = Scene()
    first = scene.consumer()
    scene.put("old")
    second = scene.consumer()
    scene.put(*[f"g{number}" for number in range(GROUPS_LIMIT)])
    before = len(second.held)
    scene.leave(first)
    assert len(second.held) == before + 1 + GROUPS_LIMIT // 2
    scene.put("x" * (NAME_LIMIT + 1))
    assert len(second.held[-1].message.body) == NAME_LIMIT + 1


def test_many_that_wait_for_one_are_looked_at_in_more_than_one_run() -> None:
    scene = Scene()
    full = scene.consumer(credit=1)
    scene.put("a", *["a"] * (3 * LOOKED_AT_ONCE), "")
    other = Holder()
    scene.queue.add(other)
    scene.surroundings.woken.clear()
    scene.queue.run()
    assert other.held == []
    scene.run()
    assert other.bodies == [b""]
    assert scene.queue.purge() == 3 * LOOKED_AT_ONCE
    for entry in full.held + other.held:
        scene.queue.accept(entry)
    assert scene.surroundings.usage.held_bytes == 0


def test_what_was_there_before_the_first_group_counts_too() -> None:
    surroundings = Surroundings(Clock(100.0))
    queue = Queue("q", surroundings)
    for group in ("a", "b", "a"):
        queue.take(Message(ADDRESS, group.encode(), 0, Stated(Properties({GROUP: group}))))
    queue.honour_groups()
    first, second = Holder(credit=1), Holder()
    queue.add(first)
    queue.add(second)
    run_queues(surroundings)
    assert (first.bodies, second.bodies) == ([b"a"], [b"b"])
    assert queue.ready_count == 1


def test_selectors_are_refused_where_there_are_groups_and_groups_passed_over_where_there_are_selectors() -> None:
    scene = Scene()
    consumer = Holder()
    consumer.selector = parse_selector("a = 'b'")
    with pytest.raises(Unsupported, match="message groups"):
        scene.queue.add(consumer)
    assert not scene.queue.consumers
    other = Queue("other", scene.surroundings)
    other.add(consumer)
    other.honour_groups()
    other.take(Message(ADDRESS, b"x", 0, Stated(Properties({GROUP: "g", "a": "b"}))))
    assert consumer.bodies == [b"x"]


class Watched(Holder):
    """Tells the model of each delivery."""

    def __init__(self, model: "GroupModel", credit: int) -> None:
        super().__init__(credit=credit)
        self.model = model

    def deliver(self, entry: Entry) -> None:
        super().deliver(entry)
        self.model.delivered(self, entry)


class GroupModel(RuleBasedStateMachine):
    """Groups with any coming and going: each message is with the one that owns its group, and none waits in vain."""

    @initialize(before=st.integers(0, 20), highest=st.sampled_from([0, 3]))
    def begin(self, before: int, highest: int) -> None:
        self.surroundings = Surroundings(Clock(100.0))
        self.queue = Queue("q", self.surroundings)
        if highest:
            from core.queueing.priority_backlog import PriorityBacklog

            self.queue.backlog = PriorityBacklog(self.surroundings.usage, highest)
        self.highest = highest
        self.ready: dict[int, Message] = {}
        self.owners: dict[str, Watched] = {}
        self.consumers: list[Watched] = []
        self.next_sequence = 1
        for number in range(before):
            self.put("ab"[number % 2], closes=False, priority=number % 5)
        self.queue.honour_groups()

    def key(self, sequence: int) -> tuple[int, int]:
        said = self.ready[sequence].properties
        return -min(said.priority or 0, self.highest), sequence

    def delivered(self, consumer: Watched, entry: Entry) -> None:
        message = entry.message
        group = message.properties.headers.get(GROUP, "")
        if group:
            assert self.owners.setdefault(group, consumer) is consumer
            same = [n for n, other in self.ready.items() if other.properties.headers.get(GROUP) == group]
            assert entry.sequence == min(same, key=self.key), "the group is in order"
            if SEQUENCE in message.properties.headers:
                del self.owners[group]
        del self.ready[entry.sequence]

    def settle_down(self) -> None:
        run_queues(self.surroundings)

    @rule(group=st.sampled_from(["", "a", "b", "c"]), closes=st.booleans(), priority=st.integers(0, 4))
    def put(self, group: str, closes: bool, priority: int) -> None:
        headers: Headers = {GROUP: group} if group else {}
        if closes and group:
            headers[SEQUENCE] = CLOSES
        said = Properties(headers)
        said.priority = priority
        message = Message(ADDRESS, b"x", 0, Stated(said))
        self.ready[self.next_sequence] = message
        self.next_sequence += 1
        self.queue.take(message)
        self.settle_down()

    @rule(credit=st.integers(1, 3))
    def join(self, credit: int) -> None:
        consumer = Watched(self, credit)
        self.consumers.append(consumer)
        self.queue.add(consumer)
        self.settle_down()

    @rule(data=st.data())
    @precondition(lambda self: self.consumers)
    def leave(self, data: st.DataObject) -> None:
        consumer = data.draw(st.sampled_from(self.consumers))
        self.consumers.remove(consumer)
        self.owners = {group: owner for group, owner in self.owners.items() if owner is not consumer}
        self.queue.remove(consumer)
        for entry in consumer.held:
            self.ready[entry.sequence] = entry.message
            self.queue.requeue(entry)
        self.settle_down()

    @rule(data=st.data(), back=st.booleans())
    @precondition(lambda self: any(consumer.held for consumer in self.consumers))
    def settle(self, data: st.DataObject, back: bool) -> None:
        consumer = data.draw(st.sampled_from([consumer for consumer in self.consumers if consumer.held]))
        entry = consumer.held.pop(data.draw(st.integers(0, len(consumer.held) - 1)))
        if back:
            self.ready[entry.sequence] = entry.message
            self.queue.requeue(entry)
        else:
            self.queue.accept(entry)
        self.settle_down()

    @rule()
    @precondition(lambda self: self.ready)
    def fetch(self) -> None:
        """A single fetch takes the head, whosever it is."""
        head = min(self.ready, key=self.key)
        entry = self.queue.get()
        assert entry is not None
        assert entry.sequence == head
        del self.ready[head]
        self.queue.accept(entry)

    @rule()
    def purge(self) -> None:
        assert self.queue.purge() == len(self.ready)
        self.ready.clear()

    @invariant()
    def nobody_waits_in_vain(self) -> None:
        assert self.queue.ready_count == len(self.ready)
        willing = [consumer for consumer in self.consumers if consumer.credit > 0]
        for message in self.ready.values():
            owner = self.owners.get(message.properties.headers.get(GROUP, ""))
            assert not willing if owner is None else owner not in willing

    def teardown(self) -> None:
        for consumer in self.consumers:
            for entry in consumer.held:
                self.queue.accept(entry)
        self.queue.purge()
        assert self.surroundings.usage.held_bytes == 0


TestGroups = GroupModel.TestCase
TestGroups.settings = settings(max_examples=150, stateful_step_count=40, deadline=None)
