"""Wildcards in subscriptions, to topics and to queues, those that are declared later included."""

from typing import Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.access import EVERYTHING, Permission, User
from core.model.names import DEFAULT_VHOST
from core.queueing.watchers import QueueWatcher, QueueWatchers
from core.routing.trie import Trie
from gateway.patterns import compile_pattern
from protocols.stomp.destinations import parse
from protocols.stomp.dialect import ACTIVEMQ, RABBITMQ
from protocols.stomp.subscription import SUBSCRIPTIONS_LIMIT, QueueWatch
from protocols.stomp.wildcards import binding_key, queue_pattern, topic_pattern
from tests.protocols.stomp.peer import StompPeer, answers, bodies, frame, refused
from tests.protocols.world import World

# As ActiveMQ 5.17 answers, beside the last one: a literal `#` is no wildcard of its.
MATCHES: Final = [
    ("w.*", "w.a", True),
    ("w.*", "w.a.b", False),
    ("w.*", "w", False),
    ("w.*", "w.", True),
    ("v.>", "v", True),
    ("v.>", "v.a", True),
    ("v.>", "v.a.b.c", True),
    ("v.>", "w.a", False),
    ("v.*.x", "v.a.x", True),
    ("v.*.x", "v..x", True),
    ("v.*.x", "v.x", False),
    (">", "any.thing", True),
    ("*", "any", True),
    ("*.>", "a", True),
    ("a.b", "a.b", True),
    ("a.>.b", "a.x.b", False),
    ("a.#", "a.x", False),
]


@pytest.fixture
def world() -> World:
    return World()


def activemq(world: World) -> StompPeer:
    return StompPeer(world, dialect=ACTIVEMQ)


@pytest.mark.parametrize(("pattern", "name", "matches"), MATCHES)
@pytest.mark.parametrize("kind", ["topic", "queue"])
@pytest.mark.parametrize("ack", ["auto", "client"])
def test_activemqs_wildcards(world: World, kind: str, pattern: str, name: str, matches: bool, ack: str) -> None:
    peer = activemq(world)
    peer.subscribe(f"/{kind}/{pattern}", ack)
    messages = peer.send(f"/{kind}/{name}", b"x")
    assert bodies(messages) == ([b"x"] if matches else [])
    assert [message["destination"] for message in messages] == ([f"/{kind}/{name}"] if matches else [])


def test_rabbitmqs_wildcards_are_for_topics(world: World) -> None:
    peer = StompPeer(world)
    peer.subscribe("/topic/a.#", number="t")
    peer.subscribe("/topic/b.>", number="u")
    peer.subscribe("/queue/a.*", number="q")
    assert len(peer.send("/topic/a.b.c")) == 1
    assert peer.send("/topic/b.c") == []
    assert peer.send("/queue/a.b") == []
    assert len(peer.send("/queue/a.*")) == 1


WORDS: Final = st.lists(st.sampled_from(["a", "b", "", "*", ">", "#"]), min_size=1, max_size=5).map(".".join)
NAMES: Final = st.lists(st.sampled_from(["a", "b", "", "#"]), min_size=1, max_size=5).map(".".join)


def matched(pattern: list[str], words: list[str]) -> bool:
    """Say in a few lines what ActiveMQ's wildcards mean."""
    if not pattern:
        return not words
    if pattern == [">"]:
        return True
    return bool(words) and pattern[0] in {"*", words[0]} and matched(pattern[1:], words[1:])


@given(text=WORDS, name=NAMES)
def test_the_pattern_means_what_a_few_lines_say(text: str, name: str) -> None:
    trie = Trie()
    trie.add(topic_pattern(parse(f"/topic/x.{text}", ACTIVEMQ), ACTIVEMQ), text)
    assert bool(trie.match(f"x.{name}")) == matched(text.split("."), name.split("."))


def test_a_pattern_in_the_cores_form() -> None:
    pattern = topic_pattern(parse("/topic/a.*.>", ACTIVEMQ), ACTIVEMQ)
    assert binding_key(pattern) == "a.*.#"
    assert queue_pattern(parse("/queue/a.b", ACTIVEMQ), ACTIVEMQ) is None
    assert queue_pattern(parse("/queue/a.*", RABBITMQ), RABBITMQ) is None
    assert queue_pattern(parse("a.>", ACTIVEMQ), ACTIVEMQ) is not None


def test_queues_that_are_there_and_queues_that_come(world: World) -> None:
    sender = StompPeer(world)
    sender.send("/queue/q.old", b"old")
    peer = activemq(world)
    (old,) = peer.subscribe("/queue/q.*", "client")
    assert (old.body, old["destination"]) == (b"old", "/queue/q.old")
    sender.send("/queue/q.new", b"new")
    (new,) = peer.heard()
    assert (new.body, new["destination"]) == (b"new", "/queue/q.new")
    assert peer.ack(new) == []  # and the one before it
    queues = world.broker.vhosts["/"].queues
    assert [queues[name].unsettled_count for name in ("q.old", "q.new")] == [0, 0]


def test_what_is_not_acknowledged_goes_back_to_its_own_queue(world: World) -> None:
    peer = activemq(world)
    peer.subscribe("/queue/q.*", "client-individual")
    for name in ("q.a", "q.b"):
        peer.send(f"/queue/{name}", name.encode())
    peer.say("UNSUBSCRIBE", {"id": "0"})
    queues = world.broker.vhosts["/"].queues
    assert [queues[name].ready_count for name in ("q.a", "q.b")] == [1, 1]
    peer.send("/queue/q.c", b"late")
    assert queues["q.c"].ready_count == 1
    assert peer.heard() == []


def test_the_prefetch_is_that_of_the_subscription(world: World) -> None:
    peer = activemq(world)
    peer.subscribe("/queue/q.*", "client", **{"activemq.prefetchSize": "3"})
    for number in range(6):
        peer.wire.connection.receive(b"SEND\ndestination:/queue/q.%d\n\nx\0" % number)
    messages = peer.heard()
    assert len(messages) == 3
    assert len(peer.ack(messages[2])) == 3


def test_a_queue_that_is_deleted_is_left_and_may_come_again(world: World) -> None:
    peer = activemq(world)
    peer.subscribe("/queue/q.*")
    vhost = world.broker.vhosts["/"]
    for _ in range(3):
        assert bodies(peer.send("/queue/q.a", b"x")) == [b"x"]
        vhost.remove_queue(vhost.queues["q.a"])
        assert peer.heard() == []
    assert not peer.closed


def test_queues_of_others_and_queues_of_subscriptions_are_no_business_of_a_wildcard(world: World) -> None:
    other = StompPeer(world)
    other.subscribe("/queue/mine", durable="false", exclusive="true", number="e")
    other.subscribe("/topic/t", "client", "t")
    other.subscribe("/topic/t", "client", "d", durable="true", auto_delete="false")
    peer = activemq(world)
    peer.subscribe("/queue/>")
    StompPeer(world).subscribe("/queue/yours", durable="false", exclusive="true")
    other.send("/topic/t")
    assert len(other.send("/queue/mine")) == 1
    assert peer.heard() == []
    assert not peer.closed


def test_a_wildcard_takes_only_what_its_user_may_read(world: World) -> None:
    user = User("nobody")
    user.permissions[DEFAULT_VHOST] = Permission(EVERYTHING, EVERYTHING, compile_pattern("q\\.a"))
    world.broker.users["nobody"] = user
    peer = StompPeer(world, user="nobody", dialect=ACTIVEMQ)
    peer.subscribe("/queue/q.*")
    sender = StompPeer(world)
    for name in ("q.a", "q.b"):
        sender.send(f"/queue/{name}", name.encode())
    assert bodies(peer.heard()) == [b"q.a"]


def test_the_end_of_a_connection_ends_the_watch(world: World) -> None:
    peer = activemq(world)
    peer.subscribe("/queue/q.*")
    peer.hang_up()
    vhost = world.broker.vhosts["/"]
    assert vhost.watchers._patterns.size == 0
    StompPeer(world).send("/queue/q.a")
    assert not vhost.queues["q.a"].consumers


def test_a_wildcard_and_each_queue_of_it_count_as_a_subscription(world: World) -> None:
    peer = activemq(world)
    peer.subscribe("/queue/q.*")
    count = peer.session.subscriptions._count
    vhost = world.broker.vhosts["/"]
    peer.send("/queue/q.a")
    assert count.taken == 2
    vhost.remove_queue(vhost.queues["q.a"])
    assert count.taken == 1
    count.taken = SUBSCRIPTIONS_LIMIT
    StompPeer(world).send("/queue/q.b")
    refused(peer.heard(), "resource_error", str(SUBSCRIPTIONS_LIMIT))
    assert peer.closed


def test_a_watchers_bug_does_not_cost_the_one_who_declares(world: World) -> None:
    failures: list[Exception] = []

    class Failing(QueueWatcher):
        def appeared(self, queue: object) -> None:
            raise ValueError("a bug")

        def failed(self, error: Exception) -> None:
            failures.append(error)

    pattern = topic_pattern(parse("/topic/>", ACTIVEMQ), ACTIVEMQ)
    world.broker.vhosts["/"].watchers.add(pattern, Failing())
    (receipt,) = StompPeer(world).send("/queue/q", receipt="r")
    assert receipt.command == "RECEIPT"
    assert [str(error) for error in failures] == ["a bug"]


def test_a_bug_while_a_queue_is_added_costs_the_one_who_watches(world: World) -> None:
    peer = activemq(world)
    peer.subscribe("/queue/q.*")
    watch = QueueWatch(peer.session.subscriptions._by_key["T_0"], topic_pattern(parse("/topic/>", ACTIVEMQ), ACTIVEMQ))
    watch.failed(ValueError("a bug"))
    assert [str(error) for error in peer.wire.outlet.failures] == ["a bug"]


def test_watchers_that_do_not_match_cost_nothing() -> None:
    watchers = QueueWatchers()
    for number in range(1_000):
        watchers.add(topic_pattern(parse(f"/topic/x{number}.*", ACTIVEMQ), ACTIVEMQ), QueueWatcher())
    before = watchers._patterns.visits
    watchers._patterns.match("q.a")
    assert watchers._patterns.visits - before <= 4


@pytest.mark.parametrize("way", ["unsubscribe", "hang up"])
def test_each_wildcard_of_a_list_ends_with_its_subscription(world: World, way: str) -> None:
    peer = activemq(world)
    defined_bytes = world.broker.surroundings.usage.defined_bytes
    peer.subscribe("/queue/a.*,/queue/b.*", "client")
    assert world.broker.surroundings.usage.defined_bytes > defined_bytes
    if way == "unsubscribe":
        assert peer.say("UNSUBSCRIBE", {"id": "0"}) == []
    else:
        peer.hang_up()
    assert world.broker.surroundings.usage.defined_bytes == defined_bytes
    sender = StompPeer(world)
    for name in ("a.x", "b.x"):
        sender.send(f"/queue/{name}")
        assert world.broker.vhosts["/"].queues[name].ready_count == 1


def test_wildcards_that_no_queue_matches_are_limited_too(world: World) -> None:
    peer = activemq(world)
    frames = [frame("SUBSCRIBE", {"id": f"{n}", "destination": f"/queue/{n}.*"}) for n in range(SUBSCRIPTIONS_LIMIT)]
    assert answers(peer.wire.send(b"".join(frames))) == []
    refused(peer.subscribe("/queue/more.*", number="more"), "resource_error", str(SUBSCRIPTIONS_LIMIT))


def test_wildcards_have_their_part_of_the_memory_for_what_is_defined(world: World) -> None:
    peer = activemq(world)
    usage = world.broker.surroundings.usage
    usage.limit_bytes = usage.defined_bytes + 2_048
    assert peer.subscribe("/queue/a.*", number="1") == []
    refused(peer.subscribe("/queue/b.*", number="2"), "resource_error", "memory")
    before = usage.defined_bytes
    assert StompPeer(world, dialect=ACTIVEMQ).subscribe("/queue/a.*") == []
    assert usage.defined_bytes > before


def test_of_a_list_with_a_wildcard_only_the_queue_that_was_named_is_missed(world: World) -> None:
    peer = activemq(world)
    peer.subscribe("/queue/a.*,/queue/b")
    vhost = world.broker.vhosts["/"]
    StompPeer(world).send("/queue/a.x")
    peer.heard()
    vhost.remove_queue(vhost.queues["a.x"])
    assert peer.heard() == []
    vhost.remove_queue(vhost.queues["b"])
    refused(peer.heard(), "Server cancelled subscription", "deleted")
