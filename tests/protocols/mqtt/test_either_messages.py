"""Messages in both versions: exchanges of each QoS from both sides, packet ids, DUP, retained messages."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.protocols.mqtt.either import VERSIONS, Either, bodies, names
from tests.protocols.world import World

PUBACK, PUBREC, PUBREL, PUBCOMP = 0x40, 0x50, 0x62, 0x70

both = pytest.mark.parametrize("version", VERSIONS)


def pair(world: World, version: int) -> tuple[Either, Either]:
    receiver, sender = Either(world, version, "receiver", clean=False), Either(world, version, "sender")
    receiver.subscribe(("t/#", 2))
    return receiver, sender


@both
@given(packet_id=st.integers(1, 65_535))
def test_answers_have_the_packet_id_of_their_question(version: int, packet_id: int) -> None:
    """[MQTT-2.3.1-6], [MQTT-2.3.1-7], [MQTT-2.2.1-5], [MQTT-2.2.1-6], [MQTT-3.8.4-1], [MQTT-3.8.4-2], [MQTT-3.10.4-4]"""
    client = Either(World(), version)
    assert names(client.subscribe(("a", 0), packet_id=packet_id)) == [("SUBACK", packet_id)]
    assert names(client.publish("t", b"", 1, packet_id)) == [("PUBACK", packet_id)]
    assert names(client.publish("t", b"", 2, packet_id)) == [("PUBREC", packet_id)]
    assert names(client.answer(PUBREL, packet_id)) == [("PUBCOMP", packet_id)]
    assert names(client.unsubscribe("a", packet_id=packet_id)) == [("UNSUBACK", packet_id)]


@both
def test_a_message_of_qos_0_has_no_packet_id_and_no_answer(world: World, version: int) -> None:
    """[MQTT-4.3.1-1], [MQTT-2.3.1-5], [MQTT-2.2.1-2], [MQTT-3.3.1-2], [MQTT-3.3.4-1]"""
    receiver, sender = pair(world, version)
    assert sender.publish("t/a", b"\0\1x") == []
    (message,) = receiver.take()
    assert (message.body, message.qos, message.dup, message.packet_id) == (b"\0\1x", 0, False, 0)


@both
def test_a_message_of_qos_1_is_sent_once_and_kept_until_its_puback(world: World, version: int) -> None:
    """[MQTT-4.3.2-1], [MQTT-4.3.2-2], [MQTT-4.3.2-3], [MQTT-3.3.1-1], [MQTT-4.4.0-1], [MQTT-4.5.0-1]"""
    receiver, sender = pair(world, version)
    sender.publish("t/a", b"1", 1)
    sender.publish("t/a", b"2", 1)
    first, second = receiver.take()
    assert (first.qos, first.dup, second.dup) == (1, False, False)
    assert 0 < first.packet_id != second.packet_id > 0
    receiver.answer(PUBACK, first.packet_id)
    receiver.hang_up()
    receiver = Either(world, version, "receiver", clean=False)
    (again,) = receiver.greeted
    assert (again.body, again.packet_id, again.dup) == (b"2", second.packet_id, True)


@both
def test_a_packet_id_of_qos_1_is_new_once_it_is_acknowledged(world: World, version: int) -> None:
    """[MQTT-4.3.2-2], [MQTT-4.3.2-4], [MQTT-4.3.2-5]: the DUP flag decides nothing."""
    receiver, sender = pair(world, version)
    for dup in (False, True):
        assert names(sender.publish("t/a", b"x", 1, 7, dup=dup)) == [("PUBACK", 7)]
    assert [(message.body, message.dup) for message in receiver.take()] == [(b"x", False)] * 2


@both
def test_a_message_of_qos_2_goes_through_its_steps(world: World, version: int) -> None:
    """[MQTT-4.3.3-1], [MQTT-4.3.3-2], [MQTT-4.3.3-3], [MQTT-4.3.3-4], [MQTT-4.3.3-5], [MQTT-4.3.3-6]"""
    receiver, sender = pair(world, version)
    sender.publish("t/a", b"1", 2)
    (first,) = receiver.take()
    assert (first.qos, first.dup) == (2, False)
    receiver.hang_up()
    receiver = Either(world, version, "receiver", clean=False)
    assert [(said.packet_id, said.dup) for said in receiver.greeted] == [(first.packet_id, True)]
    assert names(receiver.answer(PUBREC, first.packet_id)) == [("PUBREL", first.packet_id)]
    receiver.hang_up()
    receiver = Either(world, version, "receiver", clean=False)
    assert names(receiver.greeted) == [("PUBREL", first.packet_id)]  # and the PUBLISH never again
    assert receiver.answer(PUBCOMP, first.packet_id) == []
    receiver.hang_up()
    assert Either(world, version, "receiver", clean=False).greeted == []


@both
def test_a_message_of_qos_2_is_taken_once_until_it_is_released(world: World, version: int) -> None:
    """[MQTT-4.3.3-2], [MQTT-4.3.3-8], [MQTT-4.3.3-10], [MQTT-4.3.3-11], [MQTT-4.3.3-12]"""
    receiver, sender = pair(world, version)
    for dup in (False, True):
        assert names(sender.publish("t/a", b"x", 2, 7, dup=dup)) == [("PUBREC", 7)]
    assert bodies(receiver.take()) == [b"x"]
    assert names(sender.answer(PUBREL, 7)) == [("PUBCOMP", 7)]
    assert names(sender.publish("t/a", b"y", 2, 7)) == [("PUBREC", 7)]
    assert bodies(receiver.take()) == [b"y"]


@both
def test_packet_ids_are_never_0_and_never_twice_in_use(world: World, version: int) -> None:
    """[MQTT-2.3.1-1], [MQTT-2.3.1-4], [MQTT-2.2.1-4], [MQTT-4.3.2-1], [MQTT-4.3.3-1]"""
    receiver, sender = pair(world, version)
    in_use: set[int] = set()
    for number in range(200):
        sender.publish("t/a", b"x", 1 + number % 2)
        if number % 2:
            sender.answer(PUBREL, 1)
        for message in receiver.take():
            assert message.packet_id not in in_use | {0}
            in_use.add(message.packet_id)
            if message.qos == 1 and number % 3:
                receiver.answer(PUBACK, message.packet_id)
                in_use.remove(message.packet_id)


@both
def test_dup_says_whether_this_packet_was_sent_before(world: World, version: int) -> None:
    """[MQTT-3.3.1-3]"""
    receiver, sender = pair(world, version)
    sender.publish("t/a", b"x", 1, dup=True)
    assert [said.dup for said in receiver.take()] == [False]


@both
@pytest.mark.parametrize("qos", [0, 1, 2])
def test_a_retained_message_takes_the_place_of_the_last_one(world: World, version: int, qos: int) -> None:
    """[MQTT-3.3.1-5], [MQTT-3.3.1-6], [MQTT-3.3.1-7], [MQTT-3.3.1-8]; a message of QoS 0 is kept like any."""
    sender = Either(world, version, "sender")
    sender.publish("t", b"old", 1, retain=True)
    sender.publish("t", b"kept", qos, 2, retain=True)
    _, kept = Either(world, version).subscribe(("t", 2))
    assert (kept.body, kept.qos, kept.retain) == (b"kept", qos, True)


@both
def test_a_message_that_is_not_retained_leaves_the_kept_one_alone(world: World, version: int) -> None:
    """[MQTT-3.3.1-12], [MQTT-3.3.1-8]"""
    sender = Either(world, version, "sender")
    sender.publish("t", b"kept", retain=True)
    sender.publish("t", b"passing")
    sender.publish("t", b"")
    sender.publish("u", b"passing")
    assert bodies(Either(world, version).subscribe(("#", 2))) == [b"kept"]


@both
def test_an_empty_retained_message_is_delivered_and_keeps_nothing(world: World, version: int) -> None:
    """[MQTT-3.3.1-6], [MQTT-3.3.1-7], [MQTT-3.3.1-10], [MQTT-3.3.1-11]"""
    receiver, sender = pair(world, version)
    sender.publish("t", b"kept", retain=True)
    sender.publish("t", b"", retain=True)
    assert bodies(receiver.take()) == [b"kept", b""]
    assert bodies(Either(world, version).subscribe(("t", 2))) == []


@both
@pytest.mark.parametrize("clean", [True, False])
def test_retained_messages_outlive_the_session_that_sent_them(world: World, version: int, clean: bool) -> None:
    """[MQTT-3.1.2-7] of 3.1.1, §4.1 of 5.0"""
    sender = Either(world, version, "sender", clean=clean)
    sender.publish("t", b"kept", retain=True)
    sender.hang_up()
    Either(world, version, "sender").hang_up()
    assert bodies(Either(world, version).subscribe(("t", 2))) == [b"kept"]


@both
@pytest.mark.parametrize("first", [PUBACK, PUBREC, PUBREL, PUBCOMP])
def test_an_acknowledgement_of_nothing_costs_nothing(world: World, version: int, first: int) -> None:
    """A client may have forgotten what it has acknowledged, or the broker may: §4.3 has no error for it in 3.1.1."""
    client = Either(world, version)
    client.answer(first, 9)
    assert not client.closed
    assert names(client.publish("t", b"x", 1, 9)) == [("PUBACK", 9)]
