"""A walk over a queue that takes nothing out of it."""

import pytest

from core.client import Client
from core.model.errors import Denied, Locked, NotFound
from core.model.message import Address, Message
from core.model.properties import Properties, Stated
from core.queueing.backlog import Backlog
from core.queueing.browser import BROWSED_AT_ONCE, SHARE, Browser
from core.queueing.credit import Credit
from core.queueing.entry import Entry
from core.queueing.ordered_backlog import OrderedBacklog
from core.queueing.queue import Queue
from core.routing.selector import parse_selector
from tests.core.parts import Holder, a_broker, a_client, powerless, put, run


class Reader(Holder):
    """Keeps what it is shown, and how often the end came."""

    ends = 0

    def browsed(self) -> None:
        self.ends += 1


class Failing(Reader):
    """Has a bug."""

    errors = 0

    def deliver(self, entry: Entry) -> None:
        raise ZeroDivisionError

    def failed(self, error: Exception) -> None:
        self.errors += 1


def a_queue_with(*bodies: bytes, arguments: dict[str, int] | None = None) -> tuple[Client, Queue]:
    client = a_client(a_broker())
    client.vhost.surroundings.clock.now = 100.0
    queue = client.declare_queue("q", arguments=arguments)
    put(queue, *bodies)
    return client, queue


def end_batch(client: Client) -> None:
    surroundings = client.vhost.surroundings
    while surroundings.woken:
        woken, surroundings.woken = surroundings.woken, []
        for lender in woken:
            lender.run()


def browse(client: Client, reader: Reader, text: str = "") -> Browser:
    browser = client.browse("q", reader, parse_selector(text) if text else None)
    end_batch(client)
    return browser


def test_what_is_ready_is_shown_in_order_and_stays() -> None:
    client, queue = a_queue_with(b"1", b"2", b"3")
    reader = Reader()
    browse(client, reader)
    assert reader.bodies == [b"1", b"2", b"3"]
    assert reader.ends == 1
    assert queue.ready_count == 3
    assert queue.unsettled_count == 0


def test_nothing_is_shown_before_the_batch_ends() -> None:
    client, _ = a_queue_with(b"1")
    reader = Reader()
    client.browse("q", reader)
    assert reader.held == []


def test_an_empty_queue_ends_at_once() -> None:
    client, _ = a_queue_with()
    reader = Reader(credit=0)
    browse(client, reader)
    assert (reader.held, reader.ends) == ([], 1)


def test_the_order_is_that_of_priorities() -> None:
    client, queue = a_queue_with(arguments={"x-max-priority": 5})
    for number in (1, 5, 3):
        said = Properties()
        said.priority = number
        queue.take(Message(Address("", "q"), str(number).encode(), 0, Stated(said)))
    reader = Reader()
    browse(client, reader)
    assert reader.bodies == [b"5", b"3", b"1"]
    entry = queue.get()
    assert entry is not None
    assert entry.message.body == b"5"


def test_a_selector_decides_what_is_shown() -> None:
    client, queue = a_queue_with()
    for number in range(6):
        queue.take(Message(Address("", "q"), str(number).encode(), 0, Stated(Properties({"odd": bool(number % 2)}))))
    reader = Reader()
    browse(client, reader, "odd")
    assert reader.bodies == [b"1", b"3", b"5"]


@pytest.mark.parametrize("settle", ["accept", "requeue", "discard", "requeue_later"])
def test_settling_gives_credit_and_changes_nothing(settle: str) -> None:
    client, queue = a_queue_with(b"1", b"2", b"3")
    held_bytes = client.vhost.surroundings.usage.held_bytes
    reader = Reader(credit=1)
    browse(client, reader)
    for number in range(3):
        assert len(reader.held) == number + 1
        assert (reader.credit, reader.ends) == (0, int(number == 2))
        entry = reader.held[-1]
        for _ in range(2):  # what is settled is settled
            if settle == "requeue_later":
                entry.queue.requeue_later(entry, 5.0)
            else:
                getattr(entry.queue, settle)(entry)
        end_batch(client)
    assert reader.bodies == [b"1", b"2", b"3"]
    assert reader.credit == 1
    assert queue.ready_count == 3
    assert client.vhost.surroundings.usage.held_bytes == held_bytes


def test_settling_a_copy_is_not_settling_the_entry_that_was_lent_meanwhile() -> None:
    client, queue = a_queue_with(b"1")
    reader, consumer = Reader(), Holder()
    browse(client, reader)
    queue.add(consumer)
    end_batch(client)
    reader.held[0].queue.accept(reader.held[0])
    assert queue.unsettled_count == 1


def test_who_takes_for_good_needs_no_credit_back() -> None:
    client, _ = a_queue_with(b"1", b"2")
    reader = Reader(settles=False)
    browse(client, reader)
    assert (len(reader.held), reader.ends) == (2, 1)


def test_shared_credit_is_a_limit_too() -> None:
    client, _ = a_queue_with(b"1", b"2")
    shared = Credit(1)
    reader = Reader(shared=shared)
    browse(client, reader)
    assert reader.bodies == [b"1"]
    reader.held[0].queue.accept(reader.held[0])
    end_batch(client)
    assert reader.bodies == [b"1", b"2"]
    shared.resize(5)
    assert shared.available == 4


def test_a_suspended_reader_is_shown_nothing_until_it_resumes() -> None:
    client, _ = a_queue_with(b"1")
    reader = Reader()
    reader.suspended = True
    browser = browse(client, reader)
    assert (reader.held, reader.ends) == ([], 0)
    reader.suspended = False
    browser.resume(reader)
    end_batch(client)
    assert (reader.bodies, reader.ends) == ([b"1"], 1)


def test_what_changes_meanwhile_is_seen_as_the_walk_comes_by() -> None:
    """What has left is passed over, what comes later is not shown, and nothing is shown twice."""
    client, queue = a_queue_with(b"1", b"2", b"3", b"4", b"5")
    reader = Reader(credit=1)
    browse(client, reader)
    first, second = queue.get(), queue.get()
    assert first is not None
    assert second is not None
    put(queue, b"new")
    queue.requeue(first)  # shown before; now it is there again
    reader.held[0].queue.accept(reader.held[0])
    end_batch(client)
    reader.credit = 10
    reader.held[1].queue.accept(reader.held[1])
    end_batch(client)
    assert reader.bodies == [b"1", b"3", b"4", b"5"]
    assert reader.ends == 1


@pytest.mark.parametrize("how", ["purge", "delete"])
def test_the_walk_ends_when_nothing_is_left(how: str) -> None:
    client, queue = a_queue_with(b"1", b"2", b"3")
    reader = Reader(credit=1)
    browse(client, reader)
    queue.purge() if how == "purge" else client.delete_queue("q")
    put(queue, b"new")
    reader.held[0].queue.accept(reader.held[0])
    end_batch(client)
    assert (reader.bodies, reader.ends) == ([b"1"], 1)
    assert client.vhost.surroundings.usage.held_bytes == 0 or how == "purge"


def test_a_queue_that_was_browsed_is_an_ordinary_one_again_when_it_has_been_empty() -> None:
    client, queue = a_queue_with(b"1", b"2")
    browse(client, Reader())
    assert type(queue.backlog) is OrderedBacklog
    consumer = Holder()
    queue.add(consumer)
    end_batch(client)
    assert consumer.bodies == [b"1", b"2"]
    assert type(queue.backlog) is Backlog


def test_what_has_expired_is_not_shown() -> None:
    client, queue = a_queue_with(b"1")
    message = Message(Address("", "q"), b"2", 0, Stated(Properties()))
    message.expires_at = 101.0
    queue.take(message)
    put(queue, b"3")
    client.vhost.surroundings.clock.now = 102.0
    reader = Reader()
    browse(client, reader)
    assert reader.bodies == [b"1", b"3"]


def test_a_long_walk_is_spread_over_runs() -> None:
    client, queue = a_queue_with(*[b"x"] * (BROWSED_AT_ONCE + 10))
    reader = Reader()
    client.browse("q", reader)
    (walks,) = woken = client.vhost.surroundings.woken
    woken.clear()
    walks.run()
    assert SHARE < len(reader.held) <= BROWSED_AT_ONCE
    assert woken == [walks]
    end_batch(client)
    assert (len(reader.held), reader.ends) == (queue.ready_count, 1)


def test_a_run_with_many_walks_is_no_longer_than_one_with_a_long_walk() -> None:
    client, queue = a_queue_with(*[b"x"] * (SHARE + 10))
    readers = [Reader() for _ in range(3 * BROWSED_AT_ONCE // SHARE)]
    for reader in readers:
        client.browse("q", reader)
    (walks,) = woken = client.vhost.surroundings.woken
    woken.clear()
    walks.run()
    assert 0 < sum([len(reader.held) for reader in readers]) <= BROWSED_AT_ONCE
    end_batch(client)
    assert {(len(reader.held), reader.ends) for reader in readers} == {(queue.ready_count, 1)}


def test_walks_that_were_closed_in_the_meantime_cost_a_turn_each() -> None:
    client, _ = a_queue_with(b"1")
    walked = [client.browse("q", Reader()) for _ in range(2 * BROWSED_AT_ONCE)]
    for browser in walked:
        browser.close()
    last = Reader()
    client.browse("q", last)
    (walks,) = client.vhost.surroundings.woken
    walks.run()
    assert last.held == []
    end_batch(client)
    assert last.bodies == [b"1"]


def test_a_walk_that_was_closed_shows_nothing_more() -> None:
    client, _ = a_queue_with(b"1", b"2")
    reader = Reader(credit=1)
    browser = browse(client, reader)
    browser.close()
    browser.close()
    reader.held[0].queue.accept(reader.held[0])
    browser.resume(reader)
    end_batch(client)
    assert (reader.bodies, reader.ends, reader.credit) == ([b"1"], 0, 1)


def test_a_bug_in_the_reader_costs_the_reader() -> None:
    client, queue = a_queue_with(b"1")
    reader = Failing(settles=False)
    browse(client, reader)
    assert reader.errors == 1
    assert queue.ready_count == 1


def test_whoever_may_not_read_may_not_browse() -> None:
    broker = a_broker()
    owner = a_client(broker)
    owner.declare_queue("q", exclusive=True)
    with pytest.raises(Denied):
        a_client(broker, powerless()).browse("q", Reader())
    with pytest.raises(Locked):
        a_client(broker).browse("q", Reader())
    with pytest.raises(NotFound):
        owner.browse("missing", Reader())
    owner.browse("q", Reader())
    run(broker)


def test_browsing_and_selecting_go_together() -> None:
    client, queue = a_queue_with()
    for key in ("a", "b", "a"):
        queue.take(Message(Address("", "q"), key.encode(), 0, Stated(Properties({"key": key}))))
    reader, consumer = Reader(credit=1), Holder()
    browser = browse(client, reader)
    consumer.selector = parse_selector("key = 'a'")
    queue.add(consumer)
    end_batch(client)
    reader.credit = 10
    browser.resume(reader)
    end_batch(client)
    assert consumer.bodies == [b"a", b"a"]
    assert reader.bodies == [b"a", b"b"]
