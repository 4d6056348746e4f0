"""Runs the work items on the brokers in alternation: ours, a peer, ours, a peer.

A broker is started when an item needs it and stopped when the next one does not, so that none idles beside a
measurement without being part of it. A run that fails is recorded with its reason; the rest goes on.
"""

import json
import os
import statistics
import subprocess
import sys
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final

from bench.items import Item
from bench.peers.broker import Broker, StartError

SLOWEST_BACKLOG: Final = 1_000  # messages a second, put and taken; a generator that needs longer is ended


@dataclass
class Settings:
    """What the command line asked for."""

    repeat: int
    seconds: float
    warmup_s: float
    window: int
    rate: int
    every_peer: bool
    messages: int = 0  # of a backlog, where it is not the item's number


@dataclass
class Result:
    """The runs of one item on one broker."""

    runs: list[dict[str, float]] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)

    def median(self, figure: str) -> float | None:
        values = [run[figure] for run in self.runs if figure in run]
        return statistics.median(values) if values else None


class Runner:
    """Owns the brokers for the length of a bench."""

    def __init__(self, brokers: dict[str, Broker], settings: Settings, root: Path) -> None:
        self.brokers = brokers
        self.settings = settings
        self.root = root  # where the generator is started
        self.serial = 0

    def run(self, group: list[Item]) -> list[tuple[Item, dict[str, Result]]]:
        """Perform items, in alternation, on every broker that is here and can do them."""
        results = [(item, {name: Result() for name in self._peers(item)}) for item in group]
        needed = {name for _, result in results for name in result}
        for name, broker in self.brokers.items():
            if name not in needed:
                broker.stop()
        for turn in range(self.settings.repeat):
            for item, result in results:
                for name in result:
                    self._one(item, name, result[name], turn + 1)
        return results

    def _peers(self, item: Item) -> list[str]:
        names = [name for name in item.peers if name in self.brokers]
        if not self.settings.every_peer:
            compared = {item.rival(row) for row in item.rows}
            names = [name for name in names if name in ("ours", "relay") or name in compared]
        return names

    def _one(self, item: Item, name: str, result: Result, turn: int) -> None:
        broker = self.brokers[name]
        figures: dict[str, Any]
        try:
            if item.fresh or not broker.running() or broker.settings != item.settings:
                broker.stop()
                broker.settings = item.settings
                broker.start()
                if broker.warm_up_s:
                    self._generate(item, broker, broker.warm_up_s)
            figures = self._generate(item, broker, self.settings.seconds)
            if item.after and "error" not in figures:
                figures["start_s"] = broker.restart()
                figures.update(
                    self._generate(replace(item, work=item.after), broker, self.settings.seconds, again=True)
                )
        except StartError as trouble:
            figures = {"error": str(trouble)}
        error = figures.pop("error", "")
        if error:
            result.errors.append(str(error))
            broker.stop()
            shown = f"failed: {error}"
        else:
            result.runs.append(figures)
            told = [f"{figures[row.figure]:,.3f} {row.unit}" for row in item.rows if row.figure in figures]
            shown = "  ".join(dict.fromkeys(told))  # once, where rows compare one figure with two peers
        print(f"bench: {item.name:24} {name:10} {turn}/{self.settings.repeat}  {shown}", file=sys.stderr, flush=True)

    def _generate(self, item: Item, broker: Broker, seconds: float, *, again: bool = False) -> dict[str, Any]:
        """Have the generator do its work; `again` it uses the names of the time before."""
        self.serial += not again
        numbers = {"window": self.settings.window, "rate": self.settings.rate, **item.numbers}
        if self.settings.messages and "messages" in numbers:
            numbers["messages"] = self.settings.messages
        order = {
            "item": item.order,
            "ports": broker.ports,
            "run": f"{os.getpid()}-{self.serial}",
            "broker_pid": broker.pid(),
            "seconds": seconds,
            "warmup_s": self.settings.warmup_s,
            "numbers": numbers,
        }
        command = [sys.executable, "-m", "bench.load", json.dumps(order)]
        limit_s = 120.0 + 4 * seconds + numbers.get("messages", 0) / SLOWEST_BACKLOG
        try:
            done = subprocess.run(command, cwd=self.root, capture_output=True, text=True, check=False, timeout=limit_s)
        except subprocess.TimeoutExpired:
            return {"error": f"the generator did not end within {limit_s:.0f} s"}
        if not done.stdout.strip():
            return {"error": f"the generator ended without a word: {done.stderr[-500:]}"}
        figures: dict[str, Any] = json.loads(done.stdout)
        return figures

    def stop(self) -> None:
        for broker in self.brokers.values():
            broker.stop()
