"""Forwarding rules of the configuration, at work in the core's broker."""

import itertools
from typing import Any

import pytest

from core.broker import Broker
from core.model.message import Message, plain_message
from core.model.properties import Properties, Stated
from core.routing.binding import Binding
from core.routing.sink import Sink
from gateway.config import Config
from gateway.forwarding import install


class Listener(Sink):
    """Remembers what it took."""

    def __init__(self) -> None:
        super().__init__()
        self.taken: list[tuple[str, str, bytes]] = []

    def take(self, message: Message) -> bool:
        self.taken.append((message.address.exchange, message.address.key, message.body))
        return True


def broker_with(*rules: dict[str, Any], vhosts: tuple[str, ...] = ()) -> Broker:
    config = Config.model_validate({"forward": list(rules), "vhost": [{"name": name} for name in vhosts]})
    numbers = itertools.count()
    broker = Broker(lambda: str(next(numbers)))
    for name in vhosts:
        broker.add_vhost(name)
    install(config, broker)
    return broker


def publish(broker: Broker, exchange: str, key: str, body: bytes = b"x", vhost: str = "/") -> None:
    source = broker.vhosts[vhost].exchange(exchange)
    source.take(plain_message(source.address(key), body))


def listen(broker: Broker, pattern: str, exchange: str = "amq.topic", vhost: str = "/") -> Listener:
    listener = Listener()
    broker.vhosts[vhost].bind(broker.vhosts[vhost].exchange(exchange), Binding(listener, pattern, {}))
    return listener


def ready(broker: Broker, queue: str, vhost: str = "/") -> int:
    return broker.vhosts[vhost].queue(queue).ready_count


def test_a_topic_goes_to_a_queue_and_a_topic_and_stays() -> None:
    broker = broker_with({"from": "/topic/a.b", "to": ["/queue/q", "/topic/c"]})
    original, copy = listen(broker, "a.b"), listen(broker, "c")
    publish(broker, "amq.topic", "a.b")
    assert original.taken == [("amq.topic", "a.b", b"x")]
    assert copy.taken == [("amq.topic", "c", b"x")]
    assert ready(broker, "q") == 1


def test_a_rule_that_keeps_nothing_moves() -> None:
    broker = broker_with({"from": "/queue/q", "to": ["/topic/c"], "keep": False})
    copy = listen(broker, "c")
    publish(broker, "", "q")
    assert copy.taken == [("amq.topic", "c", b"x")]
    assert ready(broker, "q") == 0


def test_the_queues_of_a_rule_are_declared_durable() -> None:
    broker = broker_with({"from": "/queue/from", "to": ["/queue/to", "/topic/a"]})
    queues = broker.vhosts["/"].queues
    assert sorted(queues) == ["from", "to"]
    assert all(queue.durable and not queue.auto_delete for queue in queues.values())


def test_two_rules_may_share_a_queue() -> None:
    broker = broker_with({"from": "/topic/a", "to": ["/queue/q"]}, {"from": "/topic/b", "to": ["/queue/q"]})
    publish(broker, "amq.topic", "a")
    publish(broker, "amq.topic", "b")
    assert ready(broker, "q") == 2


@pytest.mark.parametrize(
    ("source", "key", "matched"),
    [
        ("/topic/a.*", "a.b", True),
        ("/topic/a.*", "a", False),
        ("/topic/a.*", "a.b.c", False),
        ("/topic/a.#", "a", True),
        ("/topic/a.#", "a.b.c", True),
        ("/topic/a.b%2Fc", "a.b/c", True),
        ("/exchange/amq.topic/a.*", "a.b", True),
        ("/exchange/amq.topic", "whatever.there.is", True),
        ("/exchange/amq.topic", "", True),
    ],
)
def test_wildcards_stand_for_words_of_the_key(source: str, key: str, matched: bool) -> None:
    broker = broker_with({"from": source, "to": ["/queue/q"]})
    publish(broker, "amq.topic", key)
    assert ready(broker, "q") == int(matched)


def test_a_star_in_the_name_of_a_queue_is_just_a_star() -> None:
    broker = broker_with({"from": "/queue/a.*", "to": ["/queue/q"]})
    publish(broker, "", "a.b")
    assert ready(broker, "q") == 0
    publish(broker, "", "a.*")
    assert ready(broker, "q") == 1


def test_an_exchange_is_taken_from_once_it_is_declared() -> None:
    broker = broker_with({"from": "/exchange/later/k", "to": ["/queue/q"]})
    broker.vhosts["/"].add_exchange("later", "direct")
    publish(broker, "later", "other")
    publish(broker, "later", "k")
    assert ready(broker, "q") == 1


def test_an_exchange_is_sent_to_with_its_key() -> None:
    broker = broker_with({"from": "/topic/a", "to": ["/exchange/amq.direct/k"]})
    listener = listen(broker, "k", "amq.direct")
    publish(broker, "amq.topic", "a")
    assert listener.taken == [("amq.direct", "k", b"x")]


def test_an_exchange_that_is_missing_is_counted() -> None:
    broker = broker_with({"from": "/topic/a", "to": ["/exchange/none/k"]})
    publish(broker, "amq.topic", "a")
    assert broker.counters.dropped == {"forward_target_missing": 1}


def test_one_target_named_twice_gets_one_copy() -> None:
    broker = broker_with({"from": "/topic/a", "to": ["/queue/q", "/queue/%71"]})
    publish(broker, "amq.topic", "a")
    assert ready(broker, "q") == 1


@pytest.mark.parametrize("keep", [True, False])
def test_a_rule_with_a_selector_is_about_what_matches(keep: bool) -> None:
    rule = {"from": "/topic/a", "to": ["/queue/q"], "keep": keep, "selector": "JMSType = 'alarm'"}
    broker = broker_with(rule)
    original = listen(broker, "a")
    source = broker.vhosts["/"].exchange("amq.topic")
    for kind in ("alarm", "news"):
        said = Properties()
        said.type = kind
        source.take(Message(source.address("a"), kind.encode(), 0, Stated(said)))
    assert ready(broker, "q") == 1
    assert [body for *_, body in original.taken] == ([b"alarm", b"news"] if keep else [b"news"])


def test_what_no_rule_is_about_and_nobody_takes_is_counted() -> None:
    broker = broker_with({"from": "/topic/a", "to": ["/queue/q"], "selector": "JMSType = 'alarm'"})
    publish(broker, "amq.topic", "a")
    assert ready(broker, "q") == 0
    assert broker.counters.unroutable == 1


def test_rules_follow_one_another() -> None:
    broker = broker_with(
        {"from": "/topic/a", "to": ["/topic/b"]},
        {"from": "/topic/b", "to": ["/queue/q"]},
    )
    publish(broker, "amq.topic", "a")
    assert ready(broker, "q") == 1


@pytest.mark.parametrize("keep", [True, False])
def test_a_cycle_of_rules_ends(keep: bool) -> None:
    broker = broker_with(
        {"from": "/topic/a", "to": ["/topic/b"], "keep": keep},
        {"from": "/topic/b", "to": ["/topic/a"], "keep": keep},
    )
    at_a, at_b = listen(broker, "a"), listen(broker, "b")
    publish(broker, "amq.topic", "a")
    assert len(at_a.taken) == (2 if keep else 1)
    assert len(at_b.taken) == (1 if keep else 0)


def test_a_rule_belongs_to_its_virtual_host() -> None:
    broker = broker_with({"from": "/topic/a", "to": ["/queue/q"], "vhost": "v"}, vhosts=("v",))
    publish(broker, "amq.topic", "a")
    publish(broker, "amq.topic", "a", vhost="v")
    assert broker.vhosts["/"].queues == {}
    assert ready(broker, "q", "v") == 1


def test_without_rules_nothing_is_declared() -> None:
    assert broker_with().vhosts["/"].queues == {}
