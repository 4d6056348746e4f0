"""Scheduled messages, by ActiveMQ's headers."""

import pytest

from core.queueing.schedule import DELAY, PERIOD, PERIOD_LEAST_MS, RATE_LIMIT, REPEAT
from core.routing.delayed import DELAY_LIMIT_MS
from protocols.stomp.dialect import DIALECTS, Dialect
from tests.protocols.stomp.peer import Answer, StompPeer, bodies, refused
from tests.protocols.world import World


@pytest.fixture
def world() -> World:
    return World()


def send(peer: StompPeer, destination: str, **headers: str) -> list[Answer]:
    return peer.say("SEND", {"destination": destination, **headers}, b"x")


def later(peer: StompPeer, seconds: float) -> list[Answer]:
    peer.world.advance(seconds)
    return peer.heard()


def times(peer: StompPeer, steps: int, step_s: float = 0.1) -> list[int]:
    """Return after which of some steps a message came, as often as one did."""
    return [step for step in range(1, steps + 1) for _ in later(peer, step_s)]


@pytest.mark.parametrize("dialect", DIALECTS, ids=lambda dialect: dialect.name)
def test_a_message_comes_when_its_delay_is_over(world: World, dialect: Dialect) -> None:
    peer = StompPeer(world, dialect=dialect)
    peer.subscribe("/queue/q")
    assert send(peer, "/queue/q", own="kept", persistent="true", **{DELAY: "1500"}) == []
    assert later(peer, 1.4) == []
    (message,) = later(peer, 0.2)
    said = (message.body, message["own"], message["scheduledJobId"], message["persistent"])
    assert said == (b"x", "kept", "1", "true")
    assert not {DELAY, PERIOD, REPEAT, "x-delay"} & set(message.headers)
    assert later(peer, 3600.0) == []


@pytest.mark.parametrize(
    ("headers", "steps"),
    [
        ({DELAY: "500", PERIOD: "300", REPEAT: "2"}, [5, 8, 11]),
        ({DELAY: "500", PERIOD: "300"}, [5]),
        ({PERIOD: "300", REPEAT: "1"}, [3, 6]),
        ({DELAY: "500", REPEAT: "2"}, [5]),
    ],
)
def test_it_comes_again_as_its_headers_say(world: World, headers: dict[str, str], steps: list[int]) -> None:
    """As ActiveMQ 5.17 was seen to do."""
    peer = StompPeer(world)
    peer.subscribe("/topic/t")
    send(peer, "/topic/t", **headers)
    world.broker.clock.now += 0.001  # a step is no exact float
    assert times(peer, 20) == steps


def test_what_is_repeated_for_ever_ends_with_its_queue(world: World) -> None:
    peer = StompPeer(world)
    send(peer, "/queue/q", **{PERIOD: str(PERIOD_LEAST_MS), REPEAT: "-1"})
    delayed = world.broker.vhosts["/"].delayed
    world.advance(3.05)
    assert (world.broker.vhosts["/"].queues["q"].ready_count, delayed.count) == (30, 1)
    peer.session.client.delete_queue("q")
    world.advance(0.2)
    assert delayed.count == 0


def test_no_period_is_shorter_than_allowed(world: World) -> None:
    peer = StompPeer(world)
    peer.subscribe("/topic/t")
    send(peer, "/topic/t", **{DELAY: "1", PERIOD: "1", REPEAT: "1000"})
    assert len(later(peer, 10 * PERIOD_LEAST_MS / 1000)) in {10, 11}


def test_repetitions_are_left_out_while_there_is_no_memory(world: World) -> None:
    peer = StompPeer(world)
    send(peer, "/queue/q", **{PERIOD: "1000", REPEAT: "5"})
    usage = world.broker.surroundings.usage
    world.advance(1.1)
    usage.held_bytes += usage.limit_bytes
    world.advance(1.1)
    usage.held_bytes -= usage.limit_bytes
    world.advance(1.1)
    assert world.broker.vhosts["/"].queues["q"].ready_count == 2
    assert world.broker.counters.dropped["schedule_memory"] == 1


def test_all_together_come_again_so_often_and_not_more(world: World) -> None:
    peer = StompPeer(world)
    said = {PERIOD: str(PERIOD_LEAST_MS), REPEAT: "1"}
    jobs = int(RATE_LIMIT * PERIOD_LEAST_MS / 1000)
    for _ in range(jobs):
        send(peer, "/queue/q", **said)
    send(peer, "/queue/q", **{PERIOD: str(PERIOD_LEAST_MS), REPEAT: "0"})
    refused(send(peer, "/queue/q", receipt="1", **said), "Message refused")
    assert world.broker.counters.dropped["schedule_rate"] == 1
    world.advance(0.3)
    assert world.broker.vhosts["/"].queues["q"].ready_count == 2 * jobs + 1
    assert StompPeer(world).say("SEND", {"destination": "/queue/q", "receipt": "1", **said})[0].command == "RECEIPT"


def test_a_receipt_says_that_the_schedule_has_the_message(world: World) -> None:
    peer = StompPeer(world)
    (receipt,) = send(peer, "/queue/q", receipt="1", **{DELAY: "1000"})
    assert receipt["receipt-id"] == "1"
    world.broker.surroundings.usage.kept_bytes = 1 << 40
    refused(send(peer, "/queue/q", receipt="2", **{DELAY: "1000"}), "Message refused")


def test_a_transaction_begins_the_delay_at_its_commit(world: World) -> None:
    peer = StompPeer(world)
    peer.subscribe("/queue/q")
    peer.say("BEGIN", {"transaction": "t"})
    send(peer, "/queue/q", transaction="t", **{DELAY: "1000"})
    assert later(peer, 2.0) == []
    assert peer.say("COMMIT", {"transaction": "t"}) == []
    assert later(peer, 0.9) == []
    assert bodies(later(peer, 0.2)) == [b"x"]


def test_the_time_to_live_begins_when_it_is_due(world: World) -> None:
    peer = StompPeer(world)
    send(peer, "/queue/q", expiration="500", **{DELAY: "10000"})
    world.advance(10.1)
    assert world.broker.vhosts["/"].queues["q"].ready_count == 1
    world.advance(0.6)
    assert world.broker.vhosts["/"].queues["q"].ready_count == 0


@pytest.mark.parametrize("name", [DELAY, PERIOD, REPEAT])
@pytest.mark.parametrize("value", ["-5", "abc", "1.5", "", str(DELAY_LIMIT_MS + 1)])
def test_a_wrong_number_is_an_error(world: World, name: str, value: str) -> None:
    peer = StompPeer(world)
    refused(send(peer, "/queue/q", **{DELAY: "1", name: value}), "Invalid header", name)
    assert world.broker.vhosts["/"].delayed.count == 0


def test_cron_is_refused_by_its_name(world: World) -> None:
    refused(send(StompPeer(world), "/queue/q", AMQ_SCHEDULED_CRON="* * * * *"), "not_implemented", "AMQ_SCHEDULED_CRON")


def test_permission_is_asked_when_it_is_sent(world: World) -> None:
    world.broker.users["nobody"].permissions["/"] = world.broker.users["guest"].permissions["/"]
    peer = StompPeer(world, user="nobody")
    del world.broker.users["nobody"].permissions["/"]
    refused(send(peer, "/topic/t", **{DELAY: "1000"}), "access_refused")
