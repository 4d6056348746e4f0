"""The `selector` header: what it lets through, on queues, topics and durable subscriptions."""

from typing import Final

import pytest

from core.access import EVERYTHING, Permission, User
from core.model.names import DEFAULT_VHOST
from core.queueing.entrance import Entrance
from gateway.patterns import compile_pattern
from protocols.stomp.dialect import ACTIVEMQ
from protocols.stomp.subscriptions import selector_of
from tests.protocols.stomp.peer import StompPeer, bodies, refused
from tests.protocols.world import World

DURABLE: Final = {"durable": "true", "auto_delete": "false"}


@pytest.fixture
def world() -> World:
    return World()


def send_colours(peer: StompPeer, destination: str) -> None:
    for number, colour in enumerate(("red", "blue", "red", "green")):
        assert peer.send(destination, b"%d" % number, colour=colour, number=str(number)) == []


@pytest.mark.parametrize("destination", ["/queue/q", "/topic/t", "/exchange/amq.direct/k"])
@pytest.mark.parametrize("ack", ["auto", "client", "client-individual"])
@pytest.mark.parametrize(
    "selector", ["colour = 'red'", "number IN (0, 2)", "number BETWEEN 0 AND 2 AND colour <> 'blue'"]
)
def test_a_selector_lets_through_what_it_matches(world: World, destination: str, ack: str, selector: str) -> None:
    peer, sender = StompPeer(world), StompPeer(world)
    peer.subscribe(destination, ack, selector=selector)
    send_colours(sender, destination)
    assert bodies(peer.heard()) == [b"0", b"2"]


def test_a_number_in_a_header_is_text_that_spells_it(world: World) -> None:
    """As ActiveMQ 5.17 does it for its clients of STOMP."""
    peer = StompPeer(world)
    peer.subscribe("/queue/q", selector="number > 1 AND number < 10")
    sender = StompPeer(world)
    for number in ("1", "2", "9", "10", "many"):
        sender.send("/queue/q", number.encode(), number=number)
    assert bodies(peer.heard()) == [b"2", b"9"]


def test_text_stays_text() -> None:
    selector = selector_of("colour = 'red'")
    assert selector is not None
    assert selector.is_pin
    assert selector_of("") is selector_of(" \n") is None


@pytest.mark.parametrize(
    ("selector", "column"), [("colour =", 9), ("colour = 'red", 10), ("AND", 1), ("a = 1 OR", 9), ("(a = 1", 7)]
)
def test_an_invalid_selector_is_an_error_that_points_at_the_position(world: World, selector: str, column: int) -> None:
    peer = StompPeer(world)
    answer = peer.subscribe("/queue/q", selector=selector, receipt="r")
    refused(answer, "precondition_failed", f"column {column}")
    assert answer[0]["receipt-id"] == "r"
    assert "q" not in world.broker.vhosts["/"].queues


def test_two_subscriptions_share_a_queue_by_their_selectors(world: World) -> None:
    peer, sender = StompPeer(world), StompPeer(world)
    send_colours(sender, "/queue/q")
    assert bodies(peer.subscribe("/queue/q", number="b", selector="colour = 'blue'")) == [b"1"]
    assert bodies(peer.subscribe("/queue/q", number="g", selector="colour = 'green'")) == [b"3"]
    assert world.broker.vhosts["/"].queues["q"].ready_count == 2


@pytest.mark.parametrize("headers", [{}, DURABLE])
def test_what_no_topic_subscription_would_take_does_not_pile_up(world: World, headers: dict[str, str]) -> None:
    peer, sender = StompPeer(world), StompPeer(world)
    peer.subscribe("/topic/t", "client", selector="colour = 'red'", **headers)
    send_colours(sender, "/topic/t")
    (queue,) = world.broker.vhosts["/"].queues.values()
    assert (queue.unsettled_count, queue.ready_count) == (2, 0)
    assert isinstance(queue.entrance, Entrance)


def test_a_queue_takes_its_entrance_along(world: World) -> None:
    peer = StompPeer(world)
    peer.subscribe("/topic/t", "client", selector="colour = 'red'")
    assert world.broker.vhosts["/"].exchanges["amq.topic"].bindings
    peer.hang_up()
    assert not world.broker.vhosts["/"].exchanges["amq.topic"].bindings


def test_a_durable_subscription_selects_while_nobody_is_there(world: World) -> None:
    peer = StompPeer(world)
    peer.subscribe("/topic/t", "client", selector="colour = 'red'", **DURABLE)
    peer.hang_up()
    send_colours(StompPeer(world), "/topic/t")
    assert bodies(StompPeer(world).subscribe("/topic/t", selector="colour = 'red'", **DURABLE)) == [b"0", b"2"]


def test_a_durable_subscription_with_another_selector_begins_anew(world: World) -> None:
    peer = StompPeer(world)
    peer.subscribe("/topic/t", "client", selector="colour = 'red'", **DURABLE)
    peer.hang_up()
    send_colours(StompPeer(world), "/topic/t")
    peer = StompPeer(world)
    assert peer.subscribe("/topic/t", selector="colour = 'blue'", **DURABLE) == []
    send_colours(StompPeer(world), "/topic/t")
    assert bodies(peer.heard()) == [b"1"]
    refused(StompPeer(world).subscribe("/topic/t", **DURABLE), "precondition_failed", "in use")


def test_a_queue_has_one_selector_for_what_gets_in(world: World) -> None:
    peer = StompPeer(world)
    named = {"x-queue-name": "named"}
    peer.subscribe("/topic/t", number="1", selector="a = 'x'", **named)
    refused(peer.subscribe("/topic/t", number="2", selector="a = 'y'", **named), "precondition_failed", "selector")


def test_a_full_queue_behind_a_selector_refuses_a_transaction(world: World) -> None:
    peer, sender = StompPeer(world), StompPeer(world)
    limits = {"x-max-length": "1", "x-overflow": "reject-publish", "prefetch-count": "1"}
    peer.subscribe("/topic/t", "client", selector="colour = 'red'", **limits)
    for _ in range(2):
        sender.send("/topic/t", colour="red")
    sender.say("BEGIN", {"transaction": "t"})
    sender.send("/topic/t", colour="red", transaction="t")
    refused(sender.say("COMMIT", {"transaction": "t"}), "Message refused")


@pytest.mark.parametrize("ack", ["auto", "client"])
def test_a_wildcard_and_a_list_have_one_selector(world: World, ack: str) -> None:
    peer, sender = StompPeer(world, dialect=ACTIVEMQ), StompPeer(world)
    peer.subscribe("/queue/q.*,/topic/t,/queue/r", ack, selector="colour = 'red'")
    for destination in ("/queue/q.a", "/topic/t", "/queue/r"):
        send_colours(sender, destination)
        assert bodies(peer.heard()) == [b"0", b"2"]


def test_answers_at_a_temporary_topic_are_selected(world: World) -> None:
    peer = StompPeer(world)
    peer.subscribe("/temp-topic/t", "client", selector="colour = 'red'")
    messages = [*peer.send("/temp-topic/t", b"0", colour="red"), *peer.send("/temp-topic/t", b"1", colour="blue")]
    assert bodies(messages) == [b"0"]
    (queue,) = world.broker.vhosts["/"].queues.values()
    assert (queue.unsettled_count, queue.ready_count) == (1, 0)


def test_a_selector_is_asked_of_a_consumer_with_a_priority_too(world: World) -> None:
    peer = StompPeer(world)
    peer.subscribe("/queue/q", selector="colour = 'red'", **{"x-priority": "3"})
    assert bodies(peer.send("/queue/q", b"1", colour="blue")) == []
    assert bodies(peer.send("/queue/q", b"2", colour="red")) == [b"2"]


@pytest.mark.parametrize("selector", [{}, {"selector": "colour = 'red'"}])
@pytest.mark.parametrize(("write", "allowed"), [("orders", True), ("amq.default", False)])
def test_a_selector_is_no_way_around_the_permission_to_write_to_a_queue(
    world: World, selector: dict[str, str], write: str, allowed: bool
) -> None:
    """`queue.bind` needs it, whatever is asked before the messages get in."""
    user = User("some")
    user.permissions[DEFAULT_VHOST] = Permission(EVERYTHING, compile_pattern(f"^{write}$"), EVERYTHING)
    world.broker.users["some"] = user
    world.passwords["some"] = b"some"
    answer = StompPeer(world, user="some").subscribe("/topic/t", x_queue_name="orders", **DURABLE, **selector)
    if allowed:
        assert answer == []
    else:
        refused(answer, "access_refused", "'orders'")


def test_another_selector_of_a_queue_that_nobody_has_consumed_leaves_nothing_of_the_first(world: World) -> None:
    user = User("some")
    user.permissions[DEFAULT_VHOST] = Permission(EVERYTHING, EVERYTHING, compile_pattern("^amq.topic$"))
    world.broker.users["some"] = user
    world.passwords["some"] = b"some"
    for colour in ("red", "blue"):  # the queue is bound, and then not consumed, for it may not be read
        peer = StompPeer(world, user="some")
        refused(
            peer.subscribe("/topic/t", selector=f"colour = '{colour}'", x_queue_name="orders", **DURABLE),
            "access_refused",
        )
    vhost = world.broker.vhosts["/"]
    queue = vhost.queues["orders"]
    send_colours(StompPeer(world), "/topic/t")
    assert queue.ready_count == 1
    assert queue.entrance is not None
    assert len(vhost.exchange("amq.topic").bindings) == 1
    vhost.remove_queue(queue)
    assert not vhost.exchange("amq.topic").bindings


@pytest.mark.parametrize("ack", ["auto", "client"])
@pytest.mark.parametrize("destination", ["/queue/q", "/topic/t"])
def test_what_a_selector_takes_counts_as_long_as_it_is_there(world: World, destination: str, ack: str) -> None:
    usage = world.broker.surroundings.usage
    StompPeer(world).subscribe("/queue/q")
    before = usage.defined_bytes
    peer = StompPeer(world)
    peer.subscribe(destination, ack, selector=" OR ".join(f"n > {number}" for number in range(100)))
    assert usage.defined_bytes > before + 50_000
    peer.wire.hang_up()
    assert usage.defined_bytes == before


def test_what_the_selector_of_a_durable_subscription_takes_counts_as_long_as_its_queue_is_there(world: World) -> None:
    usage = world.broker.surroundings.usage
    before = usage.defined_bytes
    peer = StompPeer(world)
    peer.subscribe("/topic/t", selector=" OR ".join(f"n > {number}" for number in range(100)), **DURABLE)
    peer.wire.hang_up()
    assert usage.defined_bytes > before + 50_000
    for queue in list(world.broker.vhosts[DEFAULT_VHOST].queues.values()):
        world.broker.vhosts[DEFAULT_VHOST].remove_queue(queue)
    assert usage.defined_bytes == before


def test_a_selector_of_a_topic_is_work_for_whoever_publishes(world: World) -> None:
    peer, sender = StompPeer(world), StompPeer(world)
    peer.subscribe("/topic/t", selector=" OR ".join(f"n > {number}" for number in range(100)))
    before = world.broker.counters.work
    sender.send("/topic/t", b"x")
    assert world.broker.counters.work - before > 20
