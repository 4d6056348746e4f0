"""Confirms: whatever the order in which fates become known, a client learns each exactly, and few frames are written."""

from hypothesis import given
from hypothesis import strategies as st
from pamqp import commands

from protocols.amqp.confirms import Confirms
from protocols.amqp.frames import Framing
from tests.protocols.amqp.peer import decoded

ONE = Framing(1, 131_072)


class Client:
    """Keeps the books as clients do: an ack with `multiple` covers everything up to it that is still open."""

    def __init__(self, published: int) -> None:
        self.open = set(range(1, published + 1))
        self.accepted: set[int] = set()
        self.refused: set[int] = set()
        self.frames = 0

    def read(self, payloads: list[bytes]) -> None:
        for payload in payloads:
            ((_, method),) = decoded(ONE.method(payload))
            self.frames += 1
            tag = method.delivery_tag
            covered = {number for number in self.open if number <= tag} if method.multiple else {tag} & self.open
            self.open -= covered
            if isinstance(method, commands.Basic.Ack):
                self.accepted |= covered
            else:
                self.refused |= covered


class Sequencer(Client):
    """Keeps them as the Go client does: told in order, and an ack with `multiple` is for all that is not told yet."""

    def __init__(self, published: int) -> None:
        super().__init__(published)
        self.next = 1
        self.kept: dict[int, bool] = {}

    def read(self, payloads: list[bytes]) -> None:
        for payload in payloads:
            ((_, method),) = decoded(ONE.method(payload))
            accepted = isinstance(method, commands.Basic.Ack)
            self.frames += 1
            if method.multiple:
                while self.next <= method.delivery_tag:
                    self.kept.pop(self.next, None)
                    self.tell(accepted)
            else:
                self.kept[method.delivery_tag] = accepted
            while self.next in self.kept:
                self.tell(self.kept.pop(self.next))

    def tell(self, accepted: bool) -> None:
        (self.accepted if accepted else self.refused).add(self.next)
        self.open.discard(self.next)
        self.next += 1


@given(st.permutations(range(1, 10)), st.sets(st.integers(1, 9)), st.sets(st.integers(0, 9)))
def test_no_client_takes_a_refusal_for_an_acceptance(order: list[int], refused: set[int], batch_ends: set[int]) -> None:
    confirms, client = Confirms(), Sequencer(len(order))
    for step, tag in enumerate(order):
        confirms.settle(tag, accepted=tag not in refused)
        if step in batch_ends:
            client.read(confirms.take())
    client.read(confirms.take())
    assert (client.accepted, client.refused) == (set(order) - refused, set(order) & refused)


@given(st.data())
def test_every_fate_is_told_once_and_rightly(data: st.DataObject) -> None:
    count = data.draw(st.integers(0, 12))
    order = data.draw(st.permutations(range(1, count + 1)))
    refused = data.draw(st.sets(st.integers(1, 12)))
    batch_ends = data.draw(st.sets(st.integers(0, 12)))
    confirms, client = Confirms(), Client(count)
    for step, tag in enumerate(order):
        confirms.settle(tag, accepted=tag not in refused)
        if step in batch_ends:
            client.read(confirms.take())
            known = set(order[: step + 1])
            assert client.accepted == known - refused
            assert client.refused == known & refused
    client.read(confirms.take())
    assert client.open == set()
    assert client.accepted == set(order) - refused
    assert confirms.take() == []


def test_a_refusal_ends_a_run() -> None:
    confirms = Confirms()
    for tag in range(1, 8):
        confirms.settle(tag, accepted=tag not in {3, 6})
    said = [decoded(ONE.method(payload))[0][1] for payload in confirms.take()]
    assert [(method.name, method.delivery_tag, method.multiple) for method in said] == [
        ("Basic.Ack", 2, True),
        ("Basic.Nack", 3, False),
        ("Basic.Ack", 5, True),
        ("Basic.Nack", 6, False),
        ("Basic.Ack", 7, False),
    ]


def test_a_batch_without_gaps_is_one_frame() -> None:
    confirms, client = Confirms(), Client(1_000)
    for tag in range(1, 1_001):
        confirms.settle(tag, accepted=True)
    client.read(confirms.take())
    assert (client.frames, len(client.accepted)) == (1, 1_000)
