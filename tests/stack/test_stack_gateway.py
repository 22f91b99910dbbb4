"""The gateway's process: a bootstrap, then Envoy in its place."""

import json
import subprocess
from pathlib import Path

import pytest

from longshore.settings import Settings
from longshore.stack.gateway import prepare

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


def test_an_address_without_a_port_is_refused(home: Path) -> None:
    with pytest.raises(ValueError, match="host:port"):
        prepare(Settings.from_environment(), NAMES | {"LONGSHORE_GATEWAY_LISTEN": "localhost"})
