"""What people and programs do with policies: set, clear, list them, and ask which apply. In plain values, as JSON has them.

A name that is refused is told with what is wrong about it, in the words of `core.model.errors`.
"""

from core.broker import Broker
from core.model.errors import Invalid, NotFound
from core.policies.checking import check_policy
from core.policies.policies import Policies
from core.routing.sink import Sink


def set_policy(
    broker: Broker,
    vhost: str,
    name: object,
    pattern: object,
    definition: object,
    *,
    apply_to: object = "",
    priority: object = 0,
    operator: bool = False,
) -> None:
    """Set a policy, in place of the one of that name. NotFound, Invalid or Limit: then nothing has changed."""
    policies = _policies(broker, vhost)
    policies.put(check_policy(name, pattern, definition, apply_to, priority, broker.compile_pattern, operator=operator))


def clear_policy(broker: Broker, vhost: str, name: str, *, operator: bool = False) -> None:
    """Remove a policy, or raise NotFound."""
    _policies(broker, vhost).clear(name, operator=operator)


def list_policies(broker: Broker, vhost: str, *, operator: bool = False) -> list[dict[str, object]]:
    """Return what is set, in the order in which it applies, under the names of RabbitMQ's HTTP API."""
    return [
        {
            "vhost": vhost,
            "name": policy.name,
            "pattern": policy.pattern,
            "apply-to": policy.apply_to,
            "definition": dict(policy.definition),
            "priority": policy.priority,
        }
        for policy in _policies(broker, vhost).ranked(operator=operator)
    ]


def policies_of(broker: Broker, vhost: str, kind: str, name: str) -> dict[str, object]:
    """Return which policies a queue or exchange (`kind`) has, and what they say together. NotFound when it is missing."""
    applied = _policies(broker, vhost).applied_to(_thing(broker, vhost, kind, name))
    return {
        "policy": None if applied.policy is None else applied.policy.name,
        "operator-policy": None if applied.operators is None else applied.operators.name,
        "effective-definition": applied.definition(),
    }


def _thing(broker: Broker, vhost: str, kind: str, name: str) -> Sink:
    if kind == "queue":
        return broker.vhosts[vhost].queue(name)
    if kind == "exchange":
        return broker.vhosts[vhost].exchange(name)
    raise Invalid(f"'{kind}' is nothing that has policies: queue, exchange")


def _policies(broker: Broker, vhost: str) -> Policies:
    found = broker.vhosts.get(vhost)
    if found is None:
        raise NotFound(f"vhost '{vhost}' not found")
    return found.policies
