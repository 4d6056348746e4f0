"""The pages of an SQLite file that SQLite may not want any more: read one by one, with what the write-ahead log has of them.

https://sqlite.org/fileformat2.html; sections are named where something is taken from there. Nothing here raises because of what
is in the file: a page that is not there is None.
"""

import struct
from pathlib import Path
from typing import BinaryIO, Final

PAGE_BYTES: Final = 4_096  # of every file that a broker has made; SQLite's default
LOG_HEAD: Final = struct.Struct(">IIIIIIII")  # "The WAL File"
FRAME_HEAD: Final = struct.Struct(">IIIIII")
LOG_MAGIC: Final = 0x377F0682  # the last bit tells the byte order of checksums
MASK: Final = 0xFFFF_FFFF
PENDING_PAGE: Final = (1 << 30) // PAGE_BYTES + 1  # "The Lock-Byte Page": never used

MAPPED_BY_ONE: Final = PAGE_BYTES // 5  # "Pointer Map or Ptrmap Pages"
FIRST_MAP: Final = 2
ROOT: Final = 1  # what a pointer map says of a page; between the two are free ones and those of long records
TREE: Final = 5


class Pages:
    """A file and its log, at the log's last commit."""

    def __init__(self, path: Path) -> None:
        self._file: BinaryIO = path.open("rb")
        log = path.with_name(f"{path.name}-wal")
        self._log: BinaryIO | None = log.open("rb") if log.is_file() else None
        self._frames: dict[int, int] = {}  # offset of each page in the log
        self.count = (path.stat().st_size + PAGE_BYTES - 1) // PAGE_BYTES
        if self._log is not None:
            self._read_log(self._log)

    def close(self) -> None:
        """Release both files."""
        self._file.close()
        if self._log is not None:
            self._log.close()

    def page(self, number: int) -> bytes | None:
        """Return a page, or None when there is not all of it."""
        if not 0 < number <= self.count:
            return None
        at = self._frames.get(number)
        if at is not None and self._log is not None:
            self._log.seek(at)
            data = self._log.read(PAGE_BYTES)
        else:
            self._file.seek((number - 1) * PAGE_BYTES)
            data = self._file.read(PAGE_BYTES)
        return data if len(data) == PAGE_BYTES else None

    def is_map(self, number: int) -> bool:
        """Tell whether a page is one of the pointer map."""
        return number == _map_of(number)

    def use_of(self, number: int) -> int:
        """Return what the pointer map says of a page; 0 where that cannot be read."""
        place = _map_of(number)
        data = self.page(place)
        if data is None or number <= place:
            return 0
        found = data[(number - place - 1) * 5]
        return found if ROOT <= found <= TREE else 0

    def _read_log(self, log: BinaryIO) -> None:
        """Learn where the log has pages, up to its last whole commit."""
        head = log.read(LOG_HEAD.size)
        if len(head) < LOG_HEAD.size:
            return
        magic, _, page_bytes, _, salt_1, salt_2, *_ = LOG_HEAD.unpack(head)
        if magic & ~1 != LOG_MAGIC or page_bytes != PAGE_BYTES:
            return
        order = ">" if magic & 1 else "<"
        sums = _sums(head[:24], order, 0, 0)
        if sums != LOG_HEAD.unpack(head)[6:]:
            return
        pending: dict[int, int] = {}
        while True:
            at = log.tell()
            frame = log.read(FRAME_HEAD.size + PAGE_BYTES)
            if len(frame) < FRAME_HEAD.size + PAGE_BYTES:
                return
            number, size, one, two, *said = FRAME_HEAD.unpack_from(frame)
            if (one, two) != (salt_1, salt_2):
                return
            sums = _sums(frame[FRAME_HEAD.size :], order, *_sums(frame[:8], order, *sums))
            if list(sums) != said:
                return
            pending[number] = at + FRAME_HEAD.size
            if size:  # of the file in pages: this frame ends a commit
                self._frames.update(pending)
                pending.clear()
                self.count = size


def _sums(data: bytes, order: str, first: int, second: int) -> tuple[int, int]:
    """Go on with the two sums of the log's checksum ("Checksum Algorithm")."""
    words = struct.unpack(f"{order}{len(data) // 4}I", data)
    for at in range(0, len(words), 2):
        first = (first + words[at] + second) & MASK
        second = (second + words[at + 1] + first) & MASK
    return first, second


def _map_of(number: int) -> int:
    """Return the page of the pointer map that tells of a page, which may be that page itself."""
    group = max(0, number - FIRST_MAP) // (MAPPED_BY_ONE + 1)
    place = group * (MAPPED_BY_ONE + 1) + FIRST_MAP
    return place + 1 if place == PENDING_PAGE else place
