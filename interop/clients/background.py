"""One asyncio loop on a thread of its own, for the clients that want one."""

import asyncio
import threading
from collections.abc import Coroutine
from typing import Any, Final, TypeVar

from interop.clients.driver import ANSWER_LIMIT_S

T = TypeVar("T")

_loop: Final = asyncio.new_event_loop()
threading.Thread(target=_loop.run_forever, name="asyncio clients", daemon=True).start()


def on_loop(work: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine to its end on the loop's thread; TimeoutError when it takes longer than a client may."""
    future = asyncio.run_coroutine_threadsafe(work, _loop)
    try:
        return future.result(ANSWER_LIMIT_S)
    except TimeoutError:
        future.cancel()
        raise
