"""A STOMP client for tests: writes frames, and reads the server's with a reader of its own."""

from dataclasses import dataclass
from typing import Final

from protocols.stomp.connection import StompConnection
from protocols.stomp.dialect import RABBITMQ, Dialect
from protocols.stomp.session import Session
from tests.protocols.world import Wire, World

ESCAPES: Final = (("\\", "\\\\"), ("\n", "\\n"), (":", "\\c"), ("\r", "\\r"))
VERSIONS: Final = ("1.0", "1.1", "1.2")


@dataclass(frozen=True)
class Answer:
    """A frame from the server, its headers as they were escaped."""

    command: str
    headers: dict[str, str]
    body: bytes

    def __getitem__(self, name: str) -> str:
        return self.headers[name]


def frame(command: str, headers: dict[str, str] | None = None, body: bytes = b"", *, counted: bool = True) -> bytes:
    """Return a frame; header values must be escaped already."""
    lines = "".join([f"{name}:{value}\n" for name, value in (headers or {}).items()])
    if body and counted:
        lines += f"content-length:{len(body)}\n"
    return f"{command}\n{lines}\n".encode() + body + b"\0"


def escaped(text: str) -> str:
    for character, code in ESCAPES:
        text = text.replace(character, code)
    return text


def answers(data: bytes) -> list[Answer]:
    """Take the server's output apart; every octet of it must belong to a frame or be a line end between two."""
    found: list[Answer] = []
    position = 0
    while position < len(data):
        if data[position : position + 1] == b"\n":
            position += 1
            continue
        end = data.index(b"\n\n", position)
        command, *lines = data[position:end].decode().split("\n")
        headers: dict[str, str] = {}
        for line in lines:
            name, colon, value = line.partition(":")
            assert colon, line
            assert name not in headers, f"{name} is there twice"
            headers[name] = value
        stop = end + 2 + int(headers.get("content-length", "0"))
        assert data[stop : stop + 1] == b"\0", data[position:]
        found.append(Answer(command, headers, data[end + 2 : stop]))
        position = stop + 1
    return found


class StompPeer:
    """A client on a wire of its own."""

    def __init__(
        self, world: World, version: str = "1.2", user: str = "guest", dialect: Dialect = RABBITMQ, **headers: str
    ) -> None:
        self.world = world
        self.version = version
        self.wire: Wire[StompConnection] = world.connect(StompConnection, dialect)
        said = {} if version == "1.0" else {"accept-version": version, "host": "/"}
        said |= {"login": user, "passcode": user}
        said |= {name.replace("_", "-"): value for name, value in headers.items()}
        self.connected = self.one("CONNECT", said)
        assert self.connected.command == "CONNECTED", self.connected

    @property
    def session(self) -> Session:
        session = self.wire.connection._session
        assert session is not None
        return session

    @property
    def closed(self) -> bool:
        return self.wire.closed

    def say(self, command: str, headers: dict[str, str] | None = None, body: bytes = b"") -> list[Answer]:
        """Send a frame and return everything that has arrived since."""
        return answers(self.wire.send(frame(command, headers, body)))

    def one(self, command: str, headers: dict[str, str] | None = None, body: bytes = b"") -> Answer:
        """Send a frame that is answered by exactly one."""
        (answer,) = self.say(command, headers, body)
        return answer

    def heard(self) -> list[Answer]:
        """Return what has arrived."""
        return answers(self.wire.take())

    def send(self, destination: str, body: bytes = b"x", **headers: str) -> list[Answer]:
        said = {name.replace("_", "-"): value for name, value in headers.items()}
        return self.say("SEND", {"destination": destination, **said}, body)

    def subscribe(self, destination: str, ack: str = "auto", number: str = "0", **headers: str) -> list[Answer]:
        said = {name.replace("_", "-"): value for name, value in headers.items()}
        return self.say("SUBSCRIBE", {"id": number, "destination": destination, "ack": ack, **said})

    def ack(self, message: Answer, command: str = "ACK", **headers: str) -> list[Answer]:
        """Acknowledge in the way of the version."""
        if self.version == "1.2":
            said = {"id": message["ack"]}
        elif self.version == "1.1":
            said = {"subscription": message["subscription"], "message-id": message["message-id"]}
        else:
            said = {"message-id": message["message-id"]}
        return self.say(command, said | headers)

    def nack(self, message: Answer, **headers: str) -> list[Answer]:
        return self.ack(message, "NACK", **headers)

    def hang_up(self) -> None:
        self.wire.hang_up()


def bodies(messages: list[Answer]) -> list[bytes]:
    """Return the bodies of frames that are all MESSAGE."""
    assert {message.command for message in messages} <= {"MESSAGE"}, messages
    return [message.body for message in messages]


def refused(answer: list[Answer], message: str, about: str = "") -> None:
    """Check that the last frame is this ERROR."""
    assert answer, "no answer"
    last = answer[-1]
    assert (last.command, last["message"]) == ("ERROR", message), last
    assert about in last.body.decode(), last
    assert last["version"] == "1.0,1.1,1.2"
    assert last["content-type"] == "text/plain"
