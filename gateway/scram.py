"""SCRAM-SHA-256, the server's side: proof of a password that is never sent (RFC 5802, RFC 7677).

The messages are read and made by `scramp`. Channel binding is not offered, so a client that asks for it is refused and
one that would have used it goes on without.
"""

import secrets
import unicodedata
from collections.abc import Callable
from typing import Final

from scramp import ScramException, ScramMechanism
from scramp.utils import ServerError, saslprep

from gateway.scram_secret import MECHANISM, SALT_BYTES, Secret
from protocols.exchange import Exchange, Failure

MESSAGE_LIMIT_BYTES: Final = 1_024  # of a client's message: the longest name with every character escaped is 765


class Scram(Exchange):
    """One exchange, of two messages of the client.

    `nonce` is new and unguessable. `find` gives the secret of a name, a made-up one if there is none: nobody can tell.
    """

    def __init__(self, nonce: str, find: Callable[[str], Secret]) -> None:
        super().__init__()
        self._find = find
        self._server = ScramMechanism(MECHANISM).make_server(self._look_up, s_nonce=nonce)
        self._asked = False  # the client has been told salt and iterations

    def answer(self, data: bytes) -> bytes:
        message = _text(data)
        try:
            if self._asked:
                self._server.set_client_final(message)
                answer: str = self._server.get_server_final()
                self.finished = True
            else:
                self._server.set_client_first(message)
                answer = self._server.get_server_first()
                self._asked = True
        except ScramException as error:
            if error.server_error == ServerError.INVALID_PROOF:
                raise Failure("wrong name or password", guess=True) from None
            raise Failure(f"{error}") from None
        return answer.encode()

    def _look_up(self, username: str) -> tuple[bytes, bytes, bytes, int]:
        self.username = username  # as SASLprep has it
        secret = self._find(username)
        return secret.salt, secret.stored_key, secret.server_key, secret.iterations


def prepared_name(name: str) -> str:
    """Return the form of a user's name that SCRAM looks it up by (RFC 4013), or nothing when it has none."""
    try:
        prepared: str = saslprep(name)
    except ScramException:
        return ""
    return prepared


def make_secret(password: bytes, salt: bytes, iterations: int) -> Secret:
    """Return the secret of a password, at the cost of `iterations`. Failure when it is no text or has no such form."""
    try:
        salt, stored_key, server_key, _ = ScramMechanism(MECHANISM).make_auth_info(
            password.decode(), iteration_count=iterations, salt=salt
        )
    except UnicodeDecodeError:
        raise Failure("a password for SCRAM is text in UTF-8 (RFC 5802 §2.2)") from None
    except ScramException as error:
        raise Failure(str(error)) from None
    return Secret(salt, iterations, stored_key, server_key)


def new_secret(password: bytes, iterations: int) -> Secret:
    """Return a secret with a salt of its own."""
    return make_secret(password, secrets.token_bytes(SALT_BYTES), iterations)


def _text(data: bytes) -> str:
    if len(data) > MESSAGE_LIMIT_BYTES:
        raise Failure(f"a message of {len(data)} bytes is longer than {MESSAGE_LIMIT_BYTES}")
    try:
        text = data.decode()
    except UnicodeDecodeError:
        raise Failure("a message is not UTF-8 (RFC 5802 §5.1)") from None
    if len(unicodedata.normalize("NFKC", text)) > MESSAGE_LIMIT_BYTES:
        raise Failure("a name is too long in its prepared form")  # 18 times as long, and 26 ms to look at, at worst
    return text
