"""Sessions of MQTT 5.0: flow control, what is sent again, failures that a client reports, and wills that wait."""

import pytest

from tests.protocols.mqtt.peer import Answer, Client, Publish
from tests.protocols.mqtt.peer5 import Client5, Packet, Will5, ack, disconnect5
from tests.protocols.world import World


def bodies(said: list[Packet]) -> list[bytes]:
    return [packet.body for packet in said if packet.name == "PUBLISH"]


def test_no_more_is_under_way_than_the_client_takes(world: World) -> None:
    """[MQTT-3.3.4-9], [MQTT-4.9.0-1], [MQTT-4.9.0-2]"""
    receiver, sender = Client5(world, "receiver", receive_maximum=2), Client5(world, "sender")
    receiver.subscribe(("t", 2))
    for number, qos in enumerate((1, 2, 1, 1)):
        sender.publish("t", b"%d" % number, qos)
    sender.publish("t", b"free")
    first, second, free = receiver.take()
    assert bodies([first, second, free]) == [b"0", b"1", b"free"]
    assert bodies(receiver.send(ack(0x40, first.packet_id))) == [b"2"]
    assert bodies(receiver.send(ack(0x50, second.packet_id))) == []  # it counts until PUBCOMP
    assert bodies(receiver.send(ack(0x70, second.packet_id))) == [b"3"]


def test_what_is_sent_again_keeps_to_the_limit_too(world: World) -> None:
    """[MQTT-3.3.4-9], [MQTT-4.4.0-1], [MQTT-4.6.0-1]"""
    receiver, sender = Client5(world, "receiver", session_expiry=60), Client5(world, "sender")
    receiver.subscribe(("t", 2))
    for number, qos in enumerate((2, 1, 2, 1, 1)):
        sender.publish("t", b"%d" % number, qos)
    released = receiver.take()[0].packet_id
    receiver.send(ack(0x50, released))
    receiver.hang_up()
    sender.publish("t", b"new", 1)
    receiver = Client5(world, "receiver", clean=False, session_expiry=60, receive_maximum=2)
    pubrel, again = receiver.greeted
    assert (pubrel.name, pubrel.packet_id) == ("PUBREL", released)
    assert (again.body, again.dup) == (b"1", True)
    (two,) = receiver.send(ack(0x70, released))
    assert (two.body, two.qos, two.dup) == (b"2", 2, True)
    (three,) = receiver.send(ack(0x40, again.packet_id))
    assert (three.body, three.dup) == (b"3", True)
    assert bodies(receiver.send(ack(0x50, two.packet_id))) == []
    (four,) = receiver.send(ack(0x70, two.packet_id))
    assert (four.body, four.dup) == (b"4", True)
    (new,) = receiver.send(ack(0x40, three.packet_id))
    assert (new.body, new.dup) == (b"new", False)
    assert receiver.send(ack(0x40, four.packet_id), ack(0x40, new.packet_id)) == []
    assert world.broker.surroundings.usage.held_bytes == 0


@pytest.mark.parametrize(("qos", "first"), [(1, 0x40), (2, 0x50)])
def test_a_message_that_the_client_refuses_is_not_sent_again(world: World, qos: int, first: int) -> None:
    """[MQTT-4.3.3-4]; MQTT 5.0 §4.3.3"""
    receiver, sender = Client5(world, "receiver", session_expiry=60, receive_maximum=1), Client5(world, "sender")
    receiver.subscribe(("t", 2))
    sender.publish("t", b"refused", qos)
    sender.publish("t", b"next", qos)
    (message,) = receiver.take()
    assert bodies(receiver.send(ack(first, message.packet_id, 0x97))) == [b"next"]
    assert world.broker.counters.dropped == {"rejected": 1}
    receiver.hang_up()
    assert bodies(Client5(world, "receiver", clean=False).greeted) == [b"next"]


@pytest.mark.parametrize(("first", "code"), [(0x40, 0x92), (0x50, 0x01), (0x62, 0x10), (0x70, 0x80)])
def test_an_acknowledgement_has_the_codes_that_it_has(world: World, first: int, code: int) -> None:
    client = Client5(world)
    assert [said.codes for said in client.send(ack(first, 1, code))] == [b"\x82"]


def test_a_will_comes_with_its_properties(world: World) -> None:
    """[MQTT-3.1.2-8], [MQTT-3.1.2-14]"""
    watcher = Client5(world, "watcher")
    watcher.subscribe(("w", 1))
    said = {
        "content_type": "x",
        "response_topic": "r",
        "correlation_data": b"c",
        "user": [("a", "b")],
        "payload_format": 1,
    }
    will = Will5("w", b"gone", 1, True, {**said, "message_expiry": 30})
    Client5(world, will=will).hang_up()
    (message,) = watcher.take()
    assert (message.body, message.qos, message.said) == (b"gone", 1, {"message_expiry": 30, **said})
    world.advance(10)
    assert Client5(world, "late").subscribe(("w", 0))[0].said["message_expiry"] == 20


@pytest.mark.parametrize(("code", "sent"), [(0x00, False), (0x04, True), (0x80, True)])
def test_a_client_may_leave_with_its_will(world: World, code: int, sent: bool) -> None:
    """[MQTT-3.14.4-3]; MQTT 5.0 §3.14.2.1"""
    watcher = Client5(world, "watcher")
    watcher.subscribe(("w", 0))
    Client5(world, will=Will5("w", b"gone")).send(disconnect5(code))
    assert bodies(watcher.take()) == [b"gone"] * sent


def watched(world: World, delay_s: int, expiry_s: int) -> tuple[Client5, Client5]:
    watcher = Client5(world, "watcher")
    watcher.subscribe(("w", 0))
    will = Will5("w", b"gone", said={"will_delay": delay_s})
    return watcher, Client5(world, will=will, session_expiry=expiry_s)


@pytest.mark.parametrize(("delay_s", "expiry_s", "after_s"), [(10, 60, 10), (60, 10, 10), (10, 0, 0), (0, 60, 0)])
def test_a_will_waits_as_long_as_its_delay_or_its_session(
    world: World, delay_s: int, expiry_s: int, after_s: int
) -> None:
    """[MQTT-3.1.2-8]; MQTT 5.0 §3.1.3.2.2"""
    watcher, client = watched(world, delay_s, expiry_s)
    client.hang_up()
    if after_s:
        world.advance(after_s - 1)
        assert watcher.take() == []
        world.advance(1)
    assert bodies(watcher.take()) == [b"gone"]
    world.advance(100)
    assert watcher.take() == []


@pytest.mark.parametrize("taken_over", [False, True])
def test_a_client_that_comes_back_in_time_is_not_reported(world: World, taken_over: bool) -> None:
    """[MQTT-3.1.3-9]"""
    watcher, client = watched(world, 10, 60)
    if not taken_over:
        client.hang_up()
        world.advance(9)
    assert Client5(world, clean=False, session_expiry=60).connack.present
    world.advance(100)
    assert watcher.take() == []


def test_wills_that_wait_have_a_limit_all_together(world: World) -> None:
    watcher = Client5(world, "watcher")
    watcher.subscribe(("w", 0))
    usage = world.broker.surroundings.usage
    before = usage.defined_bytes
    said = {"will_delay": 10}
    Client5(world, "kept", will=Will5("w", b"kept", said=said), session_expiry=60).hang_up()
    assert watcher.take() == []
    assert usage.defined_bytes > before
    usage.limit_bytes = usage.defined_bytes + 3_000
    Client5(world, "no-room", will=Will5("w", b"x" * 3_000, said=said), session_expiry=60).hang_up()
    assert bodies(watcher.take()) == [b"x" * 3_000]
    world.advance(10)
    assert bodies(watcher.take()) == [b"kept"]
    assert usage.defined_bytes == before


def test_a_clean_start_ends_the_session_that_a_will_waits_for(world: World) -> None:
    """[MQTT-3.1.4-3]; MQTT 5.0 §3.1.3.2.2"""
    watcher, client = watched(world, 10, 60)
    client.hang_up()
    Client5(world, clean=True)
    assert bodies(watcher.take()) == [b"gone"]


def test_a_session_that_an_older_client_left_is_found(world: World) -> None:
    older = Client(world, clean=False)
    older.subscribe(("t", 1))
    older.hang_up()
    Client(world, "sender").publish("t", b"x", 1)
    newer = Client5(world, clean=False)
    assert newer.connack.present
    assert bodies(newer.greeted) == [b"x"]
    newer.hang_up()
    assert Client(world, clean=False).connack == b"\0\0"  # the newer one asked for no expiry


def test_retain_as_published_means_nothing_to_an_older_client(world: World) -> None:
    Client5(world, session_expiry=60).send(b"\x82\x07\x00\x01\x00\x00\x01t\x09")
    world.wires[0].hang_up()
    older = Client(world, clean=False)
    Client5(world, "sender").publish("t", b"x", 1, retain=True)
    assert [said.retain for said in older.take() if isinstance(said, Publish)] == [False]
    assert not [said for said in older.take() if isinstance(said, Answer)]
