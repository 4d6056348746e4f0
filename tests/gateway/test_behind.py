"""A machine with more work than fits into its turn: the link has it go on, and reads nothing meanwhile."""

from tests.gateway.rig import rig


def test_a_machine_that_is_behind_goes_on_in_the_next_turns_and_reads_nothing_meanwhile() -> None:
    with rig() as r:
        client, other = r.connect(), r.connect()
        machine = client.machine
        turns: list[int] = []

        def fall_behind(_: bytes) -> None:
            machine.behind = True

        def go_on() -> None:
            turns.append(len(machine.received))
            machine.behind = len(turns) < 3
            other.machine.write(b"turn")

        machine.on_receive = fall_behind
        machine.go_on = go_on  # type: ignore[method-assign]
        client.sock.send(b"much work")
        r.turn()
        client.sock.send(b"more")
        r.settle()
        assert (turns, machine.received) == ([1, 1, 1], [b"much work"])
        r.settle()  # its socket is watched again
        assert machine.received == [b"much work", b"more"]
        assert other.read(12) == b"turn" * 3


def test_a_bug_in_a_machine_that_is_behind_costs_its_connection_only() -> None:
    with rig() as r:
        client = r.connect()
        machine = client.machine

        def fall_behind(_: bytes) -> None:
            machine.behind = True

        def go_on() -> None:
            raise ZeroDivisionError

        machine.on_receive = fall_behind
        machine.go_on = go_on  # type: ignore[method-assign]
        client.send(b"x")
        assert client.has_ended()
        assert r.broker.counters.internal_errors == 1
