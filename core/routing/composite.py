"""Forwarding rules: a destination that stands for a list of others, by the broker's configuration.

Rules are compiled into the routes of the keys that they match, so they cost nothing where they do not apply. A message
is forwarded by each rule once at most; that ends cycles of rules, and the message then stays where it is. Ten rules
that all forward to each other would still make millions of copies on different ways, so what becomes of one publish has
a limit too. Where several rules match, each forwards, and the original is delivered if all of them keep it.
"""

from typing import Final

from mypy_extensions import mypyc_attr

from core.model.message import Message
from core.routing.pattern import Pattern
from core.routing.selector.selector import Selector
from core.routing.sink import Sink, take_all
from core.routing.trie import Trie

HOPS_LIMIT: Final = 32  # rules that a copy can come through, one after the other
COPIES_LIMIT: Final = 1_024  # made of one publish, on all ways together


class ForwardTarget:
    """Where a rule sends its copy: a key in an exchange, which is looked up when the message passes."""

    def __init__(self, exchange: str, key: str) -> None:
        self.exchange = exchange
        self.key = key


@mypyc_attr(allow_interpreted_subclasses=True)
class Publishes:
    """What forwarding needs of the virtual host: a way to publish a copy elsewhere."""

    def republish(self, target: ForwardTarget, message: Message) -> bool:
        """Publish a copy of `message` to `target`; False when it was refused."""
        raise AssertionError("republish is the virtual host's")

    def wanted_by_nobody(self) -> None:
        """Count a message that no rule forwards, because of their selectors, and nobody else takes."""
        raise AssertionError("wanted_by_nobody is the virtual host's")

    def forwarded_too_often(self) -> None:
        """Count a copy that was not made, because of the limits on what becomes of one publish."""
        raise AssertionError("forwarded_too_often is the virtual host's")


class Copies:
    """How many copies were made of the message that is being published. Forwarding ends before the publish does."""

    def __init__(self) -> None:
        self.made = 0


class ForwardingRule:
    """Forward what is aimed at `exchange` with a key that matches `pattern`; `keep` delivers the original too.

    With a selector, it is about messages that match; any other goes where it would without the rule.
    """

    def __init__(
        self,
        name: str,
        exchange: str,
        pattern: Pattern,
        targets: list[ForwardTarget],
        *,
        keep: bool,
        selector: Selector | None = None,
    ) -> None:
        self.name = name
        self.exchange = exchange
        self.pattern = pattern
        self.targets = targets
        self.keep = keep
        self.selector = selector

    def wants(self, message: Message) -> bool:
        """Tell whether the rule is about a message that reached it, and has not forwarded it before."""
        return self.name not in message.forwarded_by and (self.selector is None or self.selector.matches(message))


class ForwardingSink(Sink):
    """The rules at work on one route, with the sinks that the message would have reached without them."""

    def __init__(self, rules: list[ForwardingRule], originals: list[Sink], host: Publishes, copies: Copies) -> None:
        super().__init__()
        self._rules = rules
        self._originals = originals
        self._host = host
        self._copies = copies

    def admits(self, count: int, size_bytes: int) -> bool:
        return all(sink.admits(count, size_bytes) for sink in self._originals)

    def take(self, message: Message) -> bool:
        hops = len(message.forwarded_by)
        if not hops:
            self._copies.made = 0
        fresh = [rule for rule in self._rules if rule.wants(message)]
        if not fresh and not hops and not self._originals:
            self._host.wanted_by_nobody()
        if fresh and (hops >= HOPS_LIMIT or self._copies.made >= COPIES_LIMIT):
            self._host.forwarded_too_often()
            fresh = []  # the message stays where it is
        accepted = True
        if all(rule.keep for rule in fresh):
            accepted = take_all(self._originals, message)
        for rule in fresh:
            for target in rule.targets:
                self._copies.made += 1
                copy = message.aimed_at(message.address)
                copy.forwarded_by = (*message.forwarded_by, rule.name)
                if not self._host.republish(target, copy):
                    accepted = False
        return accepted


class ForwardingRules:
    """All rules of a virtual host. They are set before the first message and do not change."""

    def __init__(self, host: Publishes) -> None:
        self._host = host
        self._copies = Copies()
        self._by_exchange: dict[str, Trie] = {}

    def add(self, rule: ForwardingRule) -> None:
        """Have the rule take part in the routes of the keys that it matches."""
        self._by_exchange.setdefault(rule.exchange, Trie()).add(rule.pattern, rule)

    def matching(self, exchange: str, key: str) -> list[ForwardingRule]:
        """Return the rules that take part in the route of a key."""
        rules = self._by_exchange.get(exchange)
        if rules is None:
            return []
        matching: list[ForwardingRule] = []
        for rule in rules.match(key):
            assert isinstance(rule, ForwardingRule)
            matching.append(rule)
        matching.sort(key=lambda rule: rule.name)
        return matching

    def sink(self, rules: list[ForwardingRule], originals: list[Sink]) -> Sink:
        """Return the sink that stands for `rules` and the `originals` of a route."""
        return ForwardingSink(rules, originals, self._host, self._copies)
