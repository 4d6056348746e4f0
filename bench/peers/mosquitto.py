"""Mosquitto, with the limits lifted that would make the work impossible, and nothing written to disk.

- `max_inflight_messages 0` (no limit): at the default of 20 a publisher with more QoS 2 messages under way is
  disconnected, and QoS 1 was not faster.
- `max_queued_messages 0`: the default of 1,000 would drop messages of the window of 2,000.
- `max_connections -1` and no log: 10,000 idle connections, and no line of log for each.
"""

import getpass
import shutil

from bench.peers.broker import Broker, output_of


class Mosquitto(Broker):
    """The MQTT broker to compare with."""

    name = "mosquitto"
    protocols = ("mqtt",)

    def program(self) -> str:
        return shutil.which("mosquitto") or shutil.which("mosquitto", path="/usr/local/sbin:/usr/sbin") or ""

    def missing(self) -> str:
        return "" if self.program() else "mosquitto"

    def version(self) -> str:
        return output_of([self.program(), "-h"]).partition("\n")[0].rpartition(" ")[2]

    def prepare(self) -> tuple[list[str], dict[str, str]]:
        config = self.folder / "mosquitto.conf"
        config.write_text(
            f"listener {self.ports['mqtt']} 127.0.0.1\n"
            f"user {getpass.getuser()}\n"
            "allow_anonymous true\n"
            "max_inflight_messages 0\n"
            "max_queued_messages 0\n"
            "max_connections -1\n"
            "set_tcp_nodelay true\n"
            "persistence false\n"
            "sys_interval 0\n"
            "log_dest none\n"
            "connection_messages false\n"
        )
        return [self.program(), "-c", str(config)], {}
