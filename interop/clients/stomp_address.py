"""How addresses are said in STOMP: a slash inside a name or a key is written `%2F`."""

from urllib.parse import quote

from interop.clients.driver import Address, Topic


def stomp_destination(address: Address) -> str:
    """Return the destination; its topics have AMQP's form already, wildcards included."""
    if isinstance(address, Topic):
        return f"/topic/{quote(address.key, safe='*#.$')}"
    return f"/queue/{quote(address.name, safe='')}"
