"""Retained messages: the last message of each topic, kept for whoever subscribes later [MQTT-3.3.1-5].

Filed in a tree of topic levels, so that a subscription with wildcards visits only the levels that it selects.
"""

from collections.abc import Callable
from typing import Final

from core.model.errors import Limit
from core.model.message import Message
from core.queueing.usage import Usage
from core.routing.pattern import MANY, ONE, Pattern, words_of

RETAINED_LIMIT: Final = 100_000  # messages in one virtual host
EVERY_STEP: Final = 1 << 60
LEVEL_COST_BYTES: Final = 400  # of memory, for one level of a topic, which no other topic need share


class Level:
    """The retained message of one topic, and the topics below it."""

    def __init__(self) -> None:
        self.message: Message | None = None
        self.below: dict[str, Level] = {}


class RetainedMessages:
    """The retained messages of one virtual host. They may take as much memory as the broker has for messages."""

    def __init__(self, usage: Usage) -> None:
        self._usage = usage
        self._root = Level()
        self.expired: Callable[[str], None] | None = None  # called with a topic whose message is cleared by its expiry
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
        if size > self._usage.limit_bytes or (replaced is None and self.count >= RETAINED_LIMIT):
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

    def expire(self, key: str) -> None:
        """Forget the retained message of one topic, whose time is over."""
        self.clear(key)
        if self.expired is not None:
            self.expired(key)

    def walk(self, pattern: Pattern, now: float) -> "Walk":
        """Look for the retained messages whose topic matches; those that have expired by `now` (monotonic) are cleared."""
        return Walk(self, self._root, pattern, now)

    def matching(self, pattern: Pattern, now: float) -> list[Message]:
        """Return what a whole walk finds."""
        return self.walk(pattern, now).go_on(EVERY_STEP)


class Walk:
    """A search that can be made in parts: topics in the order of their first message, each before those below it.

    It may miss what is retained and find what is replaced meanwhile. A closing MANY takes whole branches, in which
    nothing need be compared any more.
    """

    def __init__(self, retained: RetainedMessages, root: Level, pattern: Pattern, now: float) -> None:
        self.steps = 0  # levels visited so far
        self._retained = retained
        self._root = root
        self._tokens = pattern.tokens
        self._closing = -1  # the position of a closing MANY
        self._hides_dollar = pattern.hides_dollar
        self._now = now
        self._seen: set[tuple[int, int]] | None = None  # once another MANY opens more than one way to a level
        last = len(pattern.tokens) - 1
        for position, token in enumerate(pattern.tokens):
            if token.kind == MANY and position == last:
                self._closing = last
            elif token.kind == MANY:
                self._seen = set()
        self._pending: list[tuple[Level, int]] = [(root, 0)]
        self._taken: list[Level] = []  # with all that is below them; visited before what is pending

    @property
    def finished(self) -> bool:
        """Whether there is nothing more to visit."""
        return not self._pending and not self._taken

    def go_on(self, steps: int) -> list[Message]:
        """Visit so many more levels, and return what was found there."""
        found: list[Message] = []
        expired: list[Message] = []
        pending = self._pending
        taken = self._taken
        seen = self._seen
        last = self.steps + steps
        while (taken or pending) and self.steps < last:
            self.steps += 1
            if taken:
                level = taken.pop()
                if level.below:
                    self._take_below(level)
            else:
                level, position = pending.pop()
                if seen is not None:
                    mark = (id(level), position)
                    if mark in seen:
                        continue
                    seen.add(mark)
                if position == self._closing and seen is None:
                    self._take_below(level)
                elif position < len(self._tokens):
                    self._descend(level, position)
                    continue
            message = level.message
            if message is not None:
                if 0.0 < message.expires_at <= self._now:
                    expired.append(message)
                else:
                    found.append(message)
        for message in expired:
            self._retained.expire(message.address.key)
        return found

    def _take_below(self, level: Level) -> None:
        if self._hides_dollar and level is self._root:
            visible = [below for word, below in level.below.items() if not word.startswith("$")]
            visible.reverse()  # what is added last is visited first
            self._taken.extend(visible)
        else:
            self._taken.extend(reversed(level.below.values()))

    def _descend(self, level: Level, position: int) -> None:
        pending = self._pending
        token = self._tokens[position]
        hidden = self._hides_dollar and level is self._root
        if token.kind in {ONE, MANY}:
            after = position if token.kind == MANY else position + 1
            below_it = reversed(level.below.items())  # what is added last is visited first
            pending.extend([(b, after) for word, b in below_it if not (hidden and word.startswith("$"))])
            if token.kind == MANY:
                pending.append((level, position + 1))
        else:
            below = level.below.get(token.text)
            if below is not None and not (hidden and token.text.startswith("$")):
                pending.append((below, position + 1))


def _size(message: Message) -> int:
    key = message.address.key
    return message.size_bytes + len(key) + LEVEL_COST_BYTES * (key.count(".") + 1)
