"""The seam to the places where metrics of versions are kept, besides the gateways."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from longshore.planning.checks import Measurement
from longshore.spec.deployment import Check


@dataclass(frozen=True)
class Asked:
    """The checks of one tick that are measured at one place."""

    checks: tuple[Check, ...]
    new: Mapping[str, str]
    """Placeholder → what it stands for, of the version that rolls out: `{"DEPLOYMENT": …, "VERSION": …, …}`."""
    old: Mapping[str, str] | None
    """The same of the version that served before, where there is one."""
    not_before: datetime
    """When the weight went live, or the window was last discarded."""
    now: datetime
    bake_ended: bool = False
    until: datetime | None = None
    """When the bake ends, as far as that is known."""


class MetricSource(Protocol):
    """One place."""

    async def measure(self, asked: Asked) -> tuple[Measurement, ...]:
        """Measure the checks, in their order. What cannot be had is a measurement that says so, never an exception."""
