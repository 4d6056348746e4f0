"""The journal: what is settled in time is never written, and everything of one turn is in one batch."""

from core.model.message import AT_LEAST_ONCE, AT_MOST_ONCE, plain_message
from core.queueing.entry import Entry
from core.queueing.queue import Queue
from core.store import kinds
from core.store.batch import Batch
from core.store.journal import BATCH_ENTRIES, COPIED_BYTES, Journal
from core.store.sealing import place_of, unseal, unseal_row
from core.store.stating import Kept, Line, Standing, Statement, Stating, lines_of
from tests.core.parts import Holder, a_broker, a_client


class World:
    """A broker whose journal is looked at."""

    def __init__(self) -> None:
        self.broker = a_broker()
        self.journal: Journal = self.broker.surroundings.journal
        self.journal.begin(set())
        self.client = a_client(self.broker)
        self.queue: Queue = self.client.declare_queue("q", durable=True)
        self.batch()

    def publish(self, body: bytes = b"x", qos: int = AT_LEAST_ONCE, key: str = "q", exchange: str = "") -> None:
        target = self.client.target(exchange, key)
        self.client.publish(target.exchange, plain_message(target.address, body, qos), None, 0)

    def batch(self) -> Batch | None:
        batch = self.journal.seal()
        if batch is not None:
            self.journal.committed = batch.number
        return batch

    def written(self) -> int:
        batch = self.batch()
        return sum(len(run.records) for run in batch.runs) if batch is not None else 0


def test_a_durable_message_in_a_durable_queue_is_written_and_promised() -> None:
    world = World()
    before = world.journal.promises
    world.publish()
    assert world.journal.promises > before
    assert world.written() == 1


def test_a_transient_message_is_neither() -> None:
    world = World()
    before = world.journal.promises
    world.publish(qos=AT_MOST_ONCE)
    assert world.journal.promises == before
    assert world.batch() is None


def test_a_message_in_a_transient_queue_is_not_written() -> None:
    world = World()
    world.client.declare_queue("t")
    world.publish(key="t")
    assert world.batch() is None


def test_what_is_settled_before_its_batch_is_sealed_is_never_written() -> None:
    world = World()
    holder = Holder()
    world.queue.add(holder)
    world.publish()
    world.queue.accept(holder.held[0])
    assert world.batch() is None


def test_what_is_settled_later_is_removed() -> None:
    world = World()
    holder = Holder()
    world.queue.add(holder)
    world.publish()
    assert world.written() == 1
    row = holder.held[0].row
    world.queue.accept(holder.held[0])
    batch = world.batch()
    assert batch is not None
    assert list(batch.removed) == [row]


def test_a_consumer_that_does_not_settle_leaves_nothing_to_write() -> None:
    world = World()
    world.queue.add(Holder(settles=False))
    world.publish()
    assert world.batch() is None


def test_settling_promises_nothing() -> None:
    """An acknowledgement may be lost: the message comes again, marked as redelivered."""
    world = World()
    holder = Holder()
    world.queue.add(holder)
    world.publish()
    world.batch()
    before = world.journal.promises
    world.queue.accept(holder.held[0])
    assert world.journal.promises == before


def test_a_requeued_entry_keeps_its_row() -> None:
    world = World()
    holder = Holder()
    world.queue.add(holder)
    world.publish()
    world.batch()
    world.queue.requeue(holder.held[0])
    assert world.batch() is None


def test_a_purge_removes_what_was_written_and_forgets_what_was_not() -> None:
    world = World()
    world.publish()
    world.batch()
    world.publish()
    world.queue.purge()
    batch = world.batch()
    assert batch is not None
    assert (len(batch.removed), batch.runs) == (1, [])


def test_a_message_for_two_durable_queues_is_in_one_batch_with_one_record_each() -> None:
    world = World()
    world.client.declare_queue("r", durable=True)
    for name in ("q", "r"):
        world.client.bind_queue(name, "amq.fanout", "", {})
    world.batch()
    world.publish(exchange="amq.fanout")
    batch = world.batch()
    assert batch is not None
    assert len(batch.runs) == 2
    assert [len(run.records) for run in batch.runs] == [1, 1]
    content, other = [unseal_row(run.records[0], run.first_row) for run in batch.runs]
    assert content == other


def test_a_large_message_for_many_queues_is_copied_once() -> None:
    """A copy for each would take as much memory as there are queues."""
    world = World()
    for name in ("q", "r", "s", "t"):
        world.client.declare_queue(name, durable=True)
        world.client.bind_queue(name, "amq.fanout", "", {})
    world.batch()
    for size, copies in ((COPIED_BYTES - 100, 4), (COPIED_BYTES + 1, 2)):
        world.publish(bytes(size), exchange="amq.fanout")
        batch = world.batch()
        assert batch is not None
        assert len({id(run.records[0]) for run in batch.runs}) == copies
        assert len({unseal_row(run.records[0], run.first_row) for run in batch.runs}) == 1


def test_a_large_turn_is_one_batch_and_the_next_turn_begins_another() -> None:
    world = World()
    for _ in range(BATCH_ENTRIES + 10):
        world.publish()
    world.journal.end_turn()
    world.publish()
    assert world.written() == BATCH_ENTRIES + 10
    assert world.written() == 1
    assert world.journal.idle


class States(Stating):
    """Says of one entry that it is under way, when that has changed."""

    def __init__(self, entry: Entry) -> None:
        self._entry = entry

    def statements(self) -> list[Statement]:
        return [Statement(kinds.IN_FLIGHT, "k", [Line(7, 0, self._entry)])]


def stated(batch: Batch | None) -> list[Kept]:
    """Return what a batch says of entries under way."""
    assert batch is not None
    ((kind, key, record),) = batch.definitions
    assert record is not None
    return lines_of(unseal(record, place_of(kind, key)))


def fill_two_batches(world: World) -> Entry:
    """Publish so much; return the entry of the first that is under way, as the second says."""
    holder = Holder(credit=1)
    world.queue.add(holder)
    for number in range(2):
        for _ in range(BATCH_ENTRIES):
            world.publish()
        if number:
            world.journal.changed(States(holder.held[0]), promised=False)
        world.journal.end_turn()
    return holder.held[0]


def test_an_entry_that_is_settled_between_two_large_batches_is_spoken_of_until_it_is_removed() -> None:
    """Or after a failure between the second and the third nobody would know that it was under way."""
    world = World()
    entry = fill_two_batches(world)
    first = world.batch()
    assert first is not None
    row = entry.row
    assert row == first.runs[0].first_row
    world.queue.accept(entry)
    assert stated(world.batch()) == [(7, 0, row)]
    third = world.batch()
    assert third is not None
    assert list(third.removed) == [row]


def test_an_entry_that_is_settled_before_its_large_batch_is_sealed_is_never_spoken_of() -> None:
    world = World()
    entry = fill_two_batches(world)
    world.journal.settled(entry)
    world.queue.accept(entry)
    assert world.written() == BATCH_ENTRIES - 1
    second = world.batch()
    assert second is not None
    assert second.definitions == [(kinds.IN_FLIGHT, "k", None)]


def wait(world: World) -> None:
    """Have the open batch wait for settlements."""
    world.journal.expect_settlements()
    assert world.journal.wait_for_settlements()


def test_a_batch_waits_once_for_those_who_may_settle_what_is_in_it() -> None:
    world = World()
    holder = Holder()
    world.queue.add(holder)
    for body in (b"1", b"2"):
        world.publish(body)
    wait(world)
    world.publish(b"3")
    assert not world.journal.wait_for_settlements()
    for entry in holder.held[:2]:
        world.journal.settled(entry)
        world.queue.accept(entry)
    assert world.batch() is None
    assert world.written() == 1
    assert world.journal.idle


def test_a_batch_waits_for_nobody_where_nothing_is_expected_or_nothing_is_new() -> None:
    world = World()
    world.publish()
    assert not world.journal.wait_for_settlements()
    world.batch()
    world.journal.expect_settlements()
    assert not world.journal.wait_for_settlements()


def test_what_a_batch_takes_elsewhere_while_another_waits_is_not_lost_between_the_two() -> None:
    """It is written with the first, and the second has its removal and the letter that has become of it."""
    world = World()
    dead = {"x-dead-letter-exchange": "", "x-dead-letter-routing-key": "end"}
    world.client.declare_queue("end", durable=True)
    queue = world.client.declare_queue("dying", durable=True, arguments=dead)
    holder = Holder()
    queue.add(holder)
    world.batch()
    world.publish(key="dying")
    wait(world)
    queue.discard(holder.held[0])
    shelf = queue.shelf
    assert shelf is not None
    first = world.batch()
    assert first is not None
    assert [len(run.records) for run in first.runs] == [1]
    assert shelf.entries == 1
    second = world.batch()
    assert second is not None
    assert list(second.removed) == [first.runs[0].first_row]
    assert [len(run.records) for run in second.runs] == [1]
    assert (shelf.number, None) in second.tallies
    assert world.journal.idle


def test_what_is_accepted_in_a_transaction_while_its_batch_waits_is_removed_with_it() -> None:
    world = World()
    holder = Holder()
    world.queue.add(holder)
    world.publish()
    wait(world)
    world.queue.accept(holder.held[0])
    first = world.batch()
    assert first is not None
    assert [len(run.records) for run in first.runs] == [1]
    second = world.batch()
    assert second is not None
    assert list(second.removed) == [first.runs[0].first_row]


class Pages(Stating):
    """Says of one entry that it is under way as long as it is; and knows what the store has."""

    def __init__(self) -> None:
        self.standing = Standing(stored=False)
        self.lines: list[Line] = []

    def statements(self) -> list[Statement]:
        statement = Statement(kinds.IN_FLIGHT, "k", self.lines)
        statement.standing = self.standing
        return [statement]


def test_nothing_is_taken_back_that_was_never_said() -> None:
    world = World()
    pages = Pages()
    holder = Holder()
    world.queue.add(holder)
    world.publish()
    pages.lines = [Line(7, 0, holder.held[0])]
    world.journal.changed(pages, promised=False)
    wait(world)
    world.journal.settled(holder.held[0])
    world.queue.accept(holder.held[0])
    assert world.batch() is None
    world.publish()
    pages.lines = [Line(8, 0, holder.held[1])]
    world.journal.changed(pages, promised=False)
    assert [number for number, _, _ in stated(world.batch())] == [8]
    world.queue.accept(holder.held[1])
    pages.lines = []
    world.journal.changed(pages, promised=False)
    batch = world.batch()
    assert batch is not None
    assert batch.definitions == [(kinds.IN_FLIGHT, "k", None)]
    world.journal.changed(pages, promised=False)
    assert world.batch() is None


def test_without_a_store_nothing_is_told() -> None:
    broker = a_broker()
    client = a_client(broker)
    client.declare_queue("q", durable=True)
    target = client.target("", "q")
    client.publish(target.exchange, plain_message(target.address, b"x", AT_LEAST_ONCE), None, 0)
    assert broker.surroundings.journal.idle
    assert broker.surroundings.journal.promises == 0
