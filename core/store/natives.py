"""How the properties of each protocol come back from a record: the protocols say it, the store does not know them."""

import struct
from collections.abc import Callable
from typing import Final

from core.model.properties import NATIVE_NONE, NATIVE_STATED, NO_PROPERTIES, Native, Properties, Stated
from core.store.errors import Damaged
from core.store.values import load

Restore = Callable[[bytes], Native]  # from the bytes that `Native.stored` has returned

STATED_FIELDS: Final = 13


class Natives:
    """One way back for each kind of properties."""

    def __init__(self, protocols: dict[int, Restore]) -> None:
        self._restore = {NATIVE_NONE: _nothing, NATIVE_STATED: _stated, **protocols}

    def restore(self, kind: int, data: bytes) -> Native:
        """Return the properties that were stored, or raise Damaged."""
        restore = self._restore.get(kind)
        if restore is None:
            raise Damaged(f"properties of an unknown kind {kind}")
        try:
            return restore(data)
        except (ValueError, struct.error) as error:
            raise Damaged(f"properties of kind {kind}: {error}") from None


def _nothing(_data: bytes) -> Native:
    return NO_PROPERTIES


def _stated(data: bytes) -> Native:
    fields = load(data)
    if not isinstance(fields, list) or len(fields) != STATED_FIELDS:
        raise Damaged("properties with other fields")
    return Stated(Properties.from_fields(fields))
