"""What RabbitMQ says of dead letters was recorded, and we say the same octets (interop/deaths.py has the conversations)."""

import tomllib
from typing import Final

import pytest

from tests.protocols.amqp.peer import AmqpPeer
from tests.protocols.amqp.test_conversations import Steps, same
from tests.protocols.amqp.test_vectors import VECTORS, fed
from tests.protocols.world import World

ROWS: Final = tomllib.loads((VECTORS / "x_death.toml").read_text())["vector"]
CONVERSATIONS: Final = [
    pytest.param(
        [(bytes.fromhex(step["send"]), bytes.fromhex(step.get("ours", step["answer"]))) for step in row["steps"]],
        id=row["name"].replace(" ", "-"),
    )
    for row in ROWS
]


@pytest.mark.parametrize("steps", CONVERSATIONS)
def test_dead_letters_say_what_was_recorded(steps: Steps) -> None:
    world = World()
    world.broker.clock.now = 1.0  # a message whose time is up at 0 would have no limit
    world.broker.clock.wall = 0.5  # the vectors' deaths were at the epoch
    peer = AmqpPeer(world)
    for sent, answer in steps:
        same(fed(peer, [sent]), answer)
        world.advance(0.0)  # what expires at once has expired, however many queues it goes through
    assert world.broker.counters.internal_errors == 0


def test_each_difference_has_a_reason() -> None:
    for row in ROWS:
        for step in row["steps"]:
            assert ("ours" in step) == bool(step.get("because"))
            assert step.get("ours") != step["answer"]
