"""Who may do what, as the client is told: 403 and 405."""

from typing import Any, Final

import pytest
from pamqp import commands

from core.access import EVERYTHING, NOTHING, Permission, User
from tests.protocols.amqp.peer import AmqpPeer, closed
from tests.protocols.world import World

Queue, Exchange, Basic = commands.Queue, commands.Exchange, commands.Basic


def test_a_locked_queue_is_locked_for_every_use() -> None:
    world = World()
    AmqpPeer(world).queue("mine", exclusive=True)
    for sent in (
        Queue.Declare(queue="mine", passive=True),
        Queue.Declare(queue="mine", exclusive=True),
        Queue.Bind(queue="mine", exchange="amq.topic"),
        Queue.Purge(queue="mine"),
        Queue.Delete(queue="mine"),
        Basic.Consume(queue="mine"),
        Basic.Get(queue="mine"),
    ):
        kind, code, *_ = closed(AmqpPeer(world), sent)
        assert (kind, code) == (commands.Channel.Close, 405)


FORBIDDEN: Final[tuple[tuple[Any, str], ...]] = (
    (Queue.Declare(queue="n"), "queue 'n'"),
    (Queue.Declare(queue="q", passive=True), "queue 'q'"),
    (Queue.Delete(queue="q"), "queue 'q'"),
    (Queue.Purge(queue="q"), "queue 'q'"),
    (Queue.Bind(queue="q", exchange="amq.topic"), "queue 'q'"),
    (Queue.Unbind(queue="q", exchange="amq.topic"), "queue 'q'"),
    (Exchange.Declare(exchange="e"), "exchange 'e'"),
    (Exchange.Declare(exchange="amq.topic", passive=True), "exchange 'amq.topic'"),
    (Exchange.Bind(destination="amq.topic", source="amq.direct"), "exchange 'amq.topic'"),
    (Basic.Consume(queue="q"), "queue 'q'"),
    (Basic.Get(queue="q"), "queue 'q'"),
    (Basic.Publish(exchange="amq.topic"), "exchange 'amq.topic'"),
    (Basic.Publish(routing_key="q"), "exchange 'amq.default'"),
)


@pytest.mark.parametrize(("sent", "what"), FORBIDDEN, ids=[f"{row[0].name}-{row[1]}" for row in FORBIDDEN])
def test_who_may_do_nothing_is_refused_everything(sent: Any, what: str) -> None:
    world = World()
    AmqpPeer(world).queue("q")
    visitor = User("guest")
    visitor.permissions["/"] = Permission(NOTHING, NOTHING, NOTHING)
    world.broker.users["guest"] = visitor
    kind, code, text, *_ = closed(AmqpPeer(world), sent)
    assert (kind, code) == (commands.Channel.Close, 403)
    assert text == f"ACCESS_REFUSED - access to {what} in vhost '/' refused for user 'guest'"


def test_a_topic_that_may_not_be_written_is_refused() -> None:
    world = World()
    world.broker.users["guest"].permissions["/"] = Permission(EVERYTHING, EVERYTHING, EVERYTHING, NOTHING, EVERYTHING)
    kind, code, text, *_ = closed(AmqpPeer(world), Basic.Publish(exchange="amq.topic", routing_key="a.b"))
    assert (kind, code) == (commands.Channel.Close, 403)
    assert "topic 'a.b' in exchange 'amq.topic'" in text
