"""Questions and answers across protocols: whoever answers needs to know nothing but the message that asked."""

import pytest
from paho.mqtt.subscribeoptions import SubscribeOptions

from interop.broker import Endpoint
from interop.clients import Connect, PikaDriver, Queue, StompestDriver, StompPyDriver, Topic
from interop.clients.driver import ANSWER_LIMIT_S
from interop.clients.paho5_client import Paho5


@pytest.mark.parametrize("reply_to", ["/temp-queue/mine", "/temp-topic/mine", "/queue/{name}.answers"])
def test_an_amqp_client_answers_a_stomp_client(connect: Connect, name: str, reply_to: str) -> None:
    asker, answerer = connect(StompPyDriver), connect(PikaDriver)
    where = reply_to.format(name=name)
    asker.subscribe_destination(where)
    answerer.subscribe(Queue(name))
    asker.send(f"/queue/{name}", b"question", {"reply-to": where, "correlation-id": "c"})
    question = answerer.receive()
    assert question.properties["correlation_id"] == "c"
    answerer.channel.basic_publish("", question.properties["reply_to"], b"answer")
    assert asker.receive().body == b"answer"


def test_a_stomp_client_answers_an_amqp_client_at_its_queue(connect: Connect, name: str) -> None:
    asker, answerer = connect(PikaDriver), connect(StompPyDriver)
    answerer.subscribe(Queue(name))
    queue = asker.channel.queue_declare("", exclusive=True).method.queue
    asker.publish(Queue(name), b"question", properties={"reply_to": queue})
    answerer.send(answerer.receive().headers["reply-to"], b"answer")
    for _, _, body in asker.channel.consume(queue, auto_ack=True, inactivity_timeout=4):
        assert body == b"answer"
        break


def test_a_stomp_client_answers_an_amqp_client_that_has_no_queue(connect: Connect, name: str) -> None:
    """RabbitMQ's direct reply-to."""
    asker, answerer = connect(PikaDriver), connect(StompestDriver)
    answerer.subscribe(Queue(name))
    answers: list[bytes] = []
    asker.channel.basic_consume("amq.rabbitmq.reply-to", lambda *arrived: answers.append(arrived[3]), auto_ack=True)
    asker.publish(Queue(name), b"question", properties={"reply_to": "amq.rabbitmq.reply-to"})
    question = answerer.receive()
    assert question.headers["reply-to"].startswith("/reply-queue/amq.rabbitmq.reply-to.")
    answerer.client.send(question.headers["reply-to"], b"answer")
    asker.connection.process_data_events(time_limit=ANSWER_LIMIT_S)
    assert answers == [b"answer"]


def test_an_mqtt_client_answers_a_stomp_client(connect: Connect, endpoint: Endpoint, name: str) -> None:
    asker, answerer = connect(StompPyDriver), Paho5(endpoint)
    try:
        answerer.subscribe((f"{name}/ask", SubscribeOptions(qos=1)))
        asker.subscribe(Topic(f"{name}.answers"))
        asker.send(f"/topic/{name}.ask", b"question", {"reply-to": f"/topic/{name}.answers", "correlation-id": "c"})
        question = answerer.receive()
        assert question.said["CorrelationData"] == b"c"
        assert question.said["ResponseTopic"] == f"{name}/answers"
        answerer.publish(question.said["ResponseTopic"], b"answer", 1)
        assert asker.receive().body == b"answer"
    finally:
        answerer.close()


@pytest.mark.parametrize("kind", [StompPyDriver, StompestDriver], ids=lambda kind: kind.name)
def test_a_stomp_client_answers_an_mqtt_client(
    connect: Connect, endpoint: Endpoint, name: str, kind: type[StompPyDriver]
) -> None:
    asker, answerer = Paho5(endpoint), connect(kind)
    try:
        answerer.subscribe(Topic(f"{name}.ask"))
        asker.subscribe((f"{name}/answers", SubscribeOptions(qos=1)))
        asker.publish(f"{name}/ask", b"question", 1, ResponseTopic=f"{name}/answers", CorrelationData=b"c")
        question = answerer.receive()
        assert question.headers["reply-to"] == f"/topic/{name}.answers"
        answerer.publish(
            Topic(f"{name}.answers"), b"answer", headers={"correlation-id": question.headers["correlation-id"]}
        )
        answer = asker.receive()
        assert (answer.body, answer.said["CorrelationData"]) == (b"answer", b"c")
    finally:
        asker.close()
