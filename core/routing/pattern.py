"""Topic patterns as typed tokens, so that a wildcard is never confused with a word that looks like one.

The core's form of a topic is words joined by dots. Each protocol parses its own wildcard syntax into a `Pattern`;
the one of AMQP topic exchanges is here because the exchanges are (AMQP 0-9-1 §3.1.3.3).
"""

from typing import Final

WORD: Final = 0
ONE: Final = 1  # exactly one word, which may be empty
MANY: Final = 2  # zero or more words


class Token:
    """One level of a pattern."""

    def __init__(self, kind: int, text: str = "") -> None:
        self.kind = kind
        self.text = text

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Token) and other.kind == self.kind and other.text == self.text

    def __hash__(self) -> int:
        return hash((self.kind, self.text))

    def __repr__(self) -> str:
        return (repr(self.text), "ONE", "MANY")[self.kind]


ONE_WORD: Final = Token(ONE)
MANY_WORDS: Final = Token(MANY)


class Pattern:
    """A sequence of tokens that a topic's words match or not.

    `hides_dollar`: the pattern does not match a topic that begins with `$` unless its own first token is that very
    word [MQTT-4.7.2-1]. `literal`: the only topic that the pattern matches, or None when it has wildcards.
    """

    def __init__(self, tokens: tuple[Token, ...], *, hides_dollar: bool = False) -> None:
        self.tokens = tokens
        self.hides_dollar = hides_dollar and bool(tokens) and tokens[0].kind != WORD
        self.literal = _literal(tokens)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Pattern) and other.tokens == self.tokens and other.hides_dollar == self.hides_dollar

    def __hash__(self) -> int:
        return hash((self.tokens, self.hides_dollar))

    def __repr__(self) -> str:
        return f"Pattern({self.tokens!r})"


def _literal(tokens: tuple[Token, ...]) -> str | None:
    for token in tokens:
        if token.kind != WORD:
            return None
    topic = ".".join([token.text for token in tokens])
    return topic if len(words_of(topic)) == len(tokens) else None  # one empty word is no topic's


def words_of(topic: str) -> list[str]:
    """Return the words of a topic. The empty topic has none, so that `#` matches it and `*` does not, as in RabbitMQ."""
    return topic.split(".") if topic else []


def parse_binding_key(key: str) -> Pattern:
    """Parse the binding key of a topic exchange: `*` is one word, `#` is zero or more (AMQP 0-9-1 §3.1.3.3)."""
    tokens: list[Token] = []
    for word in words_of(key):
        if word == "#":
            if not tokens or tokens[-1].kind != MANY:  # "#.#" matches what "#" matches
                tokens.append(MANY_WORDS)
        elif word == "*":
            tokens.append(ONE_WORD)
        else:
            tokens.append(Token(WORD, word))
    return Pattern(tuple(tokens))
