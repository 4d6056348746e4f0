"""What a dead letter says of its deaths: the headers that RabbitMQ adds, and the rule that ends cycles.

`x-death` is a list of tables, one for each queue and reason; who dies again of the same in the same queue gets the count
of its table raised. The last death is first. The earlier ones are in the order that RabbitMQ 3.10 gives them: with each
death it turns round what was there. So the oldest is in the middle, and in between the older deaths are, the further in.
Down to the order of the fields, which RabbitMQ sorts from the second death on, this is what tests/vectors/amqp/x_death.toml
has from it.
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
LONGEST: Final = (1 << 63) - 1  # what a count can be: signed, 64 bits


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
        earlier: list[Value] = []
        for other in _gathered(known):
            if fresh and _same(other, queue, reason):
                fresh = False
                death = _again(other)
            else:
                earlier.append(other)
        headers[X_DEATH] = [_sorted(death), *earlier]
    else:
        if X_DEATH not in headers:
            headers["x-first-death-reason"] = reason
            headers["x-first-death-queue"] = queue
            headers["x-first-death-exchange"] = message.address.exchange
        headers[X_DEATH] = [death]  # RabbitMQ, too, puts aside what is no list
    if readdressed:
        headers.pop(CC, None)
    said = properties.with_headers(_sorted(headers))
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


def _gathered(deaths: list[Value]) -> list[Value]:
    """Return deaths the other way round, one for each queue and reason, and each with a count.

    RabbitMQ made them so once, and clients may publish anything.
    """
    if len(deaths) < 2:
        return deaths
    times: dict[tuple[str, str], int] = {}
    gathered: list[Value] = []
    for death in deaths:
        if isinstance(death, dict):
            kind = _kind(death)
            before = times.get(kind, 0)
            times[kind] = before + 1
            if before:
                continue
        gathered.append(death)
    gathered.reverse()
    for place, death in enumerate(gathered):
        if isinstance(death, dict) and death.get("count") is None:
            counted: Headers = {"count": Long(times[_kind(death)])}
            for name, value in death.items():
                counted.setdefault(name, value)
            gathered[place] = counted
    return gathered


def _kind(death: Headers) -> tuple[str, str]:
    return repr(death.get("queue")), repr(death.get("reason"))  # whatever a client has put there can be compared so


def _same(death: Value, queue: str, reason: str) -> bool:
    return isinstance(death, dict) and death.get("queue") == queue and death.get("reason") == reason


def _again(death: Headers) -> Headers:
    count = death.get("count")
    again = dict(death)
    again["count"] = _next(count) if isinstance(count, int) and not isinstance(count, bool) else Long(1)
    return again


def _next(count: int) -> Long:
    following = count + 1
    return Long(following if following <= LONGEST else -LONGEST - 1)  # as a field of 64 bits does


def _sorted(table: Headers) -> Headers:
    return {name: table[name] for name in sorted(table)}


def goes_in_a_cycle(letter: Message, queue: str) -> bool:
    """Tell whether the letter comes back to `queue` and nobody has rejected it on the way: it would do so for ever.

    RabbitMQ 3.10 goes through `x-death` from first to last, and takes a death for earlier or later than it was. The order
    in time is got back from both ends: each death turned the list round, so the second last one is at the far end.
    """
    deaths = letter.properties.headers.get(X_DEATH)
    if not isinstance(deaths, list):
        return False
    first, last = 0, len(deaths) - 1
    at_front = True
    while first <= last:
        death = deaths[first if at_front else last]
        if at_front:
            first += 1
        else:
            last -= 1
        at_front = not at_front
        if isinstance(death, dict):
            if death.get("reason") == REJECTED:
                return False
            if death.get("queue") == queue:
                return True
    return False
