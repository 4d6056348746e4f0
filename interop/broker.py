"""The broker under test: where it listens, and how a process of it is started and stopped.

The command comes from `DRAGOMAN_COMMAND` (split as a shell does), else it is `python -m gateway` run from the checkout.
With `DRAGOMAN_HOST` set nothing is started: the broker there must listen on `DRAGOMAN_{AMQP,MQTT,STOMP,WEBSOCKET,AUTO}_PORT`,
know `DRAGOMAN_USER` with `DRAGOMAN_PASSWORD`, and have the rules of `FORWARDING` in its configuration.
"""

import os
import random
import shlex
import signal
import socket
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Final

CHECKOUT: Final = Path(__file__).resolve().parent.parent
START_LIMIT_S: Final = 30.0  # an interpreted start on a busy machine
STOP_LIMIT_S: Final = 5.0  # from a signal to the exit, whatever is connected
POLL_S: Final = 0.05
LASTING_PORTS: Final = (15_000, 30_000)  # below those that Linux gives to clients
PROTOCOLS: Final = ("amqp", "mqtt", "stomp", "websocket", "auto")
STANDARD_PORTS: Final = {"amqp": 5672, "mqtt": 1883, "stomp": 61613, "websocket": 15675, "auto": 5670}

FORWARDING: Final = """
[[forward]]
from = "/topic/interop.forward"
to = ["/queue/interop.forwarded", "/topic/interop.copy"]
keep = true

[[forward]]
from = "/queue/interop.moved"
to = ["/topic/interop.moved.here"]
keep = false
"""


@dataclass(frozen=True)
class Endpoint:
    """Where a broker listens and whom it knows. Without `named` MQTT clients may come without credentials."""

    host: str
    ports: dict[str, int]
    user: str
    password: str
    named: bool

    def at_auto_port(self) -> "Endpoint":
        """Return the same broker with every protocol on the port that detects the protocol."""
        return Endpoint(self.host, dict.fromkeys(PROTOCOLS, self.ports["auto"]), self.user, self.password, self.named)


def running_endpoint() -> Endpoint | None:
    """Return the broker that the environment names, if it names one."""
    host = os.environ.get("DRAGOMAN_HOST")
    if not host:
        return None
    ports = {name: int(os.environ.get(f"DRAGOMAN_{name.upper()}_PORT", STANDARD_PORTS[name])) for name in PROTOCOLS}
    user = os.environ.get("DRAGOMAN_USER", "guest")
    return Endpoint(host, ports, user, os.environ.get("DRAGOMAN_PASSWORD", "guest"), "DRAGOMAN_USER" in os.environ)


def free_ports(count: int) -> list[int]:
    """Return loopback ports that nobody listens on now."""
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    try:
        return [s.getsockname()[1] for s in sockets]
    finally:
        for s in sockets:
            s.close()


def lasting_ports() -> dict[str, int]:
    """Return ports that no outgoing connection gets while a broker is down, as one of the system's choice may."""
    found: dict[str, int] = {}
    while len(found) < len(PROTOCOLS):
        port = random.randrange(*LASTING_PORTS)
        try:
            socket.create_server(("127.0.0.1", port)).close()
        except OSError:
            continue
        found[PROTOCOLS[len(found)]] = port
    return found


def listeners(ports: dict[str, int]) -> str:
    """Return the configuration of one loopback listener a protocol."""
    return "".join(
        f'[[listener]]\nprotocol = "{name}"\naddress = "127.0.0.1:{port}"\n\n' for name, port in ports.items()
    )


def run(*arguments: str, cwd: Path) -> "subprocess.CompletedProcess[str]":
    """Run the command to its end and return what it printed."""
    command, environment = _command()
    return subprocess.run(
        [*command, *arguments],
        cwd=cwd,
        env=environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=START_LIMIT_S,
        check=False,
    )


def _command() -> tuple[list[str], dict[str, str]]:
    given = os.environ.get("DRAGOMAN_COMMAND")
    if given:
        words = shlex.split(given)
        if os.sep in words[0]:
            words[0] = str(Path(words[0]).absolute())
        return words, dict(os.environ)
    path = os.pathsep.join(filter(None, (str(CHECKOUT), os.environ.get("PYTHONPATH", ""))))
    return [sys.executable, "-m", "gateway"], {**os.environ, "PYTHONPATH": path}


class BrokerProcess:
    """One broker of our own, with its configuration and log in `folder`; with `ports` it listens where another did.

    Without `waits` it is still starting.
    """

    def __init__(
        self,
        folder: Path,
        more: str = "",
        *,
        first: str = "",
        ports: dict[str, int] | None = None,
        waits: bool = True,
    ) -> None:
        ports = ports or dict(zip(PROTOCOLS, free_ports(len(PROTOCOLS)), strict=True))
        self.endpoint = Endpoint("127.0.0.1", ports, "guest", "guest", named=False)
        self.log_path = folder / "broker.log"
        config = folder / "dragoman.toml"
        config.write_text(first + listeners(ports) + more)
        command, environment = _command()
        self._log: IO[bytes] = self.log_path.open("wb")
        self._process = subprocess.Popen(
            [*command, "serve", "--config", str(config)],
            cwd=folder,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=self._log,
            stderr=subprocess.STDOUT,
        )
        try:
            for port in ports.values() if waits else ():
                self._wait_until_accepting(port)
        except BaseException:
            self.kill()
            raise

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def log(self) -> str:
        return self.log_path.read_text(errors="replace")

    @property
    def alive(self) -> bool:
        return self._process.poll() is None

    def stop(self, number: signal.Signals = signal.SIGTERM) -> int:
        """Send a signal and return the exit code; AssertionError when it takes longer than it may."""
        self._process.send_signal(number)
        try:
            return self._process.wait(STOP_LIMIT_S)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"still running {STOP_LIMIT_S} s after {number.name}\n{self.log}") from None
        finally:
            self.kill()

    def strike(self) -> None:
        """Let the process execute nothing more, without waiting for the system to have cleaned up behind it."""
        self._process.kill()

    def kill(self) -> None:
        """End the process at once, if it runs."""
        if self.alive:
            self.strike()
            self._process.wait()
        self._log.close()

    def _wait_until_accepting(self, port: int) -> None:
        give_up = time.monotonic() + START_LIMIT_S
        while time.monotonic() < give_up:
            try:
                socket.create_connection(("127.0.0.1", port), timeout=1).close()
                return
            except OSError:
                pass
            try:
                code = self._process.wait(POLL_S)
            except subprocess.TimeoutExpired:
                continue
            raise AssertionError(f"the broker ended with {code} instead of listening\n{self.log}")
        raise AssertionError(f"nobody listens on port {port} after {START_LIMIT_S} s\n{self.log}")
