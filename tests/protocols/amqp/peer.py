"""An AMQP client for tests: speaks through pamqp's codec, which is not ours, to a machine without a socket."""

from typing import Any, Final, TypeVar

from pamqp import commands, frame, header, heartbeat
from pamqp.base import Frame
from pamqp.body import ContentBody
from pamqp.common import FieldTable

from protocols.amqp.connection import AmqpConnection
from tests.protocols.world import Wire, World

PROTOCOL_HEADER: Final = b"AMQP\x00\x00\x09\x01"
HEARTBEAT_FRAME: Final = b"\x08\x00\x00\x00\x00\x00\x00\xce"
TRAITS: Final[FieldTable] = {
    "capabilities": {
        "consumer_cancel_notify": True,
        "connection.blocked": True,
        "authentication_failure_close": True,
    }
}
Sent = Any  # a frame of pamqp
F = TypeVar("F")


def method(sent: Sent, channel: int = 1) -> bytes:
    """Return one frame."""
    return frame.marshal(sent, channel)


def decoded(data: bytes) -> list[tuple[int, Sent]]:
    """Return all frames in `data` with their channels; they must be whole."""
    frames: list[tuple[int, Sent]] = []
    while data:
        size, channel, value = frame.unmarshal(data)
        frames.append((channel, value))
        data = data[size:]
    return frames


def message_frames(
    exchange: str,
    key: str,
    body: bytes,
    channel: int = 1,
    *,
    mandatory: bool = False,
    piece_bytes: int = 131_064,
    **properties: Any,
) -> bytes:
    """Return the frames of one publish."""
    publish = commands.Basic.Publish(exchange=exchange, routing_key=key, mandatory=mandatory)
    parts = [method(publish, channel), content_header(len(body), channel, **properties)]
    for at in range(0, len(body), piece_bytes):
        parts.append(frame.marshal(ContentBody(body[at : at + piece_bytes]), channel))
    return b"".join(parts)


def content_header(body_size: int, channel: int = 1, **properties: Any) -> bytes:
    """Return a content header frame."""
    said = commands.Basic.Properties(**properties)
    return frame.marshal(header.ContentHeader(body_size=body_size, properties=said), channel)


class Delivered:
    """A message as the client received it: basic.deliver, get-ok or return with its content."""

    def __init__(self, sent: Sent, properties: commands.Basic.Properties, body: bytes) -> None:
        self.method = sent
        self.properties = properties
        self.body = body


class AmqpPeer:
    """One client with a connection, and channel 1 unless told otherwise."""

    def __init__(self, world: World, *, frame_max: int = 131_072, heartbeat_s: int = 0, channel: bool = True) -> None:
        self.wire: Wire[AmqpConnection] = world.connect(AmqpConnection)
        self.wire.send(PROTOCOL_HEADER)
        self.wire.send(login())
        self.wire.send(
            method(commands.Connection.TuneOk(2047, frame_max, heartbeat_s), 0)
            + method(commands.Connection.Open("/"), 0)
        )
        if channel:
            self.wire.send(method(commands.Channel.Open()))

    def send(self, *sent: Sent, channel: int = 1) -> list[Sent]:
        """Send frames in one chunk and return the broker's, content frames joined to their methods."""
        data = b"".join([item if isinstance(item, bytes) else method(item, channel) for item in sent])
        return joined(self.wire.send(data))

    def take(self) -> list[Sent]:
        """Return what the broker has sent since."""
        return joined(self.wire.take())

    def call(self, sent: Sent, answer: type[F], channel: int = 1) -> F:
        """Send one method and return its one answer."""
        (received,) = self.send(sent, channel=channel)
        assert isinstance(received, answer), received
        return received

    def publish(
        self, exchange: str, key: str, body: bytes, *, mandatory: bool = False, **properties: Any
    ) -> list[Sent]:
        return self.send(message_frames(exchange, key, body, mandatory=mandatory, **properties))

    def queue(self, name: str = "", **arguments: Any) -> str:
        """Declare a queue and return its name."""
        return str(self.call(commands.Queue.Declare(queue=name, **arguments), commands.Queue.DeclareOk).queue)

    def consume(self, queue: str, tag: str = "tag", **arguments: Any) -> list[Delivered]:
        """Consume and return what comes with the consume-ok."""
        answer, *rest = self.send(commands.Basic.Consume(queue=queue, consumer_tag=tag, **arguments))
        assert isinstance(answer, commands.Basic.ConsumeOk), answer
        return deliveries(rest)

    def get(self, queue: str, *, no_ack: bool = True) -> Delivered | None:
        (answer,) = self.send(commands.Basic.Get(queue=queue, no_ack=no_ack))
        return answer if isinstance(answer, Delivered) else None

    def counts(self, queue: str) -> tuple[int, int]:
        """Return how many messages are ready and how many consumers there are."""
        answer = self.call(commands.Queue.Declare(queue=queue, passive=True), commands.Queue.DeclareOk)
        return answer.message_count or 0, answer.consumer_count or 0


def a_peer_with_a_message() -> AmqpPeer:
    """Return a client with the queue `q`, which is its channel's current one, and a message in it."""
    peer = AmqpPeer(World())
    peer.queue("q", arguments={"x-max-length": 5})
    peer.publish("", "q", b"x")
    return peer


def login(username: str = "guest", password: str = "guest", **properties: Any) -> bytes:
    """Return a connection.start-ok of mechanism PLAIN."""
    response = f"\0{username}\0{password}"
    return method(commands.Connection.StartOk({**TRAITS, **properties}, "PLAIN", response, "en_US"), 0)


def joined(data: bytes) -> list[Sent]:
    """Return the methods in `data`; those with content as `Delivered`, heartbeats as they are."""
    result: list[Sent] = []
    frames = decoded(data)
    while frames:
        channel, value = frames.pop(0)
        if isinstance(value, (commands.Basic.Deliver, commands.Basic.GetOk, commands.Basic.Return)):
            head_channel, head = frames.pop(0)
            assert isinstance(head, header.ContentHeader)
            assert head_channel == channel
            body = b""
            while len(body) < (head.body_size or 0):
                body_channel, piece = frames.pop(0)
                assert isinstance(piece, ContentBody)
                assert body_channel == channel
                body += piece.value or b""
            assert isinstance(head.properties, commands.Basic.Properties)
            result.append(Delivered(value, head.properties, body))
        else:
            assert isinstance(value, (Frame, heartbeat.Heartbeat)), value
            result.append(value)
    return result


def deliveries(received: list[Sent]) -> list[Delivered]:
    """Return the messages, of which there must be nothing else."""
    assert all(isinstance(item, Delivered) for item in received), received
    return received


def bodies(received: list[Sent]) -> list[bytes]:
    return [item.body for item in deliveries(received)]


def filled(peer: AmqpPeer, count: int) -> None:
    """Publish bodies 0, 1, … to the queue `q`."""
    for number in range(count):
        assert peer.publish("", "q", b"%d" % number) == []


def tags(received: list[Any]) -> list[int]:
    """Return the delivery tags of what was received."""
    return [item.method.delivery_tag for item in deliveries(received)]


def closed(peer: AmqpPeer, *sent: Any) -> tuple[type, int, str, int, int]:
    """Send; return what the close says that is the last answer."""
    answer = peer.send(*sent)[-1]
    assert isinstance(answer, (commands.Channel.Close, commands.Connection.Close)), answer
    return type(answer), answer.reply_code or 0, answer.reply_text, answer.class_id or 0, answer.method_id or 0


def closing(data: bytes) -> tuple[int, str, int, int]:
    """Return what the one connection.close in `data` says: code, text, class and method id."""
    ((channel, close),) = decoded(data)
    assert isinstance(close, commands.Connection.Close), close
    assert channel == 0
    return close.reply_code or 0, close.reply_text, close.class_id or 0, close.method_id or 0
