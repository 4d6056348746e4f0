"""Exchanges and bindings that come and go; after every step each cached route is what the definitions say.

The model keeps only the definitions (what was declared, what was bound) and walks them anew for every question.
"""

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from core.model.message import Message
from core.model.properties import Headers, Native, Properties
from core.routing.binding import Binding
from core.routing.exchange import Exchange
from core.routing.exchanges.headers import matches
from core.routing.pattern import parse_binding_key
from core.routing.sink import Sink
from core.vhost import VirtualHost
from tests.core.parts import Recorder, a_broker, naive_topic_match

NAMES = ("x0", "x1", "x2", "x3", "x4")
KINDS = ("direct", "fanout", "topic", "headers")
KEYS = ("a", "b", "a.b", "a.*", "#", "*.b", "a.#.b")
TOPICS = ("a", "b", "a.b", "a.x.b", "c")
ARGUMENTS: tuple[Headers, ...] = ({}, {"colour": "red"}, {"x-match": "any", "colour": "red", "size": 1})
HEADERS: tuple[Headers, ...] = ({}, {"colour": "red"}, {"colour": "blue", "size": 1})

Edge = tuple[str, Sink, str, int]  # source, sink, key, index of the arguments


class Carried(Native):
    def __init__(self, headers: Headers) -> None:
        self.headers = headers

    def decode(self) -> Properties:
        return Properties(self.headers)


class RoutingModel(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.vhost: VirtualHost = a_broker().vhosts["/"]
        self.sinks = [Recorder(f"s{number}") for number in range(4)]
        self.exchanges: dict[str, Exchange] = {}
        self.auto_delete: set[str] = set()
        self.edges: list[Edge] = []

    # What the definitions say

    def selects(self, edge: Edge, topic: str, headers: Headers) -> bool:
        source, _, key, arguments = edge
        kind = self.exchanges[source].kind
        if kind == "direct":
            return key == topic
        if kind == "topic":
            return naive_topic_match(parse_binding_key(key), topic)
        return kind == "fanout" or matches(ARGUMENTS[arguments], headers)

    def reached(self, start: str, topic: str, headers: Headers) -> set[Sink]:
        found: set[Sink] = set()
        seen: set[str] = set()
        pending = [start]
        while pending:
            name = pending.pop()
            if name in seen:
                continue
            seen.add(name)
            for edge in self.edges:
                if edge[0] == name and self.selects(edge, topic, headers):
                    sink = edge[1]
                    if isinstance(sink, Exchange):
                        pending.append(sink.name)
                    else:
                        found.add(sink)
        return found

    def forget(self, edge: Edge) -> None:
        self.edges.remove(edge)
        if edge[0] in self.auto_delete and not any(other[0] == edge[0] for other in self.edges):
            self.drop(edge[0])

    def drop(self, name: str) -> None:
        exchange = self.exchanges.pop(name)
        self.auto_delete.discard(name)
        self.edges = [edge for edge in self.edges if edge[0] != name]
        for edge in [edge for edge in self.edges if edge[1] is exchange]:
            if edge in self.edges:
                self.forget(edge)

    # What clients do

    @initialize(first=st.sampled_from(KINDS), second=st.sampled_from(KINDS))
    def start_with_two(self, first: str, second: str) -> None:
        self.declare("x0", first, auto_delete=False)
        self.declare("x1", second, auto_delete=False)

    @rule(name=st.sampled_from(NAMES), kind=st.sampled_from(KINDS), auto_delete=st.booleans())
    def declare(self, name: str, kind: str, auto_delete: bool) -> None:
        if name not in self.exchanges:
            exchange = self.exchanges[name] = self.vhost.add_exchange(name, kind)
            exchange.auto_delete = auto_delete
            if auto_delete:
                self.auto_delete.add(name)

    @precondition(lambda self: self.exchanges)
    @rule(data=st.data(), key=st.sampled_from(KEYS), arguments=st.integers(0, 2), to_exchange=st.booleans())
    def bind(self, data: st.DataObject, key: str, arguments: int, to_exchange: bool) -> None:
        source = data.draw(st.sampled_from(sorted(self.exchanges)))
        sink: Sink = data.draw(st.sampled_from(self.sinks))
        if to_exchange:
            sink = self.exchanges[data.draw(st.sampled_from(sorted(self.exchanges)))]
        edge: Edge = (source, sink, key, arguments)
        added = self.vhost.bind(self.exchanges[source], Binding(sink, key, ARGUMENTS[arguments]))
        assert added == (edge not in self.edges)
        if added:
            self.edges.append(edge)

    @precondition(lambda self: self.edges)
    @rule(data=st.data())
    def unbind(self, data: st.DataObject) -> None:
        edge = data.draw(st.sampled_from(self.edges))
        identity = Binding(edge[1], edge[2], ARGUMENTS[edge[3]]).identity
        source = self.exchanges[edge[0]]
        self.forget(edge)
        assert self.vhost.unbind(source, identity)
        assert not self.vhost.unbind(source, identity)

    @rule(index=st.integers(0, 3))
    def remove_sink(self, index: int) -> None:
        sink = self.sinks[index]
        for edge in [edge for edge in self.edges if edge[1] is sink]:
            if edge in self.edges:
                self.forget(edge)
        self.vhost.unbind_all(sink)

    @precondition(lambda self: self.exchanges)
    @rule(data=st.data())
    def delete(self, data: st.DataObject) -> None:
        name = data.draw(st.sampled_from(sorted(self.exchanges)))
        exchange = self.exchanges[name]
        self.drop(name)
        self.vhost.remove_exchange(exchange)

    # What must hold after each

    @invariant()
    def every_route_is_what_the_definitions_say(self) -> None:
        for name, exchange in self.exchanges.items():
            for topic in TOPICS:
                for headers in HEADERS:
                    message = Message(exchange.address(topic), b"", 0, Carried(headers))
                    sinks = exchange.route(message).sinks
                    assert set(sinks) == self.reached(name, topic, headers), (name, topic, headers)
                    assert len(sinks) == len(set(sinks))

    @invariant()
    def the_registers_agree(self) -> None:
        assert {name for name in self.vhost.exchanges if name in NAMES} == set(self.exchanges)
        for name, exchange in self.exchanges.items():
            assert len(exchange.bindings) == sum(edge[0] == name for edge in self.edges)
            assert sum(exchange.upstream.values()) == sum(edge[1] is exchange for edge in self.edges)
        for sink in (*self.sinks, *self.exchanges.values()):
            assert len(self.vhost.bindings_to(sink)) == sum(edge[1] is sink for edge in self.edges)


TestRouting = RoutingModel.TestCase
TestRouting.settings = settings(max_examples=80, stateful_step_count=30, deadline=None)
