"""The methods that define exchanges, queues and bindings as typed values (AMQP 0-9-1 §1.5, §1.6, RabbitMQ's exchange.bind)."""

from protocols.amqp.method import Method
from protocols.amqp.reader import Reader


class ExchangeDeclare(Method):
    """exchange.declare"""

    def __init__(self, reader: Reader) -> None:
        super().__init__(reader)
        self.exchange = reader.name_behind_ticket()
        self.kind = reader.shortstr()
        self.passive, self.durable, self.auto_delete, self.internal, self.nowait = reader.flags(5)
        self.arguments = reader.table()


class ExchangeDelete(Method):
    """exchange.delete"""

    def __init__(self, reader: Reader) -> None:
        super().__init__(reader)
        self.exchange = reader.name_behind_ticket()
        self.if_unused, self.nowait = reader.flags(2)


class ExchangeBind(Method):
    """exchange.bind and exchange.unbind"""

    def __init__(self, reader: Reader) -> None:
        super().__init__(reader)
        self.destination = reader.name_behind_ticket()
        self.source = reader.name()
        self.key = reader.shortstr()
        self.nowait = reader.flag()
        self.arguments = reader.table()


class QueueDeclare(Method):
    """queue.declare"""

    def __init__(self, reader: Reader) -> None:
        super().__init__(reader)
        self.queue = reader.name_behind_ticket()
        self.passive, self.durable, self.exclusive, self.auto_delete, self.nowait = reader.flags(5)
        self.arguments = reader.table()


class QueueBind(Method):
    """queue.bind"""

    def __init__(self, reader: Reader) -> None:
        super().__init__(reader)
        self.queue = reader.name_behind_ticket()
        self.exchange = reader.name()
        self.key = reader.shortstr()
        self.nowait = reader.flag()
        self.arguments = reader.table()


class QueueUnbind(Method):
    """queue.unbind, which always has an answer"""

    def __init__(self, reader: Reader) -> None:
        super().__init__(reader)
        self.queue = reader.name_behind_ticket()
        self.exchange = reader.name()
        self.key = reader.shortstr()
        self.arguments = reader.table()


class QueuePurge(Method):
    """queue.purge"""

    def __init__(self, reader: Reader) -> None:
        super().__init__(reader)
        self.queue = reader.name_behind_ticket()
        self.nowait = reader.flag()


class QueueDelete(Method):
    """queue.delete"""

    def __init__(self, reader: Reader) -> None:
        super().__init__(reader)
        self.queue = reader.name_behind_ticket()
        self.if_unused, self.if_empty, self.nowait = reader.flags(3)
