"""Output that waits for the disk: nothing that was promised is said before it is on stable storage."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import pytest
import structlog.testing

from core.model.message import AT_LEAST_ONCE, plain_message
from core.store.batch import Batch
from core.store.errors import StoreError, StoreFull
from core.store.memory import MemoryStore
from core.store.sealing import place_of, seal
from gateway.committer import Committer
from tests.core.parts import Holder, a_client
from tests.gateway.rig import Client, Rig, rig


class Gate(MemoryStore):
    """A store whose commits wait until the test lets them."""

    def __init__(self) -> None:
        super().__init__()
        self.open = threading.Event()
        self.entered = threading.Semaphore(0)
        self.error: StoreError | None = None
        self.batches: list[Batch] = []
        self.tidied = threading.Semaphore(0)
        self.tidy_error: Exception | None = None
        self.left = 3  # times that there is something to put in order

    def tidy(self) -> bool:
        self.left -= 1
        self.tidied.release()
        if self.tidy_error is not None:
            raise self.tidy_error
        return self.left > 0

    def commit(self, batch: Batch) -> None:
        self.entered.release()
        self.open.wait()
        if self.error is not None:
            raise self.error
        self.batches.append(batch)
        super().commit(batch)


class World:
    """A rig with a committer."""

    def __init__(self, r: Rig) -> None:
        self.rig = r
        self.store = Gate()
        self.failures = 0
        self.closed = False
        self.journal = r.broker.surroundings.journal
        self.journal.begin(set())
        self.committer = Committer(self.store, self.journal, r.reactor, self.failed, retry_s=0.01)
        self.committer.start()

    def failed(self) -> None:
        self.failures += 1

    def close(self) -> None:
        if not self.closed:
            self.closed = True
            with suppress(StoreError):
                self.committer.close()

    def connect(self) -> Client:
        """Connect a client whose machine promises what begins with `!` and echoes everything."""
        client = self.rig.connect()

        def on_receive(data: bytes) -> None:
            if data.startswith(b"!"):
                self.journal.define(1, data.decode(), data)
            client.machine.write(data)

        client.machine.on_receive = on_receive
        return client

    def begin_commit(self, client: Client, data: bytes) -> None:
        """Send, and return once the store is at work on it."""
        client.send(data)
        assert self.store.entered.acquire(timeout=10)


@contextmanager
def world() -> Iterator[World]:
    with rig() as r:
        w = World(r)
        try:
            yield w
        finally:
            w.store.open.set()
            w.close()


def test_what_is_promised_is_not_said_before_the_commit() -> None:
    with world() as w:
        client = w.connect()
        w.begin_commit(client, b"!one")
        assert client.nothing_comes()
        w.store.open.set()
        assert client.read(4) == b"!one"
        assert list(w.store.definitions()) == [(1, "!one", seal(b"!one", place_of(1, "!one")))]


def test_whatever_is_said_behind_a_promise_waits_with_it_and_keeps_its_order() -> None:
    with world() as w:
        client = w.connect()
        w.begin_commit(client, b"!one")
        client.send(b"two")
        assert client.nothing_comes()
        w.store.open.set()
        assert client.read(7) == b"!onetwo"


def test_those_who_promised_nothing_do_not_wait() -> None:
    with world() as w:
        promising, other = w.connect(), w.connect()
        w.begin_commit(promising, b"!one")
        other.send(b"hello")
        assert other.read(5) == b"hello"
        assert promising.nothing_comes()


def test_what_comes_during_a_commit_is_one_next_batch() -> None:
    with world() as w:
        one, two, three = w.connect(), w.connect(), w.connect()
        w.begin_commit(one, b"!one")
        two.send(b"!two")
        three.send(b"!three")
        w.store.open.set()
        assert (one.read(4), two.read(4), three.read(6)) == (b"!one", b"!two", b"!three")
        assert [len(batch.definitions) for batch in w.store.batches] == [1, 2]
        assert (w.rig.broker.counters.commits, w.rig.broker.counters.committed_messages) == (2, 0)


def test_messages_that_commits_put_into_queues_are_counted() -> None:
    with world() as w:
        w.store.open.set()
        client = w.connect()
        core_client = a_client(w.rig.broker)
        core_client.declare_queue("a", durable=True)
        core_client.declare_queue("b", durable=True)

        def publish(data: bytes) -> None:
            for queue in ("a", "b", "b"):
                target = core_client.target("", queue)
                core_client.publish(target.exchange, plain_message(target.address, data, AT_LEAST_ONCE), None, 0)
            client.machine.write(data)

        client.machine.on_receive = publish
        client.send(b"x")
        assert client.read(1) == b"x"
        assert w.rig.broker.counters.committed_messages == 3


def test_what_is_settled_in_the_next_turn_is_said_without_a_commit() -> None:
    with world() as w:
        publisher, settler = w.connect(), w.connect()
        core_client = a_client(w.rig.broker)
        holder = Holder()
        core_client.declare_queue("a", durable=True).add(holder)
        w.store.open.set()
        for _ in w.rig.turns("the commit of the queue"):
            if w.rig.broker.counters.commits:
                break

        def publish(data: bytes) -> None:
            target = core_client.target("", "a")
            core_client.publish(target.exchange, plain_message(target.address, data, AT_LEAST_ONCE), None, 0)
            w.journal.expect_settlements()
            publisher.machine.write(data)

        def settle(_data: bytes) -> None:
            w.journal.settled(holder.held[0])
            holder.held[0].queue.accept(holder.held[0])

        publisher.machine.on_receive = publish
        settler.machine.on_receive = settle
        publisher.sock.sendall(b"x")
        w.rig.turn()
        settler.sock.sendall(b"s")
        assert publisher.read(1) == b"x"
        assert w.rig.broker.counters.commits == 1


def test_what_nobody_settles_is_committed_a_turn_later() -> None:
    with world() as w:
        client = w.connect()
        core_client = a_client(w.rig.broker)
        core_client.declare_queue("a", durable=True).add(Holder())

        def publish(data: bytes) -> None:
            target = core_client.target("", "a")
            core_client.publish(target.exchange, plain_message(target.address, data, AT_LEAST_ONCE), None, 0)
            w.journal.expect_settlements()
            client.machine.write(data)

        client.machine.on_receive = publish
        w.store.open.set()
        client.send(b"x")
        assert client.read(1) == b"x"
        assert w.rig.broker.counters.committed_messages == 1


def test_a_connection_that_closes_says_its_last_words_after_the_commit() -> None:
    with world() as w:
        client = w.connect()

        def promise_and_close(data: bytes) -> None:
            w.journal.define(1, "k", data)
            client.machine.write(b"bye")
            client.machine.closed = True

        client.machine.on_receive = promise_and_close
        w.begin_commit(client, b"x")
        assert client.nothing_comes()
        assert not client.has_ended()
        w.store.open.set()
        assert client.read_to_the_end() == b"bye"
        assert client.has_ended()


def test_a_peer_that_goes_away_meanwhile_is_forgotten() -> None:
    with world() as w:
        client = w.connect()
        w.begin_commit(client, b"!one")
        client.reset()
        assert client.has_ended()
        assert not w.rig.reactor.wiring.holding
        w.store.open.set()


def test_held_output_counts_as_unsent() -> None:
    with world() as w:
        client = w.connect()
        w.begin_commit(client, b"!" + bytes(9_999))
        assert client.machine.output_bytes == 10_000
        w.store.open.set()
        client.read(10_000)
        w.rig.settle()
        assert client.machine.output_bytes == 0


def test_damage_that_is_met_later_than_the_start_is_in_the_log() -> None:
    with world() as w, structlog.testing.capture_logs() as logs:
        w.rig.broker.surroundings.windows.report("entry 7 of queue 'q': the checksum does not match")
        w.rig.settle()
        found = [(line["log_level"], line["what"]) for line in logs if line["event"] == "trouble in the store"]
        assert found == [("error", "entry 7 of queue 'q': the checksum does not match")]


def test_after_a_failure_nothing_is_said_and_the_broker_is_told_once() -> None:
    with world() as w, structlog.testing.capture_logs() as logs:
        client = w.connect()
        w.store.error = StoreError("cannot write: input/output error")
        w.store.open.set()
        client.send(b"!one")
        for _ in w.rig.turns("the failure"):
            if w.failures:
                break
        client.send(b"!two")
        assert client.nothing_comes()
        assert w.failures == 1
        assert [line["log_level"] for line in logs if "store" in line["event"]] == ["critical"]
        assert not w.store.batches


def test_a_full_disk_stops_publishers_until_there_is_room() -> None:
    with world() as w:
        client = w.connect()
        w.store.error = StoreFull("no space left")
        w.store.open.set()
        client.send(b"!one")
        for _ in w.rig.turns("the alarm"):
            if w.rig.broker.alarm:
                break
        assert w.rig.broker.alarm == "low on disk"
        assert client.nothing_comes()
        w.store.error = None
        assert client.read(4) == b"!one"
        w.rig.settle()
        assert w.rig.broker.alarm == ""


def test_a_store_is_put_in_order_before_anything_is_committed() -> None:
    """Whoever stopped it after a backlog was drained has left that to this process."""
    with world() as w:
        for _ in range(3):
            assert w.store.tidied.acquire(timeout=10)


def test_a_store_with_nothing_to_commit_is_put_in_order_until_it_is() -> None:
    with world() as w:
        w.begin_commit(w.connect(), b"!one")
        w.store.open.set()
        for _ in range(3):
            assert w.store.tidied.acquire(timeout=10)
        w.close()
        assert w.store.left <= 0


@pytest.mark.parametrize("error", [StoreError("cannot write: input/output error"), RuntimeError("a bug")])
def test_a_store_that_fails_when_there_is_nothing_to_commit_has_failed(error: Exception) -> None:
    with world() as w, structlog.testing.capture_logs():
        client = w.connect()
        w.begin_commit(client, b"!one")
        w.store.tidy_error = error
        w.store.open.set()
        for _ in w.rig.turns("the failure"):
            if w.failures:
                break
        client.send(b"!two")
        assert client.read(4) == b"!one"
        assert client.nothing_comes()


def test_what_is_left_is_written_at_the_end() -> None:
    with world() as w:
        w.store.open.set()
        w.journal.define(1, "late", b"x")
        w.close()
        assert list(w.store.definitions()) == [(1, "late", seal(b"x", place_of(1, "late")))]
        assert w.store.stopped_cleanly()
