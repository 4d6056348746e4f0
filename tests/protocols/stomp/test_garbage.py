"""Any octets at any state end in octets and calls, never in an exception; and nothing is left behind."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocols.stomp.connection import StompConnection
from protocols.stomp.dialect import DIALECTS, Dialect
from tests.protocols.stomp.peer import VERSIONS, StompPeer, answers
from tests.protocols.world import World

PIECES = (
    b"\n\n",
    b"\r\n",
    b"\0",
    b"\\c",
    b"\\",
    b"CONNECT\naccept-version:1.2\n\n\0",
    b"STOMP\naccept-version:1.1,1.2\nheart-beat:10,10\nlogin:guest\npasscode:guest\n\n\0",
    b"SEND\n",
    b"SEND\ndestination:/queue/q\n\nx\0",
    b"SEND\ndestination:/topic/a.b,/queue/q\ncontent-length:3\nreceipt:r\n\na\0b\0",
    b"SEND\ndestination:/queue/q\nreply-to:/temp-queue/t\nexpires:1\n\n\0",
    b"SEND\ndestination:/queue/q\ntransaction:t\n\nx\0",
    b"SUBSCRIBE\nid:1\ndestination:/queue/q\nack:client\n\n\0",
    b"SUBSCRIBE\nid:2\ndestination:/topic/a.#\n\n\0",
    b"SUBSCRIBE\ndestination:/temp-queue/t\n\n\0",
    b"UNSUBSCRIBE\nid:1\n\n\0",
    b"ACK\nid:T_1@@session-unique-1@@1\n\n\0",
    b"ACK\nid:T_1@@session-unique-1@@2\nmessage-id:T_1@@session-unique-1@@2\ntransaction:t\n\n\0",
    b"NACK\nmessage-id:T_1@@session-unique-1@@1\nsubscription:1\n\n\0",
    b"NACK\nid:T_1@@session-unique-1@@1\nmessage-id:T_1@@session-unique-1@@1\ndelay:500\n\n\0",
    b"NACK\nid:ID\\csession-unique-1\\c1\\c1\nmessage-id:ID:session-unique-1:1:1\n\n\0",
    b"NACK\nid:ID\\csession-unique-1\\c1\\c1\ntransaction:t\ndelay:500\nrequeue:true\n\n\0",
    b"SUBSCRIBE\nid:3\ndestination:/queue/q.*\nack:client\nactivemq.prefetchSize:2\n\n\0",
    b"SUBSCRIBE\nid:4\ndestination:/queue/q,/topic/a.b,/temp-topic/t\nack:client-individual\n\n\0",
    b"SUBSCRIBE\nid:5\ndestination:/queue/q\nbrowser:true\n\n\0",
    b"SUBSCRIBE\nid:6\ndestination:/topic/a.#\nack:client\nselector:n > 1 OR n IS NULL\n\n\0",
    b"UNSUBSCRIBE\nid:4\n\n\0",
    b"SEND\ndestination:/queue/q.a,/temp-topic/t\nn:2\n\nx\0",
    b"BEGIN\ntransaction:t\n\n\0",
    b"COMMIT\ntransaction:t\n\n\0",
    b"ABORT\ntransaction:t\n\n\0",
    b"content-length:5\n",
    b"receipt:x\n",
    b"DISCONNECT\nreceipt:z\n\n\0",
)

chunks = st.lists(st.sampled_from(PIECES) | st.binary(min_size=1, max_size=20), min_size=1, max_size=14)


def check_nothing_is_left(world: World) -> None:
    for wire in world.wires:
        wire.hang_up()
        assert not wire.outlet.failures
        answers(wire.take().lstrip(b"\n"))
    world.advance(1)  # what was held back is there again
    vhost = world.broker.vhosts["/"]
    assert set(vhost.queues) <= {"q", "q.a", "q.*", "ActiveMQ.DLQ"}
    assert not vhost.exchanges["amq.topic"].bindings
    assert len(vhost.default_exchange.bindings) == len(vhost.queues)
    assert vhost.watchers._patterns.size == 0
    for queue in vhost.queues.values():
        assert not queue.consumers
        assert queue.unsettled_count == 0
        queue.purge()
    assert world.broker.surroundings.usage.held_bytes == 0


@given(chunks)
def test_any_octets_before_the_login(data: list[bytes]) -> None:
    world = World()
    wire = world.connect(StompConnection)
    for chunk in data:
        answers(wire.send(chunk))
    check_nothing_is_left(world)


@pytest.mark.parametrize("dialect", DIALECTS, ids=lambda dialect: dialect.name)
@pytest.mark.parametrize("version", VERSIONS)
@given(data=chunks)
def test_any_octets_after_the_login(version: str, dialect: Dialect, data: list[bytes]) -> None:
    world = World()
    peer = StompPeer(world, version, dialect=dialect)
    peer.say("BEGIN", {"transaction": "u"})
    for chunk in data:
        answers(peer.wire.send(chunk))
        world.advance(0.01)
    check_nothing_is_left(world)


@given(st.lists(st.sampled_from(PIECES), min_size=1, max_size=12), st.data())
def test_what_is_answered_does_not_depend_on_the_chunks(pieces: list[bytes], data: st.DataObject) -> None:
    """Frame for frame; only what queues hand over between batches may come at another time."""
    stream = b"".join(pieces)
    cuts = sorted(data.draw(st.lists(st.integers(1, len(stream)), max_size=6)))
    outputs = []
    for ends in ([len(stream)], [*cuts, len(stream)], list(range(1, len(stream) + 1))):
        peer = StompPeer(World())
        output, start = b"", 0
        for end in ends:
            if end > start:
                output += peer.wire.send(stream[start:end])
                start = end
        found = answers(output)
        outputs.append(([a.command for a in found if a.command != "MESSAGE"], peer.closed))
    assert outputs[0] == outputs[1] == outputs[2]
