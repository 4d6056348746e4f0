"""RabbitMQ with its MQTT and STOMP plugins, a node of its own with its own name, database, log, cookie and epmd.

Settings are the defaults; logging is at `error`. A node started by root has root as its user: everything is in the
temporary folder, and nothing of an installed service is touched.
"""

import contextlib
import os
import shutil
import signal
import subprocess

from bench.peers.broker import Broker, free_port, output_of


class RabbitMQ(Broker):
    """The AMQP and STOMP broker to compare with."""

    name = "rabbitmq"
    protocols = ("amqp", "mqtt", "stomp")

    def __init__(self) -> None:
        super().__init__()
        self.epmd: subprocess.Popen[bytes] | None = None

    def script(self) -> str:
        """Return the server script itself: the packaged command changes user and folder first."""
        for pattern in ("/usr/lib/rabbitmq/bin/rabbitmq-server",):
            if shutil.which(pattern):
                return pattern
        return shutil.which("rabbitmq-server") or shutil.which("rabbitmq-server", path="/usr/sbin") or ""

    def missing(self) -> str:
        if not self.script():
            return "rabbitmq-server"
        return "" if shutil.which("epmd") else "epmd"

    def version(self) -> str:
        command = ["dpkg-query", "-W", "-f", "${Version}", "rabbitmq-server"]
        return output_of(command).partition("-")[0] if shutil.which("dpkg-query") else ""

    def prepare(self) -> tuple[list[str], dict[str, str]]:
        folder = self.folder
        (folder / "rabbitmq.conf").write_text(
            f"listeners.tcp.1 = 127.0.0.1:{self.ports['amqp']}\n"
            f"mqtt.listeners.tcp.1 = 127.0.0.1:{self.ports['mqtt']}\n"
            f"stomp.listeners.tcp.1 = 127.0.0.1:{self.ports['stomp']}\n"
            "log.file.level = error\n"
            "log.console.level = error\n"
        )
        (folder / "enabled_plugins").write_text("[rabbitmq_mqtt,rabbitmq_stomp].\n")
        (folder / "home").mkdir()
        epmd_port = free_port()
        environment = {
            "HOME": str(folder / "home"),  # where the cookie goes
            "ERL_EPMD_PORT": str(epmd_port),
            "ERL_EPMD_ADDRESS": "127.0.0.1",
            "RABBITMQ_NODENAME": f"bench-{os.getpid()}@localhost",
            "RABBITMQ_DIST_PORT": str(free_port()),
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": "-kernel inet_dist_use_interface {127,0,0,1}",
            "RABBITMQ_MNESIA_BASE": str(folder / "mnesia"),
            "RABBITMQ_LOG_BASE": str(folder / "logs"),
            "RABBITMQ_CONFIG_FILE": str(folder / "rabbitmq.conf"),
            "RABBITMQ_CONF_ENV_FILE": str(folder / "rabbitmq-env.conf"),
            "RABBITMQ_ADVANCED_CONFIG_FILE": str(folder / "advanced.config"),
            "RABBITMQ_ENABLED_PLUGINS_FILE": str(folder / "enabled_plugins"),
            "RABBITMQ_PID_FILE": str(folder / "pid"),
        }
        self.epmd = subprocess.Popen(
            [
                shutil.which("epmd") or "epmd",
                "-port",
                str(epmd_port),
                "-address",
                "127.0.0.1",
                "-relaxed_command_check",
            ],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        return [self.script()], environment

    def pid(self) -> int:
        """Return the Erlang machine's process, which the script may have started as a child."""
        with contextlib.suppress(OSError, ValueError):
            return int((self.folder / "pid").read_text())
        return super().pid()

    def stop(self) -> None:
        super().stop()
        if self.epmd is not None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.epmd.pid, signal.SIGTERM)
            self.epmd.wait()
            self.epmd = None
