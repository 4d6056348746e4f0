"""One socket and its machine: what is received goes in, what the machine has written goes out, until both are done.

The reactor calls `ready` for what the poller reports and `flush` at the end of a turn. Whatever a machine raises ends in
`failed`, which costs this connection and no other. A link is small: what only a slow, encrypted or closing connection
needs is made when it is needed.
"""

import socket

import structlog

from core.timers import NEVER
from gateway import stage
from gateway.applicant import Applicant
from gateway.filters import Filter, FilterError, FilterStack
from gateway.held import Held
from gateway.notes import Notes
from gateway.outbox import SEGMENT_BYTES, Outbox
from gateway.pace import FIRST_RECEIVE_BYTES, paced
from gateway.patience import CLOSING_TIMEOUT_S, LINGER_TIMEOUT_S, PROGRESS_TIMEOUT_S, Patience
from gateway.poller import GONE, READ, WRITE
from gateway.wiring import Wiring
from protocols.connection import NOWHERE, OUTPUT_LIMIT_BYTES, Connection, Peer

log = structlog.get_logger("dragoman.connection")


class Link(Applicant):
    """A socket, its filters and its machine. `attach` is called before anything else."""

    def __init__(self, wiring: Wiring, sock: socket.SocketType, peer: Peer, filters: tuple[Filter, ...]) -> None:
        super().__init__(wiring, peer)
        self._socket = sock
        self._fd = sock.fileno()
        self._filters: FilterStack | None = FilterStack(filters) if filters else None
        self._receive_bytes = FIRST_RECEIVE_BYTES
        self._heard_all = False  # the peer has ended its stream
        self._dirty = False
        self._writable = False  # the poller has said so in this turn
        self._mask = READ  # what the poller watches for
        self._outbox: Outbox | None = None
        self._held: Held | None = None
        self._patience: Patience | None = None
        self._notes: Notes | None = None  # from the first line of the log about a mistake on
        wiring.links[self._fd] = self
        wiring.broker.counters.connections_opened += 1
        wiring.poller.add(self._fd, READ)

    def attach(self, connection: Connection) -> None:
        """Put a machine on the link: the first, or the one that the first has found to be the right one."""
        self.connection = connection
        self._wiring.broker.timers.watch(connection)

    # Receiving

    def ready(self, events: int) -> None:
        """Act on what the poller reports."""
        if events & WRITE:
            self._writable = True
            self.wake()
        if events & ~WRITE and self._mask & READ:
            self._read()
        elif events & GONE:
            self._lose()

    def _read(self) -> None:
        try:
            data = self._socket.recv(self._receive_bytes)
        except BlockingIOError:
            return
        except OSError:
            self._lose()  # a reset: what a peer does to its own connection is no news
            return
        if self._state == stage.OPEN and not self.connection.closed:
            began = self._wiring.stopwatch()
            self._receive(data)
            self._receive_bytes = paced(self._receive_bytes, len(data), self._wiring.stopwatch() - began)
        elif not data:
            self._lose()

    def catch_up(self) -> None:
        """Have the machine, or a filter, go on with what it left in an earlier turn."""
        if self._state == stage.OPEN and not self.connection.closed:
            self._receive(None)

    def _receive(self, data: bytes | None) -> None:
        promises = self._wiring.journal.promises
        try:
            if data is None:
                if self._filters is not None and not self.connection.behind:
                    self._receive_through(self._filters, None, b"")
                else:
                    self.connection.go_on()
            elif not data:
                self._heard_all = True
                self._end_stream()
            elif self._filters is not None:
                self._receive_through(self._filters, None, data)
            else:
                self.connection.receive(data)
        except Exception as error:  # noqa: BLE001 - a bug in a machine costs its own connection
            self.failed(error)
        self._heed(promises)
        connection = self.connection
        behind = self._is_behind()
        if behind and not connection.closed:
            self._wiring.behind.append(self)
        if connection.closed:
            self.wake()
        elif data is None or behind or (connection.publishes and self._wiring.alarm):
            self._watch()

    def _is_behind(self) -> bool:
        return self.connection.behind or (self._filters is not None and self._filters.behind)

    def _end_stream(self) -> None:
        if not self.connection.closed:
            self.connection.receive(b"")
            self.connection.closed = True

    def _receive_through(self, filters: FilterStack, new: Filter | None, data: bytes) -> None:
        """Take `data` inwards through all filters, or through a `new` innermost one only."""
        self.wake()  # a filter may have something to say of its own
        try:
            data = filters.received(data) if new is None else filters.add(new, data)
        except FilterError as refusal:
            self.note("connection refused", str(refusal))
            self.connection.closed = True
            return
        if data:
            self.connection.receive(data)
        if filters.finished:
            self._end_stream()

    def add_filter(self, layer: Filter, data: bytes) -> None:
        """Put a filter inside the others; `data` was received already and is meant for it. Called by the machine."""
        if self._filters is None:
            self._filters = FilterStack(())
        self._receive_through(self._filters, layer, data)

    def _lose(self) -> None:
        """End the connection, because the socket is of no more use."""
        if self._state == stage.LINGERING:
            self._close()
            return
        self._broken = True
        self._receive(b"")
        self.wake()

    def _watch(self) -> None:
        """Have the poller watch for what matters now."""
        connection = self.connection
        unsent = self._unsent_bytes()
        mask = WRITE if self._outbox is not None else 0
        if (
            not connection.closed
            and not self._is_behind()
            and not self._login_pending
            and not (connection.publishes and self._wiring.alarm)
            and unsent <= OUTPUT_LIMIT_BYTES
        ):
            mask |= READ
        self._set_mask(mask)

    def _set_mask(self, mask: int) -> None:
        if mask != self._mask:
            self._wiring.poller.change(self._fd, self._mask, mask)
            self._mask = mask

    # What else a machine says and hears

    def wake(self) -> None:
        if not self._dirty:
            self._dirty = True
            self._wiring.dirty.append(self)

    def watch(self, connection: Connection) -> None:
        self._wiring.broker.timers.watch(connection)

    def note(self, event: str, detail: str) -> None:
        self._notes = self._notes or Notes(self.peer.address, self._wiring.notes)
        self._notes.write(self._wiring.broker.clock.now, self.connection.protocol, event, detail)

    def failed(self, error: Exception) -> None:
        self._wiring.broker.counters.internal_errors += 1
        log.error("internal error", peer=self.peer.address, protocol=self.connection.protocol, exc_info=error)
        if self._filters is not None:
            self._filters.fail()
        self._broken = True
        self.wake()

    def hear_alarm(self, reason: str) -> None:
        """Tell the machine that publishers must wait, or with an empty reason no longer."""
        if self._state != stage.OPEN:
            return
        try:
            self.connection.alarm(reason)
        except Exception as error:  # noqa: BLE001 - as in _receive
            self.failed(error)
        self._watch()

    def shut_down(self) -> None:
        """Have the machine say good-bye."""
        if self._state != stage.OPEN:
            return
        connection = self.connection
        try:
            if not connection.closed:
                connection.shut_down()
        except Exception as error:  # noqa: BLE001 - as in _receive
            self.failed(error)
        connection.closed = True
        self.wake()

    # Sending

    def flush(self) -> None:
        """Take the machine's output and send what the kernel takes; end the connection when it is done."""
        self._dirty = False
        if self._state >= stage.LINGERING:
            return
        if not self._broken:
            try:
                self._move_output()
            except FilterError as refusal:
                self.note("connection refused", str(refusal))
                self._lose()
            except Exception as error:  # noqa: BLE001 - as in _receive
                self.failed(error)
        self._writable = False
        if self._broken or (self.connection.closed and self._outbox is None and self._held is None):
            self._finish()
            return
        if self._outbox is not None or self._patience is not None:
            self._judge()
        self._watch()

    def _move_output(self) -> None:
        connection = self.connection
        parts = connection.take_output()
        if self._barrier > self._wiring.journal.committed or self._held is not None:
            parts = self._hold(parts)
        if self._filters is not None:
            parts = self._filters.sending(parts)
        outbox = self._outbox
        if outbox is not None:
            outbox.put(parts)
            if self._writable:
                self._send_from(outbox)
        elif parts:
            self._send_at_once(parts)
        connection.sent(self._unsent_bytes())

    def _hold(self, parts: list[bytes]) -> list[bytes]:
        """Keep output back until what it may speak of is on stable storage; return what may be sent now."""
        held = self._held
        if held is None:
            held = self._held = Held()
            self._wiring.holding[self] = None
        if parts:
            held.put(self._barrier, parts)
        released = held.release(self._wiring.journal.committed)
        if not held.size:
            self._held = None
            del self._wiring.holding[self]
        return released

    def _unsent_bytes(self) -> int:
        unsent = 0 if self._outbox is None else self._outbox.size
        return unsent if self._held is None else unsent + self._held.size

    def _send_at_once(self, parts: list[bytes]) -> None:
        """Send output that nothing is ahead of: the usual case, one call of the kernel for a whole batch.

        Joined, because `sendmsg` costs more for parts up to 16 KiB and gains 5 % for parts of 64 KiB.
        """
        if len(parts) > 1 and self.connection.output_bytes > SEGMENT_BYTES:
            self._outbox = Outbox()
            self._outbox.put(parts)
            self._send_from(self._outbox)
            return
        data = parts[0] if len(parts) == 1 else b"".join(parts)
        sent = self._send(data)
        if sent < len(data):
            self._outbox = Outbox()
            self._outbox.put_rest(data, sent)

    def _send_from(self, outbox: Outbox) -> None:
        outbox.advance(self._send(outbox.next_bytes()))
        if not outbox.size:
            self._outbox = None

    def _send(self, data: bytes | memoryview) -> int:
        try:
            return self._socket.send(data)
        except BlockingIOError:
            return 0
        except OSError:
            self._lose()
            return 0

    # Ending

    def _judge(self) -> None:
        """Bound the time that the peer has for output that is left."""
        outbox = self._outbox
        if self._state == stage.OPEN and self.connection.closed:
            self._state = stage.CLOSING
            self._allow(CLOSING_TIMEOUT_S)
        elif self._state == stage.OPEN and (outbox is None or outbox.size <= OUTPUT_LIMIT_BYTES):
            self._allow(NEVER)
        elif self._state == stage.OPEN and outbox is not None and outbox.progress:
            outbox.progress = False
            self._allow(PROGRESS_TIMEOUT_S)

    def _allow(self, seconds: float) -> None:
        patience = self._patience
        if patience is None:
            if seconds == NEVER:
                return
            patience = self._patience = Patience(self, self._wiring.broker.timers)
        patience.allow(seconds)

    def lose_patience(self) -> None:
        """End the connection now: the peer does not take what it is sent, or does not close in its turn."""
        if self._state < stage.LINGERING:
            unsent = 0 if self._outbox is None else self._outbox.size
            self.note("connection aborted", f"the peer has left {unsent} bytes unread for too long")
        self._lose()

    def abort(self) -> None:
        """End the connection without another word."""
        if self._state < stage.LINGERING:
            self._broken = True
            self._finish()
        elif self._state == stage.LINGERING:
            self._close()

    def _finish(self) -> None:
        """Release the machine, once, and the socket as soon as the peer has closed too."""
        self._state = stage.LINGERING
        connection = self.connection
        if self._known and self._wiring.connection_log.wanted:
            self._wiring.connection_log.note(self._wiring.broker.clock.wall, "disconnected", connection.facts())
        self._count_as_known()
        self._wiring.broker.counters.connections_closed += 1
        try:
            connection.ended()
        except Exception as error:  # noqa: BLE001 - as in _receive
            self.failed(error)
        self._wiring.holding.pop(self, None)
        connection.forget_output()
        connection.deadline = NEVER
        connection.outlet = NOWHERE
        self._wiring.broker.timers.forget(connection)
        self._outbox = None
        if self._filters is None:
            said_all = self._heard_all or self._broken or connection.left
        else:  # which have a good-bye of their own
            said_all = self._heard_all or (self._broken and not self._filters.failed)
        if said_all:
            self._close()
        else:
            self._linger()

    def _linger(self) -> None:
        """Wait for the peer to close: the kernel resets a socket that is closed with bytes unread, and our last words
        would be lost with it.
        """
        try:
            if self._filters is not None:
                self._socket.send(self._filters.farewell())
            self._socket.shutdown(socket.SHUT_WR)
        except Exception:  # noqa: BLE001 - reset, or a filter that cannot even say good-bye: closing is what is left
            self._close()
            return
        self._set_mask(READ)
        self._allow(LINGER_TIMEOUT_S)

    def _close(self) -> None:
        if self._state == stage.GONE:
            return
        self._state = stage.GONE
        wiring = self._wiring
        del wiring.links[self._fd]
        self._socket.close()  # which the poller need not be told: the kernel watches no socket that is closed
        if self._patience is not None:
            self._patience.end()
            self._patience = None
