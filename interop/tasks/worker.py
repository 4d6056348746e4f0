"""A Celery worker as a process of its own, and the application that talks to it."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any, Final

from celery import Celery
from kombu.exceptions import OperationalError

from interop.broker import CHECKOUT, Endpoint
from interop.tasks.app import SETTINGS, make_app

START_LIMIT_S: Final = 30.0  # imports on a busy machine
STOP_LIMIT_S: Final = 5.0
PING_S: Final = 0.25


class Worker:
    """One running worker. `backend` is where results go; `options` are those of `celery worker`."""

    def __init__(
        self,
        endpoint: Endpoint,
        folder: Path,
        queue: str,
        *options: str,
        backend: str = "rpc://",
        queue_type: str = "classic",
    ) -> None:
        broker = f"amqp://{endpoint.user}:{endpoint.password}@{endpoint.host}:{endpoint.ports['amqp']}//"
        settings = (broker, backend, queue, queue_type)
        self.node = f"{queue}@interop"
        self.app: Celery = make_app(*settings)
        self.log_path = folder / f"{queue}.log"
        self._log = self.log_path.open("wb")
        path = os.pathsep.join(filter(None, (str(CHECKOUT), os.environ.get("PYTHONPATH", ""))))
        self._process = subprocess.Popen(
            [
                sys.executable,
                "-m",
                "celery",
                "-A",
                "interop.tasks.app",
                "worker",
                "-n",
                self.node,
                "-l",
                "INFO",
                *options,
            ],
            cwd=folder,
            env={**os.environ, "PYTHONPATH": path, **dict(zip(SETTINGS, settings, strict=True))},
            stdin=subprocess.DEVNULL,
            stdout=self._log,
            stderr=subprocess.STDOUT,
            start_new_session=True,  # the pool's processes end with their group
        )
        try:
            self.wait_until_ready()
        except BaseException:
            self.close()
            raise

    @property
    def log(self) -> str:
        return self.log_path.read_text(errors="replace")

    @property
    def exit_code(self) -> int | None:
        return self._process.poll()

    def send(self, task: str, *arguments: Any, **options: Any) -> Any:
        """Send a task of the application and return its result-to-be."""
        return self.app.tasks[f"interop.{task}"].apply_async(arguments, **options)

    def inspect(self, timeout_s: float = PING_S * 4) -> Any:
        """Return Celery's inspection of this worker alone."""
        return self.app.control.inspect([self.node], timeout=timeout_s, limit=1)

    def wait_until_ready(self) -> None:
        """Return when the worker answers a ping by remote control, however often the broker cuts the connection."""
        give_up = time.monotonic() + START_LIMIT_S
        while not self._answers():
            assert self.exit_code is None, f"the worker ended with {self.exit_code}\n{self.log}"
            assert time.monotonic() < give_up, f"no answer within {START_LIMIT_S} s\n{self.log}"

    def _answers(self) -> bool:
        try:
            return bool(self.inspect(PING_S).ping())
        except (OSError, OperationalError):
            return False

    def wait_for_exit(self) -> int:
        """Return the exit code of a worker that was told to end."""
        return self._process.wait(STOP_LIMIT_S)

    def kill(self) -> None:
        """End the worker and its pool as a power cut does."""
        os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()

    def close(self) -> None:
        """End the worker and its pool and close the application's connections."""
        if self.exit_code is None:
            self._process.send_signal(signal.SIGTERM)
            try:
                self._process.wait(STOP_LIMIT_S)
            except subprocess.TimeoutExpired:
                self.kill()
        self._log.close()
        self.app.close()
