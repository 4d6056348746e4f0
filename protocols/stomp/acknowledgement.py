"""Which messages a client has not acknowledged yet, and what an ACK or NACK settles (STOMP 1.2 "ACK", "NACK").

A message's id is `T_<subscription>@@<session>@@<number>`. Messages of a subscription are numbered from 1, so with
cumulative acknowledgement a number stands for all before it.
"""

from typing import Final

from core.queueing.entry import Entry
from protocols.stomp.errors import PeerError

AUTO: Final = 0  # settled by delivering
CLIENT: Final = 1  # an ACK covers everything before it
INDIVIDUAL: Final = 2  # an ACK covers one message

MODES: Final[dict[str, int]] = {"auto": AUTO, "client": CLIENT, "client-individual": INDIVIDUAL}
NUMBER_DIGITS: Final = 18


class Unsettled:
    """The entries that one subscription has lent to its client, by number."""

    def __init__(self, *, cumulative: bool) -> None:
        self._cumulative = cumulative
        self._entries: dict[int, Entry] = {}
        self._oldest = 1  # no number below it is held

    def add(self, number: int, entry: Entry) -> None:
        """Hold an entry under the next number."""
        self._entries[number] = entry

    def take(self, number: int) -> list[tuple[int, Entry]] | None:
        """Give out what an acknowledgement of `number` covers, oldest first; None when that number is not held."""
        entries = self._entries
        entry = entries.pop(number, None)
        if entry is None:
            return None
        if not self._cumulative:
            return [(number, entry)]
        taken: list[tuple[int, Entry]] = []
        oldest = self._oldest
        if number - oldest > 2 * len(entries) + 64:
            # An aborted transaction has brought back old numbers: do not walk through the gap behind them.
            for earlier in sorted([held for held in entries if held < number]):
                taken.append((earlier, entries.pop(earlier)))
        else:
            while oldest < number:
                earlier_entry = entries.pop(oldest, None)
                if earlier_entry is not None:
                    taken.append((oldest, earlier_entry))
                oldest += 1
        taken.append((number, entry))
        self._oldest = number + 1
        return taken

    def put_back(self, numbered: list[tuple[int, Entry]]) -> None:
        """Hold again what an aborted transaction would have settled."""
        for number, entry in numbered:
            self._entries[number] = entry
            if number < self._oldest:
                self._oldest = number

    def clear(self) -> list[Entry]:
        """Give out everything, oldest first."""
        entries = [self._entries[number] for number in sorted(self._entries)]
        self._entries.clear()
        return entries


def split_id(message_id: bytes) -> tuple[bytes, int]:
    """Return the name of the subscription's writer and the number, or raise PeerError."""
    at = message_id.rfind(b"@@") + 2
    digits = message_id[at:]
    if at < 2 or not digits.isdigit() or len(digits) > NUMBER_DIGITS:
        raise unknown_message(message_id)
    return message_id[:at], int(digits)


def unknown_message(message_id: bytes) -> PeerError:
    """Return the error for an id that names no message that can be acknowledged now."""
    return PeerError("Invalid header", f"no message '{message_id.decode(errors='replace')}' waits to be acknowledged")
