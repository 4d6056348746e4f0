"""The configuration: what can be said, what is assumed when it is not, and what is refused.

The names here are the keys of the file (docs/configuration.md). A key that is not named here is an error. What one
table says is checked by its model; what two tables say about each other is checked by `gateway.config_checks`.
"""

import tomllib
from pathlib import Path
from typing import Annotated, Any, Final, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, ValidationInfo

from core.broker import MESSAGE_LIMIT_BYTES, SESSION_EXPIRY_LIMIT_S
from core.model.errors import InvalidSelector
from core.model.names import DEFAULT_VHOST
from core.queueing.offline import ENTRIES_LIMIT, LIMIT_BYTES
from core.queueing.usage import MEMORY_LIMIT_BYTES
from core.queueing.windows import WINDOW_BYTES
from core.routing.selector import parse_selector
from gateway.certificates import COMMON_NAME
from gateway.config_checks import contradictions
from gateway.config_errors import ConfigError, Problem, problems_of
from gateway.headroom import FREE_BYTES
from gateway.origins import parse_origin
from gateway.patterns import compile_pattern
from gateway.scram_secret import parse_secret
from gateway.values import (
    check_entity_name,
    check_password_hash,
    parse_address,
    parse_size,
    parse_source,
    parse_target,
)
from protocols.amqp.frames import CHANNEL_MAX, FRAME_MAX, FRAME_MIN, HEARTBEAT_S
from protocols.mqtt.status import SYS_INTERVAL_S

GUEST: Final = "guest"
CONNECTIONS_LIMIT: Final = 50_000  # unless configured
MEMORY_LEAST_BYTES: Final = 1 << 20
WINDOW_LEAST_BYTES: Final = 64 << 10
BUSY_POLL_MOST_US: Final = 5_000  # a reactor that hears nothing for so long sleeps in any case
SESSION_EXPIRY_MOST_S: Final = 0xFFFF_FFFE  # what a client of MQTT 5.0 can be told; one more means never
KEEP_ALIVE_MOST_S: Final = 65_535
MESSAGE_MOST_BYTES: Final = 512 << 20  # RabbitMQ's upper bound of max_message_size
CHANNEL_MOST: Final = 65_535  # a channel's number has two octets
FRAME_MOST_BYTES: Final = 16 << 20  # a whole frame is held before its first octet is looked at
HEARTBEAT_MOST_S: Final = 65_535  # two octets in connection.tune
SYS_INTERVAL_MOST_S: Final = 65_535  # Mosquitto's upper bound of sys_interval
REQUIRED: Final = "required"
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


def _checked_secret(text: str) -> str:
    parse_secret(text)
    return text


def _checked_source(text: str) -> str:
    parse_source(text)
    return text


def _checked_target(text: str) -> str:
    parse_target(text)
    return text


def _checked_selector(text: str) -> str:
    try:
        parse_selector(text)
    except InvalidSelector as error:
        raise ValueError(error.text) from None
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
    client_ca: FilePath | None = None
    client_certificate: Literal["required", "optional"] = "optional"
    certificate_user: Literal["common_name", "distinguished_name", "subject_alternative_name"] = COMMON_NAME
    origins: list[Annotated[str, AfterValidator(parse_origin)]] = []
    dialect: Literal["rabbitmq", "activemq"] = "rabbitmq"

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


class Amqp(Table):
    """`[amqp]`: what AMQP clients are offered. RabbitMQ's names and defaults."""

    channel_max: Annotated[int, Field(ge=1, le=CHANNEL_MOST)] = CHANNEL_MAX
    frame_max: Annotated[Size, Field(ge=FRAME_MIN, le=FRAME_MOST_BYTES)] = FRAME_MAX
    heartbeat: Annotated[int, Field(ge=0, le=HEARTBEAT_MOST_S)] = HEARTBEAT_S


class Mqtt(Table):
    """`[mqtt]`: what MQTT clients find. Mosquitto's names, and its defaults but for how much waits."""

    sys_interval_s: Annotated[int, Field(ge=0, le=SYS_INTERVAL_MOST_S)] = SYS_INTERVAL_S
    max_queued_messages: Annotated[int, Field(ge=1)] = ENTRIES_LIMIT
    max_queued_bytes: Annotated[Size, Field(ge=1)] = LIMIT_BYTES
    queue_qos0_messages: bool = False


class Latency(Table):
    """`[latency]`: what may be spent to be quick while there is little to do."""

    busy_poll_us: Annotated[int, Field(ge=0, le=BUSY_POLL_MOST_US)] | None = None  # what the machine can afford


class Store(Table):
    """`[store]`: where durable messages and definitions are kept. Without a directory they end with the process."""

    directory: FilePath | None = None
    window_bytes: Annotated[Size, Field(ge=WINDOW_LEAST_BYTES)] = WINDOW_BYTES
    free_bytes: Annotated[Size, Field(ge=0)] = FREE_BYTES


class ConfiguredPermission(Table):
    """`[[user.permission]]`: what a user may do in one virtual host. An empty pattern allows nothing."""

    vhost: EntityName = DEFAULT_VHOST
    configure: NameRegex = ""
    write: NameRegex = ""
    read: NameRegex = ""
    write_topics: NameRegex = ".*"
    read_topics: NameRegex = ".*"


class ConfiguredUser(Table):
    """`[[user]]`: a name, how it proves itself, and what it may do. Without a hash no password is right.

    SCRAM needs a secret of its own: from a hash of argon2 nobody can make one.
    """

    name: EntityName
    password_hash: Annotated[str, AfterValidator(check_password_hash)] | None = None
    scram_sha_256: Annotated[str, AfterValidator(_checked_secret)] | None = None
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
    selector: Annotated[str, AfterValidator(_checked_selector)] | None = None
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
    amqp: Amqp = Amqp()
    mqtt: Mqtt = Mqtt()
    latency: Latency = Latency()
    store: Store = Store()
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
    def users(self) -> set[str]:
        """The names of all users."""
        return {GUEST} if self.has_default_guest else {user.name for user in self.user}

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
    problems = contradictions(config)
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
