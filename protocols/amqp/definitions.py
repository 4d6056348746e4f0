"""The methods of classes exchange and queue on one channel (AMQP 0-9-1 §1.5, §1.6, RabbitMQ's exchange.bind).

Each returns the payload of its answer, or nothing where the client asked for none (`no-wait`).
"""

from typing import Final

from core.client import Client
from core.model.names import REPLY_QUEUE, check_not_reserved
from core.queueing.queue import Queue
from core.routing.exchanges import TYPES
from protocols.amqp import replies
from protocols.amqp.definition_methods import (
    ExchangeBind,
    ExchangeDeclare,
    ExchangeDelete,
    QueueBind,
    QueueDeclare,
    QueueDelete,
    QueuePurge,
    QueueUnbind,
)
from protocols.amqp.errors import COMMAND_INVALID, NOT_FOUND, PeerError
from protocols.amqp.method import Method
from protocols.amqp.methods import EXCHANGE_BIND

NO_ANSWER: Final = b""


class Definitions:
    """What a channel needs to know for these methods: the client, and the queue that an empty name stands for."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._current_queue = ""

    def queue_name(self, name: str) -> str:
        """Return `name`, or the last queue declared on this channel for an empty one (AMQP 0-9-1 §1.6.1)."""
        if name:
            return name
        if not self._current_queue:
            raise PeerError(NOT_FOUND, "no previously declared queue")
        return self._current_queue

    def answer(self, method: Method) -> bytes | None:
        """Do what `method` asks and return the answer's payload; None when the method is of another class."""
        match method:
            case QueueDeclare():
                return self._declare_queue(method)
            case QueueBind():
                self._bind_queue(method)
                return NO_ANSWER if method.nowait else replies.QUEUE_BIND_OK
            case QueueUnbind():
                self._unbind_queue(method)
                return replies.QUEUE_UNBIND_OK
            case QueuePurge():
                count = self._client.purge_queue(self.queue_name(method.queue))
                return NO_ANSWER if method.nowait else replies.queue_purge_ok(count)
            case QueueDelete():
                return self._delete_queue(method)
            case ExchangeDeclare():
                self._declare_exchange(method)
                return NO_ANSWER if method.nowait else replies.EXCHANGE_DECLARE_OK
            case ExchangeDelete():
                self._client.delete_exchange(method.exchange, if_unused=method.if_unused)
                return NO_ANSWER if method.nowait else replies.EXCHANGE_DELETE_OK
            case ExchangeBind():
                return self._bind_exchange(method)
            case _:
                return None

    # Queues

    def _declare_queue(self, method: QueueDeclare) -> bytes:
        client = self._client
        if method.queue.startswith(REPLY_QUEUE):
            return self._declare_replies(method)
        if method.passive:
            queue = client.find_queue(method.queue)
        else:
            check_not_reserved("queue", method.queue)  # as RabbitMQ: also the name of a queue that the broker named
            queue = client.declare_queue(
                method.queue,
                durable=method.durable,
                exclusive=method.exclusive,
                auto_delete=method.auto_delete,
                arguments=method.arguments,
            )
        self._current_queue = queue.name
        return NO_ANSWER if method.nowait else self._described(queue)

    def _declare_replies(self, method: QueueDeclare) -> bytes:
        """Answer whoever looks for a requester: it has one consumer while it is there, and nothing waits for it."""
        if method.queue != REPLY_QUEUE:
            self._client.find_replies(method.queue)
        self._current_queue = method.queue
        return NO_ANSWER if method.nowait else replies.queue_declare_ok(method.queue, 0, 1)

    def _described(self, queue: Queue) -> bytes:
        return replies.queue_declare_ok(queue.name, queue.ready_count, len(queue.consumers))

    def _bind_queue(self, method: QueueBind) -> None:
        key = self._binding_key(method.queue, method.key)
        self._client.bind_queue(self.queue_name(method.queue), method.exchange, key, method.arguments)

    def _unbind_queue(self, method: QueueUnbind) -> None:
        key = self._binding_key(method.queue, method.key)
        self._client.unbind_queue(self.queue_name(method.queue), method.exchange, key, method.arguments)

    def _binding_key(self, queue: str, key: str) -> str:
        # AMQP 0-9-1 queue.bind: with neither queue nor key, the current queue's name is the key.
        return key or (self.queue_name("") if not queue else "")

    def _delete_queue(self, method: QueueDelete) -> bytes:
        name = self.queue_name(method.queue)
        count = self._client.delete_queue(name, if_unused=method.if_unused, if_empty=method.if_empty)
        return NO_ANSWER if method.nowait else replies.queue_delete_ok(count)

    # Exchanges

    def _declare_exchange(self, method: ExchangeDeclare) -> None:
        if method.passive:
            self._client.find_exchange(method.exchange)
            return
        if method.kind not in TYPES:
            raise PeerError(COMMAND_INVALID, f"unknown exchange type '{method.kind}'")
        self._client.declare_exchange(
            method.exchange,
            method.kind,
            durable=method.durable,
            auto_delete=method.auto_delete,
            internal=method.internal,
            arguments=method.arguments,
        )

    def _bind_exchange(self, method: ExchangeBind) -> bytes:
        client = self._client
        if method.number == EXCHANGE_BIND:
            client.bind_exchange(method.destination, method.source, method.key, method.arguments)
            return NO_ANSWER if method.nowait else replies.EXCHANGE_BIND_OK
        client.unbind_exchange(method.destination, method.source, method.key, method.arguments)
        return NO_ANSWER if method.nowait else replies.EXCHANGE_UNBIND_OK
