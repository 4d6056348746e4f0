"""The TLS of a listener: its certificate and key, and whose certificates its clients may show."""

import ssl
from pathlib import Path

from gateway.certificates import COMMON_NAME
from gateway.filters import TlsFilter
from protocols.connection import Peer


def server_context(
    certificate: Path, key: Path | None, client_ca: Path | None = None, *, required: bool = False
) -> ssl.SSLContext:
    """Return a context for TLS 1.2 and later; `key` defaults to the certificate's file.

    With `client_ca` clients are asked for a certificate, which must be one of that authority if they show one, and
    they must show one where it is `required`. OSError (of which ssl.SSLError is one) when a file cannot be read, or
    certificate and key do not belong together.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.options |= ssl.OP_NO_COMPRESSION | ssl.OP_NO_RENEGOTIATION
    context.load_cert_chain(certificate, key, password=_no_password)
    if client_ca is not None:
        context.load_verify_locations(client_ca)
        context.verify_mode = ssl.CERT_REQUIRED if required else ssl.CERT_OPTIONAL
    return context


def _no_password() -> bytes:
    # Without this OpenSSL asks on the terminal for the password of an encrypted key.
    raise ssl.SSLError("the key is encrypted: give the broker one without a password")


class Tls:
    """What makes the TLS of each connection of a listener. `user_from`: which name of a certificate is the user's."""

    def __init__(self, context: ssl.SSLContext, user_from: str = COMMON_NAME) -> None:
        self._context = context
        self._user_from = user_from
        self.required = context.verify_mode is ssl.CERT_REQUIRED  # a certificate of the client

    def filter_for(self, peer: Peer) -> TlsFilter:
        """Return the filter for a connection to `peer`, which learns what its certificate says."""
        return TlsFilter(self._context, peer, self._user_from)
