"""The broker as a process: everything is built and opened here, runs until a signal, and is taken down in order."""

import gc
import resource
import secrets
import signal
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Final

import structlog
import trio

from core.access import User
from core.broker import Broker
from core.counters import Counters
from core.queueing.offline import OfflineLimits
from core.recovery import mark_seen
from core.routing.selector.parser import prepare_parser
from core.store.errors import StoreError
from gateway import forwarding
from gateway.accounts import Accounts
from gateway.busy_poll import BusyPoll
from gateway.committer import Committer
from gateway.config import Config
from gateway.connection_log import ConnectionLog
from gateway.control import ControlDoor
from gateway.control_requests import Requests
from gateway.door import Door, Listening
from gateway.durability import NATIVES, open_store, start_committer
from gateway.hashers import Hashers
from gateway.headroom import Headroom, free_bytes_of
from gateway.listeners import open_doors
from gateway.loop import Loop
from gateway.memory import resident_bytes
from gateway.patterns import compile_pattern
from gateway.poller import open_poller
from gateway.processors import can_spare_a_core
from gateway.reactor import Reactor
from gateway.users import Users
from gateway.version import VERSION
from protocols.mqtt.status import Status

BUSY_POLL_US: Final = 300  # a little more than the time between two messages at 5,000 a second
DRAIN_S: Final = 3.0  # from the first signal until the connections that are left are cut
RESERVED_DESCRIPTORS: Final = 64  # for everything but clients
UNIQUE_BYTES: Final = 16  # of randomness in generated names

STOPPED: Final = 0
CUT_SHORT: Final = 1  # a second signal came while clients were told
STORE_FAILED: Final = 3  # the disk could not be written: what was not confirmed is lost

# Young objects of a batch die with it. Looking for cycles among them 100 times less often than by default is worth
# looking at more of them each time.
GC_THRESHOLDS: Final = (50_000, 20, 20)

log = structlog.get_logger("dragoman.server")


async def serve(
    config: Config,
    started: Callable[[Sequence[Listening], int], None],
    connection_log: ConnectionLog | None = None,
    file: Path | None = None,
) -> int:
    """Run a broker until SIGINT or SIGTERM and return its exit code; a second signal does not wait for clients.

    `started` is called once everything listens, with how many users the store has; `connection_log` takes the lines of the log
    about every connection; `file` is where the configuration is from.
    ListenError when a listener cannot be opened.
    """
    accounts = Accounts(config)
    broker = build_broker(config, accounts)
    store = open_store(config, broker)
    forwarding.install(config, broker)
    poller = open_poller()
    hashers = Hashers(accounts, broker.timers)
    reactor = Reactor(broker, poller, hashers.logins)
    if connection_log is not None:
        reactor.wiring.connection_log = connection_log
    reactor.busy_poll = BusyPoll(busy_poll_us(config) / 1_000_000)
    loop = Loop(reactor, poller)
    users = Users(broker, accounts, config, str(file or "the configuration"), partial(_tell_clients, reactor))
    users.begin()
    control: ControlDoor | None = None
    doors: list[Door] = []
    thresholds = gc.get_threshold()
    code = STOPPED
    committer: Committer | None = None
    store_failed = trio.Event()
    if store is not None:
        committer = start_committer(store, broker, reactor, store_failed.set)
    try:
        # Signals first: whoever sees that something listens may rely on a signal to end it in order.
        with trio.open_signal_receiver(signal.SIGINT, signal.SIGTERM) as signals:
            doors = open_doors(config, reactor, connections_limit(config))
            if config.store.directory is not None:
                control = ControlDoor(reactor, config.store.directory, Requests(broker, users))
                control.open()
            if config.store.directory is not None and config.store.free_bytes:
                Headroom(broker, config.store.free_bytes, partial(free_bytes_of, config.store.directory)).start()
            if config.mqtt.sys_interval_s:
                Status(broker, config.mqtt.sys_interval_s, resident_bytes).start()
            _quiet_the_collector()
            started([door.listening for door in doors], broker.principals.count)
            async with trio.open_nursery() as nursery:
                hashers.start(nursery, loop)
                nursery.start_soon(trio.to_thread.run_sync, prepare_parser)  # or the first selector would be a stall
                nursery.start_soon(_run_to_the_end, loop, nursery.cancel_scope)
                await _reason_to_stop(signals, store_failed)
                _stop_accepting(doors, control)
                reactor.shut_down()
                loop.drain()
                with trio.move_on_after(DRAIN_S):
                    await _next_signal(signals)
                    code = CUT_SHORT
                nursery.cancel_scope.cancel()
        reactor.close()
        if committer is not None:
            mark_seen(broker)
            code = _close_store(committer, code)
        log.info("stopped", **totals(broker.counters))
    finally:
        _stop_accepting(doors, control)
        reactor.close()
        gc.set_threshold(*thresholds)
        gc.unfreeze()
    return code


def build_broker(config: Config, accounts: Accounts) -> Broker:
    """Return a broker with the virtual hosts, users, limits and rules of the configuration."""
    broker = Broker(
        lambda: secrets.token_urlsafe(UNIQUE_BYTES),
        version=VERSION,
        memory_limit_bytes=config.limits.memory_bytes,
        message_limit_bytes=config.limits.message_bytes,
        session_expiry_limit_s=config.limits.session_expiry_s,
        keep_alive_limit_s=config.limits.keep_alive_s,
        natives=NATIVES,
        offline=OfflineLimits(
            config.mqtt.max_queued_messages, config.mqtt.max_queued_bytes, qos0=config.mqtt.queue_qos0_messages
        ),
        compile_pattern=compile_pattern,
    )
    broker.clock.now = trio.current_time()
    broker.clock.wall = time.time()
    broker.users = accounts.users
    for name in config.vhosts:
        if name not in broker.vhosts:
            broker.add_vhost(name)
    return broker


def connections_limit(config: Config) -> int:
    """Return how many clients can be connected: what is configured, or less where the system gives fewer descriptors."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != hard:
        with suppress(ValueError, OSError):  # macOS has a lower bound of its own
            resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
            soft = hard
    possible = soft - RESERVED_DESCRIPTORS if soft != resource.RLIM_INFINITY else config.limits.connections
    if possible < config.limits.connections and "connections" in config.limits.model_fields_set:
        log.warning("fewer connections than configured", possible=possible, configured=config.limits.connections)
    return max(1, min(config.limits.connections, possible))


def busy_poll_us(config: Config) -> int:
    """Return for how long to look for the next message before sleeping, in microseconds: the default only where it costs nobody."""
    asked = config.latency.busy_poll_us
    if asked is not None:
        return asked
    return BUSY_POLL_US if can_spare_a_core() else 0


def totals(counters: Counters) -> dict[str, int | dict[str, int]]:
    """Return what the broker has done since its start, without what never happened."""
    found: dict[str, int | dict[str, int]] = {
        "published": counters.published,
        "delivered": counters.delivered,
        "unroutable": counters.unroutable,
        "dropped": counters.dropped,
        "lost_properties": counters.lost,
        "internal_errors": counters.internal_errors,
    }
    return {name: count for name, count in found.items() if count}


def _close_store(committer: Committer, code: int) -> int:
    try:
        committer.close()
    except StoreError as error:
        log.critical("the store could not be closed in order", error=str(error))
        return STORE_FAILED
    return code


async def _run_to_the_end(loop: Loop, everything: trio.CancelScope) -> None:
    await loop.run()
    everything.cancel()


async def _reason_to_stop(signals: AsyncIterator[int], store_failed: trio.Event) -> None:
    async with trio.open_nursery() as nursery:

        async def watch_the_store() -> None:
            await store_failed.wait()
            nursery.cancel_scope.cancel()

        nursery.start_soon(watch_the_store)
        await _next_signal(signals)
        nursery.cancel_scope.cancel()


async def _next_signal(signals: AsyncIterator[int]) -> None:
    number = await anext(signals)
    log.info("stopping", signal=signal.Signals(number).name)


def _stop_accepting(doors: list[Door], control: ControlDoor | None) -> None:
    for door in doors:
        door.close()
    if control is not None:
        control.close()


def _tell_clients(reactor: Reactor, user: User, reason: str) -> None:
    for link in list(reactor.wiring.links.values()):
        link.hear_permissions(user, reason)


def _quiet_the_collector() -> None:
    gc.collect()
    gc.freeze()  # what is there now stays there: it need not be looked at again
    gc.set_threshold(*GC_THRESHOLDS)
