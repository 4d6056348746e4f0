"""Two stand-ins for a broker that show what the generator itself can do.

The *relay* answers MQTT handshakes and from then on copies whatever a publisher sends to every subscriber without
looking at it, but for the packet identifiers at QoS 1, which it acknowledges: a closed loop over it is the ceiling for
any broker on this machine. The *sink* reads and discards: it shows how fast the generator can send.
"""

import select
import socket
from typing import Final

from bench.load import mqtt_frames as frames
from bench.load.link import RECEIVE_BYTES, Link, WorkError
from bench.load.mqtt import settle

BACKLOG: Final = 128


class Copier(Link):
    """A client of the relay: a subscriber once it has subscribed, else a publisher."""

    def __init__(self, sock: socket.socket, subscribers: "list[Copier]", discard: bool) -> None:
        super().__init__(sock)
        self.subscribers = subscribers
        self.discard = discard
        self.greeted: bool = False
        self.subscribed: bool = False
        self.publishing: bool = False
        self.acknowledging: bool = False
        self.buffer = bytearray(RECEIVE_BYTES)
        self.size: int = 0  # of each publication at QoS 1, once known
        self.identifier_at: int = 0
        self.carry: bytes = b""

    def readable(self) -> None:
        if self.greeted and self.discard:
            if not self.sock.recv_into(self.buffer):
                raise WorkError("closed")
            return
        data = self.receive(RECEIVE_BYTES)
        if not self.greeted:
            self.greeted = True
            self.send(b"\x20\x02\x00\x00")
            data = data[frames.packet_size(data, 0) :]
        if data and data[0] == 0x82:
            self.subscribed = True
            self.subscribers.append(self)
            self.send(b"\x90\x03\x00\x01" + data[frames.packet_size(data, 0) - 1 :][:1])
        elif data and not self.subscribed:
            if not self.publishing:
                self.publishing = True
                self.acknowledging = data[0] == 0x32  # PUBLISH at QoS 1; later chunks begin anywhere
            if self.acknowledging:
                data = self.acknowledge(data)
            for subscriber in self.subscribers:
                subscriber.send(data)

    def acknowledge(self, data: bytes) -> bytes:
        """Answer the whole publications in `data`, all of one size, and return them."""
        if self.carry:
            data = self.carry + data
        if not self.size:
            self.size = frames.packet_size(data, 0)
            header_bytes = 2 if self.size < 130 else 3
            self.identifier_at = header_bytes + 2 + int.from_bytes(data[header_bytes : header_bytes + 2], "big")
        whole = len(data) // self.size * self.size
        at = self.identifier_at
        self.send(settle(frames.PUBACK, data[at : whole : self.size], data[at + 1 : whole : self.size]))
        self.carry = data[whole:]
        return data[:whole]

    def leave(self) -> None:
        if self.subscribed:
            self.subscribers.remove(self)
        self.close()


def serve(port: int, discard: bool) -> None:
    """Serve on loopback until the process is ended."""
    poller = select.epoll()
    listener = socket.create_server(("127.0.0.1", port), backlog=BACKLOG)
    poller.register(listener.fileno(), select.EPOLLIN)
    clients: dict[int, Copier] = {}
    subscribers: list[Copier] = []
    while True:
        for fd, mask in poller.poll():
            if fd == listener.fileno():
                sock, _ = listener.accept()
                sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                client = Copier(sock, subscribers, discard)
                client.attach(poller)
                clients[client.fd] = client
                continue
            client = clients[fd]
            try:
                if mask & select.EPOLLOUT:
                    client.writable()
                if mask & ~select.EPOLLOUT:
                    client.readable()
            except (WorkError, OSError):
                del clients[fd]
                client.leave()
