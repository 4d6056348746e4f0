"""Answers that are collected and written once a batch: PUBACK, PUBREC, PUBREL, PUBCOMP.

One write for all answers of a chunk, in the order in which they became due [MQTT-4.6.0-2], [MQTT-4.6.0-3].
"""

from protocols.connection import Connection


class Acks:
    """The answers of one connection that are not written yet."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._frames: list[bytes] = []

    def add(self, frame: bytes) -> None:
        """Answer with `frame` at the end of the batch at the latest."""
        if not self._frames:
            self._connection.wake()
        self._frames.append(frame)

    def flush(self) -> None:
        """Write what is collected; to be called before any other answer, so that answers keep their order."""
        frames = self._frames
        if frames:
            self._connection.write(frames[0] if len(frames) == 1 else b"".join(frames))
            frames.clear()
