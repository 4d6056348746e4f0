"""Dead letters: what they say of their deaths, where they go, and how chains and cycles of queues end."""

from typing import Any

import pytest

from core.broker import Broker
from core.client import Client
from core.model.message import Message
from core.model.names import DEFAULT_VHOST
from core.model.properties import Headers, Properties, Stated, Timestamp
from core.model.widths import Long
from core.queueing.dead_letters import LETTERS_AT_ONCE, LETTERS_LIMIT
from core.queueing.entry import Entry
from tests.core.parts import Holder, a_broker, a_client, publish, run


@pytest.fixture
def broker() -> Broker:
    broker = a_broker()
    broker.clock.now = 100.0
    broker.clock.wall = 1_700_000_000.9
    return broker


@pytest.fixture
def client(broker: Broker) -> Client:
    """A client with the queue `dead`, which gets everything from the exchange `dlx`."""
    client = a_client(broker)
    client.declare_exchange("dlx", "topic")
    client.declare_queue("dead")
    client.bind_queue("dead", "dlx", "#", {})
    return client


def said(client: Client, exchange: str, key: str, headers: Headers, *, expiration_ms: int | None = None) -> bool:
    """Publish a message that says something about itself."""
    properties = Properties(headers)
    properties.expiration_ms = expiration_ms
    target = client.target(exchange, key)
    message = Message(target.address, b"body", 1, Stated(properties))
    carbon = headers.get("CC", []) + headers.get("BCC", [])
    message.also_to = tuple(carbon)
    if expiration_ms is not None:
        message.expires_at = client.vhost.surroundings.clock.now + expiration_ms / 1000
    return client.publish(target.exchange, message, None, 0)


def let_pass(broker: Broker, seconds: float) -> None:
    broker.clock.now += seconds
    for timed in broker.timers.due():
        timed.timeout()
        broker.timers.watch(timed)
    run(broker)


def fetched(client: Client, queue: str) -> Entry:
    entry = client.get(queue)[1]
    assert entry is not None
    return entry


def reject(client: Client, queue: str) -> None:
    entry = fetched(client, queue)
    entry.queue.discard(entry)


def deaths_of(client: Client, queue: str = "dead") -> Any:
    entry = fetched(client, queue)
    entry.queue.accept(entry)
    return entry.message.properties.headers["x-death"]


# What it says (RabbitMQ 3.10)


def test_a_message_that_has_expired_says_so_and_does_not_expire_again(broker: Broker, client: Client) -> None:
    client.declare_queue("q", arguments={"x-dead-letter-exchange": "dlx"})
    said(client, "", "q", {"CC": ["other"], "BCC": ["blind"], "mine": 1}, expiration_ms=10)
    let_pass(broker, 1.0)
    message = fetched(client, "dead").message
    assert (message.address.exchange, message.address.key, message.also_to) == ("dlx", "q", ("other", "blind"))
    assert (message.qos, message.expires_at, message.properties.expiration_ms) == (1, 0.0, None)
    assert message.properties.headers == {
        "CC": ["other"],
        "mine": 1,
        "x-death": [
            {
                "count": 1,
                "reason": "expired",
                "queue": "q",
                "time": Timestamp(1_700_000_000),
                "exchange": "",
                "routing-keys": ["q", "other"],
                "original-expiration": "10",
            }
        ],
        "x-first-death-reason": "expired",
        "x-first-death-queue": "q",
        "x-first-death-exchange": "",
    }
    assert isinstance(message.properties.headers["x-death"][0]["count"], Long)
    assert broker.counters.dead_lettered == {"expired": 1}
    assert broker.counters.dropped == {}


def test_a_letter_with_a_new_key_has_no_carbon_copies(client: Client) -> None:
    arguments: Headers = {"x-dead-letter-exchange": "dlx", "x-dead-letter-routing-key": "new"}
    client.declare_queue("q", arguments=arguments)
    client.bind_queue("q", "amq.topic", "a.#", {})
    said(client, "amq.topic", "a.b", {"CC": ["other"], "mine": 1})
    reject(client, "q")
    message = fetched(client, "dead").message
    assert (message.address.key, message.also_to) == ("new", ())
    assert "CC" not in message.properties.headers
    (death,) = message.properties.headers["x-death"]
    assert (death["reason"], death["exchange"], death["routing-keys"]) == ("rejected", "amq.topic", ["a.b", "other"])


def test_deaths_are_counted_by_queue_and_reason_and_the_latest_is_first(broker: Broker, client: Client) -> None:
    client.declare_queue("second", arguments={"x-dead-letter-exchange": "", "x-dead-letter-routing-key": "first"})
    client.declare_queue("first", arguments={"x-dead-letter-exchange": "", "x-dead-letter-routing-key": "second"})
    publish(client, "", "first")
    for queue in ("first", "second", "first"):
        reject(client, queue)
        broker.clock.wall += 10
    deaths = deaths_of(client, "second")
    assert [(death["queue"], death["count"]) for death in deaths] == [("first", 2), ("second", 1)]
    assert deaths[0]["time"] == Timestamp(1_700_000_000), "that of its first death there"


@pytest.mark.parametrize("header", ["text", None, 5, {}])
def test_a_header_that_is_no_list_is_put_aside(client: Client, header: Any) -> None:
    client.declare_queue("q", arguments={"x-dead-letter-exchange": "dlx"})
    said(client, "", "q", {"x-death": header})
    reject(client, "q")
    headers = fetched(client, "dead").message.properties.headers
    assert list(headers) == ["x-death"], "it is not known to be the first death"
    assert headers["x-death"][0]["count"] == 1


@pytest.mark.parametrize("count", ["many", None, 2.5, 1 << 62])
def test_any_list_of_deaths_is_understood_as_far_as_it_goes(client: Client, count: Any) -> None:
    client.declare_queue("q", arguments={"x-dead-letter-exchange": "dlx"})
    said(client, "", "q", {"x-death": ["junk", {}, {"queue": "q", "reason": "rejected", "count": count}]})
    reject(client, "q")
    first, *others = deaths_of(client)
    assert first["count"] == {None: 2, 1 << 62: (1 << 62) + 1}.get(count, 1)  # without one it was its only death so far
    assert others == [{"count": 1}, "junk"]


# When and where


@pytest.mark.parametrize(("overflow", "taken", "buried"), [
    ("drop-head", True, b"1"), ("reject-publish-dlx", False, b"2"), ("reject-publish", False, None),
])  # fmt: skip
def test_what_a_full_queue_does_not_keep_dies_of_its_length(
    client: Client, overflow: str, taken: bool, buried: bytes | None
) -> None:
    queue = client.declare_queue(
        "q", arguments={"x-dead-letter-exchange": "dlx", "x-max-length": 1, "x-overflow": overflow}
    )
    publish(client, "", "q", b"1")
    target = client.target("", "q")
    message = Message(target.address, b"2", 0, Stated(Properties()))
    assert queue.take(message) == taken
    entry = client.get("dead")[1]
    assert (entry.message.body if entry is not None else None) == buried
    if entry is not None:
        assert entry.message.properties.headers["x-death"][0]["reason"] == "maxlen"


def test_an_entry_that_comes_back_too_often_dies_of_it(client: Client) -> None:
    arguments: Headers = {"x-queue-type": "quorum", "x-delivery-limit": 2, "x-dead-letter-exchange": "dlx"}
    queue = client.declare_queue("q", durable=True, arguments=arguments)
    assert queue.counts_deliveries
    publish(client, "", "q")
    for attempts in (1, 2, 3):
        entry = fetched(client, "q")
        assert entry.attempts == attempts
        queue.requeue(entry)
    assert queue.ready_count == 0
    assert deaths_of(client)[0]["reason"] == "delivery_limit"


def test_a_missing_exchange_and_a_missing_queue_are_silent(broker: Broker, client: Client) -> None:
    client.declare_queue("lost", arguments={"x-dead-letter-exchange": "nowhere"})
    client.declare_queue("nobody", arguments={"x-dead-letter-exchange": "amq.direct"})
    for queue in ("lost", "nobody"):
        publish(client, "", queue)
        reject(client, queue)
    assert broker.counters.dead_lettered == {"rejected": 2}
    assert broker.counters.dropped == {"dead_letter_exchange_missing": 1}
    assert broker.counters.unroutable == 1
    client.declare_exchange("nowhere", "fanout")
    client.bind_queue("dead", "nowhere", "", {})
    publish(client, "", "lost")
    reject(client, "lost")
    assert deaths_of(client)[0]["queue"] == "lost", "the exchange is looked up each time"


def test_a_purged_or_deleted_queue_leaves_no_dead_letters(broker: Broker, client: Client) -> None:
    queue = client.declare_queue("q", arguments={"x-dead-letter-exchange": "dlx"})
    publish(client, "", "q")
    publish(client, "", "q")
    entry = fetched(client, "q")
    client.purge_queue("q")
    publish(client, "", "q")
    client.delete_queue("q")
    queue.discard(entry)
    assert client.get("dead")[1] is None
    assert broker.surroundings.usage.held_bytes == 0


def test_a_dead_letter_goes_on_at_once_to_a_waiting_consumer(client: Client) -> None:
    client.declare_queue("q", arguments={"x-dead-letter-exchange": "dlx"})
    mourner = Holder()
    client.consume("dead", mourner)
    publish(client, "", "q", b"late")
    reject(client, "q")
    assert mourner.bodies == [b"late"]


# Chains and cycles


def test_a_chain_of_a_thousand_queues_is_no_deeper_than_one(broker: Broker, client: Client) -> None:
    count = 1_000
    for number in range(count):
        following = f"q{number + 1}" if number + 1 < count else "dead"
        client.declare_queue(
            f"q{number}",
            arguments={"x-max-length": 0, "x-dead-letter-exchange": "", "x-dead-letter-routing-key": following},
        )
    publish(client, "", "q0")
    deaths = deaths_of(client)
    names = [f"q{number}" for number in reversed(range(count))]
    assert [death["queue"] for death in deaths] == names[::2] + names[1::2][::-1]
    assert broker.counters.dead_lettered == {"maxlen": count}
    assert broker.surroundings.usage.held_bytes == 0


@pytest.mark.parametrize("length", [1, 2, 5])
def test_a_cycle_without_a_rejection_ends(broker: Broker, client: Client, length: int) -> None:
    for number in range(length):
        following = f"q{(number + 1) % length}"
        client.declare_queue(
            f"q{number}",
            arguments={"x-message-ttl": 1_000, "x-dead-letter-exchange": "", "x-dead-letter-routing-key": following},
        )
    publish(client, "", "q0")
    for _ in range(2 * length):
        let_pass(broker, 1.0)
    assert broker.counters.dead_lettered == {"expired": length}
    assert broker.counters.dropped == {"dead_letter_cycle": 1}
    assert broker.surroundings.usage.held_bytes == 0


@pytest.mark.parametrize("length", range(1, 8))
def test_a_circle_goes_on_while_somebody_rejects_in_it_and_no_longer(
    broker: Broker, client: Client, length: int
) -> None:
    """RabbitMQ 3.10 loses its way in circles of three queues and more."""
    for number in range(length):
        arguments: Headers = {"x-dead-letter-exchange": "", "x-dead-letter-routing-key": f"q{(number + 1) % length}"}
        client.declare_queue(f"q{number}", arguments={**arguments, **({"x-message-ttl": 1_000} if number else {})})
    publish(client, "", "q0")
    rounds = 4
    for _ in range(rounds):
        reject(client, "q0")
        for _ in range(length):
            let_pass(broker, 1.0)
    assert {death["count"] for death in deaths_of(client, "q0")} == {rounds}
    assert broker.counters.dropped == {}


@pytest.mark.parametrize("before", range(5))
@pytest.mark.parametrize("length", range(1, 5))
def test_a_circle_that_a_rejected_message_comes_into_ends(
    broker: Broker, client: Client, before: int, length: int
) -> None:
    """What was rejected before the circle is no reason to go round in it for ever."""
    for number in range(before):
        following = f"r{number + 1}" if number + 1 < before else "q0"
        client.declare_queue(
            f"r{number}", arguments={"x-dead-letter-exchange": "", "x-dead-letter-routing-key": following}
        )
    for number in range(length):
        following = f"q{(number + 1) % length}"
        client.declare_queue(
            f"q{number}",
            arguments={"x-message-ttl": 1_000, "x-dead-letter-exchange": "", "x-dead-letter-routing-key": following},
        )
    publish(client, "", "r0" if before else "q0")
    for number in range(before):
        reject(client, f"r{number}")
    for _ in range(2 * length):
        let_pass(broker, 1.0)
    assert broker.counters.dropped == {"dead_letter_cycle": 1}
    assert broker.counters.dead_lettered["expired"] == length


def test_a_count_of_deaths_stays_within_its_field(client: Client) -> None:
    client.declare_queue("q", arguments={"x-dead-letter-exchange": "dlx"})
    said(client, "", "q", {"x-death": [{"queue": "q", "reason": "rejected", "count": Long((1 << 63) - 1)}]})
    reject(client, "q")
    assert deaths_of(client)[0]["count"] == -1 << 63  # as RabbitMQ, which nobody will see


def test_a_cycle_with_a_rejection_goes_on(broker: Broker, client: Client) -> None:
    """A client that rejects may retry so: the queue `retry` holds each message back for a second."""
    client.declare_queue("work", arguments={"x-dead-letter-exchange": "", "x-dead-letter-routing-key": "retry"})
    client.declare_queue(
        "retry",
        arguments={"x-message-ttl": 1_000, "x-dead-letter-exchange": "", "x-dead-letter-routing-key": "work"},
    )
    publish(client, "", "work")
    for _ in range(5):
        reject(client, "work")
        let_pass(broker, 1.0)
    assert [(death["queue"], death["count"]) for death in deaths_of(client, "work")] == [("retry", 5), ("work", 5)]
    assert broker.counters.dropped == {}


def test_queues_that_all_dead_letter_to_each_other_stop_no_turn(broker: Broker, client: Client) -> None:
    """Each order of ten queues is a way of its own: ten million copies of one message."""
    client.declare_exchange("all", "fanout")
    for number in range(10):
        client.declare_queue(f"q{number}", arguments={"x-max-length": 0, "x-dead-letter-exchange": "all"})
        client.bind_queue(f"q{number}", "all", "", {})
    publish(client, "", "q0")
    letters = broker.counters.dead_lettered["maxlen"]
    assert letters <= 11 * LETTERS_AT_ONCE
    assert broker.timers.next_look() <= broker.clock.now, "the rest follows in the next turn"
    for _ in range(3):
        let_pass(broker, 0.0)
    assert broker.surroundings.usage.held_bytes > 0
    assert broker.counters.dead_lettered["maxlen"] <= letters + 3 * 11 * LETTERS_AT_ONCE
    assert len(broker.surroundings.dead_letters._waiting) <= LETTERS_LIMIT


def test_a_long_line_that_has_expired_is_buried_in_parts(broker: Broker, client: Client) -> None:
    client.declare_queue("q", arguments={"x-message-ttl": 1_000, "x-dead-letter-exchange": "dlx"})
    for _ in range(2_500):
        publish(client, "", "q")
    dead = broker.vhosts[DEFAULT_VHOST].queue("dead")
    let_pass(broker, 1.0)
    assert dead.ready_count == 1_000
    let_pass(broker, 0.0)
    let_pass(broker, 0.0)
    assert dead.ready_count == 2_500
