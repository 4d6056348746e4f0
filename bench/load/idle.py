"""Many idle MQTT connections: how fast they open and what each costs the broker in resident memory."""

import socket
import time
from pathlib import Path
from typing import Final

from bench.load import mqtt_frames as frames
from bench.load.link import WorkError, dial, read_exactly

AT_ONCE: Final = 64  # connections in their handshake; below any broker's listen backlog
SETTLE_ROUNDS: Final = 20
SETTLE_S: Final = 0.25


class IdleFigures:
    """What opening the connections showed."""

    def __init__(self) -> None:
        self.connections: int = 0
        self.seconds: float = 0.0
        self.growth_bytes: int = 0


def resident_bytes(pid: int) -> int:
    """Return VmRSS of a process."""
    for line in Path(f"/proc/{pid}/status").read_text(encoding="ascii", errors="replace").splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) * 1024
    raise WorkError(f"process {pid} tells no resident memory")


def settled_bytes(pid: int) -> int:
    """Return resident memory once two looks in a row agree within 64 KiB."""
    before = resident_bytes(pid)
    for _ in range(SETTLE_ROUNDS):
        time.sleep(SETTLE_S)
        now = resident_bytes(pid)
        if abs(now - before) < 65_536:
            return now
        before = now
    return before


def open_idle(port: int, connections: int, broker_pid: int) -> IdleFigures:
    """Open `connections` MQTT connections, a few at a time, and compare the broker's memory before and after."""
    figures = IdleFigures()
    before = settled_bytes(broker_pid)
    opened: list[socket.socket] = []
    started = time.monotonic()
    while len(opened) < connections:
        count = min(AT_ONCE, connections - len(opened))
        fresh: list[socket.socket] = []
        for _ in range(count):
            sock = dial(port)
            sock.sendall(frames.connect(f"idle-{len(opened) + len(fresh):06}"))
            fresh.append(sock)
        for sock in fresh:
            answer = read_exactly(sock, 4)
            if answer != b"\x20\x02\x00\x00":
                raise WorkError(f"CONNECT was answered {answer!r}")
        opened.extend(fresh)
    figures.seconds = time.monotonic() - started
    figures.connections = len(opened)
    figures.growth_bytes = settled_bytes(broker_pid) - before
    for sock in opened:
        sock.close()
    return figures
