"""The application that the tests and their workers share. A worker finds its settings in the environment.

Nothing that Celery does by default is switched off: events, gossip, mingle, remote control and publisher confirms of
the transport all meet the broker.
"""

import os
import signal
import time
from pathlib import Path
from typing import Any, Final

from celery import Celery, Task, chain, chord, current_app, shared_task

SETTINGS: Final = ("INTEROP_BROKER", "INTEROP_BACKEND", "INTEROP_QUEUE", "INTEROP_QUEUE_TYPE")
POLL_S: Final = 0.01


def make_app(broker: str, backend: str, queue: str, queue_type: str = "classic") -> Celery:
    """Return the application with one queue of that name; a classic one has priorities."""
    app = Celery("interop", broker=broker, backend=backend, set_as_current=False)
    app.conf.update(
        task_default_queue=queue,
        task_default_exchange=queue,
        task_default_routing_key=queue,
        task_acks_late=True,
        task_reject_on_worker_lost=True,
        task_track_started=True,
        worker_prefetch_multiplier=1,
        worker_send_task_events=True,
        task_send_sent_event=True,
        result_extended=True,
        result_chord_retry_interval=0.05,
        broker_connection_retry_on_startup=True,
        broker_transport_options={"confirm_publish": True},
    )
    if queue_type == "quorum":
        app.conf.update(task_default_queue_type="quorum", task_default_exchange_type="topic")
    else:
        app.conf.update(task_queue_max_priority=10, task_default_priority=3)
    return app


def add(x: int, y: int) -> int:
    return x + y


def total(numbers: list[int]) -> int:
    return sum(numbers)


def fail(text: str) -> None:
    raise ValueError(text)


def flaky(self: "Task[Any, Any]", failures: int) -> int:
    """Fail so many times, each with a retry, and return how often it was tried again."""
    if self.request.retries < failures:
        raise self.retry(countdown=0.05)
    return int(self.request.retries)


def moment() -> float:
    return time.time()


def note(path: str, line: str) -> None:
    """Write one line at the end of a file."""
    with Path(path).open("a") as notes:
        notes.write(f"{line}\n")


def keep(value: int, path: str) -> None:
    """Write a value to a file that appears whole."""
    unfinished = Path(f"{path}.new")
    unfinished.write_text(str(value))
    unfinished.rename(path)


def spread(numbers: list[int], path: str) -> None:
    """Start a chord from inside the worker, whose sum is kept in a file."""
    parts = [running("add").s(number, number) for number in numbers]
    chord(parts)(chain(running("total").s(), running("keep").s(path)))


def running(name: str) -> Any:
    """Return a task of the application that runs."""
    return current_app.tasks[f"interop.{name}"]


def hold(path: str) -> None:
    """Be busy until the file exists."""
    while not Path(path).exists():
        time.sleep(POLL_S)


def die(self: "Task[Any, Any]") -> bool:
    """Kill the process at the first delivery; return that this is another."""
    redelivered = bool(self.request.delivery_info["redelivered"])
    if not redelivered:
        os.kill(os.getpid(), signal.SIGKILL)
    return redelivered


for work in (add, total, fail, moment, note, keep, spread, hold):
    shared_task(name=f"interop.{work.__name__}")(work)
shared_task(name="interop.flaky", bind=True, max_retries=5)(flaky)
shared_task(name="interop.die", bind=True)(die)

if SETTINGS[0] in os.environ:
    app = make_app(*(os.environ[name] for name in SETTINGS))
