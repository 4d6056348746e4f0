"""The SASL mechanisms: which are offered to a client, and who it says it is (AMQP 0-9-1 §1.4.2.1, RabbitMQ).

PLAIN and AMQPLAIN are offered to everybody, EXTERNAL where TLS has verified a certificate that names a user, ANONYMOUS
where the configuration names the anonymous user. Nothing of a response is ever shown, for it may hold a password.
"""

from typing import Final

from protocols.amqp.connection_methods import StartOk
from protocols.amqp.errors import COMMAND_INVALID, SYNTAX_ERROR, PeerError
from protocols.amqp.table import FIRST_ELEMENTS_LIMIT, check_table, decode_table

PLAIN: Final = "PLAIN"
AMQPLAIN: Final = "AMQPLAIN"
EXTERNAL: Final = "EXTERNAL"
ANONYMOUS: Final = "ANONYMOUS"
KNOWN: Final = frozenset({PLAIN, AMQPLAIN, EXTERNAL, ANONYMOUS})


class Claim:
    """Who a client says it is. `password` is None where its certificate is the proof.

    An empty `username` with `anonymous` asks for the anonymous user; without it, it is nobody.
    """

    def __init__(self, username: str, password: bytes | None, *, anonymous: bool = False) -> None:
        self.username = username
        self.password = password
        self.anonymous = anonymous


def offered(certificate_user: str, *, anonymous: bool) -> tuple[str, ...]:
    """Return the mechanisms for a client whose verified certificate names `certificate_user`, or nobody."""
    names: tuple[str, ...] = (PLAIN, AMQPLAIN)
    if certificate_user:
        names = (*names, EXTERNAL)
    if anonymous:
        names = (*names, ANONYMOUS)
    return names


def claimed(method: StartOk, mechanisms: tuple[str, ...], certificate_user: str) -> Claim:
    """Return who a client says it is by one of the `mechanisms` that it was offered."""
    mechanism = method.mechanism
    if mechanism not in mechanisms:
        word = "invalid" if mechanism in KNOWN else "unknown"
        raise PeerError(COMMAND_INVALID, f"{word} authentication mechanism '{mechanism}'")
    if mechanism == EXTERNAL:
        return Claim(certificate_user, None)
    if mechanism == ANONYMOUS:
        return Claim("", b"", anonymous=True)  # the response is a trace and proves nothing (RFC 4505 §2)
    if mechanism == PLAIN:
        return _plain(method.response)
    return _amqplain(method.response)


def _plain(response: bytes) -> Claim:
    # RFC 4616: authorization identity NUL authentication identity NUL password
    parts = response.split(b"\0")
    if len(parts) != 3 or parts[0]:
        raise PeerError(SYNTAX_ERROR, "response of mechanism PLAIN is invalid")
    return Claim(_user_name(parts[1]), parts[2])


def _amqplain(response: bytes) -> Claim:
    """Read a field table without its length, which is what RabbitMQ and old clients exchange."""
    data = len(response).to_bytes(4, "big") + response
    check_table(data, 0, len(data), FIRST_ELEMENTS_LIMIT)
    table = decode_table(data, 0)
    login, password = table.get("LOGIN"), table.get("PASSWORD")
    if isinstance(login, str):
        login = login.encode()
    if isinstance(password, str):
        password = password.encode()
    if not isinstance(login, bytes) or not isinstance(password, bytes):
        raise PeerError(SYNTAX_ERROR, "AMQPLAIN auth info is missing LOGIN or PASSWORD field")
    return Claim(_user_name(login), password)


def _user_name(octets: bytes) -> str:
    try:
        return octets.decode()
    except UnicodeDecodeError:
        raise PeerError(SYNTAX_ERROR, "user name is not UTF-8") from None
