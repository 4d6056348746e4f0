"""One broker process: free ports, a temporary folder, a start that waits for its listeners, and a certain end.

Everything listens on 127.0.0.1 only, everything written goes into the temporary folder, and what was started is ended
by its process id with SIGTERM, and what is left of its process group with SIGKILL.
"""

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from abc import ABC, abstractmethod
from pathlib import Path
from typing import Final

START_S: Final = 60.0
STOP_S: Final = 10.0
LOG_TAIL_BYTES: Final = 2_000
RETRY_S: Final = 0.005  # between attempts to connect to a broker that starts with a backlog
CONNECT: Final = b"\x10\x1f\x00\x04MQTT\x04\xc2\x00\x00\x00\x05probe\x00\x05guest\x00\x05guest"
CONNACK: Final = b"\x20\x02\x00\x00"


class StartError(Exception):
    """A broker did not come up; the message has the end of its log."""


def free_port() -> int:
    """Return a port that nobody listens on now, outside the range the kernel gives to clients."""
    for port in range(20_000 + os.getpid() % 4_000, 32_000):
        if port not in _taken:
            with socket.socket() as probe:
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                with contextlib.suppress(OSError):
                    probe.bind(("127.0.0.1", port))
                    _taken.add(port)
                    return port
    raise StartError("no free port below 32000")


_taken: set[int] = set()


class Broker(ABC):
    """A broker that can be started and stopped any number of times."""

    name: str
    protocols: tuple[str, ...]
    warm_up_s = 0.0  # of the work it does after its start, beside the bench's own warm-up

    def __init__(self) -> None:
        self.ports: dict[str, int] = {}
        self.settings = ""  # of the work item, for ours
        self.folder = Path()
        self.process: subprocess.Popen[bytes] | None = None

    @abstractmethod
    def missing(self) -> str:
        """Return what is not installed, or an empty string."""

    @abstractmethod
    def version(self) -> str:
        """Return the version, from the program itself."""

    @abstractmethod
    def prepare(self) -> tuple[list[str], dict[str, str]]:
        """Write the configuration into `folder` and return the command and what to add to its environment."""

    def pid(self) -> int:
        """Return the process whose memory and processor time count."""
        if self.process is None:
            raise StartError(f"{self.name} is not running")
        return self.process.pid

    def running(self) -> bool:
        return self.process is not None and self.process.poll() is None

    def start(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix=f"bench-{self.name}-"))
        self.ports = {protocol: free_port() for protocol in self.protocols}
        try:
            self._launch(*self.prepare())
            self._await_listeners()
        except BaseException:
            self.stop()
            raise

    def _launch(self, command: list[str], environment: dict[str, str]) -> None:
        with (self.folder / "log").open("ab") as log:
            self.process = subprocess.Popen(
                command,
                cwd=self.folder,
                env={**os.environ, **environment},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,  # a process group of its own; Ctrl-C reaches only the bench
            )

    def restart(self) -> float:
        """Stop it in order, start it in the same folder, and return the seconds until a client of MQTT is let in."""
        process = self.process
        if process is None or "mqtt" not in self.ports:
            raise StartError(f"{self.name} is not running, or has no MQTT")
        process.terminate()
        try:
            process.wait(START_S)
        except subprocess.TimeoutExpired:
            raise StartError(f"{self.name} did not stop within {START_S:.0f} s") from None
        started = time.monotonic()
        self._launch(*self.prepare())
        while time.monotonic() < started + START_S:
            if not self.running():
                break
            if _lets_in(self.ports["mqtt"]):
                return time.monotonic() - started
            time.sleep(RETRY_S)
        raise StartError(f"{self.name} did not start again:\n{self._log_tail()}")

    def _await_listeners(self) -> None:
        deadline = time.monotonic() + START_S
        waiting = list(self.ports.values())
        while waiting:
            if not self.running() or time.monotonic() > deadline:
                raise StartError(f"{self.name} did not start:\n{self._log_tail()}")
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", waiting[0]), 1.0):
                waiting.pop(0)
                continue
            time.sleep(0.05)

    def _log_tail(self) -> str:
        try:
            return (self.folder / "log").read_bytes()[-LOG_TAIL_BYTES:].decode(errors="replace")
        except OSError as error:
            return str(error)

    def stop(self) -> None:
        process = self.process
        if process is not None:
            pid = self.pid()
            self.process = None
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGTERM)
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(STOP_S)
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
        if self.folder != Path():
            shutil.rmtree(self.folder, ignore_errors=True)
            self.folder = Path()


def _lets_in(port: int) -> bool:
    """Tell whether a client of MQTT is let in."""
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), START_S) as sock:
        sock.sendall(CONNECT)
        return sock.recv(len(CONNACK), socket.MSG_WAITALL) == CONNACK
    return False


def output_of(command: list[str]) -> str:
    """Return what a short command prints, or an empty string."""
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=START_S)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout + done.stderr
