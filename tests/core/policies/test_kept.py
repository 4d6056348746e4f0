"""Policies outlive the process, in the same order as what they change, and a damaged one costs itself only."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from core.broker import Broker
from core.client import Client
from core.model.message import AT_LEAST_ONCE, plain_message
from core.policies.administration import clear_policy, list_policies, set_policy
from core.policies.revision import STEPS_AT_ONCE
from core.queueing.credit import UNLIMITED
from core.queueing.excess import DROPPED_AT_ONCE
from core.recovery import Recovered, recover
from core.store import kinds
from core.store.inspection import Inspection
from core.store.interface import Store
from core.store.memory import MemoryStore
from core.store.sqlite import SqliteStore
from core.store.values import dump
from tests.core.parts import a_broker, a_client, publish
from tests.core.policies.parts import a_broker_with_patterns, applied, let_pass, on_queues
from tests.core.store.filling import commit


class Life:
    """A broker and its store, which begin again."""

    def __init__(self, open_store: Callable[[], Store]) -> None:
        self._open_store = open_store
        self.store = open_store()
        self.broker = a_broker_with_patterns()
        self.found: Recovered = recover(self.broker, self.store)
        self.client: Client = a_client(self.broker)

    def restart(self, broker: Broker | None = None) -> None:
        """Commit what there is, end without order, and start again."""
        commit(self.broker, self.store)
        self.die(broker)

    def die(self, broker: Broker | None = None) -> None:
        """End without order and without what is not committed, and start again."""
        if isinstance(self.store, SqliteStore):
            self.store.close()
            self.store = self._open_store()
        self.broker = broker or a_broker_with_patterns()
        self.found = recover(self.broker, self.store)
        self.client = a_client(self.broker)

    def fill(self, queue: str, count: int) -> None:
        self.client.declare_queue(queue, durable=True)
        target = self.client.target("", queue)
        for number in range(count):
            message = plain_message(target.address, b"%d" % number, AT_LEAST_ONCE)
            self.client.publish(target.exchange, message, None, 0)

    def bodies(self, queue: str) -> list[bytes]:
        return [entry.message.body for entry in self.client.vhost.queue(queue).backlog.entries()]


@pytest.fixture(params=["memory", "sqlite"])
def life(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Life]:
    life = Life(MemoryStore if request.param == "memory" else lambda: SqliteStore(tmp_path))
    yield life
    life.store.close()


def test_what_is_set_changed_and_cleared_is_so_after_a_start(life: Life) -> None:
    broker = life.broker
    set_policy(broker, "/", "ü", "^a.*ü$", {"ha-params": ["n"], "expires": 5}, apply_to="classic_queues", priority=-7)
    for name in ("changed", "cleared", "same"):
        on_queues(broker, {"max-length": 1}, name, 3)
        set_policy(broker, "/", name, "", {"max-length": 2}, operator=True)
    on_queues(broker, {"max-length": 5, "overflow": "reject-publish"}, "changed")
    clear_policy(broker, "/", "cleared")
    clear_policy(broker, "/", "same", operator=True)
    before = [list_policies(broker, "/", operator=operator) for operator in (False, True)]
    assert [len(listed) for listed in before] == [3, 2]
    life.restart()
    assert life.found.damage == []
    assert life.found.definitions["policy"] == 5
    assert [list_policies(life.broker, "/", operator=operator) for operator in (False, True)] == before
    clear_policy(life.broker, "/", "same")
    life.restart()
    assert [found["name"] for found in list_policies(life.broker, "/")] == ["changed", "ü"]


def test_limits_and_times_hold_from_the_start_on(life: Life) -> None:
    life.client.declare_queue("dead", durable=True)
    life.fill("q", 5)
    definition = {"max-length": 3, "message-ttl": 5_000, "dead-letter-exchange": "", "dead-letter-routing-key": "dead"}
    set_policy(life.broker, "/", "p", "^q$", definition)
    life.restart()
    assert (life.bodies("q"), life.bodies("dead")) == ([b"2", b"3", b"4"], [b"0", b"1"])
    life.fill("q", 1)
    assert (life.bodies("q"), life.bodies("dead")) == ([b"3", b"4", b"0"], [b"0", b"1", b"2"])
    life.restart()
    for _ in range(2):
        life.client.vhost.queue("q").get()
    let_pass(life.broker, 4.9)
    assert life.bodies("q") == [b"0"]
    let_pass(life.broker, 0.2)
    assert (life.bodies("q"), life.bodies("dead")) == ([], [b"0", b"1", b"2", b"0"])


def test_a_policy_and_what_it_drops_are_committed_together(life: Life) -> None:
    life.fill("q", 5)
    commit(life.broker, life.store)
    on_queues(life.broker, {"max-length": 2})
    assert len(life.bodies("q")) == 2
    life.die()
    assert (len(life.bodies("q")), list_policies(life.broker, "/")) == (5, [])


def test_what_was_not_dropped_before_the_end_is_dropped_after_the_start(life: Life) -> None:
    count = 2 * DROPPED_AT_ONCE
    life.fill("q", count)
    commit(life.broker, life.store)
    on_queues(life.broker, {"max-length": 5})
    assert life.client.vhost.queue("q").ready_count == DROPPED_AT_ONCE
    life.restart()
    let_pass(life.broker, 0.0)
    assert life.bodies("q") == [b"%d" % number for number in range(count - 5, count)]
    life.restart()
    assert len(life.bodies("q")) == 5


def test_exchanges_have_their_alternates_and_idle_queues_end(life: Life) -> None:
    life.client.declare_exchange("x", "direct", durable=True)
    life.client.declare_exchange("spare", "fanout", durable=True)
    life.client.declare_queue("caught", durable=True)
    life.client.declare_queue("idle", durable=True)
    life.client.bind_queue("caught", "spare", "", {})
    set_policy(life.broker, "/", "p", "^x$", {"alternate-exchange": "spare"})
    set_policy(life.broker, "/", "o", "^idle$", {"expires": 5_000}, operator=True)
    life.restart()
    assert publish(life.client, "x", "nobody's")
    assert life.client.vhost.queue("caught").ready_count == 1
    assert applied(life.broker, "idle") == (None, "o")
    let_pass(life.broker, 5.0)
    assert list(life.client.vhost.queues) == ["caught"]
    life.restart()
    assert list(life.client.vhost.queues) == ["caught"]


def test_all_queues_have_their_policies_when_the_start_is_over() -> None:
    life = Life(MemoryStore)
    count = STEPS_AT_ONCE + 1
    for number in range(count):
        life.client.declare_queue(f"q{number}", durable=True)
    on_queues(life.broker, {"max-length": 5})
    life.restart()
    assert [queue.limit_entries for queue in life.client.vhost.queues.values()] == [5] * count


@pytest.mark.parametrize("key", [("/", "odd"), ("/", "odd", kinds.OPERATOR)])
@pytest.mark.parametrize(
    "stated",
    [
        [],
        None,
        {"a": 1},
        ["(", "all", 0, {"max-length": 1}],
        ["", "nothing", 0, {"max-length": 1}],
        ["", "all", "high", {"max-length": 1}],
        ["", "all", 0, {"max-length": -1}],
        ["", "all", 0, {"a key of a later version": 1}],
        [b"\xff", "all", 0, {"max-length": 1}],
        ["", ["all"], 0, {"max-length": 1}],
        ["", "all", 0, [1]],
        ["", "all", 0, {"max-length": 1}, "more"],
    ],
)
def test_a_policy_of_another_shape_is_told_and_costs_itself_only(key: tuple[str, ...], stated: object) -> None:
    life = Life(MemoryStore)
    life.fill("q", 2)
    on_queues(life.broker, {"max-length": 2})
    life.broker.surroundings.journal.define(kinds.POLICY, kinds.key_of(*key), dump(stated))
    life.restart()
    (sentence,) = life.found.damage
    assert sentence.startswith("policy 'odd'")
    assert (applied(life.broker, "q"), life.bodies("q")) == (("p", None), [b"0", b"1"])


def test_a_start_without_patterns_leaves_policies_in_the_store(life: Life) -> None:
    life.fill("q", 1)
    on_queues(life.broker, {"max-length": 5})
    set_policy(life.broker, "/", "p2", "^q", {"max-length": 2}, priority=5)
    life.restart(a_broker())
    assert [sentence.partition(":")[0] for sentence in life.found.damage] == ["policy 'p2' in vhost '/'"]
    assert life.client.vhost.queue("q").limit_entries == 5


def test_a_broker_without_a_store_has_policies_too() -> None:
    broker = a_broker_with_patterns()
    client = a_client(broker)
    queue = client.declare_queue("q", durable=True)
    on_queues(broker, {"max-length": 5})
    clear_policy(broker, "/", "p")
    assert queue.limit_entries == UNLIMITED
    assert broker.surroundings.journal.idle


def test_a_verification_reads_policies(tmp_path: Path) -> None:
    life = Life(lambda: SqliteStore(tmp_path))
    on_queues(life.broker, {"max-length": 5})
    journal = life.broker.surroundings.journal
    journal.define(kinds.POLICY, kinds.key_of("/", "odd", kinds.OPERATOR), dump("no list"))
    commit(life.broker, life.store)
    life.store.close()
    inspection = Inspection(tmp_path)
    found = inspection.verify(life.broker.surroundings.codec, lambda done, total: None)
    inspection.close()
    (sentence,) = found.damage
    assert "'odd' 'operator'" in sentence
    assert "not what a definition is" in sentence
