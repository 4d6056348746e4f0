"""Record what an AMQP broker says of dead letters: `python -m interop.record_amqp_deaths HOST PORT [USER PASSWORD]`.

What is printed is `tests/vectors/amqp/x_death.toml`. The differences that the committed file states are kept.
"""

import sys
from typing import Final

from interop.broker import CHECKOUT
from interop.deaths import CONVERSATIONS, timeless
from interop.record_amqp_conversations import record

HEAD: Final = """\
# What RabbitMQ 3.10 answers, octet by octet, in the conversations of interop/deaths.py, written by
# interop/record_amqp_deaths.py. Channel 1 is open; every death was at the epoch. Where `ours` is stated we answer that,
# for the reason in `because`.
"""


if __name__ == "__main__":
    sys.stdout.write(HEAD)
    record(CONVERSATIONS, CHECKOUT / "tests" / "vectors" / "amqp" / "x_death.toml", tuple(sys.argv[1:]), timeless)
