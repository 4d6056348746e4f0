"""Mistakes that close a channel: code, words, class and method id are RabbitMQ's (AMQP 0-9-1 §1.2)."""

from typing import Any, Final

import pytest
from pamqp import commands

from protocols.amqp.errors import SOFT
from tests.protocols.amqp.peer import AmqpPeer, a_peer_with_a_message, closed, content_header, message_frames, method

Queue, Exchange, Basic = commands.Queue, commands.Exchange, commands.Basic
PUBLISH: Final = method(Basic.Publish(routing_key="q"))


@pytest.fixture
def peer() -> AmqpPeer:
    """A client with the queue `q`, which is its channel's current one, and a message in it."""
    return a_peer_with_a_message()


# What is sent, and code, text, class and method of the channel.close.
SOFT_MISTAKES: Final[dict[str, tuple[list[Any], int, str, int, int]]] = {
    "a queue that is not there": (
        [Queue.Declare(queue="never", passive=True)], 404, "NOT_FOUND - no queue 'never' in vhost '/'", 50, 10,
    ),
    "an exchange that is not there": (
        [Exchange.Declare(exchange="never", passive=True)], 404, "NOT_FOUND - no exchange 'never' in vhost '/'", 40, 10,
    ),
    "publish to an exchange that is not there": (
        [message_frames("never", "k", b"x")], 404, "NOT_FOUND - no exchange 'never' in vhost '/'", 60, 40,
    ),
    "consume from a queue that is not there": (
        [Basic.Consume(queue="never")], 404, "NOT_FOUND - no queue 'never' in vhost '/'", 60, 20,
    ),
    "an empty name of a passive declare": (
        [Queue.Declare(queue="", passive=True)], 404, "NOT_FOUND - no queue '' in vhost '/'", 50, 10,
    ),
    "a reserved queue name": (
        [Queue.Declare(queue="amq.mine")], 403,
        "ACCESS_REFUSED - queue name 'amq.mine' contains reserved prefix 'amq.*'", 50, 10,
    ),
    "a reserved exchange name": (
        [Exchange.Declare(exchange="amq.mine")], 403,
        "ACCESS_REFUSED - exchange name 'amq.mine' contains reserved prefix 'amq.*'", 40, 10,
    ),
    "bind to the default exchange": (
        [Queue.Bind(queue="q", exchange="", routing_key="k")], 403,
        "ACCESS_REFUSED - operation not permitted on the default exchange", 50, 20,
    ),
    "delete a predeclared exchange": (
        [Exchange.Delete(exchange="amq.topic")], 403,
        "ACCESS_REFUSED - deletion of system exchange 'amq.topic' in vhost '/' not allowed", 40, 20,
    ),
    "publish to an internal exchange": (
        [message_frames("amq.rabbitmq.trace", "k", b"x")], 403,
        "ACCESS_REFUSED - cannot publish to internal exchange 'amq.rabbitmq.trace' in vhost '/'", 60, 40,
    ),
    "consume beside an exclusive consumer": (
        [Basic.Consume(queue="q", exclusive=True), Basic.Consume(queue="q")], 403,
        "ACCESS_REFUSED - queue 'q' in vhost '/' in exclusive use", 60, 20,
    ),
    "declare a queue as exclusive that is not": (
        [Queue.Declare(queue="q", exclusive=True)], 405,
        ("RESOURCE_LOCKED - cannot obtain exclusive access to locked queue 'q' in vhost '/'. It could be originally "
        "declared on another connection or the exclusive property value does not match that of the original declaration."),
        50, 10,
    ),
    "declare a queue with another property": (
        [Queue.Declare(queue="q", durable=True, arguments={"x-max-length": 5})], 406,
        ("PRECONDITION_FAILED - inequivalent arg 'durable' for queue 'q' in vhost '/': "
        "received 'true' but current is 'false'"), 50, 10,
    ),
    "declare a queue with another argument": (
        [Queue.Declare(queue="q", arguments={"x-max-length": 6})], 406,
        ("PRECONDITION_FAILED - inequivalent arg 'x-max-length' for queue 'q' in vhost '/': "
        "received '6' but current is '5'"), 50, 10,
    ),
    "an unknown delivery mode": (
        [PUBLISH, content_header(1, delivery_mode=2).replace(b"\x10\x00\x02", b"\x10\x00\x03")], 406,
        "PRECONDITION_FAILED - invalid message: {delivery_mode_unknown,3}", 60, 40,
    ),
    "an unknown queue mode": (
        [Queue.Declare(queue="n", arguments={"x-queue-mode": "odd"})], 406,
        "PRECONDITION_FAILED - invalid arg 'x-queue-mode' for queue 'n' in vhost '/': \"unsupported queue mode 'odd'\"",
        50, 10,
    ),
    "an unknown queue version": (
        [Queue.Declare(queue="n", arguments={"x-queue-version": 3})], 406,
        ("PRECONDITION_FAILED - invalid arg 'x-queue-version' for queue 'n' in vhost '/': "
        "\"unsupported queue version '3'\""), 50, 10,
    ),
    "a negative length": (
        [Queue.Declare(queue="n", arguments={"x-max-length": -1})], 406,
        "PRECONDITION_FAILED - invalid arg 'x-max-length' for queue 'n' in vhost '/': {value_negative,-1}", 50, 10,
    ),
    "a length that is no number": (
        [Queue.Declare(queue="n", arguments={"x-max-length-bytes": "a"})], 406,
        ("PRECONDITION_FAILED - invalid arg 'x-max-length-bytes' for queue 'n' in vhost '/': "
        '"expected integer, got longstr"'), 50, 10,
    ),
    "a length that is a boolean": (
        [Queue.Declare(queue="n", arguments={"x-max-length": True})], 406,
        "PRECONDITION_FAILED - invalid arg 'x-max-length' for queue 'n' in vhost '/': \"expected integer, got bool\"",
        50, 10,
    ),
    "an expiry of nothing": (
        [Queue.Declare(queue="n", arguments={"x-expires": 0})], 406,
        "PRECONDITION_FAILED - invalid arg 'x-expires' for queue 'n' in vhost '/': {value_zero,0}", 50, 10,
    ),
    "too many priorities": (
        [Queue.Declare(queue="n", arguments={"x-max-priority": 256})], 406,
        "PRECONDITION_FAILED - invalid arg 'x-max-priority' for queue 'n' in vhost '/': {max_value_exceeded,256}", 50, 10,
    ),
    "an overflow that nobody knows": (
        [Queue.Declare(queue="n", arguments={"x-overflow": "no"})], 406,
        "PRECONDITION_FAILED - invalid arg 'x-overflow' for queue 'n' in vhost '/': invalid_overflow", 50, 10,
    ),
    "an overflow that is no text": (
        [Queue.Declare(queue="n", arguments={"x-overflow": 5})], 406,
        "PRECONDITION_FAILED - invalid arg 'x-overflow' for queue 'n' in vhost '/': {unacceptable_type,byte}", 50, 10,
    ),
    "a queue type that nobody knows": (
        [Queue.Declare(queue="n", arguments={"x-queue-type": "new"})], 406,
        "PRECONDITION_FAILED - invalid arg 'x-queue-type' for queue 'n' in vhost '/': \"unsupported queue type 'new'\"",
        50, 10,
    ),
    "an argument of another queue type": (
        [Queue.Declare(queue="n", arguments={"x-delivery-limit": 5})], 406,
        "PRECONDITION_FAILED - invalid arg 'x-delivery-limit' for queue 'n' in vhost '/' of queue type classic", 50, 10,
    ),
    "a priority of a consumer that is no number": (
        [Basic.Consume(queue="q", arguments={"x-priority": "a"})], 406,
        "PRECONDITION_FAILED - invalid arg 'x-priority' for queue 'q' in vhost '/': \"expected integer, got longstr\"",
        60, 20,
    ),
    "a selector that is no text": (
        [Basic.Consume(queue="q", arguments={"x-selector": 5})], 406,
        "PRECONDITION_FAILED - invalid arg 'x-selector' for queue 'q' in vhost '/': {unacceptable_type,byte}", 60, 20,
    ),
    "a selector that is none": (
        [Basic.Consume(queue="q", arguments={"x-selector": "price >"})], 406,
        "PRECONDITION_FAILED - invalid selector, column 8: it ends too early (arg 'x-selector' for queue 'q' in vhost '/')",
        60, 20,
    ),
    "an alternate exchange that is no name": (
        [Exchange.Declare(exchange="e", arguments={"alternate-exchange": 5})], 406,
        "PRECONDITION_FAILED - invalid type 'byte' for arg 'alternate-exchange' in exchange 'e' in vhost '/'", 40, 10,
    ),
    "acknowledge an unknown tag": ([Basic.Ack(1)], 406, "PRECONDITION_FAILED - unknown delivery tag 1", 60, 80),
    "acknowledge tag 0": ([Basic.Ack(0)], 406, "PRECONDITION_FAILED - unknown delivery tag 0", 60, 80),
    "acknowledge all up to an unknown tag": (
        [Basic.Ack(5, True)], 406, "PRECONDITION_FAILED - unknown delivery tag 5", 60, 80,
    ),
    "nack an unknown tag": ([Basic.Nack(1)], 406, "PRECONDITION_FAILED - unknown delivery tag 1", 60, 120),
    "reject an unknown tag": ([Basic.Reject(1)], 406, "PRECONDITION_FAILED - unknown delivery tag 1", 60, 90),
    "delete a queue that is not empty": (
        [Queue.Delete(queue="q", if_empty=True)], 406, "PRECONDITION_FAILED - queue 'q' in vhost '/' not empty", 50, 40,
    ),
    "delete a queue that is used": (
        [Basic.Consume(queue="q", nowait=True), Queue.Delete(queue="q", if_unused=True)], 406,
        "PRECONDITION_FAILED - queue 'q' in vhost '/' in use", 50, 40,
    ),
    "a binding argument that means nothing": (
        [Queue.Bind(queue="q", exchange="amq.headers", arguments={"x-match": "some"})], 406,
        "PRECONDITION_FAILED - Invalid x-match field value <<\"some\">>; expected all, any, all-with-x, or any-with-x",
        50, 20,
    ),
    "a user id that is not one's own": (
        [message_frames("", "q", b"x", user_id="bob")], 406,
        "PRECONDITION_FAILED - user_id property set to 'bob' but authenticated user was 'guest'", 60, 40,
    ),
    "an expiration that is no number": (
        [message_frames("", "q", b"x", expiration="soon")], 406,
        "PRECONDITION_FAILED - invalid expiration 'soon': no_integer", 60, 40,
    ),
    "a body that is too large": (
        [PUBLISH, content_header(1 << 40)], 406,
        f"PRECONDITION_FAILED - message size {1 << 40} is larger than configured max size {128 << 20}", 60, 40,
    ),
    "transactions after confirms": (
        [commands.Confirm.Select(), commands.Tx.Select()], 406,
        "PRECONDITION_FAILED - cannot switch from confirm to tx mode", 90, 10,
    ),
    "confirms after transactions": (
        [commands.Tx.Select(), commands.Confirm.Select()], 406,
        "PRECONDITION_FAILED - cannot switch from tx to confirm mode", 85, 10,
    ),
    "commit without a transaction": (
        [commands.Tx.Commit()], 406, "PRECONDITION_FAILED - channel is not transactional", 90, 20,
    ),
    "roll back without a transaction": (
        [commands.Tx.Rollback()], 406, "PRECONDITION_FAILED - channel is not transactional", 90, 30,
    ),
    "get from a queue that is not there": (
        [Basic.Get(queue="never")], 404, "NOT_FOUND - no queue 'never' in vhost '/'", 60, 70,
    ),
    "purge a queue that is not there": (
        [Queue.Purge(queue="never")], 404, "NOT_FOUND - no queue 'never' in vhost '/'", 50, 30,
    ),
    "bind a queue that is not there": (
        [Queue.Bind(queue="never", exchange="amq.direct")], 404, "NOT_FOUND - no queue 'never' in vhost '/'", 50, 20,
    ),
    "bind to an exchange that is not there": (
        [Queue.Bind(queue="q", exchange="never")], 404, "NOT_FOUND - no exchange 'never' in vhost '/'", 50, 20,
    ),
    "bind an exchange that is not there": (
        [Exchange.Bind(destination="never", source="amq.direct")], 404, "NOT_FOUND - no exchange 'never' in vhost '/'", 40, 30,
    ),
    "bind to a source that is not there": (
        [Exchange.Bind(destination="amq.direct", source="never")], 404, "NOT_FOUND - no exchange 'never' in vhost '/'", 40, 30,
    ),
    "declare the default exchange": (
        [Exchange.Declare(exchange="")], 403, "ACCESS_REFUSED - operation not permitted on the default exchange", 40, 10,
    ),
    "look for the default exchange": (
        [Exchange.Declare(exchange="", passive=True)], 403,
        "ACCESS_REFUSED - operation not permitted on the default exchange", 40, 10,
    ),
    "delete the default exchange": (
        [Exchange.Delete(exchange="")], 403, "ACCESS_REFUSED - operation not permitted on the default exchange", 40, 20,
    ),
    "bind an exchange to the default exchange": (
        [Exchange.Bind(destination="amq.direct", source="")], 403,
        "ACCESS_REFUSED - operation not permitted on the default exchange", 40, 30,
    ),
    "unbind the default exchange": (
        [Exchange.Unbind(destination="", source="amq.direct")], 403,
        "ACCESS_REFUSED - operation not permitted on the default exchange", 40, 40,
    ),
    "unbind from the default exchange": (
        [Queue.Unbind(queue="q", exchange="", routing_key="q")], 403,
        "ACCESS_REFUSED - operation not permitted on the default exchange", 50, 50,
    ),
    "consume alone beside another consumer": (
        [Basic.Consume(queue="q", no_ack=True, nowait=True), Basic.Consume(queue="q", exclusive=True)], 403,
        "ACCESS_REFUSED - queue 'q' in vhost '/' in exclusive use", 60, 20,
    ),
    "consume alone from a queue with a single active consumer": (
        [
            Queue.Declare(queue="single", nowait=True, arguments={"x-single-active-consumer": True}),
            Basic.Consume(queue="single", exclusive=True),
        ],
        403, "ACCESS_REFUSED - queue 'single' in vhost '/' in exclusive use", 60, 20,
    ),
    "an exchange of another type, and no answer wanted": (
        [Exchange.Declare(exchange="amq.direct", exchange_type="fanout", durable=True, nowait=True)], 406,
        ("PRECONDITION_FAILED - inequivalent arg 'type' for exchange 'amq.direct' in vhost '/': received 'fanout' but "
        "current is 'direct'"), 40, 10,
    ),
    "delete a predeclared exchange, and no answer wanted": (
        [Exchange.Delete(exchange="amq.direct", nowait=True)], 403,
        "ACCESS_REFUSED - deletion of system exchange 'amq.direct' in vhost '/' not allowed", 40, 20,
    ),
    "bind an exchange that is not there, and no answer wanted": (
        [Exchange.Bind(destination="never", source="amq.direct", nowait=True)], 404, "NOT_FOUND - no exchange 'never' in vhost '/'", 40, 30,
    ),
    "unbind the default exchange, and no answer wanted": (
        [Exchange.Unbind(destination="", source="amq.direct", nowait=True)], 403,
        "ACCESS_REFUSED - operation not permitted on the default exchange", 40, 40,
    ),
    "bind a queue that is not there, and no answer wanted": (
        [Queue.Bind(queue="never", exchange="amq.direct", nowait=True)], 404,
        "NOT_FOUND - no queue 'never' in vhost '/'", 50, 20,
    ),
    "consume from a queue that is not there, and no answer wanted": (
        [Basic.Consume(queue="never", nowait=True)], 404, "NOT_FOUND - no queue 'never' in vhost '/'", 60, 20,
    ),
    "a failover flag that is none": (
        [Basic.Consume(queue="q", arguments={"x-cancel-on-ha-failover": "yes"})], 406,
        ("PRECONDITION_FAILED - invalid arg 'x-cancel-on-ha-failover' for queue 'q' in vhost '/': "
        "{unacceptable_type,longstr}"), 60, 20,
    ),
    "delete an exchange that is used": (
        [
            Exchange.Declare(exchange="e", nowait=True),
            Queue.Bind(queue="q", exchange="e", nowait=True),
            Exchange.Delete(exchange="e", if_unused=True),
        ],
        406, "PRECONDITION_FAILED - exchange 'e' in vhost '/' in use", 40, 20,
    ),
    "reject tag 0": ([Basic.Reject(0)], 406, "PRECONDITION_FAILED - unknown delivery tag 0", 60, 90),
    "nack tag 0": ([Basic.Nack(0)], 406, "PRECONDITION_FAILED - unknown delivery tag 0", 60, 120),
    "nack all up to an unknown tag": (
        [Basic.Nack(delivery_tag=5, multiple=True)], 406, "PRECONDITION_FAILED - unknown delivery tag 5", 60, 120,
    ),
    "a tag that is acknowledged already": (
        [Basic.Get(queue="q"), Basic.Ack(1), Basic.Publish(routing_key="q"), content_header(0), Basic.Ack(1)], 406,
        "PRECONDITION_FAILED - unknown delivery tag 1", 60, 80,
    ),
    "an expiration of more than ten years": (
        [message_frames("", "q", b"x", expiration="315360000001")], 406,
        "PRECONDITION_FAILED - invalid expiration '315360000001': {value_too_large,315360000001}", 60, 40,
    ),
    "a commit that a queue has no room for": (
        [
            Queue.Declare(queue="full", nowait=True, arguments={"x-max-length": 0, "x-overflow": "reject-publish"}),
            commands.Tx.Select(), message_frames("", "full", b"x"), commands.Tx.Commit(),
        ],
        406, "PRECONDITION_FAILED - partial tx completion", 90, 20,
    ),
}  # fmt: skip


@pytest.mark.parametrize("mistake", SOFT_MISTAKES.values(), ids=[key.replace(" ", "-") for key in SOFT_MISTAKES])
def test_a_mistake_closes_the_channel(peer: AmqpPeer, mistake: tuple[list[Any], int, str, int, int]) -> None:
    sent, code, text, class_id, method_id = mistake
    assert closed(peer, *sent) == (
        commands.Channel.Close,
        code,
        text[:252] + "..." * (len(text) > 255),
        class_id,
        method_id,
    )
    assert code in SOFT
    # Whatever is still on its way to the channel is ignored; then the channel can be opened again.
    assert peer.send(Basic.Ack(9), message_frames("", "q", b"ignored"), Queue.Delete(queue="q")) == []
    assert peer.send(commands.Channel.CloseOk()) == []
    peer.call(commands.Channel.Open(), commands.Channel.OpenOk)
    assert peer.counts("q")[0] == 1
    assert not peer.wire.closed
