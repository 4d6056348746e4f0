"""The topic exchange: the words of the routing key match the binding's pattern (AMQP 0-9-1 §3.1.3.3).

`amq.topic` is the topic space that all protocols share: an MQTT filter and a STOMP `/topic/` subscription are
bindings here, with the pattern that their protocol parsed.
"""

from typing import ClassVar

from core.model.names import TOPIC_SPACE, is_status
from core.model.properties import Headers
from core.routing.binding import Binding
from core.routing.exchange import Exchange
from core.routing.pattern import parse_binding_key
from core.routing.route import Collector
from core.routing.site import Site
from core.routing.trie import Trie


class TopicExchange(Exchange):
    """Selects bindings by pattern."""

    kind: ClassVar[str] = "topic"

    def __init__(self, name: str, site: Site, arguments: Headers) -> None:
        super().__init__(name, site, arguments)
        self._trie = Trie()

    def select(self, collector: Collector) -> list[Binding]:
        found: list[Binding] = []
        visits = self._trie.visits
        for key in collector.keys:
            if self.name != TOPIC_SPACE or not is_status(key):  # whichever way a message with such a key has come here
                found.extend(self.matching(key))
        collector.steps += self._trie.visits - visits
        return found

    def matching(self, key: str) -> list[Binding]:
        """Return the bindings that a key matches, also one that only the broker publishes with."""
        found: list[Binding] = []
        for binding in self._trie.match(key):
            assert isinstance(binding, Binding)
            found.append(binding)
        return found

    def added(self, binding: Binding) -> None:
        if binding.pattern is None:
            binding.pattern = parse_binding_key(binding.key)
        self._trie.add(binding.pattern, binding)

    def removed(self, binding: Binding) -> None:
        assert binding.pattern is not None
        self._trie.remove(binding.pattern, binding)

    def only_key(self, binding: Binding) -> str | None:
        return binding.pattern.literal if binding.pattern is not None else None
