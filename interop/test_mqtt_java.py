"""Enhanced authentication by HiveMQ's Java client, the one that does all of it: interop/java_mqtt."""

import os
from pathlib import Path

from interop import programs
from interop.broker import Endpoint


def test_scram_by_the_java_client(endpoint: Endpoint, tmp_path: Path) -> None:
    programs.needed("java", "javac", "mvn")
    folder = programs.copied("java_mqtt", tmp_path)
    programs.fetch("mvn", "-q", "-B", "dependency:copy-dependencies", "-DoutputDirectory=lib", folder=folder)
    programs.run("javac", "-cp", "lib/*", "-d", "classes", "ScramClient.java", folder=folder)
    place = (endpoint.host, str(endpoint.ports["mqtt"]), endpoint.user, endpoint.password)
    report = programs.run(
        "java", "-cp", os.pathsep.join(("lib/*", "classes")), "ScramClient", *place, folder=folder, endpoint=endpoint
    )
    assert report.count("ok ") == 7
    assert "not ok " not in report
