"""The whole process of `longshore get deployment NAME`, on a running stack, against `python -c pass`."""

import statistics
import subprocess
import sys
import time

from measured import Spread, ratios, table
from serving import LONGSHORE, NAME, served

GET = (LONGSHORE, "get", "deployment", NAME)
PASS = (sys.executable, "-c", "pass")
RUNS = 9
EACH = 10
"""Times that each command is started in a run, by turns; a run's figure is their median."""


def seconds(command: tuple[str, ...]) -> float:
    """From the start of a process to its end."""
    began = time.perf_counter()
    subprocess.run(command, stdout=subprocess.DEVNULL, timeout=30, check=True)
    return time.perf_counter() - began


def run() -> tuple[float, float]:
    """Medians of both commands."""
    pairs = [(seconds(GET), seconds(PASS)) for _ in range(EACH)]
    return statistics.median(pair[0] for pair in pairs), statistics.median(pair[1] for pair in pairs)


def main() -> None:
    """Measure, and print the table."""
    with served():
        run()  # the first one writes byte code
        runs = [run() for _ in range(RUNS)]
    gets, passes = [one for one, _ in runs], [other for _, other in runs]
    rows = [
        ["longshore get deployment NAME", Spread.of(gets).show(0, 1000), ratios(gets, passes).show(2)],
        ["python -c pass", Spread.of(passes).show(0, 1000), ""],
    ]
    print(table(["process", "ms", "ratio"], rows))


if __name__ == "__main__":
    main()
