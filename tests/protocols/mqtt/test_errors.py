"""The tables of errors are total, and say what MQTT 3.1.1 can say."""

import pytest

from core.model.errors import BROKER_ERRORS, BrokerError
from protocols.mqtt.errors import OUTCOMES, SUBSCRIPTION_FAILED, outcome_of


def test_every_broker_error_has_an_outcome() -> None:
    assert set(OUTCOMES) == set(BROKER_ERRORS)


@pytest.mark.parametrize("error", BROKER_ERRORS)
def test_outcomes_are_codes_of_the_protocol(error: type[BrokerError]) -> None:
    """MQTT 3.1.1 table 3.1, [MQTT-3.9.3-2]"""
    outcome = outcome_of(error("text"))
    assert outcome.connack in range(1, 6)
    assert outcome.suback == SUBSCRIPTION_FAILED
