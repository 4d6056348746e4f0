"""What holds where the client, a policy and an operator have a say, beside the rule written out for one key at a time."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.model.properties import Headers
from core.policies.effective import settings_of, together

LIMITS = ("message-ttl", "expires", "max-length", "max-length-bytes", "delivery-limit")
OTHERS = ("overflow", "dead-letter-exchange", "dead-letter-routing-key")

limits = st.dictionaries(st.sampled_from(LIMITS), st.integers(1, 5))
definitions = st.builds(
    lambda some, others: {**some, **others},
    limits,
    st.dictionaries(st.sampled_from((*OTHERS, "alternate-exchange", "queue-mode")), st.sampled_from("abc")),
)
arguments = st.builds(
    lambda said, quorum: {
        **{f"x-{key}": value for key, value in said.items()},
        **({"x-queue-type": "quorum"} if quorum else {}),
    },
    definitions,
    st.booleans(),
)


def expected(key: str, said: Headers, policy: Headers, operator: Headers) -> Any:
    """Return what must hold for one key, or None."""
    own, ruled, bounded = said.get(f"x-{key}"), policy.get(key), operator.get(key)
    if key == "delivery-limit" and "x-queue-type" not in said:
        return own
    if key in LIMITS:
        return min((value for value in (own, ruled, bounded) if value is not None), default=None)
    return own if own is not None else ruled


@given(arguments, definitions, limits)
def test_of_limits_the_smallest_holds_and_of_the_rest_what_the_client_asked_for(
    said: Headers, policy: Headers, operator: Headers
) -> None:
    before = dict(said), dict(policy), dict(operator)
    settings = settings_of(said, together(policy, operator))
    assert {key: settings.get(f"x-{key}") for key in (*LIMITS, *OTHERS)} == {
        key: expected(key, said, policy, operator) for key in (*LIMITS, *OTHERS)
    }
    assert (said, policy, operator) == before, "nothing of what it is made of has changed"


@given(arguments)
def test_without_a_definition_the_arguments_hold_as_they_are(said: Headers) -> None:
    assert settings_of(said, {}) == said


@pytest.mark.parametrize("odd", [None, -1, "5", True, [1], 1.5])
def test_a_delivery_limit_that_means_nothing_does_not_hide_that_of_a_policy(odd: Any) -> None:
    said = {"x-queue-type": "quorum", "x-delivery-limit": odd}
    assert settings_of(said, {"delivery-limit": 7})["x-delivery-limit"] == 7
    assert settings_of(said, {})["x-delivery-limit"] == odd
