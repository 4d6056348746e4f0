"""What a configuration says in text because TOML has no type for it: addresses, sizes, password hashes, destinations.

Every function returns the value or raises ValueError with the reason, which names the value; a password hash is never
shown.
"""

import base64
import ipaddress
import re
from typing import Final

from core.model.destination import SEPARATOR, Destination, parse_destination
from core.model.errors import BrokerError
from core.model.names import NAME_LIMIT_BYTES, RESERVED_PREFIX, check_name

PORT_LIMIT: Final = 65_535
HOST: Final = re.compile(r"[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9.])?")
NUMBERS: Final = re.compile(r"[0-9.]+")

LOOPBACK_OF: Final = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 - recognised here, not bound

SIZE: Final = re.compile(r"([0-9]+(?:\.[0-9]+)?) ?([A-Za-z]*)")
UNITS: Final = {
    "": 1,
    "B": 1,
    "kB": 10**3,
    "KB": 10**3,
    "MB": 10**6,
    "GB": 10**9,
    "TB": 10**12,
    "KiB": 1 << 10,
    "MiB": 1 << 20,
    "GiB": 1 << 30,
    "TiB": 1 << 40,
}

SALT_LEAST_BYTES: Final = 8  # RFC 9106 §3.1 recommends 16; argon2 itself takes no fewer than 8
DIGEST_LEAST_BYTES: Final = 4  # RFC 9106 §3.1

WILDCARDS: Final = frozenset({"*", "#"})


def parse_address(text: str) -> tuple[str, int]:
    """Return host and port of `HOST:PORT`; an IPv6 address is in brackets, and is returned without them."""
    host, colon, port_text = text.rpartition(":")
    if not colon or not (port_text.isascii() and port_text.isdigit()):
        raise ValueError(f"{text!r} is not HOST:PORT, as in 127.0.0.1:5672 or [::1]:5672")
    if not host:
        raise ValueError(f"{text!r} names no host: write 0.0.0.0{text} for every IPv4 address of this machine")
    port = int(port_text) if len(port_text) <= len(str(PORT_LIMIT)) else PORT_LIMIT + 1
    if port > PORT_LIMIT:
        raise ValueError(f"port {port_text} in {text!r} is not between 0 and {PORT_LIMIT}")
    if host.startswith("[") and host.endswith("]"):
        return _ipv6(host[1:-1], text), port
    if ":" in host:
        raise ValueError(f"{text!r} is not HOST:PORT; an IPv6 address goes in brackets, as in [::1]:5672")
    if NUMBERS.fullmatch(host):
        return _ipv4(host, text), port
    if not HOST.fullmatch(host):
        raise ValueError(f"{host!r} in {text!r} is not a host name or an IP address")
    return host, port


def _ipv4(host: str, text: str) -> str:
    try:
        return str(ipaddress.IPv4Address(host))
    except ValueError:
        raise ValueError(f"{host!r} in {text!r} is not an IPv4 address") from None


def _ipv6(host: str, text: str) -> str:
    try:
        return str(ipaddress.IPv6Address(host))
    except ValueError:
        raise ValueError(f"{host!r} in {text!r} is not an IPv6 address") from None


def reached_at(host: str) -> str:
    """Return what to connect to for a broker that listens on `host`: loopback where that is every address."""
    return LOOPBACK_OF.get(host, host)


def parse_size(text: str) -> int:
    """Return the number of bytes that text such as `512 MiB` (binary) or `512 MB` (decimal) says."""
    found = SIZE.fullmatch(text.strip())
    if found is None:
        raise ValueError(f'{text!r} is not a size, as in "512 MiB" or 536870912')
    number, unit = found.groups()
    factor = UNITS.get(unit)
    if factor is None:
        raise ValueError(f"{unit!r} in {text!r} is not a unit: use {', '.join(list(UNITS)[1:])}")
    whole, _, fraction = number.partition(".")
    scaled, rest = divmod(int(whole + fraction) * factor, int("1" + "0" * len(fraction)))
    if rest:
        raise ValueError(f"{text!r} is not a whole number of bytes")
    return scaled


def check_password_hash(text: str) -> str:
    """Return the hash if it is one of argon2 in PHC form."""
    from argon2 import extract_parameters
    from argon2.exceptions import InvalidHashError

    try:
        extract_parameters(text)
        salt, digest = (_base64(part) for part in text.split("$")[-2:])
        if len(salt) < SALT_LEAST_BYTES or len(digest) < DIGEST_LEAST_BYTES:
            raise InvalidHashError
    except (InvalidHashError, ValueError):
        raise ValueError("is not an argon2 hash ($argon2id$…): make one with `dragoman hash-password`") from None
    return text


def _base64(part: str) -> bytes:
    return base64.b64decode(part + "=" * (-len(part) % 4), validate=True)


def parse_source(text: str) -> Destination:
    """Return where a forwarding rule takes messages from; topics and keys may have the wildcards `*` and `#`."""
    return _destination(text)


def parse_target(text: str) -> Destination:
    """Return where a forwarding rule sends to: one place, so no wildcards in a topic."""
    destination = _destination(text)
    if destination.queue is None and not WILDCARDS.isdisjoint(destination.key.split(".")):
        raise ValueError(f"{text!r} has a wildcard: a rule forwards to one place for each item of its list")
    return destination


def _destination(text: str) -> Destination:
    if SEPARATOR in text:
        raise ValueError(f"{text!r} has a comma: name one destination; a comma inside a name is written %2C")
    try:
        destination = parse_destination(text)
        check_name("exchange", destination.exchange)
        check_name("queue" if destination.queue is not None else "routing key", destination.key)
    except BrokerError as error:
        raise ValueError(error.text) from None
    if destination.queue is not None and destination.queue.startswith(RESERVED_PREFIX):
        raise ValueError(f"queue name '{destination.queue}' contains reserved prefix 'amq.*'")
    return destination


def check_entity_name(name: str) -> str:
    """Return the name of a user or virtual host if it can be said in every protocol."""
    if not name:
        raise ValueError("must not be empty")
    if not name.isprintable():
        raise ValueError(f"{name!r} contains a character that is not printable")
    size = len(name.encode())
    if size > NAME_LIMIT_BYTES:
        raise ValueError(f"a name of {size} bytes is longer than {NAME_LIMIT_BYTES}")
    return name
