"""amqplib from npm against the broker: interop/node."""

from pathlib import Path

from interop import programs
from interop.broker import Endpoint


def test_amqplib_for_node(endpoint: Endpoint, tmp_path: Path) -> None:
    programs.needed("node", "npm")
    folder = programs.copied("node", tmp_path)
    programs.fetch("npm", "install", "--no-audit", "--no-fund", "--no-package-lock", "--ignore-scripts", folder=folder)
    report = programs.run("node", "--test", folder=folder, endpoint=endpoint)
    assert "# fail 0" in report
    assert "# pass 0" not in report
