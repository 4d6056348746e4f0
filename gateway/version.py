"""Which dragoman this is: the version, and whether the compiled or the interpreted build runs."""

from typing import Final

NAME: Final = "dragoman"
VERSION: Final = "0.1.0"  # the distribution's, in pyproject.toml; a test compares them

COMPILED: Final = "compiled with mypyc"
INTERPRETED: Final = "interpreted"
EXTENSION_SUFFIXES: Final = (".so", ".pyd")


def build() -> str:
    """Return how the core that this process would run was built."""
    import core.broker

    return COMPILED if (core.broker.__file__ or "").endswith(EXTENSION_SUFFIXES) else INTERPRETED
