"""Publisher confirms of one channel: collected while a batch is handled, said once at its end (RabbitMQ "Confirms").

What is confirmed without a gap is said by one basic.ack with `multiple`. A message whose fate is known before that of an
older one is said by itself. A refusal ends a run: an ack with `multiple` comes before it or begins behind it, as some
clients take all that is between two acks with `multiple` as confirmed.
"""

from protocols.amqp import replies


class Confirms:
    """The fate of the channel's publishes, numbered from 1 since confirm.select."""

    def __init__(self) -> None:
        self.last_tag = 0  # of the publish that came in last
        self._settled_through = 0  # the fate of all tags up to here is known
        self._due: list[bytes] = []  # what is to be said, in the order of tags, before the run
        self._run_last = 0  # the highest tag of the run: acceptances without a refusal between them, not said yet
        self._run_count = 0
        self._apart: dict[int, bool] = {}  # fates known beyond a gap
        self._apart_unsaid: dict[int, None] = {}

    def settle(self, tag: int, *, accepted: bool) -> None:
        """Learn the fate of one publish."""
        if tag != self._settled_through + 1:
            self._apart[tag] = accepted
            self._apart_unsaid[tag] = None
            return
        self._settled_through = tag
        if accepted:
            self._run_last = tag
            self._run_count += 1
        else:
            self._end_run()
            self._due.append(replies.nack(tag))
        if self._apart:
            self._close_gap()

    def _close_gap(self) -> None:
        while self._settled_through + 1 in self._apart:
            tag = self._settled_through = self._settled_through + 1
            accepted = self._apart.pop(tag)
            unsaid = tag in self._apart_unsaid
            if unsaid:
                del self._apart_unsaid[tag]
            if not accepted:
                self._end_run()
                if unsaid:
                    self._due.append(replies.nack(tag))
            elif unsaid:
                self._run_last = tag
                self._run_count += 1

    def _end_run(self) -> None:
        if self._run_count:
            self._due.append(replies.ack(self._run_last, multiple=self._run_count > 1))
            self._run_count = 0

    def take(self) -> list[bytes]:
        """Return the payloads of all that is to be said now."""
        self._end_run()
        said = self._due
        self._due = []
        for tag in self._apart_unsaid:
            said.append(replies.ack(tag, multiple=False) if self._apart[tag] else replies.nack(tag))
        self._apart_unsaid.clear()
        return said
