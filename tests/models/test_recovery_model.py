"""A stateful model of the store's promise: whatever happens, a crash loses nothing that was committed and invents nothing.

Random definitions, messages and settlements go to a broker with a memory store. A crash drops the batch that collects; a new
broker must then have what the old one had at its last commit: the same exchanges, queues and bindings, and in each durable queue
the same durable messages in the same order. Windows have three entries, so most of what waits is in the store only. So is what
waits in queues that are not durable, now and then, and nothing of that may be there after the next start.
"""

import hypothesis.strategies as st
from hypothesis import settings
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from core.broker import Broker
from core.client import Client
from core.model.message import AT_LEAST_ONCE, AT_MOST_ONCE, plain_message
from core.queueing.entry import Entry
from core.recovery import mark_seen, recover
from core.store.batch import POSITION_LIMIT
from core.store.kinds import VOLATILE
from core.store.memory import MemoryStore
from tests.core.parts import Holder, a_broker, a_client
from tests.core.queueing.windows import ENTRY_BYTES, all_of, commit, make_small, sequence_of

QUEUES = ["a", "b", "c"]
ALL_QUEUES = [*QUEUES, "t"]  # which is not durable
EXCHANGES = ["x", "y"]
KEYS = ["k", "l.m"]
ARGUMENTS = [
    {},
    {"x-max-length": 3},
    {"x-max-length": 2, "x-overflow": "reject-publish"},
    {"x-max-priority": 5},
    {"x-dead-letter-exchange": "", "x-dead-letter-routing-key": "c"},
    {"x-message-ttl": 60_000},
    {
        "x-max-length": 4,
        "x-overflow": "reject-publish-dlx",
        "x-dead-letter-exchange": "",
        "x-dead-letter-routing-key": "c",
    },
]
POSITIONS = 24  # of a queue, where there are few
BATCH_MOST = 1_000  # more messages than a run has
Contents = dict[str, list[bytes]]


class Watcher(Holder):
    """Notes the rows of entries that this broker delivers for the first time, and whether they say that one before it may have."""

    def __init__(self, *, credit: int, settles: bool) -> None:
        super().__init__(credit=credit, settles=settles)
        self.firsts: list[tuple[int, bool]] = []

    def deliver(self, entry: Entry) -> None:
        super().deliver(entry)
        if self.settles and entry.attempts == 1:  # else the row is forgotten by now
            self.firsts.append((entry.row, entry.redelivered))


class RecoveryMachine(RuleBasedStateMachine):
    """A broker, its store, and what a crash must leave."""

    @initialize()
    def begin(self) -> None:
        self.store = MemoryStore()
        self.count = 0
        self.marked: set[int] = set()
        self.start(clean=True)
        for name in QUEUES:
            self.client.declare_queue(name, durable=True)
            self.client.bind_queue(name, "amq.fanout", "", {})
        self.commit()
        self.committed = self.contents()
        self.routes = self.bindings()

    def start(self, *, clean: bool) -> None:
        self.broker: Broker = a_broker()
        make_small(self.broker)
        self.make_smaller()
        # Rows that a broker before may have delivered.
        self.marked = set(self.store._rows) if not clean else {row for row in self.marked if row in self.store._rows}
        found = recover(self.broker, self.store)
        assert not [sentence for sentence in found.damage if "used up its positions" not in sentence]
        assert found.clean == clean
        self.client: Client = a_client(self.broker)
        self.client.declare_queue("t")
        self.holders: dict[str, Watcher] = {}

    def make_smaller(self) -> None:
        """Have little be much."""

    # What happens

    @rule(name=st.sampled_from(QUEUES), durable=st.booleans(), arguments=st.sampled_from(ARGUMENTS))
    def declare_queue(self, name: str, durable: bool, arguments: dict[str, object]) -> None:
        if name not in self.client.vhost.queues:
            self.client.declare_queue(name, durable=durable, arguments=arguments)

    @rule(name=st.sampled_from(QUEUES), really=st.integers(0, 4).map(lambda number: not number))
    def delete_queue(self, name: str, really: bool) -> None:
        if really:
            self.client.delete_queue(name)

    @rule(name=st.sampled_from(EXCHANGES), kind=st.sampled_from(["direct", "fanout", "topic"]), durable=st.booleans())
    def declare_exchange(self, name: str, kind: str, durable: bool) -> None:
        if name not in self.client.vhost.exchanges:
            self.client.declare_exchange(name, kind, durable=durable)

    @rule(name=st.sampled_from(EXCHANGES))
    def delete_exchange(self, name: str) -> None:
        self.client.delete_exchange(name)

    @rule(
        queue=st.sampled_from(QUEUES),
        exchange=st.sampled_from(EXCHANGES),
        key=st.sampled_from(KEYS),
        away=st.booleans(),
    )
    def bind(self, queue: str, exchange: str, key: str, away: bool) -> None:
        if queue in self.client.vhost.queues and exchange in self.client.vhost.exchanges:
            (self.client.unbind_queue if away else self.client.bind_queue)(queue, exchange, key, {})

    @rule(source=st.sampled_from(EXCHANGES), to=st.sampled_from(EXCHANGES), key=st.sampled_from(KEYS))
    def bind_exchange(self, source: str, to: str, key: str) -> None:
        if source in self.client.vhost.exchanges and to in self.client.vhost.exchanges:
            self.client.bind_exchange(to, source, key, {})

    @rule(
        exchange=st.sampled_from(["", "", "amq.fanout", *EXCHANGES]),
        key=st.sampled_from([*ALL_QUEUES, *KEYS]),
        qos=st.sampled_from([AT_MOST_ONCE, AT_LEAST_ONCE, AT_LEAST_ONCE]),
        count=st.integers(1, 12),
    )
    def publish(self, exchange: str, key: str, qos: int, count: int) -> None:
        if exchange in self.client.vhost.exchanges:
            target = self.client.target(exchange, key)
            for _ in range(count):
                self.count += 1
                message = plain_message(target.address, b"%d" % self.count, qos)
                self.client.publish(target.exchange, message, None, 0)

    @rule(name=st.sampled_from(ALL_QUEUES), settles=st.booleans(), credit=st.integers(1, 4))
    def consume(self, name: str, settles: bool, credit: int) -> None:
        if name in self.client.vhost.queues and name not in self.holders:
            holder = self.holders[name] = Watcher(credit=credit, settles=settles)
            self.client.consume(name, holder)
            self.broker.run()

    @rule(data=st.data(), outcome=st.sampled_from(["accept", "requeue", "discard"]))
    def settle(self, data: st.DataObject, outcome: str) -> None:
        lent = [entry for holder in self.holders.values() for entry in holder.held if entry.consumer is holder]
        if lent:
            entry = data.draw(st.sampled_from(lent))
            getattr(entry.queue, outcome)(entry)
            self.broker.run()

    @rule(name=st.sampled_from(ALL_QUEUES))
    def purge(self, name: str) -> None:
        if name in self.client.vhost.queues:
            self.client.purge_queue(name)

    @rule(name=st.sampled_from(QUEUES))
    def have_groups(self, name: str) -> None:
        """No message is of one: what is asked is whether a queue has them after a start."""
        if name in self.client.vhost.queues:
            self.client.vhost.honour_groups(self.client.vhost.queues[name])

    @rule(topic=st.sampled_from(KEYS), body=st.sampled_from([b"", b"1", b"2"]))
    def retain(self, topic: str, body: bytes) -> None:
        self.client.retain(plain_message(self.client.target("amq.topic", topic).address, body, AT_LEAST_ONCE))

    @rule(entries=st.integers(0, 4))
    def shrink(self, entries: int) -> None:
        """What the broker does when it holds much."""
        windows = self.broker.surroundings.windows
        for window in list(windows._members):
            window.shrink(entries * ENTRY_BYTES)
        for stock in list(windows._plain):
            windows._look_at_plain(stock, entries * ENTRY_BYTES)

    @rule(name=st.sampled_from(ALL_QUEUES), entries=st.integers(0, 2), turns=st.integers(1, 6))
    def shrink_while_others_commit(self, name: str, entries: int, turns: int) -> None:
        self.publish("", name, AT_MOST_ONCE, 3)
        self.publish("", name, AT_LEAST_ONCE, 2)
        for _ in range(turns):
            self.shrink(entries)
            self.commit()

    @rule()
    def end_a_turn(self) -> None:
        self.broker.surroundings.windows.turn_ended()

    # What it must lead to

    @rule()
    def commit(self) -> None:
        commit(self.broker, self.store)
        self.committed = self.contents()
        self.routes = self.bindings()

    @precondition(lambda self: self.broker is not None)
    @rule()
    def crash(self) -> None:
        self.start(clean=False)
        assert self.contents() == self.committed
        assert self.bindings() == self.routes
        self.look_for_leftovers()

    def look_for_leftovers(self) -> None:
        """What queues of the broker before have left, and ended with it, goes in the turns after the start."""
        for _ in range(1_000):
            commit(self.broker, self.store)
            if self.broker.surroundings.windows.leftovers.empty:
                break
        commit(self.broker, self.store)
        shelves = [queue.shelf for queue in self.client.vhost.queues.values()]
        assert set(self.store.queue_numbers()) <= {shelf.number for shelf in shelves if shelf is not None}
        assert not [key for kind, key, _ in self.store.definitions() if kind == VOLATILE]

    @rule(
        name=st.sampled_from(QUEUES),
        count=st.integers(1, 4),
        what=st.sampled_from(["accept", "requeue", "discard", "purge"]),
    )
    def crash_between_two_batches(self, name: str, count: int, what: str) -> None:
        """What leaves a queue while the batch that it came with waits is still there until the next one is committed."""
        self.publish("", name, AT_LEAST_ONCE, count)
        journal = self.broker.surroundings.journal
        journal.expect_settlements()
        if not journal.wait_for_settlements():
            return
        self.committed = self.contents()
        self.routes = self.bindings()
        if what == "purge":
            self.purge(name)
        else:
            for entry in [
                entry for holder in self.holders.values() for entry in holder.held if entry.consumer is holder
            ]:
                getattr(entry.queue, what)(entry)
            self.broker.run()
        batch = journal.seal()
        if batch is not None:
            self.store.commit(batch)
            journal.committed = batch.number
        self.crash()

    @rule()
    def stop_in_order(self) -> None:
        """Connections end first, so that everything lent is back; what is not committed by then may be among it."""
        self.look()
        for holder in self.holders.values():
            for entry in holder.held:
                if entry.consumer is holder:
                    entry.queue.requeue(entry)
        mark_seen(self.broker)
        self.commit()
        for queue in self.client.vhost.queues.values():
            self.marked |= {entry.row for entry in queue.backlog.present() if entry.attempts}
        self.store.close()
        self.start(clean=True)
        assert self.contents() == self.committed
        assert self.bindings() == self.routes
        self.look_for_leftovers()

    @invariant()
    def look(self) -> None:
        """What is delivered says whether it may have been before. Rows that are gone may be those of others later."""
        for holder in getattr(self, "holders", {}).values():
            for row, redelivered in holder.firsts:
                assert redelivered == (row in self.marked)
            holder.firsts.clear()
        if hasattr(self, "store"):
            self.marked &= self.store._rows.keys()

    @invariant()
    def queues_count_what_they_have(self) -> None:
        for queue in self.client.vhost.queues.values() if hasattr(self, "client") else ():
            bodies = [entry.message.body for entry in all_of(queue)]
            assert (queue.ready_count, queue.ready_bytes) == (len(bodies), sum(map(len, bodies)))

    def contents(self) -> Contents:
        """Return the durable messages of each durable queue, in order, lent ones too; and what is retained."""
        found: Contents = {}
        for name, queue in self.client.vhost.queues.items():
            if queue.durable:
                entries = set(all_of(queue))
                holder = self.holders.get(name)
                if holder is not None:  # what came back and was lent again is in its list twice
                    entries |= {entry for entry in holder.held if entry.queue is queue and entry.consumer is holder}
                found[name] = [entry.message.body for entry in sorted(entries, key=sequence_of) if entry.message.qos]
        for topic in KEYS:
            message = self.client.vhost.retained.get(topic)
            found[f"retained {topic}"] = [message.body] if message is not None else []
        return found

    def bindings(self) -> set[str]:
        """Return every binding between what is durable, and the arguments of queues and types of exchanges."""
        vhost = self.client.vhost
        found: set[str] = set()
        for exchange in vhost.exchanges.values():
            if exchange.durable:
                found.add(f"exchange {exchange.name} {exchange.kind}")
                for binding in exchange.bindings.values():
                    sink = binding.sink
                    durable = sink is vhost.queues.get(sink.name) and vhost.queues[sink.name].durable
                    if durable or (sink is vhost.exchanges.get(sink.name) and vhost.exchanges[sink.name].durable):
                        found.add(f"{exchange.name} -> {type(sink).__name__} {sink.name} by {binding.key}")
        for queue in vhost.queues.values():
            if queue.durable:
                found.add(f"queue {queue.name} {queue.arguments} {queue.auto_delete} {queue.grouped}")
        return found


class SmallRecoveryMachine(RecoveryMachine):
    """With so few positions that queues use them up all the time, and what they leave is removed in parts."""

    def make_smaller(self) -> None:
        journal = self.broker.surroundings.journal
        journal.many = 3
        self.broker.surroundings.windows.leftovers.rows_at_once = 2
        journal.positions.limit = POSITIONS
        journal.numbers.reuse_limit = POSITIONS // 2

    @invariant()
    def no_row_is_of_another_queue(self) -> None:
        """Behind the limit are as many positions as messages may have come in the life of a batch."""
        if hasattr(self, "store"):
            assert all(row % POSITION_LIMIT < POSITIONS + BATCH_MOST for row in self.store._rows)

    @rule()
    def remove_what_was_left(self) -> None:
        leftovers = self.broker.surroundings.windows.leftovers
        for _ in range(100):
            self.commit()
            if leftovers.empty:
                break
        self.commit()
        shelves = [queue.shelf for queue in self.client.vhost.queues.values() if queue.shelf is not None]
        windows = [queue.window for queue in self.client.vhost.queues.values() if queue.window is not None]
        numbers = {shelf.number for shelf in shelves} | {window._shelf.number for window in windows}
        assert {row // POSITION_LIMIT for row in self.store._rows} <= numbers
        assert {number for number, _ in self.store.tallies()} <= numbers

    @rule(name=st.sampled_from(QUEUES))
    def empty(self, name: str) -> None:
        """An empty queue takes messages, once that is committed."""
        queue = self.client.vhost.queues.get(name)
        if queue is None or queue.shelf is None:
            return
        for holder in self.holders.values():
            for entry in holder.held:
                if entry.consumer is holder:
                    entry.queue.accept(entry)
            self.broker.run()
        self.client.purge_queue(name)
        self.commit()
        if not queue.ready_count and not self.store.last_row(queue.shelf.number):  # else dead letters have come to it
            assert queue.put(plain_message(self.client.target("", name).address, b"0", AT_LEAST_ONCE), None)


TestRecovery = RecoveryMachine.TestCase
TestSmallRecovery = SmallRecoveryMachine.TestCase
TestRecovery.settings = settings(max_examples=150, stateful_step_count=40, deadline=None)
TestSmallRecovery.settings = settings(max_examples=100, stateful_step_count=60, deadline=None)
