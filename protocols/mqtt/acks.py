"""Answers that are collected and written once a batch: PUBACK, PUBREC, PUBREL, PUBCOMP.

One write for all answers of a chunk, in the order in which they became due [MQTT-4.6.0-2], [MQTT-4.6.0-3].
"""

from protocols.connection import Connection


class Acks:
    """The answers of one connection that are not written yet."""

    def __init__(self, connection: Connection) -> None:
        self._connection: Connection | None = connection
        self._frames: list[bytes] = []

    def add(self, frame: bytes) -> None:
        """Answer with `frame` at the end of the batch at the latest."""
        connection = self._connection
        if connection is None:
            return
        if not self._frames:
            connection.wake()
        self._frames.append(frame)

    def flush(self) -> None:
        """Write what is collected; to be called before any other answer, so that answers keep their order."""
        frames = self._frames
        connection = self._connection
        if frames and connection is not None:
            data = frames[0] if len(frames) == 1 else b"".join(frames)
            connection.traffic.answered(len(data), len(frames))
            connection.write(data)
            frames.clear()

    def end(self) -> None:
        """Answer nothing more: the connection has ended. It is let go, so that it is freed without the collector.

        Ten thousand connections in a cycle with this would cost a pause of tens of milliseconds.
        """
        self._connection = None
        self._frames.clear()
