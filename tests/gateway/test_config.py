"""The configuration: defaults, and what every wrong file is answered with."""

from pathlib import Path
from typing import Final

import pytest
import trustme

from gateway.accounts import NOBODYS_HASH
from gateway.config import Config, load
from gateway.config_errors import ConfigError

AMQP: Final = '[[listener]]\nprotocol = "amqp"\naddress = "127.0.0.1:0"\n'


def written(folder: Path, text: str) -> Path:
    """Return a configuration file with `text`."""
    path = folder / "dragoman.toml"
    path.write_text(text, encoding="utf-8")
    return path


def complaints(folder: Path, text: str) -> list[str]:
    """Return the lines of the error that `text` is answered with, without the file that each begins with."""
    path = written(folder, text)
    with pytest.raises(ConfigError) as failure:
        load(path)
    lines = str(failure.value).split("\n")
    assert all(line.startswith(f"{path}: ") for line in lines)
    return [line.removeprefix(f"{path}: ") for line in lines]


# Defaults


def test_without_a_file_the_standard_ports_listen_on_loopback() -> None:
    config = Config()
    assert [(item.protocol, item.host, item.port) for item in config.listener] == [
        ("amqp", "127.0.0.1", 5672),
        ("mqtt", "127.0.0.1", 1883),
        ("stomp", "127.0.0.1", 61613),
        ("auto", "127.0.0.1", 5670),
    ]
    assert config.anonymous_user == "guest"
    assert config.has_default_guest
    assert config.vhosts == ["/"]


def test_an_empty_file_is_the_default(tmp_path: Path) -> None:
    assert load(written(tmp_path, "")) == Config()


def test_a_byte_order_mark_is_no_mistake(tmp_path: Path) -> None:
    assert load(written(tmp_path, "\ufeff" + AMQP)).listener[0].protocol == "amqp"


def test_listeners_of_a_file_replace_the_default_ones(tmp_path: Path) -> None:
    config = load(written(tmp_path, '[[listener]]\nprotocol = "mqtt"\naddress = "[::1]:1884"\n'))
    assert [(item.protocol, item.host, item.port, item.encrypted) for item in config.listener] == [
        ("mqtt", "::1", 1884, False)
    ]


def test_a_file_that_names_users_has_no_guest_and_no_anonymous_user(tmp_path: Path) -> None:
    config = load(written(tmp_path, f'[[user]]\nname = "ann"\npassword_hash = "{NOBODYS_HASH}"\n'))
    assert not config.has_default_guest
    assert config.anonymous_user == ""


def test_an_empty_anonymous_refuses_clients_without_credentials(tmp_path: Path) -> None:
    assert load(written(tmp_path, 'anonymous = ""\n')).anonymous_user == ""


def test_limits_take_numbers_and_sizes(tmp_path: Path) -> None:
    limits = load(
        written(tmp_path, '[limits]\nmemory_bytes = "512 MiB"\nmessage_bytes = 65536\nconnections = 7\n')
    ).limits
    assert (limits.memory_bytes, limits.message_bytes, limits.connections) == (512 << 20, 65_536, 7)
    assert (limits.session_expiry_s, limits.keep_alive_s) == (7 * 24 * 3_600, 0)


# Mistakes: the file's text, and every line that it is answered with

MISTAKES: Final[dict[str, tuple[str, list[str]]]] = {
    "no TOML": ("[[listener]\n", ["not TOML: Expected ']]' at the end of an array declaration (at line 1, column 11)"]),
    "a key twice": ("anonymous = ''\nanonymous = ''\n", ["not TOML: Cannot overwrite a value (at line 2, column 15)"]),
    "nested without end": ("a = " + "[" * 5_000, ["lists or tables are nested too deeply"]),
    "an unknown section": (
        "[nonsense]\n",
        [
            "nonsense: unknown key; the keys here are anonymous, listener, limits, amqp, mqtt, latency, store, user, vhost, forward, log"
        ],
    ),
    "a misspelt key": (
        '[[listener]]\nprotocol = "amqp"\nadress = "127.0.0.1:0"\n',
        ["listener[0].address: is missing", "listener[0].adress: unknown key; did you mean 'address'?"],
    ),
    "a misspelt alias": (
        '[[forward]]\nform = "/topic/a"\nto = ["/topic/b"]\n',
        ["forward[0].from: is missing", "forward[0].form: unknown key; did you mean 'from'?"],
    ),
    "the field's name for an alias": (
        '[[forward]]\nfrom = "/topic/a"\nsource = "/topic/a"\nto = ["/topic/b"]\n',
        ["forward[0].source: unknown key; the keys here are from, to, keep, selector, vhost"],
    ),
    "a key that forges a line": (
        '"a\\nb: ok" = 1\n',
        [
            '"a\\nb: ok": unknown key; the keys here are anonymous, listener, limits, amqp, mqtt, latency, store, user, vhost, forward, log'
        ],
    ),
    "an unknown protocol": (
        AMQP.replace("amqp", "amqpp"),
        ["listener[0].protocol: must be 'amqp', 'mqtt', 'stomp', 'websocket' or 'auto', not 'amqpp'"],
    ),
    "no listener": ("listener = []\n", ["listener: must not be empty"]),
    "single brackets": (
        '[listener]\nprotocol = "amqp"\naddress = "127.0.0.1:0"\n',
        ["listener: is a list of tables: write [[listener]]"],
    ),
    "no tables": (
        "listener = [1]\nlimits = 3\n",
        ["listener[0]: must be a table, not 1", "limits: must be a table, not 3"],
    ),
    "one address twice": (
        '[[listener]]\nprotocol = "amqp"\naddress = "[::1]:1"\n[[listener]]\nprotocol = "mqtt"\naddress = "[0::1]:1"\n',
        ["listener[1].address: [0::1]:1 is taken by listener[0] already"],
    ),
    "a certificate alone": (f'{AMQP}certificate = "a"\n', ["listener[0].key: is missing: certificate needs it"]),
    "a key alone": (f'{AMQP}key = "a"\n', ["listener[0].certificate: is missing: key needs it"]),
    "a client's authority without TLS": (
        f'{AMQP}client_ca = "a"\n',
        ["listener[0].certificate: is missing: client_ca needs it"],
    ),
    "a client's certificate without an authority": (
        f'{AMQP}client_certificate = "required"\n',
        ["listener[0].client_ca: is missing: client_certificate needs it"],
    ),
    "a user of a certificate that nobody asks for": (
        f'{AMQP}certificate_user = "common_name"\n',
        ["listener[0].client_ca: is missing: certificate_user needs it"],
    ),
    "certificates of clients": (
        f'{AMQP}client_certificate = "always"\n',
        [
            "listener[0].client_certificate: must be 'required' or 'optional', not 'always'",
        ],
    ),
    "what AMQP clients are offered": (
        "[amqp]\nchannel_max = 0\nframe_max = 4095\nheartbeat = -1\n",
        [
            "amqp.channel_max: must be at least 1, not 0",
            "amqp.frame_max: must be at least 4,096, not 4095",
            "amqp.heartbeat: must be at least 0, not -1",
        ],
    ),
    "too much of what AMQP clients are offered": (
        '[amqp]\nchannel_max = 65536\nframe_max = "17 MiB"\nheartbeat = 65536\n',
        [
            "amqp.channel_max: must be at most 65,535, not 65536",
            "amqp.frame_max: must be at most 16,777,216, not '17 MiB'",
            "amqp.heartbeat: must be at most 65,535, not 65536",
        ],
    ),
    "origins where no page can connect": (
        f'{AMQP}origins = ["*"]\n',
        ["listener[0].origins: is for web pages, which connect to websocket or auto only"],
    ),
    "a dialect where nobody speaks STOMP": (
        f'{AMQP}dialect = "rabbitmq"\n',
        ["listener[0].dialect: is about STOMP, which only listeners of stomp, websocket, auto speak"],
    ),
    "a dialect that nobody speaks": (
        '[[listener]]\nprotocol = "stomp"\naddress = "a:1"\ndialect = "artemis"\n',
        ["listener[0].dialect: must be 'rabbitmq' or 'activemq', not 'artemis'"],
    ),
    "origins that are none": (
        '[[listener]]\nprotocol = "websocket"\naddress = "a:1"\norigins = ["dashboard.example"]\n',
        [
            "listener[0].origins[0]: 'dashboard.example' is not an origin, as in https://dashboard.example",
        ],
    ),
    "a path that is none": (
        f'{AMQP}certificate = ""\nkey = 1\n',
        [
            "listener[0].certificate: '' is not a path",
            "listener[0].key: must be text in quotes, not 1",
        ],
    ),
    "sizes": (
        '[limits]\nmemory_bytes = "12 XB"\nmessage_bytes = "1 TiB"\nconnections = 0\n',
        [
            "limits.memory_bytes: 'XB' in '12 XB' is not a unit: use B, kB, KB, MB, GB, TB, KiB, MiB, GiB, TiB",
            "limits.message_bytes: must be at most 536,870,912, not '1 TiB'",
            "limits.connections: must be at least 1, not 0",
        ],
    ),
    "numbers that are none": (
        '[limits]\nmemory_bytes = true\nmessage_bytes = 1.5\nconnections = "5"\n',
        [
            "limits.memory_bytes: must be an integer, not true",
            "limits.message_bytes: must be an integer, not 1.5",
            "limits.connections: must be an integer, not '5'",
        ],
    ),
    "a user without a name": ("[[user]]\n", ["user[0].name: is missing"]),
    "names": (
        '[[user]]\nname = ""\n[[user]]\nname = "a\\nb"\n[[vhost]]\nname = "' + "é" * 128 + '"\n',
        [
            "user[0].name: must not be empty",
            r"user[1].name: 'a\nb' contains a character that is not printable",
            "vhost[0].name: a name of 256 bytes is longer than 255",
        ],
    ),
    "patterns": (
        '[[user]]\nname = "a"\n[[user.permission]]\nconfigure = "(a"\nwrite = "(?=a)"\nread = "(a)\\\\1"\nwrites = ""\n',
        [
            "user[0].permission[0].configure: '(a' is not a pattern: missing ): (a",
            "user[0].permission[0].write: '(?=a)' is not a pattern: invalid perl operator: (?=",
            r"user[0].permission[0].read: '(a)\\1' is not a pattern: invalid escape sequence: \1",
            "user[0].permission[0].writes: unknown key; did you mean 'write'?",
        ],
    ),
    "the same name twice": (
        '[[user]]\nname = "a"\n[[user]]\nname = "a"\n[[vhost]]\nname = "v"\n[[vhost]]\nname = "v"\n',
        [
            "user[1].name: 'a' is the name of user[0] already",
            "vhost[1].name: 'v' is the name of vhost[0] already",
        ],
    ),
    "virtual hosts that do not exist": (
        '[[user]]\nname = "a"\n[[user.permission]]\nvhost = "v"\n[[forward]]\nfrom = "/topic/a"\nto = ["/topic/b"]\nvhost = "w"\n',
        [
            "user[0].permission[0].vhost: there is no virtual host 'v': name it under [[vhost]]",
            "forward[0].vhost: there is no virtual host 'w': name it under [[vhost]]",
        ],
    ),
    "two permissions in one virtual host": (
        '[[user]]\nname = "a"\n[[user.permission]]\n[[user.permission]]\n',
        ["user[0].permission[1].vhost: '/' has a permission of this user already"],
    ),
    "an anonymous user who does not exist": ('anonymous = "bob"\n', ["anonymous: there is no user 'bob'"]),
    "guest as anonymous user beside others": (
        'anonymous = "guest"\n[[user]]\nname = "a"\n',
        ["anonymous: there is no user 'guest'"],
    ),
    "a rule without a target": ('[[forward]]\nfrom = "/topic/a"\n', ["forward[0].to: is missing"]),
    "a rule with no targets": ('[[forward]]\nfrom = "/topic/a"\nto = []\n', ["forward[0].to: must not be empty"]),
    "a rule with too many targets": (
        '[[forward]]\nfrom = "/topic/a"\nto = [' + ",".join(f'"/queue/{n}"' for n in range(65)) + "]\n",
        ["forward[0].to: has 65 items, which is more than 64"],
    ),
    "a rule with one target and no list": (
        '[[forward]]\nfrom = "/topic/a"\nto = "/topic/b"\n',
        ["forward[0].to: must be a list in brackets, not '/topic/b'"],
    ),
    "a rule to nowhere": (
        '[[forward]]\nfrom = "/topic/a"\nto = ["/nowhere/b", "/topic/b.*", "/queue/a,/queue/b", "/queue/amq.x"]\n',
        [
            "forward[0].to[0]: unknown destination '/nowhere/b': there is no kind '/nowhere/'",
            "forward[0].to[1]: '/topic/b.*' has a wildcard: a rule forwards to one place for each item of its list",
            "forward[0].to[2]: '/queue/a,/queue/b' has a comma: name one destination; a comma inside a name is written %2C",
            "forward[0].to[3]: queue name 'amq.x' contains reserved prefix 'amq.*'",
        ],
    ),
    "a rule to where it takes from": (
        '[[forward]]\nfrom = "/queue/a"\nto = ["/queue/%61"]\n',
        ["forward[0].to[0]: '/queue/%61' is where the rule takes from"],
    ),
    "a rule that may keep": (
        '[[forward]]\nfrom = "/topic/a"\nto = ["/topic/b"]\nkeep = "maybe"\n',
        ["forward[0].keep: must be true or false, not 'maybe'"],
    ),
    "a loud log": (
        '[log]\nlevel = "loud"\nformat = 1\n',
        [
            "log.format: must be 'console' or 'json', not 1",
            "log.level: must be 'debug', 'info', 'warning' or 'error', not 'loud'",
        ],
    ),
}


@pytest.mark.parametrize(("text", "lines"), MISTAKES.values(), ids=[key.replace(" ", "-") for key in MISTAKES])
def test_each_mistake_is_named_with_its_key_and_reason(tmp_path: Path, text: str, lines: list[str]) -> None:
    assert complaints(tmp_path, text) == lines


@pytest.mark.parametrize("given_hash", ["canary", "$argon2id$v=19$m=19456,t=2,p=1$c2FsdA$canary", "$6$salt$canary"])
def test_a_password_in_place_of_its_hash_is_refused_and_not_shown(tmp_path: Path, given_hash: str) -> None:
    """A person who puts a password there must not find it in the log of the service that failed to start."""
    text = f'[[user]]\nname = "a"\npassword = "canary"\npassword_hash = "{given_hash}"\n'
    lines = complaints(tmp_path, text)
    assert lines == [
        "user[0].password_hash: is not an argon2 hash ($argon2id$…): make one with `dragoman hash-password`",
        "user[0].password: unknown key; no password is kept here: use password_hash, from `dragoman hash-password`",
    ]


def test_a_password_hash_of_another_type_is_not_shown(tmp_path: Path) -> None:
    assert complaints(tmp_path, '[[user]]\nname = "a"\npassword_hash = 4711\n') == [
        "user[0].password_hash: must be text in quotes"
    ]


def test_a_long_value_is_cut_in_the_complaint(tmp_path: Path) -> None:
    (line,) = complaints(tmp_path, f'[log]\nlevel = "{"x" * 500}"\n')
    assert len(line) < 200


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"absent\.toml: cannot be read: No such file"):
        load(tmp_path / "absent.toml")


def test_a_folder_is_no_configuration(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot be read"):
        load(tmp_path)


def test_bytes_that_are_not_utf_8_are_named_by_their_place(tmp_path: Path) -> None:
    path = tmp_path / "latin.toml"
    path.write_bytes(b"anonymous = '\xe9'\n")
    with pytest.raises(ConfigError, match=r"latin\.toml: byte 13 is not UTF-8"):
        load(path)


# Certificates


def write_pair(folder: Path, name: str) -> None:
    """Write `name.crt` and `name.key`, which belong together."""
    issued = trustme.CA().issue_cert("localhost")
    (folder / f"{name}.crt").write_bytes(issued.cert_chain_pems[0].bytes())
    (folder / f"{name}.key").write_bytes(issued.private_key_pem.bytes())


def encrypted(certificate: str, key: str) -> str:
    return f'{AMQP}certificate = "{certificate}"\nkey = "{key}"\n'


def test_paths_count_from_the_folder_of_the_file(tmp_path: Path) -> None:
    write_pair(tmp_path, "a")
    (listener,) = load(written(tmp_path, encrypted("a.crt", "a.key"))).listener
    assert listener.encrypted
    assert (listener.certificate, listener.key) == (tmp_path / "a.crt", tmp_path / "a.key")


def test_files_that_are_not_there_are_named(tmp_path: Path) -> None:
    assert complaints(tmp_path, encrypted("a.crt", "a.key")) == [
        f"listener[0].certificate: there is no file '{tmp_path / 'a.crt'}'",
        f"listener[0].key: there is no file '{tmp_path / 'a.key'}'",
    ]


def test_the_authority_of_clients_is_a_file_beside_the_others(tmp_path: Path) -> None:
    write_pair(tmp_path, "a")
    trustme.CA().cert_pem.write_to_path(tmp_path / "clients.crt")
    (listener,) = load(written(tmp_path, encrypted("a.crt", "a.key") + 'client_ca = "clients.crt"\n')).listener
    assert listener.client_ca == tmp_path / "clients.crt"
    assert (listener.client_certificate, listener.certificate_user) == ("optional", "common_name")


def test_an_authority_of_clients_that_is_not_there_is_named(tmp_path: Path) -> None:
    write_pair(tmp_path, "a")
    assert complaints(tmp_path, encrypted("a.crt", "a.key") + 'client_ca = "clients.crt"\n') == [
        f"listener[0].client_ca: there is no file '{tmp_path / 'clients.crt'}'",
    ]


def test_an_authority_of_clients_that_is_none_is_refused(tmp_path: Path) -> None:
    write_pair(tmp_path, "a")
    (tmp_path / "clients.crt").write_text("nothing")
    (line,) = complaints(tmp_path, encrypted("a.crt", "a.key") + 'client_ca = "clients.crt"\n')
    assert line.startswith("listener[0].client_ca: TLS cannot use it: ")


def test_what_amqp_clients_are_offered_by_default_is_rabbitmqs() -> None:
    amqp = Config().amqp
    assert (amqp.channel_max, amqp.frame_max, amqp.heartbeat) == (2_047, 131_072, 60)


def test_a_key_of_another_certificate_is_refused(tmp_path: Path) -> None:
    write_pair(tmp_path, "a")
    write_pair(tmp_path, "b")
    (line,) = complaints(tmp_path, encrypted("a.crt", "b.key"))
    assert line.startswith("listener[0].certificate: TLS cannot use certificate and key: ")
    assert "mismatch" in line


def test_a_certificate_that_is_none_is_refused(tmp_path: Path) -> None:
    write_pair(tmp_path, "a")
    (tmp_path / "a.crt").write_text("nothing")
    (line,) = complaints(tmp_path, encrypted("a.crt", "a.key"))
    assert line.startswith("listener[0].certificate: TLS cannot use certificate and key: ")
