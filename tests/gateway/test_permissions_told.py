"""How links pass on that permissions have changed: what the machine says is sent in the same turn, a bug costs one link."""

from core.access import User
from core.broker import Broker
from protocols.connection import Outlet, Peer
from tests.gateway.rig import Puppet, Rig, rig

USER = User("ada")


class Listener(Puppet):
    """Writes down what it hears, and goes when it is told so."""

    def __init__(self, broker: Broker, outlet: Outlet, peer: Peer) -> None:
        super().__init__(broker, outlet, peer)
        self.heard: list[str] = []

    def permissions_changed(self, user: User, reason: str) -> None:
        self.heard.append(f"{user.name}: {reason}")
        self._happens("permissions_changed")
        if reason == "go":
            self.write(b"good-bye")
            self.closed = True
        if reason == "promise":
            self.broker.surroundings.journal.define(1, "key", b"")
            self.write(b"later")


def tell(r: Rig, reason: str) -> None:
    for link in list(r.reactor.wiring.links.values()):
        link.hear_permissions(USER, reason)
    r.settle()


def test_every_machine_hears_and_goes_on() -> None:
    with rig() as r:
        clients = [r.connect(machine=Listener) for _ in range(3)]
        tell(r, "stay")
        for client in clients:
            assert isinstance(client.machine, Listener)
            assert client.machine.heard == ["ada: stay"]
            client.send(b"x")
            assert client.read(1) == b"x"


def test_who_is_told_to_go_gets_the_last_words_and_is_released() -> None:
    with rig() as r:
        client = r.connect(machine=Listener)
        tell(r, "go")
        assert client.read_to_the_end() == b"good-bye"
        assert client.has_ended()
        tell(r, "again")
        assert isinstance(client.machine, Listener)
        assert client.machine.heard == ["ada: go"]


def test_a_bug_in_one_machine_costs_its_connection_only() -> None:
    with rig() as r:
        broken, whole = r.connect(machine=Listener), r.connect(machine=Listener)
        broken.machine.raises_in = "permissions_changed"
        tell(r, "stay")
        assert broken.has_ended()
        assert r.broker.counters.internal_errors == 1
        whole.send(b"x")
        assert whole.read(1) == b"x"


def test_what_is_promised_on_that_occasion_waits_for_its_commit() -> None:
    with rig() as r:
        client = r.connect(machine=Listener)
        tell(r, "promise")
        assert client.nothing_comes()
        r.broker.surroundings.journal.committed = r.broker.surroundings.journal.collecting
        r.reactor.release_output()
        assert client.read(5) == b"later"
