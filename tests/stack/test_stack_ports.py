"""Which ports a home gets."""

import json
import socket
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from longshore.stack.errors import StackError
from longshore.stack.ports import COUNT, DEFAULT_BASE, LOOPBACK, Ports, choose, free, free_base, holder, in_use, keep


@pytest.mark.parametrize(
    ("wanted", "kept", "base"),
    [
        pytest.param(None, None, DEFAULT_BASE, id="nothing asked, nothing kept: the default"),
        pytest.param(None, 21000, 21000, id="nothing asked: what the home has"),
        pytest.param("auto", 21000, 21000, id="auto keeps what the home has"),
        pytest.param("9000", 21000, 9000, id="a number always holds"),
        pytest.param("9000", None, 9000, id="a number on a new home"),
    ],
)
def test_ports_are_as_asked_or_as_kept(tmp_path: Path, wanted: str | None, kept: int | None, base: int) -> None:
    if kept is not None:
        keep(tmp_path, Ports(kept))
    assert choose(tmp_path, wanted) == Ports(base)


def test_auto_picks_free_ports_on_a_new_home(tmp_path: Path) -> None:
    ports = choose(tmp_path, "auto")
    assert all(free(port) for port in range(ports.base, ports.base + COUNT))


@pytest.mark.parametrize("wanted", ["", "80", "65535", "-1", "https", "8470.5"])
def test_what_is_no_port_is_refused_with_the_range(tmp_path: Path, wanted: str) -> None:
    if not wanted:
        assert choose(tmp_path, wanted) == Ports(DEFAULT_BASE)
        return
    with pytest.raises(StackError, match=r"is no port: set it to a number from 1024"):
        choose(tmp_path, wanted)


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"base": "x"}', "null"])
def test_a_broken_file_of_ports_counts_as_none(tmp_path: Path, content: str) -> None:
    (tmp_path / "ports.json").write_text(content)
    assert choose(tmp_path, None) == Ports(DEFAULT_BASE)


def test_keeping_twice_keeps_the_last(tmp_path: Path) -> None:
    keep(tmp_path, Ports(21000))
    keep(tmp_path, Ports(22000))
    assert json.loads((tmp_path / "ports.json").read_text()) == {"base": 22000}


@given(st.sets(st.integers(20_000, 30_000), max_size=50))
def test_a_free_base_never_overlaps_a_port_that_is_taken(taken: set[int]) -> None:
    base = free_base(lambda port: port not in taken)
    assert not taken & set(range(base, base + COUNT))


def test_nothing_free_is_an_error_with_a_cure() -> None:
    with pytest.raises(StackError, match="LONGSHORE_PORT_BASE"):
        free_base(lambda _: False)


def test_all_ports_differ() -> None:
    ports = Ports(9000)
    every = {ports.api, ports.gateway, ports.discovery, ports.envoy_admin, ports.temporal, ports.temporal_ui}
    every |= {ports.emulator, ports.emulator_runtime}
    assert every == set(range(9000, 9000 + COUNT))


def test_a_port_in_use_is_told_with_its_holder_and_ports_that_would_do() -> None:
    with socket.create_server((LOOPBACK, 0)) as listener:
        port = listener.getsockname()[1]
        assert not free(port)
        assert "pid" in (holder(port) or "")
        text = str(in_use(port, "gateway"))
    assert text.startswith(f"port {port} (gateway) is in use by ")
    assert "LONGSHORE_PORT_BASE=" in text
    assert "\n" not in text
    assert free(port)
    assert holder(port) is None
