"""The methods of the connection and of channels as typed values (AMQP 0-9-1 §1.3, §1.4, RabbitMQ's update-secret)."""

from protocols.amqp.method import Method
from protocols.amqp.reader import Reader


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
        self.active = reader.flag()


class AccessRequest(Method):
    """access.request, which 0-9-1 has no more and old clients still send"""

    def __init__(self, reader: Reader) -> None:
        super().__init__(reader)
        reader.shortstr()
        reader.octet()
