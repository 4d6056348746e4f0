"""What people set and ask for, in plain values."""

import json

import pytest

from core.model.errors import Invalid, NotFound
from core.policies.administration import clear_policy, list_policies, policies_of, set_policy
from tests.core.policies.parts import connected, on_queues


def test_policies_are_listed_in_the_order_in_which_they_apply() -> None:
    broker, _ = connected()
    on_queues(broker, {"max-length": 1}, "b")
    on_queues(broker, {"max-length": 2}, "a")
    on_queues(broker, {"max-length": 3}, "z", 5)
    set_policy(broker, "/", "o", "^q", {"expires": 4}, operator=True)
    assert [found["name"] for found in list_policies(broker, "/")] == ["z", "a", "b"]
    assert list_policies(broker, "/", operator=True) == [
        {"vhost": "/", "name": "o", "pattern": "^q", "apply-to": "queues", "definition": {"expires": 4}, "priority": 0}
    ]


def test_what_was_listed_can_be_set_again() -> None:
    broker, _ = connected()
    definition = {"max-length": 1, "ha-params": ["a"], "overflow": "drop-head"}
    set_policy(broker, "/", "p", "ü.*", definition, apply_to="classic_queues", priority=-5)
    listed = list_policies(broker, "/")
    (said,) = json.loads(json.dumps(listed))
    clear_policy(broker, "/", "p")
    assert list_policies(broker, "/") == []
    set_policy(
        broker,
        said["vhost"],
        said["name"],
        said["pattern"],
        said["definition"],
        apply_to=said["apply-to"],
        priority=said["priority"],
    )
    assert list_policies(broker, "/") == listed


def test_a_thing_says_which_policies_it_has_and_what_they_say_together() -> None:
    broker, client = connected()
    client.declare_queue("q")
    on_queues(broker, {"max-length": 5, "queue-mode": "lazy"})
    set_policy(broker, "/", "o", "^q", {"max-length": 3, "expires": 1_000}, operator=True)
    assert policies_of(broker, "/", "queue", "q") == {
        "policy": "p",
        "operator-policy": "o",
        "effective-definition": {"max-length": 3, "queue-mode": "lazy", "expires": 1_000},
    }
    assert policies_of(broker, "/", "exchange", "amq.direct") == {
        "policy": None,
        "operator-policy": None,
        "effective-definition": {},
    }


def test_a_thing_or_vhost_that_is_missing_is_told() -> None:
    broker, _ = connected()
    with pytest.raises(NotFound, match="no queue 'q' in vhost '/'"):
        policies_of(broker, "/", "queue", "q")
    with pytest.raises(NotFound, match="no exchange 'q' in vhost '/'"):
        policies_of(broker, "/", "exchange", "q")
    with pytest.raises(Invalid, match="'session' is nothing that has policies"):
        policies_of(broker, "/", "session", "q")
    for ask in (list_policies, lambda broker, vhost: set_policy(broker, vhost, "p", "", {"expires": 1})):
        with pytest.raises(NotFound, match="vhost 'nosuch' not found"):
            ask(broker, "nosuch")


def test_what_is_refused_changes_nothing() -> None:
    broker, client = connected()
    queue = client.declare_queue("q")
    on_queues(broker, {"max-length": 5})
    for definition in ({"max-length": -1}, {"foo": 1}, {}):
        with pytest.raises(Invalid):
            on_queues(broker, definition)
    assert (queue.limit_entries, len(list_policies(broker, "/"))) == (5, 1)


def test_each_vhost_has_its_own() -> None:
    broker, client = connected()
    queue = client.declare_queue("q")
    broker.add_vhost("other")
    set_policy(broker, "other", "p", "", {"max-length": 5})
    assert (list_policies(broker, "/"), len(list_policies(broker, "other"))) == ([], 1)
    assert queue.limit_entries > 5
