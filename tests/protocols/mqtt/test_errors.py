"""The tables of errors are total, and say what each version can say."""

import pytest

from core.counters import Counters
from core.model.errors import BROKER_ERRORS, BrokerError
from protocols.mqtt.dialect import Dialect
from protocols.mqtt.errors import FAILURE, OUTCOMES, outcome_of

SUBACK_CODES = {0x80, 0x83, 0x87, 0x8F, 0x91, 0x97, 0x9E, 0xA1, 0xA2}  # MQTT 5.0 table 3-8, failures
CONNACK_CODES = {0x80, 0x83, 0x85, 0x86, 0x87, 0x88, 0x89, 0x97}  # MQTT 5.0 table 3-1, those that suit a BrokerError


def test_every_broker_error_has_an_outcome() -> None:
    assert set(OUTCOMES) == set(BROKER_ERRORS)


@pytest.mark.parametrize("error", BROKER_ERRORS)
def test_outcomes_are_codes_of_the_protocol(error: type[BrokerError]) -> None:
    outcome = outcome_of(error("text"))
    assert outcome.connack in CONNACK_CODES
    assert outcome.reason in SUBACK_CODES


@pytest.mark.parametrize("error", BROKER_ERRORS)
def test_outcomes_have_a_word_in_mqtt_3_1_1(error: type[BrokerError]) -> None:
    """MQTT 3.1.1 table 3.1, [MQTT-3.9.3-2]"""
    outcome, dialect = outcome_of(error("text")), Dialect(4, Counters())
    assert dialect.refuse(outcome.connack, "text")[3] in range(1, 6)
    assert dialect.suback(1, [outcome.reason], "text")[-1] == FAILURE
