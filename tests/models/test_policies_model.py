"""Policies that come, change and go beside queues and exchanges that do, and starts in between; beside a simple oracle.

The oracle keeps lists of what was set and of what exists, and works out anew for each thing what must hold.
"""

import re
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from core.broker import Broker
from core.client import Client
from core.model.errors import NotFound
from core.model.properties import Headers
from core.policies.administration import clear_policy, policies_of, set_policy
from core.queueing.credit import UNLIMITED
from core.queueing.queue import Queue
from core.recovery import recover
from core.store.memory import MemoryStore
from core.timers import NEVER
from tests.core.parts import a_client
from tests.core.policies.parts import a_broker_with_patterns
from tests.core.store.filling import commit

THINGS = st.sampled_from(["a", "b", "ab", "ba", "abc"])
NAMES = st.sampled_from(["p1", "p2", "p3"])
PATTERNS = st.sampled_from(["", "a", "^a", "b$", "^ab$", "^(a|b)+$", "nothing", "c"])
LIMITS = st.dictionaries(
    st.sampled_from(["max-length", "max-length-bytes", "message-ttl", "expires", "delivery-limit"]),
    st.integers(1_000, 1_005),
    min_size=1,
    max_size=3,
)
TEXTS = st.dictionaries(
    st.sampled_from(["dead-letter-exchange", "dead-letter-routing-key", "alternate-exchange"]),
    st.sampled_from(["a", "b", "c"]),
    min_size=1,
    max_size=2,
)
ARGUMENTS = st.dictionaries(st.sampled_from(["x-max-length", "x-message-ttl", "x-expires"]), st.integers(1_000, 1_005))


class PoliciesModel(RuleBasedStateMachine):
    """A broker with a store, and what must be true of it."""

    def __init__(self) -> None:
        super().__init__()
        self.store = MemoryStore()
        self.broker: Broker = a_broker_with_patterns()
        recover(self.broker, self.store)
        self.client: Client = a_client(self.broker)
        self.policies: tuple[dict[str, Any], dict[str, Any]] = ({}, {})
        self.queues: dict[str, Headers] = {}
        self.exchanges: dict[str, Headers] = {}

    @rule(
        name=NAMES,
        pattern=PATTERNS,
        definition=st.one_of(LIMITS, TEXTS),
        apply_to=st.sampled_from(["all", "queues", "exchanges", "classic_queues", "quorum_queues"]),
        priority=st.integers(-1, 1),
    )
    def set_one(self, name: str, pattern: str, definition: Headers, apply_to: str, priority: int) -> None:
        set_policy(self.broker, "/", name, pattern, definition, apply_to=apply_to, priority=priority)
        self.policies[0][name] = (pattern, definition, apply_to, priority)

    @rule(name=NAMES, pattern=PATTERNS, definition=LIMITS, priority=st.integers(-1, 1))
    def set_for_operators(self, name: str, pattern: str, definition: Headers, priority: int) -> None:
        set_policy(self.broker, "/", name, pattern, definition, priority=priority, operator=True)
        self.policies[1][name] = (pattern, definition, "queues", priority)

    @rule(name=NAMES, operator=st.booleans())
    def clear(self, name: str, operator: bool) -> None:
        known = self.policies[operator].pop(name, None)
        try:
            clear_policy(self.broker, "/", name, operator=operator)
        except NotFound:
            assert known is None
        else:
            assert known is not None

    @rule(name=THINGS, arguments=ARGUMENTS, quorum=st.booleans())
    def declare_queue(self, name: str, arguments: Headers, quorum: bool) -> None:
        if name not in self.queues:
            self.queues[name] = {**arguments, "x-queue-type": "quorum"} if quorum else arguments
            self.client.declare_queue(name, durable=True, arguments=self.queues[name])

    @rule(name=THINGS)
    def delete_queue(self, name: str) -> None:
        self.queues.pop(name, None)
        self.client.delete_queue(name)

    @rule(name=THINGS, alternate=st.sampled_from([None, "a", "b"]))
    def declare_exchange(self, name: str, alternate: str | None) -> None:
        if name not in self.exchanges:
            self.exchanges[name] = {} if alternate is None else {"alternate-exchange": alternate}
            self.client.declare_exchange(name, "direct", durable=True, arguments=self.exchanges[name])

    @rule(name=THINGS)
    def delete_exchange(self, name: str) -> None:
        self.exchanges.pop(name, None)
        self.client.delete_exchange(name)

    @rule()
    def start_again(self) -> None:
        commit(self.broker, self.store)
        self.broker = a_broker_with_patterns()
        assert recover(self.broker, self.store).damage == []
        self.client = a_client(self.broker)

    def best(self, operator: bool, name: str, kinds: set[str]) -> tuple[str | None, Headers]:
        """Return the policy for a thing, as the documentation says it."""
        found = [
            (-priority, other, definition)
            for other, (pattern, definition, apply_to, priority) in self.policies[operator].items()
            if apply_to in kinds and re.search(pattern, name)
        ]
        if not found:
            return None, {}
        _, best, definition = min(found, key=lambda each: each[:2])
        return best, definition

    @invariant()
    def queues_are_as_their_policies_say(self) -> None:
        assert set(self.client.vhost.queues) == set(self.queues)
        for name, arguments in self.queues.items():
            quorum = "x-queue-type" in arguments
            kinds = {"all", "queues", "quorum_queues" if quorum else "classic_queues"}
            policy, own = self.best(False, name, kinds)
            operator, limits = self.best(True, name, kinds)
            said = policies_of(self.broker, "/", "queue", name)
            assert (said["policy"], said["operator-policy"]) == (policy, operator)
            check_queue(self.client.vhost.queue(name), arguments, own, limits, quorum=quorum)

    @invariant()
    def exchanges_are_as_their_policies_say(self) -> None:
        exchanges = self.client.vhost.exchanges
        for name, arguments in self.exchanges.items():
            policy, own = self.best(False, name, {"all", "exchanges"})
            assert policies_of(self.broker, "/", "exchange", name)["policy"] == policy
            alternate = arguments.get("alternate-exchange", own.get("alternate-exchange"))
            assert exchanges[name].alternate_name == alternate
            assert exchanges[name].alternate is (exchanges.get(alternate) if alternate is not None else None)


def check_queue(queue: Queue, arguments: Headers, own: Headers, limits: Headers, *, quorum: bool) -> None:
    def smallest(key: str) -> int | None:
        said = [arguments.get(f"x-{key}"), own.get(key), limits.get(key)]
        return min([value for value in said if value is not None], default=None)

    assert queue.limit_entries == (smallest("max-length") or UNLIMITED)
    assert queue.limit_bytes == (smallest("max-length-bytes") or UNLIMITED)
    assert queue.delivery_limit == ((smallest("delivery-limit") if quorum else None) or UNLIMITED)
    ttl_ms, idle_ms = smallest("message-ttl"), smallest("expires")
    assert queue.ttl_s == (NEVER if ttl_ms is None else ttl_ms / 1000)
    assert (queue.lifetime and queue.lifetime.idle_s) == (None if idle_ms is None else idle_ms / 1000)
    if "dead-letter-exchange" in own:
        assert queue.dead_lettering is not None
        where = queue.dead_lettering
        assert (where.exchange, where.key) == (own["dead-letter-exchange"], own.get("dead-letter-routing-key"))
    else:
        assert queue.dead_lettering is None


TestPolicies = PoliciesModel.TestCase
TestPolicies.settings = settings(max_examples=60, stateful_step_count=30, deadline=None)
