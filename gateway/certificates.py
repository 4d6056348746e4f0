"""Whom a client's certificate names: the user name that EXTERNAL logs in with.

The certificate has been verified by TLS. What names no user, or more than one, is nobody: no name is guessed.
"""

from typing import Any, Final

COMMON_NAME: Final = "common_name"
DISTINGUISHED_NAME: Final = "distinguished_name"
SUBJECT_ALTERNATIVE_NAME: Final = "subject_alternative_name"

# RFC 4514 §3 for the names that OpenSSL writes out; what has no short name keeps OpenSSL's.
_SHORT: Final = {
    "commonName": "CN",
    "localityName": "L",
    "stateOrProvinceName": "ST",
    "organizationName": "O",
    "organizationalUnitName": "OU",
    "countryName": "C",
    "streetAddress": "STREET",
    "domainComponent": "DC",
    "userId": "UID",
    "emailAddress": "EMAILADDRESS",
    "surname": "SN",
    "givenName": "GIVENNAME",
    "serialNumber": "SERIALNUMBER",
    "title": "TITLE",
}
_ALTERNATIVES: Final = frozenset({"DNS", "email", "URI"})
_SPECIAL: Final = frozenset('"+,;<>\\')

Certificate = dict[str, Any]  # as ssl.SSLObject.getpeercert returns it


def user_named(certificate: Certificate, user_from: str) -> str:
    """Return the user that a certificate names by its `user_from`, or nothing."""
    if user_from == COMMON_NAME:
        return _common_name(certificate)
    if user_from == DISTINGUISHED_NAME:
        return _distinguished_name(certificate)
    return _alternative_name(certificate)


def _common_name(certificate: Certificate) -> str:
    names = [value for part in certificate.get("subject", ()) for kind, value in part if kind == "commonName"]
    return str(names[0]) if len(names) == 1 else ""


def _alternative_name(certificate: Certificate) -> str:
    names = [value for kind, value in certificate.get("subjectAltName", ()) if kind in _ALTERNATIVES]
    return str(names[0]) if len(names) == 1 else ""


def _distinguished_name(certificate: Certificate) -> str:
    """Return the subject in the form of RFC 4514: the last part first."""
    parts = reversed(certificate.get("subject", ()))
    return ",".join(
        ["+".join([f"{_SHORT.get(kind, kind)}={_escaped(value)}" for kind, value in part]) for part in parts]
    )


def _escaped(value: str) -> str:
    """Return a value as RFC 4514 §2.4 writes it."""
    text = "".join([f"\\{character}" if character in _SPECIAL else character for character in value])
    if text.startswith(("#", " ")):
        text = f"\\{text}"
    if value.endswith(" ") and len(value) > 1:
        text = f"{text[:-1]}\\ "
    return text
