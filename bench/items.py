"""The work items: what is measured, with whom ours is compared, and the ratio to reach."""

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True)
class Row:
    """One line of the table: a figure of a work item. `goal` is the least ratio in ours' favour."""

    label: str
    figure: str = "value"
    unit: str = "msg/s"
    lower_is_better: bool = False
    goal: float | None = None
    limit: float | None = None  # for ours, in the unit of the row


@dataclass(frozen=True)
class Item:
    """One kind of work. The first peer after ours is the one to compare with."""

    name: str
    rows: tuple[Row, ...]
    peers: tuple[str, ...]
    fresh: bool = False  # wants a broker that has done nothing yet
    settings: str = ""  # for ours, beside its defaults: a part of its configuration file
    work: str = ""  # what the generator does, where that is not the name

    @property
    def order(self) -> str:
        """What the generator is asked to do."""
        return self.work or self.name


MQTT: Final = ("ours", "mosquitto", "rabbitmq")
MQTT_EXACT: Final = ("ours", "mosquitto")  # RabbitMQ grants QoS 1 where 2 is asked
MQTT_COPIED: Final = ("ours", "mosquitto", "rabbitmq", "relay")
AMQP_STOMP: Final = ("ours", "rabbitmq")


def rate(label: str, goal: float | None = None, unit: str = "msg/s") -> tuple[Row, ...]:
    return (Row(label, goal=goal, unit=unit),)


def latency(label: str, goal: float | None = None) -> tuple[Row, ...]:
    return (
        Row(f"{label}, p50", "p50_ms", "ms", lower_is_better=True),
        Row(f"{label}, p99", "p99_ms", "ms", lower_is_better=True, goal=goal),
        Row(f"{label}, p99.9", "p999_ms", "ms", lower_is_better=True),
    )


ITEMS: Final = (
    Item("mqtt-qos0", rate("MQTT QoS 0, 1 → 1", 5.0), MQTT_COPIED),
    Item("mqtt-qos1", rate("MQTT QoS 1, 1 → 1", 8.0), MQTT_COPIED),
    Item("mqtt-qos2", rate("MQTT QoS 2, 1 → 1"), MQTT_EXACT),
    Item("mqtt-qos0-fanout", rate("MQTT QoS 0, 1 → 100", 6.0, "deliveries/s"), MQTT_COPIED),
    Item("mqtt-qos1-fanin", rate("MQTT QoS 1, 1,000 → 1", 1.2), MQTT_COPIED),
    Item("amqp-transient", rate("AMQP transient, manual ack", 4.0), AMQP_STOMP),
    Item("amqp-confirm", rate("AMQP transient, confirms", 5.0), AMQP_STOMP),
    Item("stomp-client-ack", rate("STOMP, client ack", 8.0), AMQP_STOMP),
    Item("cross-mqtt0-amqp", rate("MQTT QoS 0 in, AMQP out", 4.0), AMQP_STOMP),
    Item("mqtt-qos1-latency", latency("MQTT QoS 1, fixed rate", 1.0), MQTT),
    Item(
        "mqtt-qos1-latency-busy",
        latency("MQTT QoS 1, fixed rate, busy poll of 300 µs", 1.0),
        MQTT,
        settings="[latency]\nbusy_poll_us = 300\n",
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
