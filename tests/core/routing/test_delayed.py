"""Messages that wait for their time, through the delayed exchange and as a store with a clock that jumps."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.broker import Broker
from core.client import Client
from core.model.errors import Invalid
from core.model.message import Message
from core.model.properties import Headers, Native, Properties, Value
from core.queueing.queue import Queue
from core.queueing.usage import KEPT_PARTS
from core.routing.composite import ForwardingRule, ForwardTarget
from core.routing.delayed import DELAY_LIMIT_MS, DUE_AT_ONCE, delay_ms
from core.routing.exchange import Exchange
from core.routing.pattern import parse_binding_key
from core.timers import NEVER
from tests.core.parts import Outcomes, a_broker, a_client

DELAYED = "x-delayed-message"


class Said(Native):
    def __init__(self, properties: Properties) -> None:
        self._properties = properties
        self.size_bytes = 100

    def decode(self) -> Properties:
        return self._properties


class Scene:
    """A broker with a delayed exchange `x` and a queue `q`, which is bound to it by the key `k`."""

    def __init__(self, kind: str = "direct", arguments: Headers | None = None) -> None:
        self.broker: Broker = a_broker()
        self.broker.clock.now = 1_000.0
        self.client: Client = a_client(self.broker)
        self.exchange: Exchange = self.client.declare_exchange(
            "x", DELAYED, arguments={"x-delayed-type": kind, **(arguments or {})}
        )
        self.queue: Queue = self.client.declare_queue("q")
        self.client.bind_queue("q", "x", "k", {})
        self.outcomes = Outcomes()

    def send(
        self, body: bytes, delay: Value = None, key: str = "k", ttl_s: float = 0.0, also: tuple[str, ...] = ()
    ) -> bool:
        properties = Properties({"x-delay": delay, "own": "kept"} if delay is not None else {})
        properties.message_id = "m1"
        message = Message(self.exchange.address(key), body, 1, Said(properties))
        message.also_to = also
        if ttl_s:
            message.expires_at = self.broker.clock.now + ttl_s
        return self.client.publish(self.exchange, message, self.outcomes, 1)

    def wait(self, seconds: float) -> None:
        """Let time pass, as the reactor does."""
        self.broker.clock.now += seconds
        for _ in range(100):
            due = self.broker.timers.due()
            for timed in due:
                timed.timeout()
                self.broker.timers.watch(timed)
            if not due:
                break

    def after(self, seconds: float) -> list[bytes]:
        """Let time pass, and return the bodies that are in the queue then."""
        self.wait(seconds)
        return [message.body for message in self.taken()]

    def taken(self) -> list[Message]:
        found: list[Message] = []
        while True:
            _, entry = self.client.get("q")
            if entry is None:
                return found
            found.append(entry.message)
            self.queue.accept(entry)

    @property
    def held_bytes(self) -> int:
        return self.broker.surroundings.usage.held_bytes


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (1_500, 1_500),
        ("1500", 1_500),
        ("+15", 15),
        (1_500.9, 1_500),
        (DELAY_LIMIT_MS, DELAY_LIMIT_MS),
        (DELAY_LIMIT_MS + 1, 0),
        ("9" * 5_000, 0),
        (10.0**300, 0),
        (float("nan"), 0),
        (float("inf"), 0),
        (0, 0),
        (-5, 0),
        ("-5", 0),
        ("soon", 0),
        ("٣", 0),
        (True, 0),
        (None, 0),
        ([5], 0),
    ],
)
def test_a_delay_is_a_number_of_milliseconds(value: Value, expected: int) -> None:
    assert delay_ms({"x-delay": value}) == expected


def test_without_the_header_nothing_waits() -> None:
    assert delay_ms({}) == 0


def test_a_message_waits_for_its_time_and_keeps_what_is_said_about_it() -> None:
    scene = Scene()
    assert scene.send(b"later", 5_000)
    assert scene.outcomes.said == [(1, "routed")], "it is held, so it is confirmed, and it does not come back"
    assert scene.after(4.9) == []
    scene.wait(0.2)
    (message,) = scene.taken()
    assert (message.body, message.qos, message.address.exchange, message.address.key) == (b"later", 1, "x", "k")
    assert message.properties.headers == {"x-delay": -5_000, "own": "kept"}
    assert message.properties.message_id == "m1"
    assert scene.client.vhost.delayed.deadline == NEVER
    assert scene.held_bytes == 0


@pytest.mark.parametrize("delay", [None, 0, -1_000, "no number"])
def test_what_has_no_delay_is_routed_at_once(delay: Value) -> None:
    scene = Scene()
    assert scene.send(b"now", delay)
    assert not scene.send(b"nobody's", delay, key="other")
    assert scene.after(0) == [b"now"]


@pytest.mark.parametrize(
    ("kind", "reached"), [("direct", False), ("fanout", True), ("topic", False), ("x-random", True)]
)
def test_the_other_type_decides_where_it_goes(kind: str, reached: bool) -> None:
    scene = Scene(kind)
    scene.send(b"a", 10, key="k")
    scene.send(b"b", 10, key="other")
    assert scene.after(1) == ([b"a", b"b"] if reached else [b"a"])
    assert scene.broker.counters.unroutable == int(not reached)
    scene.client.unbind_queue("q", "x", "k", {})
    assert not scene.send(b"c")


def test_bindings_of_the_due_time_count() -> None:
    scene = Scene()
    scene.send(b"a", 10)
    scene.client.unbind_queue("q", "x", "k", {})
    assert scene.after(1) == []
    scene.send(b"b", 10)
    scene.client.bind_queue("q", "x", "k", {})
    assert scene.after(1) == [b"b"]


def test_the_time_to_live_begins_when_the_message_is_due() -> None:
    scene = Scene()
    scene.send(b"a", 5_000, ttl_s=1.0)
    assert scene.after(5.5) == [b"a"]
    scene.send(b"b", 5_000, ttl_s=1.0)
    scene.wait(5)
    assert scene.queue.ready_count == 1
    assert scene.after(1.1) == []
    properties = Properties({"x-delay": 10})
    message = Message(scene.exchange.address("k"), b"c", 1, Said(properties))
    message.expires_at = scene.broker.clock.now
    scene.client.publish(scene.exchange, message, None, 0)
    assert scene.after(1) == [], "no time at all is not for ever"


def test_carbon_copies_wait_along() -> None:
    scene = Scene()
    scene.send(b"a", 10, key="other", also=("k", "k"))
    assert scene.after(1) == [b"a"]


def test_behind_another_exchange_and_in_front_of_an_alternate() -> None:
    scene = Scene("direct", {"alternate-exchange": "spare"})
    client = scene.client
    client.declare_exchange("front", "fanout")
    client.declare_exchange("spare", "fanout")
    client.bind_exchange("x", "front", "", {})
    client.bind_queue("q", "spare", "", {})
    front = client.vhost.exchange("front")
    client.publish(front, Message(front.address("k"), b"a", 1, Said(Properties({"x-delay": 10}))), None, 0)
    scene.send(b"spare's", 20, key="other")
    assert scene.taken() == [], "what waits is not what nobody wanted"
    (first, second) = client.vhost.delayed.listed()
    assert (first.exchange, first.address.exchange, second.exchange) == ("x", "front", "x")
    assert scene.after(1) == [b"a", b"spare's"]


def test_forwarding_rules_are_at_work_once() -> None:
    scene = Scene()
    rule = ForwardingRule("r", "x", parse_binding_key("k"), [ForwardTarget("", "copies")], keep=True)
    scene.client.vhost.forwarding.add(rule)
    copies = scene.client.declare_queue("copies")
    scene.send(b"a", 10)
    assert scene.after(1) == [b"a"]
    assert copies.ready_count == 1


def test_a_history_may_be_delayed() -> None:
    scene = Scene("x-recent-history")
    scene.send(b"a", 10)
    late = scene.client.declare_queue("late")
    assert scene.after(1) == [b"a"]
    scene.client.bind_queue("late", "x", "", {})
    assert late.ready_count == 1
    scene.client.delete_exchange("x")
    scene.client.delete_queue("late")
    assert scene.held_bytes == 0


def test_what_waits_goes_with_its_exchange_and_not_with_another() -> None:
    scene = Scene()
    other = scene.client.declare_exchange("y", DELAYED, arguments={"x-delayed-type": "fanout"})
    scene.client.bind_queue("q", "y", "", {})
    scene.send(b"a", 10)
    scene.client.publish(other, Message(other.address("k"), b"b", 1, Said(Properties({"x-delay": 10}))), None, 0)
    scene.client.delete_exchange("x")
    assert scene.client.vhost.delayed.count == 1
    assert scene.broker.counters.dropped == {"delayed_exchange_deleted": 1}
    assert scene.after(1) == [b"b"]
    assert scene.held_bytes == 0


def test_what_waits_is_listed_and_cancelled() -> None:
    scene = Scene()
    delayed = scene.client.vhost.delayed
    for body, delay in ((b"second", 2_000), (b"first", 1_000), (b"third", 2_000)):
        scene.send(body, delay)
    listed = delayed.listed()
    assert [each.message.body for each in listed] == [b"first", b"second", b"third"]
    assert [each.due for each in listed] == [1_001.0, 1_002.0, 1_002.0]
    assert all(each.address.key == "k" and each.size_bytes > 100 for each in listed)
    assert scene.held_bytes == sum(each.size_bytes for each in listed)
    assert delayed.cancel(listed[1].id)
    assert not delayed.cancel(listed[1].id)
    assert scene.after(5) == [b"first", b"third"]
    assert not delayed.cancel(listed[0].id), "it is delivered"


def test_waiting_messages_take_a_part_of_the_memory_and_then_are_refused() -> None:
    scene = Scene()
    usage = scene.broker.surroundings.usage
    usage.limit_bytes = 40_000
    accepted = 0
    for _ in range(100):
        scene.send(b"x" * 100, 1_000)
        accepted += scene.outcomes.said.pop() == (1, "routed")
    assert 5 < accepted < 20
    assert usage.kept_bytes == usage.held_bytes <= usage.limit_bytes // KEPT_PARTS
    assert scene.broker.counters.dropped == {"delayed_full": 100 - accepted}
    assert not scene.broker.alarm
    assert len(scene.after(1)) == accepted
    assert usage.kept_bytes == usage.held_bytes == 0


def test_a_transaction_that_finds_no_room_is_refused_as_a_whole() -> None:
    scene = Scene()
    scene.broker.surroundings.usage.limit_bytes = 100_000
    for count, room in ((3, True), (8, False)):
        transaction = scene.client.begin()
        for _ in range(count):
            message = Message(scene.exchange.address("k"), b"x", 1, Said(Properties({"x-delay": 10})))
            transaction.publish(scene.exchange, message)
        assert scene.client.commit(transaction) is room
        assert scene.client.vhost.delayed.count == 3


def test_many_messages_of_one_time_are_not_all_handed_over_in_one_go() -> None:
    scene = Scene()
    for _ in range(DUE_AT_ONCE + 1):
        scene.send(b"", 10)
    scene.broker.clock.now += 1
    (timed,) = scene.broker.timers.due()
    timed.timeout()
    scene.broker.timers.watch(timed)
    assert scene.queue.ready_count == DUE_AT_ONCE
    assert scene.broker.timers.next_look() <= scene.broker.clock.now, "the next turn goes on"
    assert len(scene.after(0)) == DUE_AT_ONCE + 1


@pytest.mark.parametrize(
    "arguments",
    [{}, {"x-delayed-type": "odd"}, {"x-delayed-type": DELAYED}, {"x-delayed-type": 5}, {"x-delayed-type": None}],
)
def test_the_other_type_must_be_named(arguments: Headers) -> None:
    client = a_client()
    with pytest.raises(Invalid, match=r"^Invalid argument, 'x-delayed-type' must be an existing exchange type$"):
        client.declare_exchange("x", DELAYED, arguments=arguments)
    assert "x" not in client.vhost.exchanges


def test_the_arguments_and_bindings_of_the_other_type_are_checked() -> None:
    client = a_client()
    with pytest.raises(Invalid, match="Unsupported property"):
        client.declare_exchange("x", DELAYED, arguments={"x-delayed-type": "x-consistent-hash", "hash-property": "no"})
    client.declare_exchange("x", DELAYED, arguments={"x-delayed-type": "x-consistent-hash"})
    client.declare_queue("q")
    with pytest.raises(Invalid, match="must be an integer"):
        client.bind_queue("q", "x", "no weight", {})


Step = tuple[str, int]

steps = st.lists(
    st.one_of(
        st.tuples(st.just("send"), st.integers(1, 50)),
        st.tuples(st.just("pass"), st.integers(0, 30)),
        st.tuples(st.just("cancel"), st.integers(0, 20)),
        st.tuples(st.just("squeeze"), st.integers(0, 12)),
    ),
    max_size=60,
)


@given(steps)
def test_what_is_due_comes_in_order_whatever_else_happens(taken: list[Step]) -> None:
    """The model is a list of (due, arrival); `squeeze` leaves room for so many messages."""
    scene = Scene()
    delayed, usage = scene.client.vhost.delayed, scene.broker.surroundings.usage
    waiting: list[tuple[float, int]] = []
    scene.send(b"", 1)
    (probe,) = delayed.listed()
    scene.after(1)
    now, arrived, room = 0, 0, 1_000
    start = scene.broker.clock.now
    for what, amount in taken:
        if what == "send":
            arrived += 1
            scene.send(b"%d" % arrived, amount * 1_000)
            assert scene.outcomes.said.pop() == (1, "routed" if len(waiting) < room else "refused")
            if len(waiting) < room:
                waiting.append((now + amount, arrived))
        elif what == "pass":
            now += amount
            due = sorted(each for each in waiting if each[0] <= now)
            waiting = [each for each in waiting if each[0] > now]
            scene.broker.clock.now = start + now
            assert scene.after(0) == [b"%d" % number for _, number in due]
        elif what == "cancel" and waiting:
            victim = sorted(waiting)[amount % len(waiting)]
            waiting.remove(victim)
            assert delayed.cancel(delayed.listed()[amount % delayed.count].id)
        elif what == "squeeze":
            room = amount
            # bodies have one digit or two
            usage.limit_bytes = KEPT_PARTS * (amount * (probe.size_bytes + 2) + probe.size_bytes // 2)
        assert [each.message.body for each in delayed.listed()] == [b"%d" % number for _, number in sorted(waiting)]
        assert usage.held_bytes == usage.kept_bytes == sum(each.size_bytes for each in delayed.listed())
        times = [(each.due, each.id) for each in delayed.listed()]
        assert all(first < second for first, second in pairwise(times))
        if waiting:
            assert delayed.deadline <= start + min(waiting)[0]
