"""Conversations that were recorded from ActiveMQ 5.17.2, played to ours in its dialect.

The vectors are written by `interop/record_activemq_conversations.py`. The same frames come back to the same clients with
the same headers, but for those that are named below with the reason.
"""

import json
import re
from pathlib import Path
from typing import Any, Final

import pytest

from protocols.stomp.dialect import ACTIVEMQ
from tests.protocols.stomp.peer import Answer, StompPeer
from tests.protocols.world import World

CONVERSATIONS: Final[dict[str, list[dict[str, Any]]]] = json.loads(
    (Path(__file__).parents[2] / "vectors" / "stomp" / "activemq.json").read_text(encoding="utf-8")
)

# What ours says and ActiveMQ does not: the length of each body, how often a message came, its group, why it died.
OURS_ONLY: Final = re.compile(r"content-length|JMSXDeliveryCount|JMSXGroup.*|x-.*death.*")
# What ActiveMQ says and ours does not: the time of a message that names none, and where a dead letter or one of several
# copies came from, which ours says in `x-first-death-queue` or not at all.
THEIRS_ONLY: Final = ("timestamp", "original-destination", "originalExpiration")
# Named anew each time, or by the broker.
VARYING: Final = ("message-id", "ack", "reply-to")
# ActiveMQ hands over what a queue has held before a wildcard came with the next message to that queue only.
IN_THE_END: Final = ("wildcards of queues",)

Heard = dict[str, list[tuple[str, tuple[tuple[str, str], ...], str]]]


def comparable(answer: dict[str, Any]) -> tuple[str, tuple[tuple[str, str], ...], str]:
    """Return what must be the same."""
    headers = {
        name: "*" if name in VARYING and answer["headers"][name] != "/queue/answers" else value
        for name, value in answer["headers"].items()
        if name not in THEIRS_ONLY and not OURS_ONLY.fullmatch(name)
    }
    if answer["command"] == "ERROR":
        headers = {name: value for name, value in headers.items() if name == "receipt-id"}
    body = "" if answer["command"] == "ERROR" else answer["body"]
    return answer["command"], tuple(sorted(headers.items())), body


def heard(answers: list[Answer]) -> list[dict[str, Any]]:
    return [{"command": a.command, "headers": a.headers, "body": a.body.decode()} for a in answers]


def filled(value: str, messages: list[Answer]) -> str:
    if value == "$reply":
        return messages[-1]["reply-to"]
    if re.fullmatch(r"\$\d+", value):
        message = messages[int(value[1:]) - 1]
        return message.headers.get("ack", message["message-id"])
    return value


def who_is(client: str) -> tuple[str, str, dict[str, str]]:
    """Return the name, the version and the `client-id` that a client of the recording has."""
    name, version, client_id = (*client.split(":"), "", "")[:3]
    return name, version or "1.2", {"client_id": client_id} if client_id else {}


@pytest.mark.parametrize("name", CONVERSATIONS)
def test_a_conversation_goes_as_with_activemq(name: str) -> None:
    world = World()
    peers: dict[str, StompPeer] = {}
    messages: list[Answer] = []
    ours: Heard = {}
    theirs: Heard = {}
    for step in CONVERSATIONS[name]:
        who, version, headers = who_is(step["client"])
        if who not in peers:
            peers[who] = StompPeer(world, version, dialect=ACTIVEMQ, **headers)
        said = {key: filled(value, messages) for key, value in step["headers"].items()}
        first = peers[who].say(step["command"], said, step["body"].encode())
        answers = {who: first, **{other: peer.heard() for other, peer in peers.items() if other != who}}
        messages += [answer for found in answers.values() for answer in found if answer.command == "MESSAGE"]
        for other, found in answers.items():
            ours.setdefault(other, []).extend(map(comparable, heard(found)))
            theirs.setdefault(other, []).extend(map(comparable, step["answers"].get(other, [])))
        if name not in IN_THE_END:
            compare(ours, theirs)
    compare(ours, theirs)


def compare(ours: Heard, theirs: Heard) -> None:
    """Check that everybody has heard the same; a receipt may come before or after what else a step has led to."""
    assert {who: sorted(found) for who, found in ours.items()} == {who: sorted(found) for who, found in theirs.items()}


def test_what_is_recorded_is_what_the_recorder_says() -> None:
    assert len(CONVERSATIONS) >= 30
    assert all(any(step["answers"] for step in steps) for steps in CONVERSATIONS.values())
