"""What a dead letter says of its deaths: the headers that RabbitMQ adds, and the rule that ends cycles.

`x-death` is a list of tables, one for each queue and reason, the latest first; whoever dies again of the same in the same
queue gets the count of its table raised, and the table moved to the front. Checked against RabbitMQ 3.10.
"""

from typing import Final

from core.model.message import Address, Message
from core.model.properties import Headers, Stated, Timestamp, Value, cost_of
from core.model.widths import Long

EXPIRED: Final = "expired"
REJECTED: Final = "rejected"
MAXLEN: Final = "maxlen"
DELIVERY_LIMIT: Final = "delivery_limit"

X_DEATH: Final = "x-death"
CC: Final = "CC"
BCC: Final = "BCC"


def dead_letter(
    message: Message, address: Address, queue: str, reason: str, now_s: int, *, readdressed: bool
) -> Message:
    """Return what becomes of a message that has died in `queue`, aimed at `address`.

    It does not expire again. It goes where its own keys lead, carbon copies included, unless it was `readdressed`.
    """
    properties = message.properties
    headers = dict(properties.headers)
    headers.pop(BCC, None)
    death = _death(message, headers.get(CC), queue, reason, now_s)
    known = headers.get(X_DEATH)
    fresh = True
    if isinstance(known, list):
        others = [other for other in known if not _same(other, queue, reason)]
        fresh = len(others) == len(known)
        if not fresh:
            death = _again(next(other for other in known if _same(other, queue, reason)))
        headers[X_DEATH] = [death, *others]
    else:
        if X_DEATH not in headers:
            headers["x-first-death-reason"] = reason
            headers["x-first-death-queue"] = queue
            headers["x-first-death-exchange"] = message.address.exchange
        headers[X_DEATH] = [death]  # RabbitMQ, too, puts aside what is no list
    if readdressed:
        headers.pop(CC, None)
    said = properties.with_headers(headers)
    said.expiration_ms = None
    native = message.native
    size = -1
    if isinstance(native, Stated) and X_DEATH in properties.headers:
        # What was counted already is not counted again, or a chain of queues would cost its length squared.
        size = native.size_bytes + (cost_of(death) if fresh else 0)
    letter = message.restated(address, said, size)
    if not readdressed:
        letter.also_to = message.also_to
    return letter


def _death(message: Message, carbon: Value, queue: str, reason: str, now_s: int) -> Headers:
    address = message.address
    keys = [address.key]
    if isinstance(carbon, list):
        keys += [key for key in carbon if isinstance(key, str)]
    death: Headers = {
        "count": Long(1),
        "reason": reason,
        "queue": queue,
        "time": Timestamp(now_s),
        "exchange": address.exchange,
        "routing-keys": keys,
    }
    expiration_ms = message.properties.expiration_ms
    if expiration_ms is not None:
        death["original-expiration"] = str(expiration_ms)
    return death


def _same(death: Value, queue: str, reason: str) -> bool:
    return isinstance(death, dict) and death.get("queue") == queue and death.get("reason") == reason


def _again(death: Headers) -> Headers:
    count = death.get("count")
    again = dict(death)
    again["count"] = Long(count + 1 if isinstance(count, int) else 1)
    return again


def goes_in_a_cycle(letter: Message, queue: str) -> bool:
    """Tell whether the letter comes back to `queue` and nobody has rejected it on the way: it would do so for ever."""
    deaths = letter.properties.headers.get(X_DEATH)
    if not isinstance(deaths, list):
        return False
    for death in deaths:
        if isinstance(death, dict):
            if death.get("reason") == REJECTED:
                return False
            if death.get("queue") == queue:
                return True
    return False
