"""The methods of class basic, beside the frequent ones, and confirm.select as typed values (AMQP 0-9-1 §1.8, RabbitMQ)."""

from protocols.amqp.method import Method
from protocols.amqp.reader import Reader


class Qos(Method):
    """basic.qos"""

    def __init__(self, reader: Reader) -> None:
        super().__init__(reader)
        self.prefetch_bytes = reader.long()
        self.prefetch_count = reader.short()
        self.shared = reader.flag()  # `global`


class Consume(Method):
    """basic.consume"""

    def __init__(self, reader: Reader) -> None:
        super().__init__(reader)
        self.queue = reader.name_behind_ticket()
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
        self.nowait = reader.flag()


class Get(Method):
    """basic.get"""

    def __init__(self, reader: Reader) -> None:
        super().__init__(reader)
        self.queue = reader.name_behind_ticket()
        self.settles = not reader.octet() & 1


class Ack(Method):
    """basic.ack"""

    def __init__(self, reader: Reader) -> None:
        super().__init__(reader)
        self.tag = reader.longlong()
        self.multiple = reader.flag()


class Reject(Method):
    """basic.reject"""

    def __init__(self, reader: Reader) -> None:
        super().__init__(reader)
        self.tag = reader.longlong()
        self.requeue = reader.flag()


class Nack(Method):
    """basic.nack"""

    def __init__(self, reader: Reader) -> None:
        super().__init__(reader)
        self.tag = reader.longlong()
        self.multiple, self.requeue = reader.flags(2)


class Recover(Method):
    """basic.recover and basic.recover-async"""

    def __init__(self, reader: Reader) -> None:
        super().__init__(reader)
        self.requeue = reader.flag()


class ConfirmSelect(Method):
    """confirm.select"""

    def __init__(self, reader: Reader) -> None:
        super().__init__(reader)
        self.nowait = reader.flag()
