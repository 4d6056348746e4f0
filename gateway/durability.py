"""Opening the store: what it holds becomes the broker's, and the thread that writes begins."""

import time
from collections.abc import Callable
from typing import Final

import structlog

from core.broker import Broker
from core.model.properties import NATIVE_AMQP, NATIVE_MQTT5, NATIVE_STOMP
from core.recovery import Recovered, recover
from core.store.formats import FORMAT
from core.store.interface import Store
from core.store.natives import Restore
from core.store.sqlite import SqliteStore
from gateway.committer import Committer
from gateway.config import Config
from gateway.reactor import Reactor
from protocols.amqp.properties import restore as restore_amqp
from protocols.mqtt.session import restore_session
from protocols.mqtt.translate5 import restore as restore_mqtt5
from protocols.stomp.translate import restore as restore_stomp

NATIVES: Final[dict[int, Restore]] = {
    NATIVE_AMQP: restore_amqp,
    NATIVE_STOMP: restore_stomp,
    NATIVE_MQTT5: restore_mqtt5,
}
DAMAGE_LINES: Final = 100  # of the log, at one start
STRAYS_NAMED: Final = 100  # in one of those lines

log = structlog.get_logger("dragoman.store")


def open_store(config: Config, broker: Broker) -> Store | None:
    """Fill the broker from the store that is configured; None without one. StoreError when that cannot be done."""
    directory = config.store.directory
    if directory is None:
        return None
    broker.surroundings.windows.window_bytes = config.store.window_bytes
    store = SqliteStore(directory, clock=time.monotonic)
    if store.found_format != FORMAT:
        log.info("store migrated", directory=str(directory), found=store.found_format, now=FORMAT)
    _report(recover(broker, store, restore_session), str(directory))
    return store


def _report(found: Recovered, directory: str) -> None:
    for sentence in found.damage[:DAMAGE_LINES]:
        log.error("damage in the store", what=sentence)
    if len(found.damage) > DAMAGE_LINES:
        log.error("more damage in the store", more=len(found.damage) - DAMAGE_LINES)
    if found.quarantined:
        log.warning("records are in quarantine, set aside by earlier starts", records=found.quarantined)
    if found.strays:
        log.warning(
            "entries of queues that are not defined stay in the store",
            queues=len(found.strays),
            numbers=found.strays[:STRAYS_NAMED],
        )
    log.info(
        "store opened",
        directory=directory,
        stopped="in order" if found.clean else "not in order: messages may have been delivered before",
        messages=found.entries,
        **{_plural(kind).replace(" ", "_"): count for kind, count in found.definitions.items()},
    )


def _plural(kind: str) -> str:
    return f"{kind[:-1]}ies" if kind.endswith("y") else f"{kind}s"


def start_committer(store: Store, broker: Broker, reactor: Reactor, failed: Callable[[], None]) -> Committer:
    """Begin to write what the broker tells its journal."""
    committer = Committer(store, broker.surroundings.journal, reactor, failed)
    committer.start()
    return committer
