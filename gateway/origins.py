"""Which web pages may open a WebSocket: the check of the Origin header (RFC 6454, RFC 6455 §10.2).

A browser says which site a page came from; other clients say nothing, and are not asked. Who is let in here still has to
log in: this keeps strange pages from using what a browser can reach and its user's machine trusts.
"""

import ipaddress
import re
from typing import Final
from urllib.parse import urlsplit

ANY: Final = "*"
STANDARD_PORTS: Final = {"http": 80, "https": 443}
LOCALHOST: Final = "localhost"

_ORIGIN: Final = re.compile(r"[a-z][a-z0-9+.-]*://(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+)(:[0-9]{1,5})?", re.IGNORECASE)


def parse_origin(text: str) -> str:
    """Return an origin as it is compared: lower case, without a port that its scheme implies; ValueError if it is none."""
    if text == ANY:
        return text
    if not _ORIGIN.fullmatch(text):
        raise ValueError(f"{text!r} is not an origin, as in https://dashboard.example")
    parts = urlsplit(text.lower())
    port = parts.port  # ValueError past 65,535
    standard = port is None or port == STANDARD_PORTS.get(parts.scheme)
    host = parts.netloc.rpartition(":")[0] if port is not None else parts.netloc
    return f"{parts.scheme}://{host}" if standard else f"{parts.scheme}://{host}:{port}"


class Origins:
    """The origins that a listener allows. With none named: pages of the host that the client has connected to."""

    def __init__(self, allowed: list[str]) -> None:
        self._allowed = frozenset(parse_origin(text) for text in allowed)

    def allows(self, origin: str, host: str, *, loopback: bool) -> bool:
        """Tell whether a page of `origin` may connect, who asks for `host` (of the Host header), perhaps by loopback."""
        if ANY in self._allowed:
            return True
        try:
            asked = parse_origin(origin)
        except ValueError:
            return False  # "null" among others, which says that the browser does not want to tell
        if self._allowed:
            return asked in self._allowed
        name = _name_in(asked.partition("://")[2])
        # A name of somebody else's that is made to resolve to this machine would be the same host too: what a page
        # reaches by loopback must be called so.
        return name == _name_in(host.lower()) and (not loopback or _means_loopback(name))


def _name_in(authority: str) -> str:
    """Return the host of `HOST[:PORT]`, whatever the port."""
    if authority.startswith("["):
        return authority.partition("]")[0] + "]"
    return authority.partition(":")[0]


def _means_loopback(name: str) -> bool:
    if name == LOCALHOST or name.endswith(f".{LOCALHOST}"):  # RFC 6761 §6.3
        return True
    try:
        return ipaddress.ip_address(name.strip("[]")).is_loopback
    except ValueError:
        return False
