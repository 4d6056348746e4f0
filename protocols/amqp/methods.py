"""The methods that a client may send, beside the frequent ones, as typed values (AMQP 0-9-1 §1.3 to §1.8, RabbitMQ).

Each class reads its own arguments. `decode` finds the class by class and method id; `basic.publish` and `basic.ack`
are read in place by the connection and have no value here.
"""

from collections.abc import Callable
from typing import Final

from mypy_extensions import mypyc_attr

from protocols.amqp.errors import COMMAND_INVALID, PeerError
from protocols.amqp.reader import Reader
from protocols.amqp.table import ELEMENTS_LIMIT

# A class id and a method id in one number.
CONNECTION_START_OK: Final = 10 << 16 | 11
CONNECTION_TUNE_OK: Final = 10 << 16 | 31
CONNECTION_OPEN: Final = 10 << 16 | 40
CONNECTION_CLOSE: Final = 10 << 16 | 50
CONNECTION_CLOSE_OK: Final = 10 << 16 | 51
CONNECTION_UPDATE_SECRET: Final = 10 << 16 | 70
CHANNEL_OPEN: Final = 20 << 16 | 10
CHANNEL_FLOW: Final = 20 << 16 | 20
CHANNEL_CLOSE: Final = 20 << 16 | 40
CHANNEL_CLOSE_OK: Final = 20 << 16 | 41
ACCESS_REQUEST: Final = 30 << 16 | 10
EXCHANGE_DECLARE: Final = 40 << 16 | 10
EXCHANGE_DELETE: Final = 40 << 16 | 20
EXCHANGE_BIND: Final = 40 << 16 | 30
EXCHANGE_UNBIND: Final = 40 << 16 | 40
QUEUE_DECLARE: Final = 50 << 16 | 10
QUEUE_BIND: Final = 50 << 16 | 20
QUEUE_PURGE: Final = 50 << 16 | 30
QUEUE_DELETE: Final = 50 << 16 | 40
QUEUE_UNBIND: Final = 50 << 16 | 50
BASIC_QOS: Final = 60 << 16 | 10
BASIC_CONSUME: Final = 60 << 16 | 20
BASIC_CANCEL: Final = 60 << 16 | 30
BASIC_PUBLISH: Final = 60 << 16 | 40
BASIC_GET: Final = 60 << 16 | 70
BASIC_ACK: Final = 60 << 16 | 80
BASIC_REJECT: Final = 60 << 16 | 90
BASIC_RECOVER_ASYNC: Final = 60 << 16 | 100
BASIC_RECOVER: Final = 60 << 16 | 110
BASIC_NACK: Final = 60 << 16 | 120
CONFIRM_SELECT: Final = 85 << 16 | 10
TX_SELECT: Final = 90 << 16 | 10
TX_COMMIT: Final = 90 << 16 | 20
TX_ROLLBACK: Final = 90 << 16 | 30


@mypyc_attr(allow_interpreted_subclasses=True)
class Method:
    """A method with its arguments. This class itself is a method that has none."""

    def __init__(self, reader: Reader) -> None:
        self.number = 0  # class and method id; written by `decode`


class StartOk(Method):
    """connection.start-ok"""

    def __init__(self, reader: Reader) -> None:
        super().__init__(reader)
        self.client_properties = reader.table()
        self.mechanism = reader.shortstr()
        self.response = reader.longstr()
        reader.shortstr()  # the locale


class TuneOk(Method):
    """connection.tune-ok"""

    def __init__(self, reader: Reader) -> None:
        super().__init__(reader)
        self.channel_max = reader.short()
        self.frame_max = reader.long()
        self.heartbeat_s = reader.short()


class Open(Method):
    """connection.open"""

    def __init__(self, reader: Reader) -> None:
        super().__init__(reader)
        self.vhost = reader.shortstr()
        reader.shortstr()
        reader.octet()


class Close(Method):
    """connection.close and channel.close"""

    def __init__(self, reader: Reader) -> None:
        super().__init__(reader)
        self.code = reader.short()
        self.text = reader.shortstr()
        reader.long()


class UpdateSecret(Method):
    """connection.update-secret"""

    def __init__(self, reader: Reader) -> None:
        super().__init__(reader)
        reader.longstr()
        self.reason = reader.shortstr()


class ChannelOpen(Method):
    """channel.open"""

    def __init__(self, reader: Reader) -> None:
        super().__init__(reader)
        reader.shortstr()


class Flow(Method):
    """channel.flow"""

    def __init__(self, reader: Reader) -> None:
        super().__init__(reader)
        self.active = bool(reader.octet() & 1)


class AccessRequest(Method):
    """access.request, which 0-9-1 has no more and old clients still send"""

    def __init__(self, reader: Reader) -> None:
        super().__init__(reader)
        reader.shortstr()
        reader.octet()


class ExchangeDeclare(Method):
    """exchange.declare"""

    def __init__(self, reader: Reader) -> None:
        super().__init__(reader)
        reader.short()
        self.exchange = reader.name()
        self.kind = reader.shortstr()
        bits = reader.octet()
        self.passive = bool(bits & 1)
        self.durable = bool(bits & 2)
        self.auto_delete = bool(bits & 4)
        self.internal = bool(bits & 8)
        self.nowait = bool(bits & 16)
        self.arguments = reader.table()


class ExchangeDelete(Method):
    """exchange.delete"""

    def __init__(self, reader: Reader) -> None:
        super().__init__(reader)
        reader.short()
        self.exchange = reader.name()
        bits = reader.octet()
        self.if_unused = bool(bits & 1)
        self.nowait = bool(bits & 2)


class ExchangeBind(Method):
    """exchange.bind and exchange.unbind"""

    def __init__(self, reader: Reader) -> None:
        super().__init__(reader)
        reader.short()
        self.destination = reader.name()
        self.source = reader.name()
        self.key = reader.shortstr()
        self.nowait = bool(reader.octet() & 1)
        self.arguments = reader.table()


class QueueDeclare(Method):
    """queue.declare"""

    def __init__(self, reader: Reader) -> None:
        super().__init__(reader)
        reader.short()
        self.queue = reader.name()
        bits = reader.octet()
        self.passive = bool(bits & 1)
        self.durable = bool(bits & 2)
        self.exclusive = bool(bits & 4)
        self.auto_delete = bool(bits & 8)
        self.nowait = bool(bits & 16)
        self.arguments = reader.table()


class QueueBind(Method):
    """queue.bind"""

    def __init__(self, reader: Reader) -> None:
        super().__init__(reader)
        reader.short()
        self.queue = reader.name()
        self.exchange = reader.name()
        self.key = reader.shortstr()
        self.nowait = bool(reader.octet() & 1)
        self.arguments = reader.table()


class QueueUnbind(Method):
    """queue.unbind, which always has an answer"""

    def __init__(self, reader: Reader) -> None:
        super().__init__(reader)
        reader.short()
        self.queue = reader.name()
        self.exchange = reader.name()
        self.key = reader.shortstr()
        self.arguments = reader.table()


class QueuePurge(Method):
    """queue.purge"""

    def __init__(self, reader: Reader) -> None:
        super().__init__(reader)
        reader.short()
        self.queue = reader.name()
        self.nowait = bool(reader.octet() & 1)


class QueueDelete(Method):
    """queue.delete"""

    def __init__(self, reader: Reader) -> None:
        super().__init__(reader)
        reader.short()
        self.queue = reader.name()
        bits = reader.octet()
        self.if_unused = bool(bits & 1)
        self.if_empty = bool(bits & 2)
        self.nowait = bool(bits & 4)


class Qos(Method):
    """basic.qos"""

    def __init__(self, reader: Reader) -> None:
        super().__init__(reader)
        self.prefetch_bytes = reader.long()
        self.prefetch_count = reader.short()
        self.shared = bool(reader.octet() & 1)  # `global`


class Consume(Method):
    """basic.consume"""

    def __init__(self, reader: Reader) -> None:
        super().__init__(reader)
        reader.short()
        self.queue = reader.name()
        self.tag = reader.shortstr()
        bits = reader.octet()  # the lowest is no-local, which RabbitMQ ignores too
        self.settles = not bits & 2
        self.exclusive = bool(bits & 4)
        self.nowait = bool(bits & 8)
        self.arguments = reader.table()


class Cancel(Method):
    """basic.cancel"""

    def __init__(self, reader: Reader) -> None:
        super().__init__(reader)
        self.tag = reader.shortstr()
        self.nowait = bool(reader.octet() & 1)


class Get(Method):
    """basic.get"""

    def __init__(self, reader: Reader) -> None:
        super().__init__(reader)
        reader.short()
        self.queue = reader.name()
        self.settles = not reader.octet() & 1


class Ack(Method):
    """basic.ack"""

    def __init__(self, reader: Reader) -> None:
        super().__init__(reader)
        self.tag = reader.longlong()
        self.multiple = bool(reader.octet() & 1)


class Reject(Method):
    """basic.reject"""

    def __init__(self, reader: Reader) -> None:
        super().__init__(reader)
        self.tag = reader.longlong()
        self.requeue = bool(reader.octet() & 1)


class Nack(Method):
    """basic.nack"""

    def __init__(self, reader: Reader) -> None:
        super().__init__(reader)
        self.tag = reader.longlong()
        bits = reader.octet()
        self.multiple = bool(bits & 1)
        self.requeue = bool(bits & 2)


class Recover(Method):
    """basic.recover and basic.recover-async"""

    def __init__(self, reader: Reader) -> None:
        super().__init__(reader)
        self.requeue = bool(reader.octet() & 1)


class ConfirmSelect(Method):
    """confirm.select"""

    def __init__(self, reader: Reader) -> None:
        super().__init__(reader)
        self.nowait = bool(reader.octet() & 1)


METHODS: Final[dict[int, Callable[[Reader], Method]]] = {
    CONNECTION_START_OK: StartOk,
    CONNECTION_TUNE_OK: TuneOk,
    CONNECTION_OPEN: Open,
    CONNECTION_CLOSE: Close,
    CONNECTION_CLOSE_OK: Method,
    CONNECTION_UPDATE_SECRET: UpdateSecret,
    CHANNEL_OPEN: ChannelOpen,
    CHANNEL_FLOW: Flow,
    CHANNEL_CLOSE: Close,
    CHANNEL_CLOSE_OK: Method,
    ACCESS_REQUEST: AccessRequest,
    EXCHANGE_DECLARE: ExchangeDeclare,
    EXCHANGE_DELETE: ExchangeDelete,
    EXCHANGE_BIND: ExchangeBind,
    EXCHANGE_UNBIND: ExchangeBind,
    QUEUE_DECLARE: QueueDeclare,
    QUEUE_BIND: QueueBind,
    QUEUE_PURGE: QueuePurge,
    QUEUE_DELETE: QueueDelete,
    QUEUE_UNBIND: QueueUnbind,
    BASIC_QOS: Qos,
    BASIC_CONSUME: Consume,
    BASIC_CANCEL: Cancel,
    BASIC_GET: Get,
    BASIC_ACK: Ack,
    BASIC_REJECT: Reject,
    BASIC_NACK: Nack,
    BASIC_RECOVER: Recover,
    BASIC_RECOVER_ASYNC: Recover,
    CONFIRM_SELECT: ConfirmSelect,
    TX_SELECT: Method,
    TX_COMMIT: Method,
    TX_ROLLBACK: Method,
}


def decode(number: int, data: bytes, at: int, end: int, elements_limit: int = ELEMENTS_LIMIT) -> Method:
    """Read the method with class and method id `number` whose arguments are from `at` to `end`."""
    make = METHODS.get(number)
    if make is None:
        raise PeerError(COMMAND_INVALID, "unimplemented method")
    reader = Reader(data, at, end, elements_limit)
    method = make(reader)
    reader.finish()
    method.number = number
    return method
