"""Which right each operation needs: a user who lacks exactly one is denied exactly what RabbitMQ would deny.

The table and the texts are those of RabbitMQ 3.10.8, asked with one user for each missing right. Passive declares are
the exception: any of the three rights will do, where 3.10 asked for none.
"""

from collections.abc import Callable

import pytest

from core.access import CONFIGURE, EVERYTHING, NOTHING, READ, WRITE, NamePattern, User, authorize
from core.broker import Broker
from core.client import Client
from core.model.errors import Denied, NotFound
from core.model.names import DEFAULT_VHOST
from core.routing.pattern import parse_binding_key
from tests.core.parts import Holder, Only, Recorder, a_broker, a_client, a_user, powerless, publish

# operation: what it does, and the rights that it cannot do without
OPERATIONS: dict[str, tuple[Callable[[Client], object], set[int]]] = {
    "declare a new exchange": (lambda c: c.declare_exchange("new", "direct"), {CONFIGURE}),
    "declare an existing exchange": (lambda c: c.declare_exchange("x", "topic"), {CONFIGURE}),
    "delete an exchange": (lambda c: c.delete_exchange("x"), {CONFIGURE}),
    "delete a missing exchange": (lambda c: c.delete_exchange("none"), {CONFIGURE}),
    "declare a new queue": (lambda c: c.declare_queue("new"), {CONFIGURE}),
    "declare an existing queue": (lambda c: c.declare_queue("q"), {CONFIGURE}),
    "declare a server-named queue": (lambda c: c.declare_queue(""), {CONFIGURE}),
    "delete a queue": (lambda c: c.delete_queue("q"), {CONFIGURE}),
    "delete a missing queue": (lambda c: c.delete_queue("none"), {CONFIGURE}),
    "purge a queue": (lambda c: c.purge_queue("q"), {READ}),
    "bind a queue": (lambda c: c.bind_queue("q", "x", "k", {}), {WRITE, READ}),
    "unbind a queue": (lambda c: c.unbind_queue("q", "x", "k", {}), {WRITE, READ}),
    "unbind a missing queue": (lambda c: c.unbind_queue("none", "none", "k", {}), {WRITE, READ}),
    "bind an exchange": (lambda c: c.bind_exchange("x", "amq.direct", "k", {}), {WRITE, READ}),
    "unbind an exchange": (lambda c: c.unbind_exchange("x", "amq.direct", "k", {}), {WRITE, READ}),
    "publish to an exchange": (lambda c: publish(c, "x", "k"), {WRITE}),
    "publish to the default exchange": (lambda c: publish(c, "", "q"), {WRITE}),
    "get": (lambda c: c.get("q"), {READ}),
    "consume": (lambda c: c.consume("q", Holder()), {READ}),
    "subscribe to topics": (lambda c: c.subscribe(parse_binding_key("a.#"), "a.#", Recorder()), {READ}),
    "find a queue": (lambda c: c.find_queue("q"), set()),
    "find an exchange": (lambda c: c.find_exchange("x"), set()),
}


def with_things() -> Broker:
    broker = a_broker()
    owner = a_client(broker)
    owner.declare_queue("q")
    owner.declare_exchange("x", "topic")
    publish(owner, "", "q")
    return broker


def snapshot(broker: Broker) -> object:
    vhost = broker.vhosts[DEFAULT_VHOST]
    queues = {name: (queue.ready_count, len(queue.consumers)) for name, queue in vhost.queues.items()}
    exchanges = {name: set(exchange.bindings) for name, exchange in vhost.exchanges.items()}
    return queues, exchanges, broker.counters.published


def lacking(right: int) -> User:
    patterns: list[NamePattern] = [EVERYTHING, EVERYTHING, EVERYTHING]
    patterns[right] = NOTHING
    configure, write, read = patterns
    return a_user("lacking", configure=configure, write=write, read=read)


@pytest.mark.parametrize("right", [CONFIGURE, WRITE, READ], ids=["configure", "write", "read"])
@pytest.mark.parametrize("name", OPERATIONS)
def test_lacking_one_right_denies_exactly_what_needs_it(name: str, right: int) -> None:
    operation, needed = OPERATIONS[name]
    broker = with_things()
    client = a_client(broker, lacking(right))
    before = snapshot(broker)
    if right not in needed:
        operation(client)
        return
    with pytest.raises(Denied, match=r"^access to (queue|exchange) '.+' in vhost '/' refused for user 'lacking'$"):
        operation(client)
    assert snapshot(broker) == before


@pytest.mark.parametrize("name", OPERATIONS)
def test_lacking_all_rights_denies_everything(name: str) -> None:
    broker = with_things()
    before = snapshot(broker)
    with pytest.raises(Denied):
        OPERATIONS[name][0](a_client(broker, powerless()))
    assert snapshot(broker) == before


@pytest.mark.parametrize(
    "operation",
    [
        lambda c: c.get("none"),
        lambda c: c.purge_queue("none"),
        lambda c: c.consume("none", Holder()),
        lambda c: c.find_queue("none"),
        lambda c: c.find_exchange("none"),
        lambda c: c.target("none", "k"),
        lambda c: c.bind_queue("none", "none", "k", {}),
        lambda c: c.bind_exchange("none", "none", "k", {}),
    ],
)
def test_names_are_not_told_to_those_without_rights(operation: Callable[[Client], object]) -> None:
    broker = a_broker()
    with pytest.raises(Denied):
        operation(a_client(broker, powerless()))
    with pytest.raises(NotFound):
        operation(a_client(broker))


def test_rights_are_for_names() -> None:
    broker = with_things()
    client = a_client(broker, a_user("u", configure=Only("mine"), write=Only("mine"), read=Only("q")))
    client.declare_queue("mine")
    with pytest.raises(Denied, match="access to queue 'yours' in vhost '/' refused for user 'u'"):
        client.declare_queue("yours")
    with pytest.raises(Denied, match="access to exchange 'x' in vhost '/' refused for user 'u'"):
        client.bind_queue("mine", "x", "k", {})
    assert client.get("q")[1] is not None


def test_the_default_exchange_has_a_name_in_patterns() -> None:
    broker = with_things()
    assert publish(a_client(broker, a_user(write=Only("amq.default"))), "", "q")
    with pytest.raises(Denied, match=r"access to exchange 'amq.default' in vhost '/' refused for user 'guest'"):
        publish(a_client(broker, a_user(write=Only("q"))), "", "q")


def test_server_named_queues_need_the_right_to_their_name() -> None:
    client = a_client(user=a_user(configure=Only("amq.gen-unique-2")))
    with pytest.raises(Denied, match=r"access to queue 'amq.gen-unique-1'"):
        client.declare_queue("")
    assert client.declare_queue("").name == "amq.gen-unique-2"


# Topic permissions


def test_topic_permissions_apply_to_topic_exchanges_only() -> None:
    broker = with_things()
    client = a_client(broker, a_user("u", write_topics=Only("open"), read_topics=Only("open.*")))
    client.declare_exchange("d", "direct")
    publish(client, "x", "open")
    publish(client, "d", "closed")
    client.bind_queue("q", "x", "open.*", {})
    client.bind_queue("q", "d", "closed", {})
    refused = "access to topic 'closed' in exchange 'x' in vhost '/' refused for user 'u'"
    with pytest.raises(Denied, match=refused):
        publish(client, "x", "closed")
    with pytest.raises(Denied, match=refused):
        client.bind_queue("q", "x", "closed", {})
    with pytest.raises(Denied, match=refused):
        client.unbind_queue("q", "x", "closed", {})


def test_topic_permissions_apply_to_subscriptions() -> None:
    client = a_client(user=a_user(read_topics=Only("open.#")))
    client.subscribe(parse_binding_key("open.#"), "open.#", Recorder())
    with pytest.raises(Denied, match=r"access to topic 'closed.#' in exchange 'amq.topic'"):
        client.subscribe(parse_binding_key("closed.#"), "closed.#", Recorder())


# Virtual hosts


def test_a_user_enters_only_the_virtual_hosts_that_it_has_a_permission_for() -> None:
    broker = a_broker()
    broker.add_vhost("other")
    with pytest.raises(Denied, match="access to vhost 'other' refused for user 'guest'"):
        broker.open(a_user(), "other", "test", "test")
    with pytest.raises(NotFound, match="vhost 'nowhere' not found"):
        broker.open(a_user(), "nowhere", "test", "test")


def test_a_permission_in_one_virtual_host_is_none_in_another() -> None:
    with pytest.raises(Denied):
        authorize(a_user(), "other", READ, "queue", "q")
    authorize(a_user(), DEFAULT_VHOST, READ, "queue", "q")


def test_virtual_hosts_do_not_see_each_other() -> None:
    broker = a_broker()
    broker.add_vhost("other")
    user = a_user()
    user.permissions["other"] = user.permissions[DEFAULT_VHOST]
    here, there = a_client(broker, user), broker.open(user, "other", "test", "test")
    here.declare_queue("q")
    with pytest.raises(NotFound, match="no queue 'q' in vhost 'other'"):
        there.find_queue("q")
    assert not publish(there, "", "q")
