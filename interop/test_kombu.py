"""kombu over py-amqp: simple queues, producers and consumers with retry policies, a pidbox, a mutex, a mixin."""

import itertools
import socket
from collections.abc import Iterator
from queue import Empty
from typing import Any

import kombu
import kombu.pools
import pytest
from kombu.common import Broadcast, QoS, collect_replies, itermessages, maybe_declare, send_reply
from kombu.exceptions import OperationalError
from kombu.mixins import ConsumerMixin
from kombu.pidbox import Mailbox

from interop.broker import Endpoint, free_ports
from interop.clients.driver import ANSWER_LIMIT_S


def connected(endpoint: Endpoint, **options: Any) -> kombu.Connection:
    return kombu.Connection(
        hostname=endpoint.host,
        port=endpoint.ports["amqp"],
        userid=endpoint.user,
        password=endpoint.password,
        virtual_host="/",
        connect_timeout=ANSWER_LIMIT_S,
        transport_options={"confirm_publish": True},
        **options,
    )


@pytest.fixture
def connection(endpoint: Endpoint) -> Iterator[kombu.Connection]:
    with connected(endpoint) as connection:
        yield connection


def drain(connection: kombu.Connection, arrived: list[Any], count: int) -> None:
    while len(arrived) < count:
        connection.drain_events(timeout=ANSWER_LIMIT_S)


def test_a_simple_queue_is_durable_and_acknowledged(
    endpoint: Endpoint, connection: kombu.Connection, name: str
) -> None:
    with connection.SimpleQueue(name) as queue:
        for number in range(3):
            queue.put({"number": number}, headers={"n": number})
        queue.put([1, 2])
        queue.put("x" * 1000, compression="zlib")
        assert queue.qsize() == 5
        message = queue.get(timeout=ANSWER_LIMIT_S)
        assert (message.payload, message.headers["n"]) == ({"number": 0}, 0)
        message.ack()
        again = queue.get(timeout=ANSWER_LIMIT_S)
        again.requeue()
        rest = [queue.get(timeout=ANSWER_LIMIT_S) for _ in range(4)]
        for message in rest:
            message.ack()
        assert min(str(message.payload) for message in rest) == "[1, 2]"
        assert any(message.payload == "x" * 1000 for message in rest)
        assert any(message.payload == {"number": 1} and message.delivery_info["redelivered"] for message in rest)
        with pytest.raises(Empty):
            queue.get(block=False)
    with connected(endpoint) as other, other.SimpleQueue(name) as queue:
        assert len(queue) == 0
        queue.queue(other.default_channel).delete()


def test_a_simple_buffer_forgets(connection: kombu.Connection, name: str) -> None:
    with connection.SimpleBuffer(name) as buffer:
        for number in range(5):
            buffer.put(number)
        assert [buffer.get(timeout=ANSWER_LIMIT_S).payload for _ in range(2)] == [0, 1]
        assert buffer.queue.durable is False


def test_producer_and_consumer_declare_what_they_use(connection: kombu.Connection, name: str) -> None:
    exchange = kombu.Exchange(name, "topic", durable=True, auto_delete=True)
    queues = [
        kombu.Queue(f"{name}.all", exchange, "#", auto_delete=True, max_priority=5),
        kombu.Queue(f"{name}.red", exchange, "red.*", auto_delete=True, message_ttl=60.0, max_length=10, expires=60.0),
    ]
    arrived: list[tuple[str, Any]] = []

    def take(body: Any, message: kombu.Message) -> None:
        arrived.append((message.delivery_info["consumer_tag"], body))
        message.ack()

    with connection.Consumer(queues, callbacks=[take], prefetch_count=4, accept=["json", "pickle"]):
        producer = connection.Producer(exchange=exchange, serializer="json", on_return=print)
        for key, body in (("red.one", {"a": 1}), ("blue.two", [1])):
            producer.publish(
                body, key, declare=queues, retry=True, retry_policy={"max_retries": 2}, mandatory=True, priority=1
            )
        drain(connection, arrived, 3)
    assert [body for _, body in arrived].count({"a": 1}) == 2
    assert len({tag for tag, _ in arrived}) == 2


def test_what_cannot_be_delivered_is_returned(connection: kombu.Connection, name: str) -> None:
    returned: list[Any] = []
    with connection.channel() as channel:
        producer = kombu.Producer(channel, on_return=lambda *values: returned.append(values))
        producer.publish("back", name, mandatory=True)
        drain(connection, returned, 1)
    assert returned[0][1] == "NO_ROUTE" or "NO_ROUTE" in str(returned[0])


def test_rejected_messages_die_into_another_queue(connection: kombu.Connection, name: str) -> None:
    dead = kombu.Queue(f"{name}.dead", kombu.Exchange(f"{name}.dlx", "fanout", auto_delete=True), exclusive=True)
    queue = kombu.Queue(name, exclusive=True, queue_arguments={"x-dead-letter-exchange": f"{name}.dlx"})
    channel = connection.default_channel
    for each in (dead, queue):
        each(channel).declare()
    connection.Producer().publish({"poison": True}, name)
    queue(channel).get().reject()
    arrived: list[kombu.Message] = []
    with connection.Consumer([dead], on_message=arrived.append, no_ack=True):
        drain(connection, arrived, 1)
    (message,) = arrived
    assert (message.decode(), message.headers["x-death"][0]["reason"]) == ({"poison": True}, "rejected")


def test_a_publish_with_a_retry_policy_survives_a_cut_connection(endpoint: Endpoint, name: str) -> None:
    errors: list[BaseException] = []
    with connected(endpoint) as connection, kombu.pools.producers[connection].acquire(block=True) as producer:
        queue = kombu.Queue(name, durable=True)
        producer.publish("before", name, declare=[queue])
        producer.connection._connection.sock.shutdown(socket.SHUT_RDWR)
        producer.publish(
            "after",
            name,
            declare=[queue],
            retry=True,
            retry_policy={"max_retries": 3, "interval_start": 0, "errback": lambda error, _s: errors.append(error)},
        )
        bound = queue(connection.default_channel)
        assert [bound.get(no_ack=True).payload for _ in range(2)] == ["before", "after"]
        bound.delete()
    kombu.pools.reset()


def test_nobody_there_is_an_operational_error(endpoint: Endpoint) -> None:
    (port,) = free_ports(1)
    nowhere = kombu.Connection(f"amqp://{endpoint.user}:{endpoint.password}@127.0.0.1:{port}//")
    with pytest.raises(OperationalError):
        nowhere.ensure_connection(max_retries=1, interval_start=0)


def test_a_consumer_mixin_comes_back_after_a_cut(endpoint: Endpoint, name: str) -> None:
    class Worker(ConsumerMixin):  # type: ignore[misc, unused-ignore]
        """Cuts its own connection at the first message, which therefore comes again."""

        def __init__(self, connection: kombu.Connection) -> None:
            self.connection = connection
            self.seen: list[tuple[Any, bool]] = []

        def get_consumers(self, make: Any, _channel: Any) -> list[Any]:
            return [make([kombu.Queue(name, durable=True)], callbacks=[self.take])]

        def take(self, body: Any, message: kombu.Message) -> None:
            self.seen.append((body, message.delivery_info["redelivered"]))
            if len(self.seen) == 1:
                message.channel.connection.sock.shutdown(socket.SHUT_RDWR)
                return
            message.ack()
            self.should_stop = True

        def on_connection_error(self, exc: Exception, interval: float) -> None:
            raise AssertionError(exc)

    with connected(endpoint) as connection:
        connection.Producer().publish("again", name, declare=[kombu.Queue(name, durable=True)])
        worker = Worker(connection.clone())
        worker.run()
        assert worker.seen == [("again", False), ("again", True)]
        kombu.Queue(name)(connection.default_channel).delete()


def test_a_pidbox_is_called_and_answers(endpoint: Endpoint, name: str) -> None:
    mailbox = Mailbox(name, type="direct")
    with connected(endpoint) as serving, connected(endpoint) as asking:
        node = mailbox(serving).Node(f"{name}.node", state={"seen": 0})

        def double(state: dict[str, int], number: int) -> int:
            state["seen"] += 1
            return 2 * number

        node.handler(double)
        consumer = node.listen(channel=serving.channel())
        asking_box = mailbox(asking)
        queue = asking_box.reply_queue
        queue(asking.default_channel).declare()
        asking_box._publish(
            "double",
            {"number": 21},
            destination=[f"{name}.node"],
            reply_ticket="ticket",
            timeout=ANSWER_LIMIT_S,
            channel=asking.default_channel,
        )
        serving.drain_events(timeout=ANSWER_LIMIT_S)
        replies = asking_box._collect("ticket", limit=1, timeout=ANSWER_LIMIT_S, channel=asking.default_channel)
        assert replies == [{f"{name}.node": 42}]
        asking_box.cast([f"{name}.node"], "double", {"number": 1})
        serving.drain_events(timeout=ANSWER_LIMIT_S)
        assert node.state["seen"] == 2
        consumer.cancel()


def test_a_pidbox_broadcast_reaches_every_node(endpoint: Endpoint, name: str) -> None:
    mailbox = Mailbox(name, type="fanout")
    with connected(endpoint) as serving, connected(endpoint) as asking:
        seen: list[str] = []

        def note(state: str, what: str) -> None:
            seen.append(f"{state} {what}")

        for word in ("a", "b", "c"):
            node = mailbox(serving).Node(f"{name}.{word}", state=word)
            node.handler(note)
            node.listen(channel=serving.channel())
        mailbox(asking).abcast("note", {"what": "heard"})
        drain(serving, seen, 3)
        assert sorted(seen) == ["a heard", "b heard", "c heard"]


def test_a_queue_with_one_token_is_a_mutex(endpoint: Endpoint, name: str) -> None:
    """Whoever has the token unacknowledged holds the lock; closing the connection gives it back."""
    lock = kombu.Queue(name, durable=True, max_length=1)
    with connected(endpoint) as owner, connected(endpoint) as other:
        lock(owner.default_channel).declare()
        owner.Producer().publish("token", name)
        held = lock(owner.default_channel).get()
        assert held is not None
        assert lock(other.default_channel).get() is None
        owner.release()
        token = next(iter(itermessages(other, other.default_channel, lock, limit=1, timeout=ANSWER_LIMIT_S)))[1]
        assert token.delivery_info["redelivered"]
        token.ack()
        lock(other.default_channel).delete()


def test_an_exclusive_consumer_is_a_mutex(endpoint: Endpoint, name: str) -> None:
    queue = kombu.Queue(name, auto_delete=True)
    with connected(endpoint) as owner, connected(endpoint) as other:
        bound = queue(owner.channel())
        bound.declare()
        bound.consume("first", lambda _message: None)
        with pytest.raises(other.channel_errors) as failure:
            other.default_channel.basic_consume(name, False, lambda _m: None, "second", exclusive=True)
        assert "ACCESS_REFUSED" in str(failure.value)


def test_replies_go_to_the_queue_of_the_request(connection: kombu.Connection, name: str) -> None:
    exchange = kombu.Exchange(f"{name}.requests", "direct", auto_delete=True)
    requests = kombu.Queue(f"{name}.requests", exchange, "ask", auto_delete=True)
    answers = kombu.Queue(f"{name}.answers", kombu.Exchange(""), f"{name}.answers", exclusive=True)
    channel = connection.default_channel
    maybe_declare(answers, channel)

    asked: list[Any] = []

    def answer(body: Any, message: kombu.Message) -> None:
        asked.append(body)
        send_reply(kombu.Exchange(""), message, {"echo": body}, connection.Producer())
        message.ack()

    with connection.Consumer([requests], callbacks=[answer]):
        connection.Producer().publish(
            {"say": "hello"}, "ask", exchange=exchange, reply_to=answers.name, correlation_id="7", declare=[requests]
        )
        drain(connection, asked, 1)
    (reply,) = itertools.islice(
        collect_replies(connection, channel, answers, limit=1, timeout=ANSWER_LIMIT_S, no_ack=True), 1
    )
    assert reply == {"echo": {"say": "hello"}}


def test_a_broadcast_queue_is_one_for_each_consumer(endpoint: Endpoint, name: str) -> None:
    with connected(endpoint) as first, connected(endpoint) as second:
        both: list[tuple[kombu.Connection, list[Any]]] = [(first, []), (second, [])]
        for connection, arrived in both:
            consumer = connection.Consumer([Broadcast(name)])
            consumer.register_callback(lambda body, _message, arrived=arrived: arrived.append(body))
            consumer.consume()
        first.Producer().publish("all", exchange=kombu.Exchange(name, "fanout"))
        for connection, arrived in both:
            drain(connection, arrived, 1)
            assert arrived == ["all"]
        first.default_channel.exchange_delete(name)


def test_a_prefetch_that_grows_and_shrinks(connection: kombu.Connection, name: str) -> None:
    """Celery's way with ETA tasks: the prefetch of a running consumer is raised and lowered by a global `basic.qos`."""
    queue = kombu.Queue(name, exclusive=True)
    arrived: list[kombu.Message] = []
    consumer = connection.Consumer([queue], on_message=arrived.append)
    qos = QoS(lambda prefetch_count: consumer.qos(prefetch_count=prefetch_count, apply_global=True), 2)
    qos.update()
    consumer.consume()
    for number in range(8):
        connection.Producer().publish(number, name)
    drain(connection, arrived, 2)
    assert queue(connection.default_channel).queue_declare(passive=True).message_count == 6
    qos.increment_eventually(3)
    qos.update()
    drain(connection, arrived, 5)
    assert queue(connection.default_channel).queue_declare(passive=True).message_count == 3
    qos.decrement_eventually(4)
    qos.update()
    for message in arrived[:4]:
        message.ack()
    assert queue(connection.default_channel).queue_declare(passive=True).message_count == 3
    arrived[4].ack()
    drain(connection, arrived, 6)
    assert len(arrived) == 6
