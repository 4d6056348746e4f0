"""Record what an AMQP broker says in each conversation: `python -m interop.record_amqp_conversations HOST PORT`.

What is printed is `tests/vectors/amqp/conversations.toml`. The differences that the committed file states are kept.
"""

import json
import socket
import sys
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Final

import pika.frame
from pika.spec import Channel, Connection

from interop.broker import CHECKOUT
from interop.conversations import CONVERSATIONS, Conversation, encoded
from interop.mistakes.case import TRAITS
from interop.raw import AMQP_HEADER, amqp_frame

SILENCE_S: Final = 0.25  # after this the broker has said all: a recorder may wait, a test may not
HEAD: Final = """\
# What RabbitMQ 3.10 answers, octet by octet, in the conversations of interop/conversations.py, written by
# interop/record_amqp_conversations.py. Channel 1 is open; the client can hear of cancelled consumers. Where `ours` is
# stated we answer that, for the reason in `because`.
"""
VECTORS: Final = CHECKOUT / "tests" / "vectors" / "amqp" / "conversations.toml"


def answer(client: socket.socket, data: bytes) -> bytes:
    """Send and return everything that comes until the broker is silent."""
    client.sendall(data)
    received = b""
    try:
        while piece := client.recv(1 << 16):
            received += piece
    except (TimeoutError, ConnectionResetError):
        pass
    return received


def connected(host: str, port: int, user: str, password: str) -> socket.socket:
    """Return a socket on which a connection and channel 1 are open."""
    client = socket.create_connection((host, port))
    client.settimeout(SILENCE_S)
    answer(client, AMQP_HEADER)
    response = f"\0{user}\0{password}"
    answer(client, amqp_frame(0, Connection.StartOk(TRAITS, "PLAIN", response, "en_US")))
    agreed = amqp_frame(0, Connection.TuneOk(2047, 131_072, 0))
    opened = answer(client, agreed + amqp_frame(0, Connection.Open("/")) + amqp_frame(1, Channel.Open()))
    size, _ = pika.frame.decode_frame(opened)
    assert isinstance(pika.frame.decode_frame(opened[size:])[1].method, Channel.OpenOk)
    return client


def differences(vectors: Path) -> dict[tuple[str, str], tuple[str, str]]:
    """Return what the committed file says that we answer, and why, by conversation and RabbitMQ's answer."""
    rows = tomllib.loads(vectors.read_text())["vector"] if vectors.exists() else []
    return {
        (row["name"], step["answer"]): (step["ours"], step["because"])
        for row in rows
        for step in row["steps"]
        if "ours" in step
    }


def record(
    conversations: tuple[Conversation, ...],
    vectors: Path,
    access: tuple[str, ...],
    shown: Callable[[bytes], bytes] = bytes,
) -> None:
    """Print the vectors; `access` is host, port, and perhaps user and password. What is kept is `shown`."""
    host, port, user, password = (*access, "guest", "guest")[:4]
    kept = differences(vectors)
    for conversation in conversations:
        client = connected(host, int(port), user, password)
        sys.stdout.write(f"\n[[vector]]\nname = {json.dumps(conversation.name)}\nsteps = [\n")
        for step in map(encoded, conversation.steps):
            said = shown(answer(client, step)).hex()
            row = f'send = "{step.hex()}", answer = "{said}"'
            if (conversation.name, said) in kept:
                ours, because = kept[conversation.name, said]
                row += f', ours = "{ours}", because = {json.dumps(because)}'
            sys.stdout.write(f"    {{ {row} }},\n")
        sys.stdout.write("]\n")
        client.close()


def main() -> None:
    """Print `tests/vectors/amqp/conversations.toml`."""
    sys.stdout.write(HEAD)
    record(CONVERSATIONS, VECTORS, tuple(sys.argv[1:]))


if __name__ == "__main__":
    main()
