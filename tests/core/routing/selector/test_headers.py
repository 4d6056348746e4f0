"""Where the headers of JMS come from."""

import pytest

from core.model.properties import Headers, Properties
from tests.core.routing.selector.selected import a_message, matches


def said(headers: Headers | None = None) -> Properties:
    properties = Properties(headers)
    properties.priority = 7
    properties.type = "order"
    properties.message_id = "ID:1"
    properties.correlation_id = "corr"
    properties.timestamp_s = 1_000
    properties.expiration_ms = 250
    properties.user_id = "guest"
    properties.reply_to = "answers/1"
    return properties


@pytest.mark.parametrize(
    "text",
    [
        "JMSPriority = 7",
        "JMSType = 'order'",
        "JMSMessageID = 'ID:1'",
        "JMSCorrelationID = 'corr'",
        "JMSTimestamp = 1000000",
        "JMSExpiration = 1000250",
        "JMSXUserID = 'guest'",
        "JMSReplyTo = '/queue/answers%2F1'",
        "JMSDestination = '/exchange/ex/key.of.it'",
        "JMSDeliveryMode = 'PERSISTENT'",
    ],
)
def test_a_header_is_what_the_properties_say(text: str) -> None:
    assert matches(text, a_message(said(), qos=1))


@pytest.mark.parametrize("qos", [0, 1, 2])
def test_messages_are_persistent_from_qos_1(qos: int) -> None:
    mode = "PERSISTENT" if qos else "NON_PERSISTENT"
    assert matches(f"JMSDeliveryMode = '{mode}'", a_message(qos=qos))


@pytest.mark.parametrize(
    "name", ["JMSType", "JMSMessageID", "JMSCorrelationID", "JMSTimestamp", "JMSXUserID", "JMSReplyTo"]
)
def test_what_was_not_said_is_null(name: str) -> None:
    assert matches(f"{name} IS NULL")


def test_what_was_not_said_has_the_default_of_jms() -> None:
    """JMS 2.0 §3.4.9, §3.4.10"""
    assert matches("JMSPriority = 4")
    assert matches("JMSExpiration = 0")


def test_the_expiry_of_a_message_without_its_time_is_unknown() -> None:
    properties = said()
    properties.timestamp_s = None
    assert matches("JMSExpiration IS NULL", a_message(properties))


def test_a_correlation_id_of_octets_is_text_if_it_can_be() -> None:
    properties = said()
    properties.correlation_id = b"corr"
    assert matches("JMSCorrelationID = 'corr'", a_message(properties))
    properties = said()
    properties.correlation_id = b"\xff"
    assert matches("JMSCorrelationID IS NULL", a_message(properties))


def test_a_reply_to_a_topic_is_a_topic() -> None:
    properties = Properties()
    properties.reply_to_topic = "answers.1"
    assert matches("JMSReplyTo = '/topic/answers.1'", a_message(properties))


def test_a_header_of_that_name_counts_where_the_property_was_not_said() -> None:
    """Clients of JMS over AMQP 0-9-1 send such headers."""
    headers: Headers = {"JMSType": "other", "JMSPriority": 2}
    assert matches("JMSType = 'other' AND JMSPriority = 2", a_message(Properties(headers)))
    assert matches("JMSType = 'order' AND JMSPriority = 7", a_message(said(headers)))
