"""A mistake as data, and the conversation in which it is made.

All steps are sent at once: a broker answers one channel in order, so what it says about the last step comes behind the
answers to the others, and the answer to a barrier behind both.
"""

import re
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from typing import Any, Final

import pika
import pika.frame
from pika.spec import Basic, Channel, Connection

from interop.broker import Endpoint
from interop.raw import AMQP_HEADER, RawSocket, amqp_frame

METHOD: Final = 1
HEADER: Final = 2
BODY: Final = 3
HEARTBEAT: Final = 8
BASIC: Final = 60

CHANNEL: Final = 1
BARRIER_CHANNEL: Final = 9
TRAITS: Final[dict[str, Any]] = {
    "capabilities": {
        "authentication_failure_close": True,
        "basic.nack": True,
        "consumer_cancel_notify": True,
        "connection.blocked": True,
    }
}
NAME: Final = "NAME"  # stands for the test's own name in what is recorded
USER: Final = "USER"  # and for the user's
MADE_UP: Final = re.compile(r"amq\.gen-[\w-]{22}")  # a queue's name, by the broker

Step = Any  # a method of pika, sent on channel 1, or bytes, sent as they are
Steps = Callable[[str], list[Step]]

# How far the connection is when the steps are sent.
RAW: Final = "raw"
GREETED: Final = "greeted"
TUNED: Final = "tuned"
OPENED: Final = "opened"
IN_CHANNEL: Final = "channel"


@dataclass(frozen=True)
class Case:
    """One mistake. `owner` is what another connection does before, which stays open.

    It is made by the `user` of that name, whose password is the name, or by the one of the endpoint.
    """

    name: str
    steps: Steps
    stage: str = IN_CHANNEL
    owner: Steps | None = None
    user: str = ""


@dataclass(frozen=True)
class Outcome:
    """What came of it: `scope` is what was closed, `text` what was said, with placeholders for names.

    `accepted`: nothing was wrong. `dropped`: the stream ended, after the bytes in `text`, in hexadecimal.
    """

    scope: str
    code: int = 0
    text: str = ""
    class_id: int = 0
    method_id: int = 0

    def stated(self) -> dict[str, Any]:
        """Return what is not a default."""
        return {key: value for key, value in asdict(self).items() if value or key == "scope"}


def frame(kind: int, payload: bytes, channel: int = CHANNEL, end: bytes = b"\xce") -> bytes:
    """Return a frame, however wrong it is."""
    return bytes([kind]) + channel.to_bytes(2, "big") + len(payload).to_bytes(4, "big") + payload + end


def content_header(size: int, properties: bytes = b"\0\0", class_id: int = BASIC, weight: int = 0) -> bytes:
    """Return a content header frame; `properties` are flags and values."""
    start = class_id.to_bytes(2, "big") + weight.to_bytes(2, "big") + size.to_bytes(8, "big")
    return frame(HEADER, start + properties)


def publish(exchange: str, key: str, body: bytes = b"x", **properties: Any) -> bytes:
    """Return the frames of a message on channel 1."""
    header: bytes = pika.frame.Header(CHANNEL, len(body), pika.BasicProperties(**properties)).marshal()
    method = Basic.Publish(exchange=exchange, routing_key=key)
    return amqp_frame(CHANNEL, method) + header + (frame(BODY, body) if body else b"")


class Conversation:
    """One connection that is brought to a stage of its life, and then told the steps."""

    def __init__(self, endpoint: Endpoint, stage: str = IN_CHANNEL) -> None:
        self._endpoint = endpoint
        self._stage = stage
        self._client = RawSocket(endpoint.host, endpoint.ports["amqp"])
        if stage != RAW:
            self._bring()

    def _bring(self) -> None:
        self._client.send(AMQP_HEADER)
        self._expect(Connection.Start)
        if self._stage == GREETED:
            return
        response = f"\0{self._endpoint.user}\0{self._endpoint.password}"
        self._send([amqp_frame(0, Connection.StartOk(TRAITS, "PLAIN", response, "en_US"))])
        tune = self._expect(Connection.Tune)
        if self._stage == TUNED:
            return
        agreed = Connection.TuneOk(tune.channel_max, tune.frame_max, 0)
        self._send([amqp_frame(0, agreed) + amqp_frame(0, Connection.Open("/"))])
        self._expect(Connection.OpenOk)
        if self._stage == IN_CHANNEL:
            self._send([Channel.Open()])
            self._expect(Channel.OpenOk)

    def _send(self, steps: list[Step]) -> None:
        self._client.send(b"".join(step if isinstance(step, bytes) else amqp_frame(CHANNEL, step) for step in steps))

    def _read(self) -> tuple[int, Any] | None:
        """Return the next method with its channel; None at the end of the stream."""
        while len(start := self._client.read_or_end(7)) == 7:
            rest = self._client.read(int.from_bytes(start[3:7], "big") + 1)
            if start[0] == METHOD:
                return int.from_bytes(start[1:3], "big"), pika.frame.decode_frame(start + rest)[1].method
        return None

    def _expect(self, kind: type) -> Any:
        received = self._read()
        assert received is not None
        assert isinstance(received[1], kind), received
        return received[1]

    def prepare(self, steps: list[Step]) -> None:
        """Do what must succeed, and wait until it has."""
        outcome = self.outcome(steps)
        assert outcome.scope == "accepted", outcome

    def outcome(self, steps: list[Step]) -> Outcome:
        """Send the steps and return what the broker makes of them."""
        self._send(steps)
        if self._stage == RAW:
            start = self._client.read_or_end(8)
            if start.startswith(bytes([METHOD])):
                return Outcome("accepted")
            return Outcome("dropped", text=(start + self._client.read_to_the_end()).hex())
        done: type = {GREETED: Connection.Tune, TUNED: Connection.OpenOk, OPENED: Channel.OpenOk}.get(
            self._stage, Basic.QosOk
        )
        if self._stage == OPENED:
            self._send([amqp_frame(BARRIER_CHANNEL, Channel.Open())])
        elif self._stage == IN_CHANNEL:
            self._send([Basic.Qos()])
        while received := self._read():
            channel, method = received
            if isinstance(method, Channel.Close):
                self._reopen(channel)
                return Outcome("channel", method.reply_code, method.reply_text, method.class_id, method.method_id)
            if isinstance(method, Connection.Close):
                self._send([amqp_frame(0, Connection.CloseOk())])
                self._client.read_to_the_end()
                return Outcome("connection", method.reply_code, method.reply_text, method.class_id, method.method_id)
            if isinstance(method, done):
                return Outcome("accepted")
        return Outcome("dropped")

    def _reopen(self, channel: int) -> None:
        """Make sure that a closed channel can be opened again, and that its connection lives."""
        self._send([amqp_frame(channel, Channel.CloseOk()) + amqp_frame(channel, Channel.Open())])
        while received := self._read():
            if isinstance(received[1], Channel.OpenOk):
                return
        raise AssertionError("the connection ended with its channel")

    def close(self) -> None:
        """Close without a word."""
        self._client.close()


def outcome_of(case: Case, endpoint: Endpoint, name: str) -> Outcome:
    """Make the mistake and return what came of it, with placeholders for the names that are this run's own."""
    owner = Conversation(endpoint) if case.owner else None
    if owner is not None and case.owner is not None:
        owner.prepare(case.owner(name))
    who = replace(endpoint, user=case.user, password=case.user) if case.user else endpoint
    made = Conversation(who, case.stage)
    outcome = made.outcome(case.steps(name))
    made.close()
    if owner is not None:
        owner.close()
    text = outcome.text.replace(name, NAME).replace(f"'{endpoint.user}'", f"'{USER}'")
    text = MADE_UP.sub(f"amq.gen-{NAME}", text)
    return Outcome(outcome.scope, outcome.code, text, outcome.class_id, outcome.method_id)
