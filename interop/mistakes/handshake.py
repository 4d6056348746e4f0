"""Mistakes before a connection is open, and about the connection itself."""

from typing import Any, Final

from pika.spec import Basic, Channel, Connection

from interop.mistakes.case import CHANNEL, GREETED, HEARTBEAT, OPENED, RAW, TRAITS, TUNED, Case, frame
from interop.raw import amqp_frame

WRONG: Final = "\0guest\0not the password"


def _start_ok(mechanism: str = "PLAIN", response: str = WRONG, traits: dict[str, Any] = TRAITS) -> bytes:
    return amqp_frame(0, Connection.StartOk(traits, mechanism, response, "en_US"))


def _tuned(channel_max: int = 2047, frame_max: int = 131_072) -> bytes:
    return amqp_frame(0, Connection.TuneOk(channel_max, frame_max, 0)) + _open("/")


def _open(vhost: str) -> bytes:
    return amqp_frame(0, Connection.Open(vhost))


AGREED: Final = amqp_frame(0, Connection.TuneOk(2047, 131_072, 0))

CASES: Final = (
    Case("header of AMQP 0-8", lambda _: [b"AMQP\x01\x01\x08\x00"], RAW),
    Case("header of AMQP 0-9-1 with another revision", lambda _: [b"AMQP\0\0\x09\x02"], RAW),
    Case("header of AMQP 0-10", lambda _: [b"AMQP\x01\x01\x00\x0a"], RAW),
    Case("header of AMQP 1.0", lambda _: [b"AMQP\0\x01\0\0"], RAW),
    Case("header of AMQP 1.0 with SASL", lambda _: [b"AMQP\x03\x01\0\0"], RAW),
    Case("HTTP on the AMQP port", lambda _: [b"GET / HTTP/1.1\r\nHost: broker\r\n\r\n"], RAW),
    Case("TLS on the AMQP port", lambda _: [bytes.fromhex("16030100050100000103")], RAW),
    Case("login with a wrong password", lambda _: [_start_ok()], GREETED),
    Case("login with a wrong password without authentication_failure_close", lambda _: [_start_ok(traits={})], GREETED),
    Case("login with an unknown user", lambda _: [_start_ok(response="\0nobody\0x")], GREETED),
    Case("login with an unknown mechanism", lambda _: [_start_ok("KERBEROS")], GREETED),
    Case("login with a response of one part", lambda _: [_start_ok(response="guest")], GREETED),
    Case("login with a table that is none", lambda _: [_start_ok("AMQPLAIN", "\x05LOGIN")], GREETED),
    Case("login without a password in the table", lambda _: [_start_ok("AMQPLAIN", "\x05LOGINS\0\0\0\1a")], GREETED),
    Case("tune-ok before start-ok", lambda _: [AGREED], GREETED),
    Case("open before start-ok", lambda _: [_open("/")], GREETED),
    Case("channel.open before start-ok", lambda _: [Channel.Open()], GREETED),
    Case("open before tune-ok", lambda _: [_open("/")], TUNED),
    Case("tune-ok with a higher channel_max", lambda _: [_tuned(channel_max=2048)], TUNED),
    Case("tune-ok without a limit of channels", lambda _: [_tuned(channel_max=0)], TUNED),
    Case("tune-ok with a higher frame_max", lambda _: [_tuned(frame_max=131_073)], TUNED),
    Case("tune-ok without a limit of frames", lambda _: [_tuned(frame_max=0)], TUNED),
    Case("tune-ok with a frame_max below the minimum", lambda _: [_tuned(frame_max=4095)], TUNED),
    Case("tune-ok with the least frame_max", lambda _: [_tuned(frame_max=4096)], TUNED),
    Case("open of a missing virtual host", lambda name: [AGREED + _open(name)], TUNED),
    Case("channel.open before connection.open", lambda _: [AGREED, Channel.Open()], TUNED),
    Case("start-ok a second time", lambda _: [_start_ok()], OPENED),
    Case("tune-ok a second time", lambda _: [AGREED], OPENED),
    Case("open a second time", lambda _: [_open("/")], OPENED),
    Case("update-secret", lambda _: [amqp_frame(0, Connection.UpdateSecret("guest", "renewed"))], OPENED),
    Case("connection method on another channel", lambda _: [amqp_frame(CHANNEL, Connection.Open("/"))], OPENED),
    Case("channel method on channel 0", lambda _: [amqp_frame(0, Channel.Open())], OPENED),
    Case("basic method on channel 0", lambda _: [amqp_frame(0, Basic.Qos())], OPENED),
    Case("method the broker only sends on channel 0", lambda _: [amqp_frame(0, Connection.OpenOk())], OPENED),
    Case("heartbeat on a closed channel", lambda _: [frame(HEARTBEAT, b"", CHANNEL)], OPENED),
    Case("heartbeat on an open channel", lambda _: [Channel.Open(), frame(HEARTBEAT, b"", CHANNEL)], OPENED),
    Case("heartbeat with a payload", lambda _: [frame(HEARTBEAT, b"x", 0)], OPENED),
    Case("method on a closed channel", lambda _: [Basic.Qos()], OPENED),
    Case("content on a closed channel", lambda _: [frame(2, b"\0\x3c" + b"\0" * 12)], OPENED),
    Case("channel above channel_max", lambda _: [amqp_frame(2048, Channel.Open())], OPENED),
    Case("close of a closed channel", lambda _: [Channel.Close(200, "bye", 0, 0)], OPENED),
    Case("close-ok of a closed channel", lambda _: [Channel.CloseOk()], OPENED),
)
