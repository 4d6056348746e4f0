"""Certificates of clients: whom they name, who is asked for one, and who is let in by it."""

import ssl
from pathlib import Path
from typing import Any, Final

import pytest
import trio
import trio.testing
import trustme
from pamqp import commands, frame
from pamqp.common import FieldTable

from gateway.certificates import COMMON_NAME, DISTINGUISHED_NAME, SUBJECT_ALTERNATIVE_NAME, user_named
from gateway.config import Config
from gateway.logins import REFUSAL_DELAY_S
from gateway.ping import ping
from tests.gateway.test_server import (
    AMQP_HEADER,
    AMQP_START,
    ANSWER_S,
    MQTT_CONNACK,
    MQTT_CONNECT,
    Running,
    _read,
    _read_to_the_end,
    running,
)

HOST: Final = "broker.example"
SHOP: Final = {"name": "shop", "permission": [{"configure": ".*", "write": ".*", "read": ".*"}]}
SHOPS_FROM_HERE: Final = {**SHOP, "loopback_only": True}
SUBJECT: Final = (
    (("countryName", "CH"),),
    (("organizationName", "Sea, Salt + Sons"),),
    (("organizationalUnitName", "#1 "), ("serialNumber", "7")),
    (("commonName", "shop"),),
)

# Which name of the certificate, the certificate as ssl shows it, and the user.
NAMES: Final[dict[str, tuple[str, dict[str, Any], str]]] = {
    "common name": (COMMON_NAME, {"subject": SUBJECT}, "shop"),
    "no common name": (COMMON_NAME, {"subject": SUBJECT[:2]}, ""),
    "two common names": (COMMON_NAME, {"subject": (*SUBJECT, (("commonName", "admin"),))}, ""),
    "no subject": (COMMON_NAME, {}, ""),
    "distinguished name": (
        DISTINGUISHED_NAME,
        {"subject": SUBJECT},
        r"CN=shop,OU=\#1\ +SERIALNUMBER=7,O=Sea\, Salt \+ Sons,C=CH",
    ),
    "a value that is one blank": (DISTINGUISHED_NAME, {"subject": ((("commonName", " "),),)}, "CN=\\ "),
    "an attribute without a short name": (DISTINGUISHED_NAME, {"subject": ((("1.2.3", "x"),),)}, "1.2.3=x"),
    "an empty distinguished name": (DISTINGUISHED_NAME, {"subject": ()}, ""),
    "alternative name": (SUBJECT_ALTERNATIVE_NAME, {"subjectAltName": (("DNS", "shop.example"),)}, "shop.example"),
    "e-mail address": (
        SUBJECT_ALTERNATIVE_NAME,
        {"subjectAltName": (("IP Address", "::1"), ("email", "shop@example.org"))},
        "shop@example.org",
    ),
    "two alternative names": (SUBJECT_ALTERNATIVE_NAME, {"subjectAltName": (("DNS", "a"), ("DNS", "b"))}, ""),
    "no alternative name": (SUBJECT_ALTERNATIVE_NAME, {"subject": SUBJECT}, ""),
}


@pytest.mark.parametrize("case", NAMES.values(), ids=[name.replace(" ", "-") for name in NAMES])
def test_a_certificate_names_one_user_or_nobody(case: tuple[str, dict[str, Any], str]) -> None:
    user_from, certificate, user = case
    assert user_named(certificate, user_from) == user


class Authorities:
    """The authority of the broker's certificate and that of its clients, with files for the broker."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.servers = trustme.CA(key_type=trustme.KeyType.ECDSA)
        self.clients = trustme.CA(key_type=trustme.KeyType.ECDSA)
        self.servers.issue_cert(HOST, "127.0.0.1").private_key_and_cert_chain_pem.write_to_path(folder / "broker.pem")
        self.clients.cert_pem.write_to_path(folder / "clients.pem")

    def listener(self, protocol: str = "amqp", **keys: Any) -> dict[str, Any]:
        """Return a listener that asks clients for a certificate."""
        own = str(self.folder / "broker.pem")
        files = {"certificate": own, "key": own, "client_ca": str(self.folder / "clients.pem")}
        checked = Config.model_validate(
            {"listener": [{"protocol": protocol, "address": "127.0.0.1:0", **files, **keys}]}
        )
        return checked.listener[0].model_dump(exclude_unset=True, mode="json")

    def client(self, common_name: str = "", *, of: trustme.CA | None = None) -> ssl.SSLContext:
        """Return the TLS of a client that has a certificate with a common name, or none."""
        context = ssl.create_default_context()
        self.servers.configure_trust(context)
        if common_name:
            (of or self.clients).issue_cert("client.example", common_name=common_name).configure_cert(context)
        return context


@pytest.fixture
def authorities(tmp_path: Path) -> Authorities:
    return Authorities(tmp_path)


async def tls_to(broker: Running, protocol: str, context: ssl.SSLContext) -> trio.SSLStream[trio.SocketStream]:
    return trio.SSLStream(await broker.connect(protocol), context, server_hostname=HOST, https_compatible=True)


async def greeted(stream: trio.abc.Stream) -> str:
    """Send the protocol header and return the mechanisms that are offered."""
    await stream.send_all(AMQP_HEADER)
    found = b""
    with trio.fail_after(ANSWER_S):
        while not found.endswith(b"\xce"):
            found += await stream.receive_some()
    assert found.startswith(AMQP_START)
    start = frame.unmarshal(found)[2]
    assert isinstance(start, commands.Connection.Start)
    return str(start.mechanisms)


async def answer_to_external(stream: trio.abc.Stream) -> object:
    traits: FieldTable = {"capabilities": {"authentication_failure_close": True}}
    await stream.send_all(frame.marshal(commands.Connection.StartOk(traits, "EXTERNAL", "", "en_US"), 0))
    found = await _read(stream, 12)
    size = int.from_bytes(found[3:7], "big")
    return frame.unmarshal(found + await _read(stream, size + 8 - len(found)))[2]


@pytest.mark.parametrize("protocol", ["amqp", "auto"])
@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
async def test_a_client_logs_in_by_its_certificate(
    authorities: Authorities, protocol: str, version: ssl.TLSVersion
) -> None:
    context = authorities.client("shop")
    context.maximum_version = version
    async with running(listener=[authorities.listener(protocol)], user=[SHOP]) as broker:
        stream = await tls_to(broker, protocol, context)
        assert await greeted(stream) == "PLAIN AMQPLAIN EXTERNAL"
        assert isinstance(await answer_to_external(stream), commands.Connection.Tune)


async def test_a_user_from_loopback_only_may_come_from_there_with_a_certificate(authorities: Authorities) -> None:
    async with running(listener=[authorities.listener()], user=[SHOPS_FROM_HERE]) as broker:
        stream = await tls_to(broker, "amqp", authorities.client("shop"))
        await greeted(stream)
        assert isinstance(await answer_to_external(stream), commands.Connection.Tune)


async def test_a_certificate_of_nobody_known_is_refused_after_a_delay(
    authorities: Authorities, mock_clock: trio.testing.MockClock
) -> None:
    async with running(listener=[authorities.listener()], user=[SHOP]) as broker:
        stream = await tls_to(broker, "amqp", authorities.client("stranger"))
        await greeted(stream)
        mock_clock.rate = 4.0
        answer = await answer_to_external(stream)
        assert trio.current_time() >= REFUSAL_DELAY_S
    assert isinstance(answer, commands.Connection.Close)
    assert answer.reply_code == 403


async def test_the_name_is_taken_from_where_the_configuration_says(authorities: Authorities) -> None:
    listener = authorities.listener(certificate_user="subject_alternative_name")
    user = {**SHOP, "name": "client.example"}
    async with running(listener=[listener], user=[user]) as broker:
        stream = await tls_to(broker, "amqp", authorities.client("stranger"))
        await greeted(stream)
        assert isinstance(await answer_to_external(stream), commands.Connection.Tune)


async def test_without_a_certificate_external_is_not_offered(authorities: Authorities) -> None:
    async with running(listener=[authorities.listener()], user=[SHOP]) as broker:
        assert await greeted(await tls_to(broker, "amqp", authorities.client())) == "PLAIN AMQPLAIN"


async def test_a_listener_that_asks_for_no_certificate_sees_none(authorities: Authorities) -> None:
    listener = authorities.listener()
    del listener["client_ca"]
    async with running(listener=[listener], user=[SHOP]) as broker:
        assert await greeted(await tls_to(broker, "amqp", authorities.client("shop"))) == "PLAIN AMQPLAIN"


async def _is_turned_away(stream: trio.abc.Stream) -> bool:
    try:
        await stream.send_all(AMQP_HEADER)
        return await _read_to_the_end(stream) == b""
    except trio.BrokenResourceError:
        return True


async def test_a_certificate_of_another_authority_ends_the_connection(authorities: Authorities) -> None:
    async with running(listener=[authorities.listener()], user=[SHOP]) as broker:
        forged = authorities.client("shop", of=trustme.CA(key_type=trustme.KeyType.ECDSA))
        assert await _is_turned_away(await tls_to(broker, "amqp", forged))


@pytest.mark.parametrize("protocol", ["amqp", "auto"])
async def test_a_certificate_that_is_required_must_be_shown(authorities: Authorities, protocol: str) -> None:
    listener = authorities.listener(protocol, client_certificate="required")
    async with running(listener=[listener], user=[SHOP]) as broker:
        assert await _is_turned_away(await tls_to(broker, protocol, authorities.client()))
        assert await _is_turned_away(await broker.connect(protocol))  # nor is anybody let in without TLS
        assert await greeted(await tls_to(broker, protocol, authorities.client("shop"))) == "PLAIN AMQPLAIN EXTERNAL"


async def test_a_certificate_can_be_required_in_every_protocol(authorities: Authorities) -> None:
    listener = authorities.listener("mqtt", client_certificate="required")
    async with running(listener=[listener], user=[SHOP], anonymous="shop") as broker:
        stream = await tls_to(broker, "mqtt", authorities.client("shop"))
        await stream.send_all(MQTT_CONNECT)
        assert await _read(stream, len(MQTT_CONNACK)) == MQTT_CONNACK
        assert await _is_turned_away(await tls_to(broker, "mqtt", authorities.client()))


@pytest.mark.parametrize("protocol", ["amqp", "auto", "mqtt"])
async def test_ping_is_answered_where_a_certificate_is_required(authorities: Authorities, protocol: str) -> None:
    keys = authorities.listener(protocol, client_certificate="required")
    async with running(listener=[keys], user=[SHOP]) as broker:
        keys["address"] = f"127.0.0.1:{broker.listening[protocol].port}"
        (listener,) = Config.model_validate({"listener": [keys]}).listener
        with trio.fail_after(ANSWER_S):
            await trio.to_thread.run_sync(ping, listener)


async def test_anonymous_is_offered_only_where_the_configuration_names_the_user() -> None:
    listener = [{"protocol": "amqp", "address": "127.0.0.1:0"}]
    async with running(listener=listener) as broker:
        assert await greeted(await broker.connect("amqp")) == "PLAIN AMQPLAIN"
    async with running(listener=listener, user=[SHOP], anonymous="shop") as broker:
        assert await greeted(await broker.connect("amqp")) == "PLAIN AMQPLAIN ANONYMOUS"
