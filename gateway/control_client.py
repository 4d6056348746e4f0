"""The other end of the control socket, for commands: whoever answers for a store, the broker that uses it or the store itself."""

import json
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from core.store.at_rest import in_use
from core.store.errors import StoreRefused
from core.store.sqlite import FILE
from gateway.control import SOCKET

if TYPE_CHECKING:
    from gateway.config import Config
    from gateway.control_at_rest import AtRest

ANSWER_S: Final = 60.0  # for one answer: a commit on a slow disk
START_S: Final = 5.0  # for a broker that has the store and does not listen yet
RETRY_S: Final = 0.1
RECEIVE_BYTES: Final = 64 << 10


class Refused(Exception):
    """A request was answered with an error; nothing has changed. `mistaken`: it makes no sense, whenever it is asked."""

    def __init__(self, text: str, *, mistaken: bool) -> None:
        super().__init__(text)
        self.mistaken = mistaken


class Asking:
    """Asks for one thing after the other. StoreError when nobody answers."""

    def ask(self, what: str, **values: Any) -> dict[str, Any]:
        """Return the answer, which is an object with `said`, or raise Refused."""
        answer = json.loads(self.exchange(json.dumps({"do": what, **values}).encode()))
        if "error" in answer:
            raise Refused(answer["error"], mistaken=answer["mistaken"])
        found: dict[str, Any] = answer
        return found

    def exchange(self, line: bytes) -> bytes:
        """Return the line that answers a line."""
        raise AssertionError(f"{type(self).__name__} asks nobody")


class AskingBroker(Asking):
    """Asks a broker that runs."""

    def __init__(self, sock: socket.socket, path: Path) -> None:
        self._socket = sock
        self._path = path

    def exchange(self, line: bytes) -> bytes:
        received = bytearray()
        try:
            self._socket.sendall(line + b"\n")
            while not received.endswith(b"\n"):
                data = self._socket.recv(RECEIVE_BYTES)
                if not data:
                    raise self._unanswered("the broker has closed the connection")
                received += data
        except TimeoutError:
            raise self._unanswered(f"no answer within {ANSWER_S:g} s") from None
        except OSError as error:
            raise self._unanswered(error.strerror or str(error)) from None
        return bytes(received)

    def _unanswered(self, why: str) -> StoreRefused:
        return StoreRefused(f"{self._path}: {why}; whether anything was changed is not known: look with `list`")


class AskingStore(Asking):
    """Asks a store that nobody has open."""

    def __init__(self, at_rest: "AtRest") -> None:
        self._at_rest = at_rest

    def exchange(self, line: bytes) -> bytes:
        return self._at_rest.answer(line)


@contextmanager
def asking(
    directory: Path, config: "Config | None", named: str, *, creates: bool
) -> Iterator[tuple[Asking, list[str]]]:
    """Ask the broker that runs on a data directory, else its store; say also what in that is damaged.

    With `creates` a store that is not there is made. `config` is the one that names the directory, `named` its file.
    """
    path = directory / SOCKET
    give_up = time.monotonic() + START_S
    while (sock := _connected(path)) is None and in_use(directory):
        if time.monotonic() >= give_up:
            raise StoreRefused(
                f"the data directory {directory} is in use, and nobody answers at {path}: its broker is starting or stopping,"
                " its log says why it has no control socket, or another command is at work"
            )
        time.sleep(RETRY_S)
    if sock is not None:
        with sock:
            yield AskingBroker(sock, path), []
        return
    if not creates and not (directory / FILE).is_file():
        raise StoreRefused(f"there is no store in {directory}: {directory / FILE} does not exist")
    from gateway.control_at_rest import AtRest

    at_rest = AtRest(directory, config, named)
    try:
        yield AskingStore(at_rest), at_rest.damage
    finally:
        at_rest.close()


def _connected(path: Path) -> socket.socket | None:
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    sock.settimeout(ANSWER_S)
    try:
        sock.connect(str(path))
    except (FileNotFoundError, ConnectionRefusedError):
        sock.close()
        return None
    except OSError as error:
        sock.close()
        if error.errno is None:  # the path is too long for a socket: a broker there has none either
            return None
        raise StoreRefused(f"cannot use {path}: {error.strerror}; ask as the user that the broker runs as") from None
    return sock
