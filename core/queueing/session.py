"""The registry of sessions: state of a client that may outlive its connection (MQTT 3.1.1 §3.1.2.4)."""

from mypy_extensions import mypyc_attr

from core.timers import Timed


@mypyc_attr(allow_interpreted_subclasses=True)
class Session(Timed):
    """What the virtual host knows of a session. The protocol's subclass holds its subscriptions and queue.

    `deadline` is the session's expiry while nobody is connected to it.
    """

    def __init__(self, client_id: str, user: str) -> None:
        super().__init__()
        self.client_id = client_id
        self.user = user

    def end(self) -> None:
        """Drop all state: subscriptions are unbound and queued messages are lost."""
        raise AssertionError("a session ends in its protocol")
