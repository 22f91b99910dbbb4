"""The agent, killed by itself at a chosen point: `python dying_agent.py POINT N` dies at the Nth passing of POINT.

Points: `before-write`, `after-write` of its state; `after-spawn` of a process, `after-terminate` of one, each before
that is recorded.
"""

import itertools
import os
import signal
import sys
from collections.abc import Callable
from typing import Any

from longshore.backends.local import agent, durable
from longshore.backends.local.processes import Processes


def dying(function: Callable[..., Any], when: str, count: int) -> Callable[..., Any]:
    """The function, whose Nth call is the process's last."""
    calls = itertools.count(1)

    def call(*args: Any, **kwargs: Any) -> Any:
        last = next(calls) == count
        if last and when == "before":
            os.kill(os.getpid(), signal.SIGKILL)
        result = function(*args, **kwargs)
        if last:
            os.kill(os.getpid(), signal.SIGKILL)
        return result

    return call


def main() -> None:
    when, what = sys.argv[1].split("-")
    count = int(sys.argv[2])
    match what:
        case "write":
            durable.write_atomically = dying(durable.write_atomically, when, count)
        case "spawn":
            Processes.spawn = dying(Processes.spawn, when, count)  # type: ignore[method-assign]
        case "terminate":
            Processes.terminate = dying(Processes.terminate, when, count)  # type: ignore[method-assign]
    agent.main()


if __name__ == "__main__":
    main()
