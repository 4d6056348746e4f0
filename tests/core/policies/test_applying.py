"""What a policy changes at once, on queues and exchanges that exist, and on those that are declared later."""

import pytest

from core.broker import Broker
from core.client import Client
from core.model.errors import Limit, Mismatch, NotFound
from core.model.message import plain_message
from core.policies.administration import clear_policy, set_policy
from core.policies.policies import POLICIES_LIMIT
from core.policies.revision import STEPS_AT_ONCE
from core.queueing.credit import UNLIMITED
from core.routing.binding import Binding
from core.timers import NEVER
from tests.core.parts import Holder, Recorder, a_broker, publish
from tests.core.policies.parts import applied, connected, let_pass, on_queues


def filled(client: Client, name: str, count: int, **arguments: object) -> None:
    client.declare_queue(name, arguments={f"x-{key.replace('_', '-')}": value for key, value in arguments.items()})
    for number in range(count):
        publish(client, "", name, b"%d" % number)


def bodies(client: Client, name: str) -> list[bytes]:
    """Return what is ready, in order, and leave it there."""
    return [entry.message.body for entry in client.vhost.queue(name).backlog.entries()]


def test_a_smaller_limit_drops_the_oldest_at_once_and_bounds_what_comes() -> None:
    broker, client = connected()
    filled(client, "q", 10)
    on_queues(broker, {"max-length": 4})
    assert bodies(client, "q") == [b"6", b"7", b"8", b"9"]
    publish(client, "", "q", b"new")
    assert bodies(client, "q") == [b"7", b"8", b"9", b"new"]
    on_queues(broker, {"max-length-bytes": 4})
    assert bodies(client, "q") == [b"9", b"new"]
    clear_policy(broker, "/", "p")
    publish(client, "", "q", b"and another")
    assert len(bodies(client, "q")) == 3


def test_what_is_dropped_for_a_policy_goes_to_its_dead_letter_exchange() -> None:
    broker, client = connected()
    client.declare_queue("dead")
    filled(client, "q", 5)
    set_policy(
        broker,
        "/",
        "p",
        "^q$",
        {"max-length": 2, "dead-letter-exchange": "", "dead-letter-routing-key": "dead"},
    )
    assert bodies(client, "dead") == [b"0", b"1", b"2"]
    set_policy(broker, "/", "p", "^q$", {"max-length": 1})
    assert (bodies(client, "q"), len(bodies(client, "dead"))) == ([b"4"], 3)


def test_a_queue_that_refuses_keeps_what_it_has() -> None:
    broker, client = connected()
    filled(client, "q", 5)
    on_queues(broker, {"max-length": 2, "overflow": "reject-publish"})
    assert len(bodies(client, "q")) == 5
    target = client.target("", "q")
    assert not client.vhost.queue("q").take(plain_message(target.address, b""))
    on_queues(broker, {"max-length": 2})
    assert bodies(client, "q") == [b"3", b"4"]


def test_the_smaller_limit_holds_and_the_clients_other_arguments() -> None:
    broker, client = connected()
    filled(client, "q", 10, max_length=5, overflow="drop-head")
    on_queues(broker, {"max-length": 8, "overflow": "reject-publish"})
    publish(client, "", "q", b"new")
    assert bodies(client, "q") == [b"6", b"7", b"8", b"9", b"new"]
    on_queues(broker, {"max-length": 2, "overflow": "reject-publish"})
    assert bodies(client, "q") == [b"9", b"new"]


def test_messages_have_the_time_to_live_of_the_policy_that_they_came_under() -> None:
    """As in RabbitMQ 3.10: a policy shortens the life of what comes, and clearing it does not lengthen that of what is there."""
    broker, client = connected()
    filled(client, "q", 1)
    on_queues(broker, {"message-ttl": 10_000})
    let_pass(broker, 60.0)
    assert bodies(client, "q") == [b"0"]
    publish(client, "", "q", b"1")
    client.vhost.queue("q").get()
    clear_policy(broker, "/", "p")
    publish(client, "", "q", b"2")
    let_pass(broker, 9.0)
    assert bodies(client, "q") == [b"1", b"2"]
    let_pass(broker, 1.0)
    assert bodies(client, "q") == [b"2"]
    let_pass(broker, 60.0)
    assert bodies(client, "q") == [b"2"]


def test_an_idle_queue_ends_as_the_policy_of_now_says() -> None:
    broker, client = connected()
    client.declare_queue("q")
    on_queues(broker, {"expires": 10_000})
    let_pass(broker, 9.0)
    on_queues(broker, {"expires": 5_000})
    let_pass(broker, 4.0)
    assert "q" in client.vhost.queues
    on_queues(broker, {"expires": 5_000, "max-length": 5})
    let_pass(broker, 1.0)
    assert "q" not in client.vhost.queues, "what lives as long as before has not begun anew"
    client.declare_queue("q")
    clear_policy(broker, "/", "p")
    let_pass(broker, 3_600.0)
    assert "q" in client.vhost.queues
    assert broker.timers.count == 0


def test_a_queue_with_a_consumer_does_not_end_by_a_new_policy() -> None:
    broker, client = connected()
    queue = client.declare_queue("q")
    queue.add(Holder())
    on_queues(broker, {"expires": 1_000})
    let_pass(broker, 3_600.0)
    assert "q" in client.vhost.queues


def test_a_delivery_limit_is_for_quorum_queues_as_in_rabbitmq() -> None:
    broker, client = connected()
    quorum = client.declare_queue("quorum", durable=True, arguments={"x-queue-type": "quorum"})
    classic = client.declare_queue("classic")
    on_queues(broker, {"delivery-limit": 1})
    assert (quorum.delivery_limit, classic.delivery_limit) == (1, UNLIMITED)
    publish(client, "", "quorum")
    for _ in range(2):
        entry = quorum.get()
        assert entry is not None
        quorum.requeue(entry)
    assert quorum.ready_count == 0
    clear_policy(broker, "/", "p")
    assert quorum.delivery_limit == UNLIMITED


@pytest.mark.parametrize(
    ("apply_to", "has_it"),
    [
        ("all", {"classic", "quorum", "x"}),
        ("queues", {"classic", "quorum"}),
        ("classic_queues", {"classic"}),
        ("quorum_queues", {"quorum"}),
        ("exchanges", {"x"}),
    ],
)
def test_a_policy_is_for_the_kinds_of_things_that_it_says(apply_to: str, has_it: set[str]) -> None:
    broker, client = connected()
    things = {
        "classic": client.declare_queue("classic", arguments={"x-queue-type": "classic"}),
        "quorum": client.declare_queue("quorum", durable=True, arguments={"x-queue-type": "quorum"}),
        "x": client.declare_exchange("x", "topic"),
    }
    set_policy(broker, "/", "p", "", {"max-length": 1}, apply_to=apply_to)
    policies = client.vhost.policies
    assert {name for name, thing in things.items() if policies.applied_to(thing).policy is not None} == has_it


def test_an_exchange_gets_and_loses_its_alternate() -> None:
    broker, client = connected()
    first, other = Recorder("first"), Recorder("other")
    for name, sink in (("spare", first), ("other", other)):
        client.vhost.bind(client.declare_exchange(name, "fanout"), Binding(sink, "", {}))
    client.declare_exchange("x", "direct")
    client.declare_exchange("own", "direct", arguments={"alternate-exchange": "other"})
    assert not publish(client, "x", "k")
    set_policy(broker, "/", "p", "^(x|own|new)$", {"alternate-exchange": "spare"}, apply_to="exchanges")
    assert publish(client, "x", "k")
    assert publish(client, "own", "k")
    assert (len(first.taken), len(other.taken)) == (1, 1), "what the client has asked for holds"
    client.declare_exchange("new", "topic")
    assert publish(client, "new", "k")
    assert len(first.taken) == 2
    set_policy(broker, "/", "p", "^(x|own|new)$", {"alternate-exchange": "missing"}, apply_to="exchanges")
    assert not publish(client, "x", "k")
    client.vhost.bind(client.declare_exchange("missing", "fanout"), Binding(first, "", {}))
    assert publish(client, "x", "k")
    clear_policy(broker, "/", "p")
    assert not publish(client, "x", "k")
    assert publish(client, "own", "k")
    spare = client.vhost.exchange("spare")
    assert not spare.upstream
    set_policy(broker, "/", "p", "^x$", {"alternate-exchange": "spare"})
    assert len(spare.upstream) == 1
    client.delete_exchange("x")
    assert not spare.upstream


def test_the_default_exchange_has_no_policy() -> None:
    broker, client = connected()
    sink = Recorder()
    client.vhost.bind(client.declare_exchange("spare", "fanout"), Binding(sink, "", {}))
    set_policy(broker, "/", "p", "", {"alternate-exchange": "spare"})
    assert not publish(client, "", "nobody's")
    assert publish(client, "amq.direct", "nobody's")
    assert len(sink.taken) == 1


def test_a_queue_is_declared_with_its_policies_and_is_the_same_at_the_next_declare() -> None:
    broker, client = connected()
    on_queues(broker, {"max-length": 3, "expires": 5_000, "dead-letter-exchange": "x"})
    queue = client.declare_queue("q")
    again = client.declare_queue("r", arguments={"x-max-length": 2})
    assert (queue.limit_entries, again.limit_entries) == (3, 2)
    assert queue.dead_lettering is not None
    assert client.declare_queue("q") is queue
    assert client.declare_queue("r", arguments={"x-max-length": 2}) is again
    with pytest.raises(Mismatch):
        client.declare_queue("q", arguments={"x-max-length": 3})
    let_pass(broker, 5.0)
    assert not client.vhost.queues


def test_unnamed_and_exclusive_queues_have_policies_too() -> None:
    broker, client = connected()
    queue = client.declare_queue("", exclusive=True)
    on_queues(broker, {"max-length": 1})
    assert queue.limit_entries == 1
    assert client.declare_queue("", exclusive=True).limit_entries == 1


def test_of_several_the_highest_priority_applies_and_of_equals_the_first_by_name() -> None:
    broker, client = connected()
    queue = client.declare_queue("q")
    for name, priority, limit in (("b", 0, 2), ("c", 0, 3), ("a", 0, 1), ("z", -1, 26)):
        on_queues(broker, {"max-length": limit}, name, priority)
    assert queue.limit_entries == 1
    on_queues(broker, {"message-ttl": 5_000}, "z", 1)
    assert (queue.limit_entries, queue.ttl_s) == (UNLIMITED, 5.0), "one applies, not several together"
    for gone, limit in (("z", 1), ("a", 2), ("c", 2), ("b", UNLIMITED)):
        clear_policy(broker, "/", gone)
        assert queue.limit_entries == limit
    assert queue.ttl_s == NEVER


def test_operators_bound_what_policies_and_clients_ask_for() -> None:
    broker, client = connected()
    queue = client.declare_queue("q", arguments={"x-max-length": 10})
    set_policy(broker, "/", "bound", "^q", {"max-length": 20, "message-ttl": 5_000}, operator=True)
    assert (queue.limit_entries, queue.ttl_s) == (10, 5.0)
    on_queues(broker, {"max-length": 7, "message-ttl": 9_000})
    assert (queue.limit_entries, queue.ttl_s) == (7, 5.0)
    set_policy(broker, "/", "bound", "^q", {"max-length": 3}, operator=True)
    assert (queue.limit_entries, queue.ttl_s) == (3, 9.0)
    assert applied(broker, "q") == ("p", "bound")
    clear_policy(broker, "/", "p")
    assert (queue.limit_entries, applied(broker, "q")) == (3, (None, "bound"))
    clear_policy(broker, "/", "bound", operator=True)
    assert (queue.limit_entries, applied(broker, "q")) == (10, (None, None))


def test_a_queue_that_is_deleted_and_declared_again_has_the_policy_of_its_new_name_only() -> None:
    broker, client = connected()
    set_policy(broker, "/", "p", "^q$", {"max-length": 1})
    client.declare_queue("q")
    client.delete_queue("q")
    assert not client.vhost.policies._applied, "what is gone is forgotten"
    assert client.declare_queue("q").limit_entries == 1
    assert client.declare_queue("qq").limit_entries == UNLIMITED


@pytest.mark.parametrize("operator", [False, True])
def test_a_policy_that_is_missing_cannot_be_cleared(operator: bool) -> None:
    broker, _ = connected()
    set_policy(broker, "/", "p", "", {"max-length": 1}, operator=not operator)
    with pytest.raises(NotFound, match="policy 'p' in vhost '/'"):
        clear_policy(broker, "/", "p", operator=operator)


def test_there_are_so_many_policies_and_no_more_and_each_takes_memory() -> None:
    broker, _ = connected()
    usage = broker.surroundings.usage
    before = usage.defined_bytes
    for number in range(POLICIES_LIMIT):
        on_queues(broker, {"max-length": 1}, f"p{number}")
    with pytest.raises(Limit, match=f"{POLICIES_LIMIT} policies"):
        set_policy(broker, "/", "one more", "", {"max-length": 1}, operator=True)
    on_queues(broker, {"max-length": 2}, "p5")
    assert usage.defined_bytes > before + POLICIES_LIMIT * 4_096
    for number in range(POLICIES_LIMIT):
        clear_policy(broker, "/", f"p{number}")
    assert usage.defined_bytes == before


def test_a_policy_that_there_is_no_memory_for_changes_nothing() -> None:
    broker, client = connected()
    queue = client.declare_queue("q")
    on_queues(broker, {"max-length": 1})
    broker.surroundings.usage.limit_bytes = broker.surroundings.usage.defined_bytes
    with pytest.raises(Limit):
        on_queues(broker, {"max-length": 2})
    with pytest.raises(Limit):
        on_queues(broker, {"max-length": 2}, "other", 5)
    assert (queue.limit_entries, applied(broker, "q")) == (1, ("p", None))


MANY = 3_000  # queues, more than are looked at in one turn


def with_many() -> tuple[Broker, Client]:
    broker, client = connected()
    for number in range(MANY):
        client.declare_queue(f"q{number}")
    return broker, client


def limits_of(client: Client) -> set[int]:
    return {queue.limit_entries for queue in client.vhost.queues.values()}


def test_very_many_queues_are_looked_at_over_some_turns_and_then_all_have_it() -> None:
    broker, client = with_many()
    on_queues(broker, {"max-length": 5})
    assert limits_of(client) == {5, UNLIMITED}
    assert client.declare_queue("new").limit_entries == 5
    client.delete_queue(f"q{MANY - 1}")
    assert 1 < let_pass(broker, 0.0) < 10
    assert limits_of(client) == {5}
    assert len(client.vhost.policies._applied) == MANY


def test_a_turn_has_so_many_matches_however_many_policies_there_are() -> None:
    broker, client = connected()
    for number in range(200):
        client.declare_queue(f"q{number}")
    for number in range(99):
        set_policy(broker, "/", f"other{number}", "^nothing", {"max-length": 1})
    on_queues(broker, {"max-length": 5}, priority=-1)
    assert limits_of(client) == {5}
    clear_policy(broker, "/", "p")
    assert let_pass(broker, 0.0) >= 200 * 99 // STEPS_AT_ONCE - 1
    assert limits_of(client) == {UNLIMITED}


def test_a_change_while_others_are_not_through_has_them_all_end_as_the_last_one_says() -> None:
    broker, client = with_many()
    on_queues(broker, {"max-length": 5})
    on_queues(broker, {"max-length": 6}, "other", 1)
    on_queues(broker, {"max-length": 7})
    clear_policy(broker, "/", "other")
    let_pass(broker, 0.0)
    assert limits_of(client) == {7}
    clear_policy(broker, "/", "p")
    let_pass(broker, 0.0)
    assert limits_of(client) == {UNLIMITED}
    assert broker.timers.count == 0


def test_a_broker_that_is_told_no_way_to_compile_patterns_says_so() -> None:
    broker = a_broker()
    with pytest.raises(Exception, match="'\\^q' cannot be compiled"):
        set_policy(broker, "/", "p", "^q", {"max-length": 1})
