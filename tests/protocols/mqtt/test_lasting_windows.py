"""A session of which most of what waits is on disk only: nobody can tell by what the client gets."""

import pytest

from core.model.names import DEFAULT_VHOST
from tests.protocols.mqtt.lasting_world import LastingWorld
from tests.protocols.mqtt.peer import Client
from tests.protocols.mqtt.peer5 import Client5

END_S = 100
AS_PUBLISHED = 8  # option of a subscription: retain as published


@pytest.fixture(params=[False, True], ids=["", "small windows"])
def world(request: pytest.FixtureRequest) -> LastingWorld:
    return LastingWorld(small_windows=request.param)


def test_what_waits_on_disk_comes_in_order_with_what_the_subscription_asked_for(world: LastingWorld) -> None:
    sender = Client(world, "sender")
    client = Client5(world, "c", clean=False, session_expiry=END_S)
    client.subscribe(("a", 1 | AS_PUBLISHED), subscription_identifier=7)
    client.hang_up()
    for number in range(1, 51):
        sender.publish("a", b"%d" % number, 1, number, retain=number == 50)
    queue = world.broker.vhosts[DEFAULT_VHOST].sessions["c"].own_queue()
    assert queue is not None
    assert queue.ready_count == 50
    assert (len(queue.backlog.present()) < 5) == world.small_windows
    bodies = [b"%d" % number for number in range(1, 51)]
    got = Client5(world, "c", clean=False, session_expiry=END_S).greeted
    assert [said.body for said in got] == bodies
    assert [said.retain for said in got] == [False] * 49 + [True]
    assert not any(said.dup for said in got)
    assert all(said.said["subscription_identifier"] == [7] for said in got)
    world.die()
    assert [said.body for said in Client5(world, "c", clean=False, session_expiry=END_S).greeted] == bodies
