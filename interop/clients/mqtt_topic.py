"""How topic space is said in MQTT: dots and slashes swapped, and the wildcards renamed."""

from typing import Final

from interop.clients.driver import Address, Topic

_TO_MQTT: Final = str.maketrans("./*", "/.+")


def mqtt_topic(address: Address) -> str:
    """Return the topic or the filter; AssertionError for a queue, which MQTT 3.1.1 does not know."""
    assert isinstance(address, Topic), "MQTT has no queues"
    return address.key.translate(_TO_MQTT)
