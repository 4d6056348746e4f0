"""The entrance of a queue that wants a part only, and the dead letters of a consumer that brings its own place for them."""

from core.model.names import DEFAULT_EXCHANGE, TOPIC_SPACE
from core.model.properties import Properties
from core.queueing.dead_letters import DeadLettering
from core.queueing.entrance import Entrance
from core.queueing.stock import REJECT_PUBLISH
from core.routing.selector import parse_selector
from tests.core.parts import Holder, a_client, a_message, put


def test_only_what_the_selector_matches_gets_in() -> None:
    client = a_client()
    queue = client.declare_queue("q")
    queue.entrance = Entrance(queue, parse_selector("colour = 'red'"))
    client.bind_sink(queue.entrance, TOPIC_SPACE, "a.*")
    for number, colour in enumerate(("red", "blue", "red")):
        message = a_message(client, TOPIC_SPACE, "a.b", b"%d" % number)
        properties = Properties({"colour": colour})
        client.vhost.exchange(TOPIC_SPACE).take(message.restated(message.address, properties))
    assert queue.ready_count == 2


def test_the_entrance_goes_with_its_queue() -> None:
    client = a_client()
    queue = client.declare_queue("q")
    queue.entrance = Entrance(queue, parse_selector("a = 1"))
    client.bind_sink(queue.entrance, TOPIC_SPACE, "a.*")
    client.delete_queue("q")
    assert not client.vhost.exchange(TOPIC_SPACE).bindings


def test_an_entrance_admits_what_its_queue_admits() -> None:
    queue = a_client().declare_queue("q")
    queue.limit_entries, queue.overflow = 1, REJECT_PUBLISH
    entrance = Entrance(queue, parse_selector("a = 1"))
    assert entrance.admits(1, 10)
    assert not entrance.admits(2, 10)


def test_what_a_consumer_discards_goes_to_its_own_place_where_the_queue_has_none() -> None:
    client = a_client()
    queue, grave = client.declare_queue("q"), client.declare_queue("grave")
    consumer = Holder()
    client.consume("q", consumer)
    consumer.dead_lettering = DeadLettering(client.vhost, "q", DEFAULT_EXCHANGE, "grave")
    put(queue, b"x")
    (entry,) = consumer.held
    queue.discard(entry)
    assert grave.ready_count == 1
    letter = grave.backlog.head().message
    assert letter.properties.headers["x-first-death-queue"] == "q"


def test_the_queues_own_place_for_dead_letters_comes_first() -> None:
    client = a_client()
    arguments = {"x-dead-letter-exchange": DEFAULT_EXCHANGE, "x-dead-letter-routing-key": "own"}
    queue, own = client.declare_queue("q", arguments=arguments), client.declare_queue("own")
    grave = client.declare_queue("grave")
    consumer = Holder()
    client.consume("q", consumer)
    consumer.dead_lettering = DeadLettering(client.vhost, "q", DEFAULT_EXCHANGE, "grave")
    put(queue, b"x")
    queue.discard(consumer.held[0])
    assert (own.ready_count, grave.ready_count) == (1, 0)
