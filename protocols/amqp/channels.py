"""The channels of one connection by number, and what a frame on one of them leads to (AMQP 0-9-1 §4.3).

The frame loop hands over every whole frame whose channel is not 0. A channel exists from channel.open to
channel.close-ok.
"""

from typing import Final

from core.client import Client
from protocols.amqp import methods, replies
from protocols.amqp.channel import Channel
from protocols.amqp.connection_methods import Close
from protocols.amqp.consumers import Room
from protocols.amqp.errors import CHANNEL_ERROR, COMMAND_INVALID, NOT_ALLOWED, UNEXPECTED_FRAME, PeerError
from protocols.amqp.frame_errors import unexpected_frame
from protocols.amqp.frames import BODY, HEADER, METHOD, METHOD_FRAME_MIN_BYTES, START_BYTES, Framing, method_number
from protocols.amqp.header_layout import BASIC_CLASS
from protocols.amqp.publications import Publications
from protocols.amqp.publishing import A_METHOD, Publishing
from protocols.connection import Connection

CONNECTION_CLASS: Final = 10
PUBLISH_ID: Final = 40
ACK_ID: Final = 80
ACK_FRAME_BYTES: Final = 21


class Channels:
    """The open channels. `offender` is the class and method id of what is being handled, 0 for none."""

    def __init__(
        self, connection: Connection, client: Client, frame_max: int, channel_max: int, *, notify: bool
    ) -> None:
        self.offender = 0
        self._connection = connection
        self._client = client
        self._publications = Publications(client)
        self._frame_max = frame_max
        self._channel_max = channel_max
        self._notify = notify  # tell the client of consumers that are lost
        self._by_number: dict[int, Channel] = {}
        self._latest: Channel | None = None  # that of the last frame, which the next is likely to share
        self._latest_number = -1
        self._confirms_due: list[Publishing] = []
        self._room = Room()

    def handle(self, number: int, data: bytes, at: int, after: int) -> None:
        """Handle one whole frame. Publish and ack are read in place: they are nearly all there is."""
        if number != self._latest_number:
            self._latest = self._by_number.get(number)
            self._latest_number = number
        channel = self._latest
        if channel is None:
            self._handle_unopened(number, data, at, after)
            return
        publishing = channel.publishing
        kind = data[at]
        if kind == METHOD:
            if after - at < METHOD_FRAME_MIN_BYTES:
                raise unexpected_frame(data, at, after)
            if publishing.expects != A_METHOD:
                self._handle_out_of_turn(channel, data, at)
                return
            if data[at + 8] == BASIC_CLASS and data[at + 7] == 0 and data[at + 9] == 0:
                method_id = data[at + 10]
                if method_id == PUBLISH_ID:
                    self.offender = methods.BASIC_PUBLISH
                    self._connection.publishes = True
                    publishing.begin(data[at + 11 : after - 1])
                    return
                if method_id == ACK_ID and after - at == ACK_FRAME_BYTES:
                    self.offender = methods.BASIC_ACK
                    tag = int.from_bytes(data[at + 11 : at + 19], "big")
                    channel.settling.accept(tag, multiple=(data[at + 19] & 1) != 0)
                    return
            self._handle_method(channel, data, at, after)
        elif kind == HEADER:
            self.offender = methods.BASIC_PUBLISH
            publishing.header(data[at + 3 : after])
        elif kind == BODY:
            self.offender = methods.BASIC_PUBLISH
            publishing.body(data[at + START_BYTES : after - 1])
        else:
            raise unexpected_frame(data, at, after)

    def _handle_method(self, channel: Channel, data: bytes, at: int, after: int) -> None:
        number = self.offender = method_number(data, at)
        if number == methods.CHANNEL_OPEN:
            raise PeerError(CHANNEL_ERROR, "second 'channel.open' seen")
        if number >> 16 == CONNECTION_CLASS:
            raise PeerError(COMMAND_INVALID, "unimplemented method")
        method = methods.decode(number, data, at + START_BYTES + 4, after - 1)
        if isinstance(method, Close):
            channel.end()
            channel.send(replies.CHANNEL_CLOSE_OK)
            self._drop(channel)
        else:
            channel.handle(method)

    def _handle_out_of_turn(self, channel: Channel, data: bytes, at: int) -> None:
        """Handle a method where none is expected: an error, or the end of a channel that has ended."""
        number = method_number(data, at)
        if not channel.ended:
            raise channel.publishing.unexpected()
        if number == methods.CHANNEL_CLOSE_OK:
            self._drop(channel)
        elif number == methods.CHANNEL_CLOSE:
            channel.send(replies.CHANNEL_CLOSE_OK)

    def _handle_unopened(self, number: int, data: bytes, at: int, after: int) -> None:
        """Handle a frame of a channel that is not open: it can only be channel.open."""
        self.offender = 0
        kind = data[at]
        if kind in {HEADER, BODY}:
            raise PeerError(UNEXPECTED_FRAME, "expected method frame, got non method frame instead")
        if kind != METHOD or after - at < METHOD_FRAME_MIN_BYTES:
            raise unexpected_frame(data, at, after)
        method = self.offender = method_number(data, at)
        if method != methods.CHANNEL_OPEN:
            raise PeerError(CHANNEL_ERROR, "expected 'channel.open'")
        methods.decode(method, data, at + START_BYTES + 4, after - 1)
        self._open(number)

    def _open(self, number: int) -> None:
        count = len(self._by_number)
        if count >= self._channel_max:
            text = f"number of channels opened ({count}) has reached the negotiated channel_max ({self._channel_max})"
            raise PeerError(NOT_ALLOWED, text, offender=0)
        channel = Channel(
            self._connection,
            self._client,
            self._publications,
            Framing(number, self._frame_max),
            self._confirms_due,
            self._room,
            notify=self._notify,
        )
        self._by_number[number] = channel
        self._latest_number = -1
        channel.send(replies.CHANNEL_OPEN_OK)

    def _drop(self, channel: Channel) -> None:
        del self._by_number[channel.framing.number]
        self._latest_number = -1

    def fail(self, number: int, code: int, text: str, offender: int) -> bool:
        """Close a channel because of an error; False when there is none with this number."""
        channel = self._by_number.get(number)
        if channel is None:
            return False
        channel.fail(code, text, offender)
        return True

    def ask_again(self) -> bool:
        """Rely on nothing that the user was allowed once; return whether it may be here at all."""
        self._publications.forget()
        return self._client.may_stay

    def hold(self) -> None:
        """Deliver nothing for now."""
        for channel in self._by_number.values():
            channel.consumers.hold()

    def release(self) -> None:
        """Deliver again."""
        for channel in self._by_number.values():
            channel.consumers.release()

    def say_confirms(self) -> None:
        """Write the confirms that have come in since the last call."""
        if self._confirms_due:
            for publishing in self._confirms_due:
                publishing.say_confirms()
            self._confirms_due.clear()

    def end(self) -> None:
        """Give back to the core everything that the channels hold, and the client's share in the virtual host."""
        for channel in self._by_number.values():
            channel.end()
        self._client.close()
