"""The command line: `python -m bench`, see `docs/bench.md`."""

import argparse
import json
import os
import platform
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

from bench.build import generator_root
from bench.items import ITEMS, Item, groups
from bench.peers.activemq import ActiveMQ
from bench.peers.broker import Broker
from bench.peers.mosquitto import Mosquitto
from bench.peers.ours import Dragoman
from bench.peers.rabbitmq import RabbitMQ
from bench.peers.relay import Relay
from bench.runner import Result, Runner, Settings
from bench.table import lines, notes


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench", description="Ours and its peers, side by side.")
    parser.add_argument("--only", nargs="+", metavar="ITEM", choices=[item.name for item in ITEMS], default=[])
    parser.add_argument("--peers", default="ours,mosquitto,rabbitmq,activemq", help="of these and relay")
    parser.add_argument("--repeat", type=int, default=3, help="runs on each broker; the table has the medians")
    parser.add_argument("--seconds", type=float, default=4.0, help="measured time of a run")
    parser.add_argument("--warm-up", type=float, default=1.0, dest="warmup_s", help="seconds before it")
    parser.add_argument("--window", type=int, default=2_000, help="publications under way, in a closed loop")
    parser.add_argument("--rate", type=int, default=5_000, help="messages a second, where latency is measured")
    parser.add_argument("--messages", type=int, default=0, help="of a backlog; the default is a million")
    parser.add_argument("--every-peer", action="store_true", help="RabbitMQ does the MQTT work too")
    parser.add_argument("--json", type=Path, metavar="PATH", help="write every run's figures there")
    parser.add_argument("--list", action="store_true", help="list the work items and end")
    parser.add_argument("--sink", action="store_true", help="measure only how fast the generator can send")
    return parser.parse_args()


def present(wanted: list[str]) -> dict[str, Broker]:
    """Return the brokers that are asked for and installed, ours first."""
    known: list[Broker] = [Dragoman(), Mosquitto(), RabbitMQ(), ActiveMQ(), Relay()]
    unknown = set(wanted) - {broker.name for broker in known}
    if unknown:
        raise SystemExit(f"bench: no peer {', '.join(sorted(unknown))}")
    found: dict[str, Broker] = {}
    for broker in known:
        if broker.name not in wanted:
            continue
        lacking = broker.missing()
        if lacking:
            print(f"bench: without {broker.name}: not found: {lacking}", file=sys.stderr)
        else:
            found[broker.name] = broker
    return found


def machine() -> dict[str, Any]:
    model = platform.processor()
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            model = line.partition(":")[2].strip()
            break
    return {"cpu": model, "cores": os.cpu_count(), "kernel": platform.release(), "python": platform.python_version()}


def sink(root: Path, seconds: float) -> int:
    """Send QoS 0 publications to a process that discards them, and print the rate."""
    target = Relay("sink")
    target.start()
    try:
        order = {"item": "sink", "ports": target.ports, "run": "sink", "broker_pid": 0}
        command = [sys.executable, "-m", "bench.load", json.dumps({**order, "seconds": seconds, "warmup_s": 0})]
        done = subprocess.run(command, cwd=root, capture_output=True, text=True, check=True)
    finally:
        target.stop()
    figures = json.loads(done.stdout)
    print(f"the generator sends {figures['value']:,.0f} MQTT QoS 0 messages/s of 256 bytes to a sink")
    return 0


def report(results: list[tuple[Item, dict[str, Result]]], brokers: dict[str, Broker], versions: dict[str, str]) -> None:
    print()
    for line in lines(results, list(brokers)):
        print(line)
    print()
    print(", ".join(f"{name} {version}".strip() for name, version in versions.items()))
    for note in notes(results):
        print(f"- {note}")


def main() -> int:
    options = arguments()
    if options.list:
        for item in ITEMS:
            print(f"{item.name:24} {'; '.join(dict.fromkeys(row.label for row in item.rows))}")
        return 0
    signal.signal(signal.SIGTERM, lambda _number, _frame: sys.exit(143))
    root = generator_root()
    if options.sink:
        return sink(root, options.seconds)
    brokers = present(options.peers.split(","))
    settings = Settings(
        options.repeat,
        options.seconds,
        options.warmup_s,
        options.window,
        options.rate,
        options.every_peer,
        options.messages,
    )
    runner = Runner(brokers, settings, root)
    results: list[tuple[Item, dict[str, Result]]] = []
    versions = {name: broker.version() for name, broker in brokers.items()}
    stopped = ""
    try:
        for group in groups(options.only):
            results.extend(runner.run(group))
    except KeyboardInterrupt:
        stopped = "bench: stopped; the table has what was finished"
    finally:
        runner.stop()
    results.sort(key=lambda pair: ITEMS.index(pair[0]))  # what is compared with another item stays in its place
    if results:
        report(results, brokers, versions)
    if options.json is not None:
        document = {
            "machine": machine(),
            "versions": versions,
            "settings": vars(settings),
            "items": {
                item.name: {name: {"runs": one.runs, "errors": one.errors} for name, one in result.items()}
                for item, result in results
            },
        }
        options.json.write_text(json.dumps(document, indent=1) + "\n")
    if stopped:
        print(stopped, file=sys.stderr)
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
