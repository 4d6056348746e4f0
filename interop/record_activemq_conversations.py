"""Record what ActiveMQ says in each conversation: `python -m interop.record_activemq_conversations HOST PORT`.

ActiveMQ must be fresh and let anybody in. What is printed is `tests/vectors/stomp/activemq.json`, which the test of that
name plays to ours in the dialect of ActiveMQ. In a frame, `$N` stands for what the Nth message of the conversation is
acknowledged by, and `$reply` for where the last message is to be answered.
"""

import json
import re
import socket
import sys
from typing import Any, Final

CHANGING: Final = ("message-id", "ack", "timestamp")  # headers that are new each time
SILENCE_S: Final = 0.4  # after this the broker has said all: a recorder may wait, a test may not

Step = tuple[str, str, dict[str, str], str]  # client, command, headers, body


def _subscribe(client: str, destination: str, ack: str = "auto", number: str = "0", **more: str) -> Step:
    headers = {"id": number, "destination": destination, "ack": ack, "receipt": "subscribed", **_dashed(more)}
    return client, "SUBSCRIBE", headers, ""


def _send(client: str, destination: str, body: str, **more: str) -> Step:
    return client, "SEND", {"destination": destination, **_dashed(more)}, body


def _dashed(headers: dict[str, str]) -> dict[str, str]:
    return {name.replace("_", "-").replace("activemq-", "activemq."): value for name, value in headers.items()}


def _with(step: Step, **more: str) -> Step:
    return step[0], step[1], {**step[2], **_dashed(more)}, step[3]


def _frame(client: str, command: str, **headers: str) -> Step:
    return client, command, _dashed(headers), ""


END: Final = _frame("a", "DISCONNECT", receipt="bye")

# Clients connect when they first say something. Behind a colon in their name are the version and, again, the client-id.
CONVERSATIONS: Final[dict[str, list[Step]]] = {
    "properties": [
        _subscribe("a", "/queue/c.properties"),
        _send(
            "a", "/queue/c.properties", "x", persistent="true", priority="7", correlation_id="c", type="t", foo="bar"
        ),
        _send("a", "/queue/c.properties", "y", content_type="text/plain", reply_to="/queue/answers", x_y="z"),
    ],
    "a receipt for a SEND": [_send("a", "/queue/c.receipt", "x", receipt="r")],
    "each version: 1.0": [
        _subscribe("a:1.0", "/queue/c.v10", "client"),
        _send("a:1.0", "/queue/c.v10", "x"),
        _frame("a:1.0", "ACK", message_id="$1", receipt="r"),
    ],
    "each version: 1.1": [
        _subscribe("a:1.1", "/queue/c.v11", "client"),
        _send("a:1.1", "/queue/c.v11", "x", odd="a\\cb\\\\c\\nd"),
        _frame("a:1.1", "ACK", message_id="$1", subscription="0", receipt="r"),
    ],
    "cumulative acknowledgement": [
        *[_send("a", "/queue/c.client", str(number)) for number in range(4)],
        _subscribe("a", "/queue/c.client", "client"),
        _frame("a", "ACK", id="$3", receipt="r"),
        END,
        _subscribe("b", "/queue/c.client"),
    ],
    "individual acknowledgement": [
        *[_send("a", "/queue/c.individual", str(number)) for number in range(4)],
        _subscribe("a", "/queue/c.individual", "client-individual"),
        _frame("a", "ACK", id="$3", receipt="r"),
        END,
        _subscribe("b", "/queue/c.individual"),
    ],
    "NACK": [
        _subscribe("a", "/queue/c.nack", "client-individual"),
        _send("a", "/queue/c.nack", "x", persistent="true"),
        _frame("a", "NACK", id="$1", receipt="r"),
        _subscribe("a", "/queue/ActiveMQ.DLQ", number="dead"),
    ],
    "prefetch": [
        *[_send("a", "/queue/c.prefetch", str(number)) for number in range(3)],
        _subscribe("a", "/queue/c.prefetch", "client", activemq_prefetchSize="1"),
        _frame("a", "ACK", id="$1", receipt="r"),
    ],
    "wildcards of topics": [
        _subscribe("a", "/topic/c.w.*", number="one"),
        _subscribe("a", "/topic/c.w.>", number="rest"),
        *[_send("a", f"/topic/{name}", name) for name in ("c.w", "c.w.x", "c.w.x.y", "c.x", "c.w.")],
    ],
    "wildcards of queues": [
        _send("a", "/queue/c.q.old", "old"),
        _subscribe("a", "/queue/c.q.*", number="one"),
        *[_send("a", f"/queue/{name}", name) for name in ("c.q.old", "c.q.new", "c.q.new.y", "c.q")],
    ],
    "a wildcard for the rest of a queue's name": [
        _subscribe("a", "/queue/c.r.>", number="rest"),
        *[_send("a", f"/queue/{name}", name) for name in ("c.r", "c.r.x", "c.r.x.y", "c.rx", "c.r.")],
    ],
    "browsing": [
        _subscribe("a", "/queue/c.browse", number="empty", browser="true"),
        *[_send("a", "/queue/c.browse", str(number), n=str(number)) for number in range(3)],
        _subscribe("a", "/queue/c.browse", number="all", browser="true"),
        _subscribe("a", "/queue/c.browse", number="some", browser="true", selector="n > 0"),
        _subscribe("a", "/queue/c.browse", number="taken"),
    ],
    "a selector on text": [
        _subscribe("a", "/queue/c.text", selector="colour = 'red' OR colour LIKE 'bl%'"),
        *[_send("a", "/queue/c.text", colour, colour=colour) for colour in ("red", "green", "blue", "black")],
    ],
    "a selector on numbers": [
        _subscribe("a", "/topic/c.numbers", selector="n BETWEEN 2 AND 3 OR n IS NULL"),
        *[_send("a", "/topic/c.numbers", n, n=n) for n in ("1", "2", "3", "4", "5", "many")],
        _send("a", "/topic/c.numbers", "none"),
    ],
    "a selector on headers of JMS": [
        _subscribe(
            "a", "/queue/c.jms", selector="JMSType = 't' AND JMSPriority > 4 AND JMSDeliveryMode = 'PERSISTENT'"
        ),
        _send("a", "/queue/c.jms", "no", type="t"),
        _send("a", "/queue/c.jms", "yes", type="t", priority="5", persistent="true"),
    ],
    "an invalid selector": [_subscribe("a", "/queue/c.invalid", selector="x >")],
    "a durable subscription": [
        _with(_subscribe("a:1.2:me", "/topic/c.durable"), activemq_subscriptionName="news"),
        _frame("a:1.2:me", "DISCONNECT", receipt="bye"),
        _send("b", "/topic/c.durable", "meanwhile"),
        _with(_subscribe("c:1.2:me", "/topic/c.durable"), activemq_subscriptionName="news"),
        _frame("c:1.2:me", "UNSUBSCRIBE", id="0", receipt="left"),
        _frame("c:1.2:me", "UNSUBSCRIBE", id="0", receipt="ended", activemq_subscriptionName="news"),
        _send("b", "/topic/c.durable", "never"),
        _with(_subscribe("c:1.2:me", "/topic/c.durable"), activemq_subscriptionName="news"),
    ],
    "a durable subscription that is in use": [
        _with(_subscribe("a:1.2:us", "/topic/c.used"), activemq_subscriptionName="news"),
        _with(_subscribe("a:1.2:us", "/topic/c.used", number="1"), activemq_subscriptionName="news"),
    ],
    "a durable subscription to a queue": [
        _with(_subscribe("a:1.2:it", "/queue/c.durable"), activemq_subscriptionName="news"),
    ],
    "a temporary queue": [
        _subscribe("a", "/temp-queue/mine", number="t"),
        _subscribe("b", "/queue/c.ask"),
        _send("a", "/queue/c.ask", "question", reply_to="/temp-queue/mine"),
        _send("b", "$reply", "answer"),
    ],
    "a temporary topic": [
        _subscribe("a", "/temp-topic/mine", number="t"),
        _subscribe("a", "/temp-topic/mine", number="u"),
        _subscribe("b", "/queue/c.ask"),
        _send("a", "/queue/c.ask", "question", reply_to="/temp-topic/mine"),
        _send("b", "$reply", "answer"),
    ],
    "a list in SEND": [
        _subscribe("a", "/queue/c.l1", number="1"),
        _subscribe("a", "/topic/c.l2", number="2"),
        _send("b", "/queue/c.l1,/topic/c.l2", "x", receipt="r"),
    ],
    "a list in SUBSCRIBE": [
        _subscribe("a", "/queue/c.s1,/queue/c.s2"),
        *[_send("b", f"/queue/{name}", name) for name in ("c.s1", "c.s2", "c.s1")],
        _frame("a", "UNSUBSCRIBE", id="0", receipt="left"),
        _send("b", "/queue/c.s1", "never"),
    ],
    "names": [
        _subscribe("a", "c.bare", number="bare"),
        _subscribe("a", "/queue/c.slash/x", number="slash"),
        _send("a", "c.bare", "1"),
        _send("a", "/queue/c.slash/x", "2"),
    ],
    "a committed transaction": [
        _subscribe("b", "/queue/c.tx"),
        _frame("a", "BEGIN", transaction="t", receipt="begun"),
        _send("a", "/queue/c.tx", "1", transaction="t"),
        _send("a", "/queue/c.tx", "outside"),
        _send("a", "/queue/c.tx", "2", transaction="t"),
        _frame("a", "COMMIT", transaction="t", receipt="done"),
    ],
    "an aborted transaction": [
        _subscribe("b", "/queue/c.abort"),
        _frame("a", "BEGIN", transaction="t"),
        _send("a", "/queue/c.abort", "1", transaction="t"),
        _frame("a", "ABORT", transaction="t", receipt="done"),
        _frame("a", "COMMIT", transaction="t", receipt="unknown"),
    ],
    "an acknowledgement in a transaction": [
        _send("a", "/queue/c.txack", "1"),
        _subscribe("a", "/queue/c.txack", "client-individual"),
        _frame("a", "BEGIN", transaction="t"),
        _frame("a", "ACK", id="$1", transaction="t"),
        _frame("a", "ABORT", transaction="t", receipt="aborted"),
        _frame("a", "ACK", id="$1", receipt="again"),
        END,
        _subscribe("b", "/queue/c.txack"),
    ],
    "message groups": [
        _subscribe("a", "/queue/c.groups", "client-individual"),
        _subscribe("b", "/queue/c.groups", "client-individual"),
        *[_send("c", "/queue/c.groups", body, JMSXGroupID=body[0]) for body in ("A1", "B1", "A2", "A3", "B2")],
        _send("c", "/queue/c.groups", "A4", JMSXGroupID="A", JMSXGroupSeq="4"),
        _frame("b", "DISCONNECT", receipt="bye"),
        _send("c", "/queue/c.groups", "B3", JMSXGroupID="B"),
    ],
    "a message group that is closed": [
        _subscribe("a", "/queue/c.closed", "client-individual"),
        _send("c", "/queue/c.closed", "A1", JMSXGroupID="A"),
        _subscribe("b", "/queue/c.closed", "client-individual"),
        _send("c", "/queue/c.closed", "A2", JMSXGroupID="A", JMSXGroupSeq="-1"),
        _send("c", "/queue/c.closed", "A3", JMSXGroupID="A"),
        _send("c", "/queue/c.closed", "A4", JMSXGroupID="A"),
    ],
    "an exclusive consumer": [
        _subscribe("a", "/queue/c.exclusive", "client-individual"),
        _subscribe("b", "/queue/c.exclusive", "client-individual", activemq_exclusive="true"),
        _subscribe("c", "/queue/c.exclusive", "client-individual", activemq_exclusive="true"),
        *[_send("d", "/queue/c.exclusive", str(number)) for number in range(3)],
        _frame("b", "DISCONNECT", receipt="bye"),
        _send("d", "/queue/c.exclusive", "3"),
        _frame("c", "DISCONNECT", receipt="bye"),
        _send("d", "/queue/c.exclusive", "4"),
    ],
    "what the connection itself sends to a topic": [
        _subscribe("a", "/topic/c.local", activemq_noLocal="true"),
        _send("a", "/topic/c.local", "own"),
        _send("b", "/topic/c.local", "another's"),
    ],
    "what the connection itself sends to a queue": [
        _subscribe("a", "/queue/c.local", activemq_noLocal="true"),
        _send("a", "/queue/c.local", "own"),
        _send("b", "/queue/c.local", "another's"),
        _subscribe("b", "/queue/c.local"),
    ],
    "UNSUBSCRIBE from nothing": [_frame("a", "UNSUBSCRIBE", id="nope", receipt="r")],
    "SUBSCRIBE without an id": [_frame("a", "SUBSCRIBE", destination="/queue/c.noid", receipt="r")],
    "SEND without a destination": [_frame("a", "SEND", receipt="r")],
    "an unknown command": [_frame("a", "NONSENSE", receipt="r")],
    "COMMIT of an unknown transaction": [_frame("a", "COMMIT", transaction="t", receipt="r")],
}


class Client:
    """One connection to the broker that is recorded."""

    def __init__(self, host: str, port: int, version: str, client_id: str) -> None:
        self._socket = socket.create_connection((host, port))
        headers = {} if version == "1.0" else {"accept-version": version, "host": "/"}
        headers |= {"login": "guest", "passcode": "guest"}
        if client_id:
            headers["client-id"] = client_id
        self.send(frame("CONNECT", headers, ""))
        (connected,) = self.heard()
        assert connected["command"] == "CONNECTED", connected

    def send(self, data: bytes) -> None:
        self._socket.sendall(data)

    def heard(self) -> list[dict[str, Any]]:
        """Return the frames that come until the broker is silent."""
        self._socket.settimeout(SILENCE_S)
        data = b""
        try:
            while piece := self._socket.recv(1 << 16):
                data += piece
        except (TimeoutError, ConnectionResetError):
            pass
        return [_parsed(text) for text in data.decode().split("\0") if text.strip("\n")]


def frame(command: str, headers: dict[str, str], body: str) -> bytes:
    """Return a frame; what needs escapes has them already."""
    lines = "".join([f"{name}:{value}\n" for name, value in headers.items()])
    return f"{command}\n{lines}\n{body}\0".encode()


def _parsed(text: str) -> dict[str, Any]:
    head, _, body = text.lstrip("\n").partition("\n\n")
    command, *lines = head.split("\n")
    headers = dict(line.split(":", 1) for line in lines)
    return {"command": command, "headers": headers, "body": "" if command == "ERROR" else body}


def _record(host: str, port: int, steps: list[Step]) -> list[dict[str, Any]]:
    clients: dict[str, Client] = {}
    messages: list[dict[str, str]] = []
    recorded = []
    for who, command, headers, body in steps:
        name, version, client_id = (*who.split(":"), "", "")[:3]
        if name not in clients:
            clients[name] = Client(host, port, version or "1.2", client_id)
        clients[name].send(frame(command, {key: filled(value, messages) for key, value in headers.items()}, body))
        answers = {other: heard for other, client in clients.items() if (heard := client.heard())}
        messages += [a["headers"] for heard in answers.values() for a in heard if a["command"] == "MESSAGE"]
        shown = {other: [_scrubbed(answer) for answer in heard] for other, heard in answers.items()}
        recorded.append({"client": who, "command": command, "headers": headers, "body": body, "answers": shown})
    return recorded


def _scrubbed(answer: dict[str, Any]) -> dict[str, Any]:
    headers = {name: "*" if name in CHANGING else value for name, value in answer["headers"].items()}
    if answer["command"] == "ERROR":
        headers = {name: value for name, value in headers.items() if name == "receipt-id"}
    if headers.get("reply-to", "").startswith("/remote-temp"):
        headers["reply-to"] = "*"
    return {**answer, "headers": headers}


def filled(value: str, messages: list[dict[str, str]]) -> str:
    """Return a header value with what earlier messages have said in the place of `$`."""
    if value == "$reply":
        return messages[-1]["reply-to"]
    if re.fullmatch(r"\$\d+", value):
        message = messages[int(value[1:]) - 1]
        return message.get("ack", message["message-id"])
    return value


def main() -> None:
    host, port = sys.argv[1], int(sys.argv[2])
    print(json.dumps({name: _record(host, port, steps) for name, steps in CONVERSATIONS.items()}, indent=1))


if __name__ == "__main__":
    main()
