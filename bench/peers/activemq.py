"""ActiveMQ Classic with its STOMP listener only, everything in memory.

The distribution is where `ACTIVEMQ_HOME` says, or Debian's. Settings are the distribution's, as far as they matter here:
a heap of 1 GiB, of which messages may fill half; limits of the disk that hold on a small one, since nothing is written
there; neither JMX nor the web console. Its other listener, `stomp+nio`, was slower.
"""

import os
import shutil
from pathlib import Path
from typing import Final

from bench.peers.broker import Broker, output_of

DEBIAN: Final = "/usr/share/activemq"
CONFIGURATION: Final = """\
<beans xmlns="http://www.springframework.org/schema/beans"
       xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"
       xsi:schemaLocation="http://www.springframework.org/schema/beans
                           http://www.springframework.org/schema/beans/spring-beans.xsd
                           http://activemq.apache.org/schema/core
                           http://activemq.apache.org/schema/core/activemq-core.xsd">
  <broker xmlns="http://activemq.apache.org/schema/core" brokerName="bench" dataDirectory="{data}"
          persistent="false" useJmx="false">
    <systemUsage>
      <systemUsage>
        <memoryUsage><memoryUsage limit="512 mb"/></memoryUsage>
        <storeUsage><storeUsage limit="64 mb"/></storeUsage>
        <tempUsage><tempUsage limit="64 mb"/></tempUsage>
      </systemUsage>
    </systemUsage>
    <transportConnectors>
      <transportConnector name="stomp" uri="stomp://127.0.0.1:{port}"/>
    </transportConnectors>
  </broker>
</beans>
"""
LOG: Final = """\
rootLogger.level = warn
rootLogger.appenderRef.console.ref = console
appender.console.type = Console
appender.console.name = console
appender.console.layout.type = PatternLayout
appender.console.layout.pattern = %d %p %m%n
"""
DEBIAN_LOG: Final = """\
log4j.rootLogger = WARN, console
log4j.appender.console = org.apache.log4j.ConsoleAppender
log4j.appender.console.layout = org.apache.log4j.PatternLayout
log4j.appender.console.layout.ConversionPattern = %d %p %m%n
"""  # log4j 1, which composes every line of debug when it is told nothing


class ActiveMQ(Broker):
    """The STOMP broker to compare with beside RabbitMQ."""

    name = "activemq"
    protocols = ("stomp",)
    warm_up_s = 15.0  # until its rate no longer grows: the virtual machine compiles what it runs

    def home(self) -> Path:
        return Path(os.environ.get("ACTIVEMQ_HOME", DEBIAN)).absolute()

    def launcher(self) -> Path:
        return self.home() / "bin" / "activemq.jar"

    def missing(self) -> str:
        if not self.launcher().exists():
            return f"{self.launcher()} (set ACTIVEMQ_HOME)"
        return "" if shutil.which("java") else "java"

    def version(self) -> str:
        if self.home() == Path(DEBIAN) and shutil.which("dpkg-query"):
            return output_of(["dpkg-query", "-W", "-f", "${Version}", "activemq"]).partition("+")[0]
        for jar in self.home().glob("lib/activemq-broker-*.jar"):
            return jar.stem.rpartition("-")[2]
        return ""

    def prepare(self) -> tuple[list[str], dict[str, str]]:
        folder = self.folder
        (folder / "data").mkdir()
        (folder / "tmp").mkdir()
        config = folder / "activemq.xml"
        config.write_text(CONFIGURATION.format(data=folder / "data", port=self.ports["stomp"]))
        (folder / "log4j2.properties").write_text(LOG)
        (folder / "log4j.properties").write_text(DEBIAN_LOG)
        command = [
            shutil.which("java") or "java",
            "-Xms64M",
            "-Xmx1G",
            f"-Djava.io.tmpdir={folder / 'tmp'}",
            f"-Dlog4j2.configurationFile={folder / 'log4j2.properties'}",
            f"-Dlog4j.configuration={(folder / 'log4j.properties').as_uri()}",
            f"-Dactivemq.home={self.home()}",
            f"-Dactivemq.base={folder}",
            f"-Dactivemq.conf={folder}",
            f"-Dactivemq.data={folder / 'data'}",
            "-jar",
            str(self.launcher()),
            "start",
            f"xbean:{config.as_uri()}",
        ]
        return command, {}
