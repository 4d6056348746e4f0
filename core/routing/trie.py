"""One trie of topic patterns for every protocol: AMQP binding keys, MQTT filters and STOMP wildcards.

Matching visits only the branches that the topic's words select, so its cost does not grow with the patterns that do
not match. It is iterative, and visits each (node, position) at most once, so `#.#.#.#` against a long topic is
bounded by the product of both lengths and not by the number of ways to split the topic.
"""

from core.routing.pattern import MANY, WORD, Pattern, Token


class Node:
    """The patterns that share a prefix of tokens."""

    def __init__(self) -> None:
        self.words: dict[str, Node] = {}
        self.one: Node | None = None
        self.many: Node | None = None
        self.values: list[object] = []  # those whose pattern ends here

    def child(self, token: Token) -> "Node | None":
        if token.kind == WORD:
            return self.words.get(token.text)
        return self.many if token.kind == MANY else self.one

    def attach(self, token: Token) -> "Node":
        node = Node()
        if token.kind == WORD:
            self.words[token.text] = node
        elif token.kind == MANY:
            self.many = node
        else:
            self.one = node
        return node

    def detach(self, token: Token) -> None:
        if token.kind == WORD:
            del self.words[token.text]
        elif token.kind == MANY:
            self.many = None
        else:
            self.one = None

    def empty(self) -> bool:
        return not self.values and not self.words and self.one is None and self.many is None


class Trie:
    """Values filed under patterns, found by topic. A value may be filed under several patterns."""

    def __init__(self) -> None:
        self._root = Node()
        self._root_without_dollar = Node()  # patterns with a leading wildcard that `$` topics are hidden from
        self.size = 0

    def add(self, pattern: Pattern, value: object) -> None:
        """File `value` under `pattern`; filing it there twice keeps two."""
        node = self._root_without_dollar if pattern.hides_dollar else self._root
        for token in pattern.tokens:
            child = node.child(token)
            node = child if child is not None else node.attach(token)
        node.values.append(value)
        self.size += 1

    def remove(self, pattern: Pattern, value: object) -> bool:
        """Take `value` out of `pattern` and prune what is left empty; False when it was not there."""
        node = self._root_without_dollar if pattern.hides_dollar else self._root
        path: list[Node] = [node]
        for token in pattern.tokens:
            child = node.child(token)
            if child is None:
                return False
            path.append(child)
            node = child
        for index, held in enumerate(node.values):
            if held is value:
                del node.values[index]
                break
        else:
            return False
        self.size -= 1
        for depth in range(len(pattern.tokens) - 1, -1, -1):
            if not path[depth + 1].empty():
                break
            path[depth].detach(pattern.tokens[depth])
        return True

    def match(self, topic: str) -> list[object]:
        """Return the values whose pattern matches `topic`; one filed under two matching patterns comes twice."""
        words = topic.split(".")
        found: list[object] = []
        _collect(self._root, words, found)
        if not topic.startswith("$"):
            _collect(self._root_without_dollar, words, found)
        return found


def _collect(root: Node, words: list[str], found: list[object]) -> None:
    count = len(words)
    pending: list[tuple[Node, int]] = [(root, 0)]
    seen: set[tuple[int, int]] | None = None  # needed only once a MANY has opened more than one way to a node
    while pending:
        node, position = pending.pop()
        if seen is not None:
            mark = (id(node), position)
            if mark in seen:
                continue
            seen.add(mark)
        many = node.many
        if many is not None:
            if not many.words and many.one is None and many.many is None:
                pending.append((many, count))  # a closing wildcard takes whatever is left
            else:
                if seen is None:
                    seen = set()
                pending.extend([(many, next_position) for next_position in range(position, count + 1)])
        if position == count:
            found.extend(node.values)
            continue
        if node.one is not None:
            pending.append((node.one, position + 1))
        child = node.words.get(words[position])
        if child is not None:
            pending.append((child, position + 1))
