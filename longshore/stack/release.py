"""Hand Temporal's work to this version of the worker: `python -m longshore.stack.release`.

It registers the search attributes that are missing, waits until the worker has polled, and makes its build the current
one. Doing it again changes nothing.
"""

import asyncio
import os
import sys

import structlog
from temporalio.client import Client
from temporalio.service import RPCError

from longshore.logs import configure_logs
from longshore.settings import Settings
from longshore.stack.errors import StackError
from longshore.stack.parts import SEARCH_ATTRIBUTES
from longshore.stack.temporal import ensure_search_attributes, make_current

POLLS_WITHIN = 60.0
"""Seconds for the worker to start and poll; the supervisor tries again after that."""

log = structlog.get_logger(__name__)


async def release(settings: Settings) -> None:
    """Make the build of the settings the current one.

    Raises:
        StackError: the worker does not poll, or Temporal refuses search attributes.
        RPCError: Temporal did not answer, or refused it.
        RuntimeError: Temporal cannot be reached.
    """
    client = await Client.connect(settings.temporal_address, namespace=settings.temporal_namespace)
    await ensure_search_attributes(client, SEARCH_ATTRIBUTES)
    changed = await make_current(client, settings.build_id, POLLS_WITHIN)
    log.info("the worker's build is current", build=settings.build_id, changed=changed)


def main() -> int:
    """Release the build of the environment."""
    configure_logs("release")
    try:
        asyncio.run(release(Settings.from_environment()))
    except (StackError, RPCError, RuntimeError) as error:
        print(str(error).splitlines()[0], file=sys.stderr)  # noqa: T201 - one line, which the supervisor passes on
        return 1
    return 0


if __name__ == "__main__":
    code = main()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)  # temporalio can crash a finished process at exit
