"""Mosquitto's packet cases: reads them, plays one against a machine, and tells how the answer differs.

The data is not ours to copy: it is looked for in the folder that MOSQUITTO_CASES names, or beside the project.
"""

import json
import os
import re
from pathlib import Path
from typing import Any, Final, NamedTuple

from protocols.connection import Connection
from protocols.mqtt.connection import MqttConnection
from tests.protocols.mqtt.peer import frame, publish
from tests.protocols.world import ReadOutlet, Wire, World

BESIDE: Final = Path(__file__).parents[4] / "shared" / "vectors" / "mosquitto"
FOLDER: Final = Path(os.environ.get("MOSQUITTO_CASES", BESIDE))
COUNT: Final = 1_826

TOKEN: Final = re.compile(r"'([^']*)'|(\S+)")
NUMBER_BYTES: Final = {"i": 1, "H": 2, "k": 2, "m": 2, "s": 2, "L": 4}
PINGREQ: Final = b"\xc0\x00"
PINGRESP: Final = b"\xd0\x00"


class Case(NamedTuple):
    """One case; `name` is unique."""

    name: str
    client_id: str
    level: int
    connects: bool
    ends: bool
    steps: list[dict[str, Any]]


def cases() -> list[Case]:
    """Return all cases, or none where the data is absent."""
    found: list[Case] = []
    seen: dict[str, int] = {}
    for file in sorted(FOLDER.glob("*.json")):
        for group in json.loads(file.read_text()):
            for test in group["tests"]:
                said = {"ver": 4, "connect": True, "expect_disconnect": True, **group, **test}
                name = f"{file.stem}: {' '.join(group['group'].split())}: {test['name']}"
                seen[name] = seen.get(name, 0) + 1
                if seen[name] > 1:
                    name = f"{name} ({seen[name]})"
                client_id = f"{group['group']} {test['name']}"
                found.append(
                    Case(name, client_id, said["ver"], said["connect"], said["expect_disconnect"], test["msgs"])
                )
    return found


def payload(text: str) -> bytes:
    """Return the bytes that a payload stands for."""
    data = b""
    for quoted, word in TOKEN.findall(text):
        if not word:
            data += quoted.encode()
        elif word[0] in NUMBER_BYTES and word[1:].isdigit():
            data += int(word[1:]).to_bytes(NUMBER_BYTES[word[0]], "big")
        elif word[0] in "vr" and word[1:].isdigit():
            data += variable(int(word[1:]))
        else:
            data += bytes.fromhex(word)
    return data


def variable(value: int) -> bytes:
    data = b""
    while value > 127:
        data += bytes([value % 128 + 128])
        value //= 128
    return data + bytes([value])


def connect(client_id: str, level: int) -> bytes:
    name = b"\x00\x06MQIsdp" if level == 3 else b"\x00\x04MQTT"
    properties = b"\x00" if level == 5 else b""
    raw = client_id.encode()
    return frame(0x10, name + bytes([level, 2, 0, 60]) + properties + len(raw).to_bytes(2, "big") + raw)


def packets(data: bytes, level: int) -> list[bytes]:
    """Cut bytes into packets, without what a broker may choose: the properties of CONNACK, reasons in words."""
    found: list[bytes] = []
    while data:
        at, length, shift = 1, 0, 0
        while at < len(data):
            length |= (data[at] & 127) << shift
            shift, at = shift + 7, at + 1
            if data[at - 1] < 128:
                break
        found.append(_without_choices(data[0], data[at : at + length], level))
        data = data[at + length :]
    return found


def _without_choices(first: int, rest: bytes, level: int) -> bytes:
    if first == 0x20:
        return bytes([first]) + rest[:2]
    if level == 5:
        if first == 0xE0:
            rest = rest[:1]
        elif first in {0x40, 0x50, 0x62, 0x70}:
            rest = rest[:3]
    return bytes([first]) + rest


class AnybodysOutlet(ReadOutlet):
    """Lets everybody in, as the broker that the cases were written for."""

    def login(self, connection: Connection, username: str, password: bytes | None) -> None:
        connection.logged_in(self.world.broker.users["guest"], "")


class Play:
    """One case on its way."""

    def __init__(self, case: Case) -> None:
        self.case = case
        self.world = World()
        self.wire: Wire[MqttConnection] = self.world.connect(MqttConnection)
        self.wire.connection.outlet = self.wire.outlet = AnybodysOutlet(self.world)
        self.said: list[bytes] = []

    def send(self, data: bytes) -> None:
        self.said += packets(self.wire.send(data), self.case.level)

    def difference(self) -> str:
        """Return how the broker answers differently, or nothing."""
        case = self.case
        if case.connects:
            self.send(connect(case.client_id, case.level))
            if self.said.pop(0)[2:3] != b"\x00":
                return "CONNECT is refused"
        for step in case.steps:
            wrong = self.step(step)
            if wrong:
                return wrong
        if case.ends:
            return "" if self.wire.closed else f"stays open, and says {[said.hex() for said in self.said]}"
        if self.wire.closed:
            return f"closes, and says {[said.hex() for said in self.said]}: {self.wire.outlet.notes}"
        self.send(PINGREQ)
        return "" if self.said == [PINGRESP[:1]] else f"says more: {[said.hex() for said in self.said]}"

    def step(self, step: dict[str, Any]) -> str:
        """Play one step; what differs, or nothing."""
        kind = step["type"]
        if kind == "send":
            self.send(payload(step["payload"]))
        elif kind == "recv":
            for expected in packets(payload(step["payload"]), self.case.level):
                if not self.said:
                    return f"says nothing instead of {expected.hex()}: {self.wire.outlet.notes}"
                got = self.said.pop(0)
                if got != expected:
                    return f"says {got.hex()} instead of {expected.hex()}: {self.wire.outlet.notes}"
        elif kind == "external_publish":
            self.publish_from_outside(step)
        else:
            self.subscribe(kind, step)
        return ""

    def publish_from_outside(self, step: dict[str, Any]) -> None:
        other = self.world.connect(MqttConnection)
        other.send(connect("another", 4))
        qos = step.get("qos", 0)
        other.send(publish(step["topic"], step.get("payload", "").encode(), qos, retain=step.get("retain", False)))
        if qos == 2:
            other.send(b"\x62\x02\x00\x01")
        self.said += packets(self.wire.take(), self.case.level)

    def subscribe(self, kind: str, step: dict[str, Any]) -> None:
        topic = step["topic"].encode()
        properties = b"\x00" if self.case.level == 5 else b""
        rest = b"\x00\x01" + properties + len(topic).to_bytes(2, "big") + topic
        if kind == "subscribe":
            self.send(frame(0x82, rest + bytes([step.get("qos", 0)])))
        else:
            self.send(frame(0xA2, rest))
        self.said.pop(0)
