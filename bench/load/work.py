"""Every work item by its name; each protocol's are in a file of their own."""

from typing import Final

from bench.load import amqp_churn, amqp_exchange_work, amqp_work, cross_work, mqtt_work, stomp_work, store_work
from bench.load.link import WorkError
from bench.load.order import Order, Work

WORK: Final[dict[str, Work]] = {
    **mqtt_work.WORK,
    **amqp_work.WORK,
    **amqp_exchange_work.WORK,
    **amqp_churn.WORK,
    **stomp_work.WORK,
    **cross_work.WORK,
    **store_work.WORK,
}


def perform(item: str, order: Order) -> dict[str, float]:
    """Run one work item and return its figures by name; `value` is the one for the table."""
    work = WORK.get(item)
    if work is None:
        raise WorkError(f"no work item {item!r}")
    return work(order)
