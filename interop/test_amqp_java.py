"""RabbitMQ's Java client against the broker: interop/java."""

import os
from pathlib import Path

from interop import programs
from interop.broker import Endpoint


def test_the_java_client(endpoint: Endpoint, tmp_path: Path) -> None:
    programs.needed("java", "javac", "mvn")
    folder = programs.copied("java", tmp_path)
    programs.fetch("mvn", "-q", "-B", "dependency:copy-dependencies", "-DoutputDirectory=lib", folder=folder)
    programs.run("javac", "-cp", "lib/*", "-d", "classes", "AmqpClient.java", folder=folder)
    report = programs.run(
        "java", "-cp", os.pathsep.join(("lib/*", "classes")), "AmqpClient", folder=folder, endpoint=endpoint
    )
    assert "ok " in report
    assert "not ok " not in report
