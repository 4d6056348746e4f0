"""Who waits for a hash: one line for each host, served in turn, none without an end."""

from gateway.link import Link
from gateway.logins import LINE_LIMIT, Candidate, Lines
from tests.gateway.rig import Client, Rig, rig


def candidate(client: Client, host: str, name: str) -> Candidate:
    client.link.peer.address = f"{host}:1"
    client.link._login_pending = True
    return Candidate(client.link, name, b"")


def served(lines: Lines) -> list[str]:
    names: list[str] = []
    while (found := lines.next()) is not None:
        names.append(found.username)
    return names


def waiting(r: Rig, lines: Lines, host: str, *names: str) -> list[Link]:
    links: list[Link] = []
    for name in names:
        client = r.connect()
        assert lines.add(candidate(client, host, name))
        links.append(client.link)
    return links


def test_the_hosts_take_turns_and_each_is_served_in_order() -> None:
    with rig() as r:
        lines = Lines()
        waiting(r, lines, "1.1.1.1", "a1", "a2", "a3")
        waiting(r, lines, "[::2]", "b1")
        waiting(r, lines, "3.3.3.3", "c1", "c2")
        assert lines.count == 6
        assert served(lines) == ["a1", "b1", "c1", "a2", "c2", "a3"]
        assert lines.count == 0


def test_whoever_is_gone_is_not_served() -> None:
    with rig() as r:
        lines = Lines()
        waiting(r, lines, "1.1.1.1", "a1", "a2")[0].abort()
        assert served(lines) == ["a2"]


def test_a_line_has_an_end_and_other_hosts_still_find_room() -> None:
    with rig() as r:
        lines = Lines()
        one = candidate(r.connect(), "1.1.1.1", "one")
        assert all(lines.add(one) for _ in range(LINE_LIMIT))
        assert not lines.add(one)
        waiting(r, lines, "2.2.2.2", "another")
        names = [lines.next(), lines.next()]
        assert [found.username for found in names if found is not None] == ["one", "another"]
