"""The TLS context of a listener, from its certificate and key."""

import ssl
from pathlib import Path


def server_context(certificate: Path, key: Path | None) -> ssl.SSLContext:
    """Return a context for TLS 1.2 and later; `key` defaults to the certificate's file.

    OSError (of which ssl.SSLError is one) when a file cannot be read, or the two do not belong together.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.options |= ssl.OP_NO_COMPRESSION | ssl.OP_NO_RENEGOTIATION
    context.load_cert_chain(certificate, key, password=_no_password)
    return context


def _no_password() -> bytes:
    # Without this OpenSSL asks on the terminal for the password of an encrypted key.
    raise ssl.SSLError("the key is encrypted: give the broker one without a password")
