"""One trie of topic patterns for every protocol: AMQP binding keys, MQTT filters and STOMP wildcards.

Matching visits only the branches that the topic's words select, so its cost does not grow with the patterns that do
not match. It is iterative, and visits each (node, position) at most once: a node below `#` may stay where it is while
the topic goes on, so `#.a.#.a.#` against a long topic costs the product of both lengths and not the number of ways to
split the topic. A pattern without wildcards is no branch: it is found by the topic as a whole.
"""

from core.routing.pattern import MANY, WORD, Pattern, Token, words_of


class Node:
    """The patterns that share a prefix of tokens."""

    def __init__(self, *, stays: bool = False) -> None:
        self.stays = stays  # the last token of the prefix takes any number of words
        self.words: dict[str, Node] = {}
        self.one: Node | None = None
        self.many: Node | None = None
        self.values: dict[int, object] = {}  # those whose pattern ends here, by identity: thousands may share one

    def child(self, token: Token) -> "Node | None":
        """Return the node of the prefix that `token` makes longer, or None."""
        if token.kind == WORD:
            return self.words.get(token.text)
        return self.many if token.kind == MANY else self.one

    def attach(self, token: Token) -> "Node":
        """Make that node; there is none yet."""
        node = Node(stays=token.kind == MANY)
        if token.kind == WORD:
            self.words[token.text] = node
        elif token.kind == MANY:
            self.many = node
        else:
            self.one = node
        return node

    def detach(self, token: Token) -> None:
        """Drop that node."""
        if token.kind == WORD:
            del self.words[token.text]
        elif token.kind == MANY:
            self.many = None
        else:
            self.one = None

    def empty(self) -> bool:
        """Tell whether no pattern ends here or below."""
        return not self.values and not self.words and self.one is None and self.many is None


class Trie:
    """Values filed under patterns, found by topic. A value may be filed under several patterns, once under each."""

    def __init__(self) -> None:
        self._root = Node()
        self._root_without_dollar = Node()  # patterns with a leading wildcard that `$` topics are hidden from
        self._literals: dict[str, dict[int, object]] = {}  # values of patterns without wildcards, by topic
        self.size = 0
        self.visits = 0  # steps of all matches so far: what a match costs, without a clock

    def add(self, pattern: Pattern, value: object) -> None:
        """File `value` under `pattern`; one that is there already stays as it is."""
        literal = pattern.literal
        if literal is not None:
            values = self._literals.get(literal)
            if values is None:
                values = self._literals[literal] = {}
            if id(value) not in values:
                values[id(value)] = value
                self.size += 1
            return
        node = self._root_without_dollar if pattern.hides_dollar else self._root
        for token in pattern.tokens:
            child = node.child(token)
            node = child if child is not None else node.attach(token)
        if id(value) not in node.values:
            node.values[id(value)] = value
            self.size += 1

    def remove(self, pattern: Pattern, value: object) -> bool:
        """Take `value` out of `pattern` and prune what is left empty; False when it was not there."""
        literal = pattern.literal
        if literal is not None:
            return self._remove_literal(literal, value)
        node = self._root_without_dollar if pattern.hides_dollar else self._root
        path: list[Node] = [node]
        for token in pattern.tokens:
            child = node.child(token)
            if child is None:
                return False
            path.append(child)
            node = child
        if node.values.pop(id(value), None) is None:
            return False
        self.size -= 1
        for depth in range(len(pattern.tokens) - 1, -1, -1):
            if not path[depth + 1].empty():
                break
            path[depth].detach(pattern.tokens[depth])
        return True

    def _remove_literal(self, literal: str, value: object) -> bool:
        values = self._literals.get(literal)
        if values is None or values.pop(id(value), None) is None:
            return False
        self.size -= 1
        if not values:
            del self._literals[literal]
        return True

    def match(self, topic: str) -> list[object]:
        """Return the values whose pattern matches `topic`; one filed under two matching patterns comes twice."""
        words = words_of(topic)
        values = self._literals.get(topic)
        found: list[object] = [] if values is None else list(values.values())
        self.visits += _collect(self._root, words, found)
        if not topic.startswith("$"):
            self.visits += _collect(self._root_without_dollar, words, found)
        return found


def _collect(root: Node, words: list[str], found: list[object]) -> int:
    count = len(words)
    visits = 0
    pending: list[tuple[Node, int]] = [(root, 0)]
    seen: set[tuple[int, int]] | None = None  # needed only once a MANY has opened more than one way to a node
    while pending:
        node, position = pending.pop()
        visits += 1
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
                pending.append((many, position))
        if position == count:
            found.extend(node.values.values())
            continue
        if node.stays:
            pending.append((node, position + 1))
        if node.one is not None:
            pending.append((node.one, position + 1))
        child = node.words.get(words[position])
        if child is not None:
            pending.append((child, position + 1))
    return visits
