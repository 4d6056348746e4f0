"""MQTT 5.0 as its clients see it: paho-mqtt, gmqtt and aiomqtt, and messages to and from the other protocols."""

import asyncio
from typing import Any

import aiomqtt
import gmqtt
import pytest
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.subscribeoptions import SubscribeOptions

from interop.broker import Endpoint
from interop.clients import AioPikaDriver, Connect, PahoDriver, StompPyDriver, Topic
from interop.clients.driver import ANSWER_LIMIT_S
from interop.clients.paho5_client import Paho5, properties

EVERYTHING: dict[str, Any] = {
    "PayloadFormatIndicator": 1,
    "ContentType": "text/plain",
    "ResponseTopic": "answers/here",
    "CorrelationData": b"\xff\x01",
    "UserProperty": [("a", "1"), ("b", "2"), ("a", "3")],
}


def plain(qos: int = 1) -> SubscribeOptions:
    return SubscribeOptions(qos=qos)


def test_the_terms_of_a_connection(connect: Connect) -> None:
    client = connect(Paho5, SessionExpiryInterval=0xFFFFFFFF)
    assert client.code == 0
    assert client.terms["ReceiveMaximum"] > 100
    assert client.terms["TopicAliasMaximum"] > 0
    assert client.terms["SessionExpiryInterval"] == 7 * 24 * 3_600
    assert client.terms.get("SharedSubscriptionAvailable", 1) == 1


@pytest.mark.parametrize("qos", [0, 1, 2])
def test_properties_arrive(connect: Connect, name: str, qos: int) -> None:
    receiver, sender = connect(Paho5), connect(Paho5)
    assert receiver.subscribe((f"{name}/#", plain(qos))) == [qos]
    assert sender.publish(f"{name}/a", b"x", qos, MessageExpiryInterval=60, **EVERYTHING) == 0
    message = receiver.receive()
    assert (message.body, message.qos) == (b"x", qos)
    assert message.said == {"MessageExpiryInterval": 60, **EVERYTHING}


def test_reason_codes_reach_the_client(connect: Connect, name: str) -> None:
    client = connect(Paho5)
    assert client.publish(f"{name}/nobody", b"x", 1) == 0x10
    assert client.publish("$SYS/mine", b"x", 1) == 0x87
    assert client.subscribe(("$queue/amq.mine", plain()), (name, plain())) == [0x87, 1]
    assert client.unsubscribe(name) == [0]
    assert client.unsubscribe(name) == [0x11]


def test_options_of_a_subscription(connect: Connect, name: str) -> None:
    """No Local, Retain As Published, Retain Handling, identifiers of overlapping subscriptions."""
    sender, receiver = connect(Paho5), connect(Paho5)
    sender.publish(f"{name}/a", b"kept", 1, retain=True)
    receiver.subscribe(
        (f"{name}/a", SubscribeOptions(2, True, True, SubscribeOptions.RETAIN_DO_NOT_SEND)), identifier=1
    )
    receiver.subscribe(
        (f"{name}/+", SubscribeOptions(1, True, False, SubscribeOptions.RETAIN_DO_NOT_SEND)), identifier=2
    )
    receiver.publish(f"{name}/a", b"mine", 1)
    sender.publish(f"{name}/a", b"theirs", 2, retain=True)
    message = receiver.receive()
    assert (message.body, message.qos, message.retain) == (b"theirs", 2, True)
    assert sorted(message.said["SubscriptionIdentifier"]) == [1, 2]


def test_a_session_is_taken_over_and_comes_back(connect: Connect, name: str) -> None:
    first = connect(Paho5, name, SessionExpiryInterval=60)
    first.subscribe((f"{name}/#", plain()))
    second = connect(Paho5, name, clean=False, SessionExpiryInterval=60)
    assert second.present
    assert first.ended.wait(ANSWER_LIMIT_S)
    assert first.end_code == 0x8E
    second.vanish()
    sender = connect(Paho5)
    for number in range(20):
        sender.publish(f"{name}/{number}", b"%d" % number, 1)
    third = connect(Paho5, name, clean=False, SessionExpiryInterval=60, ReceiveMaximum=3, TopicAliasMaximum=5)
    assert third.present
    assert [third.receive().body for _ in range(20)] == [b"%d" % number for number in range(20)]
    third.close(SessionExpiryInterval=0)
    assert not connect(Paho5, name, clean=False).present


def test_a_will_waits_for_its_client(connect: Connect, name: str) -> None:
    watcher = connect(Paho5)
    watcher.subscribe((f"{name}/#", plain()))
    will = (f"{name}/gone", b"gone", properties(PacketTypes.WILLMESSAGE, WillDelayInterval=1, ContentType="x"))
    connect(Paho5, f"{name}-late", will=will, SessionExpiryInterval=60).vanish()
    message = watcher.receive()
    assert (message.body, message.said) == (b"gone", {"ContentType": "x"})


def test_what_is_too_large_for_a_client_is_passed_over(connect: Connect, name: str) -> None:
    receiver, sender = connect(Paho5, MaximumPacketSize=200), connect(Paho5)
    receiver.subscribe((name, plain()))
    sender.publish(name, b"x" * 500, 1)
    sender.publish(name, b"small", 1)
    assert receiver.receive().body == b"small"


def test_an_amqp_consumer_gets_the_properties(connect: Connect, name: str) -> None:
    consumer, sender = connect(AioPikaDriver), connect(Paho5)
    consumer.subscribe(Topic(f"{name}.#"))
    said = {**EVERYTHING, "CorrelationData": b"c-1", "MessageExpiryInterval": 60}
    sender.publish(f"{name}/a", b"x", 1, **said)
    message = consumer.receive()
    assert message.properties["content_type"] == "text/plain"
    assert message.properties["correlation_id"] == "c-1"
    assert message.headers["a"] == "1"
    assert message.headers["x-reply-to-topic"] == "answers.here"
    assert message.headers["payload-format-indicator"] == 1


def test_a_stomp_subscriber_gets_the_properties(connect: Connect, name: str) -> None:
    subscriber, sender = connect(StompPyDriver), connect(Paho5)
    subscriber.subscribe(Topic(f"{name}.#"))
    sender.publish(f"{name}/a", b"x", 1, **{**EVERYTHING, "CorrelationData": b"c-1"})
    said = {**subscriber_headers(subscriber.receive())}
    assert said["content-type"] == "text/plain"
    assert said["correlation-id"] == "c-1"
    assert said["reply-to"] == "/topic/answers.here"
    assert (said["a"], said["b"]) == ("1", "2")


def subscriber_headers(message: Any) -> dict[str, Any]:
    return {**message.headers, **message.properties}


def test_an_mqtt_client_gets_the_properties_of_others(connect: Connect, name: str) -> None:
    receiver, publisher = connect(Paho5), connect(AioPikaDriver)
    receiver.subscribe((f"{name}/#", plain()))
    publisher.publish(
        Topic(f"{name}.a"),
        b"x",
        headers={"n": 7, "t": "text"},
        properties={"content_type": "text/plain", "correlation_id": "c-1", "priority": 4},
        durable=True,
    )
    said = receiver.receive().said
    assert said["ContentType"] == "text/plain"
    assert said["CorrelationData"] == b"c-1"
    pairs = [pair for pair in said["UserProperty"] if pair[0] != "message-id"]  # which aio-pika makes up
    assert sorted(pairs) == [("n", "7"), ("priority", "4"), ("t", "text")]


def test_both_versions_meet(connect: Connect, name: str) -> None:
    old, new = connect(PahoDriver), connect(Paho5)
    old.subscribe_filter(f"{name}/#", qos=1)
    new.subscribe((f"{name}/#", plain()))
    old.publish_topic(f"{name}/a", b"from old", qos=1)
    assert (old.receive().body, new.receive().body) == (b"from old", b"from old")
    new.publish(f"{name}/a", b"from new", 1, **EVERYTHING)
    assert (old.receive().body, new.receive().said) == (b"from new", EVERYTHING)


def test_gmqtt(endpoint: Endpoint, name: str) -> None:
    """QoS 1 both ways, with aliases, user properties and a session that comes back."""

    async def run() -> None:
        arrived: asyncio.Queue[tuple[str, bytes, dict[str, Any]]] = asyncio.Queue()
        subscribed = asyncio.Event()

        async def on_message(client: Any, topic: str, body: bytes, qos: int, said: dict[str, Any]) -> int:
            del client, qos
            await arrived.put((topic, bytes(body), said))
            return 0

        client = gmqtt.Client(name, clean_session=True, session_expiry_interval=60, topic_alias_maximum=5)
        client.on_message = on_message
        client.on_subscribe = lambda *_: subscribed.set()
        if endpoint.named:
            client.set_auth_credentials(endpoint.user, endpoint.password)
        await client.connect(endpoint.host, endpoint.ports["mqtt"], version=gmqtt.constants.MQTTv50)
        client.subscribe(f"{name}/#", qos=1, subscription_identifier=9)
        await asyncio.wait_for(subscribed.wait(), ANSWER_LIMIT_S)
        for number in range(5):
            client.publish(f"{name}/t", b"%d" % number, qos=1, user_property=[("n", str(number))], content_type="x")
        for number in range(5):
            topic, body, said = await asyncio.wait_for(arrived.get(), ANSWER_LIMIT_S)
            assert (topic, body) == (f"{name}/t", b"%d" % number)
            assert said["user_property"] == [("n", str(number))]
            assert said["subscription_identifier"] == [9]
        await client.disconnect()

    asyncio.run(run())


def test_aiomqtt(endpoint: Endpoint, name: str) -> None:
    async def run() -> None:
        login: Any = {"username": endpoint.user, "password": endpoint.password} if endpoint.named else {}
        said = properties(PacketTypes.PUBLISH, UserProperty=[("a", "b")], ResponseTopic=f"{name}/answers")
        port = endpoint.ports["mqtt"]
        async with aiomqtt.Client(endpoint.host, port, protocol=aiomqtt.ProtocolVersion.V5, **login) as client:
            await client.subscribe(f"{name}/#", qos=2)
            for number in range(10):
                await client.publish(f"{name}/t", b"%d" % number, qos=2, properties=said)
            messages = client.messages
            for number in range(10):
                message = await asyncio.wait_for(anext(messages), ANSWER_LIMIT_S)
                assert (message.payload, message.qos) == (b"%d" % number, 2)
                got: Any = message.properties
                assert (got.UserProperty, got.ResponseTopic) == ([("a", "b")], f"{name}/answers")

    asyncio.run(run())
