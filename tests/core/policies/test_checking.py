"""What a policy must look like: bounds as a RabbitMQ 3.10 has them, looked up with a real one, and sentences that name them."""

from typing import Any, Final

import pytest

from core.model.errors import Invalid
from core.policies.checking import LARGEST, PATTERN_LIMIT_CHARS, check_policy
from core.policies.policy import Policy, no_patterns
from gateway.patterns import compile_pattern

YEARS_MS: Final = 315_360_000_000
NUMBER: Final = "and must be a whole number from"


def checked(definition: Any = None, **other: Any) -> Policy:
    said: dict[str, Any] = {"name": "p", "pattern": "^q", "apply_to": "", "priority": 0, **other}
    return check_policy(
        said["name"],
        said["pattern"],
        {"max-length": 1} if definition is None else definition,
        said["apply_to"],
        said["priority"],
        compile_pattern,
        operator=said.get("operator", False),
    )


def refusal(definition: Any = None, **other: Any) -> str:
    with pytest.raises(Invalid) as caught:
        checked(definition, **other)
    return caught.value.text


ACCEPTED: Final[list[tuple[str, Any]]] = [
    ("message-ttl", 0),
    ("message-ttl", YEARS_MS),
    ("expires", 1),
    ("max-length", 0),
    ("max-length", LARGEST),
    ("max-length-bytes", 0),
    ("delivery-limit", 0),
    ("overflow", "drop-head"),
    ("overflow", "reject-publish"),
    ("overflow", "reject-publish-dlx"),
    ("dead-letter-exchange", ""),
    ("dead-letter-exchange", "x" * 255),
    ("dead-letter-routing-key", ""),
    ("dead-letter-routing-key", "ü" * 127),
    ("alternate-exchange", "spare"),
    ("queue-mode", "lazy"),
    ("queue-version", 2),
    ("ha-mode", "exactly"),
    ("ha-params", 2),
    ("ha-params", ["rabbit@a", "rabbit@b"]),
    ("dead-letter-strategy", "at-least-once"),
    ("queue-leader-locator", "balanced"),
    ("max-in-memory-length", 10),
]


@pytest.mark.parametrize(("key", "value"), ACCEPTED)
def test_what_rabbitmq_knows_is_accepted(key: str, value: Any) -> None:
    assert checked({key: value}).definition == {key: value}


REFUSED: Final[list[tuple[str, Any, str]]] = [
    ("message-ttl", -1, f"is -1, {NUMBER} 0 to {YEARS_MS}"),
    ("message-ttl", YEARS_MS + 1, f"is {YEARS_MS + 1}, {NUMBER} 0 to {YEARS_MS}"),
    ("message-ttl", 1.5, f"is 1.5, {NUMBER} 0 to {YEARS_MS}"),
    ("message-ttl", 5.0, f"is 5.0, {NUMBER} 0 to {YEARS_MS}"),
    ("message-ttl", True, f"is true, {NUMBER} 0 to {YEARS_MS}"),
    ("message-ttl", None, f"is null, {NUMBER} 0 to {YEARS_MS}"),
    ("expires", 0, f"is 0, {NUMBER} 1 to {YEARS_MS}"),
    ("max-length", "a", f"is 'a', {NUMBER} 0 to {LARGEST}"),
    ("max-length", LARGEST + 1, f"is {LARGEST + 1}, {NUMBER} 0 to {LARGEST}"),
    ("max-length-bytes", [1], f"is [1], {NUMBER} 0 to {LARGEST}"),
    ("delivery-limit", -1, f"is -1, {NUMBER} 0 to {LARGEST}"),
    ("overflow", "x", "is 'x', and must be one of drop-head, reject-publish, reject-publish-dlx"),
    ("overflow", {}, "is {}, and must be one of drop-head, reject-publish, reject-publish-dlx"),
    ("dead-letter-exchange", 5, "is 5, and must be a text of up to 255 bytes"),
    ("dead-letter-exchange", "\ud800", "is '\\ud800', and must be a text of up to 255 bytes"),
    ("dead-letter-routing-key", "x" * 256, f"is '{'x' * 99}…, and must be a text of up to 255 bytes"),
    ("alternate-exchange", False, "is false, and must be a text of up to 255 bytes"),
    ("queue-mode", "x", "is 'x', and must be one of default, lazy"),
    (
        "ha-mode",
        {"a": 1},
        "is {'a': 1}, and must be a whole number, a text, or a list of texts, of up to 255 bytes in all",
    ),
    ("ha-params", ["x" * 200] * 2, f"is ['{'x' * 98}…, and must be a whole number, a text, or a list of texts, of up"),
]


@pytest.mark.parametrize(("key", "value", "sentence"), REFUSED)
def test_a_wrong_value_is_refused_with_its_key(key: str, value: Any, sentence: str) -> None:
    assert refusal({"expires": 5, key: value}).startswith(f"policy 'p': '{key}' {sentence}")


def test_a_number_that_python_does_not_write_is_refused_too() -> None:
    assert refusal({"max-length": 10**5_000}).startswith("policy 'p': 'max-length' is too large to be shown, and must")


@pytest.mark.parametrize("key", ["foo", "", "x-max-length", "federation-upstream", "max-age", "\ud800", "max-priority"])
def test_a_key_that_has_no_meaning_is_refused_by_its_name(key: str) -> None:
    assert refusal({"max-length": 1, key: 1}) == f"policy 'p': {key!r} is not known in a definition"


@pytest.mark.parametrize(
    ("other", "sentence"),
    [
        ({"definition": {}}, "policy 'p': the definition is empty"),
        ({"definition": [1]}, "policy 'p': the definition is [1], and must be a table of keys and values"),
        ({"name": ""}, "the name of a policy is '', and must be a text of 1 to 255 bytes"),
        ({"name": 5}, "the name of a policy is 5, and must be a text of 1 to 255 bytes"),
        ({"name": "ü" * 128}, f"the name of a policy is '{'ü' * 99}…, and must be a text of 1 to 255 bytes"),
        ({"name": "a\0b"}, "the name of a policy is 'a\\x00b', which contains a NUL character"),
        ({"pattern": "("}, "policy 'p': '(' is not a pattern: missing ): ("),
        ({"pattern": "(a)\\1"}, "policy 'p': '(a)\\\\1' is not a pattern: invalid escape sequence: \\1"),
        ({"pattern": None}, "policy 'p': the pattern is null, and must be a text"),
        ({"pattern": "\ud800"}, "policy 'p': the pattern is '\\ud800', and must be a text"),
        (
            {"pattern": "x" * (PATTERN_LIMIT_CHARS + 1)},
            "policy 'p': the pattern of 1025 characters is longer than 1024",
        ),
        (
            {"apply_to": "streams"},
            "policy 'p': apply-to is 'streams', and must be one of all, exchanges, queues, classic_queues, quorum_que",
        ),
        (
            {"apply_to": None},
            "policy 'p': apply-to is null, and must be one of all, exchanges, queues, classic_queues, quorum_queues",
        ),
        ({"priority": "1"}, "policy 'p': priority is '1', and must be a whole number from -2147483647 to 2147483647"),
        ({"priority": 1 << 31}, "policy 'p': priority is 2147483648, and must be a whole number from -2147483647 to"),
        ({"priority": True}, "policy 'p': priority is true, and must be a whole number from -2147483647 to"),
    ],
)
def test_everything_else_that_is_wrong_is_named(other: dict[str, Any], sentence: str) -> None:
    assert refusal(other.pop("definition", None), **other).startswith(sentence)


@pytest.mark.parametrize("key", ["overflow", "dead-letter-exchange", "alternate-exchange", "ha-mode"])
def test_operators_bound_and_do_nothing_else(key: str) -> None:
    assert refusal({key: "drop-head"}, operator=True) == (
        f"operator policy 'p': '{key}' is not for operator policies,"
        " which have message-ttl, expires, max-length, max-length-bytes, delivery-limit"
    )
    assert "which have none of the limits" in refusal(apply_to="exchanges", operator=True)


def test_a_policy_is_for_all_things_and_an_operator_policy_for_queues_unless_said() -> None:
    assert checked().apply_to == "all"
    assert checked(operator=True).apply_to == "queues"


def test_the_pattern_is_searched_in_the_name_and_an_empty_one_is_in_every_name() -> None:
    kind = 2
    assert checked(pattern="^q").covers(kind, "queue")
    assert not checked(pattern="^q").covers(kind, "my queue")
    assert checked(pattern="q").covers(kind, "my queue")
    assert checked(pattern="").covers(kind, "anything")


def test_a_definition_is_a_copy() -> None:
    given = {"max-length": 1}
    policy = checked(given)
    given["max-length"] = 2
    assert policy.definition == {"max-length": 1}


def test_without_a_compiler_no_policy_can_be_set() -> None:
    with pytest.raises(Invalid, match="this broker has no patterns"):
        check_policy("p", "^q", {"max-length": 1}, "", 0, no_patterns)
