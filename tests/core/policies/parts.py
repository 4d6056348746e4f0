"""What the tests of policies share: a broker with patterns, turns that pass, and settings as a test says them."""

import itertools

from core.broker import Broker
from core.client import Client
from core.model.properties import Headers
from core.policies.administration import policies_of, set_policy
from gateway.patterns import compile_pattern
from tests.core.parts import a_client


def a_broker_with_patterns() -> Broker:
    numbers = itertools.count(1)
    broker = Broker(lambda: f"unique-{next(numbers)}", compile_pattern=compile_pattern)
    broker.clock.now = 100.0
    broker.clock.wall = 1_000_000.0
    return broker


def connected() -> tuple[Broker, Client]:
    broker = a_broker_with_patterns()
    return broker, a_client(broker)


def let_pass(broker: Broker, seconds: float) -> int:
    """Let time pass, and the turns until nothing is due any more; return how many those were."""
    broker.clock.now += seconds
    broker.clock.wall += seconds
    turns = 0
    while due := broker.timers.due():
        turns += 1
        for timed in due:
            timed.timeout()
            broker.timers.watch(timed)
    return turns


def on_queues(broker: Broker, definition: Headers, name: str = "p", priority: int = 0) -> None:
    """Set a policy for every queue."""
    set_policy(broker, "/", name, "", definition, apply_to="queues", priority=priority)


def applied(broker: Broker, queue: str) -> tuple[object, object]:
    found = policies_of(broker, "/", "queue", queue)
    return found["policy"], found["operator-policy"]
