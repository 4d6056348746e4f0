"""Dragoman, from `DRAGOMAN_COMMAND` or the command installed beside this interpreter."""

import os
import shlex
import shutil
import sys
from pathlib import Path

from bench.peers.broker import Broker, output_of


class Dragoman(Broker):
    """Ours, one listener a protocol, a log of warnings, and defaults otherwise."""

    name = "ours"
    protocols = ("amqp", "mqtt", "stomp")

    def command(self) -> list[str]:
        """Return how to start it; relative programs count from the folder the bench was started in."""
        given = shlex.split(os.environ.get("DRAGOMAN_COMMAND", ""))
        if not given:
            given = [str(Path(sys.executable).with_name("dragoman"))]
        if "/" in given[0]:
            given[0] = str(Path(given[0]).absolute())
        return given

    def missing(self) -> str:
        program = self.command()[0]
        return "" if shutil.which(program) else f"{program} (set DRAGOMAN_COMMAND)"

    def version(self) -> str:
        return output_of([*self.command(), "--version"]).strip().rpartition(" ")[2]

    def prepare(self) -> tuple[list[str], dict[str, str]]:
        config = self.folder / "dragoman.toml"
        config.write_text(
            "".join(
                f'[[listener]]\nprotocol = "{protocol}"\naddress = "127.0.0.1:{port}"\n\n'
                for protocol, port in self.ports.items()
            )
            + '[log]\nlevel = "warning"\n\n'  # as the peers, no line for each connection
            + self.settings
        )
        return [*self.command(), "serve", "--config", str(config)], {}
