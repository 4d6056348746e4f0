"""How often a store has synced, and how many messages it has put into queues by that: the broker's own count in `$SYS`.

`Ours` has it below `$SYS/broker/store/commits`; a broker that has nothing there is not asked for more.
"""

from typing import Final

from bench.load import mqtt
from bench.load.link import read_exactly
from bench.load.mqtt_frames import SUBSCRIBE, packet, text

ROOT: Final = "$SYS/broker/store/commits/"
PINGREQ: Final = b"\xc0\x00"
PINGRESP: Final = 0xD0


def count_commits(port: int, client_id: str) -> dict[str, int]:
    """Return what is retained there now, by the last level of the topic."""
    sock = mqtt.connect(port, client_id)
    sock.sendall(packet(SUBSCRIBE, b"\x00\x01" + text(f"{ROOT}+") + b"\x00") + PINGREQ)
    found: dict[str, int] = {}
    while True:
        first, size = read_exactly(sock, 2)  # none of these packets has a length of two bytes
        content = read_exactly(sock, size) if size else b""
        if first == PINGRESP:
            break
        if first >> 4 == 3:
            end = 2 + int.from_bytes(content[:2], "big")
            found[content[2:end].decode().removeprefix(ROOT)] = int(content[end:])
    sock.close()
    return found
