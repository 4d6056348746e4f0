"""The retain flag of what is published: the message is kept for later subscribers (MQTT 3.1.1 §3.3.1.3)."""

from core.client import Client
from core.model.errors import Limit
from core.model.message import Message
from core.model.names import TOPIC_SPACE
from protocols.connection import Outlet


def retain(outlet: Outlet, client: Client, message: Message) -> None:
    """Keep a published message for later subscribers; an empty one clears its topic [MQTT-3.3.1-5].

    The flag means nothing for a queue, which keeps its messages anyway.
    """
    if message.address.exchange != TOPIC_SPACE:
        return
    kept = message.aimed_at(message.address)
    kept.retained = True
    try:
        client.retain(kept)
    except Limit as error:
        client.counters.drop("retained_limit")
        outlet.note("message not retained", error.text)
