"""Alternate exchanges: where a message goes that nobody wanted, and how the caches learn of it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.access import EVERYTHING
from core.client import Client
from core.model.errors import Denied, Invalid, Mismatch
from core.model.message import plain_message
from core.model.properties import Headers
from core.routing.binding import Binding
from core.routing.exchange import Exchange
from tests.core.parts import Only, Outcomes, Recorder, a_broker, a_client, a_user, publish


def alternate(name: str) -> Headers:
    return {"alternate-exchange": name}


def with_alternate() -> tuple[Client, Exchange, Exchange, Recorder]:
    """An exchange `x` with the alternate `spare`, which has one sink."""
    client, sink = a_client(), Recorder("spare's")
    first = client.declare_exchange("x", "direct", arguments=alternate("spare"))
    spare = client.declare_exchange("spare", "fanout")
    client.vhost.bind(spare, Binding(sink, "", {}))
    return client, first, spare, sink


def test_what_selects_no_binding_goes_to_the_alternate_and_counts_as_routed() -> None:
    client, first, _, sink = with_alternate()
    own, outcomes = Recorder(), Outcomes()
    client.vhost.bind(first, Binding(own, "k", {}))
    assert publish(client, "x", "k")
    assert publish(client, "x", "other")
    assert (len(own.taken), len(sink.taken)) == (1, 1)
    assert sink.taken[0].address.exchange == "x", "it is still the message that was aimed at the first"
    target = client.target("x", "other")
    client.publish(target.exchange, plain_message(target.address, b""), outcomes, 1)
    assert outcomes.said == [(1, "routed")]
    assert client.counters.unroutable == 0


def test_an_alternate_is_followed_to_its_own_alternate_and_cycles_end() -> None:
    client, sink = a_client(), Recorder()
    client.declare_exchange("a", "direct", arguments=alternate("b"))
    client.declare_exchange("b", "topic", arguments=alternate("c"))
    last = client.declare_exchange("c", "direct", arguments=alternate("a"))
    client.declare_exchange("self", "direct", arguments=alternate("self"))
    client.vhost.bind(last, Binding(sink, "k", {}))
    assert publish(client, "a", "k")
    assert publish(client, "b", "k")
    assert not publish(client, "a", "nobody's")
    assert not publish(client, "self", "k")
    assert len(sink.taken) == 2


def test_an_alternate_that_is_missing_is_ignored_until_it_is_declared_and_after_it_is_deleted() -> None:
    client, first, spare, sink = with_alternate()
    for _ in range(2):  # the routes of the key are cached in between
        assert publish(client, "x", "k")
    client.delete_exchange("spare")
    assert first.alternate is None
    for _ in range(2):
        assert not publish(client, "x", "k")
    again = client.declare_exchange("spare", "fanout")
    assert not publish(client, "x", "k")
    client.vhost.bind(again, Binding(sink, "", {}))
    assert publish(client, "x", "k")
    assert len(sink.taken) == 3
    assert not spare.upstream


def test_what_changes_behind_an_alternate_changes_the_routes_that_were_cached_in_front_of_it() -> None:
    client, first, spare, sink = with_alternate()
    front = client.declare_exchange("front", "topic")
    client.vhost.bind(front, Binding(first, "#", {}))
    assert publish(client, "front", "k")
    client.vhost.unbind_all(sink)
    assert not publish(client, "front", "k")
    client.vhost.bind(spare, Binding(sink, "", {}))
    assert publish(client, "front", "k")
    own = Recorder()
    client.vhost.bind(first, Binding(own, "k", {}))
    assert publish(client, "front", "k")
    assert (len(own.taken), len(sink.taken)) == (1, 2)


def test_a_deleted_exchange_leaves_nothing_with_its_alternate() -> None:
    client, _, spare, _ = with_alternate()
    client.delete_exchange("x")
    assert not spare.upstream
    assert not client.vhost._alternates._naming


def test_an_exchange_without_bindings_behind_one_that_selects_is_not_asked_for_an_alternate() -> None:
    """Asked of RabbitMQ 3.10.8: the binding was selected, so the alternate of the first has no part in it."""
    client, first, _, sink = with_alternate()
    behind = client.declare_exchange("behind", "fanout")
    client.vhost.bind(first, Binding(behind, "k", {}))
    assert not publish(client, "x", "k")
    assert publish(client, "x", "z")
    assert len(sink.taken) == 1


def test_a_headers_exchange_hands_on_what_no_table_selects() -> None:
    client, sink = a_client(), Recorder()
    client.declare_exchange("h", "headers", arguments=alternate("spare"))
    client.vhost.bind(client.declare_exchange("spare", "fanout"), Binding(sink, "", {}))
    client.vhost.bind(client.vhost.exchange("h"), Binding(Recorder(), "", {"a": 1}))
    assert publish(client, "h", "k")
    assert len(sink.taken) == 1


def test_an_alternate_may_be_declared_by_whoever_may_read_here_and_write_there() -> None:
    """RabbitMQ: configure and read on the exchange, write on the alternate."""
    broker = a_broker()
    for read, write, allowed in (
        (Only("x"), Only("spare"), True),
        (Only("other"), Only("spare"), False),
        (Only("x"), Only("other"), False),
    ):
        client = a_client(broker, a_user("u", configure=EVERYTHING, read=read, write=write))
        if allowed:
            client.declare_exchange("x", "direct", arguments=alternate("spare"))
            client.delete_exchange("x")
            continue
        with pytest.raises(Denied):
            client.declare_exchange("x", "direct", arguments=alternate("spare"))
        client.declare_exchange("x", "direct")
        client.delete_exchange("x")


def test_an_alternate_is_part_of_what_an_exchange_is() -> None:
    client = a_client()
    client.declare_exchange("x", "direct", arguments=alternate("y"))
    client.declare_exchange("x", "direct", arguments=alternate("y"))
    with pytest.raises(Mismatch, match=r"^inequivalent arg 'alternate-exchange' for exchange 'x' .* none but current"):
        client.declare_exchange("x", "direct")
    with pytest.raises(Mismatch, match=r"received 'z' but current is 'y'$"):
        client.declare_exchange("x", "direct", arguments=alternate("z"))
    for wrong in (None, 5, True, ["y"]):
        with pytest.raises(
            Invalid, match=r"^invalid type '.*' for arg 'alternate-exchange' in exchange 'n' in vhost '/'$"
        ):
            client.declare_exchange("n", "direct", arguments={"alternate-exchange": wrong})


# The graph against a naive model

NAMES = ("x0", "x1", "x2", "x3")
KEYS = ("a", "b", "c")
Step = tuple[str, str, str, str]

steps = st.one_of(
    st.tuples(
        st.just("declare"), st.sampled_from(NAMES), st.sampled_from(("direct", "fanout")), st.sampled_from((*NAMES, ""))
    ),
    st.tuples(st.just("delete"), st.sampled_from(NAMES), st.just(""), st.just("")),
    st.tuples(st.just("bind"), st.sampled_from(NAMES), st.sampled_from(KEYS), st.sampled_from((*NAMES, "s0", "s1"))),
    st.tuples(st.just("unbind"), st.sampled_from(NAMES), st.sampled_from(KEYS), st.sampled_from((*NAMES, "s0", "s1"))),
)


class Naive:
    """Only what was declared; every question walks it anew."""

    def __init__(self) -> None:
        self.exchanges: dict[str, tuple[str, str]] = {}  # kind and alternate
        self.edges: set[tuple[str, str, str]] = set()

    def reached(self, start: str, key: str) -> set[str]:
        found: set[str] = set()
        seen: set[str] = set()
        pending = [start]
        while pending:
            name = pending.pop()
            if name not in self.exchanges:
                if name.startswith("s"):
                    found.add(name)
                continue
            if name in seen:
                continue
            seen.add(name)
            kind, other = self.exchanges[name]
            selected = [to for source, k, to in self.edges if source == name and (kind == "fanout" or k == key)]
            pending.extend(selected or [other])
        return found


@given(st.lists(steps, max_size=25))
def test_every_cached_route_is_what_a_naive_walk_finds(taken: list[Step]) -> None:
    client, naive = a_client(), Naive()
    vhost = client.vhost
    sinks = {name: Recorder(name) for name in ("s0", "s1")}
    for what, name, second, third in taken:
        exchange = vhost.exchanges.get(name)
        if what == "declare" and exchange is None:
            client.declare_exchange(name, second, arguments=alternate(third) if third else {})
            naive.exchanges[name] = (second, third)
        elif what == "delete" and exchange is not None:
            client.delete_exchange(name)
            del naive.exchanges[name]
            naive.edges = {edge for edge in naive.edges if name not in {edge[0], edge[2]}}
        elif exchange is not None and (third in sinks or third in vhost.exchanges):
            binding = Binding(sinks.get(third) or vhost.exchanges[third], second, {})
            if what == "bind":
                vhost.bind(exchange, binding)
                naive.edges.add((name, second, third))
            elif what == "unbind":
                vhost.unbind(exchange, binding.identity)
                naive.edges.discard((name, second, third))
        for start in naive.exchanges:
            for key in KEYS:
                route = vhost.exchanges[start].route(plain_message(vhost.exchanges[start].address(key), b""))
                assert {sink.name for sink in route.sinks} == naive.reached(start, key), (start, key)
                assert len(route.sinks) == len(set(route.sinks))
