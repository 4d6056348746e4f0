"""Where a link is in its life.

OPEN ──machine closed──▶ CLOSING ──output sent──▶ LINGERING ──peer closed, or too late──▶ GONE
└──────────────── the socket or the machine is of no more use ────────────────────────────────┘
"""

from typing import Final

OPEN: Final = 0
CLOSING: Final = 1  # the machine is closed, its last output is not sent yet
LINGERING: Final = 2  # all is said; what still comes in is thrown away until the peer closes
GONE: Final = 3
