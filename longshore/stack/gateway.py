"""Become an Envoy of this Longshore: `python -m longshore.stack.gateway`, in the embedded stack and in a container.

| variable | meaning |
|---|---|
| `LONGSHORE_DISCOVERY_LISTEN` | where the API serves routes |
| `LONGSHORE_GATEWAY_LISTEN` | where requests to models come in; 127.0.0.1:8471 |
| `LONGSHORE_GATEWAY_ADMIN` | Envoy's admin interface, which has no authentication; 127.0.0.1:8473 |
| `LONGSHORE_GATEWAY_NAME` | its name among the gateways, no two alike; the machine's name |
| `AWS_…` | credentials that it signs requests to SageMaker with; `AWS_CA_BUNDLE`: the authorities that it trusts |
"""

import json
import os
import socket
import sys
from collections.abc import Mapping

from longshore.settings import Settings
from longshore.stack.binaries import ENVOY
from longshore.stack.errors import StackError
from longshore.stack.places import Places
from longshore.stack.surroundings import authorities, credentials
from longshore.traffic.bootstrap import Machine, bootstrap

_WORKER_THREADS = 2
"""Routing costs little beside a model; a thread for each CPU would only merge more counters."""


def prepare(settings: Settings, environment: Mapping[str, str]) -> list[str]:
    """Write the bootstrap into the home, and say the command that runs Envoy with it.

    Raises:
        StackError: Envoy is not installed, or the bootstrap cannot be written.
        ValueError: an address is not `host:port`.
    """
    program = ENVOY.locate()
    content = bootstrap(
        node_id=environment.get("LONGSHORE_GATEWAY_NAME") or socket.gethostname(),
        listen=environment.get("LONGSHORE_GATEWAY_LISTEN") or "127.0.0.1:8471",
        admin=environment.get("LONGSHORE_GATEWAY_ADMIN") or "127.0.0.1:8473",
        discovery=settings.discovery_listen,
        machine=Machine(roots=authorities(environment), credentials=credentials(environment)),
    )
    file = Places.of(settings.home).bootstrap_file
    try:
        file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        file.write_text(json.dumps(content))
    except OSError as error:
        raise StackError(
            f"{file} cannot be written ({error.strerror or error})", "free some space on the disk of LONGSHORE_HOME"
        ) from None
    # without hot restart two Envoys of one machine do not meet in its shared memory
    options = ["--disable-hot-restart", "--log-level", "warn", "--concurrency", str(_WORKER_THREADS)]
    return [str(program), "-c", str(file), *options]


def surroundings(environment: Mapping[str, str]) -> dict[str, str]:
    """What Envoy is told. With credentials of its own it need not ask the machine's metadata, which it never stops."""
    quiet = {"AWS_EC2_METADATA_DISABLED": "true"} if credentials(environment) else {}
    return {**environment, **quiet}


def main() -> None:
    """Replace this process by Envoy, or say in one line why not."""
    try:
        command = prepare(Settings.from_environment(), os.environ)
    except (StackError, ValueError) as error:
        sys.exit(f"longshore gateway: {error}")
    # Envoy takes this process's place, its signals and its lock
    os.execve(command[0], command, surroundings(os.environ))  # noqa: S606


if __name__ == "__main__":
    main()
