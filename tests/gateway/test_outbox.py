"""Output that the kernel has not taken yet."""

from hypothesis import given
from hypothesis import strategies as st

from gateway.outbox import SEGMENT_BYTES, Outbox


@given(st.lists(st.one_of(st.binary(max_size=9), st.integers(0, 12)), max_size=40), st.binary(max_size=9))
def test_an_outbox_is_a_line_of_bytes(steps: list[bytes | int], first: bytes) -> None:
    outbox = Outbox()
    outbox.put_rest(b"sent" + first, 4)
    expected, sent = bytearray(first), bytearray()
    for step in steps:
        if isinstance(step, bytes):
            outbox.put([step[:2], step[2:]])
            expected += step
        else:
            view = outbox.next_bytes()[:step]
            sent += view
            outbox.advance(len(view))
        assert outbox.size == len(expected) - len(sent)
    while outbox.size:
        view = outbox.next_bytes()
        sent += view
        outbox.advance(len(view))
    assert sent == expected


def test_an_outbox_joins_small_parts_and_leaves_large_ones_whole() -> None:
    outbox = Outbox()
    large = bytes(2 * SEGMENT_BYTES)
    outbox.put([b"a" * (SEGMENT_BYTES - 1), b"b", b"c", large, b"d"])
    sizes = []
    while outbox.size:
        view = outbox.next_bytes()
        sizes.append(len(view))
        outbox.advance(len(view))
    assert sizes == [SEGMENT_BYTES, 1, SEGMENT_BYTES, SEGMENT_BYTES, 1]
