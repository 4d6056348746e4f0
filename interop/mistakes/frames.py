"""Mistakes in the shape and the order of frames on an open channel (AMQP 0-9-1 §4.2)."""

from typing import Final

from pika.spec import Basic, Channel, Queue

from interop.mistakes.case import BODY, CHANNEL, HEARTBEAT, METHOD, Case, content_header, frame
from interop.raw import amqp_frame

PUBLISH: Final = Basic.Publish(exchange="", routing_key="nobody")
FRAME_MAX: Final = 131_072
TABLE_START: Final = b"\0\x32\0\x0a\0\0\0\0"  # queue.declare with an empty name and no bits


def _declare(table: bytes) -> bytes:
    return frame(METHOD, TABLE_START + len(table).to_bytes(4, "big") + table)


CASES: Final = (
    Case("end octet wrong", lambda _: [frame(METHOD, b"\0\x3c\0\x0a" + b"\0" * 7, end=b"\xcf")]),
    Case("frame of an unknown type", lambda _: [frame(7, b"")]),
    Case("frame of an unknown type with a payload", lambda _: [frame(4, b"xyz")]),
    Case(
        "frame with a payload of frame_max",
        lambda _: [PUBLISH, content_header(FRAME_MAX), frame(BODY, b"x" * FRAME_MAX)],
    ),
    Case(
        "frame with a payload above frame_max",
        lambda _: [PUBLISH, content_header(FRAME_MAX + 1), frame(BODY, b"x" * (FRAME_MAX + 1))],
    ),
    Case("body longer than announced", lambda _: [PUBLISH, content_header(2), frame(BODY, b"xyz")]),
    Case("body for a message of none", lambda _: [PUBLISH, content_header(0), frame(BODY, b"x")]),
    Case("content header without a method", lambda _: [content_header(0)]),
    Case("body without a method", lambda _: [frame(BODY, b"x")]),
    Case("body without a content header", lambda _: [PUBLISH, frame(BODY, b"x")]),
    Case("method instead of a content header", lambda _: [PUBLISH, Basic.Qos()]),
    Case("method instead of a body", lambda _: [PUBLISH, content_header(2), Basic.Qos()]),
    Case("content header instead of a body", lambda _: [PUBLISH, content_header(2), content_header(2)]),
    Case("heartbeat instead of a body", lambda _: [PUBLISH, content_header(2), frame(HEARTBEAT, b"", CHANNEL)]),
    Case("content header of another class", lambda _: [PUBLISH, content_header(0, class_id=50)]),
    Case("content header with a weight", lambda _: [PUBLISH, content_header(0, weight=1)]),
    Case("content header that ends early", lambda _: [PUBLISH, frame(2, b"\0\x3c\0\0\0")]),
    Case("content header without property flags", lambda _: [PUBLISH, content_header(0, b"")]),
    Case("content header with a missing property", lambda _: [PUBLISH, content_header(0, b"\x80\0")]),
    Case("content header with more than its properties", lambda _: [PUBLISH, content_header(0, b"\0\0rest")]),
    Case("content header with an unknown property", lambda _: [PUBLISH, content_header(0, b"\0\2")]),
    Case("content header with more flags to come", lambda _: [PUBLISH, content_header(0, b"\0\1\0\0")]),
    Case(
        "content header with a table of unknown types",
        lambda _: [PUBLISH, content_header(0, b"\x20\0\0\0\0\x03\x01a?")],
    ),
    Case("method frame that ends early", lambda _: [frame(METHOD, b"\0\x3c")]),
    Case("method that ends before its arguments", lambda _: [frame(METHOD, b"\0\x3c\0\x0a\0\0")]),
    Case("method that goes on behind its arguments", lambda _: [frame(METHOD, b"\0\x3c\0\x0a" + b"\0" * 9)]),
    Case("method of an unknown class", lambda _: [frame(METHOD, b"\0\x63\0\x0a")]),
    Case("unknown method of a known class", lambda _: [frame(METHOD, b"\0\x3c\0\x05")]),
    Case("method that only the broker sends", lambda _: [Queue.DeclareOk("q", 0, 0)]),
    Case("short string that is not UTF-8", lambda _: [frame(METHOD, b"\0\x32\0\x1e\0\0\x02\xff\xfe\0")]),
    Case("table with an unknown type", lambda _: [_declare(b"\x01a?")]),
    Case("table that ends in a field", lambda _: [_declare(b"\x01aI\0\0")]),
    Case("table that ends in a name", lambda _: [_declare(b"\x05ab")]),
    Case("table longer than its method", lambda _: [frame(METHOD, TABLE_START + b"\0\0\1\0")]),
    Case("channel opened twice", lambda _: [Channel.Open()]),
    Case("channel.open-ok from the client", lambda _: [Channel.OpenOk()]),
    Case("channel.flow false", lambda _: [Channel.Flow(active=False)]),
    Case("channel.flow true", lambda _: [Channel.Flow(active=True)]),
    Case("channel.close-ok without a close", lambda _: [Channel.CloseOk(), amqp_frame(CHANNEL, Channel.Open())]),
    Case(
        "more frames behind the mistake",
        lambda name: [
            Queue.Declare(queue=name, passive=True),
            PUBLISH,
            content_header(1),
            frame(BODY, b"x"),
            Queue.Declare(queue="amq.late"),
            Basic.Ack(5),
        ],
    ),
)
