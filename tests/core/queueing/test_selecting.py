"""Consumers with selectors on one queue. What order and credit mean then is the model's (`tests/models`)."""

from core.model.message import Address, Message
from core.model.properties import Headers, Native, Properties, Stated
from core.queueing.backlog import Backlog
from core.queueing.queue import Queue
from core.queueing.selecting import SEARCHED_AT_ONCE, STALE_LIMIT
from core.queueing.stock import REJECT_PUBLISH
from core.queueing.surroundings import Surroundings
from core.routing.selector import parse_selector
from core.timers import Clock
from tests.core.parts import Holder, run_queues

ADDRESS = Address("", "q")


class Asked(Native):
    """Counts how often it is asked for the properties; too large to be kept decoded, so each evaluation asks."""

    def __init__(self, headers: Headers) -> None:
        self.headers = headers
        self.size_bytes = 10_000
        self.count = 0

    def decode(self) -> Properties:
        self.count += 1
        return Properties(self.headers)


def surroundings_and_queue() -> tuple[Surroundings, Queue]:
    surroundings = Surroundings(Clock(100.0))
    return surroundings, Queue("q", surroundings)


def subscribe(queue: Queue, text: str, **kinds: int) -> Holder:
    consumer = Holder(**kinds)  # type: ignore[arg-type]
    consumer.selector = parse_selector(text) if text else None
    queue.add(consumer)
    return consumer


def put(queue: Queue, *keys: str) -> None:
    for key in keys:
        assert queue.take(Message(ADDRESS, key.encode(), 0, Stated(Properties({"key": key}))))


def test_what_does_not_match_blocks_nobody() -> None:
    surroundings, queue = surroundings_and_queue()
    put(queue, "b", "b", "a", "b", "a")
    a = subscribe(queue, "key = 'a'")
    run_queues(surroundings)
    put(queue, "b", "a")
    assert a.bodies == [b"a", b"a", b"a"]
    assert queue.ready_count == 4


def test_who_has_no_selector_gets_what_nobody_else_has_taken() -> None:
    surroundings, queue = surroundings_and_queue()
    a = subscribe(queue, "key = 'a'", credit=1)
    put(queue, "a", "a", "b")
    anybody = subscribe(queue, "")
    run_queues(surroundings)
    assert a.bodies == [b"a"]
    assert anybody.bodies == [b"a", b"b"]


def test_who_was_there_before_the_first_selector_is_not_forgotten() -> None:
    surroundings, queue = surroundings_and_queue()
    put(queue, "b")
    anybody = subscribe(queue, "")
    subscribe(queue, "key = 'a'")
    run_queues(surroundings)
    assert anybody.bodies == [b"b"]


def test_consumers_that_match_take_turns_whatever_their_selectors() -> None:
    surroundings, queue = surroundings_and_queue()
    consumers = [subscribe(queue, text) for text in ("key = 'a'", "key = 'a'", "key <> 'b'", "")]
    put(queue, *["a"] * 8)
    assert [len(consumer.held) for consumer in consumers] == [2, 2, 2, 2]
    for entry in [entry for consumer in consumers for entry in consumer.held]:
        queue.requeue(entry)
    run_queues(surroundings)
    assert [len(consumer.held) for consumer in consumers] == [4, 4, 4, 4]


def test_what_comes_back_goes_to_whoever_matches() -> None:
    surroundings, queue = surroundings_and_queue()
    first = subscribe(queue, "key = 'a'")
    put(queue, "a", "a")
    queue.remove(first)
    second = subscribe(queue, "key IN ('a', 'c')")
    for entry in reversed(first.held):
        queue.requeue(entry)
    run_queues(surroundings)
    assert second.held == first.held
    assert all(entry.redelivered for entry in second.held)


def test_an_entry_is_asked_about_once_for_all_selectors_that_need_its_property() -> None:
    surroundings, queue = surroundings_and_queue()
    consumers = [subscribe(queue, f"key = '{number}'", credit=0) for number in range(100)]
    said = Asked({"key": "none of them"})
    queue.take(Message(ADDRESS, b"", 0, said))
    assert said.count == 1
    for consumer in consumers:
        consumer.credit += 1
        queue.resume(consumer)
    run_queues(surroundings)
    put(queue, *["7"] * 10)
    assert said.count == 1


def test_browsing_past_an_entry_costs_nothing_the_next_time() -> None:
    surroundings, queue = surroundings_and_queue()
    passed_over = [Asked({"key": "b"}) for _ in range(10)]
    for said in passed_over:
        queue.take(Message(ADDRESS, b"", 0, said))
    put(queue, "a", "a", "a")
    consumer = subscribe(queue, "key = 'a'", credit=1)
    for _ in range(3):
        run_queues(surroundings)
        queue.accept(consumer.held[-1])
    run_queues(surroundings)
    assert consumer.bodies == [b"a", b"a", b"a"]
    assert {said.count for said in passed_over} == {1}


def test_a_new_selector_looks_only_as_far_as_there_is_credit() -> None:
    surroundings, queue = surroundings_and_queue()
    put(queue, "b", "a")
    behind = Asked({"key": "a"})
    queue.take(Message(ADDRESS, b"", 0, behind))
    subscribe(queue, "key = 'a'", credit=1)
    run_queues(surroundings)
    assert behind.count == 0


def test_a_long_search_is_spread_over_runs() -> None:
    surroundings, queue = surroundings_and_queue()
    put(queue, *["b"] * (SEARCHED_AT_ONCE + 10), "a")
    consumer = subscribe(queue, "key = 'a'")
    for held in (0, 1):
        assert surroundings.woken == [queue]
        surroundings.woken = []
        queue.run()
        assert len(consumer.held) == held
    assert surroundings.woken == []


def test_what_comes_during_a_search_has_to_wait_for_its_end() -> None:
    surroundings, queue = surroundings_and_queue()
    put(queue, *["b"] * SEARCHED_AT_ONCE, "a")
    consumer = subscribe(queue, "key = 'a'")
    surroundings.woken = []
    queue.run()
    put(queue, "a")
    assert consumer.held == []
    run_queues(surroundings)
    assert [entry.sequence for entry in consumer.held] == [SEARCHED_AT_ONCE + 1, SEARCHED_AT_ONCE + 2]


def test_a_search_that_was_given_up_goes_on_from_where_it_was() -> None:
    surroundings, queue = surroundings_and_queue()
    early = Asked({"key": "b"})
    queue.take(Message(ADDRESS, b"", 0, early))
    put(queue, *["b"] * SEARCHED_AT_ONCE)
    consumer = subscribe(queue, "key = 'a'")
    surroundings.woken = []
    queue.run()
    consumer.suspended = True
    run_queues(surroundings)
    consumer.suspended = False
    queue.resume(consumer)
    run_queues(surroundings)
    put(queue, "a")
    assert consumer.bodies == [b"a"]
    assert early.count == 1


def test_places_of_entries_that_are_gone_are_not_kept_for_ever() -> None:
    surroundings, queue = surroundings_and_queue()
    subscribe(queue, "key = 'a'", credit=0)
    taker = subscribe(queue, "", settles=False)
    held = []
    for _ in range(10):
        taker.suspended = True
        put(queue, *["a"] * 100)
        taker.suspended = False
        queue.resume(taker)
        run_queues(surroundings)
        held.append(surroundings.usage.held_bytes)
    assert queue.ready_count == 0
    assert held[-1] == max(held[1:])
    assert held[-1] < (2 * 100 + STALE_LIMIT) * 100
    queue.purge()
    assert surroundings.usage.held_bytes == 0


def test_the_queue_is_an_ordinary_one_again_when_the_last_selector_has_left() -> None:
    surroundings, queue = surroundings_and_queue()
    selecting = subscribe(queue, "key = 'a'")
    ordinary = subscribe(queue, "", credit=1)
    put(queue, "b", "b", "a")
    queue.remove(selecting)
    queue.accept(ordinary.held[0])
    run_queues(surroundings)
    assert ordinary.bodies == [b"b", b"b"]
    queue.remove(subscribe(queue, "key = 'a'"))
    assert type(queue.backlog) is Backlog
    put(queue, "a")
    queue.accept(ordinary.held[1])
    run_queues(surroundings)
    assert ordinary.bodies == [b"b", b"b", b"a"]


def test_a_single_active_consumer_with_a_selector_keeps_the_others_waiting() -> None:
    surroundings, queue = surroundings_and_queue()
    queue.single_active = True
    active, waiting = subscribe(queue, "key = 'a'"), subscribe(queue, "key = 'b'")
    put(queue, "b", "a")
    assert active.bodies == [b"a"]
    assert waiting.bodies == []
    queue.remove(active)
    run_queues(surroundings)
    assert waiting.bodies == [b"b"]


def test_a_full_queue_promises_a_transaction_only_what_it_can_keep() -> None:
    _, queue = surroundings_and_queue()
    queue.limit_entries, queue.overflow = 1, REJECT_PUBLISH
    subscribe(queue, "key = 'a'")
    assert queue.admits(1, 10)
    put(queue, "b")
    assert not queue.admits(1, 10)
    put(queue, "a")


def test_a_deleted_queue_lets_go_of_everything() -> None:
    surroundings, queue = surroundings_and_queue()
    consumers = [subscribe(queue, "key = 'a'", credit=1), subscribe(queue, "", credit=1)]
    put(queue, *["a"] * 5)
    assert queue.delete() == 3
    assert [consumer.cancellations for consumer in consumers] == [1, 1]
    for consumer in consumers:
        queue.requeue(consumer.held[0])
    assert surroundings.usage.held_bytes == 0
