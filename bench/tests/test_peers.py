"""What the bench writes for a peer keeps to loopback and to its own folder."""

from pathlib import Path
from xml.etree import ElementTree

import pytest

from bench.peers.activemq import ActiveMQ

CORE = "{http://activemq.apache.org/schema/core}"


@pytest.fixture
def prepared(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[ActiveMQ, list[str]]:
    monkeypatch.setenv("ACTIVEMQ_HOME", "/opt/activemq")
    broker = ActiveMQ()
    broker.folder = tmp_path
    broker.ports = {"stomp": 61_613}
    return broker, broker.prepare()[0]


def test_activemq_listens_for_stomp_on_loopback_only(prepared: tuple[ActiveMQ, list[str]]) -> None:
    tree = ElementTree.parse(prepared[0].folder / "activemq.xml")
    assert [connector.get("uri") for connector in tree.iter(f"{CORE}transportConnector")] == ["stomp://127.0.0.1:61613"]


def test_activemq_writes_into_its_folder_only(prepared: tuple[ActiveMQ, list[str]]) -> None:
    broker, command = prepared
    tree = ElementTree.parse(broker.folder / "activemq.xml")
    assert [one.get("dataDirectory") for one in tree.iter(f"{CORE}broker")] == [str(broker.folder / "data")]
    for setting in ("java.io.tmpdir", "activemq.base", "activemq.conf", "activemq.data"):
        (found,) = [argument for argument in command if argument.startswith(f"-D{setting}=")]
        assert Path(found.partition("=")[2]).is_relative_to(broker.folder)


def test_activemq_that_is_not_there_is_named_with_its_variable(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("ACTIVEMQ_HOME", str(tmp_path))
    assert ActiveMQ().missing() == f"{tmp_path}/bin/activemq.jar (set ACTIVEMQ_HOME)"


def test_the_version_of_a_distribution_is_that_of_its_broker(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "lib").mkdir()
    (tmp_path / "lib" / "activemq-broker-5.18.6.jar").touch()
    monkeypatch.setenv("ACTIVEMQ_HOME", str(tmp_path))
    assert ActiveMQ().version() == "5.18.6"
