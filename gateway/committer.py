"""The thread that writes: one batch at a time, while the broker collects the next one (group commit).

The reactor hands over a batch at the end of a turn and learns through a socket, as of everything else, that it is on stable
storage. A full disk is tried again; after any other failure nothing is written and nothing confirmed any more.
"""

import queue
import socket
import threading
from collections.abc import Callable
from typing import Final

import structlog

from core.store.batch import Batch
from core.store.errors import StoreError, StoreFull
from core.store.interface import Store
from core.store.journal import Journal
from gateway.reactor import Acceptor, Reactor
from gateway.wiring import TurnEnd

IDLE_S: Final = 0.05  # without a batch, after which the store gives some space back
PAUSE_S: Final = 0.001  # from one step of that to the next
RETRY_S: Final = 1.0  # between attempts to write to a full disk

log = structlog.get_logger("dragoman.store")


class Bell(Acceptor):
    """The end of the socket that the thread which writes rings at."""

    def __init__(self, committer: "Committer") -> None:
        self._committer = committer
        self.sock, self._rope = socket.socketpair()
        self.sock.setblocking(False)

    def ring(self) -> None:
        """Have the reactor look for results. Called by the thread that writes."""
        self._rope.send(b"!")

    def ready(self) -> None:
        self.sock.recv(1_024)
        self._committer.hear()

    def close(self) -> None:
        """Release both ends."""
        self.sock.close()
        self._rope.close()


class Committer(TurnEnd):
    """Commits what a journal collects. `failed` is called once, in the reactor's thread, when the store is of no more use."""

    def __init__(
        self,
        store: Store,
        journal: Journal,
        reactor: Reactor,
        failed: Callable[[], None],
        retry_s: float = RETRY_S,
    ) -> None:
        self._retry_s = retry_s
        self.failure: StoreError | None = None
        self._store = store
        self._journal = journal
        self._reactor = reactor
        self._failed = failed
        self._orders: queue.SimpleQueue[Batch | None] = queue.SimpleQueue()
        self._results: queue.SimpleQueue[Batch | StoreError] = queue.SimpleQueue()
        self._ending = threading.Event()
        self._busy = False
        self._untidy = True  # whether the store may have space to give back, also of before; the other thread's
        self._bell = Bell(self)
        self._thread = threading.Thread(target=self._write, name="store", daemon=True)

    def start(self) -> None:
        """Begin to write."""
        self._reactor.adopt(self._bell, self._bell.sock.fileno())
        self._reactor.wiring.turn_end = self
        self._thread.start()

    # In the reactor's thread

    def turn_ended(self) -> None:
        journal = self._journal
        journal.end_turn()
        windows = self._reactor.broker.surroundings.windows
        windows.turn_ended()
        if windows.damage:
            for sentence in windows.told():
                log.error("trouble in the store", what=sentence)
        while self.wants_another() and not journal.wait_for_settlements():
            batch = journal.seal()
            if batch is not None:
                self._busy = True
                self._orders.put(batch)
            else:
                self._reactor.release_output()

    def wants_another(self) -> bool:
        return not (self._busy or self._journal.idle or self.failure is not None)

    def is_writing(self) -> bool:
        return self._busy

    def hear(self) -> None:
        """Take note of what the other thread has to say."""
        while not self._results.empty():
            self._learn(self._results.get())

    def _learn(self, result: Batch | StoreError) -> None:
        broker = self._reactor.broker
        if isinstance(result, Batch):
            self._busy = False
            self._journal.committed = result.number
            broker.counters.commits += 1
            broker.counters.committed_messages += sum([len(run.records) for run in result.runs])
            self._reactor.release_output()
            if broker.low_on_disk:
                broker.low_on_disk = False
                log.info("the disk has room again")
        elif isinstance(result, StoreFull):
            broker.low_on_disk = True
            log.error("the disk is full: publishers must wait", error=str(result))
        else:
            self.failure = result
            log.critical("the store has failed: nothing is confirmed any more", error=str(result))
            self._failed()

    def close(self) -> None:
        """Write what is left and close the store. Nobody is connected any more. StoreError when not all could be written."""
        self._reactor.wiring.turn_end = None
        self._reactor.release(self._bell.sock.fileno())
        self._ending.set()
        self._orders.put(None)
        if self._thread.is_alive():
            self._thread.join()
        while not self._results.empty():
            result = self._results.get()
            if isinstance(result, StoreError):
                self.failure = result
        self._bell.close()
        if self.failure is not None:
            raise self.failure
        self._journal.end_turn()
        while not self._journal.idle:
            batch = self._journal.seal()
            if batch is not None:
                self._store.commit(batch)
        self._store.close()

    # In the thread that writes

    def _write(self) -> None:
        while (batch := self._next_order()) is not None:
            result = self._commit(batch)
            self._untidy = True
            self._tell(result)
            if isinstance(result, StoreError):
                return

    def _next_order(self) -> Batch | None:
        """Wait for a batch, or for the end; have the store give space back meanwhile, if it may have any."""
        pause_s = IDLE_S
        while self._untidy:
            try:
                return self._orders.get(timeout=pause_s)
            except queue.Empty:
                pause_s = PAUSE_S
            failure = self._tidy()
            if failure is not None:
                self._tell(failure)
                return None
        return self._orders.get()

    def _tidy(self) -> StoreError | None:
        try:
            self._untidy = self._store.tidy()
        except StoreError as failure:
            return failure
        except Exception as error:  # noqa: BLE001 - who waits for a commit must hear of it
            return _bug(error)
        return None

    def _commit(self, batch: Batch) -> Batch | StoreError:
        told = False
        while True:
            try:
                self._store.commit(batch)
            except StoreFull as full:
                if not told:
                    told = True
                    self._tell(full)
                if self._ending.wait(self._retry_s):
                    return StoreError(str(full))
            except StoreError as failure:
                return failure
            except Exception as error:  # noqa: BLE001 - who waits for a commit must hear of it
                return _bug(error)
            else:
                return batch

    def _tell(self, result: Batch | StoreError) -> None:
        self._results.put(result)
        self._bell.ring()


def _bug(error: Exception) -> StoreError:
    """Write down a bug of ours, which ends the store like a failure of the disk: nobody knows what it has done."""
    log.error("internal error in the store", exc_info=error)
    return StoreError(f"internal error: {error!r}")
