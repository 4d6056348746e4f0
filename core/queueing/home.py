"""What a queue asks of the place where it is known by name: the virtual host, and the connection that owns it."""

from typing import TYPE_CHECKING

from mypy_extensions import mypyc_attr

from core.routing.composite import Publishes
from core.routing.exchange import Exchange

if TYPE_CHECKING:
    from core.queueing.queue import Queue


@mypyc_attr(allow_interpreted_subclasses=True)
class Home(Publishes):
    """The virtual host, as its queues see it."""

    def find_exchange(self, name: str) -> Exchange | None:
        """Return the exchange of that name, if there is one."""
        raise AssertionError("find_exchange is the virtual host's")

    def remove_queue(self, queue: "Queue") -> int:
        """Delete a queue with its bindings, cancel its consumers; return how many entries were ready."""
        raise AssertionError("remove_queue is the virtual host's")


@mypyc_attr(allow_interpreted_subclasses=True)
class Owner:
    """The connection that an exclusive queue belongs to."""

    def lost(self, queue: "Queue") -> None:
        """Learn that the queue is gone."""
