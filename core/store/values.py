"""Definitions and stated properties as bytes: CBOR (RFC 8949), which has every type of the core's values but one."""

from typing import Any, Final

import cbor2

from core.model.properties import Timestamp, Value
from core.store.errors import Damaged

TIMESTAMP_TAG: Final = 49_152  # our own: CBOR's tag 1 comes back as another type and without seconds beyond year 9999


def dump(value: Value) -> bytes:
    """Encode a value. Tables keep their order."""
    return cbor2.dumps(value, default=_encode)


def load(data: bytes) -> Value:
    """Decode what `dump` wrote; Damaged when that is not what these bytes are."""
    try:
        return cbor2.loads(data, tag_hook=_decode)
    except (cbor2.CBORError, ValueError, RecursionError) as error:
        raise Damaged(f"not a value: {error}") from None


def _encode(encoder: cbor2.CBOREncoder, value: Any) -> None:
    if not isinstance(value, Timestamp):
        raise TypeError(f"a value of type {type(value).__name__} cannot be stored")
    encoder.encode(cbor2.CBORTag(TIMESTAMP_TAG, value.seconds))


def _decode(tag: cbor2.CBORTag, _immutable: bool) -> Timestamp:
    if tag.tag != TIMESTAMP_TAG or not isinstance(tag.value, int):
        raise ValueError(f"tag {tag.tag}")
    return Timestamp(tag.value)
