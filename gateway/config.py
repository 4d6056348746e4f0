"""The configuration: what can be said, what is assumed when it is not, and what is refused.

The names here are the keys of the file (docs/configuration.md). A key that is not named here is an error. What one
table says is checked by its model; what two tables say about each other is checked by `load`.
"""

import re
import tomllib
from pathlib import Path
from typing import Annotated, Any, Final, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, ValidationInfo

from core.broker import MESSAGE_LIMIT_BYTES, SESSION_EXPIRY_LIMIT_S
from core.model.names import DEFAULT_VHOST
from core.queueing.usage import MEMORY_LIMIT_BYTES
from gateway.config_errors import ConfigError, Problem, problems_of
from gateway.origins import parse_origin
from gateway.patterns import compile_pattern
from gateway.values import (
    check_entity_name,
    check_password_hash,
    parse_address,
    parse_size,
    parse_source,
    parse_target,
)

GUEST: Final = "guest"
CONNECTIONS_LIMIT: Final = 50_000  # unless configured
MEMORY_LEAST_BYTES: Final = 1 << 20
BUSY_POLL_MOST_US: Final = 5_000  # a reactor that hears nothing for so long sleeps in any case
SESSION_EXPIRY_MOST_S: Final = 0xFFFF_FFFE  # what a client of MQTT 5.0 can be told; one more means never
KEEP_ALIVE_MOST_S: Final = 65_535
MESSAGE_MOST_BYTES: Final = 512 << 20  # RabbitMQ's upper bound of max_message_size
TLS_NOISE: Final = re.compile(r"^\[.*?\] | \(_ssl\.c:\d+\)$")  # OpenSSL's symbols around the reason
OPENED_BY_PAGES: Final = ("websocket", "auto")  # listeners that speak HTTP
LISTENERS_BY_DEFAULT: Final = (
    ("amqp", "127.0.0.1:5672"),
    ("mqtt", "127.0.0.1:1883"),
    ("stomp", "127.0.0.1:61613"),
    ("auto", "127.0.0.1:5670"),
)


def _checked_address(text: str) -> str:
    parse_address(text)
    return text


def _checked_pattern(text: str) -> str:
    compile_pattern(text)
    return text


def _checked_source(text: str) -> str:
    parse_source(text)
    return text


def _checked_target(text: str) -> str:
    parse_target(text)
    return text


def _file_path(value: object, info: ValidationInfo) -> object:
    if not isinstance(value, str):
        return value
    if not value or "\0" in value:
        raise ValueError(f"{value!r} is not a path")
    folder = (info.context or {}).get("folder", Path())
    return Path(folder, value)


def _size(value: object) -> object:
    return parse_size(value) if isinstance(value, str) else value


EntityName = Annotated[str, AfterValidator(check_entity_name)]
FilePath = Annotated[Path, BeforeValidator(_file_path)]
NameRegex = Annotated[str, AfterValidator(_checked_pattern)]
Size = Annotated[int, BeforeValidator(_size)]


class Table(BaseModel):
    """A table of the file: no key but the named ones, no value of another type, no change later."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class Listener(Table):
    """`[[listener]]`: an address where clients of one protocol, or of any (`auto`), connect."""

    protocol: Literal["amqp", "mqtt", "stomp", "websocket", "auto"]
    address: Annotated[str, AfterValidator(_checked_address)]
    certificate: FilePath | None = None
    key: FilePath | None = None
    origins: list[Annotated[str, AfterValidator(parse_origin)]] = []

    @property
    def host(self) -> str:
        """The host name or IP address; an IPv6 address without its brackets."""
        return parse_address(self.address)[0]

    @property
    def port(self) -> int:
        """The port; 0 lets the system choose."""
        return parse_address(self.address)[1]

    @property
    def encrypted(self) -> bool:
        """Whether clients speak TLS here."""
        return self.certificate is not None


class Limits(Table):
    """`[limits]`: what the whole broker may use."""

    memory_bytes: Annotated[Size, Field(ge=MEMORY_LEAST_BYTES)] = MEMORY_LIMIT_BYTES
    message_bytes: Annotated[Size, Field(ge=1, le=MESSAGE_MOST_BYTES)] = MESSAGE_LIMIT_BYTES
    connections: Annotated[int, Field(ge=1)] = CONNECTIONS_LIMIT
    session_expiry_s: Annotated[int, Field(ge=1, le=SESSION_EXPIRY_MOST_S)] = SESSION_EXPIRY_LIMIT_S
    keep_alive_s: Annotated[int, Field(ge=0, le=KEEP_ALIVE_MOST_S)] = 0


class Latency(Table):
    """`[latency]`: what may be spent to be quick while there is little to do."""

    busy_poll_us: Annotated[int, Field(ge=0, le=BUSY_POLL_MOST_US)] = 0


class ConfiguredPermission(Table):
    """`[[user.permission]]`: what a user may do in one virtual host. An empty pattern allows nothing."""

    vhost: EntityName = DEFAULT_VHOST
    configure: NameRegex = ""
    write: NameRegex = ""
    read: NameRegex = ""
    write_topics: NameRegex = ".*"
    read_topics: NameRegex = ".*"


class ConfiguredUser(Table):
    """`[[user]]`: a name, how it proves itself, and what it may do. Without a hash no password is right."""

    name: EntityName
    password_hash: Annotated[str, AfterValidator(check_password_hash)] | None = None
    tags: list[EntityName] = []
    loopback_only: bool = False
    permission: list[ConfiguredPermission] = []


class ConfiguredVhost(Table):
    """`[[vhost]]`: a virtual host beside `/`, which is always there."""

    name: EntityName


class Forward(Table):
    """`[[forward]]`: what is published to one destination goes to others."""

    source: Annotated[str, AfterValidator(_checked_source), Field(alias="from")]
    to: Annotated[list[Annotated[str, AfterValidator(_checked_target)]], Field(min_length=1, max_length=64)]
    keep: bool = True
    vhost: EntityName = DEFAULT_VHOST


class Log(Table):
    """`[log]`: how much is logged, and for whom."""

    format: Literal["console", "json"] = "console"
    level: Literal["debug", "info", "warning", "error"] = "info"


def _default_listeners() -> list[Listener]:
    return [Listener.model_validate({"protocol": name, "address": at}) for name, at in LISTENERS_BY_DEFAULT]


class Config(Table):
    """The whole file. Without one: the standard ports on loopback, and `guest` with the password `guest`."""

    anonymous: str | None = None
    listener: list[Listener] = Field(min_length=1, default_factory=_default_listeners)
    limits: Limits = Limits()
    latency: Latency = Latency()
    user: list[ConfiguredUser] = []
    vhost: list[ConfiguredVhost] = []
    forward: list[Forward] = []
    log: Log = Log()

    @property
    def has_default_guest(self) -> bool:
        """Whether `guest` is there without being named: only while the file names no users, as in RabbitMQ."""
        return not self.user

    @property
    def anonymous_user(self) -> str:
        """The user that clients without credentials are, or nothing when they are refused."""
        if self.anonymous is None:
            return GUEST if self.has_default_guest else ""
        return self.anonymous

    @property
    def vhosts(self) -> list[str]:
        """The names of all virtual hosts, `/` first."""
        return list(dict.fromkeys([DEFAULT_VHOST, *[vhost.name for vhost in self.vhost]]))


def load(path: Path) -> Config:
    """Read a configuration file; ConfigError says everything that is wrong with it."""
    data = _read(path)
    try:
        config = Config.model_validate(data, context={"folder": path.parent})
    except ValidationError as error:
        raise ConfigError(path, problems_of(error, Config)) from None
    problems = _contradictions(config)
    if problems:
        raise ConfigError(path, problems)
    return config


def _read(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8-sig"))
    except UnicodeDecodeError as error:
        raise ConfigError(path, [Problem((), f"byte {error.start} is not UTF-8, which TOML must be")]) from None
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(path, [Problem((), f"not TOML: {error}")]) from None
    except RecursionError:
        raise ConfigError(path, [Problem((), "lists or tables are nested too deeply")]) from None
    except OSError as error:
        raise ConfigError(path, [Problem((), f"cannot be read: {error.strerror or error}")]) from None


def _contradictions(config: Config) -> list[Problem]:
    """Return what is wrong between tables that are each right by themselves."""
    return [
        *_wrong_listeners(config),
        *_wrong_users(config),
        *_repeated_names("vhost", [vhost.name for vhost in config.vhost]),
        *_wrong_forwards(config),
    ]


def _wrong_listeners(config: Config) -> list[Problem]:
    problems: list[Problem] = []
    first: dict[tuple[str, int], int] = {}
    for index, listener in enumerate(config.listener):
        at = ("listener", index)
        place = (listener.host, listener.port)
        earlier = first.setdefault(place, index)
        if earlier != index and listener.port:
            problems.append(Problem((*at, "address"), f"{listener.address} is taken by listener[{earlier}] already"))
        if (listener.certificate is None) != (listener.key is None):
            here, other = ("key", "certificate") if listener.key is None else ("certificate", "key")
            problems.append(Problem((*at, here), f"is missing: {other} needs it"))
        elif listener.certificate is not None and listener.key is not None:
            problems.extend(_wrong_files(at, listener.certificate, listener.key))
        if listener.origins and listener.protocol not in OPENED_BY_PAGES:
            reason = f"is for web pages, which connect to {' or '.join(OPENED_BY_PAGES)} only"
            problems.append(Problem((*at, "origins"), reason))
    return problems


def _wrong_files(at: tuple[str | int, ...], certificate: Path, key: Path) -> list[Problem]:
    missing = [(name, file) for name, file in (("certificate", certificate), ("key", key)) if not file.is_file()]
    if missing:
        return [Problem((*at, name), f"there is no file {str(file)!r}") for name, file in missing]
    from gateway.tls import server_context

    try:
        server_context(certificate, key)
    except OSError as error:
        reason = TLS_NOISE.sub("", error.strerror or str(error))
        return [Problem((*at, "certificate"), f"TLS cannot use certificate and key: {reason}")]
    return []


def _wrong_users(config: Config) -> list[Problem]:
    problems = _repeated_names("user", [user.name for user in config.user])
    for index, user in enumerate(config.user):
        seen: set[str] = set()
        for number, permission in enumerate(user.permission):
            at = ("user", index, "permission", number, "vhost")
            if permission.vhost in seen:
                problems.append(Problem(at, f"{permission.vhost!r} has a permission of this user already"))
            seen.add(permission.vhost)
            problems.extend(_unknown_vhost(config, at, permission.vhost))
    known = {GUEST} if config.has_default_guest else {user.name for user in config.user}
    if config.anonymous_user and config.anonymous_user not in known:
        problems.append(Problem(("anonymous",), f"there is no user {config.anonymous_user!r}"))
    return problems


def _wrong_forwards(config: Config) -> list[Problem]:
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


def _unknown_vhost(config: Config, at: tuple[str | int, ...], name: str) -> list[Problem]:
    if name in config.vhosts:
        return []
    return [Problem(at, f"there is no virtual host {name!r}: name it under [[vhost]]")]
