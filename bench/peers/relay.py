"""The generator's own relay as a peer: what a broker that looks at nothing would reach."""

import sys

from bench.build import generator_root
from bench.peers.broker import Broker


class Relay(Broker):
    """Copies bytes from the publisher to the subscribers."""

    name = "relay"
    protocols = ("mqtt",)

    def __init__(self, mode: str = "relay") -> None:
        super().__init__()
        self.mode = mode

    def missing(self) -> str:
        return ""

    def version(self) -> str:
        return ""

    def prepare(self) -> tuple[list[str], dict[str, str]]:
        root = str(generator_root(quiet=True))
        command = [sys.executable, "-m", "bench.load", self.mode, str(self.ports["mqtt"])]
        return command, {"PYTHONPATH": root, "PYTHONSAFEPATH": "1"}
