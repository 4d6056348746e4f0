"""Who learns of queues that are declared, and when: complete, once each, and nobody else."""

from hypothesis import given
from hypothesis import strategies as st

from core.queueing.queue import Queue
from core.queueing.watchers import QueueWatcher, matching
from core.routing.pattern import parse_binding_key
from tests.core.parts import a_client, a_queue, naive_topic_match

WORDS = st.lists(st.sampled_from(["a", "b", ""]), min_size=1, max_size=4).map(".".join)
PATTERNS = st.lists(st.sampled_from(["a", "b", "*", "#"]), min_size=1, max_size=4).map(".".join)


class Watcher(QueueWatcher):
    """Remembers what it learned."""

    def __init__(self) -> None:
        self.seen: list[tuple[str, bool, bool]] = []

    def appeared(self, queue: Queue) -> None:
        self.seen.append((queue.name, queue.durable, queue.owner is not None))


def test_a_watcher_learns_of_a_queue_once_it_is_complete() -> None:
    client = a_client()
    watcher = Watcher()
    client.vhost.watchers.add(parse_binding_key("q.*"), watcher)
    client.declare_queue("q.durable", durable=True)
    client.declare_queue("q.durable", durable=True)
    client.declare_queue("q.mine", exclusive=True)
    client.declare_queue("other")
    assert watcher.seen == [("q.durable", True, False), ("q.mine", False, True)]


def test_a_queue_that_is_deleted_and_declared_again_is_new() -> None:
    client = a_client()
    watcher = Watcher()
    client.vhost.watchers.add(parse_binding_key("#"), watcher)
    for _ in range(2):
        client.declare_queue("q")
        client.delete_queue("q")
    assert [name for name, _, _ in watcher.seen] == ["q", "q"]


def test_who_watches_no_more_learns_nothing() -> None:
    client = a_client()
    watchers = client.vhost.watchers
    one, other = Watcher(), Watcher()
    for watcher in (one, other):
        watchers.add(parse_binding_key("q"), watcher)
    watchers.remove(parse_binding_key("q"), one)
    client.declare_queue("q")
    assert (one.seen, len(other.seen)) == ([], 1)


@given(PATTERNS, st.lists(WORDS, max_size=6, unique=True))
def test_the_queues_that_match_are_those_that_a_naive_matcher_finds(key: str, names: list[str]) -> None:
    pattern = parse_binding_key(key)
    queues = [a_queue(name) for name in names]
    found = [queue.name for queue in matching(pattern, queues)]
    assert found == [name for name in names if naive_topic_match(pattern, name)]
