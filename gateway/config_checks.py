"""What is wrong between values of a configuration that are each right by themselves, and with the files that it names."""

import re
from typing import TYPE_CHECKING, Final

from gateway.config_errors import Location, Problem
from gateway.values import parse_source, parse_target

if TYPE_CHECKING:
    from gateway.config import Config, Listener

TLS_NOISE: Final = re.compile(r"^\[.*?\] | \(_ssl\.c:\d+\)$")  # OpenSSL's symbols around the reason
OPENED_BY_PAGES: Final = ("websocket", "auto")  # listeners that speak HTTP
SPEAK_STOMP: Final = ("stomp", "websocket", "auto")

# Keys of a listener that mean nothing without another.
NEEDS: Final = {
    "certificate": "key",
    "key": "certificate",
    "client_ca": "certificate",
    "client_certificate": "client_ca",
    "certificate_user": "client_ca",
}


def contradictions(config: "Config") -> list[Problem]:
    """Return what is wrong between tables that are each right by themselves."""
    return [
        *_wrong_listeners(config),
        *_wrong_users(config),
        *_repeated_names("vhost", [vhost.name for vhost in config.vhost]),
        *_wrong_forwards(config),
    ]


def _wrong_listeners(config: "Config") -> list[Problem]:
    problems: list[Problem] = []
    first: dict[tuple[str, int], int] = {}
    for index, listener in enumerate(config.listener):
        at = ("listener", index)
        place = (listener.host, listener.port)
        earlier = first.setdefault(place, index)
        if earlier != index and listener.port:
            problems.append(Problem((*at, "address"), f"{listener.address} is taken by listener[{earlier}] already"))
        problems.extend(_wrong_tls(at, listener))
        if listener.origins and listener.protocol not in OPENED_BY_PAGES:
            reason = f"is for web pages, which connect to {' or '.join(OPENED_BY_PAGES)} only"
            problems.append(Problem((*at, "origins"), reason))
        if "dialect" in listener.model_fields_set and listener.protocol not in SPEAK_STOMP:
            reason = f"is about STOMP, which only listeners of {', '.join(SPEAK_STOMP)} speak"
            problems.append(Problem((*at, "dialect"), reason))
    return problems


def _wrong_tls(at: Location, listener: "Listener") -> list[Problem]:
    named = {"certificate": listener.certificate, "key": listener.key, "client_ca": listener.client_ca}
    files = {name: file for name, file in named.items() if file is not None}
    for name, needed in NEEDS.items():
        if name in listener.model_fields_set and needed not in listener.model_fields_set:
            return [Problem((*at, needed), f"is missing: {name} needs it")]
    missing = [
        Problem((*at, name), f"there is no file {str(file)!r}") for name, file in files.items() if not file.is_file()
    ]
    if missing or listener.certificate is None:
        return missing
    from gateway.tls import server_context

    try:
        server_context(listener.certificate, listener.key)
    except OSError as error:
        return [Problem((*at, "certificate"), f"TLS cannot use certificate and key: {_reason(error)}")]
    try:
        server_context(listener.certificate, listener.key, listener.client_ca)
    except OSError as error:
        return [Problem((*at, "client_ca"), f"TLS cannot use it: {_reason(error)}")]
    return []


def _reason(error: OSError) -> str:
    return TLS_NOISE.sub("", error.strerror or str(error))


def _wrong_users(config: "Config") -> list[Problem]:
    problems = _repeated_names("user", [user.name for user in config.user])
    for index, user in enumerate(config.user):
        seen: set[str] = set()
        for number, permission in enumerate(user.permission):
            at = ("user", index, "permission", number, "vhost")
            if permission.vhost in seen:
                problems.append(Problem(at, f"{permission.vhost!r} has a permission of this user already"))
            seen.add(permission.vhost)
            problems.extend(_unknown_vhost(config, at, permission.vhost))
    problems.extend(_wrong_scram_names(config))
    if config.anonymous_user and config.anonymous_user not in config.users:
        problems.append(Problem(("anonymous",), f"there is no user {config.anonymous_user!r}"))
    return problems


def _wrong_scram_names(config: "Config") -> list[Problem]:
    """Return whose name SCRAM, which looks for it in a form of its own (RFC 4013), cannot find or cannot tell apart."""
    problems: list[Problem] = []
    first: dict[str, int] = {}
    for index, user in enumerate(config.user):
        if user.scram_sha_256 is None:
            continue
        from gateway.scram import prepared_name

        at = ("user", index, "scram_sha_256")
        prepared = prepared_name(user.name)
        earlier = first.setdefault(prepared, index)
        if not prepared:
            problems.append(Problem(at, f"{user.name!r} is no name that SCRAM can say (RFC 4013)"))
        elif earlier != index and user.name != config.user[earlier].name:
            problems.append(Problem(at, f"{user.name!r} is the same name for SCRAM as that of user[{earlier}]"))
    return problems


def _wrong_forwards(config: "Config") -> list[Problem]:
    problems: list[Problem] = []
    for index, forward in enumerate(config.forward):
        problems.extend(_unknown_vhost(config, ("forward", index, "vhost"), forward.vhost))
        source = parse_source(forward.source)
        for number, target in enumerate(forward.to):
            if parse_target(target) == source:
                problems.append(Problem(("forward", index, "to", number), f"{target!r} is where the rule takes from"))
    return problems


def _repeated_names(section: str, names: list[str]) -> list[Problem]:
    problems: list[Problem] = []
    for index, name in enumerate(names):
        earlier = names.index(name)
        if earlier != index:
            problems.append(Problem((section, index, "name"), f"{name!r} is the name of {section}[{earlier}] already"))
    return problems


def _unknown_vhost(config: "Config", at: tuple[str | int, ...], name: str) -> list[Problem]:
    if name in config.vhosts:
        return []
    return [Problem(at, f"there is no virtual host {name!r}: name it under [[vhost]]")]
