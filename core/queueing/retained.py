"""Retained messages: the last message of each topic, kept for whoever subscribes later [MQTT-3.3.1-5].

Filed in a tree of topic levels, so that a subscription with wildcards visits only the levels that it selects.
"""

from collections.abc import Iterator
from typing import Final

from core.model.errors import Limit
from core.model.message import Message
from core.routing.pattern import MANY, ONE, Pattern, words_of

RETAINED_LIMIT: Final = 100_000  # messages in one virtual host
RETAINED_LIMIT_BYTES: Final = 1 << 30  # bytes of bodies and topics in one virtual host


class Level:
    """The retained message of one topic, and the topics below it."""

    def __init__(self) -> None:
        self.message: Message | None = None
        self.below: dict[str, Level] = {}


class RetainedMessages:
    """The retained messages of one virtual host."""

    def __init__(self) -> None:
        self._root = Level()
        self.count = 0
        self.bytes = 0

    def keep(self, message: Message) -> None:
        """Keep `message` in place of what its topic had; an empty body clears the topic [MQTT-3.3.1-10]."""
        key = message.address.key
        if not message.body:
            self.clear(key)
            return
        replaced = self.get(key)
        size = self.bytes + _size(message) - (_size(replaced) if replaced is not None else 0)
        if size > RETAINED_LIMIT_BYTES or (replaced is None and self.count >= RETAINED_LIMIT):
            raise Limit(
                f"no room to retain a message for topic '{key}': {self.count} messages, {self.bytes} bytes kept"
            )
        level = self._root
        for word in words_of(key):
            below = level.below.get(word)
            if below is None:
                below = level.below[word] = Level()
            level = below
        level.message = message
        self.bytes = size
        if replaced is None:
            self.count += 1

    def get(self, key: str) -> Message | None:
        """Return the retained message of one topic."""
        level: Level | None = self._root
        for word in words_of(key):
            if level is None:
                return None
            level = level.below.get(word)
        return level.message if level is not None else None

    def clear(self, key: str) -> None:
        """Forget the retained message of one topic, if there is one."""
        words = words_of(key)
        path = [self._root]
        for word in words:
            below = path[-1].below.get(word)
            if below is None:
                return
            path.append(below)
        message = path[-1].message
        if message is None:
            return
        path[-1].message = None
        self.count -= 1
        self.bytes -= _size(message)
        for depth in range(len(words) - 1, -1, -1):
            if path[depth + 1].message is not None or path[depth + 1].below:
                break
            del path[depth].below[words[depth]]

    def matching(self, pattern: Pattern, now: float) -> list[Message]:
        """Return the retained messages whose topic matches; those that have expired by `now` (monotonic) are cleared."""
        found: list[Message] = []
        expired: list[Message] = []
        for message in self._select(pattern):
            (expired if 0.0 < message.expires_at <= now else found).append(message)
        for message in expired:
            self.clear(message.address.key)
        return found

    def _select(self, pattern: Pattern) -> Iterator[Message]:
        tokens = pattern.tokens
        seen: set[tuple[int, int]] = set()
        pending: list[tuple[Level, int]] = [(self._root, 0)]
        while pending:
            level, position = pending.pop()
            mark = (id(level), position)
            if mark in seen:
                continue
            seen.add(mark)
            if position == len(tokens):
                if level.message is not None:
                    yield level.message
                continue
            token = tokens[position]
            hidden = pattern.hides_dollar and level is self._root
            if token.kind == MANY:
                pending.append((level, position + 1))
            if token.kind in {ONE, MANY}:
                after = position if token.kind == MANY else position + 1
                pending.extend([(b, after) for word, b in level.below.items() if not (hidden and word.startswith("$"))])
            else:
                below = level.below.get(token.text)
                if below is not None and not (hidden and token.text.startswith("$")):
                    pending.append((below, position + 1))


def _size(message: Message) -> int:
    return len(message.body) + len(message.address.key)
