"""Clients that log in by a certificate (EXTERNAL), in pika, py-amqp and amqpstorm, and who is not let in by one.

These start a broker of their own, so they need the command and not only a running broker.
"""

import ssl
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import amqp
import pika
import pika.exceptions
import pytest
import trustme
from amqpstorm.connection import Connection as StormConnection
from pika.credentials import ExternalCredentials

from interop.broker import BrokerProcess, free_ports, running_endpoint
from interop.clients.driver import ANSWER_LIMIT_S

pytestmark = pytest.mark.skipif(running_endpoint() is not None, reason="DRAGOMAN_HOST names a running broker")

HOST: Final = "localhost"
CONFIGURATION: Final = """
[[listener]]
protocol = "amqp"
address = "127.0.0.1:{port}"
certificate = "broker.pem"
key = "broker.pem"
client_ca = "clients.pem"

[[user]]
name = "shop"

[[user.permission]]
configure = ".*"
write = ".*"
read = ".*"
"""


class Encrypted:
    """A broker whose AMQP clients may show a certificate, and the authorities of both sides."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._servers = trustme.CA()
        self._clients = trustme.CA()
        self._servers.issue_cert(HOST).private_key_and_cert_chain_pem.write_to_path(folder / "broker.pem")
        self._clients.cert_pem.write_to_path(folder / "clients.pem")
        (self.port,) = free_ports(1)
        self.process = BrokerProcess(folder, CONFIGURATION.format(port=self.port))

    def context(self, common_name: str = "") -> ssl.SSLContext:
        """Return the TLS of a client with a certificate of this name, or with none."""
        context = ssl.create_default_context()
        self._servers.configure_trust(context)
        if common_name:
            self._clients.issue_cert("client.example", common_name=common_name).configure_cert(context)
        return context

    def files(self, common_name: str) -> dict[str, Any]:
        """Return the same as settings of py-amqp, which takes files."""
        authority, own = self._folder / "broker-authority.pem", self._folder / f"{common_name}.pem"
        self._servers.cert_pem.write_to_path(authority)
        issued = self._clients.issue_cert("client.example", common_name=common_name)
        issued.private_key_and_cert_chain_pem.write_to_path(own)
        return {"ca_certs": authority, "certfile": own, "cert_reqs": ssl.CERT_REQUIRED, "server_hostname": HOST}


@pytest.fixture(scope="module")
def encrypted(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Encrypted]:
    made = Encrypted(tmp_path_factory.mktemp("certificates"))
    try:
        yield made
        assert made.process.stop() == 0, made.process.log
        assert "Traceback" not in made.process.log, made.process.log
    finally:
        made.process.kill()


def parameters(encrypted: Encrypted, context: ssl.SSLContext) -> pika.ConnectionParameters:
    return pika.ConnectionParameters(
        "127.0.0.1",
        encrypted.port,
        credentials=ExternalCredentials(),
        ssl_options=pika.SSLOptions(context, HOST),
        client_properties={"connection_name": "a shop's till"},
        blocked_connection_timeout=ANSWER_LIMIT_S,
        socket_timeout=ANSWER_LIMIT_S,
    )


def test_pika_logs_in_by_its_certificate(encrypted: Encrypted, name: str) -> None:
    with pika.BlockingConnection(parameters(encrypted, encrypted.context("shop"))) as connection:
        channel = connection.channel()
        channel.queue_declare(name, exclusive=True)
        # The user id is checked against who has logged in.
        channel.basic_publish("", name, b"x", pika.BasicProperties(user_id="shop"))
        _, properties, body = channel.basic_get(name, auto_ack=True)
        assert (properties.user_id, body) == ("shop", b"x")
    logins = [line for line in encrypted.process.log.splitlines() if "logged in" in line]
    assert any("shop" in line and "a shop's till" in line for line in logins), encrypted.process.log


def test_py_amqp_logs_in_by_its_certificate(encrypted: Encrypted, name: str) -> None:
    with amqp.Connection(
        f"127.0.0.1:{encrypted.port}",
        login_method="EXTERNAL",
        ssl=encrypted.files("shop"),
        connect_timeout=ANSWER_LIMIT_S,
    ) as connection:
        channel = connection.channel()
        assert channel.queue_declare(name, exclusive=True, auto_delete=True).queue == name


def test_amqpstorm_logs_in_by_its_certificate(encrypted: Encrypted, name: str) -> None:
    with StormConnection(
        "127.0.0.1",
        "",
        "",
        encrypted.port,
        ssl=True,
        ssl_options={"context": encrypted.context("shop"), "server_hostname": HOST},
        timeout=ANSWER_LIMIT_S,
    ) as connection:
        channel = connection.channel()
        assert channel.queue.declare(name, exclusive=True)["queue"] == name


def test_a_certificate_of_nobody_known_is_refused(encrypted: Encrypted) -> None:
    with pytest.raises(pika.exceptions.ProbableAuthenticationError):
        pika.BlockingConnection(parameters(encrypted, encrypted.context("stranger")))


def test_without_a_certificate_there_is_no_external(encrypted: Encrypted) -> None:
    with pytest.raises(pika.exceptions.AuthenticationError):
        pika.BlockingConnection(parameters(encrypted, encrypted.context()))
