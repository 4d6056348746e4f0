"""STOMP by the libraries of Perl (Net::Stomp) and Ruby (the gem stomp), as Debian has them.

Where a language or its library is not on the machine, its tests are skipped.
"""

import base64
import json
import subprocess
from pathlib import Path
from typing import Final

import pytest

from interop.broker import Endpoint
from interop.clients import Connect, PahoDriver, PikaDriver, StompPyDriver, Topic
from interop.clients.driver import Driver
from interop.programs import needed

CLIENTS: Final = Path(__file__).parent / "clients"
RUN_LIMIT_S: Final = 20.0  # of a client, from its start to its end
BODIES: Final = [b"first", "grüße".encode(), b"0123456789" * 20_000, b"", b"a\0b\n\nc", b"end"]

# The command and the library that it needs, as the language asks for it.
LANGUAGES: Final = {
    "perl": (["perl", "-MNet::Stomp", "-e", "1"], "Net::Stomp (libnet-stomp-perl)", "stomp_client.pl"),
    "ruby": (["ruby", "-e", 'require "stomp"'], "the gem stomp (ruby-stomp)", "stomp_client.rb"),
}


@pytest.fixture(params=LANGUAGES)
def script(request: pytest.FixtureRequest) -> list[str]:
    """Return the command of a client."""
    language = str(request.param)
    needed(language)
    probe, library, name = LANGUAGES[language]
    if subprocess.run(probe, stdin=subprocess.DEVNULL, capture_output=True, check=False).returncode:
        pytest.skip(f"{library} is not installed")
    return [language, str(CLIENTS / name)]


@pytest.mark.parametrize("sender_kind", [PikaDriver, StompPyDriver, PahoDriver], ids=lambda kind: kind.name)
@pytest.mark.parametrize("port", ["stomp", "auto"])
@pytest.mark.parametrize("version", ["1.0", "1.1", "1.2"])
def test_messages_go_both_ways(
    connect: Connect,
    endpoint: Endpoint,
    name: str,
    script: list[str],
    version: str,
    port: str,
    sender_kind: type[Driver],
) -> None:
    elsewhere, sender = connect(PikaDriver), connect(sender_kind)
    elsewhere.subscribe(Topic(f"{name}.there"))
    where = [f"/topic/{name}.back", f"/topic/{name}.there"]
    login = [endpoint.user, endpoint.password]
    process = subprocess.Popen(
        [*script, endpoint.host, str(endpoint.ports[port]), version, *login, *where],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        assert [elsewhere.receive().body for _ in range(3)] == [b"number 0", b"number 1", b"number 2"]
        for body in BODIES:
            sender.publish(Topic(f"{name}.back"), body, durable=True)
        output, errors = process.communicate(timeout=RUN_LIMIT_S)
    finally:
        process.kill()
        process.wait()
    assert process.returncode == 0, errors
    assert [base64.b64decode(json.loads(line)["body"]) for line in output.splitlines()] == BODIES
