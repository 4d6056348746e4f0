"""What the models of a shared subscription's members have in common: who comes, subscribes and reads, whatever the broker does meanwhile.

One member, the anchor, has a session that lasts, so the group does.
"""

from collections import deque
from typing import Final, Generic, TypeVar

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from tests.protocols.mqtt.peer5 import Client5, Packet

SHARED: Final = "$share/g/t"
ANCHOR: Final = "anchor"  # the member that stays
NAMES: Final = (ANCHOR, "b", "c", "d")
PUBACK, PUBREC, PUBCOMP = 0x40, 0x50, 0x70

names = st.sampled_from(NAMES)
others = st.sampled_from(NAMES[1:])


class Box:
    """A client as it knows itself."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.client: Client5 | None = None
        self.persistent = name == ANCHOR
        self.has_session = False
        self.subscribed = False
        self.inbox: deque[Packet] = deque()  # sent and not read
        self.latest = -1  # the latest message that was sent here and to nobody before


B = TypeVar("B", bound=Box)


class GroupMachine(RuleBasedStateMachine, Generic[B]):
    window = 2
    boxes: dict[str, B]

    def connect(self, box: B, *, persistent: bool) -> None:
        """Have a client connect, also where it is connected already."""
        raise AssertionError("the model says how")

    def subscribe(self, box: B, qos: int) -> None:
        raise AssertionError("the model says how")

    def read(self, box: B) -> None:
        """Have a client read the next packet, if there is one, and answer it."""
        raise AssertionError("the model says how")

    @rule(name=names, persistent=st.booleans())
    def comes(self, name: str, persistent: bool) -> None:
        box = self.boxes[name]
        if box.client is None:
            self.connect(box, persistent=persistent or box.has_session or name == ANCHOR)

    @rule(name=names, qos=st.integers(1, 2))
    def subscribes(self, name: str, qos: int) -> None:
        box = self.boxes[name]
        if box.client is not None:
            self.subscribe(box, qos)

    @rule(name=names)
    def is_taken_over(self, name: str) -> None:
        box = self.boxes[name]
        if box.client is not None and box.persistent:
            box.inbox.clear()
            self.connect(box, persistent=True)

    @precondition(lambda self: any(box.inbox for box in self.boxes.values()))
    @rule(name=names, times=st.integers(1, 3))
    def reads(self, name: str, times: int) -> None:
        for _ in range(times):
            self.read(self.boxes[name])

    @invariant()
    def no_more_is_under_way_than_a_member_takes(self) -> None:
        assert all(len(box.inbox) <= self.window for box in self.boxes.values())

    def read_to_the_end(self) -> None:
        while any(box.inbox for box in self.boxes.values()):
            for box in self.boxes.values():
                self.read(box)

    def say_good_bye(self) -> None:
        for box in self.boxes.values():
            if box.client is not None:
                assert not box.client.closed
                box.client.send(b"\xe0\x02\x00\x00")  # DISCONNECT
