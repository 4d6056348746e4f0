"""Header lines: bytes to text and back, with the escapes of each version (STOMP 1.2 "Value Encoding").

1.0 has no escapes, and values may be padded with spaces. 1.1 escapes line feed, colon and backslash, 1.2 also carriage
return. An undefined escape is fatal. Of a repeated header the first counts (STOMP 1.2 "Repeated Header Entries").
"""

from typing import Final

from protocols.stomp.errors import PeerError
from protocols.stomp.versions import NAMES, V1_0, V1_2

ESCAPES: Final = {"n": "\n", "c": ":", "\\": "\\", "r": "\r"}  # what follows the backslash; `r` in 1.2 only
LENGTH_DIGITS: Final = 10  # of a content-length: no body has more bytes


def unescaped(text: str, version: int) -> str:
    """Return a name or value without its escapes."""
    at = text.find("\\")
    if at < 0 or version == V1_0:
        return text
    pieces: list[str] = []
    start = 0
    while at >= 0:
        code = text[at + 1 : at + 2]
        if code not in ESCAPES or (code == "r" and version != V1_2):
            raise PeerError("Invalid header", f"STOMP {NAMES[version]} has no escape '\\{code}'")
        pieces.append(text[start:at])
        pieces.append(ESCAPES[code])
        start = at + 2
        at = text.find("\\", start)
    pieces.append(text[start:])
    return "".join(pieces)


def escaped(text: str, version: int) -> str | None:
    """Return a value as a header line of this version says it; None when it cannot.

    No version can say NUL: many clients take it for the end of the frame, whatever `content-length` says.
    """
    if text.isprintable() and "\\" not in text and ":" not in text:
        return text
    if "\0" in text or (version != V1_2 and "\r" in text):
        return None
    if version == V1_0:
        return None if "\n" in text else text
    text = text.replace("\\", "\\\\").replace("\n", "\\n").replace(":", "\\c")
    return text.replace("\r", "\\r") if version == V1_2 else text


def header_line(name: str, value: str, version: int) -> bytes | None:
    """Return the line with its end; None when this version cannot say it."""
    if not name or (version == V1_0 and ":" in name):
        return None
    said_name, said_value = escaped(name, version), escaped(value, version)
    if said_name is None or said_value is None:
        return None
    return f"{said_name}:{said_value}\n".encode()


def unfolded(head: bytes, version: int) -> bytes:
    """Return a head with LF at the end of its lines and, in 1.0, without padding.

    A carriage return elsewhere is an octet like others before 1.2, which escapes it.
    """
    if b"\r" in head:
        head = head.replace(b"\r\n", b"\n")
        if head.endswith(b"\r"):
            head = head[:-1]
        if version == V1_2 and b"\r" in head:
            raise PeerError("Invalid header", "a carriage return inside a header must be escaped")
    if version == V1_0 and b" " in head:
        return b"\n".join([_trimmed(line) for line in head.split(b"\n")])
    return head


def _trimmed(line: bytes) -> bytes:
    name, colon, value = line.partition(b":")
    return name.strip(b" ") + colon + value.strip(b" ")


def decoded_headers(lines: bytes, version: int) -> dict[str, str]:
    """Return the headers of an unfolded block of lines, by name."""
    headers: dict[str, str] = {}
    if not lines:
        return headers
    for line in decoded(lines).split("\n"):
        colon = line.find(":")
        if colon <= 0:
            raise PeerError("Invalid header", f"a header line must be 'name:value', not '{line}'")
        name, value = line[:colon], line[colon + 1 :]
        if "\\" in line:
            name, value = unescaped(name, version), unescaped(value, version)
        if name not in headers:
            headers[name] = value
    return headers


def decoded(data: bytes) -> str:
    """Return bytes of a head as text."""
    try:
        return data.decode()
    except UnicodeDecodeError:
        raise PeerError("Invalid header", "the headers are not UTF-8") from None


def body_length(digits: bytes) -> int:
    """Return the number that a `content-length` says: decimal digits, nothing else."""
    if not digits.isdigit() or len(digits) > LENGTH_DIGITS:
        raise PeerError("Invalid header", f"content-length must be a decimal number, not '{decoded(digits)}'")
    return int(digits)


def number(name: str, text: str, most: int) -> int:
    """Return a header that must be a decimal number from 0 to `most`."""
    if not (text.isascii() and text.isdigit()) or len(text) > len(str(most)) or int(text) > most:
        raise PeerError("Invalid header", f"{name} must be a decimal number up to {most}, not '{text}'")
    return int(text)
