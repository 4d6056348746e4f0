"""Whatever clients of both dialects do, the core keeps nothing of them once they are gone but queues that were to stay."""

from typing import Any, Final

from hypothesis import given
from hypothesis import strategies as st

from core.queueing.deferred import REQUEUE_DELAY_LIMIT_S
from protocols.stomp.dialect import DIALECTS
from tests.protocols.stomp.peer import VERSIONS, Answer, StompPeer
from tests.protocols.world import World

PEERS: Final = 3

DESTINATIONS: Final = (
    "/queue/a",
    "/queue/a.b",
    "/queue/a.*",
    "/queue/>",
    "/queue/a,/queue/b",
    "/queue/a.*,/queue/b.*",
    "/topic/a.*",
    "/topic/a.>",
    "/topic/a.b",
    "/exchange/amq.fanout",
    "/temp-queue/x",
    "/temp-topic/x",
    "/amq/queue/a",
)
OPTIONS: Final[dict[str, tuple[str, ...]]] = {
    "ack": ("client", "client-individual"),
    "selector": ("a = '1'", "a > 1 OR b IS NULL"),
    "browser": ("true",),
    "durable": ("true",),
    "auto-delete": ("false", "true"),
    "exclusive": ("true",),
    "x-queue-name": ("a", "n"),
    "activemq.subscriptionName": ("s",),
    "prefetch-count": ("1", "2"),
    "x-priority": ("1", "-1"),
    "x-dead-letter-exchange": ("", "amq.fanout"),
    "x-expires": ("1000",),
    "reply-to": ("/temp-queue/x", "/temp-topic/x"),
    "receipt": ("r",),
    "a": ("1", "2"),
}
SETTLING: Final[dict[str, tuple[str, ...]]] = {
    "transaction": ("t",),
    "requeue": ("true", "false"),
    "delay": ("10",),
}


def some_of(options: dict[str, tuple[str, ...]], **always: tuple[str, ...]) -> st.SearchStrategy[dict[str, str]]:
    required = {name: st.sampled_from(values) for name, values in always.items()}
    optional = {name: st.sampled_from(values) for name, values in options.items()}
    return st.fixed_dictionaries(required, optional=optional)


STEPS: Final = st.one_of(
    st.tuples(st.just("SEND"), some_of(OPTIONS, destination=DESTINATIONS)),
    st.tuples(st.just("SUBSCRIBE"), some_of(OPTIONS, destination=DESTINATIONS, id=("0", "1", "2"))),
    st.tuples(st.sampled_from(["ACK", "NACK", "NACK"]), some_of(SETTLING)),
    st.tuples(st.just("UNSUBSCRIBE"), some_of({"durable": ("true",), "auto-delete": ("false",)}, id=("0", "1", "2"))),
    st.tuples(st.sampled_from(["BEGIN", "COMMIT", "ABORT", "hang up", "wait"]), st.just({"transaction": "t"})),
)


def do(world: World, peer: StompPeer, held: list[Answer], command: str, headers: dict[str, str]) -> None:
    """Take one step; `held` are messages that the peer may acknowledge, or has."""
    if command == "hang up":
        peer.hang_up()
    elif command == "wait":
        world.advance(2.0)
    elif command not in {"ACK", "NACK"}:
        held.extend(peer.say(command, headers))
    elif held:
        held.extend(peer.ack(held[0], command, **headers))
    held[:] = [
        frame for frame in held if frame.command == "MESSAGE" and ("ack" in frame.headers or peer.version != "1.2")
    ]


@given(st.lists(st.tuples(st.integers(0, PEERS - 1), STEPS), max_size=40), st.data())
def test_nothing_is_left(steps: list[tuple[int, tuple[str, dict[str, str]]]], data: Any) -> None:
    world = World()
    peers = [
        StompPeer(
            world, data.draw(st.sampled_from(VERSIONS)), dialect=data.draw(st.sampled_from(DIALECTS)), client_id="me"
        )
        for _ in range(PEERS)
    ]
    held: list[list[Answer]] = [[] for _ in peers]
    for number, (command, headers) in steps:
        do(world, peers[number], held[number], command, headers)
    for peer in peers:
        peer.hang_up()
        assert peer.wire.outlet.failures == []
    check_that_nothing_is_left(world)


def check_that_nothing_is_left(world: World) -> None:
    vhost, usage = world.broker.vhosts["/"], world.broker.surroundings.usage
    assert vhost.watchers._patterns.size == 0
    for queue in list(vhost.queues.values()):
        assert (len(queue.consumers), queue.unsettled_count, queue.owner) == (0, 0, None), queue.name
        vhost.remove_queue(queue)
    assert vhost._bound == {}
    world.advance(2 * REQUEUE_DELAY_LIMIT_S)
    assert (usage.held_bytes, usage.kept_bytes, usage.unfinished_bytes) == (0, 0, 0)
    for exchange in vhost.exchanges.values():
        usage.undefine(exchange.cost_bytes)
    assert usage.defined_bytes == 0
