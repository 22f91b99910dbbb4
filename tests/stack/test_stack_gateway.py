"""The gateway's process: a bootstrap, then Envoy in its place."""

import json
import subprocess
from pathlib import Path

import pytest
from certifi import where

from longshore.settings import Settings
from longshore.stack.gateway import prepare, surroundings

NAMES = {"LONGSHORE_GATEWAY_NAME": "g1", "LONGSHORE_GATEWAY_LISTEN": "127.0.0.1:9001"}


def test_envoy_accepts_the_bootstrap(home: Path) -> None:
    command = prepare(Settings.from_environment(), NAMES)
    result = subprocess.run([*command, "--mode", "validate"], capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr


def test_the_bootstrap_has_the_name_and_the_addresses_of_the_environment(home: Path) -> None:
    command = prepare(Settings.from_environment(), NAMES | {"LONGSHORE_GATEWAY_ADMIN": "127.0.0.1:9003"})
    written = json.loads(Path(command[command.index("-c") + 1]).read_text())
    assert written["node"]["id"] == "g1"
    assert written["admin"]["address"]["socket_address"] == {"address": "127.0.0.1", "port_value": 9003}


def test_the_bootstrap_says_where_credentials_are_from_and_never_what_they_are(home: Path) -> None:
    keys = {"AWS_ACCESS_KEY_ID": "the-id", "AWS_SECRET_ACCESS_KEY": "the-secret"}
    command = prepare(Settings.from_environment(), NAMES | keys)
    written = Path(command[command.index("-c") + 1]).read_text()
    assert json.loads(written)["node"]["metadata"]["longshore_credentials"] == "AWS_ACCESS_KEY_ID"
    assert "the-id" not in written
    assert "the-secret" not in written


def test_who_has_credentials_does_not_ask_the_machine_for_some() -> None:
    keys = {"AWS_ACCESS_KEY_ID": "the-id", "AWS_SECRET_ACCESS_KEY": "the-secret"}
    assert surroundings({"PATH": "/bin"}) == {"PATH": "/bin"}
    assert surroundings(keys) == {**keys, "AWS_EC2_METADATA_DISABLED": "true"}


def test_envoy_accepts_the_authorities_of_this_machine(home: Path, tmp_path: Path) -> None:
    file = tmp_path / "authorities.pem"
    file.write_text(Path(where()).read_text())
    command = prepare(Settings.from_environment(), NAMES | {"AWS_CA_BUNDLE": str(file)})
    assert str(file) in Path(command[command.index("-c") + 1]).read_text()
    result = subprocess.run([*command, "--mode", "validate"], capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr


def test_an_address_without_a_port_is_refused(home: Path) -> None:
    with pytest.raises(ValueError, match="host:port"):
        prepare(Settings.from_environment(), NAMES | {"LONGSHORE_GATEWAY_LISTEN": "localhost"})
