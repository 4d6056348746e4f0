"""The forwarding rules of the configuration, set up in the broker before its first message.

The queues that rules name are declared durable, from and to, so that nothing is lost while nobody has declared them.
In a topic or an exchange's key `*` stands for one word and `#` for any number of them; a queue's name is just a name.
"""

from core.broker import Broker
from core.model.destination import Destination
from core.routing.composite import ForwardingRule, ForwardTarget
from core.routing.pattern import MANY_WORDS, WORD, Pattern, Token, parse_binding_key
from core.routing.selector import parse_selector
from core.vhost import VirtualHost
from gateway.config import Config, Forward
from gateway.values import parse_source, parse_target


def install(config: Config, broker: Broker) -> None:
    """Add every rule to its virtual host, which must exist."""
    for index, forward in enumerate(config.forward):
        _install_one(f"forward[{index}]", forward, broker.vhosts[forward.vhost])


def _install_one(name: str, forward: Forward, vhost: VirtualHost) -> None:
    source = parse_source(forward.source)
    targets = list(dict.fromkeys(parse_target(text) for text in forward.to))
    for destination in (source, *targets):
        _declare(destination, vhost)
    places = [ForwardTarget(target.exchange, target.key) for target in targets]
    selector = None if forward.selector is None else parse_selector(forward.selector)
    rule = ForwardingRule(name, source.exchange, _pattern(source), places, keep=forward.keep, selector=selector)
    vhost.forwarding.add(rule)


def _declare(destination: Destination, vhost: VirtualHost) -> None:
    name = destination.queue
    if name is not None and name not in vhost.queues:
        vhost.add_queue(name, durable=True)


def _pattern(source: Destination) -> Pattern:
    """Return which keys of the exchange a rule is about."""
    if source.queue is not None:
        return Pattern(tuple(Token(WORD, word) for word in source.key.split(".")))
    if not source.key:
        return Pattern((MANY_WORDS,))  # an exchange without a key: whatever is published to it
    return parse_binding_key(source.key)
