"""The AMQP work: what is sent in which turn, and that only what was announced is matched, answered and counted."""

import re
import socket
from collections import deque

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.load import amqp_frames as frames
from bench.load.amqp import AmqpDrain, AmqpKeySource
from bench.load.amqp_churn import Churner, Step
from bench.load.amqp_exchange_work import other_key
from bench.load.body import body
from bench.load.fan_in import TurnSource
from bench.load.link import Source, WorkError

SIZE = 64


def received(far: socket.socket) -> bytes:
    far.setblocking(False)
    try:
        return far.recv(1 << 16)
    except BlockingIOError:
        return b""


@given(st.lists(st.integers(1, 8), max_size=12))
def test_messages_with_different_keys_go_out_in_turn_whatever_the_windows(counts: list[int]) -> None:
    near, far = socket.socketpair()
    messages = [frames.publish("x", f"k{number}", body(SIZE), 1) for number in range(8)]
    source = AmqpKeySource(near, messages, SIZE)
    for count in counts:
        source.publish(count)
    assert received(far) == b"".join([messages[number % 8] for number in range(sum(counts))])
    assert source.sent == source.confirmed == sum(counts)
    far.close()
    source.close()


def test_publishers_take_turns_with_a_share_each() -> None:
    publication = frames.publish("", "q", body(SIZE), 1)
    pairs = [socket.socketpair() for _ in range(3)]
    line: deque[Source] = deque()
    for near, _ in pairs:
        TurnSource(near, publication, SIZE, 2, line)
    assert [line.popleft().publish_share() for _ in range(4)] == [2, 2, 2, 2]
    assert [received(far) for _, far in pairs] == [publication * 4, publication * 2, publication * 2]
    for near, far in pairs:
        near.close()
        far.close()


def test_a_consumer_of_a_small_window_acknowledges_more_often() -> None:
    near, far = socket.socketpair()
    one = frames.publish("", "q", body(SIZE), 1)  # a delivery in all but its method
    drain = AmqpDrain(near, len(one), SIZE, 8)
    far.sendall(one * 16)
    drain.readable()
    assert received(far) == frames.ack_up_to(8) + frames.ack_up_to(16)
    far.close()
    drain.close()


@given(st.integers(1, 100_000), st.integers(0, 99_999))
def test_no_other_binding_matches_a_key_that_is_published(number: int, key: int) -> None:
    words = [{"*": "[^.]*", "#": ".*"}.get(word, re.escape(word)) for word in other_key(number).split(".")]
    assert not re.fullmatch(r"\.".join(words), f"bench.0.k{key:05}")


def churner() -> tuple[Churner, socket.socket]:
    near, far = socket.socketpair()
    return Churner(near, [Step([b"open"], [b"opened"]), Step([b"close"], [b"closed"])]), far


@given(st.integers(1, 6))
def test_a_request_goes_out_when_the_one_before_is_answered_however_the_answer_is_cut(cut: int) -> None:
    link, far = churner()
    link.begin()
    asked = [received(far)]
    for answer in (b"opened", b"closed"):
        for piece in (answer[:cut], answer[cut:]):
            if piece:
                far.setblocking(True)
                far.sendall(piece)
                link.readable()
        asked.append(received(far))
    assert asked == [b"open", b"close", b"open"]
    assert link.rounds == 1
    far.close()
    link.close()


def test_a_round_is_finished_before_it_ends() -> None:
    link, far = churner()
    link.begin()
    link.ending = True
    idle: list[bool] = []
    for answer in (b"opened", b"closed"):
        far.sendall(answer)
        link.readable()
        idle.append(link.idle)
    assert idle == [False, True]
    assert received(far) == b"openclose"
    far.close()
    link.close()


def test_another_answer_ends_the_run() -> None:
    link, far = churner()
    link.begin()
    far.sendall(b"closed")
    with pytest.raises(WorkError, match="request 0 was answered b'closed'"):
        link.readable()
    far.close()
    link.close()


@given(st.permutations([b"opened 2", b"opened 3", b"opened 4"]))
def test_what_is_asked_at_once_may_be_answered_in_any_order(answers: list[bytes]) -> None:
    step = Step([b"2", b"3", b"4"], [b"opened 2", b"opened 3", b"opened 4"])
    assert step.request == b"234"
    assert step.answered(b"".join(answers))


@given(st.lists(st.sampled_from([b"opened 2", b"opened 3", b"closed 2"]), min_size=1, max_size=3))
def test_each_request_has_an_answer_of_its_own(answers: list[bytes]) -> None:
    step = Step([b"2", b"3"], [b"opened 2", b"opened 3"])
    assert step.answered(b"".join(answers)) == (sorted(answers) == [b"opened 2", b"opened 3"])


def test_a_round_counts_everything_that_was_asked_at_once() -> None:
    near, far = socket.socketpair()
    link = Churner(near, [Step([b"open 2", b"open 3"], [b"opened 2", b"opened 3"])])
    link.begin()
    link.ending = True
    far.sendall(b"opened 3opened 2")
    link.readable()
    assert (link.rounds, link.idle) == (2, True)
    far.close()
    link.close()
