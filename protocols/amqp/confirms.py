"""Publisher confirms of one channel: collected while a batch is handled, said once at its end (RabbitMQ "Confirms").

What is confirmed without a gap is said by one basic.ack with `multiple`. A message that is confirmed before an older one
is said by itself. Refusals are said first and one by one, so that an ack with `multiple` never covers one of them.
"""

from protocols.amqp import replies


class Confirms:
    """The fate of the channel's publishes, numbered from 1 since confirm.select."""

    def __init__(self) -> None:
        self.last_tag = 0  # of the publish that came in last
        self._settled_through = 0  # the fate of all tags up to here is known
        self._accepted_through = 0  # the highest of them that was not refused
        self._unsaid = 0  # acceptances among them that were not said yet
        self._refused: list[int] = []  # refusals not said yet
        self._apart: dict[int, bool] = {}  # fates known beyond a gap
        self._apart_unsaid: list[int] = []

    def settle(self, tag: int, *, accepted: bool) -> None:
        """Learn the fate of one publish."""
        if not accepted:
            self._refused.append(tag)
        if tag != self._settled_through + 1:
            self._apart[tag] = accepted
            if accepted:
                self._apart_unsaid.append(tag)
            return
        self._pass(tag, accepted)
        if self._apart:
            while self._settled_through + 1 in self._apart:
                tag = self._settled_through + 1
                self._pass(tag, self._apart.pop(tag))

    def _pass(self, tag: int, accepted: bool) -> None:
        self._settled_through = tag
        if accepted:
            self._accepted_through = tag
            self._unsaid += 1

    def take(self) -> list[bytes]:
        """Return the payloads of all that is to be said now."""
        said = [replies.nack(tag) for tag in self._refused]
        self._refused = []
        if self._unsaid:
            said.append(replies.ack(self._accepted_through, multiple=self._unsaid > 1))
            self._unsaid = 0
        if self._apart_unsaid:
            for tag in self._apart_unsaid:
                if tag > self._accepted_through:
                    said.append(replies.ack(tag, multiple=False))
            self._apart_unsaid = []
        return said
