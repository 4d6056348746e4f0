"""A TCP proxy that cuts connections in the middle of what they say, so that clients have to come back."""

import socket
import struct
import threading
from collections.abc import Sequence
from typing import Final

CHUNK_BYTES: Final = 4_096
RESET: Final = struct.pack("ii", 1, 0)  # SO_LINGER: close at once, and what is under way is lost


class Cutter:
    """Listens on `port` and passes bytes on to the broker, both ways.

    Nothing is cut until `cut` names budgets: from then on each connection ends after that many bytes, the one that is open
    first. When the budgets are used up connections stay.
    """

    def __init__(self, host: str, port: int) -> None:
        self._target = (host, port)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._lock = threading.Lock()
        self._budgets: list[int] = []
        self._left = -1  # bytes of the connection in turn; -1 for no limit
        self._over: set[socket.socket] = set()  # both ends of those that were cut: they count no more
        self._pairs: list[tuple[socket.socket, socket.socket]] = []
        self.cuts = 0
        threading.Thread(target=self._accept, daemon=True).start()

    def cut(self, budgets: Sequence[int]) -> None:
        """Cut the open connection after the first budget of bytes, the next one after the second, and so on."""
        with self._lock:
            self._budgets = list(budgets)
            self._left = self._budgets.pop(0)

    def close(self) -> None:
        """Listen no more, and end what is open."""
        self._listener.close()
        for pair in self._pairs:
            self._end(*pair)

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
                server = socket.create_connection(self._target)
            except OSError:
                return
            for one in (client, server):
                one.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._pairs.append((client, server))
            for source, target in ((client, server), (server, client)):
                threading.Thread(target=self._pump, args=(source, target), daemon=True).start()

    def _pump(self, source: socket.socket, target: socket.socket) -> None:
        try:
            while data := source.recv(CHUNK_BYTES):
                allowed, cut = self._spend(source, target, len(data))
                target.sendall(data[:allowed])
                if cut:
                    break
        except OSError:
            pass
        self._end(source, target)

    def _spend(self, source: socket.socket, target: socket.socket, size: int) -> tuple[int, bool]:
        """Return how many bytes may pass, and whether the connection is cut behind them."""
        with self._lock:
            if source in self._over:
                return 0, True
            if self._left < 0:
                return size, False
            if size < self._left:
                self._left -= size
                return size, False
            allowed = self._left
            self._left = self._budgets.pop(0) if self._budgets else -1
            self.cuts += 1
            self._over.update((source, target))
            return allowed, True

    @staticmethod
    def _end(*pair: socket.socket) -> None:
        for one in pair:
            try:
                one.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
                one.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
            one.close()
