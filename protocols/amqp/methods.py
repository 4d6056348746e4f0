"""Which methods a client may send, and how their arguments are found (AMQP 0-9-1 §1.3 to §1.8, RabbitMQ's extensions).

`decode` finds the class that reads the arguments by class and method id. `basic.publish` and `basic.ack` are read in
place by the connection; a method without arguments is a plain `Method`.
"""

from collections.abc import Callable
from typing import Final

from protocols.amqp.basic_methods import (
    Ack,
    Cancel,
    ConfirmSelect,
    Consume,
    Get,
    Nack,
    Qos,
    Recover,
    Reject,
)
from protocols.amqp.connection_methods import (
    AccessRequest,
    ChannelOpen,
    Close,
    Flow,
    Open,
    StartOk,
    TuneOk,
    UpdateSecret,
)
from protocols.amqp.definition_methods import (
    ExchangeBind,
    ExchangeDeclare,
    ExchangeDelete,
    QueueBind,
    QueueDeclare,
    QueueDelete,
    QueuePurge,
    QueueUnbind,
)
from protocols.amqp.errors import COMMAND_INVALID, PeerError
from protocols.amqp.method import Method
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
