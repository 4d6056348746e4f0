"""The policies of one virtual host, and which of them apply to its queues and exchanges.

A change takes effect at once, on what exists; a declare looks up what applies to what it makes. The default exchange has no
policy, as in RabbitMQ, and neither has what is no named queue: what waits for a session or a group of MQTT.
"""

from typing import Final

from core.keeping import Keeping
from core.model.arguments import QUEUE_TYPE, QUORUM
from core.model.errors import Limit, NotFound
from core.model.properties import Headers
from core.policies.checking import ALTERNATE_EXCHANGE
from core.policies.effective import settings_of, together
from core.policies.policy import CLASSIC_QUEUES, EXCHANGES, QUORUM_QUEUES, Policy
from core.policies.ranking import Ranking
from core.policies.revision import Change, Revision
from core.queueing.home import Home
from core.queueing.plan import settle
from core.queueing.queue import Queue
from core.queueing.surroundings import Surroundings
from core.routing.alternates import Alternates
from core.routing.exchange import Exchange
from core.routing.sink import Sink

POLICIES_LIMIT: Final = 256  # of a virtual host, operator policies included: each declare may match all of them

NOTHING: Final[Headers] = {}


class Applied:
    """The policies of one thing."""

    def __init__(self, policy: Policy | None, operators: Policy | None) -> None:
        self.policy = policy
        self.operators = operators

    def definition(self) -> Headers:
        """Return what they say together."""
        own = NOTHING if self.policy is None else self.policy.definition
        return together(own, NOTHING if self.operators is None else self.operators.definition)


UNTOUCHED: Final = Applied(None, None)


class Policies:
    """What is set, and to what it applies."""

    def __init__(
        self,
        vhost: str,
        home: Home,
        surroundings: Surroundings,
        keeping: Keeping,
        alternates: Alternates,
        queues: dict[str, Queue],
    ) -> None:
        self._vhost = vhost
        self._home = home
        self._surroundings = surroundings
        self._keeping = keeping
        self._alternates = alternates
        self._queues = queues  # the virtual host's own
        self._own = Ranking()
        self._operators = Ranking()
        self._applied: dict[Sink, Applied] = {}  # of what has any
        self._revision = Revision(surroundings.timers, self._everything, self._revise)

    # The policies

    def ranked(self, *, operator: bool) -> list[Policy]:
        """Return the policies, or the operator policies, in the order in which they apply."""
        return self._ranking(operator=operator).ordered

    def _ranking(self, *, operator: bool) -> Ranking:
        return self._operators if operator else self._own

    def put(self, policy: Policy) -> None:
        """Set a policy, in place of the one of that name. Limit when there is no room; then nothing has changed."""
        replaced = self._add(policy)
        self._keeping.policy(policy.name, policy.operator, _stated(policy))
        self._revision.begin(Change(operator=policy.operator, old=replaced, new=policy))

    def clear(self, name: str, *, operator: bool = False) -> None:
        """Remove a policy, or raise NotFound."""
        policy = self._ranking(operator=operator).remove(name)
        if policy is None:
            raise NotFound(f"no {'operator policy' if operator else 'policy'} '{name}' in vhost '{self._vhost}'")
        self._surroundings.usage.undefine(policy.cost_bytes)
        self._keeping.policy(name, operator, None)
        self._revision.begin(Change(operator=operator, old=policy, new=None))

    def restore(self, policy: Policy) -> None:
        """Set a policy that was kept; `apply_all` is to follow."""
        self._add(policy)

    def apply_all(self) -> None:
        """Have everything be as the policies say that were restored."""
        if self._count():
            self._revision.begin(None)
            self._revision.finish()

    def _add(self, policy: Policy) -> Policy | None:
        ranking = self._ranking(operator=policy.operator)
        usage = self._surroundings.usage
        old = ranking.named.get(policy.name)
        if old is None and self._count() >= POLICIES_LIMIT:
            raise Limit(f"vhost '{self._vhost}' has {POLICIES_LIMIT} policies already, operator policies included")
        usage.define(policy.cost_bytes)
        if old is not None:
            usage.undefine(old.cost_bytes)
        return ranking.put(policy)

    def _count(self) -> int:
        return len(self._own.ordered) + len(self._operators.ordered)

    # What they apply to

    def applied_to(self, sink: Sink) -> Applied:
        """Return the policies of a queue or an exchange."""
        return self._applied.get(sink, UNTOUCHED)

    def appeared(self, sink: Sink) -> None:
        """Have a new queue or exchange be as the policies say."""
        if self._count():
            self._change(sink, self._find(sink))

    def vanished(self, sink: Sink) -> None:
        """Forget a queue or an exchange, because it is deleted."""
        self._applied.pop(sink, None)

    def _everything(self) -> list[Sink]:
        exchanges = [exchange for exchange in self._alternates.exchanges.values() if exchange.name]
        return [*exchanges, *self._queues.values()]

    def _find(self, sink: Sink) -> Applied:
        kind = _kind_of(sink)
        return Applied(self._own.find(kind, sink.name), self._operators.find(kind, sink.name))

    def _revise(self, sink: Sink, change: Change | None) -> int:
        """Have a thing be as the policies say after a change, or after several; return the steps that it took."""
        if (isinstance(sink, Queue) and sink.deleted) or (isinstance(sink, Exchange) and sink.deleted):
            return 0
        before = self.applied_to(sink)
        if change is None:
            return self._count() + self._change(sink, self._find(sink))
        present = before.operators if change.operator else before.policy
        new = change.new
        kind = _kind_of(sink)
        if present is not None and present is change.old:
            ranking = self._ranking(operator=change.operator)
            found = ranking.find(kind, sink.name)
            steps = len(ranking.ordered)
        elif new is not None and (present is None or new.rank < present.rank):
            found = new if new.covers(kind, sink.name) else present
            steps = 1
        else:
            return 0
        if change.operator:
            after = Applied(before.policy, found)
        else:
            after = Applied(found, before.operators)
        return steps + self._change(sink, after)

    def _change(self, sink: Sink, after: Applied) -> int:
        """Have these be the policies of a thing; return how many entries it has given up for that."""
        before = self.applied_to(sink)
        if before.policy is after.policy and before.operators is after.operators:
            return 0
        if after.policy is None and after.operators is None:
            del self._applied[sink]
        else:
            self._applied[sink] = after
        definition = after.definition()
        if isinstance(sink, Queue):
            return settle(sink, settings_of(sink.arguments, definition), self._home, self._surroundings)
        assert isinstance(sink, Exchange)
        self._alternates.change(sink, sink.arguments.get(ALTERNATE_EXCHANGE, definition.get(ALTERNATE_EXCHANGE)))
        return 0


def _kind_of(sink: Sink) -> int:
    if not isinstance(sink, Queue):
        return EXCHANGES
    return QUORUM_QUEUES if sink.arguments.get(QUEUE_TYPE) == QUORUM else CLASSIC_QUEUES


def _stated(policy: Policy) -> list[object]:
    return [policy.pattern, policy.apply_to, policy.priority, policy.definition]
