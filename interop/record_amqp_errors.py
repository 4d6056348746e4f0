"""Record what an AMQP broker answers to each mistake: `python -m interop.record_amqp_errors HOST PORT [USER PASSWORD]`.

What is printed is `tests/vectors/amqp/errors.toml`; the users of interop/mistakes/permissions.py must be there. The
differences that the committed file states are kept: they are ours, not the recorded broker's.
"""

import json
import sys
import tomllib
from collections.abc import Iterator
from typing import Any, Final

from interop.broker import CHECKOUT, Endpoint
from interop.mistakes import CASES
from interop.mistakes.case import outcome_of

VECTORS: Final = CHECKOUT / "tests" / "vectors" / "amqp" / "errors.toml"
HEAD: Final = """\
# What RabbitMQ 3.10 answers to each mistake of interop/mistakes, written by interop/record_amqp_errors.py. `NAME` and
# `USER` stand for names of the run. Where `ours` is stated we answer that, for the reason in `because`.
"""


def recorded() -> dict[str, dict[str, Any]]:
    """Return the committed vectors by the name of their mistake."""
    if not VECTORS.exists():
        return {}
    return {row["name"]: row for row in tomllib.loads(VECTORS.read_text())["vector"]}


def _inline(answer: dict[str, Any]) -> str:
    return "{ " + ", ".join(f"{key} = {json.dumps(value, ensure_ascii=False)}" for key, value in answer.items()) + " }"


def rows(endpoint: Endpoint) -> Iterator[str]:
    """Make each mistake and return its vector."""
    before = recorded()
    for number, case in enumerate(CASES):
        answer = outcome_of(case, endpoint, f"recorded.{number}").stated()
        yield f"\n[[vector]]\nname = {json.dumps(case.name)}\nanswer = {_inline(answer)}\n"
        kept = before.get(case.name, {})
        if "ours" in kept and kept["ours"] != answer:
            yield f"ours = {_inline(kept['ours'])}\nbecause = {json.dumps(kept['because'])}\n"


def main(host: str, port: str, user: str = "guest", password: str = "guest") -> None:
    """Print the vectors."""
    sys.stdout.write(HEAD)
    for row in rows(Endpoint(host, {"amqp": int(port)}, user, password, named=True)):
        sys.stdout.write(row)


if __name__ == "__main__":
    main(*sys.argv[1:])
