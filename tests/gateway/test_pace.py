"""How much one connection may say in a turn: as much as keeps the others from waiting."""

from gateway.pace import CHUNK_LIMIT_S, FIRST_RECEIVE_BYTES, LEAST_RECEIVE_BYTES, RECEIVE_BYTES, paced
from tests.gateway.rig import Rig, rig


def test_whoever_gives_little_work_is_soon_given_a_full_chunk() -> None:
    asked, chunks = FIRST_RECEIVE_BYTES, 0
    while asked < RECEIVE_BYTES:
        asked = paced(asked, asked, CHUNK_LIMIT_S / 10)
        chunks += 1
    assert chunks <= 5
    assert paced(asked, asked, CHUNK_LIMIT_S / 10) == RECEIVE_BYTES


def test_whoever_gives_too_much_work_is_given_what_fits() -> None:
    assert paced(RECEIVE_BYTES, 60_000, 10 * CHUNK_LIMIT_S) == 6_000
    assert paced(RECEIVE_BYTES, 100, 100 * CHUNK_LIMIT_S) == LEAST_RECEIVE_BYTES


def test_a_chunk_that_was_not_full_earns_nothing() -> None:
    """Else a client could say something harmless ten times before each blow."""
    assert paced(1_000, 999, 0.0) == 1_000
    assert paced(1_000, 1_000, CHUNK_LIMIT_S * 0.7) == 1_000


def _largest_chunk(r: Rig, spent_s: float) -> int:
    now = 0.0

    def stopwatch() -> float:
        nonlocal now
        now += spent_s
        return now

    r.reactor.wiring.stopwatch = stopwatch
    client = r.connect()
    client.machine.on_receive = lambda data: None
    for _ in range(20):
        client.send(bytes(RECEIVE_BYTES))
    return len(client.machine.received[-1])


def test_a_link_asks_for_as_much_as_its_work_allows() -> None:
    with rig() as r:
        assert _largest_chunk(r, CHUNK_LIMIT_S * 50) <= LEAST_RECEIVE_BYTES
        assert _largest_chunk(r, CHUNK_LIMIT_S / 50) == RECEIVE_BYTES
