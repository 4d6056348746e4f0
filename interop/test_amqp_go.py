"""amqp091-go against the broker: interop/go."""

from pathlib import Path

from interop import programs
from interop.broker import Endpoint


def test_amqp091_go(endpoint: Endpoint, tmp_path: Path) -> None:
    programs.needed("go")
    folder = programs.copied("go", tmp_path)
    programs.fetch("go", "test", "-c", "-o", "program.test", ".", folder=folder)
    report = programs.run("./program.test", "-test.v", folder=folder, endpoint=endpoint)
    assert "--- PASS: " in report
    assert "--- SKIP: " not in report
