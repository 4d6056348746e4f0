"""The client's side of SCRAM-SHA-256, with code of its own: RFC 5802 in the words of `hashlib`."""

import base64
import hashlib
import hmac
from typing import Final

NONCE: Final = "rOprNGfwEbeRWgbNEkqO"  # RFC 7677 §3


class ScramClient:
    """One exchange."""

    def __init__(self, name: str, password: str, *, header: str = "n,,", nonce: str = NONCE) -> None:
        self._password = password.encode()
        self._header = header
        self._bare = f"n={name.replace('=', '=3D').replace(',', '=2C')},r={nonce}"
        self._server_signature = b""

    def first(self) -> bytes:
        return f"{self._header}{self._bare}".encode()

    def last(self, server_first: bytes) -> bytes:
        nonce, salt, count = (part[2:] for part in server_first.decode().split(","))
        salted = hashlib.pbkdf2_hmac("sha256", self._password, base64.b64decode(salt), int(count))
        client_key = hmac.digest(salted, b"Client Key", "sha256")
        binding = base64.b64encode(self._header.encode()).decode()
        without_proof = f"c={binding},r={nonce}"
        said = ",".join([self._bare, server_first.decode(), without_proof]).encode()
        signature = hmac.digest(hashlib.sha256(client_key).digest(), said, "sha256")
        self._server_signature = hmac.digest(hmac.digest(salted, b"Server Key", "sha256"), said, "sha256")
        proof = bytes(a ^ b for a, b in zip(client_key, signature, strict=True))
        return f"{without_proof},p={base64.b64encode(proof).decode()}".encode()

    def trusts(self, server_last: bytes) -> bool:
        """Whether the server knows the password too."""
        return server_last == b"v=" + base64.b64encode(self._server_signature)
