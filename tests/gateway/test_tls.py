"""TLS as a filter: a handshake in any pieces, all bytes both ways, and peers that get it wrong."""

import ssl
from collections.abc import Iterator
from pathlib import Path

import pytest
import structlog.testing
import trustme

from gateway.filters import Filter, TlsFilter
from gateway.tls import server_context
from tests.gateway.rig import Client, TlsClient, rig

HOST = "broker.example"


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA(key_type=trustme.KeyType.ECDSA)


@pytest.fixture(scope="module")
def context(authority: trustme.CA, tmp_path_factory: pytest.TempPathFactory) -> ssl.SSLContext:
    folder = tmp_path_factory.mktemp("tls")
    _write(authority.issue_cert(HOST), folder)
    return server_context(folder / "cert.pem", folder / "key.pem")


@pytest.fixture
def client_context(authority: trustme.CA) -> ssl.SSLContext:
    made = ssl.create_default_context()
    authority.configure_trust(made)
    return made


@pytest.fixture
def client(context: ssl.SSLContext) -> Iterator[Client]:
    with rig() as r:
        yield r.connect(filters=(TlsFilter(context),))


def _write(certificate: trustme.LeafCert, folder: Path) -> None:
    certificate.cert_chain_pems[0].write_to_path(folder / "cert.pem")
    certificate.private_key_pem.write_to_path(folder / "key.pem")


def _read(tls: TlsClient, size: int) -> bytes:
    found = bytearray()
    while len(found) < size:
        chunk = tls.do(lambda: tls.tls.read(1 << 16))
        assert isinstance(chunk, bytes)
        found += chunk
    return bytes(found)


@pytest.mark.parametrize("piece_bytes", [1, 1 << 20])
def test_a_handshake_is_made_in_any_pieces(client: Client, client_context: ssl.SSLContext, piece_bytes: int) -> None:
    tls = TlsClient(client, client_context, HOST)
    tls.do(tls.tls.do_handshake, piece_bytes=piece_bytes)
    assert tls.tls.version() == "TLSv1.3"
    tls.tls.write(b"hello")
    assert _read(tls, 5) == b"hello"
    assert client.machine.received == [b"hello"]


def test_what_is_sent_before_the_handshake_is_done_waits_for_it(client: Client, client_context: ssl.SSLContext) -> None:
    client.machine.write(b"early")
    tls = TlsClient(client, client_context, HOST)
    assert client.nothing_comes()
    tls.do(tls.tls.do_handshake)
    assert _read(tls, 5) == b"early"


def test_large_output_arrives_whole(client: Client, client_context: ssl.SSLContext) -> None:
    data = b"".join(number.to_bytes(4, "big") for number in range(1 << 18))
    client.machine.on_receive = lambda _: client.machine.write(data)
    tls = TlsClient(client, client_context, HOST)
    tls.do(tls.tls.do_handshake)
    tls.tls.write(b"go")
    assert _read(tls, len(data)) == data
    assert client.machine.output_bytes == 0


def test_the_peers_good_bye_is_the_end_of_the_stream(client: Client, client_context: ssl.SSLContext) -> None:
    client.machine.on_receive = lambda _: None
    tls = TlsClient(client, client_context, HOST)
    tls.do(tls.tls.do_handshake)
    tls.tls.write(b"last")
    tls.do(tls.tls.unwrap)
    assert client.machine.received == [b"last", b""]
    assert client.has_ended()


def test_our_good_bye_comes_behind_the_last_bytes(client: Client, client_context: ssl.SSLContext) -> None:
    tls = TlsClient(client, client_context, HOST)
    tls.do(tls.tls.do_handshake)
    client.link.shut_down()
    assert _read(tls, 8) == b"good-bye"
    assert tls.do(lambda: tls.tls.read(1)) == b""  # close_notify, and not a stream that was cut


@pytest.mark.parametrize("start", [b"CONNECT\n\n\0", b"\x16\x03\x01\x00\x05hello", b"\x00" * 100])
def test_what_is_no_tls_closes_the_connection_with_a_note(client: Client, start: bytes) -> None:
    with structlog.testing.capture_logs() as logs:
        client.send(start)
        client.read_to_the_end()
    assert client.machine.received == []
    assert client.has_ended()
    assert [entry["event"] for entry in logs] == ["connection refused"]
    assert logs[0]["detail"].startswith("TLS: ")
    assert client.rig.broker.counters.internal_errors == 0


def test_a_record_that_was_changed_on_the_way_closes_the_connection(
    client: Client, client_context: ssl.SSLContext
) -> None:
    tls = TlsClient(client, client_context, HOST)
    tls.do(tls.tls.do_handshake)
    tls.tls.write(b"hello")
    record = bytearray(tls.outgoing.read())
    record[-1] ^= 1
    with structlog.testing.capture_logs() as logs:
        client.send(bytes(record))
    assert client.machine.received == []
    assert [entry["event"] for entry in logs] == ["connection refused"]


def test_tls_older_than_1_2_is_not_spoken(context: ssl.SSLContext) -> None:
    assert context.minimum_version is ssl.TLSVersion.TLSv1_2


def test_a_certificate_with_another_key_is_refused(authority: trustme.CA, tmp_path: Path) -> None:
    _write(authority.issue_cert(HOST), tmp_path)
    authority.issue_cert(HOST).private_key_pem.write_to_path(tmp_path / "key.pem")
    with pytest.raises(ssl.SSLError, match="KEY_VALUES_MISMATCH"):
        server_context(tmp_path / "cert.pem", tmp_path / "key.pem")


def test_certificate_and_key_may_share_a_file(authority: trustme.CA, tmp_path: Path) -> None:
    authority.issue_cert(HOST).private_key_and_cert_chain_pem.write_to_path(tmp_path / "both.pem")
    assert server_context(tmp_path / "both.pem", None).get_ciphers()


class Reversing(Filter):
    """Turns every chunk around."""

    def received(self, data: bytes) -> bytes:
        return data[::-1]

    def sending(self, data: bytes) -> bytes:
        return data[::-1]


def test_filters_are_passed_from_the_outside_in_and_back(
    context: ssl.SSLContext, client_context: ssl.SSLContext
) -> None:
    with rig() as r:
        client = r.connect(filters=(TlsFilter(context), Reversing()))
        tls = TlsClient(client, client_context, HOST)
        tls.do(tls.tls.do_handshake)
        tls.tls.write(b"abc")
        assert _read(tls, 3) == b"abc"
        assert client.machine.received == [b"cba"]
