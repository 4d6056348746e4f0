"""docs/configuration.md and the example file say what the configuration does."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

from gateway.config import (
    Amqp,
    Config,
    ConfiguredPermission,
    ConfiguredUser,
    ConfiguredVhost,
    Forward,
    Limits,
    Listener,
    Log,
    Mqtt,
    Store,
)
from gateway.config import load as load_file
from gateway.config_errors import ConfigError
from gateway.server import BUSY_POLL_US
from tests.gateway.test_config import write_pair

ROOT: Final = Path(__file__).resolve().parents[2]
PAGE: Final = (ROOT / "docs" / "configuration.md").read_text(encoding="utf-8")
EXAMPLES: Final = re.findall(r"^```toml\n(.*?)^```$", PAGE, re.DOTALL | re.MULTILINE)
TABLES: Final = (
    Config,
    Listener,
    Limits,
    Amqp,
    Mqtt,
    Store,
    ConfiguredUser,
    ConfiguredPermission,
    ConfiguredVhost,
    Forward,
    Log,
)


def load(folder: Path, text: str) -> Config:
    path = folder / "dragoman.toml"
    path.write_text(text, encoding="utf-8")
    (folder / "tls").mkdir(exist_ok=True)
    write_pair(folder / "tls", "server")
    write_pair(folder / "tls", "clients")
    return load_file(path)


def keys() -> Iterator[str]:
    for table in TABLES:
        for name, field in table.model_fields.items():
            yield field.alias or name


def test_the_page_has_an_example_of_each_section() -> None:
    assert len(EXAMPLES) == 10


@pytest.mark.parametrize("example", EXAMPLES)
def test_each_example_of_the_page_loads(tmp_path: Path, example: str) -> None:
    assert load(tmp_path, example) != Config()


def test_all_examples_together_load(tmp_path: Path) -> None:
    """`anonymous` belongs at the top of a file, so its example comes first."""
    users = next(example for example in EXAMPLES if "anonymous" in example)
    config = load(tmp_path, users + "".join(example for example in EXAMPLES if example is not users))
    assert [user.name for user in config.user] == ["shop", "sensor"]
    assert config.listener[1].encrypted


@pytest.mark.parametrize("key", sorted(set(keys())))
def test_each_key_is_on_the_page(key: str) -> None:
    assert re.search(rf"`(\[\[{key}\]\]|\[\[\w+\.{key}\]\]|{key})`|^\[+{key}\]+$", PAGE, re.MULTILINE)


def test_the_defaults_on_the_page_are_the_defaults() -> None:
    limits, log, permission = Limits(), Log(), ConfiguredPermission()
    assert limits.memory_bytes == 1 << 30
    assert limits.message_bytes == 128 << 20
    assert Mqtt().max_queued_bytes == 256 << 20
    assert Amqp().frame_max == 128 << 10
    for row in (
        '| `memory_bytes` | size | `"1 GiB"` |',
        '| `message_bytes` | size | `"128 MiB"` |',
        f"| `connections` | integer | {limits.connections:,} |",
        f"| `busy_poll_us` | integer | {BUSY_POLL_US} |",
        f"| `channel_max` | integer | {Amqp().channel_max:,} |",
        '| `frame_max` | size | `"128 KiB"` |',
        f"| `heartbeat` | integer | {Amqp().heartbeat} |",
        f"| `sys_interval_s` | integer | {Mqtt().sys_interval_s} |",
        f"| `max_queued_messages` | integer | {Mqtt().max_queued_messages:,} |",
        '| `max_queued_bytes` | size | `"256 MiB"` |',
        "| `queue_qos0_messages` | boolean | `false` |",
        '| `client_certificate` | text | `"optional"` |',
        '| `certificate_user` | text | `"common_name"` |',
        f'| `format` | text | `"{log.format}"` |',
        f'| `level` | text | `"{log.level}"` |',
        f'| `configure` | pattern | `"{permission.configure}"` |',
        f'| `write` | pattern | `"{permission.write}"` |',
        f'| `read` | pattern | `"{permission.read}"` |',
        f'| `write_topics` | pattern | `"{permission.write_topics}"` |',
        f'| `read_topics` | pattern | `"{permission.read_topics}"` |',
        "| `loopback_only` | boolean | `false` |",
        "| `keep` | boolean | `true` |",
    ):
        assert row in PAGE
    for listener in Config().listener:
        assert (
            f"`{listener.protocol}` at\n`{listener.address}`" in PAGE
            or f"`{listener.protocol}` at `{listener.address}`" in PAGE
        )


WRONG: Final = {
    "listener[0].adress": '[[listener]]\nprotocol = "amqp"\nadress = "a:1"\n',
    "listener[1].address": '[[listener]]\nprotocol = "amqp"\naddress = "a:1"\n[[listener]]\nprotocol = "amqp"\naddress = "127.0.0.1:70000"\n',
    "listener[2].key": "".join(f'[[listener]]\nprotocol = "amqp"\naddress = "a:{n}"\n' for n in range(3))
    + 'certificate = "a"\n',
    "limits.memory_bytes": '[limits]\nmemory_bytes = "2 Gib"\n',
    "user[0].permission[0].write": '[[user]]\nname = "a"\n[[user.permission]]\nwrite = "(a"\n',
    "forward[0].to[0]": '[[forward]]\nfrom = "/topic/a"\nto = ["/nowhere/b"]\n',
    "forward[0].selector": '[[forward]]\nfrom = "/topic/a"\nto = ["/topic/b"]\nselector = "price >"\n',
    "not TOML": "[[listener]\n",
}


@pytest.mark.parametrize(("start", "text"), WRONG.items(), ids=WRONG)
def test_the_answers_on_the_page_are_the_answers(tmp_path: Path, start: str, text: str) -> None:
    with pytest.raises(ConfigError) as failure:
        load(tmp_path, text)
    lines = str(failure.value).replace(f"{tmp_path}/", "").splitlines()
    (shown,) = [line.strip() for line in PAGE.splitlines() if line.startswith(f"    dragoman.toml: {start}: ")]
    assert shown in lines


def test_the_example_file_loads(tmp_path: Path) -> None:
    config = load(tmp_path, (ROOT / "dragoman.example.toml").read_text(encoding="utf-8"))
    assert config.anonymous_user == "public"
    assert [listener.protocol for listener in config.listener] == ["amqp", "mqtt", "stomp", "websocket", "auto"]


def test_the_commented_lines_of_the_example_file_load_too(tmp_path: Path) -> None:
    text = (ROOT / "dragoman.example.toml").read_text(encoding="utf-8")
    uncommented = re.sub(r'^# (\w+ = ("tls/|\["https:))', r"\1", text, flags=re.MULTILINE)
    assert uncommented != text
    listeners = load(tmp_path, uncommented).listener
    assert listeners[3].origins == ["https://dashboard.example"]
    assert listeners[4].encrypted
    assert listeners[4].client_ca is not None
