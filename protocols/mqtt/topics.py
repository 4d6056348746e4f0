"""Topics and filters: MQTT's form on the wire, the core's form inside.

`/` and `.` change places, so that every topic has one key and every key one topic. Wildcards are tokens of the pattern
and never characters: a `*` in a filter is a word. UTF-8 keeps both separators in single bytes, so the swap is done on
bytes.
"""

import re
from typing import Final

from core.model.errors import Denied, Invalid, Limit
from core.model.message import FOR_MQTT, Address
from core.model.names import TOPIC_LEVELS_LIMIT
from core.routing.pattern import MANY_WORDS, ONE_WORD, WORD, Pattern, Token
from protocols.mqtt.errors import Malformed
from protocols.mqtt.frames import two_bytes

SWAP: Final = bytes.maketrans(b"./", b"/.")
TOPIC_LIMIT_BYTES: Final = 65_535  # [MQTT-4.7.3-3]
CONTROLS: Final = re.compile("[\x00-\x1f\x7f-\x9f]")  # what names should not have in them (§1.5.3, MQTT 5.0 §1.5.4)
UNSAYABLE: Final = b"\0\0"  # stands for the topic of a key that MQTT has no topic for

BROKERS_OWN: Final = ("$SYS", "$CONTROL")  # first levels that only a broker publishes to, as Mosquitto
GIVEN_MEANING: Final = ("$share", "$queue")  # first levels that are no topics but name groups and queues


class Filter:
    """A topic filter: the pattern, and the core's form of it for permissions."""

    def __init__(self, pattern: Pattern, text: str) -> None:
        self.pattern = pattern
        self.text = text


def read_text(what: str, raw: bytes) -> str:
    """Decode a string of a packet; it must be UTF-8 without surrogates and NUL [MQTT-1.5.3-1], [MQTT-1.5.3-2].

    The same two statements are [MQTT-1.5.4-1] and [MQTT-1.5.4-2] in MQTT 5.0.
    """
    try:
        text = raw.decode()
    except UnicodeDecodeError:
        raise Malformed(f"{what} is not UTF-8") from None
    if "\0" in text:
        raise Malformed(f"{what} contains U+0000")
    return text


def read_name(what: str, raw: bytes) -> str:
    """Decode a string that names something: a user, a topic, or a filter. It has no control characters.

    The specifications leave it open to close the connection for them (§1.5.3, MQTT 5.0 §1.5.4); Mosquitto does, and so do
    clients that use its library, to which they must not be passed on.
    """
    text = read_text(what, raw)
    if CONTROLS.search(text):
        raise Malformed(f"{what} contains a control character")
    return text


def topic_to_key(raw: bytes) -> str:
    """Return the key of a topic name as received; Malformed when it is none, Limit when it has too many levels."""
    key = read_name("topic name", raw.translate(SWAP))
    if not key:
        raise Malformed("topic name is empty [MQTT-4.7.3-1]")
    if "+" in key or "#" in key:
        raise Malformed("topic name contains a wildcard [MQTT-3.3.2-2]")
    _check_levels("topic name", key.count("."))
    return key


def check_publishable(key: str) -> None:
    """Refuse topics that clients must not publish to whatever their permissions."""
    if key.startswith("$"):
        first = key.partition(".")[0]
        if first in BROKERS_OWN or first in GIVEN_MEANING:
            raise Denied(f"topics under '{first}' are not published to by clients")


def topic_field(address: Address) -> bytes:
    """Return the topic of an address as a length and its bytes, ready to send; UNSAYABLE when there is none."""
    field = address.encoded[FOR_MQTT]
    if not field:
        field = address.encoded[FOR_MQTT] = _encode(address.key)
    return field


def _encode(key: str) -> bytes:
    if not key or "+" in key or "#" in key or CONTROLS.search(key):
        return UNSAYABLE  # would be malformed [MQTT-3.3.2-2], [MQTT-1.5.3-2]
    try:
        raw = key.encode()
    except UnicodeEncodeError:
        return UNSAYABLE
    if len(raw) > TOPIC_LIMIT_BYTES:
        return UNSAYABLE
    return two_bytes(len(raw)) + raw.translate(SWAP)


def parse_filter(text: str) -> Filter:
    """Parse a topic filter; Invalid when a wildcard is in the wrong place, Limit when it has too many levels."""
    first, slash, _ = text.partition("/")
    if slash and first in GIVEN_MEANING:  # behind the name of a group
        raise Invalid(f"topic filter '{text}': '{first}/' is no topic")
    _check_levels("topic filter", text.count("/"))
    tokens: list[Token] = []
    words: list[str] = []
    levels = text.split("/")
    for number, level in enumerate(levels):
        if level == "+":
            tokens.append(ONE_WORD)
            words.append("*")
        elif level == "#":
            if number != len(levels) - 1:
                raise Invalid(f"topic filter '{text}': '#' is not the last level [MQTT-4.7.1-2]")
            tokens.append(MANY_WORDS)
            words.append("#")
        elif "+" in level or "#" in level:
            raise Invalid(f"topic filter '{text}': wildcard inside a level [MQTT-4.7.1-2], [MQTT-4.7.1-3]")
        else:
            word = level.replace(".", "/")
            tokens.append(Token(WORD, word))
            words.append(word)
    return Filter(Pattern(tuple(tokens), hides_dollar=True), ".".join(words))  # [MQTT-4.7.2-1]


def has_misplaced_wildcard(text: str) -> bool:
    """Whether a wildcard of a filter is not a level of its own, or a `#` is not the last level."""
    if "+" not in text and "#" not in text:
        return False
    levels = text.split("/")
    return "#" in levels[:-1] or any(("+" in level or "#" in level) and len(level) > 1 for level in levels)


def _check_levels(what: str, separators: int) -> None:
    if separators >= TOPIC_LEVELS_LIMIT:
        raise Limit(f"{what} of {separators + 1} levels has more than {TOPIC_LEVELS_LIMIT}")
