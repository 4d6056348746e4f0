"""The work items: what is measured, with whom ours is compared, and the ratio to reach.

Most items are compared with the first peer after ours. An item that shows what something costs ours names, as
`against`, the item without it, which stands before it:

    Item("mqtt-qos0", rate("MQTT QoS 0, 1 → 1", 5.0), MQTT_COPIED),
    Item(
        "mqtt-qos0-filters",
        rate("the same beside 100,000 filters that do not match", 0.9),  # no more than 10 % slower
        MQTT,
        against="mqtt-qos0",
        numbers={"others": 100_000},
    ),

The two run in alternation, also where only the second is asked for, and the ratio is of ours with ours; what a peer
loses by the same is told below the table.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Final


@dataclass(frozen=True)
class Row:
    """One line of the table: a figure of a work item. `goal` is the least ratio in ours' favour."""

    label: str
    figure: str = "value"
    unit: str = "msg/s"
    lower_is_better: bool = False
    goal: float | None = None
    limit: float | None = None  # for ours, in the unit of the row, to stay below
    least: float | None = None  # for ours, in the unit of the row, to reach
    peer: str = ""  # to compare with, where it is not the item's first


@dataclass(frozen=True)
class Item:
    """One kind of work. The first peer after ours is the one to compare with, unless another item is."""

    name: str
    rows: tuple[Row, ...]
    peers: tuple[str, ...]
    fresh: bool = False  # wants a broker that has done nothing yet
    settings: str = ""  # for ours, beside its defaults: a part of its configuration file
    against: str = ""  # the item with which this one is compared, ours with ours; it has the same rows
    work: str = ""  # what the generator does, where that is not the name
    after: str = ""  # what the generator does when the broker was stopped, and started again with what it has
    numbers: Mapping[str, int] = field(default_factory=dict)  # of the order (`bench/load/order.py`), not its defaults

    def rival(self, row: Row) -> str:
        """Return the peer that a row is compared with, where `against` names no item; none where ours is alone."""
        return row.peer or (self.peers[1] if len(self.peers) > 1 else "")

    @property
    def order(self) -> str:
        """What the generator is asked to do."""
        return self.work or self.name


MQTT: Final = ("ours", "mosquitto", "rabbitmq")
MQTT_EXACT: Final = ("ours", "mosquitto")  # RabbitMQ grants QoS 1 where 2 is asked
MQTT_COPIED: Final = ("ours", "mosquitto", "rabbitmq", "relay")
AMQP_STOMP: Final = ("ours", "rabbitmq")
STOMP: Final = ("ours", "rabbitmq", "activemq")
STOMP_SELECTING: Final = ("ours", "activemq")  # RabbitMQ has no selectors
NEW_KEYS: Final = 20_000  # in turn; ours remembers the routes of 16,384 at most, so none is found there


def rate(label: str, goal: float | None = None, unit: str = "msg/s") -> tuple[Row, ...]:
    return (Row(label, goal=goal, unit=unit),)


def rates(label: str, goals: Mapping[str, float], unit: str = "msg/s") -> tuple[Row, ...]:
    """Return a row for each peer that the same rate is compared with."""
    return tuple(Row(label, goal=goal, unit=unit, peer=peer) for peer, goal in goals.items())


def latency(label: str, goal: float | None = None) -> tuple[Row, ...]:
    return (
        Row(f"{label}, p50", "p50_ms", "ms", lower_is_better=True),
        Row(f"{label}, p99", "p99_ms", "ms", lower_is_better=True, goal=goal),
        Row(f"{label}, p99.9", "p999_ms", "ms", lower_is_better=True),
    )


OURS: Final = ("ours",)
STORED: Final = '[store]\ndirectory = "store"\n'
COUNTED: Final = STORED + "[mqtt]\nsys_interval_s = 1\n"  # so that the generator can ask how many commits there were


ITEMS: Final = (
    Item("mqtt-qos0", rate("MQTT QoS 0, 1 → 1", 5.0), MQTT_COPIED),
    Item("mqtt-qos1", rate("MQTT QoS 1, 1 → 1", 8.0), MQTT_COPIED),
    Item("mqtt-qos1-clean", rate("MQTT QoS 1, a store, a clean session"), MQTT, settings=STORED, work="mqtt-qos1"),
    Item(
        "mqtt-qos1-lasting",
        rate("MQTT QoS 1, a store, a persistent session", 0.5),
        MQTT,
        settings=STORED,
        against="mqtt-qos1-clean",
    ),
    Item("mqtt-qos2", rate("MQTT QoS 2, 1 → 1", 8.0), MQTT_EXACT),
    Item("mqtt-qos0-fanout", rate("MQTT QoS 0, 1 → 100", 6.0, "deliveries/s"), MQTT_COPIED),
    Item("mqtt-qos1-fanin", rate("MQTT QoS 1, 1,000 → 1", 1.2), MQTT_COPIED),
    Item(
        "mqtt-qos0-filters",
        rate("MQTT QoS 0, 1 → 1, beside 100,000 other filters", 0.9),
        MQTT,
        against="mqtt-qos0",
        work="mqtt-filters",
        numbers={"others": 100_000},
    ),
    Item("mqtt-retained", rate("MQTT, 10,000 retained messages to a new subscriber", 3.0), MQTT),
    Item("mqtt-visits", rate("MQTT connect, subscribe, disconnect", 1.0, "clients/s"), MQTT),
    Item("amqp-transient", rate("AMQP transient, manual ack", 4.0), AMQP_STOMP),
    Item("amqp-confirm", rate("AMQP transient, confirms", 5.0), AMQP_STOMP),
    Item("amqp-fanout", rate("AMQP transient, 1 → 20 queues", 5.0, "deliveries/s"), AMQP_STOMP),
    Item("amqp-fanin", rate("AMQP transient, 1,000 → 1", 2.0), AMQP_STOMP),
    Item(
        "amqp-large",
        rate("AMQP transient, bodies of 64 KiB", 1.0),
        AMQP_STOMP,
        work="amqp-transient",
        numbers={"size_bytes": 65_536, "window": 64},  # 4 MiB under way
    ),
    Item(
        "amqp-topics-10",
        rate("AMQP topic exchange, 10 bindings"),
        AMQP_STOMP,
        work="amqp-topics",
        numbers={"others": 9},
    ),
    Item(
        "amqp-topics-10000",
        rate("AMQP topic exchange, 10,000 bindings", 0.9),
        AMQP_STOMP,
        against="amqp-topics-10",
        work="amqp-topics",
        numbers={"others": 9_999},
    ),
    Item(
        "amqp-keys-10",
        rate("the same, a new key each time, 10 bindings"),
        AMQP_STOMP,
        work="amqp-topics",
        numbers={"others": 9, "keys": NEW_KEYS},
    ),
    Item(
        "amqp-keys-10000",
        rate("the same, a new key each time, 10,000 bindings", 0.9),
        AMQP_STOMP,
        against="amqp-keys-10",
        work="amqp-topics",
        numbers={"others": 9_999, "keys": NEW_KEYS},
    ),
    Item("amqp-durable", rate("AMQP durable, confirms", 5.0), AMQP_STOMP, settings=STORED),
    Item(
        "amqp-confirm-latency",
        (
            Row("AMQP durable, time to a confirm at half load, p50", "p50_ms", "ms", lower_is_better=True, limit=3.0),
            Row("the same, p99", "p99_ms", "ms", lower_is_better=True, limit=20.0),
            Row("the same, the load", "rate", "msg/s"),
        ),
        AMQP_STOMP,
        settings=STORED,
    ),
    Item(
        "amqp-durable-fanin",
        (
            Row("AMQP durable, 1,000 publishers with one message each"),
            Row("the same, messages that share a sync", "per_sync", "messages", least=10.0),
        ),
        AMQP_STOMP,
        settings=COUNTED,
    ),
    Item(
        "amqp-depth",
        (
            Row("AMQP durable, a backlog in one queue: taken out in order"),
            Row("the same, published", "publish_rate", "msg/s"),
            Row("the same, published behind it, of the rate into an empty queue", "deep_percent", "%", least=70.0),
            Row("the same, most resident memory", "memory_mib", "MiB", lower_is_better=True, limit=477.0),  # 500 MB
        ),
        AMQP_STOMP,
        fresh=True,
        settings=STORED,
        numbers={"messages": 1_000_000, "size_bytes": 100},
    ),
    Item(
        "store-start",
        (
            Row(
                "start with a backlog of 1 KB messages: first CONNACK", "start_s", "s", lower_is_better=True, limit=3.0
            ),
            Row("the same, taken out in order after it"),
        ),
        OURS,
        fresh=True,
        settings=STORED,
        after="store-drain",
        numbers={"messages": 1_000_000, "size_bytes": 1_000},
    ),
    Item("amqp-channels", rate("AMQP channels opened and closed", 3.0, "pairs/s"), AMQP_STOMP),
    Item("amqp-queues", rate("AMQP queues declared and deleted", 3.0, "pairs/s"), AMQP_STOMP),
    Item("stomp-client-ack", rates("STOMP, client ack", {"rabbitmq": 8.0, "activemq": 5.0}), STOMP),
    Item("stomp-receipt", rates("STOMP, client ack, a receipt for each", {"rabbitmq": 5.0, "activemq": 5.0}), STOMP),
    Item("stomp-durable", rate("STOMP durable, a receipt for each", 5.0), AMQP_STOMP, settings=STORED),
    Item("stomp-fanout", rates("STOMP topic, 1 → 100", {"rabbitmq": 5.0, "activemq": 5.0}, "deliveries/s"), STOMP),
    Item("stomp-consumers", rate("STOMP, 100 consumers of one queue"), STOMP_SELECTING),
    Item(
        "stomp-selectors",
        rate("the same, each selects 1 % of the messages", 0.5),
        STOMP_SELECTING,
        against="stomp-consumers",
    ),
    Item("cross-mqtt0-amqp", rate("MQTT QoS 0 in, AMQP out", 4.0), AMQP_STOMP),
    Item("mqtt-qos1-latency", latency("MQTT QoS 1, fixed rate", 1.0), MQTT),
    Item(
        "mqtt-qos1-latency-asleep",
        latency("MQTT QoS 1, fixed rate, no busy poll"),
        MQTT,
        settings="[latency]\nbusy_poll_us = 0\n",
        work="mqtt-qos1-latency",
    ),
    Item("amqp-latency", latency("AMQP, fixed rate"), AMQP_STOMP),
    Item("stomp-latency", latency("STOMP, fixed rate"), AMQP_STOMP),
    Item(
        "idle",
        (
            Row("memory per idle MQTT connection", unit="KiB", lower_is_better=True, limit=8.0),
            Row("MQTT connections opened", "connects_per_s", "conn/s"),
        ),
        MQTT,
        fresh=True,
    ),
)


def groups(chosen: Collection[str]) -> list[list[Item]]:
    """Return the chosen items, or all, with those that they are compared with: a list for what runs in alternation."""
    wanted = [item for item in ITEMS if not chosen or item.name in chosen]
    bases = {item.against for item in wanted}
    found: dict[str, list[Item]] = {}
    for item in ITEMS:
        if item in wanted or item.name in bases:
            found.setdefault(item.against or item.name, []).append(item)
    return list(found.values())
