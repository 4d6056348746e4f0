"""How much memory the process has, as its system tells."""

import os
import resource
import sys
from pathlib import Path
from typing import Final

STATM: Final = Path("/proc/self/statm")  # Linux: sizes in pages, the second is what is resident
RESIDENT: Final = 1
KIB_BYTES: Final = 1_024  # where Linux and the BSDs count kibibytes and macOS bytes


def resident_bytes() -> int:
    """Return what is resident now, or where that is not told, what was at most."""
    try:
        return int(STATM.read_bytes().split()[RESIDENT]) * os.sysconf("SC_PAGE_SIZE")
    except OSError:
        most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        return most if sys.platform == "darwin" else most * KIB_BYTES
