"""The command line: exit codes, what is printed where, and never a traceback for a user's mistake."""

import os
import re
import socket
import subprocess
import sys
import threading
import tomllib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final, get_args

import argon2
import pytest
from typer.testing import CliRunner, Result

from gateway import cli, ping, version
from gateway.config import Listener
from gateway.scram import make_secret
from gateway.scram_secret import parse_secret

ROOT: Final = Path(__file__).resolve().parents[2]
PROCESS_LIMIT_S: Final = 60.0


def invoke(*arguments: str, given: bytes | None = None) -> Result:
    return CliRunner().invoke(cli.app, list(arguments), input=given, prog_name="dragoman")


def run(*arguments: str, cwd: Path) -> "subprocess.CompletedProcess[str]":
    """Run the command as a process of its own."""
    return subprocess.run(
        [sys.executable, "-m", "gateway", *arguments],
        cwd=cwd,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=PROCESS_LIMIT_S,
        check=False,
    )


# Version and help


def test_the_version_is_one_line_and_ends_with_the_number() -> None:
    result = invoke("--version")
    assert result.exit_code == 0
    assert result.stdout == f"dragoman {version.VERSION}\n"


def test_the_version_is_that_of_the_distribution() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert (project["name"], project["version"]) == (version.NAME, version.VERSION)


def test_the_build_is_the_one_that_is_expected() -> None:
    """The compiled test run sets DRAGOMAN_EXPECT, so that it cannot test the interpreted build by mistake."""
    assert version.build() in {version.COMPILED, version.INTERPRETED}
    if os.environ.get("DRAGOMAN_EXPECT") == "compiled":
        assert version.build() == version.COMPILED


@pytest.mark.parametrize("option", ["-h", "--help"])
def test_help_names_every_command(option: str) -> None:
    result = invoke(option)
    assert result.exit_code == 0
    for command in ("serve", "check-config", "hash-password", "ping"):
        assert command in result.stdout


@pytest.mark.parametrize("arguments", [["serve", "--colour"], ["nonsense"], ["serve", "--config"], ["check-config"]])
def test_a_wrong_command_line_is_answered_with_2(arguments: list[str]) -> None:
    result = invoke(*arguments)
    assert result.exit_code == 2
    assert "Error: " in result.stderr


# check-config, and serve with a wrong file


def test_a_right_configuration_is_ok(tmp_path: Path) -> None:
    path = tmp_path / "dragoman.toml"
    path.write_text('[log]\nlevel = "error"\n')
    result = invoke("check-config", str(path))
    assert (result.exit_code, result.stdout, result.stderr) == (0, f"{path}: ok\n", "")


@pytest.mark.parametrize("command", [["check-config"], ["serve", "--config"], ["serve", "-c"], ["ping", "--config"]])
def test_a_wrong_configuration_is_answered_with_2_and_a_line_for_each_mistake(
    tmp_path: Path, command: list[str]
) -> None:
    path = tmp_path / "dragoman.toml"
    path.write_text('[log]\nlevel = "loud"\ncolour = 1\n')
    result = invoke(*command, str(path))
    assert result.exit_code == 2
    assert result.stdout == ""
    first, second = result.stderr.splitlines()
    assert first.startswith(f"{path}: log.level: ")
    assert second.startswith(f"{path}: log.colour: ")


def test_a_missing_configuration_is_answered_with_2(tmp_path: Path) -> None:
    path = tmp_path / "absent.toml"
    result = invoke("serve", "--config", str(path))
    assert result.exit_code == 2
    assert result.stderr == f"{path}: cannot be read: No such file or directory\n"


def test_the_process_itself_exits_with_2_and_no_traceback(tmp_path: Path) -> None:
    (tmp_path / "wrong.toml").write_text('[[listener]]\nprotocol = "amqp"\naddress = "nowhere"\n')
    ended = run("serve", "--config", "wrong.toml", cwd=tmp_path)
    assert ended.returncode == 2
    assert ended.stdout == ""
    assert ended.stderr == (
        "wrong.toml: listener[0].address: 'nowhere' is not HOST:PORT, as in 127.0.0.1:5672 or [::1]:5672\n"
    )


def test_an_address_that_is_taken_is_named_and_answered_with_1(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        (tmp_path / "a.toml").write_text(f'[[listener]]\nprotocol = "amqp"\naddress = "{address}"\n')
        ended = run("serve", "--config", "a.toml", cwd=tmp_path)
    assert ended.returncode == 1
    assert address in ended.stderr
    assert "Traceback" not in ended.stderr + ended.stdout


# hash-password


@pytest.mark.parametrize("given", [b"s3cret\n", b"s3cret\r\n", b"s3cret", b"s3cret\nmore\n"])
def test_the_first_line_of_standard_input_is_hashed(given: bytes) -> None:
    result = invoke("hash-password", given=given)
    assert result.exit_code == 0
    assert re.fullmatch(r"\$argon2id\$\S+\n", result.stdout)
    assert argon2.PasswordHasher().verify(result.stdout.strip(), "s3cret")


@pytest.mark.parametrize(("options", "iterations"), [([], 15_000), (["--iterations", "4096"], 4_096)])
def test_a_secret_for_scram_is_made_of_it(options: list[str], iterations: int) -> None:
    result = invoke("hash-password", "--scram", *options, given=b"s3cret\n")
    assert result.exit_code == 0
    secret = parse_secret(result.stdout.strip())
    assert secret.iterations == iterations
    assert vars(make_secret(b"s3cret", secret.salt, iterations)) == vars(secret)
    assert invoke("hash-password", "--scram", *options, given=b"s3cret\n").stdout != result.stdout


@pytest.mark.parametrize(
    ("options", "given"),
    [
        (["--scram", "--iterations", "4095"], b"s3cret\n"),
        (["--iterations", "5000"], b"s3cret\n"),
        (["--scram"], b"\xff\n"),
        (["--scram"], b"\x07\n"),
    ],
)
def test_what_makes_no_secret_is_refused(options: list[str], given: bytes) -> None:
    result = invoke("hash-password", *options, given=given)
    assert (result.exit_code, result.stdout) == (2, "")


@pytest.mark.parametrize("given", [b"", b"\n"])
def test_an_empty_password_is_not_hashed(given: bytes) -> None:
    result = invoke("hash-password", given=given)
    assert result.exit_code == 2
    assert result.stdout == ""
    assert result.stderr == "dragoman: an empty password is never right for anybody\n"


# ping


@contextmanager
def answering(answer: bytes) -> Iterator[tuple[int, list[bytes]]]:
    """Accept one client, read what it says, answer and close; yield the port and what was read."""
    heard: list[bytes] = []
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            client, _ = server.accept()
            with client:
                heard.append(client.recv(1_000))
                client.sendall(answer)

        thread = threading.Thread(target=serve)
        thread.start()
        yield server.getsockname()[1], heard
        thread.join(PROCESS_LIMIT_S)


@pytest.mark.parametrize(
    ("protocol", "answer"),
    [
        ("amqp", b"\x01\x00\x00\x00\x00\x01\xf4"),
        ("auto", b"\x01\x00\x00\x00\x00\x01\xf4"),
        ("mqtt", b"\x20\x02\x00\x05"),
        ("stomp", b"CONNECTED\nversion:1.2\n\n\x00"),
        ("stomp", b"ERROR\nmessage:no\n\n\x00"),
        ("websocket", b"HTTP/1.1 101 Switching Protocols\r\n\r\n"),
    ],
)
def test_a_broker_that_answers_is_well(tmp_path: Path, protocol: str, answer: bytes) -> None:
    path = tmp_path / "dragoman.toml"
    with answering(answer) as (port, heard):
        path.write_text(f'[[listener]]\nprotocol = "{protocol}"\naddress = "127.0.0.1:{port}"\n')
        result = invoke("ping", "--config", str(path))
    assert (result.exit_code, result.stdout) == (0, f"{protocol} at 127.0.0.1:{port} answers\n")
    assert heard == [ping.PROBES[protocol][0]]


def test_every_listener_can_be_asked() -> None:
    assert set(ping.PROBES) == set(get_args(Listener.model_fields["protocol"].annotation))


@pytest.mark.parametrize("answer", [b"", b"\x01", b"HTTP/1.1 400 Bad Request\r\n" * 9])
def test_another_answer_or_none_is_not_well(tmp_path: Path, answer: bytes) -> None:
    path = tmp_path / "dragoman.toml"
    with answering(answer) as (port, _):
        path.write_text(f'[[listener]]\nprotocol = "amqp"\naddress = "127.0.0.1:{port}"\n')
        result = invoke("ping", "--config", str(path))
    assert result.exit_code == 1
    assert result.stderr.startswith(f"dragoman: amqp at 127.0.0.1:{port} does not answer: ")


def test_nobody_at_the_port_is_not_well(tmp_path: Path) -> None:
    path = tmp_path / "dragoman.toml"
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    path.write_text(f'[[listener]]\nprotocol = "mqtt"\naddress = "127.0.0.1:{port}"\n')
    result = invoke("ping", "--config", str(path))
    assert result.exit_code == 1
    assert "Connection refused" in result.stderr


def test_a_broker_that_accepts_but_does_not_answer_is_not_well() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        listener = Listener(protocol="amqp", address=f"127.0.0.1:{server.getsockname()[1]}")
        with pytest.raises(TimeoutError):
            ping.ping(listener, limit_s=0.01)


def test_the_listener_to_ask_is_one_that_answers_before_a_login() -> None:
    listeners = [Listener(protocol=name, address="127.0.0.1:1") for name in ("stomp", "mqtt", "auto")]
    assert ping.most_telling(listeners).protocol == "auto"
    assert ping.most_telling(listeners[:2]).protocol == "mqtt"
